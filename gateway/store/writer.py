"""Group commit: operations queue up, one transaction takes all that wait, and each is answered after it.

While one transaction is on its way to the disk, the next batch gathers; so the batch grows with the
load, and an idle store answers a single operation at once. An operation that fails its own check
fails alone. Where the database itself refuses something (a full disk, a broken value), the batch is
rolled back and its operations are run one by one, so that only the one to blame fails.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from sqlalchemy import Connection

from gateway.errors import GatewayError, StoreUnavailable
from gateway.store.anchor import Checkpointer
from gateway.store.batch import Batch
from gateway.store.database import Database

V = TypeVar("V")
R = TypeVar("R")

LARGEST_BATCH = 512
"""Operations in one transaction at most: it bounds what a failed batch repeats, and the memory it holds."""

LINGER = 0.008
"""Seconds a batch under load waits for company at most: a transaction's statements cost about the same for one
operation as for ten. An idle store does not wait: only who follows another batch closely does."""

COMPANY = 48
"""Operations that are company enough to go at once."""

Handler = Callable[[Batch, Sequence[V]], Sequence[R | GatewayError]]
"""Carries out operations of one kind; an operation's answer, or why it alone failed, in the same order.

It must not have collected or written anything for an operation that it answers with an error.
"""


@dataclass(slots=True)
class _Operation:
    handler: Handler[Any, Any]
    value: Any
    answered: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Writer:
    """The one task that writes. Handlers run in the order of `handlers`, each with all its operations."""

    def __init__(self, database: Database, checkpointer: Checkpointer, handlers: Sequence[Handler[Any, Any]]) -> None:
        self._database = database
        self._checkpointer = checkpointer
        self._order = {handler: place for place, handler in enumerate(handlers)}
        self._waiting: list[_Operation] = []
        self._arrived = asyncio.Event()
        self._crowded = asyncio.Event()
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

    async def do(self, handler: Handler[V, R], value: V) -> R:
        """Queue an operation; returns its answer, or raises its error, after the commit."""
        if self._closing or self._task is None:
            raise StoreUnavailable("the store is closed")
        operation = _Operation(handler, value)
        self._waiting.append(operation)
        self._arrived.set()
        if len(self._waiting) >= COMPANY:
            self._crowded.set()
        return cast("R", await operation.answered)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        ended = 0.0
        while True:
            await self._arrived.wait()
            if loop.time() - ended < LINGER:
                await self._gather()
            batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
            if not self._waiting and not self._closing:
                self._arrived.clear()
            if batch:
                await self._write(batch)
                ended = loop.time()
            elif self._closing:
                return

    async def _gather(self) -> None:
        """Wait for company, a little."""
        self._crowded.clear()
        if len(self._waiting) < COMPANY and not self._closing:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._crowded.wait(), LINGER)

    async def _write(self, operations: list[_Operation]) -> None:
        operations.sort(key=lambda operation: self._order[operation.handler])
        try:
            answers, note = await self._database.write(lambda connection: self._carry_out(connection, operations))
        except StoreUnavailable as error:
            _fail(operations, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to whoever asked, and the writer goes on
            if len(operations) == 1:
                _fail(operations, error)
            else:
                for operation in operations:
                    await self._write([operation])
        else:
            if note:
                self._checkpointer.committed(note)
            for operation, answer in zip(operations, answers, strict=True):
                if operation.answered.done():  # whoever asked has stopped waiting
                    continue
                if isinstance(answer, GatewayError):
                    operation.answered.set_exception(answer)
                else:
                    operation.answered.set_result(answer)

    def _carry_out(self, connection: Connection, operations: list[_Operation]) -> tuple[list[Any], str]:
        batch = Batch(connection, self._checkpointer)
        answers: list[Any] = []
        while len(answers) < len(operations):
            handler = operations[len(answers)].handler
            values = [operation.value for operation in operations[len(answers) :] if operation.handler is handler]
            answers.extend(handler(batch, values))
            batch.flush()
        return answers, batch.seal()


def _fail(operations: list[_Operation], error: Exception) -> None:
    for operation in operations:
        if not operation.answered.done():
            operation.answered.set_exception(error)
