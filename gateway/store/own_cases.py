"""Which cases a number finds, the newest first: of a number that thousands of cases bear, those of whoever asks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    literal,
    or_,
    select,
)

from gateway.decide.facts import MOST_OWN, OwnCases
from gateway.store import tables
from gateway.store.contract import CASES
from gateway.store.sql import among

_KINDS = 10
"""Kinds of number that one value may be of in the same case; there are not so many."""

STEPS = 2_000
"""Steps that are taken through the caller's cases and those of a number for one page: some ten milliseconds. Only where a
number has thousands of cases that lie between as many of the caller's own is there no end by then."""

_cases, _keys, _participants = tables.cases.c, tables.case_keys.c, tables.case_partners.c


def find_ids(connection: Connection, key: str, partner_id: str, after: str, *, test: bool) -> tuple[list[str], str]:
    """Ids of the cases of that id or number, the newest first, one more than a page has; and where the walk stood.

    Only those that `partner_id` takes part in, unless it is empty. Where the walk came to its end it stood nowhere.
    """
    named = [] if after else find_by_id(connection, key, partner_id, test=test)
    asked = {"key": key, "test": test, "partner": partner_id, "after": after, "steps": STEPS}
    rows = connection.execute(_NAMED[bool(partner_id), bool(after)], asked).all()
    ids = list(dict.fromkeys([*named, *(row.id for row in rows if row.found)]))  # a value may be of several kinds
    return ids, rows[-1].id if rows and rows[-1].step == STEPS else ""


def find_by_id(connection: Connection, case_id: str, partner_id: str, *, test: bool) -> list[str]:
    """The case of that id, where it is there, and `partner_id` takes part in it, unless that is empty.

    Of a case that is not there it is asked all the same: what is foreign must not take longer than what is missing.
    """
    found = connection.execute(select(_cases.id).where(_cases.id == case_id, _cases.test == test)).scalars().all()
    return _taking_part(connection, found, partner_id) if partner_id else list(found)


def find_own(connection: Connection, queries: Collection[OwnCases]) -> dict[OwnCases, list[str]]:
    """Ids of the cases of each query, by id: the newest of the number in which the partner takes part."""
    return {
        query: sorted(find_ids(connection, query.key, query.partner, "", test=query.test)[0][:MOST_OWN])
        for query in queries
    }


def _taking_part(connection: Connection, ids: Sequence[str], partner_id: str) -> list[str]:
    """Those of some cases that a partner takes part in, in the same order."""
    query = select(_participants.case_id).where(
        among(_participants.case_id, ids), _participants.partner_id == partner_id
    )
    own = set(connection.execute(query).scalars())
    return [id_ for id_ in ids if id_ in own]


def _named(*, own: bool, after: bool) -> Select[Any]:
    """Ids of cases that a number finds, the newest first, one more than a page has; with `own` the caller's alone.

    The caller's cases and those of the number stand in one order, and are walked by turns: from the newest of the
    number to the next of the caller's that is no newer, from there to the next of the number, and so on. So cases of
    others are passed over by the thousand in one step, however many bear the number, and the walk ends where either
    ends, or after so many steps. It meets no row but the caller's own, so that no page can begin or end at another's.
    The last row may be one where the walk stood without having `found` a case.
    """
    before = [_keys.case_id < bindparam("after")] if after else []
    if not own:
        all_of_it = _of_number(*before).add_columns(literal(0).label("step"), literal(1).label("found"))
        return all_of_it.limit((CASES + 1) * _KINDS)
    first = select(_newest_own(_of_number(*before)).label("own"), literal(1).label("step"))
    walk = first.cte("walk", recursive=True)
    further = select(_newest_own(_of_number(_keys.case_id < walk.c.own)), walk.c.step + 1)
    walk = walk.union_all(further.where(walk.c.own.is_not(None), walk.c.step < bindparam("steps", type_=Integer)))
    # Looked up for each, since PostgreSQL would read all cases of the number for an EXISTS.
    of_number = _of_number(_keys.case_id == walk.c.own).limit(1).correlate(walk).scalar_subquery()
    found = walk.c.own == of_number
    stands = and_(walk.c.step == bindparam("steps", type_=Integer), walk.c.own.is_not(None))
    return select(walk.c.own.label("id"), walk.c.step, found.label("found")).where(or_(found, stands)).limit(CASES + 1)


def _of_number(*where: ColumnElement[bool]) -> Select[Any]:
    number = (_keys.value == bindparam("key"), _keys.test == bindparam("test"))
    return select(_keys.case_id.label("id")).where(*number, *where).order_by(_keys.case_id.desc())


def _newest_own(up_to: Select[Any]) -> ScalarSelect[Any]:
    """The newest of the caller's cases that is no newer than the first of `up_to`."""
    first = up_to.limit(1).correlate_except(tables.case_keys).scalar_subquery()
    own = (_participants.partner_id == bindparam("partner"), _participants.case_id <= first)
    return (
        select(_participants.case_id)
        .where(*own)
        .order_by(_participants.case_id.desc())
        .limit(1)
        .correlate_except(tables.case_partners)
        .scalar_subquery()
    )


_NAMED = {(own, after): _named(own=own, after=after) for own in (False, True) for after in (False, True)}
