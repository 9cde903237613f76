"""Group commit: operations queue up, one transaction takes all that wait, and each is answered after it.

While one transaction is on its way to the disk, the next batch gathers; so the batch grows with the
load, and an idle store answers a single operation at once. An operation that fails its own check
fails alone. Where the database itself refuses something (a full disk, a broken value), the batch is
rolled back and its operations are run one by one, so that only the one to blame fails.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any, TypeVar, cast

from sqlalchemy import Connection

from gateway.decide.names import Name
from gateway.errors import GatewayError, LogContradicted, StoreUnavailable
from gateway.store.anchor import MENDS, NO_NAME_HOLDS, Checkpointer
from gateway.store.batch import Batch
from gateway.store.database import Database

V = TypeVar("V")
R = TypeVar("R")

LARGEST_BATCH = 512
"""Operations in one transaction at most: it bounds what a failed batch repeats, and the memory it holds."""

LARGEST_BRIEF = 128
"""Brief operations that are brief together: some milliseconds."""

LINGER = 0.008
"""Seconds a batch under load waits for company at most: a transaction's statements cost about the same for one
operation as for ten. An idle store does not wait: only who follows another batch closely does."""

QUIET = 0.002
"""Seconds without a newcomer after which nobody else is waited for."""

LEAST_COMPANY = 16
"""Operations that are waited for even where fewer were present lately."""

Answers = Sequence[R | GatewayError]
"""An operation's answer, or why it alone failed, in the order of the operations."""

Handler = Callable[[Batch, Sequence[V]], Answers[R] | Callable[[], Answers[R]]]
"""Carries out operations of one kind, and gives their answers.

One that numbers what it writes gives the rest of its work instead, as a function that does it and gives the
answers: it is called when all handlers of the batch have judged, and the log has been entered.

It must not have collected or written anything for an operation that it answers with an error.
"""

Names = Callable[[V], Iterable[Name]]
"""The names that an operation touches, as far as it tells by itself (see `Batch.hold` for those that turn up)."""


@dataclass(slots=True)
class _Operation:
    handler: Handler[Any, Any]
    value: Any
    answered: asyncio.Future[Any]
    brief: bool


class Writer:
    """The one task that writes. Handlers run in the order of `handlers`, each with all its operations."""

    def __init__(
        self, database: Database, checkpointer: Checkpointer, handlers: Mapping[Handler[Any, Any], Names[Any]]
    ) -> None:
        self._database = database
        self._checkpointer = checkpointer
        self._names = handlers
        self._order = {handler: place for place, handler in enumerate(handlers)}
        self._waiting: list[_Operation] = []
        self._arrived = asyncio.Event()
        self._crowded = asyncio.Event()
        self._company = LEAST_COMPANY
        self._senders = self._senders_company = 0
        """Brief operations that wait, and how many of them are enough: a sender waits for their answer."""
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="store-writer")

    async def close(self) -> None:
        """Write what is queued, then stop."""
        self._closing = True
        self._arrived.set()
        self._crowded.set()
        if self._task is not None:
            await self._task

    async def do(self, handler: Handler[V, R], value: V, *, brief: bool = False) -> R:
        """Queue an operation; returns its answer, or raises its error, after the commit.

        A `brief` one takes some tens of microseconds: a few small rows, and nothing that must be looked for.
        """
        if self._closing or self._task is None:
            raise StoreUnavailable("the store is closed")
        operation = _Operation(handler, value, asyncio.get_running_loop().create_future(), brief)
        self._waiting.append(operation)
        self._senders += brief
        self._arrived.set()
        if self._is_company():
            self._crowded.set()
        return cast("R", await operation.answered)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        ended = -LINGER
        while True:
            await self._arrived.wait()
            await self._gather(ended + LINGER)
            batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
            senders = sum(operation.brief for operation in batch)
            self._senders -= senders
            if not self._waiting and not self._closing:
                self._arrived.clear()
            if batch:
                await self._write(batch)
                ended = loop.time()
                self._company = max(LEAST_COMPANY, (len(batch) + len(self._waiting)) // 2)
                self._senders_company = (senders + self._senders) // 2
            elif self._closing:
                return

    async def _gather(self, until: float) -> None:
        """Wait a little for about half of those who were present lately.

        While one half is on its way to the disk the other half comes: so neither the disk nor the event loop
        stands still while the other works.
        """
        loop = asyncio.get_running_loop()
        self._crowded.clear()
        while not self._closing and not self._is_company() and loop.time() < until:
            count = len(self._waiting)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(QUIET):
                    await self._crowded.wait()
            if len(self._waiting) == count:
                return

    def _is_company(self) -> bool:
        """Whether about half of those present lately are waiting, of all or of the senders alone."""
        return len(self._waiting) >= self._company or 0 < self._senders >= self._senders_company

    async def _write(self, operations: list[_Operation], mends: int = MENDS) -> None:
        operations.sort(key=lambda operation: self._order[operation.handler])
        brief = len(operations) <= LARGEST_BRIEF and all(operation.brief for operation in operations)
        names = set(self._touched(operations)) if self._database.claims_apart else set()
        try:
            answers, note, audit_note = await self._database.write(
                lambda connection: self._carry_out(connection, operations, names), brief=brief
            )
        except LogContradicted:
            await self._mend(operations, mends)
        except StoreUnavailable as error:
            _fail(operations, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to whoever asked, and the writer goes on
            if len(operations) == 1:
                _fail(operations, error)
            else:
                for operation in operations:
                    await self._write([operation], mends)
        else:
            if note:
                self._checkpointer.committed(note)
            if audit_note:
                self._checkpointer.audit_committed(audit_note)
            for operation, answer in zip(operations, answers, strict=True):
                if operation.answered.done():  # whoever asked has stopped waiting
                    continue
                if isinstance(answer, GatewayError):
                    operation.answered.set_exception(answer)
                else:
                    operation.answered.set_result(answer)

    async def _mend(self, operations: list[_Operation], mends: int) -> None:
        """Let the log take a new name, and then carry out the operations, of which nothing was written."""
        if not mends:
            _fail(operations, StoreUnavailable(NO_NAME_HOLDS))
            return
        try:
            await self._checkpointer.mend()
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to whoever asked, and the writer goes on
            _fail(operations, error)
        else:
            await self._write(operations, mends - 1)

    def _carry_out(
        self, connection: Connection, operations: list[_Operation], names: set[Name]
    ) -> tuple[list[Any], str, str]:
        """One transaction's work: the answers, and the signed notes over log and audit that may leave after the commit."""
        batch = Batch(connection, self._checkpointer, names)
        self._checkpointer.look(connection)  # what claims and reserves must know as well as what is appended
        given: list[Answers[Any] | Callable[[], Answers[Any]]] = []
        for handler, alike in groupby(operations, key=lambda operation: operation.handler):
            given.append(handler(batch, [operation.value for operation in alike]))
            batch.flush()
        answers: list[Any] = []
        for one in given:
            if callable(one):
                batch.enter_log()
                answers.extend(one())
                batch.flush()
            else:
                answers.extend(one)
        note = batch.seal()
        return answers, note, batch.audit_note

    def _touched(self, operations: list[_Operation]) -> Iterable[Name]:
        return chain.from_iterable(self._names[operation.handler](operation.value) for operation in operations)


def _fail(operations: list[_Operation], error: Exception) -> None:
    for operation in operations:
        if not operation.answered.done():
            operation.answered.set_exception(error)
