"""Draws of samples and their tallies, as commit 2 writes them, and as decisions and auditors read them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, select

from gateway.model import Draw, Tally
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.store.sql import from_json, matching, maybe_from_time, maybe_to_time, to_json

_tallies, _draws = tables.tallies.c, tables.draws.c

TallyKey = tuple[str, str, str, bool]
"""(plan, stratum, window, test)."""
DrawKey = tuple[str, str, bool]
"""(plan, item, test)."""


def write_tally(batch: Batch, tally: Tally) -> None:
    """Collect the row of a tally as it is then."""
    row = (tally.plan, tally.stratum, tally.window, tally.test, tally.version, tally.drawn, tally.chosen)
    batch.insert(tables.tallies, row, "replace")


def write_draw(batch: Batch, draw: Draw) -> None:
    """Collect the row of a draw."""
    batch.insert(
        tables.draws,
        (
            draw.plan,
            draw.item,
            draw.test,
            draw.stratum,
            draw.window,
            draw.number,
            draw.fraction,
            draw.chosen,
            draw.reason,
            draw.chosen_before,
            to_json(dict(draw.terms)),
            draw.case_id,
            draw.by,
            maybe_to_time(draw.at),
        ),
    )


def read_tallies(connection: Connection, keys: Collection[TallyKey]) -> dict[TallyKey, Tally]:
    """Tallies by plan, stratum, window and traffic; those in which nothing was drawn are left out."""
    if not keys:
        return {}
    columns = (_tallies.plan, _tallies.stratum, _tallies.window, _tallies.test)
    return {
        (row.plan, row.stratum, row.window, row.test): Tally(
            row.plan, row.stratum, row.window, row.version, row.drawn, row.chosen, row.test
        )
        for row in connection.execute(select(tables.tallies).where(matching(columns, keys)))
    }


def read_draws(connection: Connection, keys: Collection[DrawKey]) -> dict[DrawKey, Draw]:
    """Draws by plan, item and traffic; what was not drawn is left out."""
    if not keys:
        return {}
    query = select(tables.draws).where(matching((_draws.plan, _draws.item, _draws.test), keys))
    return {(row.plan, row.item, row.test): _draw(row) for row in connection.execute(query)}


def read_page(
    connection: Connection, plan: str, window: str, after: tuple[str, int], limit: int, *, test: bool
) -> list[Draw]:
    """Draws of a plan in a window by stratum and number, those that come after a stratum and number."""
    stratum, number = after
    query = select(tables.draws).where(_draws.plan == plan, _draws.window == window, _draws.test == test)
    # The rest of the stratum, and then the others: each walks the index by itself.
    rest = query.where(_draws.stratum == stratum, _draws.number > number).order_by(_draws.number).limit(limit)
    others = query.where(_draws.stratum > stratum).order_by(_draws.stratum, _draws.number).limit(limit)
    found = [_draw(row) for row in connection.execute(rest)]
    if len(found) < limit:
        found += [_draw(row) for row in connection.execute(others)]
    return found[:limit]


def _draw(row: Row[Any]) -> Draw:
    return Draw(
        row.plan,
        row.stratum,
        row.window,
        row.item,
        row.number,
        row.fraction,
        row.chosen,
        row.reason,
        row.chosen_before,
        from_json(row.terms),
        row.case_id,
        row.by,
        maybe_from_time(row.at),
        row.test,
    )
