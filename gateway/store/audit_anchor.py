"""The audit's anchor: its newest checkpoint, kept in files outside the database, beside the anchor of the receipts' log.

The audit signs under a name that follows that of the receipts' log, so that a database that was set back takes another
name for both. What the anchor adds is that the newest entries of the audit cannot be cut off, together with their
checkpoints, from a database whose receipts are left whole. A checkpoint leaves only when the anchor holds it, or one that
extends it; one that contradicts the anchor is never anchored, and is told by whoever audits.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy import Connection

from gateway.durable import naming_system_errors
from gateway.errors import LogDamaged, ReceiptInvalid, StoreUnavailable
from gateway.receipt.anchor import Judgement, compare
from gateway.receipt.signed import Checkpoint, Verifier
from gateway.store.anchor_file import AnchorFile
from gateway.store.database import Database
from gateway.store.log import AUDIT, consistency_proof

log = structlog.get_logger(__name__)

_SWAPS = 20
"""How often in a row other nodes may have replaced the anchor before it is left to them."""


class AuditAnchor:
    """Keeps the audit's newest checkpoint."""

    def __init__(self, anchor_file: Path | None, database: Database, verifier: Verifier) -> None:
        """`anchor_file` is the receipts' anchor; without one nothing is kept. `verifier` holds the log's key."""
        self._file = None if anchor_file is None else AnchorFile(anchor_file.with_name(f"{anchor_file.name}.audit"))
        self._database = database
        self._verifier = verifier
        self._newest = ""
        self._held = ""
        self._told = ""

    def read(self) -> str:
        """The note that is kept; empty where there is none. OSError where it cannot be read."""
        return (self._file.read() if self._file is not None else None) or ""

    def committed(self, note: str) -> None:
        """`note` is committed: it will be anchored."""
        self._newest = note

    async def write(self) -> None:
        """Anchor the newest checkpoint that this process has committed; as `hold`."""
        if self._newest:
            await self.hold(self._newest)

    async def hold(self, note: str) -> None:
        """Return when the anchor holds `note`, or one that extends it: then it may leave.

        StoreUnavailable where the anchor contradicts it: then it must not leave.
        """
        if self._file is None or not note or note == self._held:
            return
        for _ in range(_SWAPS):
            with naming_system_errors():
                there = await asyncio.to_thread(self._file.read)
            if there != note and there is not None:
                judgement = await self._database.read(partial(self._judge, there=there, note=note))
                if judgement is Judgement.SHORTER:
                    self._held = note  # another node was faster: its checkpoint extends this one
                    return
                if not judgement.lets_sign:
                    self._tell(judgement, note)
                    raise StoreUnavailable("the audit contradicts what was signed of it")
            if there != note:
                with naming_system_errors():
                    if not await asyncio.to_thread(self._file.swap, there, note):
                        continue
            self._held = note
            return
        raise StoreUnavailable("the audit's anchor is replaced by other nodes all the time")

    def _judge(self, connection: Connection, there: str, note: str) -> Judgement:
        """What the anchor says about a note of ours; SHORTER only where the anchor extends it."""
        tree, anchor = self._verified(note), self._verified(there)
        if tree is None or anchor is None:
            return Judgement.OTHER_LOG
        judgement = _compare(connection, anchor, tree)
        if judgement is Judgement.SHORTER and _compare(connection, tree, anchor) is not Judgement.EXTENDS:
            return Judgement.CONTRADICTS
        return judgement

    def _verified(self, note: str) -> Checkpoint | None:
        try:
            return self._verifier.renamed(note.partition("\n")[0]).checkpoint(note)
        except ReceiptInvalid:
            return None

    def _tell(self, judgement: Judgement, note: str) -> None:
        """Tell the operator's log, once of each note."""
        if note != self._told:
            self._told = note
            log.error("audit_contradicts_anchor", why=judgement.value, origin=note.partition("\n")[0])


def _compare(connection: Connection, known: Checkpoint, tree: Checkpoint) -> Judgement:
    """`tree` judged by a checkpoint, with the proof that the stored nodes give, if they do."""
    proof: tuple[bytes, ...] = ()
    if known.origin == tree.origin and known.size <= tree.size:
        with suppress(LogDamaged):  # nodes are missing, so nothing is proven
            proof = consistency_proof(connection, known.size, tree.size, AUDIT)
    return compare(known, tree, proof)
