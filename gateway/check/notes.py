"""Syntax notes: how elements of a segment, components of a composite or members of a group depend on one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.check.nodes import Note


def note_position(note: Note, filled: Sequence[str], *, excess: bool) -> int:
    """The position to name for a note that `filled` (values by position) breaks: where something is absent, that."""
    if not excess:
        for position in note.positions:
            if position >= len(filled) or not filled[position]:
                return position
    return note.positions[0]


def broken_notes(notes: Sequence[Note], present: Sequence[bool]) -> Iterator[tuple[Note, bool]]:
    """The notes that are broken by what is `present` (by position), and whether there is too much or too little of it."""
    for note in notes:
        there = [position < len(present) and present[position] for position in note.positions]
        count, first, rest = sum(there), there[0], sum(there[1:])
        lacking = {
            "P": 0 < count < len(there),
            "R": count == 0,
            "O": count == 0,
            "C": first and rest < len(there) - 1,
            "L": first and rest == 0,
        }
        exceeding = {"E": count > 1, "O": count > 1, "N": first and rest > 0}
        if lacking.get(note.kind):
            yield note, False
        if exceeding.get(note.kind):
            yield note, True
