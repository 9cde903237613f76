"""Judges the receipt log as it is stored, page by page: every receipt, node and checkpoint against all others.

Two trees grow side by side, as in `audit`: one of the stored leaves, one of what the stored receipts hash to.
A checkpoint says which of the two was signed, so that a changed receipt is told from a changed leaf. Where it
says neither, the stored nodes above are asked: if they lead to what was signed, the trees go on from them, and
what was rewritten is named; if not, the first commit that was not signed so is named, and only once.

A place from which a later process may go on is a checkpoint's size: the nodes that are read back then are
judged by its signature.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.errors import ReceiptInvalid
from gateway.receipt import chain
from gateway.receipt.anchor import generation, is_name_of
from gateway.receipt.chain import Frontier, GetNode, Node
from gateway.receipt.problems import Problem
from gateway.receipt.signed import Checkpoint, Verifier, bounded

MOST_FAULTS: Final = 1000
"""Faults that are named; a log with more is looked at by people."""

_SUBJECT: Final = {"received": "payload", "checked": "message"}
"""The field that names what a receipt is about; of the other stages it is the delivery."""


@dataclass(frozen=True, slots=True)
class Row:
    """A stored receipt."""

    index: int
    stage: str
    subject_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A stored checkpoint: the size and the log's name it is kept under, and the signed note."""

    size: int
    origin: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """What is stored about the entries `begin` to `end` - 1, each sequence in order; what is not stored is not there."""

    begin: int
    end: int
    rows: Sequence[Row] = ()
    nodes: Mapping[Node, bytes] = field(default_factory=dict)
    """The nodes that the entry `begin` or one after it completes, leaves included."""
    notes: Sequence[Note] = ()
    """The checkpoints of more than `begin` and at most `end` entries."""


@dataclass(frozen=True, slots=True)
class End:
    """What is stored about the log's end."""

    size: int
    """Entries in the log, as its state says."""
    origin: str
    frontier: Frontier | None
    """The tree's right edge as its state says; None where the state is damaged."""
    newest: int
    """Entries under the newest checkpoint, and the log's name in it."""
    newest_origin: str
    last: int
    """The highest index of a receipt, -1 where there is none."""


class StoredLog:
    """What the stored log has shown so far; `size` entries of it were looked at."""

    def __init__(self, verifier: Verifier) -> None:
        """`verifier` holds the log's key, under whichever name."""
        self.problems: list[Problem] = []
        self.size = 0
        self.proven = 0
        """Entries that a checkpoint was found to vouch for: from here another process may go on."""
        self._verifier = verifier
        self._given = Frontier()
        self._computed = Frontier()
        self._judged = 0
        self._origin = ""
        self._whole = True
        self._differing: list[int] = []
        """Entries since the last checkpoint whose receipt does not hash to its leaf."""
        self._odd: dict[Node, bool] = {}
        """Nodes since the last checkpoint that neither tree has; whether they are stored at all."""

    def resume(self, note: Note, get_node: GetNode) -> bool:
        """Begin behind the entries of a checkpoint; False, and begin at the first entry, where it does not vouch for them.

        `get_node` gives the stored nodes that `chain.root_nodes` lists; KeyError where one is missing.
        """
        try:
            head = self._head(note)
            frontier = chain.frontier(note.size, get_node)
        except (KeyError, ReceiptInvalid):
            return False
        if head.size != note.size or head.root != frontier.root():
            return False
        self._given, self._computed = frontier, frontier.copy()
        self.size = self.proven = self._judged = head.size
        self._origin = head.origin
        return True

    @property
    def full(self) -> bool:
        """Whether so much is wrong that no more is looked at."""
        return len(self.problems) + len(self._differing) + len(self._odd) >= MOST_FAULTS

    def take(self, page: Page, get_node: GetNode) -> None:
        """Judge the next page; `get_node` gives nodes of pages before, where a checkpoint contradicts both trees."""
        rows = {row.index: row for row in page.rows}
        notes = {note.size: note for note in page.notes}
        for index in range(page.begin, page.end):
            self._take_entry(index, rows.get(index), page.nodes)
            self.size = index + 1
            if self.size in notes:
                self._judge(notes[self.size], get_node)

    def close(self, end: End) -> None:
        """Judge what only the end shows, once all entries were looked at."""
        if self._differing or self._odd:  # no checkpoint says which of the two was signed
            self._tell("receipt.stored.changed")
        if end.frontier is None or (self._whole and self._judged == end.size and end.frontier != self._given):
            self._add("receipt.stored.state", size=str(end.size))
        if end.newest != end.size:
            self._add("receipt.stored.newest", size=str(end.size), before=str(end.newest))
        if end.last >= end.size:
            self._add("receipt.stored.beyond", end.last, size=str(end.size))
        if end.newest and end.origin != end.newest_origin:
            self._add("receipt.stored.name", found=end.origin, expected=end.newest_origin)

    def require(self, note: str, get_node: GetNode) -> None:
        """Judge what was seen to its end by a checkpoint that is kept outside of the store: the log must begin with it.

        One of a name that the log had before binds nobody under the present one.
        """
        try:
            head = self._head(Note(0, note.partition("\n")[0], note))
        except ReceiptInvalid:
            self._add("receipt.stored.anchor_foreign")
            return
        if self._origin and generation(head.origin) < generation(self._origin):
            return
        if head.size > self.size or _frontier(head, get_node) is None:
            self._add("receipt.stored.anchored", size=str(head.size), before=str(self.size))

    def _take_entry(self, index: int, row: Row | None, nodes: Mapping[Node, bytes]) -> None:
        given = nodes.get((0, index))
        computed = chain.leaf_hash(row.body) if row is not None else None
        if row is None:
            self._add("receipt.stored.missing", index)
        elif given in {None, computed} and not _is_indexed(row):
            self._add("receipt.stored.row", index)
        if given is None:
            self._add("receipt.stored.node_missing", index, first=str(index), last=str(index), level="0")
        elif computed is not None and given != computed:
            self._differing.append(index)
        # Where one is missing the other stands in; where both are, what was signed is found above them.
        leaf = next((one for one in (given, computed) if one is not None), bytes(chain.HASH_SIZE))
        expected = {(level, at): value for level, at, value in self._given.append([leaf]) if level}
        others = {(level, at): value for level, at, value in self._computed.append([computed or leaf]) if level}
        if not self._whole:
            return  # nothing above the entries is what these trees make it
        for node, value in expected.items():
            stored = nodes.get(node)
            if stored not in {value, others[node]}:
                self._odd[node] = stored is not None

    def _judge(self, note: Note, get_node: GetNode) -> None:
        """What the checkpoint says about the entries since the one before."""
        try:
            head = self._head(note)
        except ReceiptInvalid:
            self._add("receipt.stored.checkpoint", size=str(note.size))
            return
        if (
            head.size != note.size
            or head.origin != note.origin
            or (self._origin and not is_name_of(self._origin, head.origin))
        ):
            self._add("receipt.stored.checkpoint", size=str(note.size))
            return
        self._origin = head.origin
        if head.root == self._given.root():
            self._computed = self._given.copy()
            self._tell("receipt.stored.changed")
        elif head.root == self._computed.root():
            self._given = self._computed.copy()
            self._tell("receipt.stored.leaf")
        elif (above := _frontier(head, get_node)) is not None:
            self._given, self._computed = above, above.copy()
            if self._whole:
                for first, last in self._rewritten():
                    self._add("receipt.stored.rewritten", first, last=str(last))
            else:
                self._tell("receipt.stored.changed")
            self._whole = True
        else:
            if self._whole:
                self._add("receipt.stored.forked", self._judged, last=str(head.size - 1), size=str(head.size))
            else:
                self._tell("receipt.stored.changed")
            self._whole = False
        self._differing.clear()
        self._odd.clear()
        self._judged = head.size
        if self._whole:
            self.proven = head.size

    def _tell(self, code: str) -> None:
        """Name the entries whose receipt and leaf differ, and the nodes that are not what their children make."""
        for index in self._differing:
            self._add(code, index)
        for (level, at), stored in self._odd.items():
            first, last = at << level, ((at + 1) << level) - 1
            kind = "receipt.stored.node" if stored else "receipt.stored.node_missing"
            self._add(kind, first, first=str(first), last=str(last), level=str(level))

    def _rewritten(self) -> list[tuple[int, int]]:
        """(first, last) of the entries that are not what the stored nodes above them say, as narrow as these show."""
        lowest = [
            (level, at)
            for level, at in self._odd
            if not any(other < level and position >> (level - other) == at for other, position in self._odd)
        ]
        ranges = [
            (at << level, ((at + 1) << level) - 1) for level, at in sorted(lowest, key=lambda one: one[1] << one[0])
        ]
        return ranges or [(self._judged, self.size - 1)]

    def _head(self, note: Note) -> Checkpoint:
        """The checkpoint in a note, by the log's key under the name it is kept under; ReceiptInvalid where it is none."""
        if not is_name_of(self._verifier.name, note.origin) and not is_name_of(note.origin, self._verifier.name):
            raise ReceiptInvalid("the checkpoint is of another log")
        return self._verifier.renamed(note.origin).checkpoint(note.text)

    def _add(self, code: str, index: int | None = None, **args: str) -> None:
        self.problems.append(Problem(code, index, args=args))


def _frontier(head: Checkpoint, get_node: GetNode) -> Frontier | None:
    """The right edge of the stored tree, where it is what was signed."""
    try:
        stored = chain.frontier(head.size, get_node)
    except KeyError:
        return None
    return stored if stored.root() == head.root else None


def _is_indexed(row: Row) -> bool:
    """Whether a receipt is found by what it says: its stage, and what it is about."""
    try:
        said = json.loads(row.body)
        stage = said["stage"]
    except (ValueError, KeyError, TypeError):
        return True  # the leaf's hash judges it
    subject = said.get(_SUBJECT.get(stage, "delivery"), row.subject_id)
    return bool(row.stage == stage and subject in {row.subject_id, bounded(row.subject_id)})
