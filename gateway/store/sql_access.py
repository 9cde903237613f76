"""What every port of the SQL store works with: the database, its writer, and the log that vouches for both."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, make_url

from gateway.durable import naming_system_errors
from gateway.errors import LogContradicted, StoreUnavailable
from gateway.receipt.signed import Signer
from gateway.store import (
    facts,
    outcome,
)
from gateway.store.anchor import MENDS, NO_NAME_HOLDS, Checkpointer
from gateway.store.bodies import LARGEST_ROW, BodyFiles, check_digest
from gateway.store.database import connect
from gateway.store.reader import SharedReader
from gateway.store.writer import Handler, Names, Writer

T = TypeVar("T")


class SqlAccess:
    """One database, and the ways to read it, to write it, and to claim in it."""

    def __init__(
        self,
        url: str,
        signer: Signer,
        payload_folder: Path,
        anchor_file: Path | None,
        handlers: Mapping[Handler[Any, Any], Names[Any]],
    ) -> None:
        self._url = make_url(url)
        self._database = connect(url)
        self._files = BodyFiles(payload_folder)
        self._checkpointer = Checkpointer(signer, anchor_file, self._database)
        self._writer = Writer(self._database, self._checkpointer, handlers)
        self._facts = SharedReader(self._database, facts.answer)
        self._interchanges = SharedReader(self._database, outcome.find_interchanges)
        self._anchoring: asyncio.Task[None] | None = None
        self._verifier = signer.verifier
        self._probing: asyncio.Future[None] | None = None
        self._node = ""

    async def _keep_bodies(self, bodies: Iterable[tuple[str, bytes]]) -> None:
        """Write large bodies to their files, before the transaction that mentions them.

        ValueError for a digest that is not its body's: kept by digest, it would hand out other bytes later.
        """
        large: list[tuple[str, bytes]] = []
        for sha256, body in bodies:
            if len(body) > LARGEST_ROW:
                large.append((sha256, body))
            else:
                check_digest(sha256, body)
        if not large:
            return

        def keep() -> None:
            with naming_system_errors():
                for sha256, body in large:
                    check_digest(sha256, body)
                    self._files.keep(sha256, body)

        await asyncio.to_thread(keep)

    async def _read(self, work: Callable[[Connection], T]) -> T:
        return await self._database.read(work)

    async def _claim(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction beside the writer's, of a database that holds the log that was signed last."""
        return await self._trusted(self._database.claim, work)

    async def _handed_out(self, work: Callable[[Connection], T], note_of: Callable[[T], str]) -> T:
        """What `work` reads, once the checkpoint in it may leave."""
        return await self._trusted(self._database.read, work, note_of)

    async def _trusted(
        self,
        run: Callable[[Callable[[Connection], T]], Awaitable[T]],
        work: Callable[[Connection], T],
        note_of: Callable[[T], str] = lambda _: "",
    ) -> T:
        """What `work` gives of a log that extends all that is known of it; where it does not, it is renamed first."""

        def look_and_work(connection: Connection) -> T:
            self._checkpointer.look(connection)
            return work(connection)

        for _ in range(MENDS):
            try:
                found = await run(look_and_work)
                await self._checkpointer.hold(note_of(found))
            except LogContradicted:
                await self._checkpointer.mend()
            else:
                return found
        raise StoreUnavailable(NO_NAME_HOLDS)
