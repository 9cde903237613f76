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
walked again by `Walk`, which names what is missing, misplaced or too many and goes on behind it.

By a guide, where a segment stands depends on its values as well, and what stands there is counted: such tables are
walked with `Position`, which the thorough walk goes by too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from gateway.catalogue import Catalogue
from gateway.check import numbering
from gateway.check.graph import ENTER, NEXT, REPEAT, Position, graph_of
from gateway.check.nodes import Node, Table
from gateway.check.segment import Reader, reader
from gateway.check.shapes import UNKNOWN, Known, Shapes
from gateway.check.tables import SECURITY, service
from gateway.check.walk import MAX_FINDINGS, Checked, Told, Walk
from gateway.findings import make_finding
from gateway.model import Finding, Place, Syntax
from gateway.parse.segments import Delimiters, SegmentMessage, join, split


def check(message: SegmentMessage, table: Table) -> Checked:
    """Structure, types, lengths and codes of `message` against `table`: all findings at once, in segment order.

    By a guide, the nodes are those of the table that it narrows.
    """
    if message.segments and message.segments[0].startswith(_DIALOGUE_HEADER):
        table = _in_dialogue(table)
    compiled = _compiled(table, message.delimiters, message.envelope.version)
    if compiled.may_be_secured and message.segments[1:2] and message.segments[1].startswith(_SECURITY_HEADER):
        return _check_secured(message, compiled)
    return compiled.check(message)


def _check_secured(message: SegmentMessage, compiled: _Compiled) -> Checked:
    """As `check`, for a message with security segments after UNH and before UNT (ISO 9735-5), which no table has."""
    secured = [index for index, raw in enumerate(message.segments) if raw.startswith(SECURITY)]
    others = [index for index in range(len(message.segments)) if index not in set(secured)]
    checked = compiled.check(replace(message, segments=[message.segments[index] for index in others]))
    nodes = [-1] * len(message.segments)
    for index, node in zip(others, checked.nodes, strict=True):
        nodes[index] = node
    findings = [
        replace(f, place=replace(f.place, segment=others[f.place.segment - 1] + 1)) if f.place.segment else f
        for f in checked.findings
    ]
    for index in secured:
        frame = compiled.table.frames["4"].get(message.segments[index][:3])
        read = _reader(frame, message.delimiters, exponents=True) if frame is not None else None
        if read is not None and not read.accepts(message.segments[index]):
            place = Place(message.reference, index + 1, read.tag)
            findings += read.explain(message.segments[index], place, max(MAX_FINDINGS - len(findings), 0))
    place = Place(message.reference, secured[0] + 1, message.segments[secured[0]][:3])
    findings.append(make_finding("edi.security.unchecked", place))
    return Checked(nodes, sorted(findings, key=lambda finding: finding.place.segment or 0))


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
        return numbering.check_hierarchy(message)
    ends = [(1, message.segments[0]), (len(message.segments), message.segments[-1])]
    return [
        replace(fault, place=replace(fault.place, message=message.reference, segment=position))
        for position, raw in ends[: len(message.segments)]
        for fault in check_service(
            catalogue, split(raw, message.delimiters), message.delimiters, message.envelope.version
        )
        if fault.place.tag in _ENDS
    ]


_SECURITY_HEADER = "USH"
_DIALOGUE_HEADER = "UIH"
"""What opens a message of an interactive interchange (ISO 9735-3)."""
_IN_DIALOGUE = {"UNH": "UIH", "UNT": "UIT"}
_EXPONENTS = "4"
"""The syntax version of EDIFACT in which numbers may have an exponent (ISO 9735-1:1998, 10)."""
_ENDS = frozenset({"UNH", "UNT", "UNO", "UNP", "UIH", "UIT"})
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
    # What a guide says of them goes before.
    changed = [node if node.definition else own.get(node.tag, node) for node in table.nodes]
    nodes = [replace(n, elements=as_.elements, notes=as_.notes) for n, as_ in zip(table.nodes, changed, strict=True)]
    return replace(table, nodes=tuple(nodes))


@lru_cache(maxsize=64)
def _in_dialogue(table: Table) -> Table:
    """`table` between UIH and UIT, as an interactive interchange has its messages."""
    own = table.frames.get("4", {})
    frame = {tag: own[other] for tag, other in _IN_DIALOGUE.items() if other in own}
    nodes = [
        replace(n, tag=f.tag, elements=f.elements, notes=f.notes) if (f := frame.get(n.tag)) else n for n in table.nodes
    ]
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
        self.is_plain = table.is_plain
        tags = {node.tag for node in table.nodes}
        self.has_hierarchy, self.may_be_secured = numbering.HIERARCHY in tags, False
        if table.syntax is Syntax.EDIFACT:
            self.has_hierarchy, self.may_be_secured = False, exponents and _SECURITY_HEADER not in tags

    def reader(self, node: int) -> Reader:
        """The reader of a node, compiled when first asked for; nodes of one definition share it."""
        name = self.table.nodes[node].defined_as
        if name not in self.readers:
            self.readers[name] = reader(self.table.nodes[node], self.delimiters, exponents=self.exponents)
        return self.readers[name]

    def steps(self, state: int) -> dict[str, _Step]:
        """The clean steps after `state`, by key: three characters tell every tag apart (`N1*`, `N10`)."""
        steps: dict[str, _Step] = {}
        for tag, candidates in self.graph.by_tag(state).items():
            step: _Step | None = None
            for c in reversed([c for c in candidates if not c.skipped]):
                known = self.shapes.known(self.table.nodes[c.node].defined_as)
                step = (c.node, c.how, c.group, c.limit, known, step)
            if step:
                steps[tag[:3]] = step
                if len(tag) < 3:
                    steps[(tag + self.delimiters.element)[:3]] = step
        return steps

    def check(self, message: SegmentMessage) -> Checked:
        """The fast walk, what it does not accept read again, and the numbers that X12 orders segments by."""
        checked = self._checked(message)
        more: list[Finding] = []
        if self.has_hierarchy:
            counted = numbering.HIERARCHY in self.table.numbering
            more += numbering.check_hierarchy(message, counted=counted)
        if numbering.LINES in self.table.numbering:
            more += numbering.check_lines(message, self.table, checked.nodes)
        if more:
            findings = sorted([*checked.findings, *more], key=lambda finding: finding.place.segment or 0)
            checked = replace(checked, findings=findings[:MAX_FINDINGS])
        if self.table.base is not None:
            bases = self.table.bases
            checked = replace(checked, nodes=[bases[node] if node >= 0 else node for node in checked.nodes])
        return checked

    def _checked(self, message: SegmentMessage) -> Checked:
        suspects: list[int] = []
        walk = self._walk if self.is_plain else self._walk_counting
        nodes = walk(message.segments, suspects)
        if nodes is None:
            return Walk(self.graph, self.reader, message).run()
        told = Told()
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
        states = self.states
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
                looks = known.get(shape)
                if looks is None and known.accepts is not None and known.accepts(raw):
                    known.miss()
                else:
                    for piece, allowed in UNKNOWN if looks is None else looks:
                        if raw[piece] not in allowed:
                            right = self._judge(node, raw, shape, known)
                            if right is None:
                                return None
                            if not right:
                                suspects.append(len(nodes))
                            break
                give(node)
                state = node
        except KeyError:
            return None  # no step for the tag
        return nodes if nodes and self.graph.is_complete(state) else None

    def _judge(self, node: int, raw: str, shape: bytes, known: Known) -> bool | None:
        """Whether the reader accepts `raw`, whose shape then becomes `known`; None where its tag is not the node's."""
        read = self.reader(node)
        if read.accepts(raw):
            self.shapes.learn(known, read, raw, shape)
            return True
        tag = read.tag
        return False if raw[: len(tag) + 1] in (tag, tag + self.delimiters.element) else None

    def _walk_counting(self, segments: Sequence[str], suspects: list[int]) -> list[int] | None:
        """As `_walk`, for a table whose places depend on values, or on how often something stands."""
        delimiters, graph = self.delimiters, self.graph
        at = Position.at_start(graph, plain=False)
        nodes: list[int] = []
        for raw, shape in zip(segments, self.shapes.of(segments), strict=True):
            tag = raw.partition(delimiters.element)[0]
            chosen = at.clean(graph.by_tag(at.state).get(tag, ()), raw, delimiters)
            if chosen is None or at.is_broken_by(chosen):
                return None
            at.take(chosen)
            known = self.shapes.known(self.table.nodes[chosen.node].defined_as)
            if any(raw[piece] not in allowed for piece, allowed in known.get(shape, UNKNOWN)):
                right = self._judge(chosen.node, raw, shape, known)
                if right is None:
                    return None
                if not right:
                    suspects.append(len(nodes))
            nodes.append(chosen.node)
        ended = nodes and graph.is_complete(at.state) and not at.is_broken_by(None)
        return nodes if ended else None
