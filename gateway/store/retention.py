"""What may go to an archive by age, kind by kind: looked for page by page, read, and removed in small transactions.

What belongs to a case that is open or held by an operator stays, and so does what is not over: a payload that is not
decided, a delivery that waits. The receipt log is never touched, nor its tree. Each kind looks once more, in the
transaction that removes, at what it found before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Row, Table, delete, select

from gateway.decide.names import Name, case_name
from gateway.model import TaskState
from gateway.store import tables
from gateway.store.contract import Viewer
from gateway.store.payloads import OUTGOING, payload_names
from gateway.store.retained import DELIVERIES, FEEDS, TIMELINES
from gateway.store.sql import among, insert_rows, matching, to_json

DELIVERY, ENTRY, TIMELINE = "delivery", "entry", "timeline"
"""How it calls a delivery, an entry of a feed, and a case's timeline."""

_OVER: Final = frozenset({TaskState.DECIDED.value, TaskState.WITHDRAWN.value})
_done, _feed, _events = tables.deliveries_done.c, tables.feed.c, tables.case_events.c
_cases = tables.cases.c
_archived, _counters = tables.archived.c, tables.counters.c


@dataclass(frozen=True, slots=True)
class Terms:
    """What is old enough, and which words of a case say that it is closed."""

    until: int
    """Microseconds since 1970: what ended before may go."""
    closed: frozenset[str]
    at: int = 0
    """When it is archived."""


@dataclass(frozen=True, slots=True)
class Due:
    """Something that may go."""

    id: Any
    names: tuple[Name, ...] = ()
    """What removing it touches."""


@dataclass(frozen=True, slots=True)
class Look:
    """A page of what is old: what of it may go, how much is kept all the same, and where to go on (None at the end)."""

    due: tuple[Due, ...]
    kept: int
    place: Any


class Kind(Protocol):
    """A kind of things that are archived by age."""

    name: str
    tables: tuple[Table, ...]
    """What rows of it an archive holds."""
    first: Any
    """Where a walk begins."""

    def look(self, connection: Connection, place: Any, terms: Terms, limit: int) -> Look:
        """The next page from a place on."""

    def rows(self, connection: Connection, ids: Sequence[Any]) -> Iterator[tuple[Table, Row[Any]]]:
        """All rows of some things."""

    def files(self, ids: Sequence[Any]) -> Sequence[str]:
        """Digests of the large bodies among some things."""

    def remove(self, connection: Connection, ids: Sequence[Any], terms: Terms, archive: str) -> int:
        """Remove those of some things that still may go, and note where they are; how many."""


def kept_cases(connection: Connection, case_ids: Iterable[str], terms: Terms) -> set[str]:
    """Those of some cases of which nothing may go: open ones, those with an open task, and those held by an operator."""
    ids = sorted(set(case_ids) - {""})
    if not ids:
        return set()
    tasks, holds = tables.tasks.c, tables.holds.c
    standing = connection.execute(select(_cases.id, _cases.status).where(among(_cases.id, ids)))
    kept = {row.id for row in standing if row.status not in terms.closed}
    asked = connection.execute(select(tasks.case_id, tasks.state).where(among(tasks.case_id, ids)))
    kept |= {row.case_id for row in asked if row.state not in _OVER}
    return kept | set(connection.execute(select(holds.case_id).where(among(holds.case_id, ids))).scalars())


def note_archived(connection: Connection, kind: str, rows: Iterable[tuple[str, str, bool]], archive: str) -> None:
    """Note where things are: (id, partner, whether test traffic) each."""
    noted = [(kind, id_, archive, partner, test) for id_, partner, test in rows]
    insert_rows(connection, tables.archived, noted, "replace")


def find_archive(connection: Connection, kind: str, id_: str) -> Row[str, str, bool] | None:
    """Where something was put: archive, partner and traffic; None where it was not archived."""
    query = select(_archived.archive, _archived.partner_id, _archived.test)
    return connection.execute(query.where(_archived.kind == kind, _archived.id == id_)).one_or_none()


def seen_archive(connection: Connection, kind: str, id_: str, seen_by: Viewer) -> str:
    """The archive that something was put into; empty where it was not, or is nothing that the viewer may know of."""
    found = find_archive(connection, kind, id_)
    if found is None or (seen_by.test_only and not found.test):
        return ""
    mine = not seen_by.partner_id or found.partner_id == seen_by.partner_id
    return str(found.archive) if mine else ""


def entry_archive(connection: Connection, feed: str, sequence: int, readers: Collection[str], *, test: bool) -> str:
    """The archive that an entry of a feed was put into; empty where it was not, or was none of the readers'."""
    found = find_archive(connection, ENTRY, entry_name(feed, sequence, test=test))
    return str(found.archive) if found is not None and (not readers or found.partner_id in readers) else ""


def read_begin(
    connection: Connection, feed: str, after: int, readers: Collection[str], *, test: bool
) -> tuple[int, str]:
    """The last number of a feed that was archived, and the archive with what readers miss behind `after`, if they do.

    `readers` are a partner with its audiences; none, whoever reads everything.
    """
    query = select(_counters.value).where(_counters.name == begin_counter(feed, test=test))
    begin = connection.execute(query).scalar() or 0
    if after >= begin:
        return begin, ""
    behind = (_archived.id > entry_name(feed, after, test=test), _archived.id <= entry_name(feed, begin, test=test))
    missed = select(_archived.archive).where(_archived.kind == ENTRY, *behind).order_by(_archived.id).limit(1)
    if readers:
        missed = missed.where(among(_archived.partner_id, {"", *readers}))
    return begin, connection.execute(missed).scalar() or ""


class _Deliveries:
    """Deliveries that are over, with their attempts, answers and confirmations."""

    name: str = DELIVERIES
    tables: tuple[Table, ...] = (tables.deliveries_done, tables.attempts, tables.answers, tables.confirmations)
    first: Any = -1

    def look(self, connection: Connection, place: Any, terms: Terms, limit: int) -> Look:
        query = select(tables.deliveries_done).where(_done.sequence > place).order_by(_done.sequence).limit(limit)
        rows = connection.execute(query).all()
        old = [row for row in rows if row.finished_at < terms.until]
        free = self._free(connection, old, terms)
        due = tuple(Due(row.id, tuple(payload_names(row.payload_id))) for row in free)
        # Those that ended late lie between: the walk ends where a whole page is young.
        ends = len(rows) < limit or not old
        return Look(due, len(old) - len(due), None if ends else rows[-1].sequence)

    def _free(self, connection: Connection, rows: Sequence[Row[Any]], terms: Terms) -> list[Row[Any]]:
        kept = kept_cases(connection, (row.case_id for row in rows), terms)
        return [row for row in rows if row.case_id not in kept]

    def rows(self, connection: Connection, ids: Sequence[Any]) -> Iterator[tuple[Table, Row[Any]]]:
        by = (_done.id, tables.attempts.c.delivery_id, tables.answers.c.delivery_id, tables.confirmations.c.delivery_id)
        for one, column in zip(self.tables, by, strict=True):
            yield from ((one, row) for row in connection.execute(select(one).where(among(column, ids))))

    def files(self, ids: Sequence[Any]) -> Sequence[str]:  # noqa: ARG002 - their bodies are a kind of their own
        return ()

    def remove(self, connection: Connection, ids: Sequence[Any], terms: Terms, archive: str) -> int:
        rows = connection.execute(select(tables.deliveries_done).where(among(_done.id, ids))).all()
        free = self._free(connection, [row for row in rows if row.finished_at < terms.until], terms)
        going = [row.id for row in free]
        for one, column in (
            (tables.attempts, tables.attempts.c.delivery_id),
            (tables.answers, tables.answers.c.delivery_id),
            (tables.confirmations, tables.confirmations.c.delivery_id),
            (tables.deliveries_done, _done.id),
        ):
            connection.execute(delete(one).where(among(column, going)))
        note_archived(connection, DELIVERY, ((row.id, row.partner_id, row.test) for row in free), archive)
        note_archived(connection, OUTGOING, {(row.payload_id, "", row.test) for row in free}, archive)
        return len(going)


def entry_name(feed: str, sequence: int, *, test: bool) -> str:
    """How `tables.archived` calls an entry of a feed: in the order of their numbers."""
    return f"{'test' if test else 'live'}:{feed}:{sequence:019d}"


def begin_counter(feed: str, *, test: bool) -> str:
    """The counter that holds the last number of a feed that was archived."""
    return f"archived:{'test' if test else 'live'}:{feed}"


_ENTRY_KEY = (_feed.feed, _feed.test, _feed.sequence)


class _Feeds:
    """Entries of feeds, from each feed's beginning on without a gap: one that is kept keeps all behind it."""

    name: str = FEEDS
    tables: tuple[Table, ...] = (tables.feed,)
    first: Any = (0, -1)

    def look(self, connection: Connection, place: Any, terms: Terms, limit: int) -> Look:
        number, after = place
        feeds = self._feeds(connection)
        if number >= len(feeds):
            return Look((), 0, None)
        feed, test = feeds[number]
        query = select(tables.feed).where(_feed.feed == feed, _feed.test == test, _feed.sequence > after)
        rows = connection.execute(query.order_by(_feed.sequence).limit(limit)).all()
        old = [row for row in rows if row.at < terms.until]
        free = self._free(connection, rows, terms)
        payloads = self._payloads(connection, free)
        due = tuple(
            Due((feed, test, row.sequence), tuple(payload_names(payloads.get(row.message_id, "")))) for row in free
        )
        ends = len(rows) < limit or len(free) < len(rows)
        return Look(due, len(old) - len(due), (number + 1, -1) if ends else (number, rows[-1].sequence))

    def _feeds(self, connection: Connection) -> list[tuple[str, bool]]:
        begins = ("feed:live:", "feed:test:")
        found = connection.execute(select(_counters.name).where(_counters.name.startswith("feed:", autoescape=True)))
        names = [name for name in found.scalars() if name.startswith(begins)]
        return sorted((name.split(":", 2)[2], name.startswith(begins[1])) for name in names)

    def _free(self, connection: Connection, rows: Sequence[Row[Any]], terms: Terms) -> list[Row[Any]]:
        kept = kept_cases(connection, (row.case_id for row in rows), terms)
        free: list[Row[Any]] = []
        for row in rows:
            if row.at >= terms.until or row.case_id in kept:
                break
            free.append(row)
        return free

    def _payloads(self, connection: Connection, rows: Sequence[Row[Any]]) -> dict[str, str]:
        """The payload of each message that some entries are of."""
        messages = tables.messages.c
        named = {row.message_id for row in rows} - {""}
        found = connection.execute(select(messages.id, messages.payload_id).where(among(messages.id, named)))
        return {row.id: row.payload_id for row in found}

    def rows(self, connection: Connection, ids: Sequence[Any]) -> Iterator[tuple[Table, Row[Any]]]:
        yield from ((tables.feed, row) for row in self._read(connection, ids))

    def _read(self, connection: Connection, ids: Sequence[Any]) -> list[Row[Any]]:
        rows = connection.execute(select(tables.feed).where(matching(_ENTRY_KEY, ids))) if ids else ()
        return sorted(rows, key=lambda row: row.sequence)

    def files(self, ids: Sequence[Any]) -> Sequence[str]:  # noqa: ARG002 - their bodies are a kind of their own
        return ()

    def remove(self, connection: Connection, ids: Sequence[Any], terms: Terms, archive: str) -> int:
        removed = 0
        for feed, test in dict.fromkeys((feed, test) for feed, test, _ in ids):
            wanted = [one for one in ids if one[:2] == (feed, test)]
            free = self._free(connection, self._read(connection, wanted), terms)
            if not free:
                continue
            numbers = [row.sequence for row in free]
            going = matching(_ENTRY_KEY, [(feed, test, number) for number in numbers])
            connection.execute(delete(tables.feed).where(going))
            insert_rows(connection, tables.counters, [(begin_counter(feed, test=test), numbers[-1])], "replace")
            entries = ((entry_name(feed, row.sequence, test=test), row.partner_id, test) for row in free)
            note_archived(connection, ENTRY, entries, archive)
            payloads = {(one, "", test) for one in self._payloads(connection, free).values()}
            note_archived(connection, OUTGOING, payloads, archive)
            removed += len(free)
        return removed


_NEWEST = select(
    _cases.id,
    select(_events.at)
    .where(_events.case_id == _cases.id)
    .order_by(_events.id.desc())
    .limit(1)
    .correlate(tables.cases)
    .scalar_subquery()
    .label("at"),
)
"""Cases with the time of the newest event of each: one look into an index, however many it has."""


class _Timelines:
    """The events of cases that are closed, all of a case at once; where they are stands on the timeline in their place."""

    name: str = TIMELINES
    tables: tuple[Table, ...] = (tables.case_events,)
    first: Any = ""

    def look(self, connection: Connection, place: Any, terms: Terms, limit: int) -> Look:
        query = select(_cases.id).where(_cases.id > place).order_by(_cases.id).limit(limit)
        rows = connection.execute(query).all()
        before = time_prefix(terms)
        old = [row.id for row in rows if row.id < before]
        free, kept = self._free(connection, old, terms)
        ends = len(rows) < limit or len(old) < len(rows)
        return Look(tuple(Due(one, (case_name(one),)) for one in free), kept, None if ends else rows[-1].id)

    def _free(self, connection: Connection, ids: Sequence[str], terms: Terms) -> tuple[list[str], int]:
        """Those of some cases whose timelines may go, and how many others with an old one may not."""
        named = matching((_archived.kind, _archived.id), [(TIMELINE, one) for one in ids])
        gone = set(connection.execute(select(_archived.id).where(named)).scalars()) if ids else set()
        at = {row.id: row.at for row in connection.execute(_NEWEST.where(among(_cases.id, ids)))}
        old = [one for one in ids if one not in gone and (at.get(one) or terms.until) < terms.until]
        kept = kept_cases(connection, old, terms)
        return [one for one in old if one not in kept], len(kept)

    def rows(self, connection: Connection, ids: Sequence[Any]) -> Iterator[tuple[Table, Row[Any]]]:
        found = connection.execute(select(tables.case_events).where(among(_events.case_id, ids)))
        yield from ((tables.case_events, row) for row in found)

    def files(self, ids: Sequence[Any]) -> Sequence[str]:  # noqa: ARG002 - it has none
        return ()

    def remove(self, connection: Connection, ids: Sequence[Any], terms: Terms, archive: str) -> int:
        going, _ = self._free(connection, ids, terms)
        rows = connection.execute(select(_cases.id, _cases.test).where(among(_cases.id, going))).all()
        connection.execute(delete(tables.case_events).where(among(_events.case_id, going)))
        said = to_json({"archive": archive})
        events = [(row.id, terms.at, "archived", archive, "", "", "", said) for row in rows]
        insert_rows(connection, tables.case_events, events)
        note_archived(connection, TIMELINE, ((row.id, "", row.test) for row in rows), archive)
        return len(rows)


def time_prefix(terms: Terms) -> str:
    """With what ids begin that are of the time up to which things may go: what sorts before it is older."""
    return f"{terms.until // 1000:012x}"


KINDS: tuple[Kind, ...] = (_Timelines(), _Deliveries(), _Feeds())
"""Every kind but bodies, which have a module of their own."""
