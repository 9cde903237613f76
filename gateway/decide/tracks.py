"""Tables of moves: where something stands, and what may move it.

Standing is not a ladder on which the greater number wins: a refusal that arrives after the release must
not undo it, and an amendment may well set a declaration back. So each event has a row that says from
which status it moves to which, and in which it comes too late and changes nothing. What a row
does not mention is not allowed, and the flow refuses or holds the message. A row may also say that something
returns to where it stood before: a request that was declined leaves it where it was made.

A table stands beside the flow that owns it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, TypeVar

StatusT = TypeVar("StatusT", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Step(Generic[StatusT]):
    """The status after an event; `late` where the event came too late, or again, and changed nothing."""

    status: StatusT
    late: bool = False


@dataclass(frozen=True, slots=True)
class Row(Generic[StatusT]):
    """What one event does: `moves` from a status to the next, `late` where it changes nothing.

    A status in `returns` leads back to the one left for it, if that is among those named; else it moves.
    """

    moves: Mapping[StatusT, StatusT]
    late: frozenset[StatusT] = frozenset()
    returns: Mapping[StatusT, frozenset[StatusT]] = field(default_factory=dict)


def make_row(
    moves: Mapping[StatusT, StatusT],
    late: Iterable[StatusT] = (),
    returns: Mapping[StatusT, Iterable[StatusT]] = MappingProxyType({}),
) -> Row[StatusT]:
    """The row that says this."""
    return Row(moves, frozenset(late), {status: frozenset(left) for status, left in returns.items()})


def to(target: StatusT, *sources: StatusT) -> dict[StatusT, StatusT]:
    """Moves that lead from each of `sources` to `target`."""
    return dict.fromkeys(sources, target)


def step(row: Row[StatusT], status: StatusT, left: StatusT | None = None) -> Step[StatusT] | None:
    """Where the event of `row` takes what stands in `status`, which it took when it left `left`; None where it may not."""
    if left is not None and left in row.returns.get(status, ()):
        return Step(left)
    if status in row.moves:
        return Step(row.moves[status])
    return Step(status, late=True) if status in row.late else None
