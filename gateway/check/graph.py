"""Where a walk through a table can go from each of its nodes: the candidates, nearest first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from gateway.check.tables import Table

REPEAT, NEXT, ENTER, AGAIN = range(4)
"""How a candidate is reached: the same node again, another node, a group's first or a further occurrence."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that can follow, and how it is reached."""

    node: int
    how: int
    group: int
    limit: int
    skipped: tuple[tuple[str, int], ...]
    """The mandatory members passed over: ("segment", node) or ("group", group)."""


@lru_cache(maxsize=256)
def graph_of(table: Table) -> Graph:
    """The graph of `table`, made once."""
    return Graph(table)


class Graph:
    """The candidates of every state, worked out when first asked for."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.members: list[list[tuple[str, int]]] = [[] for _ in table.groups]
        """Per group, its nodes and groups in wire order."""
        opened = {group.trigger: index for index, group in enumerate(table.groups) if index}
        for index, node in enumerate(table.nodes):
            if index in opened:
                self.members[table.groups[opened[index]].parent].append(("group", opened[index]))
            self.members[node.group].append(("segment", index))
        self._from: dict[int, list[Candidate]] = {}
        self._by_tag: dict[int, dict[str, tuple[Candidate, ...]]] = {}

    def by_tag(self, state: int) -> dict[str, tuple[Candidate, ...]]:
        """The candidates after node `state` (-1: before the first), nearest first, by tag."""
        if state not in self._by_tag:
            tags: dict[str, list[Candidate]] = {}
            for candidate in self.candidates(state):
                tags.setdefault(self.table.nodes[candidate.node].tag, []).append(candidate)
            self._by_tag[state] = {tag: tuple(found) for tag, found in tags.items()}
        return self._by_tag[state]

    def candidates(self, state: int) -> list[Candidate]:
        """Every node that can follow `state`, nearest first."""
        return self._reach(state)[0]

    def lacking(self, state: int) -> tuple[tuple[str, int], ...]:
        """The mandatory members still to come when a message ends after `state`."""
        return self._reach(state)[1]

    def _reach(self, state: int) -> tuple[list[Candidate], tuple[tuple[str, int], ...]]:
        table, found = self.table, list[Candidate]()
        skipped: list[tuple[str, int]] = []
        if state < 0:
            self._ahead(0, 0, skipped, found)
            return found, tuple(skipped)
        node = table.nodes[state]
        found.append(Candidate(state, REPEAT, node.group, node.maximum, ()))
        group, member = node.group, ("segment", state)
        while True:
            self._ahead(group, self.members[group].index(member) + 1, skipped, found)
            if not group:
                return found, tuple(skipped)
            here = table.groups[group]
            found.append(Candidate(here.trigger, AGAIN, group, here.maximum, tuple(skipped)))
            group, member = here.parent, ("group", group)

    def _ahead(self, group: int, start: int, skipped: list[tuple[str, int]], found: list[Candidate]) -> None:
        """What stands in `group` from member `start` on; what is mandatory of it is added to `skipped`."""
        for kind, index in self.members[group][start:]:
            if kind == "segment":
                found.append(Candidate(index, NEXT, group, self.table.nodes[index].maximum, tuple(skipped)))
                mandatory = self.table.nodes[index].minimum
            else:
                inner = self.table.groups[index]
                found.append(Candidate(inner.trigger, ENTER, index, inner.maximum, tuple(skipped)))
                mandatory = inner.minimum
            if mandatory:
                skipped.append((kind, index))
