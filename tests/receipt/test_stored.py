"""The stored log, judged page by page (gateway/receipt/stored.py), by a log in memory of which every row can be changed.

What is to be found is worked out by hand from the tree: 21 entries, of which the first eight have a checkpoint each, the
next eight one together, and the last five another.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from gateway.receipt import chain
from gateway.receipt.chain import Frontier, Node, leaf_hash, node_hash
from gateway.receipt.signed import LONGEST_TEXT, Signer, bounded
from gateway.receipt.stored import End, Note, Page, Row, StoredLog

ORIGIN = "gateway.example/receipts"
LATER = f"{ORIGIN}~2"
SIGNER = Signer(ORIGIN, bytes(range(32)))
STRANGER = Signer(ORIGIN, b"s" * 32)
COMMITS = (*range(1, 9), 16, 21)
SIZE = 21
LONG = "s" * (LONGEST_TEXT + 1)
OTHER_HASH = b"x" * 32

Problems = list[tuple[str, int | None, dict[str, str]]]


def row(index: int) -> Row:
    """A receipt of each stage in turn, found by what it says; two are no receipts of ours, which the hash alone judges."""
    stage, names = (("received", "payload"), ("checked", "message"), ("delivered", "delivery"))[index % 3]
    about = LONG if index == 9 else f"s{index}"
    said = {"payload": "another", "stage": stage, names: bounded(about)}
    bodies = {13: b"\xff", 14: b"[1]", 15: b"{}"}
    return Row(index, stage, about, bodies.get(index, json.dumps(said).encode()))


@dataclass
class Stored:
    """A log as it lies in tables, whose rows somebody may change."""

    rows: dict[int, Row] = field(default_factory=dict)
    nodes: dict[Node, bytes] = field(default_factory=dict)
    notes: dict[int, Note] = field(default_factory=dict)
    end: End = field(default_factory=lambda: End(0, "", Frontier(), 0, "", -1))

    def get(self, level: int, index: int) -> bytes:
        return self.nodes[level, index]

    def page(self, begin: int, end: int) -> Page:
        """What is stored about these entries: a node is complete with the last entry that it covers."""
        return Page(
            begin,
            end,
            [one for index, one in sorted(self.rows.items()) if begin <= index < end],
            {(level, at): value for (level, at), value in self.nodes.items() if begin < (at + 1) << level <= end},
            [note for size, note in sorted(self.notes.items()) if begin < size <= end],
        )

    def audit(self, step: int, seen: StoredLog | None = None) -> StoredLog:
        """The whole log, looked at in pages of `step` entries."""
        seen = seen or StoredLog(SIGNER.verifier)
        for begin in range(seen.size, SIZE, step):
            seen.take(self.page(begin, min(begin + step, SIZE)), self.get)
        seen.close(self.end)
        return seen


def whole() -> Stored:
    """The log as it was written."""
    log, frontier = Stored(), Frontier()
    for index in range(SIZE):
        log.rows[index] = row(index)
        for level, at, value in frontier.append([leaf_hash(log.rows[index].body)]):
            log.nodes[level, at] = value
        if index + 1 in COMMITS:
            log.notes[index + 1] = Note(index + 1, ORIGIN, SIGNER.checkpoint(index + 1, frontier.root()))
    log.end = End(SIZE, ORIGIN, frontier, SIZE, ORIGIN, SIZE - 1)
    return log


def found(seen: StoredLog) -> Problems:
    problems = [(one.code.removeprefix("receipt.stored."), one.index, dict(one.args)) for one in seen.problems]
    return sorted(problems, key=str)


Change = Callable[[Stored], object]


def drop(*indexes: int) -> Change:
    return lambda log: [log.rows.pop(index) for index in indexes]


def refile(index: int, **values: str) -> Change:
    return lambda log: log.rows.update({index: replace(log.rows[index], **values)})  # type: ignore[arg-type]


def rewrite(*indexes: int) -> Change:
    return lambda log: [log.rows.update({i: replace(log.rows[i], body=log.rows[i].body + b" ")}) for i in indexes]


def drop_node(*nodes: Node) -> Change:
    return lambda log: [log.nodes.pop(node) for node in nodes]


def set_node(*nodes: Node) -> Change:
    return lambda log: log.nodes.update(dict.fromkeys(nodes, OTHER_HASH))


def forge(index: int, above: int) -> Change:
    """A receipt rewritten with its leaf, and with `above` nodes above it."""

    def change(log: Stored) -> None:
        rewrite(index)(log)
        value = leaf_hash(log.rows[index].body)
        for level in range(above + 1):
            at = index >> level
            if (level, at) not in log.nodes:
                return
            log.nodes[level, at] = value
            sibling = log.nodes.get((level, at ^ 1), b"")
            value = node_hash(sibling, value) if at % 2 else node_hash(value, sibling)

    return change


def note(size: int, text: str, origin: str = ORIGIN) -> Change:
    return lambda log: log.notes.update({size: Note(size, origin, text)})


def end(**values: object) -> Change:
    return lambda log: setattr(log, "end", replace(log.end, **values))  # type: ignore[arg-type]


def renamed(*sizes: int) -> Change:
    """These checkpoints under the name that the log has had since a restore."""

    def change(log: Stored) -> None:
        for size in sizes:
            root = chain.root(size, log.get)
            log.notes[size] = Note(size, LATER, SIGNER.renamed(LATER).checkpoint(size, root))

    return change


def all_of(*changes: Change) -> Change:
    return lambda log: [change(log) for change in changes]


def gone(first: int, last: int, level: int) -> tuple[str, int, dict[str, str]]:
    return ("node_missing", first, {"first": str(first), "last": str(last), "level": str(level)})


def node(first: int, last: int, level: int) -> tuple[str, int, dict[str, str]]:
    return ("node", first, {"first": str(first), "last": str(last), "level": str(level)})


def forked(first: int, last: int) -> tuple[str, int, dict[str, str]]:
    return ("forked", first, {"last": str(last), "size": str(last + 1)})


BAD_NOTE: tuple[str, None, dict[str, str]] = ("checkpoint", None, {"size": "7"})
NO_SUM = b"r" * 32

DAMAGE: dict[str, tuple[Change, Problems]] = {
    "nothing": (lambda _: None, []),
    "receipts gone": (drop(0, 10, 20), [("missing", i, {}) for i in (0, 10, 20)]),
    "a receipt that is changed": (rewrite(5), [("changed", 5, {})]),
    "receipts of one commit changed": (rewrite(8, 15), [("changed", 8, {}), ("changed", 15, {})]),
    "a payload's receipt under another payload": (refile(6, subject_id="another"), [("row", 6, {})]),
    # A `checked` receipt names its payload as well, but it is filed under its message; a delivery's likewise.
    "a message's receipt under its payload": (refile(4, subject_id="another"), [("row", 4, {})]),
    "a delivery's receipt under a payload": (refile(5, subject_id="another"), [("row", 5, {})]),
    "a receipt under another stage": (refile(6, stage="answered"), [("row", 6, {})]),
    "what cannot be read under another subject": (refile(13, subject_id="another"), []),
    "a leaf changed": (set_node((0, 5)), [("leaf", 5, {})]),
    "a leaf gone": (drop_node((0, 5)), [gone(5, 5, 0)]),
    "a leaf gone and its receipt misfiled": (
        all_of(drop_node((0, 6)), refile(6, stage="answered")), [gone(6, 6, 0), ("row", 6, {})]),
    # A receipt that is not what its leaf says is told as changed, and not for the shelf it stands on as well.
    "a misfiled receipt that is changed": (all_of(rewrite(5), refile(5, stage="answered")), [("changed", 5, {})]),
    "nodes changed": (set_node((1, 3), (3, 1)), [node(6, 7, 1), node(8, 15, 3)]),
    "nodes gone": (drop_node((2, 1), (4, 0)), [gone(4, 7, 2), gone(0, 15, 4)]),
    # Both that would say what was signed are gone: the nodes above show it, as narrow as they are.
    "receipt and leaf gone": (
        all_of(drop(11), drop_node((0, 11))), [("missing", 11, {}), gone(11, 11, 0), ("rewritten", 10, {"last": "11"})]),
    "receipt and leaf rewritten": (forge(11, 0), [("rewritten", 10, {"last": "11"})]),
    "and the node above": (forge(11, 1), [("rewritten", 8, {"last": "11"})]),
    "and the one above that": (forge(11, 2), [("rewritten", 8, {"last": "15"})]),
    "two places of one commit": (
        all_of(forge(14, 0), forge(8, 0)), [("rewritten", 8, {"last": "9"}), ("rewritten", 14, {"last": "15"})]),
    # With all nodes rewritten, nothing leads to what was signed any more; what comes after it is judged all the same.
    # A leaf and a later receipt that differ each lead away from what was signed; all nodes stored above lead to it.
    "a leaf and a later receipt of one commit": (
        all_of(set_node((0, 17)), rewrite(20)), [("rewritten", 16, {"last": "20"})]),
    "all the way up": (forge(11, 9), [forked(8, 15)]),
    "alone in its commit": (forge(3, 0), [("rewritten", 2, {"last": "3"})]),
    "alone in its commit, with no node above it yet": (forge(6, 9), [forked(6, 6)]),
    "all the way up, and what is changed behind it": (all_of(forge(11, 9), rewrite(18)), [forked(8, 15), ("changed", 18, {})]),
    "all the way up in the first commit": (forge(0, 9), [forked(0, 0)]),
    # The next checkpoint's nodes are as they were: from there on all is judged as before.
    "alone in its commit, and what is changed before and behind the next checkpoint": (
        all_of(forge(2, 0), rewrite(3), set_node((1, 2))), [forked(2, 2), ("changed", 3, {}), node(4, 5, 1)]),
    "changed while no node leads up": (all_of(forge(2, 9), rewrite(18)), [forked(2, 2), ("changed", 18, {})]),
    "a checkpoint by another key": (note(7, STRANGER.checkpoint(7, NO_SUM)), [BAD_NOTE]),
    "a checkpoint of another size": (note(7, SIGNER.checkpoint(6, NO_SUM)), [BAD_NOTE]),
    "a checkpoint that is none": (note(7, "?"), [BAD_NOTE]),
    "a checkpoint of another log": (
        note(7, Signer("other.example", bytes(range(32))).checkpoint(7, NO_SUM), "other.example"), [BAD_NOTE]),
    "the first checkpoint of another log": (
        lambda log: note(1, Signer("other.example", bytes(range(32))).checkpoint(1, chain.root(1, log.get)), "other.example")(log),
        [("checkpoint", None, {"size": "1"})]),
    "a checkpoint of another tree": (note(7, SIGNER.checkpoint(7, NO_SUM)), [forked(6, 6)]),
    "an older checkpoint gone": (lambda log: log.notes.pop(7), []),
    "a name that the log has since a restore": (
        all_of(renamed(16, 21), end(origin=LATER, newest_origin=LATER)), []),
    "an earlier name after a later one": (renamed(5), [("checkpoint", None, {"size": str(n)}) for n in (16, 21, 6, 7, 8)]),
    "no checkpoint over a change": (
        all_of(lambda log: log.notes.pop(21), rewrite(18), set_node((1, 8)), end(newest=16)),
        [("changed", 18, {}), ("newest", None, {"before": "16", "size": "21"}), node(16, 17, 1)]),
    "no checkpoint over a changed receipt": (
        all_of(lambda log: log.notes.pop(21), rewrite(18), end(newest=16)),
        [("changed", 18, {}), ("newest", None, {"before": "16", "size": "21"})]),
    "no checkpoint over a changed node": (
        all_of(lambda log: log.notes.pop(21), set_node((1, 8)), end(newest=16)),
        [("newest", None, {"before": "16", "size": "21"}), node(16, 17, 1)]),
    "the state gone": (end(frontier=None), [("state", None, {"size": "21"})]),
    "another tree in the state": (
        end(frontier=Frontier(SIZE, [OTHER_HASH] * 3)), [("state", None, {"size": "21"})]),
    "the newest checkpoint older than the state": (end(newest=16), [("newest", None, {"before": "16", "size": "21"})]),
    "a receipt behind the end": (end(last=SIZE), [("beyond", SIZE, {"size": "21"})]),
    "another name in the state": (end(origin=LATER), [("name", None, {"expected": ORIGIN, "found": LATER})]),
    "another name in the state of a log without checkpoints": (
        all_of(lambda log: log.notes.clear(), end(newest=0, newest_origin="", origin=LATER)),
        [("newest", None, {"before": "0", "size": "21"})]),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("step", [1, 5, SIZE])
def test_what_was_done_to_the_log_is_named(kind: str, step: int) -> None:
    """By its kind, place and reach, once, and nothing else is; however the log falls into pages."""
    change, expected = DAMAGE[kind]
    log = whole()
    change(log)
    seen = log.audit(step)
    assert found(seen) == sorted(expected, key=str)
    rewritten = [one.index or 0 for one in seen.problems if one.code == "receipt.stored.rewritten"]
    assert rewritten == sorted(rewritten)


def test_a_log_is_judged_under_its_later_name_as_well() -> None:
    """The key is the same; checkpoints from before a restore stand under the earlier name."""
    assert found(whole().audit(5, StoredLog(SIGNER.renamed(LATER).verifier))) == []


@pytest.mark.parametrize("size", COMMITS)
def test_another_process_goes_on_from_a_checkpoint(size: int) -> None:
    """What lies before it is not looked at again; a fault behind it is found as if all had been looked at."""
    log = whole()
    drop(0)(log)
    seen = StoredLog(SIGNER.verifier)
    assert seen.resume(log.notes[size], log.get)
    assert (seen.size, seen.proven) == (size, size)
    behind = [index for index in (1, 7, 20) if index >= size]
    rewrite(*behind)(log)
    assert found(log.audit(4, seen)) == sorted((("changed", index, {}) for index in behind), key=str)


@pytest.mark.parametrize(
    "change",
    [
        set_node((3, 0)),
        drop_node((3, 0)),
        note(8, STRANGER.checkpoint(8, NO_SUM)),
        note(8, SIGNER.checkpoint(8, NO_SUM)),
        # Signed, and of a tree that is there, but not of the size that it is kept under.
        lambda log: note(8, log.notes[7].text)(log),
    ],
)
def test_what_a_checkpoint_does_not_vouch_for_is_no_place_to_go_on_from(change: Change) -> None:
    """The audit begins at the first entry instead."""
    log = whole()
    change(log)
    seen = StoredLog(SIGNER.verifier)
    assert seen.resume(log.notes[8], log.get) is False
    assert (seen.size, seen.proven) == (0, 0)


def test_what_is_proven_ends_where_the_log_forks() -> None:
    """No later process may go on from behind a commit that was not signed so, until the stored nodes lead to a checkpoint."""
    log = whole()
    seen = StoredLog(SIGNER.verifier)
    proven = []
    forge(6, 9)(log)
    for begin in range(SIZE):
        seen.take(log.page(begin, begin + 1), log.get)
        proven.append(seen.proven)
    assert seen.size == SIZE
    assert proven == [1, 2, 3, 4, 5, 6] + [6] * 15


@pytest.mark.parametrize(("faults", "full"), [(999, False), (1000, True)])
@pytest.mark.parametrize("kind", ["missing", "changed", "odd"])
def test_a_log_with_too_many_faults_is_looked_at_no_further(kind: str, faults: int, full: bool) -> None:
    """Those count that are named already, and those that the next checkpoint will name."""
    rows = [Row(index, "received", "", b"%d" % index) for index in range(2 * faults)]
    nodes = {(level, at): value for level, at, value in Frontier().append([leaf_hash(one.body) for one in rows])}
    seen = StoredLog(SIGNER.verifier)
    if kind == "missing":
        rows = rows[faults:]
    elif kind == "changed":
        rows[:faults] = [replace(one, body=b"?") for one in rows[:faults]]
    else:
        nodes |= {(1, at): OTHER_HASH for at in range(faults)}
    seen.take(Page(0, 2 * faults, rows, nodes), lambda level, at: nodes[level, at])
    assert seen.full is full
