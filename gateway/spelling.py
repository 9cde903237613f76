"""What may have been meant by a name that is none, for whoever has misspelt it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(name: str, known: Iterable[str]) -> str:
    """What may have been meant by `name`, as a further clause; empty where nothing is like it."""
    lowered = {one.lower(): one for one in known}
    found = difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)
    found = found or [one for one in sorted(lowered) if len(name) > 2 and name.lower() in one][:3]
    return f"; near it: {', '.join(lowered[one] for one in found)}" if found else ""
