"""Store values as REST resources, cut to what the caller may see.

A partner sees what it sent, what is meant for it, and how far its consignments have come; of other
recipients it learns the role and the state, never an identifier, a reference or the bytes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from gateway import findings, model
from gateway.check.report_rules import ReportRule
from gateway.check.risk_rules import RiskPoint
from gateway.check.views import ViewRules
from gateway.decide.persons import AUTOMATIC, Permit
from gateway.decide.views import find_views
from gateway.decide.watch import record_of
from gateway.documents.base import without_version
from gateway.languages import CHINESE, choose_language
from gateway.reasons import maybe_read_reasons, say_reasons
from gateway.store import contract
from gateway.web import cursor, resources
from gateway.web.identity import Caller


def receipt(leaf: model.Receipt) -> resources.Receipt:
    """A leaf of the log."""
    return resources.Receipt(
        index=leaf.index,
        stage=leaf.stage.value,
        subject=leaf.subject_id,
        body=leaf.body.decode(),
        link=f"/v1/receipts/{leaf.index}",
        proof=f"/v1/receipts/{leaf.index}/proof",
    )


def proven(found: contract.Proven) -> resources.ProvenReceipt:
    """A leaf with its proof."""
    return resources.ProvenReceipt(
        receipt=receipt(found.receipt), size=found.size, inclusion=hashes(found.proof), checkpoint=found.checkpoint
    )


def hashes(proof: Iterable[bytes]) -> list[str]:
    """Hashes in base64."""
    return [base64.b64encode(hash_).decode() for hash_ in proof]


def finding(found: model.Finding, language: str) -> resources.Finding:
    """A finding in words."""
    place = found.place
    return resources.Finding(
        code=found.code,
        severity=found.severity.value,
        text=findings.text(found, language),
        place=None
        if place == model.Place()
        else resources.Place(
            segment=place.segment,
            tag=place.tag or None,
            element=place.element,
            component=place.component,
            repetition=place.repetition,
            path=place.path or None,
            line=place.line,
        ),
        value=found.value or None,
    )


MOST_FINDINGS = 500
"""Findings that are told of the last message on a page: some 200 KB. The store ends a page at a message with more."""


def message(
    record: contract.MessageRecord, language: str, begin: int = 0, most: int | None = None
) -> resources.Message:
    """A message with its findings in words, from number `begin` on, `most` of them."""
    told = record.findings[begin:][:most]
    count = len(record.findings) + record.untold
    end = begin + len(told)
    return resources.Message(
        id=record.id,
        number=record.number,
        format=record.format,
        reference=record.reference,
        interchange=record.interchange,
        state=record.state.value,
        document=record.document_type or None,
        case=record.case_id or None,
        test=record.test,
        findings=[finding(f, language) for f in told],
        findings_count=count,
        findings_link=f"/v1/messages/{record.payload_id}?cursor={further(record, end)}"
        if end < count and not record.parent_id
        else None,
        raised_by=record.parent_id or None,
    )


def subject(versions: Sequence[model.SubjectVersion]) -> resources.Subject:
    """What is registered of a subject, in the order in which it was."""
    return resources.Subject(
        scheme=versions[0].scheme,
        value=versions[0].value,
        versions=[
            resources.SubjectVersion(
                version=one.version,
                valid_from=one.valid_from,
                state=one.state,
                name=one.name or None,
                attributes=dict(one.attributes),
            )
            for one in versions
        ],
    )


def exhibit(one: model.Exhibit) -> resources.Evidence:
    """A piece of evidence; whose it is, is its owner's to tell."""
    return resources.Evidence(
        id=one.id,
        sha256=one.sha256,
        size=one.size,
        media_type=one.media_type,
        taken_at=one.taken_at,
        device=one.device or None,
        received_at=one.received_at,
        test=one.test,
        link=f"/v1/evidence/{one.id}/body",
    )


def messages_of(payload_id: str) -> str:
    """The name of the list of a payload's messages, for its cursors."""
    return f"messages of {payload_id}"


def further(record: contract.MessageRecord, begin: int) -> str:
    """The cursor of a message's findings from number `begin` on, and of the messages behind it."""
    return cursor.encode(messages_of(record.payload_id), f"{record.number - 1} {begin}")


def next_of(view: contract.PayloadView, begin: int) -> str | None:
    """The cursor of what follows a page, whose first message is told from its finding `begin` on; None at the end."""
    if not view.messages:
        return None
    last = view.messages[-1]
    end = (begin if len(view.messages) == 1 else 0) + MOST_FINDINGS
    if end < len(last.findings):
        return further(last, end)
    return None if view.next is None else cursor.encode(messages_of(last.payload_id), view.next)


def delivery(sent: model.Delivery, caller: Caller, roles: Mapping[str, str]) -> resources.Delivery:
    """A delivery; another recipient's is cut to role and state. `roles` is by partner id."""
    own = caller.everything or sent.partner_id == caller.partner.id
    readable = own and sent.kind is not model.DeliveryKind.DOCUMENT
    return resources.Delivery(
        id=sent.id,
        kind=sent.kind.value,
        document=sent.document_type,
        format=sent.format if own else None,
        recipient=sent.partner_id if own else None,
        role=roles.get(sent.partner_id),
        state=sent.state.value,
        attempts=sent.attempts,
        body=sent.body.decode("utf-8", "replace") if readable and sent.body else None,
    )


def offer(entry: model.FeedEntry) -> resources.Offer:
    """Something to fetch."""
    return resources.Offer(
        document=entry.document_type,
        format=entry.format,
        body=entry.body.decode("utf-8", "replace") if entry.body else None,
        link=link(entry),
    )


def link(entry: model.FeedEntry) -> str:
    """Where the document of a feed's entry is found."""
    return f"/v1/feeds/{entry.feed}/{entry.sequence}{'?test=true' if entry.test else ''}"


def payload(
    view: contract.PayloadView, caller: Caller, language: str, roles: Mapping[str, str], begin: int = 0
) -> resources.Payload:
    """A payload with a page of its messages and what became of these; the first is told from finding `begin` on."""
    stored = view.payload
    answers = [d for d in view.deliveries if d.partner_id == stored.partner_id and d.kind in _ANSWERS]
    others = [d for d in view.deliveries if d not in answers]
    return resources.Payload(
        id=stored.id,
        state=view.standing.value,
        received_at=stored.received_at,
        sha256=stored.sha256,
        size=stored.size,
        transport=stored.transport,
        content_type=stored.content_type or None,
        filename=stored.filename or None,
        test=stored.test,
        messages=[
            message(m, language, 0 if place else begin, MOST_FINDINGS if m is view.messages[-1] else None)
            for place, m in enumerate(view.messages)
        ],
        acknowledgements=[delivery(d, caller, roles) for d in answers],
        deliveries=[delivery(d, caller, roles) for d in others],
        offered=[offer(entry) for entry in view.offered],
        receipts=[receipt(r) for r in view.receipts],
        next=next_of(view, begin),
        progress=_progress(view.progress),
    )


def _progress(found: contract.Progress | None) -> resources.Progress | None:
    return resources.Progress(staged=found.staged, decided=found.decided) if found is not None else None


_ANSWERS = (model.DeliveryKind.ACKNOWLEDGEMENT, model.DeliveryKind.RESPONSE)


def summary(view: contract.PayloadLine) -> resources.PayloadSummary:
    """A payload as a line of a list."""
    stored = view.payload
    return resources.PayloadSummary(
        id=stored.id,
        state=view.standing.value,
        received_at=stored.received_at,
        sha256=stored.sha256,
        size=stored.size,
        test=stored.test,
    )


def case(
    view: contract.CaseView,
    caller: Caller,
    language: str,
    roles: Mapping[str, str],
    rules: ViewRules,
    earlier: str | None = None,
) -> resources.Case:
    """A case, cut to what `rules` let the caller see of it; `earlier` is the cursor of the older piece of it."""
    everything = caller.everything
    own_messages = [m for m in view.messages if everything or m.partner_id == caller.partner.id]
    owner = everything or view.partner_id == caller.partner.id
    own_deliveries = [d for d in view.deliveries if d.partner_id == caller.partner.id]
    names = find_views(rules, caller.partner, view)
    shown = rules.shown(view.kind, names)
    keys: dict[str, list[str]] = {}
    deliveries = {d.id: d for d in (*view.deliveries, *view.spoken_of)}
    for kind, value in sorted(view.keys):
        if everything or kind in shown.keys:
            keys.setdefault(kind, []).append(value)
    return resources.Case(
        id=view.id,
        status=view.status,
        status_text=findings.word(view.status, language),
        kind=view.kind,
        tracks=[
            resources.Track(
                name=name, state=state, text=f"{findings.word(name, language)}: {findings.word(state, language)}"
            )
            for name, state in sorted(view.tracks.items())
            if everything or name in shown.tracks
        ],
        test=view.test,
        keys=keys,
        documents=dict(_documents(view, rules, None if everything else names)),
        events=[
            _event(e, caller, language, owner, deliveries.get(e.delivery_id), roles)
            for e in view.events
            if everything or not (track := _text(e, "track")) or track in shown.tracks
        ],
        messages=[message(m, language) for m in own_messages],
        deliveries=[delivery(d, caller, roles) for d in view.deliveries if owner or d.partner_id == caller.partner.id],
        receipts=[receipt(r) for r in view.receipts if everything or _concerns(r, own_messages, own_deliveries)],
        earlier=earlier,
    )


def _documents(
    view: contract.CaseView, rules: ViewRules, names: frozenset[str] | None
) -> Iterable[tuple[str, dict[str, Any]]]:
    """The case's documents as these views see them; whole without any views, for the operator."""
    for name, document in view.documents.items():
        if names is None:
            yield name, without_version(document)
        elif (seen := rules.cut_values(name, document, names)) is not None:
            yield name, seen


def _concerns(
    leaf: model.Receipt, messages: Sequence[contract.MessageRecord], deliveries: Sequence[model.Delivery]
) -> bool:
    """Whether a receipt is about something the caller sent or was sent; it is written for those two (receipt.signed)."""
    # What was raised in the caller's name came of a payload that is its sender's.
    sent = {m.payload_id for m in messages if not m.parent_id}
    subjects = {m.id for m in messages} | sent | {d.id for d in deliveries}
    return leaf.subject_id in subjects or json.loads(leaf.body).get("message") in subjects


def _event(
    event: model.CaseEvent,
    caller: Caller,
    language: str,
    owner: bool,
    sent: model.Delivery | None,
    roles: Mapping[str, str],
) -> resources.Event:
    """An event in words. Of another partner's doings only the kind, the time and the statuses are told.

    The owner of the case learns what went to whom by role, as it sees the deliveries themselves.
    """
    own = caller.everything or event.partner_id in ("", caller.partner.id)
    by = _text(event, "person")
    before, after = _text(event, "from"), _text(event, "to") or _text(event, "status")
    return resources.Event(
        at=event.at,
        kind=event.kind,
        text=_words(event, language, own, sent if own or owner else None, roles),
        track=_text(event, "track") or None,
        status_from=before or None,
        status_to=after or None,
        decided_by=by if by.startswith(AUTOMATIC) or (by and own) else None,
        office=(_text(event, "office") or None) if own else None,
        message=(event.message_id or None) if own else None,
        delivery=(event.delivery_id or None) if own else None,
    )


def _words(
    event: model.CaseEvent,
    language: str,
    own: bool,
    sent: model.Delivery | None,
    roles: Mapping[str, str],
) -> str | None:
    """What an event says: its kind in words, and the reasons that were kept with it."""
    kind = event.kind
    words = {
        name: findings.word(_text(event, name), language)
        for name in ("track", "from", "to", "event", "status", "alert")
    }
    if kind == "status" and words["track"]:
        kind = "moved"
    if kind == "sent":
        if sent is None:
            return None
        role = roles.get(sent.partner_id, "")
        kind = "sent_to" if role else "sent"
        words |= {"document": findings.word(sent.document_type, language), "recipient": findings.word(role, language)}
    elif not own and kind in ("alert", "held"):
        return None
    known = findings.labels().events.get(kind)
    said = known[choose_language(language)].format_map(words) if known else ""
    if said and own and (office := _text(event, "office")):
        said += findings.labels().events["at_office"][choose_language(language)].format(office=office)
    reasons = _reasons(event, language) if own and event.kind != "sent" else ""
    return ("：" if choose_language(language) == CHINESE else ": ").join(filter(None, (said, reasons))) or None


def _reasons(event: model.CaseEvent, language: str) -> str:
    """Why it happened. What earlier versions kept is English, with the codes: those that need no arguments are said anew."""
    codes = event.details.get("reasons")
    if (kept := maybe_read_reasons(codes)) is not None:
        return say_reasons(kept, language)
    entries = [findings.catalogue().get(str(code)) for code in codes] if isinstance(codes, list) else []
    if (
        choose_language(language) == CHINESE
        and entries
        and all(entry is not None and "{" not in entry.zh for entry in entries)
    ):
        return "；".join(entry.zh.removesuffix("。") for entry in entries if entry is not None)
    return event.text


def _text(event: model.CaseEvent, name: str) -> str:
    """One of an event's details; empty where it has none."""
    return str(event.details.get(name, ""))


def task(asked: model.Task, language: str, permit: Permit, now: datetime) -> resources.Task:
    """A task that waits, and whether the caller's person may decide it."""
    claimed = asked.is_claimed(now)
    return resources.Task(
        state=asked.state.value if claimed or asked.state is not model.TaskState.CLAIMED else "open",
        claimed_by=asked.person_id if claimed else None,
        claimed_until=asked.claimed_until if claimed else None,
        may_decide=permit.holds,
        why_not=[finding(reason, language) for reason in permit.faults],
        id=asked.id,
        version=asked.version,
        kind=asked.kind,
        text=findings.word(asked.kind, language),
        case=asked.case_id,
        track=asked.track,
        office=asked.office,
        act=asked.act,
        options=sorted(asked.options),
        opened_at=asked.opened_at,
        due_at=asked.due_at,
        reasons=[finding(reason, language) for reason in asked.reasons],
        evidence=list(asked.evidence),
        test=asked.test,
    )


def feed(entries: Sequence[model.FeedEntry]) -> list[resources.FeedEntry]:
    """Lines of a feed."""
    return [
        resources.FeedEntry(
            sequence=entry.sequence,
            at=entry.at,
            document=entry.document_type,
            document_id=entry.document_id,
            sha256=entry.sha256,
            keys=dict(entry.keys),
            link=link(entry),
        )
        for entry in entries
        if entry.at is not None
    ]


def ledger(account: model.Account, entries: Sequence[model.Entry], next_: str | None) -> resources.Ledger:
    """An account with a page of its entries."""
    terms = account.terms
    return resources.Ledger(
        name=account.name,
        unit=account.unit,
        holder=account.holder,
        version=account.version,
        terms=resources.LedgerTerms(
            valid_from=terms.valid_from,
            valid_until=terms.valid_until,
            draws_max=terms.most_draws,
            tolerance_percent=f"{terms.tolerance_percent:f}" if terms.tolerance_percent else None,
            tolerance_of=terms.tolerance_of.value,
            places=sorted(terms.places),
        ),
        granted=f"{account.granted:f}",
        reserved=f"{account.reserved:f}",
        used=f"{account.used:f}",
        available=f"{account.available:f}",
        draws=account.draws,
        closed=account.closed,
        test=account.test,
        entries=[
            resources.LedgerEntry(
                id=one.id,
                state=one.state.value,
                amount=f"{one.amount:f}",
                final=one.final,
                case=one.case_id or None,
                at=one.at,
            )
            for one in entries
        ],
        next=next_,
    )


def subscription(wanted: model.Subscription) -> resources.Subscription:
    """What a partner has asked for."""
    return resources.Subscription(
        id=wanted.name,
        version=wanted.version,
        feed=wanted.feed,
        keys={kind: sorted(values) for kind, values in sorted(wanted.keys.items())},
        handing="push" if wanted.push else "fetch",
        since=wanted.since,
        test=wanted.test,
    )


def report_rule(name: str, rule: ReportRule, language: str) -> resources.ReportRule:
    """A report that is made."""
    return resources.ReportRule(
        name=name,
        title=rule.zh if language == "zh" else rule.en,
        period=rule.period.value,
        due=f"{rule.due.count} {rule.due.unit}",
        measure=rule.measure,
        rows=list(rule.rows),
        columns=list(rule.columns),
    )


def made_report(report: model.MadeReport) -> resources.MadeReport:
    """A report that was made, without its lines."""
    corrections = report.document.get("corrections", ())
    return resources.MadeReport(
        name=report.name,
        first_day=report.first,
        last_day=report.last,
        made_at=report.at,
        last_fact=report.seen,
        total=str(report.document["total"]),
        corrections=len(corrections) if isinstance(corrections, list | tuple) else 0,
        link=f"/v1/reports/{report.name}/{report.first.isoformat()}",
    )


def risk(case: model.Case, point: RiskPoint | None, language: str) -> resources.Risk:
    """A risk record; `point` is its point, unless that is gone from the rules."""
    record = record_of(case)
    words = record.point if point is None else point.zh if language == "zh" else point.en
    return resources.Risk(
        id=case.id,
        status=case.status,
        point=record.point,
        words=words,
        area=record.area,
        grade=record.grade,
        level=record.level,
        office=record.office or "",
        stopped=record.stopped,
        found_at=record.found_at,
        case=record.case_id,
        person=record.person,
        partner=record.partner,
        times=record.times,
        about={one.name: one.value for one in record.about},
    )
