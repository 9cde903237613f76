"""Which field stands at an element of a segment, by the rows of a mapping: for words about a message, not for its values.

Nothing is read: a segment is known by its node in the table and by the qualifiers in it. So a field can be named
whose value is missing, or that stands in a message too faulty to be read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from gateway.translate.edi import Cell, GroupUse, SlotTest

_Use = tuple[tuple[SlotTest, ...], Sequence[Cell]]


class Fields:
    """The fields of all segments that a mapping has rows for."""

    def __init__(self, root: GroupUse) -> None:
        """`root` is the tree that the rows were compiled into."""
        self._uses: dict[int, list[_Use]] = defaultdict(list)
        """By node: what the segments there must hold, and what stands in them then."""
        self._add(root)

    def find(self, node: int, elements: Sequence[Sequence[str]], element: int, component: int) -> str:
        """The field at an element (from 1) and component (from 0) of a segment; empty where none is, or several are.

        Within groups told apart by a qualifier of their first segment, several may.
        """
        uses = self._uses.get(node, ())
        fitting = [cells for tests, cells in uses if all(test.holds(elements) for test in tests)]
        found = {
            cell.field
            for cells in fitting
            for cell in cells
            if cell.field and any((slot.element, slot.component) == (element, component) for slot in cell.slots)
        }
        return found.pop() if len(found) == 1 else ""

    def _add(self, group: GroupUse) -> None:
        for node, segments in group.segments.items():
            self._uses[node] += [(group.tests if use.trigger else use.tests, use.cells) for use in segments]
        for inner in group.groups.values():
            for use in inner:
                self._add(use)
