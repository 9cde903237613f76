"""What may have been meant by a name that is none, for whoever has misspelt it."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

_SHORTEST_MISSPELT = 3
"""Characters of a code in which one may be wrong and the code still be told; of two, each is near to thirty others."""


def near(name: str, known: Iterable[str]) -> str:
    """What may have been meant by `name`, as a further clause; empty where nothing is like it."""
    said = suggest(name, known)
    return f"; {said}" if said else ""


def suggest(name: str, known: Iterable[str]) -> str:
    """The same as a clause of its own."""
    lowered = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)
    found = found or [one for one in sorted(lowered) if len(name) > 2 and name.lower() in one][:3]
    return f"near it: {', '.join(lowered[one] for one in found)}" if found else ""


_SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_LONGEST_CODE = 20
"""Characters of a value that is compared with codes; what is longer is a text."""


def nearest_code(value: str, codes: Collection[str]) -> str:
    """The one code that `value` is but for capitals, blanks, leading zeros or one wrong sign; empty where none is, or several.

    It takes the same time however many codes there are: a sender may have thousands of wrong ones.
    """
    plain = value.strip().upper()
    if not plain or len(plain) > _LONGEST_CODE:
        return ""
    for same in (plain, plain.lstrip("0"), f"0{plain}"):
        if same in codes:
            return same
    if len(plain) < _SHORTEST_MISSPELT:
        return ""
    halves = [(plain[:at], plain[at:]) for at in range(len(plain) + 1)]
    near = {before + after[1:] for before, after in halves}
    near |= {before + after[1] + after[0] + after[2:] for before, after in halves if len(after) > 1}
    near |= {before + sign + after[1:] for before, after in halves if after for sign in _SIGNS}
    near |= {before + sign + after for before, after in halves for sign in _SIGNS}
    found = [one for one in near if one in codes]
    return found[0] if len(found) == 1 else ""
