"""Commit 2: what a payload came to, written whole or not at all.

Outcomes of a batch are judged together, with one query for each kind of thing they rest on. Where
one writes what a later one reads, the later one waits for the next wave: it is judged after the
first has been written, so that it sees what moved.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, delete, select, update

from gateway.decide.facts import Query
from gateway.decide.names import (
    Name,
    case_name,
    draw_name,
    figures_name,
    key_names,
    ledger_name,
    links_name,
    report_name,
    subject_name,
    subscriptions_name,
    tally_name,
    task_name,
    tasks_name,
    wait_key_names,
    wait_name,
    work_name,
)
from gateway.errors import FactsMoved, GatewayError, LeaseLost
from gateway.model import Finding, InterchangeRef
from gateway.store import (
    cases,
    deadlines,
    deliveries,
    facts,
    figures,
    ledgers,
    payloads,
    samples,
    subjects,
    subscriptions,
    tables,
    tasks,
)
from gateway.store.batch import Batch
from gateway.store.bodies import insert_body
from gateway.store.contract import SUBSCRIPTIONS, MessageRecord, Outcome, Standing, Wait, Work, WorkKind
from gateway.store.counters import REGISTRY
from gateway.store.feeds import append_entries, feed_counter
from gateway.store.participation import find_participants
from gateway.store.sql import among, matching, pack_json, to_json, to_time
from gateway.store.writer import Answers

_payloads, _interchanges, _inbox = tables.payloads.c, tables.interchanges.c, tables.inbox.c


def commit(batch: Batch, outcomes: Sequence[Outcome]) -> Callable[[], Answers[None]]:
    """Write outcomes; FactsMoved or LeaseLost for those that may not be written any more."""
    answers: dict[int, GatewayError | None] = {}
    numbered: list[Callable[[], None]] = []
    for wave in _waves(outcomes):
        judged = _Judge(batch.connection, [outcomes[place] for place in wave])
        accepted: list[Outcome] = []
        for place in wave:
            answers[place] = judged.fault(outcomes[place])
            if answers[place] is None:
                accepted.append(outcomes[place])
        if accepted:
            numbered.append(_write(batch, accepted, judged))
            batch.flush()

    def finish() -> list[GatewayError | None]:
        batch.read_counters(_counters(outcomes))
        for write in numbered:
            write()
            batch.flush()
        return [answers[place] for place in range(len(outcomes))]

    return finish


# Which outcomes may be judged side by side.


def _waves(outcomes: Sequence[Outcome]) -> Iterable[list[int]]:
    """Places of outcomes that nothing earlier in the same wave writes to; every outcome in some wave, in order."""
    remaining = list(range(len(outcomes)))
    touched = [(_reads(outcome), _writes(outcome)) for outcome in outcomes]
    while remaining:
        wave: list[int] = []
        later: list[int] = []
        written: set[Name] = set()
        for place in remaining:
            reads, writes = touched[place]
            if written.isdisjoint(reads) and written.isdisjoint(writes):
                wave.append(place)
            else:
                later.append(place)
            written |= writes  # of those that wait as well: nothing may overtake them
        yield wave
        remaining = later


def _reads(outcome: Outcome) -> set[Name]:
    """Names of everything the outcome rests on."""
    return set(outcome.facts.touches()) if outcome.facts else set()


def _writes(outcome: Outcome) -> set[Name]:
    """Names of everything the outcome changes that another one may rest on."""
    found: set[Name] = {work_name(outcome.work.kind, outcome.work.id)}
    found.update(
        ("interchange", ref.syntax, ref.sender, ref.recipient, ref.reference, ref.test)
        for ref, _ in outcome.interchanges
    )
    for change in outcome.cases:
        if not change.noted:
            found.add(case_name(change.case_id))
            found.update(key_names(change.add_keys, test=change.test))
    for task in outcome.tasks:
        found.update((task_name(task.id), tasks_name(task.case_id)))
    found.update(subject_name(one.scheme, one.value, test=one.test) for one in outcome.subjects)
    found.update(links_name(case_id) for link in outcome.links for case_id in (link.case_id, link.other_id))
    found.update(work_name(WorkKind.DEADLINE, deadline_id) for deadline_id in outcome.deadlines)
    for wait in outcome.waits:
        found.add(wait_name(wait.id))
        found.update(wait_key_names(wait.keys, test=wait.test))
    found.update(map(wait_name, outcome.attached))
    found.update(ledger_name(one.account.name, test=one.account.test) for one in outcome.accounts)
    for one in outcome.subscriptions:
        # The registry's version, too, is counted on, so that all nodes learn of it.
        found.update((subscriptions_name(one.partner_id, test=one.test), ("counter", REGISTRY)))
    found.update(figures_name(one.subject, test=one.test) for one in outcome.figures if one.subject)
    found.update(report_name(one.name, test=one.test) for one in outcome.reports)
    found.update(tally_name(one.plan, one.stratum, one.window, test=one.test) for one in outcome.tallies)
    found.update(draw_name(one.plan, one.item, test=one.test) for one in outcome.draws)
    found.update(("delivery", delivery.id) for delivery in outcome.deliveries)
    found.update(("delivery", answer.delivery_id) for answer in outcome.answers)
    found.update(("document", entry.document_id) for entry in outcome.feed)
    return found


def outcome_names(outcome: Outcome) -> Iterable[Name]:
    """What commit 2 of a payload touches: all that it rests on, and all that it changes."""
    yield from _reads(outcome)
    yield from _writes(outcome)
    yield from deliveries.lane_names(delivery.lane for delivery in outcome.deliveries)


# Whether an outcome may still be written.


_TRAFFIC = select(_payloads.id, _payloads.test).where(among.named(_payloads.id, "ids"))


K = TypeVar("K")


class _Judge:
    """What a wave of outcomes rests on, as it is now."""

    def __init__(self, connection: Connection, outcomes: Sequence[Outcome]) -> None:
        ids = {kind: [o.work.id for o in outcomes if o.work.kind is kind] for kind in WorkKind}
        self.inbox = payloads.read_fences(connection, ids[WorkKind.PAYLOAD])
        self._deadlines = deadlines.read_fences(connection, ids[WorkKind.DEADLINE])
        rows = connection.execute(_TRAFFIC, {"ids": ids[WorkKind.PAYLOAD]}) if ids[WorkKind.PAYLOAD] else ()
        self.test = {row.id: row.test for row in (*rows, *self._deadlines.values())}
        """Whether it is test traffic, by id of a piece of work."""
        asked: set[Query] = {
            query
            for outcome in outcomes
            if outcome.facts
            for query, answer in outcome.facts.answers.items()
            if answer.version
        }
        self._versions = facts.versions(connection, asked)
        self.cases = facts.read_versions(
            connection, {change.case_id for outcome in outcomes for change in outcome.cases if not change.noted}
        )
        self._tasks = tasks.read(connection, {task.id for outcome in outcomes for task in outcome.tasks})
        accounts = ledgers.read(
            connection, {(one.account.name, one.account.test) for outcome in outcomes for one in outcome.accounts}
        )
        self._accounts = {key: account.version for key, account in accounts.items()}
        owners = {(one.partner_id, one.test) for outcome in outcomes for one in outcome.subscriptions}
        known = subscriptions.of_partners(connection, owners).values()
        self._subscriptions = {(one.partner_id, one.name, one.test): one.version for mine in known for one in mine}
        tallies = samples.read_tallies(
            connection, {(one.plan, one.stratum, one.window, one.test) for o in outcomes for one in o.tallies}
        )
        self._tallies = {key: tally.version for key, tally in tallies.items()}
        self._subjects = subjects.newest(
            connection, {(one.scheme, one.value, one.test) for outcome in outcomes for one in outcome.subjects}
        )
        self._interchanges = find_interchanges(connection, [ref for o in outcomes for ref, _ in o.interchanges])

    def fault(self, outcome: Outcome) -> GatewayError | None:
        """Why `outcome` may not be written; None where it may."""
        held = self._held(outcome.work)
        if held is None or held.fence != outcome.work.fence:
            return LeaseLost(work=outcome.work.id)
        for query, answer in (outcome.facts.answers if outcome.facts else {}).items():
            if answer.version and self._versions[query] != answer.version:
                return FactsMoved(work=outcome.work.id, query=query)
        return (
            self._moved_case(outcome)
            or self._moved_task(outcome)
            or self._moved_account(outcome)
            or self._moved_subscription(outcome)
            or self._moved_tally(outcome)
            or self._moved_subject(outcome)
            or self._used_interchange(outcome)
        )

    def _held(self, work: Work) -> Row[Any] | None:
        return (self.inbox if work.kind is WorkKind.PAYLOAD else self._deadlines).get(work.id)

    def _moved_case(self, outcome: Outcome) -> GatewayError | None:
        expected: dict[str, int] = {}
        for change in outcome.cases:
            if change.noted:
                continue
            head = self.cases.get(change.case_id)
            # A case that several messages of the outcome change is changed step by step.
            if expected.get(change.case_id, head.version if head else 0) != change.expected_version:
                return FactsMoved(work=outcome.work.id, case_id=change.case_id)
            expected[change.case_id] = change.expected_version + 1
            if head and head.test != change.test:
                raise ValueError(f"test and live traffic meet in case {change.case_id}")
        return None

    def _moved_task(self, outcome: Outcome) -> GatewayError | None:
        expected: dict[str, int] = {}
        for task in outcome.tasks:
            known = self._tasks.get(task.id)
            if expected.get(task.id, known.version if known else 0) >= task.version:
                return FactsMoved(work=outcome.work.id, task_id=task.id)
            expected[task.id] = task.version
        return None

    def _moved_account(self, outcome: Outcome) -> GatewayError | None:
        made = [((one.account.name, one.account.test), one.account.version) for one in outcome.accounts]
        moved = _find_moved(made, self._accounts)
        return None if moved is None else FactsMoved(work=outcome.work.id, account=moved[0])

    def _moved_subscription(self, outcome: Outcome) -> GatewayError | None:
        made = [((one.partner_id, one.name, one.test), one.version) for one in outcome.subscriptions]
        moved = _find_moved(made, self._subscriptions)
        return None if moved is None else FactsMoved(work=outcome.work.id, subscription=moved[1])

    def _moved_tally(self, outcome: Outcome) -> GatewayError | None:
        made = [((one.plan, one.stratum, one.window, one.test), one.version) for one in outcome.tallies]
        moved = _find_moved(made, self._tallies)
        return None if moved is None else FactsMoved(work=outcome.work.id, plan=moved[0], stratum=moved[1])

    def _moved_subject(self, outcome: Outcome) -> GatewayError | None:
        made = [((one.scheme, one.value, one.test), one.version) for one in outcome.subjects]
        moved = _find_moved(made, self._subjects)
        return None if moved is None else FactsMoved(work=outcome.work.id, subject=f"{moved[0]} {moved[1]}")

    def _used_interchange(self, outcome: Outcome) -> GatewayError | None:
        for ref, window in outcome.interchanges:
            received_at = self.inbox[outcome.work.id].received_at
            if used_before(self._interchanges.get(ref, ()), outcome.work.id, received_at, window):
                return FactsMoved(work=outcome.work.id, reference=ref.reference)
        return None


def _find_moved(made: Iterable[tuple[K, int]], known: Mapping[K, int]) -> K | None:
    """The first of what is made whose version is not the next one after what is known; None where all are.

    What several messages of an outcome change is changed step by step.
    """
    expected: dict[K, int] = {}
    for key, version in made:
        if expected.get(key, known.get(key, 0)) + 1 != version:
            return key
        expected[key] = version
    return None


def used_before(uses: Sequence[Row[Any]], payload_id: str, received_at: int, window: timedelta) -> str:
    """The first payload but `payload_id` that used a reference within `window` of its arrival; empty where none did.

    Both look-up and commit judge by this, from the arrivals alone: by the clock, a payload that waits across the
    window's edge would be a duplicate for the one and none for the other.
    """
    reach = window // timedelta(microseconds=1)
    return next(
        (one.payload_id for one in uses if one.payload_id != payload_id and abs(one.at - received_at) <= reach), ""
    )


_REFERENCE = (
    _interchanges.sender,
    _interchanges.recipient,
    _interchanges.reference,
    _interchanges.syntax,
    _interchanges.test,
)


def _reference(ref: InterchangeRef) -> tuple[str, str, str, str, bool]:
    """A reference as its table begins."""
    return ref.sender, ref.recipient, ref.reference, ref.syntax.value, ref.test


def find_interchanges(connection: Connection, refs: Collection[InterchangeRef]) -> dict[InterchangeRef, list[Row[Any]]]:
    """When, and in which payloads, these references were used, the first one first."""
    found: dict[InterchangeRef, list[Row[Any]]] = {}
    if not refs:
        return found
    wanted = set(refs)
    query = select(tables.interchanges).where(matching(_REFERENCE, [_reference(ref) for ref in wanted]))
    for row in sorted(connection.execute(query), key=lambda row: row.at):
        ref = InterchangeRef(row.syntax, row.sender, row.recipient, row.reference, row.test)
        if ref in wanted:
            found.setdefault(ref, []).append(row)
    return found


# Writing.


def _write(batch: Batch, outcomes: Sequence[Outcome], judged: _Judge) -> Callable[[], None]:
    """Write what needs no number; gives what writes the rest, once the log has been entered."""
    connection = batch.connection
    for outcome in outcomes:
        for ref, _ in outcome.interchanges:
            received_at = judged.inbox[outcome.work.id].received_at
            batch.insert(tables.interchanges, (*_reference(ref), received_at, outcome.work.id), "ignore")
        for message in outcome.messages:
            batch.insert(tables.messages, message_row(message), "replace")
        messages = cases.messages_by_case(outcome.messages)
        for change in outcome.cases:
            cases.write(batch, change, messages)
        for part in find_participants(outcome):
            batch.insert(tables.case_partners, part, "ignore")
        for link in outcome.links:
            batch.insert(tables.case_links, (link.case_id, link.kind, link.other_id), "ignore")
        for task in {task.id: task for task in outcome.tasks}.values():
            tasks.write(batch, task)
        _write_subscriptions(batch, outcome)
        for posted in outcome.accounts:
            ledgers.write(batch, posted)
        for tally in {(one.plan, one.stratum, one.window, one.test): one for one in outcome.tallies}.values():
            samples.write_tally(batch, tally)
        for draw in outcome.draws:
            samples.write_draw(batch, draw)
        for report in outcome.reports:
            figures.write_report(batch, report)
        for version in outcome.subjects:
            subjects.write(batch, version)
        for wait in outcome.waits:
            # One that found its case within the outcome never waits.
            if wait.id not in outcome.attached:
                _write_wait(batch, wait)
        for delivery in outcome.deliveries:
            insert_body(batch, delivery.id, delivery.sha256, delivery.body)
        for entry in outcome.feed:
            insert_body(batch, entry.document_id, entry.sha256, entry.body)
    attached = [wait_id for outcome in outcomes for wait_id in outcome.attached]
    if attached:
        connection.execute(delete(tables.waits).where(among(tables.waits.c.id, attached)))
    heard = deliveries.hear(batch, [one for outcome in outcomes for one in outcome.answers])
    processed = [outcome.work.id for outcome in outcomes if outcome.finished and not outcome.failed]
    if processed and batch.shared:
        batch.hold(deliveries.lane_names(deliveries.staged_lanes(connection, processed)))
    deadlines.remove(connection, [o.work.id for o in outcomes if o.work.kind is WorkKind.DEADLINE and o.finished])
    for outcome in outcomes:
        deadlines.write(batch, outcome.deadlines)
    _advance(batch, [o for o in outcomes if o.work.kind is WorkKind.PAYLOAD], judged.inbox)

    def number() -> None:
        for outcome in outcomes:
            for receipt in outcome.receipts:
                batch.append(receipt)
            for entry in outcome.audit:
                batch.tell(entry)
            figures.append(batch, outcome.figures)
        append_entries(batch, [entry for outcome in outcomes for entry in outcome.feed])
        deliveries.enqueue(batch, [(outcome.work.id, one) for outcome in outcomes for one in outcome.deliveries])
        deliveries.answer(batch, heard)
        if processed:
            batch.flush()  # what the last chunk staged is released with the rest
            deliveries.release(batch, processed)

    return number


def _counters(outcomes: Sequence[Outcome]) -> Iterable[str]:
    yield deliveries.SEQUENCE
    for outcome in outcomes:
        for entry in outcome.feed:
            yield feed_counter(entry.feed, entry.test)
        for figure in outcome.figures:
            yield figures.figure_counter(test=figure.test)


def message_row(message: MessageRecord) -> tuple[Any, ...]:
    """A message as its table keeps it."""
    return (
        message.id,
        message.payload_id,
        message.number,
        message.partner_id,
        message.syntax.value,
        message.format,
        message.reference,
        message.state.value,
        to_time(message.at),
        message.interchange,
        message.document_type,
        None if message.document is None else pack_json(message.document),
        to_json([_finding(finding) for finding in message.findings]) if message.findings else "[]",
        message.case_id,
        message.test,
        message.schema_digest,
        message.mapping_digest,
        message.parent_id,
    )


def _finding(finding: Finding) -> dict[str, Any]:
    """A finding without what is not known of its place."""
    place = {name: value for name, value in asdict(finding.place).items() if value not in (None, "")}
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "place": place,
        "value": finding.value,
        "args": dict(finding.args),
    }


def _write_subscriptions(batch: Batch, outcome: Outcome) -> None:
    """Subscriptions as they are then; every node learns by the registry's version that they have changed."""
    if not outcome.subscriptions:
        return
    batch.insert(tables.registry_changes, (SUBSCRIPTIONS, batch.next_number(REGISTRY)), "replace")
    for one in outcome.subscriptions:
        subscriptions.write(batch, one)


def _write_wait(batch: Batch, wait: Wait) -> None:
    keys = sorted(wait.keys)
    batch.insert(
        tables.waits,
        (
            wait.id,
            wait.document_type,
            to_json(keys),
            to_json(wait.document),
            wait.message_id,
            wait.partner_id,
            wait.test,
        ),
        "replace",
    )
    for kind, value in keys:
        batch.insert(tables.wait_keys, (value, kind, wait.test, wait.id), "ignore")


_UNSTAGE = delete(tables.staged_messages).where(among.named(tables.staged_messages.c.payload_id, "ids"))


def _advance(batch: Batch, outcomes: Sequence[Outcome], inbox: Mapping[str, Row[Any]]) -> None:
    """Move each payload's resume position, or take it out of the inbox with all that was staged for it."""
    connection = batch.connection
    finished: list[payloads.Finished] = []
    for outcome in outcomes:
        so_far = Standing(inbox[outcome.work.id].verdict)
        verdict = so_far.with_messages(message.state for message in outcome.messages if not message.parent_id)
        if not outcome.finished:
            connection.execute(
                update(tables.inbox)
                .where(_inbox.payload_id == outcome.work.id)
                .values(position=outcome.position, verdict=verdict.value)
            )
        elif outcome.failed:
            finished.append(payloads.Finished(outcome.work.id, Standing.FAILED, outcome.failed))
        else:
            # A readable envelope without any message, or nothing readable at all, was rejected as a whole.
            finished.append(payloads.Finished(outcome.work.id, verdict or Standing.REJECTED, _why(outcome)))
    if not finished:
        return
    if failed := [one.work.id for one in outcomes if one.finished and one.failed]:
        deliveries.drop_staged(connection, failed)
    connection.execute(_UNSTAGE, {"ids": [one.payload_id for one in finished]})
    payloads.finish(connection, finished)


def _why(outcome: Outcome) -> str:
    """What the operator is told of a payload that is finished with; empty where nothing went wrong."""
    if outcome.failed or not outcome.faults:
        return outcome.failed
    return f"gateway.fault: {outcome.faults} of its messages could not be processed"
