"""Where a walk through a table can go from each of its nodes: the candidates, nearest first; and where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from gateway.check.nodes import Note, Qualifier, Table
from gateway.check.notes import broken_notes
from gateway.parse.segments import Delimiters

REPEAT, NEXT, ENTER, AGAIN = range(4)
"""How a candidate is reached: the same node again, another node, a group's first or a further occurrence."""

Member = tuple[str, int]
"""A member of a group: ("segment", node) or ("group", group)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node that can follow, and how it is reached."""

    node: int
    how: int
    group: int
    """The group whose occurrences count: that of the node, or of several that open with it the outermost that does."""
    limit: int
    skipped: tuple[Member, ...]
    """The mandatory members passed over."""
    opens: tuple[int, ...] = ()
    """The groups that begin with it, the outermost first; none where it repeats or goes on in an open one."""


@lru_cache(maxsize=256)
def graph_of(table: Table) -> Graph:
    """The graph of `table`, made once."""
    return Graph(table)


class Graph:
    """The candidates of every state, worked out when first asked for."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.members: list[list[Member]] = [[] for _ in table.groups]
        """Per group, its nodes and groups in wire order."""
        opened: dict[int, list[int]] = {}
        for index, group in enumerate(table.groups):
            if index:
                opened.setdefault(group.trigger, []).append(index)
        for index, node in enumerate(table.nodes):
            for group_ in opened.get(index, ()):
                self.members[table.groups[group_].parent].append(("group", group_))
            self.members[node.group].append(("segment", index))
        self.places = {member: at for members in self.members for at, member in enumerate(members)}
        """Of each member, its position in its group."""
        self.within: list[list[int]] = [[] for _ in table.groups]
        """Per group, all groups inside it."""
        for inner in range(1, len(table.groups)):
            for outer in self.path(inner)[1:]:
                self.within[outer].append(inner)
        self._complete: dict[int, bool] = {}
        self._rivals: dict[tuple[int, int], tuple[Qualifier, ...]] = {}
        self._by_tag: dict[int, dict[str, tuple[Candidate, ...]]] = {}

    def path(self, group: int) -> list[int]:
        """`group` and those around it, innermost first, the message itself last."""
        path = [group]
        while path[-1]:
            path.append(self.table.groups[path[-1]].parent)
        return path

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

    def lacking(self, state: int) -> tuple[Member, ...]:
        """The mandatory members still to come when a message ends after `state`."""
        return self._reach(state)[1]

    def is_complete(self, state: int) -> bool:
        """Whether a message may end after `state`, as far as what it must have skips nothing."""
        if state not in self._complete:
            self._complete[state] = not self.lacking(state)
        return self._complete[state]

    def choice(self, member: Member) -> int:
        """The number that a member shares with those of its position; 0 where it has one of its own."""
        kind, index = member
        return (self.table.nodes[index] if kind == "segment" else self.table.groups[index]).choice

    def minimum(self, member: Member) -> int:
        """How often a member stands at least."""
        kind, index = member
        return (self.table.nodes[index] if kind == "segment" else self.table.groups[index]).minimum

    def _reach(self, state: int) -> tuple[list[Candidate], tuple[Member, ...]]:
        table, found = self.table, list[Candidate]()
        skipped: list[Member] = []
        if state < 0:
            self._ahead(0, 0, skipped, found)
            return found, tuple(skipped)
        group, member = table.nodes[state].group, ("segment", state)
        while True:
            # Of what shares the member's position, each can follow it: one that has a qualifier before one that has none.
            position = self.places[member]
            together = self.together(group, member)
            for at in together:
                found.append(self._candidate(group, self.members[group][at], skipped, again=at == position))
            self._ahead(group, together[-1] + 1, skipped, found)
            if not group:
                return found, tuple(skipped)
            group, member = table.groups[group].parent, ("group", group)

    def together(self, group: int, member: Member) -> range:
        """The positions of the members of `group` that stand at that of one in any order, itself included."""
        members, choice = self.members[group], self.choice(member)
        first = last = self.places[member]
        while choice and first and self.choice(members[first - 1]) == choice:
            first -= 1
        while choice and last + 1 < len(members) and self.choice(members[last + 1]) == choice:
            last += 1
        return range(first, last + 1)

    def rivals(self, candidate: Candidate) -> tuple[Qualifier, ...]:
        """What tells the others of the candidate's position from it, where nothing tells itself."""
        key = (candidate.node, candidate.group)
        if key not in self._rivals:
            nodes, groups = self.table.nodes, self.table.groups
            member = ("group", candidate.group) if candidate.opens else ("segment", candidate.node)
            choice, tag = self.choice(member), nodes[candidate.node].tag
            others = [n for n in nodes if n.choice == choice] + [nodes[g.trigger] for g in groups if g.choice == choice]
            found = [n.qualifier for n in others if n.tag == tag and n.qualifier is not None] if choice else []
            self._rivals[key] = tuple(found)
        return self._rivals[key]

    def _candidate(self, group: int, member: Member, skipped: Sequence[Member], *, again: bool) -> Candidate:
        kind, index = member
        if kind == "segment":
            maximum = self.table.nodes[index].maximum
            return Candidate(index, REPEAT if again else NEXT, group, maximum, tuple(skipped))
        opened = self.table.groups[index]
        inner = self.path(self.table.nodes[opened.trigger].group)
        opens = tuple(reversed(inner[: inner.index(index) + 1]))
        return Candidate(opened.trigger, AGAIN if again else ENTER, index, opened.maximum, tuple(skipped), opens)

    def _ahead(self, group: int, start: int, skipped: list[Member], found: list[Candidate]) -> None:
        """What stands in `group` from member `start` on; what is mandatory of it is added to `skipped`.

        Whether a choice has all that is mandatory in it, its order does not tell: that is counted (`Position.shortfalls`).
        """
        for member in self.members[group][start:]:
            found.append(self._candidate(group, member, skipped, again=False))
            if self.minimum(member) and not self.choice(member):
                skipped.append(member)


@dataclass(slots=True)
class Position:
    """Where a walk stands: the last node given, its run, how often each group has begun.

    `taken` counts segments by node within the open occurrences of their groups, for tables that are not plain.
    """

    graph: Graph
    state: int
    run: int
    begun: list[int]
    taken: dict[int, int] | None = None

    @classmethod
    def at_start(cls, graph: Graph, *, plain: bool) -> Position:
        """Before the first segment."""
        return cls(graph, -1, 0, [0] * len(graph.table.groups), None if plain else {})

    def after(self, candidate: Candidate) -> Position:
        """The position once `candidate` is taken."""
        taken = None if self.taken is None else self.taken.copy()
        moved = Position(self.graph, self.state, self.run, self.begun.copy(), taken)
        moved.take(candidate)
        return moved

    def take(self, candidate: Candidate) -> None:
        """Move on to `candidate`."""
        counted = self.taken is not None and self.graph.choice(("group", candidate.group))
        self.run = self.run + 1 if candidate.how == REPEAT else 1
        if candidate.how == AGAIN or (candidate.how == ENTER and counted):
            self.begun[candidate.group] += 1
        elif candidate.how == ENTER:
            self.begun[candidate.group] = 1
        if self.taken is not None:
            if candidate.opens:
                self._begin(candidate)
            self.taken[candidate.node] = self.taken.get(candidate.node, 0) + 1
        self.state = candidate.node

    def _begin(self, candidate: Candidate) -> None:
        """Count anew what stands in a group that begins."""
        assert self.taken is not None
        inner = {candidate.group, *self.graph.within[candidate.group]}
        for group in inner - {candidate.group}:
            self.begun[group] = int(group in candidate.opens)
        for node in [node for node in self.taken if self.graph.table.nodes[node].group in inner]:
            del self.taken[node]

    def so_far(self, candidate: Candidate) -> int:
        """How often what `candidate` would repeat stands already; 0 where it repeats nothing."""
        if self.taken is None:
            return self.run if candidate.how == REPEAT else self.begun[candidate.group] if candidate.how == AGAIN else 0
        if not candidate.opens:
            return self.taken.get(candidate.node, 0)
        counted = candidate.how == AGAIN or self.graph.choice(("group", candidate.group))
        return self.begun[candidate.group] if counted else 0

    def room(self, candidate: Candidate) -> bool:
        """Whether `candidate` stays within its maximum."""
        return self.so_far(candidate) < candidate.limit

    def count(self, member: Member) -> int:
        """How often a member stands so far in the open occurrence of its group."""
        assert self.taken is not None, "only tables that are not plain are counted"
        kind, index = member
        return self.taken.get(index, 0) if kind == "segment" else self.begun[index]

    def clean(self, candidates: Sequence[Candidate], raw: str, delimiters: Delimiters) -> Candidate | None:
        """The nearest of `candidates` where `raw` may stand without a fault."""
        for candidate in candidates:
            if candidate.skipped or not self.room(candidate):
                continue
            if self.taken is None or (self.is_used(candidate) and self.is_fitting(candidate, raw, delimiters)):
                return candidate
        return None

    def is_used(self, candidate: Candidate) -> bool:
        """Whether a guide lets the candidate, and the groups that open with it, be used."""
        table = self.graph.table
        return table.nodes[candidate.node].used and all(table.groups[group].used for group in candidate.opens)

    def is_fitting(self, candidate: Candidate, raw: str, delimiters: Delimiters) -> bool:
        """Whether `raw`, a segment of the candidate's tag, is of its definition, and where it has none, of no other's."""
        qualifier = self.graph.table.nodes[candidate.node].qualifier
        if qualifier is not None:
            return qualifier.fits(raw, delimiters)
        return not any(rival.fits(raw, delimiters) for rival in self.graph.rivals(candidate))

    def closed_by(self, candidate: Candidate | None) -> list[int]:
        """The groups whose open occurrence ends when `candidate` is taken, innermost first; all at the end of the message."""
        if self.state < 0:
            return []
        path = self.graph.path(self.graph.table.nodes[self.state].group)
        if candidate is None:
            return path
        if candidate.how == AGAIN and candidate.group in path:
            return path[: path.index(candidate.group) + 1]
        open_ = set(self.graph.path(self._around(candidate)))
        return [group for group in path if group not in open_]

    def passed_by(self, candidate: Candidate | None) -> list[Member]:
        """The members of groups that no segment can come to any more once `candidate` is taken, the current one's first."""
        graph, passed = self.graph, list[Member]()
        group, at = 0, 0
        if self.state >= 0:
            group = graph.table.nodes[self.state].group
            at = graph.together(group, ("segment", self.state))[0]
        while True:
            if candidate is not None and group == self._around(candidate):
                member = ("group", candidate.group) if candidate.opens else ("segment", candidate.node)
                return passed + graph.members[group][at : graph.together(group, member)[0]]
            passed += graph.members[group][at:]
            if not group:
                return passed
            inner, group = group, graph.table.groups[group].parent
            at = graph.together(group, ("group", inner))[0]

    def _around(self, candidate: Candidate) -> int:
        """The group in which the candidate, or the group that it opens, is a member."""
        return self.graph.table.groups[candidate.group].parent if candidate.opens else candidate.group

    def shortfalls(self, candidate: Candidate | None) -> Iterator[tuple[Member, int, int]]:
        """What stands less often than it must when `candidate` is taken, with how often it does, and the least.

        Members that must stand once and have a position of their own are told where they are skipped.
        """
        for member in self.passed_by(candidate):
            least, count = self.graph.minimum(member), self.count(member)
            if count < least and (count or self.graph.choice(member)):
                yield member, count, least

    def is_broken_by(self, candidate: Candidate | None) -> bool:
        """Whether there is too little of something when `candidate` is taken, or a note of a group that ends is broken."""
        if any(True for _ in self.shortfalls(candidate)):
            return True
        return any(True for group in self.closed_by(candidate) for _ in self.broken_notes(group))

    def broken_notes(self, group: int) -> Iterator[tuple[Note, bool]]:
        """The notes that the open occurrence of a group breaks, each with whether there is too much."""
        notes = self.graph.table.groups[group].notes
        if notes:
            members = self.graph.members[group]
            yield from broken_notes(notes, [True, *(self.count(member) > 0 for member in members)])
