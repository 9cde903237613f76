"""The values of retention: what is to be archived, what came of it, and what is held back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

TIMELINES, DELIVERIES, FEEDS, BODIES = "timelines", "deliveries", "feeds", "bodies"
"""The kinds, in the order in which they are archived: bodies last, when what they belonged to may have gone."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is archived, and how."""

    folder: Path
    days: Mapping[str, int]
    """By kind, the age from which it goes; a kind that is not there stays."""
    closed: frozenset[str]
    rows: int
    """Things that one transaction removes."""
    archive_bytes: int
    """What an archive holds at most, about."""


@dataclass(slots=True)
class ArchivedKind:
    """What became of a kind."""

    kind: str
    things: int = 0
    """That went, or would go."""
    rows: int = 0
    size: int = 0
    """Bytes of their rows and files, unpacked."""
    kept: int = 0
    """Old ones that stay: their case is open or held, or they are not over."""
    archives: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Run:
    """What a run came to."""

    kinds: list[ArchivedKind] = field(default_factory=list)
    put_off: str = ""
    """Why nothing was done: `broken` where a break of the log is not reconciled, `busy` where another node is at it."""


@dataclass(frozen=True, slots=True)
class Written:
    """An archive that was written."""

    name: str
    kind: str
    at: datetime
    things: int
    size: int
    """Bytes of what it holds, unpacked."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A case of which nothing is archived, why, and since when."""

    case_id: str
    reason: str
    at: datetime
