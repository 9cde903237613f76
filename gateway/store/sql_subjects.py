"""Subjects of the registry over SQLAlchemy: see `ports.Subjects`."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.model import SubjectVersion
from gateway.store import ports, subjects
from gateway.store.sql_access import SqlAccess


class SqlSubjects(SqlAccess, ports.Subjects):
    """`ports.Subjects` on SQLite and PostgreSQL."""

    async def subject_versions(self, scheme: str, value: str, *, test: bool = False) -> Sequence[SubjectVersion]:
        key = (scheme, value, test)
        return (await self._read(lambda connection: subjects.read(connection, {key}))).get(key, [])
