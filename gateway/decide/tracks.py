"""Tracks: tables of the states that a case stands in, several at once, and of what moves it.

Standing is not a ladder on which the greater number wins: a refusal that arrives after the release must
not undo it, and an amendment may well set a declaration back. So each event has a row that says from
which state it moves to which, and in which it comes too late and changes nothing. What a row
does not mention is not allowed, and the flow refuses or holds the message. A row may also say that something
returns to where it stood before (a request that was declined leaves it where it was made), and where other tracks
must stand for the event to be allowed.

A table stands beside the flow that owns it; any flow may fire its events, by the track's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from types import MappingProxyType

from gateway.errors import FlowsInvalid

NONE = "none"
"""Where every track of a case stands until its first event."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one event does: `moves` from a state to the next, `late` where it changes nothing.

    A state in `returns` leads back to the one left for it, if that is among those named; else it moves.
    """

    moves: Mapping[str, str]
    late: frozenset[str] = frozenset()
    returns: Mapping[str, frozenset[str]] = field(default_factory=dict)
    needs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By other track, the states in which the event is allowed."""
    overtaken: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By other track, the states in which the event comes too late, whatever its own track says."""


@dataclass(frozen=True, slots=True)
class Step:
    """The state after an event; `late` where the event came too late, or again, and changed nothing."""

    state: str
    late: bool = False
    left: str = ""
    """The state that was left for it, where some event leads back there."""


@dataclass(frozen=True, slots=True)
class Track:
    """One of the states that a case has: its name, and its table by event."""

    name: str
    rows: Mapping[str, Row]

    @property
    def states(self) -> frozenset[str]:
        """Every state that the table knows."""
        pairs = chain.from_iterable(row.moves.items() for row in self.rows.values())
        return frozenset({NONE, *chain.from_iterable(pairs)})

    def returns_to(self, left: str, state: str) -> bool:
        """Whether some event leads from `state` back to `left`."""
        return any(left in row.returns.get(state, ()) for row in self.rows.values())


class Tracks:
    """All tracks there are, each with one owner; looked up by name."""

    def __init__(self, tracks: Iterable[Track] = ()) -> None:
        """FlowsInvalid where two have one name, or a row speaks of a track or state that is not there."""
        self._by_name: dict[str, Track] = {}
        for track in tracks:
            if track.name in self._by_name:
                raise FlowsInvalid(f"two flows bring a track {track.name}")
            self._by_name[track.name] = track
        for track in self._by_name.values():
            for event, row in track.rows.items():
                named = [(track.name, row.late), *row.needs.items(), *row.overtaken.items()]
                self.require(f"{track.name}.{event}", named)

    def require(self, who: str, states: Iterable[tuple[str, Iterable[str]]]) -> None:
        """FlowsInvalid where `who` speaks of a track, or of states of one, that are not there."""
        for name, named in states:
            if name not in self._by_name:
                raise FlowsInvalid(f"{who} speaks of {name}, which is no track")
            if unknown := set(named) - self._by_name[name].states:
                raise FlowsInvalid(f"{who} speaks of {name} {', '.join(sorted(unknown))}")

    def find(self, name: str) -> Track:
        """The track of that name; KeyError where no flow brings it."""
        return self._by_name[name]

    def knows(self, track: str, event: str) -> bool:
        """Whether `event` ever happens on `track`."""
        return track in self._by_name and event in self._by_name[track].rows

    def step(self, standing: Mapping[str, str], track: str, event: str, left: str = "") -> Step | None:
        """Where `event` takes `track` of a case with this `standing`; None where it may not happen there."""
        table = self._by_name[track]
        row = table.rows[event]
        state = standing.get(track, NONE)
        if any(standing.get(name, NONE) in states for name, states in row.overtaken.items()):
            return Step(state, late=True)
        taken = step(row, state, left)
        if taken is None or taken.late:
            return taken
        if any(standing.get(name, NONE) not in states for name, states in row.needs.items()):
            return None
        before = left if taken.state == state else state
        return replace(taken, left=before) if table.returns_to(before, taken.state) else taken


def make_row(
    moves: Mapping[str, str],
    late: Iterable[str] = (),
    returns: Mapping[str, Iterable[str]] = MappingProxyType({}),
    *,
    needs: Mapping[str, Iterable[str]] = MappingProxyType({}),
    overtaken: Mapping[str, Iterable[str]] = MappingProxyType({}),
) -> Row:
    """The row that says this."""
    return Row(moves, frozenset(late), _frozen(returns), _frozen(needs), _frozen(overtaken))


def _frozen(sets: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(values) for name, values in sets.items()}


def to(target: str, *sources: str) -> dict[str, str]:
    """Moves that lead from each of `sources` to `target`."""
    return dict.fromkeys(sources, target)


def step(row: Row, state: str, left: str = "") -> Step | None:
    """Where the event of `row` takes what stands in `state`, which it took when it left `left`; None where it may not."""
    if left in row.returns.get(state, ()):
        return Step(left)
    if state in row.moves:
        return Step(row.moves[state])
    return Step(state, late=True) if state in row.late else None
