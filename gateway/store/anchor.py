"""Signs checkpoints, and keeps the newest in the anchor file, outside the database.

A database that was set back (restored from a copy, or tampered with) is found by its anchor when the
store is opened. Its tree then never signs again under the old name, because somebody may hold a
checkpoint that contradicts what it would sign: it goes on under a new name, and an operator is told.
"""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path

from sqlalchemy import Connection

from gateway.errors import LogDamaged, ReceiptInvalid
from gateway.receipt.anchor import Judgement, base_name, compare, next_origin
from gateway.receipt.chain import Frontier
from gateway.receipt.signed import Checkpoint, Signer
from gateway.store import tables
from gateway.store.database import lock_log
from gateway.store.log import LogState, consistency_proof, newest_checkpoint, read_state, root_at, write_state
from gateway.store.sql import insert_rows

ANCHOR_SECONDS = 1.0
"""The anchor is written at most so often: each writing waits for the disk, which the commits need more."""


class Checkpointer:
    """Signs under the log's current name, and anchors what was committed."""

    def __init__(self, signer: Signer, anchor_file: Path | None) -> None:
        self.name = signer.name
        self._signers = {signer.name: signer}
        self._first = signer
        self._file = anchor_file
        self._newest = ""
        self._anchored = ""
        self._committed = asyncio.Event()

    def signer(self, origin: str) -> Signer:
        """The signer with our key under the name `origin`."""
        if origin not in self._signers:
            self._signers[origin] = _renamed(self._first, origin)
        return self._signers[origin]

    def sign(self, origin: str, frontier: Frontier) -> str:
        """The signed checkpoint of a tree."""
        return self.signer(origin).checkpoint(frontier.size, frontier.root())

    def committed(self, note: str) -> None:
        """`note` is committed: from now on it may leave, and will be anchored."""
        self._newest = note
        self._committed.set()

    async def run(self) -> None:
        """Write the anchor after commits, until cancelled."""
        while True:
            await self._committed.wait()
            self._committed.clear()
            await asyncio.to_thread(self.write_anchor)
            await asyncio.sleep(ANCHOR_SECONDS)

    def write_anchor(self) -> None:
        """Put the newest committed checkpoint into the anchor file. A full disk leaves the older one there."""
        note = self._newest
        if self._file is None or note == self._anchored:
            return
        draft = self._file.with_name(self._file.name + ".part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("w", encoding="utf-8") as file:
                file.write(note)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._file)
        except OSError:
            return  # the older anchor still holds, and the next commit brings another
        self._anchored = note

    def check(self, connection: Connection) -> str:
        """Compare log, newest checkpoint and anchor. Gives the alert where the log had to take a new name."""
        lock_log(connection)
        state = read_state(connection) or LogState(self.name, Frontier())
        self._check_tree(connection, state)
        fault = self._anchor_fault(connection, state)
        if not fault:
            return ""
        origin = next_origin(state.origin)
        renamed = LogState(origin, state.frontier)
        write_state(connection, renamed)
        if state.frontier.size:
            note = self.sign(origin, state.frontier)
            insert_rows(connection, tables.checkpoints, [(state.frontier.size, origin, note)], "replace")
        return f"{fault}; the log goes on as {origin}"

    def keep_old_anchor(self) -> None:
        """Set the anchor that contradicts the log aside, as evidence."""
        if self._file is not None and self._file.exists():
            number = 1
            while (aside := self._file.with_name(f"{self._file.name}.contradicted-{number}")).exists():
                number += 1
            self._file.replace(aside)

    def _check_tree(self, connection: Connection, state: LogState) -> None:
        """LogDamaged where the stored tree is not the one that was signed last."""
        size, note = newest_checkpoint(connection)
        if size != state.frontier.size:
            raise LogDamaged("the newest checkpoint is of another size than the tree", size=size)
        if not note:
            return
        signed = self.signer(state.origin).verifier.checkpoint(note)
        if signed.root != state.frontier.root() or signed.root != root_at(connection, size):
            raise LogDamaged("the tree is not the one that was signed last", size=size)

    def _anchor_fault(self, connection: Connection, state: LogState) -> str:
        """Why the log must not go on under its name; empty where it may."""
        if self._file is None or not self._file.exists():
            return ""
        note = self._file.read_text("utf-8", errors="replace")
        origin = note.partition("\n")[0]
        if base_name(origin) != base_name(state.origin):
            return f"the anchor is of the log {origin}"
        try:
            anchor = self.signer(origin).verifier.checkpoint(note)
        except ReceiptInvalid as error:
            return f"the anchor cannot be trusted: {error}"
        size = state.frontier.size
        # An anchor from before the log took its present name vouches for the same leaves.
        tree = Checkpoint(anchor.origin, size, state.frontier.root())
        proof = consistency_proof(connection, anchor.size, size) if anchor.size <= size else ()
        match compare(anchor, tree, proof):
            case Judgement.SHORTER:
                return f"the log has {size} entries, but its anchor {anchor.size}"
            case Judgement.CONTRADICTS:
                return f"the first {anchor.size} entries of the log are not those that were anchored"
        return ""


def _renamed(signer: Signer, name: str) -> Signer:
    """The same key under another name."""
    key = base64.b64decode(signer.skey.split("+", 4)[4])
    return Signer(name, key[1:])  # the first byte is the key's algorithm
