"""Reads that many messages ask for at the same time share one transaction and its few queries.

While one round of questions is answered the next gathers, as the writer does with operations: under
load a round answers dozens of messages at the price of one, and an idle store answers at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Generic, TypeVar

from sqlalchemy import Connection

from gateway.store.database import Database

Q = TypeVar("Q")
A = TypeVar("A")


class SharedReader(Generic[Q, A]):
    """Answers questions of one kind; `answer` answers many at once, and leaves out what has no answer."""

    def __init__(self, database: Database, answer: Callable[[Connection, Collection[Q]], Mapping[Q, A]]) -> None:
        self._database = database
        self._answer = answer
        self._waiting: list[tuple[Collection[Q], asyncio.Future[Mapping[Q, A]]]] = []
        self._reading: asyncio.Task[None] | None = None

    async def ask(self, questions: Collection[Q]) -> dict[Q, A]:
        """Answers to `questions`, read after this was called."""
        if not questions:
            return {}
        answered: asyncio.Future[Mapping[Q, A]] = asyncio.get_running_loop().create_future()
        self._waiting.append((questions, answered))
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="store-reader")
        found = await answered
        return {question: found[question] for question in questions if question in found}

    async def _read(self) -> None:
        while self._waiting:
            round_, self._waiting = self._waiting, []
            every = {question for questions, _ in round_ for question in questions}
            try:
                found = await self._read_once(every)
            except Exception as error:  # noqa: BLE001 - it belongs to whoever asked
                for _, answered in round_:
                    if not answered.done():
                        answered.set_exception(error)
            else:
                for _, answered in round_:
                    if not answered.done():
                        answered.set_result(found)
        self._reading = None

    async def _read_once(self, questions: Collection[Q]) -> Mapping[Q, A]:
        return await self._database.read(lambda connection: self._answer(connection, questions))
