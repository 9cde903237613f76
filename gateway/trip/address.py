"""Effects become what commit 2 writes: case changes, deliveries in each recipient's format, feed entries.

A `Dispatch` collects what the messages of one transaction come to. Ids derive from the message and the
position of the effect, so that deciding a message again makes the same deliveries.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import chain
from typing import Any

import structlog

from gateway.check import views
from gateway.decide import effects as do
from gateway.decide.apply import Applied, CaseStep, Moved
from gateway.decide.audience import Scope
from gateway.decide.engine import Part
from gateway.decide.unacknowledged import UNACKNOWLEDGED, name_wait
from gateway.decide.views import find_views
from gateway.decide.watch import RISK
from gateway.documents.base import Document
from gateway.documents.response import Outcome, Response
from gateway.errors import NotFound
from gateway.findings import MOST_TOLD, kept, make_finding
from gateway.model import (
    GATEWAY,
    Agreement,
    AuditEntry,
    Case,
    CaseEvent,
    Deadline,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Draw,
    Entry,
    FeedEntry,
    Figure,
    Finding,
    HeldFor,
    MadeReport,
    MessageState,
    Partner,
    Role,
    SubjectVersion,
    Subscription,
    Syntax,
    Tally,
    Task,
    derive_id,
)
from gateway.reasons import reason_json
from gateway.receipt import advice
from gateway.receipt.signed import canonical
from gateway.registry.directory import Directory
from gateway.store.alerts import ALERTS, OPERATOR, alert_body
from gateway.store.contract import AccountChange, CaseChange, CaseLink, Wait
from gateway.trip.aside import run_aside
from gateway.trip.in_hand import InHand
from gateway.trip.publish import (
    INBOX,
    Cut,
    addressed,
    audiences_of,
    cut_entries,
    find_wanted,
    make_entry,
    make_fetched,
)
from gateway.trip.render import Renderer, asks_acknowledgement
from gateway.trip.timeline import tell_draw, tell_entry, tell_task

log = structlog.get_logger(__name__)

ACKNOWLEDGEMENT = "acknowledgement"
"""The document type under which an agreement says how acknowledgements are pushed."""
_ADVICE = {Syntax.EDIFACT: advice.APERAK, Syntax.X12: advice.APPLICATION_ADVICE}
"""How a business answer is written in the syntax of what it answers."""
AT_ONCE = 20
"""Effects carried out one after the other before others may go on: each takes some tenths of a millisecond."""


class Dispatch:
    """Collects one transaction's worth of effects."""

    def __init__(self, directory: Directory, renderer: Renderer, readers: Mapping[str, frozenset[Role]]) -> None:
        """`directory` finds recipients and their agreements; `renderer` writes documents in their formats.

        `readers` are the roles that read each feed.
        """
        self._readers = readers
        self._directory = directory
        self._renderer = renderer
        self._views = views.load(renderer.catalogue)
        self._steps: dict[str, CaseStep] = {}
        self._moves: dict[str, Iterator[Moved]] = {}
        """What became of each case's moves, in the order of the effects in hand, for the timeline."""
        self._events: defaultdict[str, list[CaseEvent]] = defaultdict(list)
        self._handed: set[tuple[str, str, str]] = set()
        """Who was given which type of document of which case."""
        self.deliveries: list[Delivery] = []
        self.feed: list[FeedEntry] = []
        self.waits: list[Wait] = []
        self.attached: list[str] = []
        self.accounts: list[AccountChange] = []
        self.links: list[CaseLink] = []
        self.deadlines: dict[str, Deadline | None] = {}
        self.tasks: list[Task] = []
        self.subscriptions: list[Subscription] = []
        self.subjects: list[SubjectVersion] = []
        self.audit: list[AuditEntry] = []
        self.figures: list[Figure] = []
        self.reports: list[MadeReport] = []
        self.tallies: list[Tally] = []
        self.draws: list[Draw] = []
        self._tasks: Mapping[str, Task] = {}
        """Those in hand, by id, for the timeline."""
        self._entries: Mapping[tuple[str, str], Entry] = {}
        """The same of accounts' entries."""
        self._office = ""
        """The code of the office that acts, of the decision in hand."""
        self._shared: Mapping[tuple[object, ...], do.Share] = {}
        """What of it is shared in the end."""
        self.alerts: list[tuple[do.Alert, InHand]] = []
        """For the log, once they stand: a message that is decided again rings once."""

    @property
    def cases(self) -> tuple[CaseChange, ...]:
        """The case changes collected so far."""
        return tuple(
            CaseChange(
                case_id=case_id,
                expected_version=step.before.version if step.before is not None else 0,
                noted=step.before is not None and step.before.version == step.after.version,
                status=step.after.status,
                kind=step.after.kind,
                tracks=step.after.tracks,
                left=step.after.left,
                partner_id=step.after.partner_id,
                test=step.after.test,
                add_keys=step.add_keys,
                documents=step.documents,
                events=tuple(self._events[case_id]),
            )
            for case_id, step in self._steps.items()
        )

    async def carry_out(self, parts: Iterable[Part], message: InHand, applied: Applied) -> tuple[MessageState, str]:
        """Collect what a decision comes to, and changes; what became of the message, and the first case it touched."""
        for case_id, step in applied.cases.items():
            self._steps[case_id] = step
            self._moves[case_id] = iter(step.moves)
        self.waits += (
            Wait(w.id, w.document_type, w.keys, w.document, w.message_id, w.partner_id, applied.test)
            for w in applied.waits
        )
        self.attached += applied.attached
        self.links += (CaseLink(*link) for link in applied.links)
        self.deadlines |= applied.deadlines
        self._tasks = applied.tasks
        self.tasks += applied.tasks.values()
        self.subscriptions += applied.subscriptions.values()
        self.audit += applied.audit
        self.figures += applied.figures
        self.reports += applied.reports
        self.tallies += applied.tallies.values()
        self.draws += applied.draws
        self.subjects += applied.subjects
        self._entries = applied.entries
        self.accounts += (
            AccountChange(account, tuple(e for (of, _), e in applied.entries.items() if of == name))
            for name, account in applied.accounts.items()
        )
        parts = list(parts)
        self._office = applied.office
        shared = (effect for part in parts for effect in part.effects if isinstance(effect, do.Share))
        self._shared = {one.subject: one for one in shared}
        state = MessageState.ACCEPTED
        placed = (pair for part in parts for pair in part.placed())
        for number, (position, effect) in enumerate(placed, 1):
            if isinstance(effect, do.Hold):
                state = MessageState.HELD
            elif isinstance(effect, do.Refuse):
                state = MessageState.REJECTED
            await self._carry_out(effect, position, message)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)  # senders are answered between some and the next
        # A record of a risk is nobody's who sent something: whoever sent it takes no part in it.
        return state, next((id_ for id_, step in applied.cases.items() if step.after.kind != RISK), "")

    def ring(self, alert: do.Alert, message: InHand, position: str = "0") -> None:
        """An alert that no flow decided; at a `position` of its own where there are effects as well."""
        self._alert(alert, position, message)

    async def _carry_out(self, effect: do.Effect, position: str, message: InHand) -> None:
        """One effect."""
        match effect:
            case do.NewCase():
                self._event(effect.case, message, "opened", details={"status": " ".join(effect.tracks.values())})
            case do.Move():
                moved = next(self._moves[effect.case])
                self._moved(effect.case, effect.reasons, moved, position, message, effect.rule)
            case do.Settle():
                task = self._tasks[effect.task]
                self._event(task.case_id, message, "task", effect.reasons, tell_task(task))
                moved = next(self._moves[task.case_id])
                self._moved(task.case_id, effect.reasons, moved, position, message, task.person_id)
            case do.Ask() | do.Close() | do.Claim() | do.GiveBack() | do.Escalate():
                task_id = effect.id if isinstance(effect, do.Ask) else effect.task
                if changed := self._tasks.get(task_id):  # one that was asked before stays as it is
                    self._event(changed.case_id, message, "task", changed.reasons, tell_task(changed))
            case do.Note():
                self._event(effect.case, message, effect.kind, effect.reasons)
            case do.Hold():
                if effect.case:
                    self._event(effect.case, message, "held", effect.reasons)
            case do.Refuse():
                if effect.case:
                    self._event(effect.case, message, "refused", effect.reasons)
            case do.Alert():
                self._alert(effect, position, message)
            case do.Send():
                await self._send(effect, position, message)
            case do.Respond():
                if message.sender is GATEWAY:
                    raise ValueError("nobody has sent anything, so that nobody can be responded to")
                await self.hand_over(
                    message,
                    message.sender,
                    effect.document_type,
                    effect.document,
                    DeliveryKind.RESPONSE,
                    effect.case,
                    position,
                )
            case do.Publish():
                await self._publish(effect, position, message)
            case do.Share() if self._shared.get(effect.subject) is effect:
                await self._publish(_published(effect), position, message)
            case do.Attach():
                if effect.case:
                    self._event(effect.case, message, "attached", details={"waiting": effect.waiting_id})
            case do.Grant() | do.Reserve() | do.Use() | do.Free() | do.Reverse():
                # A repeat changed no entry, and is told by nothing.
                if effect.case and (entry := self._entries.get((effect.account, effect.entry))):
                    self._event(effect.case, message, "ledger", details=tell_entry(entry))
            case do.Count():
                if effect.case:
                    self._event(effect.case, message, "drawn", details=tell_draw(effect.draw))
            case _:
                pass  # it changes what was applied, and is told by nothing else

    def _moved(
        self, case_id: str, reasons: Sequence[Finding], moved: Moved, position: str, message: InHand, by: str = ""
    ) -> None:
        """A case's move on its timeline, with the person or the rule by whom; what may not happen is to be looked at."""
        if moved.step is None:
            why = make_finding("decide.status.not_allowed", value=moved.event, event=moved.event, status=moved.before)
            self._alert(do.Alert("status", (why, *reasons), case_id), position, message)
        elif moved.step.late:
            late = make_finding("decide.late", event=moved.event, status=moved.before)
            self._event(case_id, message, "late", (late, *reasons))
        else:
            details = {"track": moved.track, "from": moved.before, "to": moved.step.state, "event": moved.event}
            if by:
                details["person"] = by
            if self._office:
                details["office"] = self._office
            self._event(case_id, message, "status", reasons, details)

    async def _send(self, effect: do.Send, position: str, message: InHand) -> None:
        """Deliver to whom the party means; nobody found is an alert, never silence."""
        recipients = await self._recipients(effect.to)
        if not recipients and (effect.to.partner_id or effect.to.value):
            missing = make_finding(
                "deliver.recipient_unknown",
                document=effect.document_type,
                recipient=effect.to.partner_id or f"{effect.to.scheme} {effect.to.value}",
            )
            self._alert(do.Alert("recipient_unknown", (missing,), effect.case), position, message)
        for recipient in recipients:
            named = bool(effect.to.partner_id or effect.to.value)
            agreement = await self._directory.wanted(recipient.id, effect.document_type)
            # A role addresses whoever of its holders takes such documents; a named recipient must get it somehow.
            if agreement is None and not named:
                continue
            cases = self._standings(effect.case)
            seen = frozenset({effect.view}) if effect.view else find_views(self._views, recipient, *cases)
            shown = self._views.cut(effect.document, seen)
            if shown is None:
                self._unseen(effect.document_type, recipient.id, effect.case, f"{position}/{recipient.id}", message)
            else:
                await self.hand_over(
                    message,
                    recipient,
                    effect.document_type,
                    shown,
                    DeliveryKind.DOCUMENT,
                    effect.case,
                    position,
                    purpose=effect.purpose,
                )

    def _standings(self, case_id: str) -> tuple[Case, ...]:
        """A case as it was before the decision, and as it is then: whoever leaves it learns that as what it was."""
        step = self._steps.get(case_id)
        if step is None:
            return ()
        return (step.after,) if step.before is None else (step.before, step.after)

    async def _recipients(self, party: do.Party) -> Sequence[Partner]:
        """The partners a party means."""
        if party.partner_id:
            return [await self._directory.partner(party.partner_id)]
        if party.value:
            found = await self._directory.partner_by(party.scheme, party.value)
            return [found] if found is not None else []
        return await self._directory.with_role(party.role)

    async def hand_over(
        self,
        message: InHand,
        recipient: Partner,
        document_type: str,
        document: Document,
        kind: DeliveryKind,
        case_id: str,
        position: str,
        *,
        purpose: str = "",
        push: bool = True,
    ) -> None:
        """One document to one recipient: pushed under its agreement, or put into its inbox to be fetched.

        What is fetched is the JSON message that would be pushed, so that software may change from one to the other. An
        answer that its asker waits for is offered in the format that is agreed, and pushed only where that is agreed, too.
        """
        self._handed.add((recipient.id, document_type, case_id))
        wanted = await self._directory.wanted(recipient.id, document_type) if push else None
        agreement = wanted or make_fetched(recipient, document_type)
        # Who waits for the answer has it from the exchange itself: nobody need be there to be pushed to.
        has_it = message.is_answered and kind is DeliveryKind.RESPONSE and recipient.id == message.sender.id
        pushed = None if has_it and not agreement.push_answers else wanted
        delivery_id = derive_id(message.message_id, "delivery", position, recipient.id)
        rendered, reference = await self._renderer.render(
            document_type, document, agreement, recipient, delivery_id, message.at, test=message.test
        )
        if pushed is None and rendered.body:
            entry = make_entry(INBOX, recipient.id, document_type, delivery_id, rendered.body, message, case_id)
            self.feed.append(replace(entry, format=agreement.format))
        elif rendered.body:
            self.push(message, agreement, kind, document_type, rendered.body, reference, case_id, delivery_id)
        self._sent(
            message,
            recipient,
            # Of what is pushed, the delivery says so.
            "" if pushed is not None and rendered.body else f"{document_type} {kind.value}",
            case_id,
            delivery_id,
            agreement.format,
            purpose,
            rendered.findings,
        )
        if not rendered.body:
            alert = do.Alert("not_rendered", tuple(rendered.findings), case_id)
            self._alert(alert, position, message)
        refused = isinstance(document, Response) and document.outcome is Outcome.REFUSED
        if refused and pushed is None and recipient.id == message.sender.id:
            await self._advise(message, recipient, document, case_id, position)

    async def _advise(
        self, message: InHand, recipient: Partner, document: Document, case_id: str, position: str
    ) -> None:
        """Push a refusal as an APERAK or 824 to whoever is pushed acknowledgements in its syntax, and no responses.

        Such a partner was told that its message is well-formed; it need not fetch anything to hear that it was refused.
        """
        format_ = _ADVICE.get(message.syntax) if message.syntax is not None else None
        agreed = await self._directory.wanted(recipient.id, ACKNOWLEDGEMENT) if format_ is not None else None
        if format_ is None or agreed is None:
            return
        agreement = replace(agreed, document=document.document_type, format=format_)
        delivery_id = derive_id(message.message_id, "advice", position, recipient.id)
        rendered, reference = await self._renderer.render(
            document.document_type, document, agreement, recipient, delivery_id, message.at, test=message.test
        )
        kind = DeliveryKind.RESPONSE
        if rendered.body:
            self.push(message, agreement, kind, document.document_type, rendered.body, reference, case_id, delivery_id)

    def push(
        self,
        message: InHand,
        agreement: Agreement,
        kind: DeliveryKind,
        document_type: str,
        body: bytes,
        reference: str,
        case_id: str,
        delivery_id: str,
        format: str = "",  # noqa: A002 -- the field's name everywhere in the gateway
    ) -> None:
        """Bytes for a recipient, in its lane."""
        made = Delivery(
            id=delivery_id,
            partner_id=agreement.partner_id,
            agreement_id=agreement.id,
            lane=f"{agreement.partner_id}:{case_id or message.message_id}",
            kind=kind,
            document_type=document_type,
            format=format or agreement.format,
            body=body,
            sha256=hashlib.sha256(body).hexdigest(),
            message_id=message.message_id,
            case_id=case_id,
            reference=reference,
            test=message.test,
            next_at=message.at,
        )
        if agreement.hold:
            goes_at = message.at + timedelta(hours=agreement.hold_hours) if agreement.hold_hours else None
            made = replace(made, state=DeliveryState.HELD, held_for=HeldFor.AGREED, next_at=goes_at)
        self.deliveries.append(made)
        if case_id and kind is not DeliveryKind.ACKNOWLEDGEMENT and asks_acknowledgement(agreement):
            wait = name_wait(delivery_id)
            args = {"delivery": delivery_id, "reference": reference, "document": document_type}
            self.deadlines[wait] = Deadline(
                wait,
                UNACKNOWLEDGED,
                case_id,
                message.at + self._renderer.acknowledged_within,
                {**args, "partner": agreement.partner_id},
                message.test,
            )

    async def acknowledged(self, delivery: Delivery) -> None:
        """The recipient has acknowledged a delivery, or refused it: nobody waits for that any more."""
        agreement = await self._directory.agreement(delivery.partner_id, delivery.agreement_id)
        if delivery.case_id and agreement is not None and asks_acknowledgement(agreement):
            self.deadlines[name_wait(delivery.id)] = None

    def offer(
        self,
        message: InHand,
        document_type: str,
        body: bytes,
        format: str,  # noqa: A002 -- as above
        entry_id: str,
    ) -> None:
        """Bytes for the sender to fetch: an acknowledgement that no agreement pushes."""
        entry = make_entry(INBOX, message.sender.id, document_type, entry_id, body, message, "")
        self.feed.append(replace(entry, format=format))

    def _sent(
        self,
        message: InHand,
        recipient: Partner,
        text: str,
        case_id: str,
        delivery_id: str,
        format: str,  # noqa: A002 -- as above
        purpose: str,
        dropped: Sequence[Finding],
    ) -> None:
        """The timeline's line for something sent, with what the recipient's format could not carry."""
        if case_id:
            self._events[case_id].append(
                CaseEvent(
                    case_id,
                    message.at,
                    "sent",
                    text,
                    recipient.id,
                    message.message_id,
                    delivery_id,
                    {"format": format, "purpose": purpose, "dropped": [str(f.place) or f.code for f in dropped]},
                )
            )

    async def _publish(self, effect: do.Publish, position: str, message: InHand) -> None:
        """A line on a feed for each audience, with what that audience sees."""
        named = [one.value for one in audiences_of(effect) if one.scope is Scope.PARTNER]
        partners = {id_: await self._partner(id_) for id_ in named}
        readers = self._readers.get(effect.feed, frozenset())
        published: dict[str, Cut] = {}
        for cut in cut_entries(effect, self._views, readers, partners, self._standings(effect.case)):
            if cut.document is None:
                self._unseen(
                    effect.document_type, cut.name or effect.feed, effect.case, f"{position}/{cut.name}", message
                )
                continue
            published[cut.name] = cut
            body = await run_aside(cut.document, partial(_canonical, cut.document))
            entry_id = derive_id(message.message_id, "feed", position)
            entry = make_entry(effect.feed, cut.name, effect.document_type, entry_id, body, message, effect.case)
            self.feed.append(replace(entry, keys=dict(cut.keys), test=message.test))
        await self._serve(effect, published, readers, position, message)

    async def _serve(
        self,
        effect: do.Publish,
        published: Mapping[str, Cut],
        readers: frozenset[Role],
        position: str,
        message: InHand,
    ) -> None:
        """What was published, to those who have subscribed to it and were not sent it anyway."""
        subscribed = await self._directory.subscriptions(effect.feed, test=message.test)
        for partner_id in addressed(published, subscribed):
            if (partner_id, effect.document_type, effect.case) in self._handed:
                continue
            subscriber = await self._partner(partner_id)
            given = find_wanted(published, subscriber, subscribed[partner_id], readers, message.at)
            if given is not None:
                kind, place = DeliveryKind.DOCUMENT, f"{position}/subscription"
                await self.hand_over(
                    message, subscriber, effect.document_type, given.document, kind, effect.case, place, push=given.push
                )

    async def _partner(self, partner_id: str) -> Partner:
        """A partner by id; one that is in no registry is nothing but its id."""
        try:
            return await self._directory.partner(partner_id)
        except NotFound:
            return Partner(partner_id, partner_id)

    def _unseen(self, document_type: str, reader: str, case_id: str, position: str, message: InHand) -> None:
        """Somebody is addressed who may see nothing of a document: it goes nowhere, and an operator learns that."""
        why = make_finding("deliver.not_seen", document=document_type, recipient=reader)
        self._alert(do.Alert("not_seen", (why,), case_id), position, message)

    def _alert(self, alert: do.Alert, position: str, message: InHand) -> None:
        """Somebody must look: on the case's timeline, on the operator's feed, and, once it stands, in the log."""
        alert = replace(alert, reasons=tuple(kept(alert.reasons, MOST_TOLD)))
        self.alerts.append((alert, message))
        if alert.case:
            self._event(alert.case, message, "alert", alert.reasons, {"alert": alert.kind})
        body = alert_body(alert.kind, alert.case, alert.reasons)
        alert_id = derive_id(message.message_id, "alert", position)
        self.feed.append(make_entry(ALERTS, OPERATOR, "alert", alert_id, body, message, alert.case))

    def log_alerts(self) -> None:
        """Tell the log, after the commit."""
        for alert, message in self.alerts:
            log.warning(
                "alert", kind=alert.kind, case=alert.case, message=message.message_id, reasons=_codes(alert.reasons)
            )

    def _event(
        self,
        case_id: str,
        message: InHand,
        kind: str,
        reasons: Sequence[Finding] = (),
        details: Mapping[str, object] | None = None,
    ) -> None:
        """A line on a case's timeline."""
        reasons = kept(reasons, MOST_TOLD)
        self._events[case_id].append(
            CaseEvent(
                case_id=case_id,
                at=message.at,
                kind=kind,
                text="",
                partner_id=message.sender.id,
                message_id=message.message_id,
                details={**(details or {}), **({"reasons": [reason_json(r) for r in reasons]} if reasons else {})},
            )
        )


def _published(effect: do.Share) -> do.Publish:
    """What is shared, as the entry of a feed that it is."""
    number = getattr(effect.document, "number", None)
    keys = {"declaration": number} if number else {}
    return do.Publish(
        effect.feed,
        effect.case,
        effect.document.document_type,
        effect.document,
        keys,
        audience=effect.audience,
        view=effect.view,
    )


def gather_written(dispatches: Iterable[Dispatch]) -> dict[str, Any]:
    """What all of them collected, in order, as an outcome takes it by name."""
    made = list(dispatches)
    names = (
        *("cases", "deliveries", "feed", "waits", "attached", "accounts", "links", "tasks", "audit", "subjects"),
        *("figures", "reports", "tallies", "draws"),
        "subscriptions",
    )
    written: dict[str, Any] = {name: tuple(chain.from_iterable(getattr(d, name) for d in made)) for name in names}
    return {**written, "deadlines": {id_: deadline for d in made for id_, deadline in d.deadlines.items()}}


def _canonical(document: Document) -> bytes:
    return canonical(document.to_json())


def _codes(reasons: Sequence[Finding]) -> list[str]:
    return [r.code for r in reasons]
