"""Checks a message against its table: the walk over its segments, for both EDI dialects.

Theory of operation. A table is a list of nodes in wire order, nested in groups. Where the walk stands is
the last node that a segment was given, how often in a row it has been, and how often each open group
has begun. From there a tag can lead to a few candidates, nearest first: the same node again, a node
or group further on in the same group, the group again, and so on in the groups around it. The first
candidate that has room left and skips nothing mandatory is taken. That the triggers of two groups
are the same tag (CUSDEC: DOC, MOA, NAD; two UNS) is no trouble: the nearest one with room wins.

`check` walks once with transitions compiled per table and delimiters. A segment whose shape is known is checked by
looking at the few places of it that shapes leave open (see `shapes`), any other by one regular expression. Segments
that are not accepted are read by the thorough reader; where the walk finds no clean candidate, the whole message is
walked again by `_Walk`, which names what is missing, misplaced or too many and goes on behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from gateway.catalogue import Catalogue
from gateway.check.graph import AGAIN, ENTER, NEXT, REPEAT, Candidate, graph_of
from gateway.check.segment import Reader, reader
from gateway.check.shapes import UNKNOWN, Known, Shapes
from gateway.check.tables import Node, Table, service
from gateway.findings import make_finding
from gateway.model import Finding, Place, Severity, Syntax
from gateway.parse.segments import Delimiters, SegmentMessage, join, split

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

    `nodes[i]` is the index in `table.nodes` of segment i, or -1 where it has no place.
    """

    nodes: list[int]
    findings: list[Finding]


def check(message: SegmentMessage, table: Table) -> Checked:
    """Structure, types, lengths and codes of `message` against `table`: all findings at once, in segment order."""
    compiled = _compiled(table, message.delimiters, message.envelope.version)
    if message.segments[1:2] and message.segments[1].startswith("USH") and message.envelope.version == "4":
        return _check_secured(message, compiled)
    return compiled.check(message)


def _check_secured(message: SegmentMessage, compiled: _Compiled) -> Checked:
    """As `check`, for a message with security segments after UNH and before UNT (ISO 9735-5), which no table has."""
    secured = [index for index, raw in enumerate(message.segments) if raw.startswith(_SECURITY)]
    others = [index for index in range(len(message.segments)) if index not in set(secured)]
    checked = compiled.check(replace(message, segments=[message.segments[index] for index in others]))
    nodes = [-1] * len(message.segments)
    for index, node in zip(others, checked.nodes, strict=True):
        nodes[index] = node
    findings = [
        replace(f, place=replace(f.place, segment=others[f.place.segment - 1] + 1)) if f.place.segment else f
        for f in checked.findings
    ]
    place = Place(message.reference, secured[0] + 1, message.segments[secured[0]][:3])
    return Checked(nodes, [make_finding("edi.security.unchecked", place), *findings])


def check_hierarchy(message: SegmentMessage) -> list[Finding]:
    """The faults of an X12 set's HL segments: each has a number of its own, and a parent that stands before it."""
    known, found, element = set[str](), list[Finding](), message.delimiters.element
    for position, raw in enumerate(message.segments, 1):
        if not raw.startswith("HL" + element) or len(found) >= MAX_FINDINGS:
            continue
        identifier, parent = [*raw.split(element), "", ""][1:3]
        place = Place(message.reference, position, "HL", 1)
        if identifier in known:
            found.append(make_finding("x12.hl.repeated", place, identifier, number="628"))
        if parent and parent not in known:
            found.append(make_finding("x12.hl.parent", replace(place, element=2), parent, number="734"))
        known.add(identifier)
    return found


def check_service(
    catalogue: Catalogue, segment: Sequence[Sequence[str]], delimiters: Delimiters, version: str
) -> list[Finding]:
    """The findings of an EDIFACT service segment, split (UNB, UNG, UNE, UNZ), in syntax version `version`."""
    tag = segment[0][0] if segment and segment[0] else ""
    node = service(catalogue, version).get(tag)
    if node is None:
        return []
    read = _reader(node, delimiters, version == _EXPONENTS)
    raw = join(segment, delimiters)
    return [] if read.accepts(raw) else read.explain(raw, Place("", 0, tag))


def check_ends(catalogue: Catalogue, message: SegmentMessage) -> list[Finding]:
    """The findings of a message for which no table is there: of UNH and UNT (UNO and UNP), or of HL in X12."""
    if message.type.syntax is not Syntax.EDIFACT:
        return check_hierarchy(message)
    ends = [(1, message.segments[0]), (len(message.segments), message.segments[-1])]
    return [
        replace(fault, place=replace(fault.place, message=message.reference, segment=position))
        for position, raw in ends[: len(message.segments)]
        for fault in check_service(
            catalogue, split(raw, message.delimiters), message.delimiters, message.envelope.version
        )
        if fault.place.tag in _ENDS
    ]


_SECURITY = ("USA", "USB", "USC", "USD", "USE", "USF", "USH", "USL", "USR", "UST", "USU", "USX", "USY")
"""The segments of ISO 9735-5, 6 and 9 that secure a message."""
_EXPONENTS = "4"
"""The syntax version of EDIFACT in which numbers may have an exponent (ISO 9735-1:1998, 10)."""
_ENDS = frozenset({"UNH", "UNT", "UNO", "UNP"})
"""The service segments of a message's own."""


# Delimiters come from the wire: the caches are bounded, since anyone may send any.
@lru_cache(maxsize=64)
def _compiled(table: Table, delimiters: Delimiters, version: str) -> _Compiled:
    if table.syntax is Syntax.EDIFACT and version:
        table = _in_syntax(table, "4" if version == "4" else "3")
    return _Compiled(table, delimiters, exponents=version == _EXPONENTS)


@lru_cache(maxsize=256)
def _in_syntax(table: Table, version: str) -> Table:
    """`table` with UNH, UNT and UNS as the syntax version has them, whatever directory it is from."""
    own = table.frames.get(version, {})
    changed = [own.get(node.tag, node) for node in table.nodes]
    nodes = [replace(n, elements=as_.elements, notes=as_.notes) for n, as_ in zip(table.nodes, changed, strict=True)]
    return replace(table, nodes=tuple(nodes))


@lru_cache(maxsize=256)
def _reader(node: Node, delimiters: Delimiters, exponents: bool) -> Reader:
    return reader(node, delimiters, exponents=exponents)


_Step = tuple[int, int, int, int, Known, Any]
"""node, how, group, limit, known shapes, other step: a plain tuple, since it is unpacked per segment."""


class _Steps(dict[str, _Step]):
    """The clean steps after one state, worked out at the first segment that comes there."""

    def __init__(self, compiled: _Compiled, state: int) -> None:
        super().__init__()
        self._load: Callable[[], dict[str, _Step]] | None = lambda: compiled.steps(state)

    def __missing__(self, key: str) -> _Step:
        if self._load:
            self.update(self._load())
            self._load = None
            return self[key]
        raise KeyError(key)


class _Compiled:
    """A table's transitions and readers under one set of delimiters."""

    def __init__(self, table: Table, delimiters: Delimiters, *, exponents: bool) -> None:
        self.table = table
        self.delimiters = delimiters
        self.exponents = exponents
        self.graph = graph_of(table)
        self.readers: dict[str, Reader] = {}
        self.shapes = Shapes(delimiters)
        self.states = [_Steps(self, state) for state in (*range(len(table.nodes)), -1)]
        """Per node (the last: before the first segment), the steps by the first three characters of a segment."""
        self.complete = [not self.graph.lacking(node) for node in range(len(table.nodes))]

    def reader(self, node: int) -> Reader:
        """The reader of a node, compiled when first asked for; nodes of one tag share it."""
        tag = self.table.nodes[node].tag
        if tag not in self.readers:
            self.readers[tag] = reader(self.table.nodes[node], self.delimiters, exponents=self.exponents)
        return self.readers[tag]

    def steps(self, state: int) -> dict[str, _Step]:
        """The clean steps after `state`, by key: three characters tell every tag apart (`N1*`, `N10`)."""
        steps: dict[str, _Step] = {}
        for tag, candidates in self.graph.by_tag(state).items():
            step: _Step | None = None
            for c in reversed([c for c in candidates if not c.skipped]):
                step = (c.node, c.how, c.group, c.limit, self.shapes.known(tag), step)
            if step:
                steps[tag[:3]] = step
                if len(tag) < 3:
                    steps[(tag + self.delimiters.element)[:3]] = step
        return steps

    def check(self, message: SegmentMessage) -> Checked:
        """The fast walk; what it does not accept is read again."""
        suspects: list[int] = []
        nodes = self._walk(message.segments, suspects)
        if nodes is None:
            return _Walk(self, message).run()
        told = _Told()
        for index in suspects:
            if told.enough():
                place = Place(message.reference, index + 1)
                told.findings.append(make_finding("edi.message.too_many_findings", place, max=MAX_FINDINGS))
                break
            raw, read = message.segments[index], self.reader(nodes[index])
            told.explain(read, raw, Place(message.reference, index + 1, read.tag))
        return Checked(nodes, told.findings)

    def _walk(self, segments: Sequence[str], suspects: list[int]) -> list[int] | None:
        """The node of each segment, or None where there is no clean way; adds segments not accepted to `suspects`."""
        states, learn, element = self.states, self.shapes.learn, self.delimiters.element
        nodes: list[int] = []
        give = nodes.append
        begun = [0] * len(self.table.groups)
        state, run = -1, 0
        try:
            for raw, shape in zip(segments, self.shapes.of(segments), strict=True):
                step = states[state][raw[:3]]
                while True:
                    node, how, group, limit, known, other = step
                    if how == NEXT:
                        run = 1
                    elif how == ENTER:
                        begun[group] = run = 1
                    elif how == REPEAT:
                        if run >= limit:
                            if other is None:
                                return None
                            step = other
                            continue
                        run += 1
                    else:
                        if begun[group] >= limit:
                            if other is None:
                                return None
                            step = other
                            continue
                        begun[group] += 1
                        run = 1
                    break
                for piece, allowed in known.get(shape, UNKNOWN):
                    if raw[piece] not in allowed:
                        read = self.reader(node)
                        if read.accepts(raw):
                            learn(known, read, raw, shape)
                        elif raw[: len(read.tag) + 1] in (read.tag, read.tag + element):
                            suspects.append(len(nodes))
                        else:
                            return None
                        break
                give(node)
                state = node
        except KeyError:
            return None  # no step for the tag
        return nodes if nodes and self.complete[state] else None


class _Told:
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


@dataclass(slots=True)
class _Position:
    """Where the walk stands: the last node given, its run, and how often each group has begun."""

    state: int
    run: int
    begun: list[int]

    def after(self, candidate: Candidate) -> _Position:
        """The position once `candidate` is taken."""
        begun = self.begun.copy()
        run = self.run + 1 if candidate.how == REPEAT else 1
        if candidate.how == ENTER:
            begun[candidate.group] = 1
        elif candidate.how == AGAIN:
            begun[candidate.group] += 1
        return _Position(candidate.node, run, begun)

    def room(self, candidate: Candidate) -> bool:
        """Whether `candidate` stays within its maximum."""
        if candidate.how == REPEAT:
            return self.run < candidate.limit
        return candidate.how != AGAIN or self.begun[candidate.group] < candidate.limit


class _Walk:
    """The thorough walk: gives every segment it can a node, and names what stands in the way of the others."""

    def __init__(self, compiled: _Compiled, message: SegmentMessage) -> None:
        self.compiled = compiled
        self.table = compiled.table
        self.graph = compiled.graph
        self.message = message
        element = message.delimiters.element
        self.tags = [raw.partition(element)[0].partition(message.delimiters.component)[0] for raw in message.segments]
        self.known = {node.tag: index for index, node in reversed(list(enumerate(self.table.nodes)))}
        self.at = _Position(-1, 0, [0] * len(self.table.groups))
        self.told = _Told()
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
                read = self.compiled.reader(self.known[tag])
                if not read.accepts(raw):
                    self.told.explain(read, raw, self._at(index))
        self._missing(self._lacking(), len(nodes))
        return Checked(nodes, self.findings)

    def _place(self, index: int, tag: str) -> int:
        """The node of segment `index`, or -1; moves on to it."""
        candidates = self.graph.by_tag(self.at.state).get(tag, ())
        clean = next((c for c in candidates if not c.skipped and self.at.room(c)), None)
        if clean:
            self.at = self.at.after(clean)
            return clean.node
        if tag not in self.known:
            is_tag = self.table.syntax is not Syntax.X12 or _X12_TAG.fullmatch(tag)
            self._find("edi.segment.unknown" if is_tag else "x12.segment.identifier", index)
            return -1
        full = self._full(candidates)
        if full and self._told(full[0]):
            # A run over its maximum was told once; it may be long, so it is not judged again.
            self.at = self.at.after(full[0])
            return full[0].node
        options = [*full, *self._behind(candidates), *self._untriggered(tag)]
        best, chosen = self._score(self.at, index + 1), None
        for option in options:
            # A tie goes to the first option, but staying put wins over a group that did not begin.
            score = self._score(self.at.after(option), index + 1)
            if score > best or (score == best and chosen is None and option in candidates):
                best, chosen = score, option
        if chosen is None:
            self._find("edi.segment.misplaced", index)
            return -1
        self._missing(chosen.skipped, index)
        self._count(chosen, index)
        self.at = self.at.after(chosen)
        return chosen.node

    def _full(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The nearest place without room; of a group that is full, the group and not its trigger."""
        full = [c for c in candidates if not c.skipped and not self.at.room(c)]
        return [c for c in full if c.how == AGAIN and c.node == self.at.state][:1] or full[:1]

    def _told(self, full: Candidate) -> bool:
        """Whether the maximum was passed before."""
        return (self.at.run if full.how == REPEAT else self.at.begun[full.group]) > full.limit

    def _behind(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        return [c for c in candidates if c.skipped][:1]

    def _untriggered(self, tag: str) -> list[Candidate]:
        """Places for `tag` in groups that could begin here, had their trigger been sent."""
        found: list[Candidate] = []
        for opened in self.graph.candidates(self.at.state):
            if opened.how != ENTER or opened.skipped:
                continue
            skipped = [("segment", opened.node)]
            for kind, member in self.graph.members[opened.group][1:]:
                if kind == "segment" and self.table.nodes[member].tag == tag:
                    found.append(Candidate(member, ENTER, opened.group, opened.limit, tuple(skipped)))
                    break
                if self._minimum(kind, member):
                    skipped.append((kind, member))
        return found

    def _minimum(self, kind: str, member: int) -> int:
        return (self.table.nodes if kind == "segment" else self.table.groups)[member].minimum

    def _score(self, at: _Position, start: int) -> int:
        """How many of the next segments find a clean place from `at`."""
        score = 0
        for tag in self.tags[start : start + _LOOK_AHEAD]:
            candidates = self.graph.by_tag(at.state).get(tag, ())
            clean = next((c for c in candidates if not c.skipped and at.room(c)), None)
            if clean:
                at = at.after(clean)
                score += 1
        return score

    def _lacking(self) -> list[tuple[str, int]]:
        """What is missing at the end; a missing trailer is the parser's to tell."""
        trailer = ("segment", len(self.table.nodes) - 1)
        return [member for member in self.graph.lacking(self.at.state) if member != trailer]

    def _missing(self, skipped: Sequence[tuple[str, int]], index: int) -> None:
        for kind, member in skipped:
            if kind == "segment":
                self._find("edi.segment.missing", index, self.table.nodes[member].tag)
            else:
                group = self.table.groups[member]
                self._find("edi.group.missing", index, self.table.nodes[group.trigger].tag, group=group.name)

    def _count(self, chosen: Candidate, index: int) -> None:
        """Report the first occurrence over the maximum, not each one after it."""
        if chosen.how == REPEAT and self.at.run == chosen.limit:
            self._find("edi.segment.too_many", index, max=chosen.limit)
        elif chosen.how == AGAIN and self.at.begun[chosen.group] == chosen.limit:
            self._find("edi.group.too_many", index, group=self.table.groups[chosen.group].name, max=chosen.limit)

    def _at(self, index: int, tag: str = "") -> Place:
        return Place(self.message.reference, index + 1, tag or self.tags[index])

    def _find(self, code: str, index: int, tag: str = "", **args: object) -> None:
        self.findings.append(make_finding(code, self._at(index, tag), "", **args))
