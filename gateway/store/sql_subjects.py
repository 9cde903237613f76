"""Subjects of the registry over SQLAlchemy: see `ports.Subjects`."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.decide.subjects import CODE_LIST
from gateway.model import SubjectVersion
from gateway.store import ports, subjects
from gateway.store.sql_access import SqlAccess


class SqlSubjects(SqlAccess, ports.Subjects):
    """`ports.Subjects` on SQLite and PostgreSQL."""

    async def subject_versions(self, scheme: str, value: str, *, test: bool = False) -> Sequence[SubjectVersion]:
        key = (scheme, value, test)
        return (await self._read(lambda connection: subjects.read(connection, {key}))).get(key, [])

    async def approved_lists(self) -> Sequence[SubjectVersion]:
        return await self._read(lambda connection: subjects.of_scheme(connection, CODE_LIST))

    async def approved_count(self) -> int:
        return await self._read(lambda connection: subjects.count_of_scheme(connection, CODE_LIST))
