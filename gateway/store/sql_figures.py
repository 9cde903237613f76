"""Figures and samples over SQLAlchemy: see `ports.Figures` and `ports.Samples`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from gateway.decide.facts import FiguresIn
from gateway.model import Draw, FigureSum, MadeReport
from gateway.store import figures, ports, samples
from gateway.store.sql_access import SqlAccess


class SqlFigures(SqlAccess, ports.Figures):
    """`ports.Figures` on SQLite and PostgreSQL."""

    async def last_figure(self, *, test: bool = False) -> int:
        return await self._read(lambda connection: figures.read_last(connection, test=test))

    async def figure_sums(self, wanted: FiguresIn) -> Sequence[FigureSum]:
        return await self._read(lambda connection: figures.read_sums(connection, wanted))

    async def reports(self, name: str, before: str, limit: int, *, test: bool = False) -> Sequence[MadeReport]:
        return await self._read(lambda connection: figures.read_reports(connection, name, before, limit, test=test))

    async def report(self, name: str, first: date, *, test: bool = False) -> MadeReport | None:
        return await self._read(lambda connection: figures.read_report(connection, name, first, test=test))


class SqlSamples(SqlAccess, ports.Samples):
    """`ports.Samples` on SQLite and PostgreSQL."""

    async def draws(
        self, plan: str, window: str, after: tuple[str, int], limit: int, *, test: bool = False
    ) -> Sequence[Draw]:
        return await self._read(lambda connection: samples.read_page(connection, plan, window, after, limit, test=test))
