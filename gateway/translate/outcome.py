"""What a translation gives back: the values read, the body written, and what there is to say about either."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from gateway.model import Finding, Place
from gateway.translate.weight import Weight


class Origins(Mapping[str, Place]):
    """Where each value came from: canonical path (`goods[0].hs_code`) -> the sender's own segment and element.

    Nobody asks while all is well, so the places are traced by a second reading when first asked for.
    """

    def __init__(self, trace: Callable[[], Mapping[str, Place]], moved: Mapping[str, str] | None = None) -> None:
        """`moved` says where a reshaping found parts of the document: document path -> wire path."""
        self._moved = moved or {}
        self._trace: Callable[[], Mapping[str, Place]] = trace
        self._places: Mapping[str, Place] | None = None
        self._around: Mapping[str, Place] | None = None

    def _known(self) -> Mapping[str, Place]:
        if self._places is None:
            self._places = self._trace()
        return self._places

    def __getitem__(self, path: str) -> Place:
        return self._known()[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())

    def on_wire(self, path: str) -> str:
        """What the rows of the mapping call the value at `path`."""
        around = path
        while around and around not in self._moved:
            around = _around(around)
        return self._moved[around] + path[len(around) :] if around else path

    def nearest(self, path: str) -> Place:
        """The place of `path`, or of the nearest value around it that has one."""
        known = self._known()
        while path:
            place = known.get(path) or self._first_within().get(path)
            if place is not None:
                return place
            path = _around(path)
        return Place()

    def _first_within(self) -> Mapping[str, Place]:
        """The place of the first value within each group and list."""
        if self._around is None:
            first: dict[str, Place] = {}
            for path, place in self._known().items():
                around = _around(path)
                # Where one is known, so are all around it.
                while around and around not in first:
                    first[around] = place
                    around = _around(around)
            self._around = first
        return self._around


def _around(path: str) -> str:
    """The path of what holds the value at `path`; empty for the document."""
    return path[: max(path.rfind("."), path.rfind("["), 0)]


@dataclass(frozen=True, slots=True)
class Unread:
    """A piece of a message that no row mentions, and how much is lost with it."""

    place: Place
    text: str
    weight: Weight


@dataclass(slots=True)
class Read:
    """A message, read. `document` is None where the findings hold an error; `kept` is what no row mentions."""

    document: BaseModel | None
    values: dict[str, Any]
    findings: list[Finding]
    origins: Origins
    kept: list[Unread] = field(default_factory=list)
    partial: BaseModel | None = None
    """Where there is no document, what is right of it: for the rules to judge, and nobody else."""


@dataclass(slots=True)
class Written:
    """A document, written: raw EDI segments without UNH and UNT, an lxml element, or a JSON value."""

    body: Any
    findings: list[Finding]


@dataclass(slots=True)
class Raw:
    """What a wire adaptor reads, before the document's own rules have judged it."""

    values: dict[str, Any]
    findings: list[Finding] = field(default_factory=list)
    kept: list[Unread] = field(default_factory=list)
