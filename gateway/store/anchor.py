"""One log name signs one history, whatever is rolled back: signs checkpoints, and keeps the newest one anchored.

A database can be set back at any time: restored from a copy, failed over to a replica that lags,
tampered with. Its tree must then never sign again under the name it had, because somebody may hold a
checkpoint that contradicts what it would sign. Two rules see to that.

A checkpoint leaves only when the anchor file holds it, or one that extends it; and the anchor is
replaced only by a checkpoint that extends it, or that is of a later name. So all checkpoints of one
name that have ever left are one history, even if several nodes look at several copies of the database.

Each transaction that writes, claims or proves looks first whether the database extends the newest
checkpoint that this process knows to be committed, and the anchor. Where it does not, the log takes a
new name in a transaction of its own (`mend`), and nothing was written under the old one: the name is
later than every name that database, anchor, anchors set aside, claims and this process know. It is claimed, beside
the anchor and in it, before the transaction commits; where that fails, the name is burnt, and the next is taken.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from sqlalchemy import Connection, select

from gateway import findings
from gateway.durable import naming_system_errors
from gateway.errors import LogContradicted, LogDamaged, ReceiptInvalid, StoreUnavailable
from gateway.receipt.anchor import Judgement, base_name, compare, generation, next_origin
from gateway.receipt.chain import Frontier
from gateway.receipt.signed import Checkpoint, Signer
from gateway.store import breaks, tables
from gateway.store.anchor_file import AnchorFile
from gateway.store.audit_anchor import AuditAnchor
from gateway.store.contract import LogBreak, Unanchored
from gateway.store.database import Database, lock_all_names, lock_log
from gateway.store.log import LogState, consistency_proof, newest_checkpoint, read_state, root_at, write_state
from gateway.store.sql import insert_rows

log = structlog.get_logger(__name__)

ANCHOR_SECONDS = 1.0
"""The anchor is written at most so often unasked: each writing waits for the disk, which the commits need more."""
MENDS = 3
"""How often in a row one operation lets the log take a new name. More is needed only where two databases share one
anchor, and each takes the other's names for its future: then nothing is signed, rather than a name a commit."""
NO_NAME_HOLDS = "the log contradicts what was signed as often as it takes a new name"
"""What whoever asked is told then."""
REPLACED_ALL_THE_TIME = "the anchor is replaced by other nodes all the time"
"""What is told where a swap is tried in vain."""
HOLD_SECONDS = 5.0
"""How long anybody waits for a checkpoint to be anchored: some milliseconds, where the anchor's disk answers."""
_UNTRUSTED = "untrusted"
"""The fault of an anchor that holds no checkpoint that our key signed."""
_SWAPS = 20
"""How often in a row other nodes may have replaced the anchor before a checkpoint is not waited for any longer."""
_NEVER_READ = "-"
"""No anchor reads so."""


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why the log must not go on under its name: a `Judgement` or `untrusted`, and what it was judged by."""

    why: str
    known: Checkpoint | None = None


class Checkpointer:
    """Signs under the log's present name, knows what was committed, and anchors it."""

    def __init__(self, signer: Signer, anchor_file: Path | None, database: Database) -> None:
        self.origin = signer.name
        """The name the log goes by, as far as this process has seen."""
        self.alert = ""
        """What happened when the log last took a new name while this process looked; empty where it never did."""
        self.on_new_name: Callable[[Signer], None] = lambda _signer: None
        """Called with the signer under each new name; what it raises as OSError is logged."""
        self._signers = {signer.name: signer}
        self._first = signer
        self._file = None if anchor_file is None else AnchorFile(anchor_file)
        self._database = database
        self.audit_anchor = AuditAnchor(anchor_file, database, signer.verifier)
        """Of the audit, which is signed in the same commits."""
        self._seen: Checkpoint | None = None
        """The newest tree that this process knows to be committed."""
        self._vouched: str | None = _NEVER_READ
        """What the anchor file held when it was last judged: the tree that was seen extends it."""
        self._held = ""
        """The newest note that the anchor held, itself or by one that extends it."""
        self._distrusted = False
        """Whether this process has given a name up because of an anchor that our key did not sign."""
        self._newest = ""
        self._knowing = threading.Lock()
        self._attempt: asyncio.Task[None] | None = None
        """The last attempt to anchor a checkpoint."""
        self._attempt_ends = 0.0
        """When nobody waits for it any longer, by the event loop's clock."""
        self._committed = asyncio.Event()
        self.unanchored: Unanchored | None = None
        """Since when commits are not anchored, and why; None where the newest is."""

    def signer(self, origin: str) -> Signer:
        """The signer with our key under the name `origin`."""
        if origin not in self._signers:
            self._signers[origin] = self._first.renamed(origin)
        return self._signers[origin]

    def sign(self, origin: str, frontier: Frontier) -> str:
        """The signed checkpoint of a tree."""
        return self.signer(origin).checkpoint(frontier.size, frontier.root())

    def audit_committed(self, note: str) -> None:
        """`note`, over the audit, is committed, and will be anchored."""
        self.audit_anchor.committed(note)
        self._committed.set()

    def committed(self, note: str) -> None:
        """`note` is committed: from now on it is known, and will be anchored."""
        self._newest = note
        self._remember(_parsed(note))
        self._committed.set()

    # Looking.

    def look(self, connection: Connection) -> LogState:
        """The log as committed. LogContradicted where it does not extend what is known of it.

        What is known is taken first, so that whatever was committed since is in the database that is then read.
        """
        known, note = self._known()
        state = self._state(connection)
        fault = self._fault(connection, _tree(state), known, note)
        if fault is not None:
            raise LogContradicted(why=fault.why, origin=state.origin, size=state.frontier.size)
        return state

    def _known(self) -> tuple[Checkpoint | None, str | None]:
        """The newest tree seen, and what the anchor file holds.

        An anchor that cannot be read just now stops no commit: no checkpoint leaves meanwhile.
        """
        with self._knowing:
            known, note = self._seen, self._vouched
        if self._file is not None:
            with suppress(OSError):
                note = self._file.read()
        return known, note

    def _state(self, connection: Connection) -> LogState:
        return read_state(connection) or LogState(self._first.name, Frontier())

    def _fault(
        self, connection: Connection, tree: Checkpoint, known: Checkpoint | None, note: str | None
    ) -> _Fault | None:
        """Why the log must not go on under its name, judged by a tree that is known and by the anchor's note."""
        if known is not None and tree != known:
            judgement = _judge(connection, known, tree)
            if not judgement.lets_sign:
                return _Fault(judgement.value, known)
        if self._file is not None and note != self._vouched:
            fault = self._anchor_fault(connection, tree, note)
            if fault is not None:
                return fault
            self._vouched = note
        if tree != known:
            self._remember(tree, connection)
        return None

    def _anchor_fault(self, connection: Connection, tree: Checkpoint, note: str | None) -> _Fault | None:
        claimed = next((one for one in self._claims() if _same_log(one, tree)), None)
        if claimed is not None and _generation(claimed) > _generation(tree):
            return _Fault(Judgement.GIVEN_UP.value, claimed)  # whatever the anchor says, or where it is lost
        if note is None:
            # There is no anchor yet, or it is lost; but names that were given up once stay given up.
            notes = self._aside()
            given_up = [one for one in notes if _same_log(one, tree) and _generation(one) >= _generation(tree)]
            return _Fault(Judgement.GIVEN_UP.value, max(given_up, key=_generation)) if given_up else None
        anchor = self._verified(note)
        if anchor is None:
            return _Fault(_UNTRUSTED)
        judgement = _judge(connection, anchor, tree)
        return None if judgement.lets_sign else _Fault(judgement.value, anchor)

    def _aside(self) -> list[Checkpoint]:
        """The checkpoints of ours among the anchors that were set aside."""
        notes = [] if self._file is None else self._file.read_aside()
        return [found for found in map(self._verified, notes) if found is not None]

    def _claims(self) -> Iterator[Checkpoint]:
        """The checkpoints of ours by which names were claimed, the latest name's first."""
        notes = () if self._file is None else self._file.read_claims()
        return (found for found in map(self._verified, notes) if found is not None)

    def _verified(self, note: str) -> Checkpoint | None:
        """The checkpoint in a note that our key signed under whatever name; None where it did not."""
        try:
            return self.signer(note.partition("\n")[0]).verifier.checkpoint(note)
        except ReceiptInvalid:
            return None

    def _remember(self, tree: Checkpoint, connection: Connection | None = None) -> None:
        """Know `tree` as committed, unless a newer one is known; a new name that another node took is told."""
        with self._knowing:
            seen = self._seen
            if seen is not None and (_generation(tree), tree.size) <= (_generation(seen), seen.size):
                return
            self._seen = tree
        if seen is not None and seen.origin != tree.origin and connection is not None:
            found = next((one for one in breaks.read_all(connection) if one.origin == tree.origin), None)
            self._tell(tree.origin, findings.text(found.finding) if found else f"The log goes on as {tree.origin}.")
        self.origin = tree.origin

    def _tell(self, origin: str, text: str) -> None:
        """Tell the operator that the log has a new name."""
        self.origin, self.alert = origin, text
        log.error("receipt_log_renamed", alert=text, origin=origin)
        try:
            self.on_new_name(self.signer(origin))
        except OSError as error:
            log.warning("public_key_not_written", reason=str(error))

    # Taking a new name.

    async def open(self) -> None:
        """Judge the log for the first time. LogDamaged where the stored tree is not the one that was signed last."""
        try:
            note = await self._database.write(self._first_look)
        except LogContradicted:
            await self.mend()
            note = (await self._database.read(newest_checkpoint))[1]
        if note:
            self.committed(note)

    def _first_look(self, connection: Connection) -> str:
        """The newest checkpoint of a log that may go on; without its lock other nodes might commit between two looks."""
        lock_log(connection)
        if self._file is not None:
            self._file.remove_drafts()
            self._file.read()  # what stops no commit stops this: without a memory there is only the anchor to judge by
        self._check_tree(connection)
        self.look(connection)
        return newest_checkpoint(connection)[1]

    async def mend(self) -> None:
        """Let the log take a new name if it must, in a transaction of its own, and tell the operator.

        StoreUnavailable where the name cannot be claimed; then nothing has changed, but for the anchor. So too where the
        anchor holds what our key did not sign once more: somebody else writes it all the time, and each new name would
        hold all that waits and be contradicted by the next.
        """
        found = await self._database.write(self._mend)
        if found is not None:
            self._vouched = found.claim
            self._distrusted |= found.broken.why == _UNTRUSTED
            self._remember(found.tree)
            self._tell(found.tree.origin, findings.text(found.broken.finding))

    def _mend(self, connection: Connection) -> _Renamed | None:
        lock_all_names(connection)
        lock_log(connection)
        with self._knowing:
            known = self._seen
        note = None if self._file is None else self._file.read()
        state = self._check_tree(connection)
        fault = self._fault(connection, _tree(state), known, note)
        if fault is not None and fault.why == _UNTRUSTED and self._distrusted:
            log.error("anchor_of_another_gateway", origin=state.origin)
            raise StoreUnavailable("the anchor file is written by somebody who has another key")
        return None if fault is None else self._rename(connection, state, fault)

    def _check_tree(self, connection: Connection) -> LogState:
        """The log as it stands. LogDamaged where the stored tree is not the one that was signed last."""
        state = self._state(connection)
        size, note = newest_checkpoint(connection)
        if size != state.frontier.size:
            raise LogDamaged("the newest checkpoint is of another size than the tree", size=size)
        if note:
            root = self.signer(state.origin).verifier.checkpoint(note).root
            if root != state.frontier.root() or root != root_at(connection, size):
                raise LogDamaged("the tree is not the one that was signed last", size=size)
        return state

    def _rename(self, connection: Connection, state: LogState, fault: _Fault) -> _Renamed:
        """Give the log its next name, and hold what waits.

        The name is claimed in the anchor when little can fail any more, and before anything can be signed under it.
        """
        tree, now = _tree(state), datetime.now(UTC)
        breaks.hold(connection, now)
        every, claim = self._claim(state, fault)
        origin = claim.partition("\n")[0]
        renamed = LogState(origin, state.frontier)
        lost = _lost(tree, every, rewritten=fault.why == Judgement.CONTRADICTS.value)
        broken = LogBreak(
            origin=origin,
            earlier=state.origin,
            at=now,
            size=tree.size,
            known_origin=fault.known.origin if fault.known else "",
            known_size=fault.known.size if fault.known else 0,
            why=fault.why,
            lost=lost,
            lost_from=_last_entry_at(connection, tree.size),
            lost_until=now,
            skipped=breaks.numbers_to_skip(lost),
        )
        write_state(connection, renamed)
        if tree.size:
            insert_rows(connection, tables.checkpoints, [(tree.size, origin, claim)], "replace")
        breaks.record(connection, broken)
        return _Renamed(_tree(renamed), claim, broken)

    def _claim(self, state: LogState, fault: _Fault) -> tuple[list[Checkpoint], str]:
        """Claim the next name beside the anchor, and then in it; all checkpoints known of the log, and the claim.

        Nobody is waited for, since the log's lock is held. A name that is claimed, and is not in the anchor at the end,
        because another node has put something else there, is burnt.
        """
        for _ in range(_SWAPS):
            note = None if self._file is None else self._file.read()
            live = None if note is None else self._verified(note)
            notes = (*self._aside(), *self._claims(), live, self._seen, fault.known)
            every = [one for one in notes if one is not None]
            origin = next_origin(state.origin, *(one.origin for one in every))
            if self._file is None:
                return every, self.sign(origin, state.frontier)
            if note is not None:
                self._file.keep_aside(note)
            while not self._file.claim(generation(origin), claim := self.sign(origin, state.frontier)):
                origin = next_origin(origin)  # claimed by another node just now, or by who has another key
            if self._file.swap(note, claim):
                return every, claim
        raise StoreUnavailable(REPLACED_ALL_THE_TIME)

    # The anchor.

    async def run(self) -> None:
        """Write the anchor after commits, until cancelled."""
        while True:
            await self._committed.wait()
            self._committed.clear()
            await self.write_anchor()
            await asyncio.sleep(ANCHOR_SECONDS)

    async def write_anchor(self) -> None:
        """Anchor the newest committed checkpoint. Where that fails, a later one is tried, and no newer one leaves.

        A contradiction is left to the next operation, which meets it as well.
        """
        try:
            await self.hold(self._newest)
            await self.audit_anchor.write()
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the task that tries again
            if self.unanchored is None or self.unanchored.why != str(error):
                log.warning("anchor_not_written", reason=str(error))
            since = self.unanchored.since if self.unanchored is not None else datetime.now(UTC)
            self.unanchored = Unanchored(since, str(error))
            self._committed.set()  # tried again, though nothing may be committed any more
        else:
            self.unanchored = None

    async def hold(self, note: str) -> None:
        """Return when the anchor holds `note`, or one that extends it, durably: then it may leave.

        One attempt is made at a time, and what stops it is told to all who wait, HOLD_SECONDS after it began at the
        latest. LogContradicted where the anchor never can. StorageFull or StoreUnavailable where it cannot now.
        """
        if self._file is None or not note or note == self._held:
            return
        with _as_unavailable():
            while note != self._held:
                attempt = self._attempt
                if attempt is None or attempt.done():
                    attempt = self._attempt = asyncio.create_task(self._hold(note), name="store-anchor-attempt")
                    attempt.add_done_callback(_retrieved)  # though nobody may be waiting any more
                    self._attempt_ends = asyncio.get_running_loop().time() + HOLD_SECONDS
                    ours = True
                else:
                    ours = False
                async with asyncio.timeout_at(self._attempt_ends):
                    await asyncio.shield(attempt)
                if ours:
                    return

    async def _hold(self, note: str) -> None:
        for _ in range(_SWAPS):
            if await self._holds(note):
                self._held = note
                return
        raise StoreUnavailable(REPLACED_ALL_THE_TIME)

    async def close(self) -> None:
        """Anchor the newest committed checkpoint, and nothing any more."""
        await self.write_anchor()
        if self._attempt is not None:
            self._attempt.cancel()
            await asyncio.wait([self._attempt])

    async def _holds(self, note: str) -> bool:
        """Whether the anchor covers `note`; where it does not, it is replaced, and looked at again."""
        assert self._file is not None, "without an anchor nothing is held"
        with naming_system_errors():
            there = await asyncio.to_thread(self._file.read)
        if there == note:
            return True
        tree = _parsed(note)
        judgement = await self._database.read(lambda connection: self._anchor_judgement(connection, there, tree))
        if judgement is Judgement.SHORTER:
            return True  # another node was faster: its checkpoint extends this one
        if judgement is not None and not judgement.lets_sign:
            raise LogContradicted(why=judgement.value, origin=tree.origin, size=tree.size)
        with naming_system_errors():
            if await asyncio.to_thread(self._file.swap, there, note):
                self._vouched = note
        return False

    def _anchor_judgement(self, connection: Connection, there: str | None, tree: Checkpoint) -> Judgement | None:
        """What the anchor says about `tree`; None where there is none. SHORTER only where the anchor extends it."""
        if there is None:
            fault = self._anchor_fault(connection, tree, None)
            return None if fault is None else Judgement(fault.why)
        anchor = self._verified(there)
        if anchor is None:
            return Judgement.OTHER_LOG
        judgement = _judge(connection, anchor, tree)
        if judgement is Judgement.SHORTER and _judge(connection, tree, anchor) is not Judgement.EXTENDS:
            return Judgement.CONTRADICTS
        return judgement


@dataclass(frozen=True, slots=True)
class _Renamed:
    """What came of taking a new name: the tree under it, the note that claims it, and what is kept about it."""

    tree: Checkpoint
    claim: str
    broken: LogBreak


def _judge(connection: Connection, known: Checkpoint, tree: Checkpoint) -> Judgement:
    """`tree` judged by a checkpoint, with the proof that the stored nodes give, if they do."""
    proof: tuple[bytes, ...] = ()
    if known.origin == tree.origin and known.size <= tree.size:
        with suppress(LogDamaged):  # nodes are missing, so nothing is proven
            proof = consistency_proof(connection, known.size, tree.size)
    return compare(known, tree, proof)


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise StoreUnavailable("the anchor is not written in time") from error


def _retrieved(attempt: asyncio.Task[None]) -> None:
    """Let an attempt's error be nobody's: whoever waited was told it."""
    if not attempt.cancelled():
        attempt.exception()


def _lost(tree: Checkpoint, every: list[Checkpoint], *, rewritten: bool) -> int:
    """Entries that were signed and that the database does not hold, in all histories that went on from it.

    Of a tree that was rewritten nobody can say how much of it is the old one, so all may be lost.
    """
    largest: dict[str, int] = {}
    for known in every:
        if _same_log(known, tree) and _generation(known) >= _generation(tree):
            largest[known.origin] = max(largest.get(known.origin, 0), known.size)
    held = 0 if rewritten else tree.size
    return sum(max(0, size - held) for size in largest.values())


def _last_entry_at(connection: Connection, size: int) -> datetime | None:
    """When the last entry of the log was written."""
    receipts = tables.receipts.c
    body = connection.execute(select(receipts.body).where(receipts.index == size - 1)).scalar()
    if body is None:
        return None
    try:
        return datetime.fromisoformat(str(json.loads(body)["at"]))
    except (ValueError, KeyError, TypeError):
        return None


def _tree(state: LogState) -> Checkpoint:
    return Checkpoint(state.origin, state.frontier.size, state.frontier.root())


def _parsed(note: str) -> Checkpoint:
    """The checkpoint of a note of our own, whose signature needs no look."""
    return Checkpoint.parse(note.partition("\n\n")[0] + "\n")


def _generation(checkpoint: Checkpoint) -> int:
    return generation(checkpoint.origin)


def _same_log(one: Checkpoint, other: Checkpoint) -> bool:
    return base_name(one.origin) == base_name(other.origin)
