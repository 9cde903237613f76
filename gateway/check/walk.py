"""The thorough walk: gives every segment of a message a node where it can, and names what stands in the way of the others.

It reads what the fast walk (`structure`) found no clean way through, and judges every clean step as that one does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gateway.check.graph import AGAIN, ENTER, REPEAT, Candidate, Graph, Member, Position
from gateway.check.nodes import Note
from gateway.check.segment import Reader
from gateway.findings import make_finding
from gateway.model import Finding, Place, Severity, Syntax
from gateway.parse.segments import SegmentMessage

MAX_FINDINGS = 2_000
"""More of one message help nobody, and a hostile one could fill memory with them."""
_X12_TAG = re.compile("[A-Z][A-Z0-9]{1,2}")
"""X12.6: a segment identifier, element 721."""
_MOST_NOTES = 10
"""Zeros and blanks without need that are told of one message: whoever fills one value fills them all."""
_LOOK_AHEAD = 8
"""How many segments further on decide whether one was misplaced or others before it are missing."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check of one message found.

    `nodes[i]` is the index in `table.nodes` of segment i, or -1 where it has no place; by a guide, in the nodes of the
    table that it narrows.
    """

    nodes: list[int]
    findings: list[Finding]


class Told:
    """The findings of a message so far; of what does no harm, only the first are told, and it never fills the rest."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.notes = 0

    def enough(self) -> bool:
        """Whether more faults would help nobody."""
        return len(self.findings) - self.notes >= MAX_FINDINGS

    def explain(self, read: Reader, raw: str, place: Place) -> None:
        """Add the faults of a segment that was not accepted."""
        if self.notes >= _MOST_NOTES and read.accepts_padded(raw):
            return
        for finding in read.explain(raw, place, MAX_FINDINGS - len(self.findings) + self.notes):
            if finding.severity is not Severity.NOTE:
                self.findings.append(finding)
            elif self.notes < _MOST_NOTES:
                self.findings.append(finding)
                self.notes += 1


class Walk:
    """The thorough walk over one message."""

    def __init__(self, graph: Graph, reader_of: Callable[[int], Reader], message: SegmentMessage) -> None:
        """`reader_of` gives the reader of a node."""
        self.table = graph.table
        self.graph = graph
        self.reader_of = reader_of
        self.message = message
        delimiters = message.delimiters
        self.tags = [
            raw.partition(delimiters.element)[0].partition(delimiters.component)[0] for raw in message.segments
        ]
        self.known = {node.tag: index for index, node in reversed(list(enumerate(self.table.nodes)))}
        self.at = Position.at_start(graph, plain=self.table.is_plain)
        self.told = Told()
        self.findings = self.told.findings

    def run(self) -> Checked:
        """Walk to the end, or to where the findings are too many to be of use."""
        nodes: list[int] = []
        for index, raw in enumerate(self.message.segments):
            if self.told.enough():
                self._find("edi.message.too_many_findings", index, max=MAX_FINDINGS)
                nodes += [-1] * (len(self.message.segments) - index)
                return Checked(nodes, self.findings)
            tag = self.tags[index]
            node = self._place(index, tag)
            nodes.append(node)
            if tag in self.known:
                read = self.reader_of(node if node >= 0 else self.known[tag])
                if not read.accepts(raw):
                    self.told.explain(read, raw, self._at(index))
        self._missing(self._lacking(), len(nodes))
        self._close(None, len(nodes))
        return Checked(nodes, self.findings)

    def _place(self, index: int, tag: str) -> int:
        """The node of segment `index`, or -1; moves on to it."""
        candidates = self.graph.by_tag(self.at.state).get(tag, ())
        clean = self._clean(self.at, index, candidates)
        if clean:
            return self._take(clean, index)
        if tag not in self.known:
            is_tag = self.table.syntax is not Syntax.X12 or _X12_TAG.fullmatch(tag)
            self._find("edi.segment.unknown" if is_tag else "x12.segment.identifier", index)
            return -1
        if self.at.taken is not None and (unfit := self._maybe_unfit(index, candidates)):
            return self._take(unfit, index)
        fitting = candidates if self.at.taken is None else self._fitting(index, candidates) or candidates
        full = self._full(fitting)
        if full and self._told(full[0]):
            # A run over its maximum was told once; it may be long, so it is not judged again.
            return self._take(full[0], index)
        options = [*full, *self._behind(fitting), *self._untriggered(tag)]
        best, chosen = self._score(self.at, index + 1), None
        for option in options:
            # A tie goes to the first option, but staying put wins over a group that did not begin.
            score = self._score(self.at.after(option), index + 1)
            if score > best or (score == best and chosen is None and option in fitting):
                best, chosen = score, option
        if chosen is None:
            self._find("edi.segment.misplaced", index)
            return -1
        self._missing(chosen.skipped, index)
        self._count(chosen, index)
        return self._take(chosen, index)

    def _clean(self, at: Position, index: int, candidates: Sequence[Candidate]) -> Candidate | None:
        return at.clean(candidates, self.message.segments[index], self.message.delimiters)

    def _take(self, candidate: Candidate, index: int) -> int:
        """Move on to `candidate`, once what it closes was judged."""
        self._close(candidate, index)
        self._unused(candidate, index)
        self.at.take(candidate)
        return candidate.node

    def _maybe_unfit(self, index: int, candidates: Sequence[Candidate]) -> Candidate | None:
        """By a guide: where a segment has its place by its tag, and is not used there or has a qualifier of no kind."""
        open_ = [c for c in candidates if not c.skipped and self.at.room(c)]
        fitting = self._fitting(index, [c for c in candidates if not c.skipped])
        if fitting and not any(c in open_ for c in fitting):
            return None  # its own place is full, which another kind's is not for
        return next(iter([c for c in fitting if c in open_] or open_), None)

    def _unused(self, candidate: Candidate, index: int) -> None:
        """Tell that a guide does not use a segment, or a group that it opens, at the place where it stands."""
        if self.at.is_used(candidate):
            return
        group = next((g for g in candidate.opens if not self.table.groups[g].used), None)
        if group is None:
            self._find("edi.segment.not_used", index)
        else:
            self._find("edi.group.not_used", index, group=self.table.groups[group].name)

    def _fitting(self, index: int, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those of the candidates whose definition a segment is of."""
        raw, delimiters = self.message.segments[index], self.message.delimiters
        return [candidate for candidate in candidates if self.at.is_fitting(candidate, raw, delimiters)]

    def _full(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The nearest place without room; of a group that is full, the group and not its trigger."""
        full = [c for c in candidates if not c.skipped and not self.at.room(c)]
        return [c for c in full if c.how == AGAIN and c.node == self.at.state][:1] or full[:1]

    def _told(self, full: Candidate) -> bool:
        """Whether the maximum was passed before."""
        return self.at.so_far(full) > full.limit

    def _behind(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        return [c for c in candidates if c.skipped][:1]

    def _untriggered(self, tag: str) -> list[Candidate]:
        """Places for `tag` in groups that could begin here, had their trigger been sent."""
        found: list[Candidate] = []
        for opened in self.graph.candidates(self.at.state):
            if opened.how != ENTER or opened.skipped:
                continue
            inner = opened.opens[-1]
            skipped: list[Member] = [("segment", opened.node)]
            for member in self.graph.members[inner][1:]:
                kind, index = member
                if kind == "segment" and self.table.nodes[index].tag == tag:
                    found.append(Candidate(index, ENTER, opened.group, opened.limit, tuple(skipped), opened.opens))
                    break
                if self.graph.minimum(member) and not self.graph.choice(member):
                    skipped.append(member)
        return found

    def _score(self, at: Position, start: int) -> int:
        """How many of the next segments find a clean place from `at`."""
        score = 0
        for index, tag in enumerate(self.tags[start : start + _LOOK_AHEAD], start):
            clean = self._clean(at, index, self.graph.by_tag(at.state).get(tag, ()))
            if clean:
                at = at.after(clean)
                score += 1
        return score

    def _lacking(self) -> list[Member]:
        """What is missing at the end; a missing trailer is the parser's to tell."""
        trailer = ("segment", len(self.table.nodes) - 1)
        return [member for member in self.graph.lacking(self.at.state) if member != trailer]

    def _missing(self, skipped: Iterable[Member], index: int) -> None:
        for kind, member in skipped:
            if kind == "segment":
                self._find("edi.segment.missing", index, self.table.nodes[member].tag)
            else:
                group = self.table.groups[member]
                self._find("edi.group.missing", index, self.table.nodes[group.trigger].tag, group=group.name)

    def _close(self, candidate: Candidate | None, index: int) -> None:
        """Tell what there is too little of when `candidate` is taken, and the notes that are broken of groups that end."""
        if self.at.taken is None:
            return
        for member, count, least in self.at.shortfalls(candidate):
            if not count:
                self._missing([member], index)
            elif member[0] == "segment":
                tag = self.table.nodes[member[1]].tag
                self._find("edi.segment.too_few", index, tag, count=count, min=least)
            else:
                group = self.table.groups[member[1]]
                tag = self.table.nodes[group.trigger].tag
                self._find("edi.group.too_few", index, tag, group=group.name, count=count, min=least)
        for group_ in self.at.closed_by(candidate):
            members = self.graph.members[group_]
            for note, excess in self.at.broken_notes(group_):
                code = "edi.note.segments_excluded" if excess else "edi.note.segments_required"
                tags = self._tags(members, note)
                self._find(code, index, self._tag(members, note), note=str(note), tags=tags)

    def _tag(self, members: Sequence[Member], note: Note) -> str:
        """The tag to name for a broken note: of the first that it speaks of."""
        kind, at = members[note.positions[0] - 1]
        return self.table.nodes[at if kind == "segment" else self.table.groups[at].trigger].tag

    def _tags(self, members: Sequence[Member], note: Note) -> str:
        """What a note speaks of: segments by their tag, groups by their name."""
        named = [members[position - 1] for position in note.positions]
        return ", ".join(
            self.table.nodes[at].tag if kind == "segment" else self.table.groups[at].name for kind, at in named
        )

    def _count(self, chosen: Candidate, index: int) -> None:
        """Report the first occurrence over the maximum, not each one after it."""
        if self.at.so_far(chosen) != chosen.limit:
            return
        if chosen.opens and (chosen.how == AGAIN or self.at.taken is not None):
            self._find("edi.group.too_many", index, group=self.table.groups[chosen.group].name, max=chosen.limit)
        elif chosen.how == REPEAT or (self.at.taken is not None and not chosen.opens):
            self._find("edi.segment.too_many", index, max=chosen.limit)

    def _at(self, index: int, tag: str = "") -> Place:
        return Place(self.message.reference, index + 1, tag or self.tags[index])

    def _find(self, code: str, index: int, tag: str = "", **args: object) -> None:
        self.findings.append(make_finding(code, self._at(index, tag), "", **args))
