"""The character sets of EDIFACT: which codec a repertoire (UNB S001 0001) means, and which characters it allows."""

from __future__ import annotations

import re
import string
from functools import lru_cache

CODECS = {
    # ISO 9735-1, annex A: levels A and B are ISO 646; they are read as Latin-1 so that a stray
    # character is a finding and not lost.
    "UNOA": "latin-1",
    "UNOB": "latin-1",
    "UNOC": "latin-1",
    "UNOD": "iso8859-2",
    "UNOE": "iso8859-5",
    "UNOF": "iso8859-7",
    "UNOG": "iso8859-3",
    "UNOH": "iso8859-4",
    "UNOI": "iso8859-6",
    "UNOJ": "iso8859-8",
    "UNOK": "iso8859-9",
    "UNOL": "iso8859-15",
    "UNOW": "utf-8",
    # Code extension by ISO 2022; this codec knows the Chinese, Japanese and Korean sets of it.
    "UNOX": "iso2022_jp_2",
    "UNOY": "utf-8",
    # By agreement, in air transport: IATA messages keep to level A and some of B.
    "IATA": "latin-1",
}

# ISO 9735-1, annex A: level A has capitals and these, level B small letters too.
_LEVEL_A = string.ascii_uppercase + string.digits + " .,-()/='+:?!\"%&*;<>"
_LEVELS = {"UNOA": _LEVEL_A, "UNOB": _LEVEL_A + string.ascii_lowercase}

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")


@lru_cache(maxsize=64)
def _deletions(repertoire: str, service: str) -> dict[int, None]:
    return dict.fromkeys(map(ord, _LEVELS[repertoire] + service))


def strangers(text: str, repertoire: str, service: str) -> str:
    """The characters of `text` that `repertoire` does not have, in order of appearance; `service` are always allowed.

    Controls are strangers everywhere, `service` ones apart (level B may separate by ISO 646's IS1 to IS4).
    """
    if repertoire in _LEVELS:
        found = text.translate(_deletions(repertoire, service))
    elif text.isprintable():
        return ""
    else:
        found = "".join(c for c in _CONTROLS.findall(text) if c not in service)
    return "".join(dict.fromkeys(found))


def recognise(body: bytes, *, but: str = "") -> str:
    """The character set that bytes beyond ASCII seem to be in, as people call it: for those who named another, `but`.

    Empty where nothing beyond ASCII stands in them, or they are in none that can be told by its form. Bytes that make
    whole characters of UTF-8 are hardly ever anything else; GB18030 is only told where nearly all of its characters are
    common Chinese ones, since most bytes can be read as some of it.
    """
    if body.isascii():
        return ""
    for codec, name in (("utf-8", "UTF-8"), ("gb18030", "GB18030")):
        if codec == but.lower():
            continue
        try:
            text = body.decode(codec)
        except UnicodeDecodeError:
            continue
        beyond = [character for character in text if ord(character) > _ASCII]
        common = sum(
            "\u3000" <= c <= "\u303f" or "\u4e00" <= c <= "\u9fff" or "\uff00" <= c <= "\uffef" for c in beyond
        )
        if codec == "utf-8" or common >= _MOSTLY * len(beyond):
            return name
    return ""


_ASCII = 0x7F
_MOSTLY = 0.95
