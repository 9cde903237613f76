"""Kinds of cases: what cases are about, and the business keys by which they are found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.decide.facts import Key


@dataclass(frozen=True, slots=True)
class CaseKind:
    """What a flow's cases are about."""

    name: str
    keys: frozenset[str]
    """The kinds of business keys that they have."""

    def require(self, keys: Iterable[Key]) -> None:
        """LookupError for a key of a kind that such cases are not found by: nobody would look for it."""
        if unknown := {kind for kind, _ in keys} - self.keys:
            raise LookupError(f"a {self.name} has no key called {', '.join(sorted(unknown))}")
