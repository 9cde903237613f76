r"""Characters that act on a screen instead of standing on it, as signs that can be read.

What a partner writes is data wherever a person reads it. A reference may hold an escape sequence that repaints the
terminal, a newline that forges the next line of a log, a bidirectional control that turns a number round, or a
character that nobody sees and that tells two names apart. Each is shown by its number, `\u001b`, `\u202e` or
`\U000e0041`, the way JSON and TOML escape it. Stored values and what goes to partners stay as they are.

The classes of Unicode so shown are: Cc (C0 and C1 controls, DEL, newlines and tabs), Cf (bidirectional controls,
zero-width and other format characters), Cs (lone surrogates, which no encoding writes), Zl and Zp (line and paragraph
separators), and those few letters and marks that are drawn as nothing. A backslash stays itself, so what is shown
cannot be read back; whoever needs the value to the letter asks for JSON.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LONGEST_VALUE: Final = 1000
"""Characters of one value that a person is shown: more than any reference, name or path has that can be read."""
LONGEST_LINE: Final = 10_000
"""Characters of one line: some screens full; a line holds several values, and the words around them."""

_ACTING: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_UNSEEN: Final = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U0001bca0-\U0001bca3\U000e0000-\U000e0fff"
)
"""Letters and marks that are drawn as nothing (Default_Ignorable_Code_Point of Unicode), besides class Cf."""
_CANDIDATE: Final = re.compile(r"[^ -~\u4e00-\u9fff]")
_IGNORABLE: Final = re.compile(f"[{_UNSEEN}]")


def visible(text: str, most: int = LONGEST_LINE) -> str:
    """`text` on one line, all its characters to be seen; cut after `most` of its characters, where that is said."""
    cut = text[:most]
    seen = _CANDIDATE.sub(lambda found: _sign(found[0]), cut)
    return seen if len(text) <= most else f"{seen}… ({len(text)} characters)"


def shown(value: object) -> str:
    """One value in a sentence: `visible`, and no longer than a person reads."""
    return visible(str(value), LONGEST_VALUE)


def visible_lines(text: str) -> str:
    """A text whose newlines are the gateway's own; everything else in it as `visible` shows it, uncut."""
    return "\n".join(visible(line, len(line)) for line in text.split("\n"))


def escaped_json(text: str) -> str:
    """JSON text of the same value, in which the same characters stand escaped (RFC 8259, section 7)."""
    return _CANDIDATE.sub(lambda found: found[0] if found[0] == "\n" else _sign(found[0], json=True), text)


def _sign(character: str, *, json: bool = False) -> str:
    if unicodedata.category(character) not in _ACTING and not _IGNORABLE.match(character):
        return character
    number = ord(character)
    if number <= 0xFFFF:
        return f"\\u{number:04x}"
    if json:
        high, low = divmod(number - 0x10000, 0x400)
        return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
    return f"\\U{number:08x}"
