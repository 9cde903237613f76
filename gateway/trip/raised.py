"""Documents that decisions raise: each is decided by its own flow, upon all that was decided before it.

A raised document has a row among the messages, with the occasion that raised it as its parent, and a `checked` receipt;
nobody sent it, and so it has no `received` one. It is written with what raised it or not at all. One that its model, the
rules or its flow refuse, or that a fault of ours keeps from being decided, is an alert, and what raised it stands.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from pydantic import ValidationError

from gateway import findings
from gateway.check import rules as rule_check
from gateway.check.rulebook import Rules
from gateway.decide.desk import Actor, Occasion, Raised
from gateway.decide.effects import Alert, Raise, Respond
from gateway.decide.engine import Part, effects_of
from gateway.decide.flow import Flows
from gateway.decide.raising import DEEPEST, MOST_RAISED, make_raised, raises_in
from gateway.documents import faults as document_faults
from gateway.errors import DecisionEndless, NotFound
from gateway.findings import make_finding
from gateway.model import GATEWAY, Finding, MessageState, Partner, Payload, Stage, Syntax
from gateway.receipt.notary import Notary
from gateway.receipt.signed import canonical
from gateway.registry.directory import Directory
from gateway.store.contract import MessageRecord, NewReceipt
from gateway.trip import answers, faults
from gateway.trip.address import Dispatch, InHand
from gateway.trip.aside import run_aside
from gateway.trip.decider import Decider
from gateway.trip.transaction import Share, Transaction


class Raiser:
    """Decides what the decisions about one piece of work raise."""

    def __init__(
        self,
        decider: Decider,
        directory: Directory,
        dispatch: Callable[[], Dispatch],
        notary: Notary,
        flows: Flows,
        rules: Rules,
        now: datetime,
        payload_id: str = "",
    ) -> None:
        """`dispatch` makes one for each document; `payload_id` is the payload in work, empty for a deadline."""
        self._decider = decider
        self._directory = directory
        self._dispatch = dispatch
        self._notary = notary
        self._flows = flows
        self._rules = rules
        self._now = now
        self._payload_id = payload_id
        self._numbers = 0

    async def decide_all(self, occasion: Occasion, parts: Sequence[Part], transaction: Transaction) -> list[Share]:
        """The shares of all that `occasion` raises, and of what that raises, first in first out.

        What `occasion` itself comes to is laid over the transaction's ground by then. DecisionEndless where it does not
        come to an end.
        """
        shares: list[Share] = []
        pending: deque[tuple[Occasion, str, Raise]] = deque((occasion, *found) for found in raises_in(parts))
        about = next(filter(None, (getattr(effect, "case", "") for effect in effects_of(parts))), "")
        while pending:
            if len(shares) >= MOST_RAISED:
                raise DecisionEndless(occasion=occasion.id, raised=len(shares))
            parent, place, effect = pending.popleft()
            partner = await self._find_partner(parent, effect)
            actor = parent.actor if partner is None or not effect.acting else Actor(partner)
            raised = make_raised(parent, place, effect, actor)
            refused = () if partner is not None else (make_finding("raised.partner", value=effect.acting),)
            share, following = await self._decide(raised, refused, about, transaction)
            transaction.add(share)
            shares.append(share)
            pending += ((raised, *found) for found in raises_in(following))
        return shares

    async def _find_partner(self, parent: Occasion, effect: Raise) -> Partner | None:
        """In whose name something is raised; None where there is no such partner, or it is not active."""
        if not effect.acting:
            return parent.actor.partner
        try:
            found = await self._directory.partner(effect.acting)
        except NotFound:
            return None
        return found if found.active else None

    async def _decide(
        self, raised: Raised, refused: Sequence[Finding], about: str, transaction: Transaction
    ) -> tuple[Share, Sequence[Part]]:
        """What one document comes to, and what its decision says."""
        share = Share(0, self._dispatch())
        in_hand = self._in_hand(raised)
        self._numbers += 1
        with faults.caught() as fault:
            parts = await self._settle(share, raised, refused, about, transaction)
            return share, parts
        share = Share(0, self._dispatch(), fault=fault.text)
        self._keep(share, raised, MessageState.FAILED, [faults.finding()])
        share.dispatch.ring(Alert("message_failed", (faults.finding(),)), in_hand)
        return share, ()

    async def _settle(
        self,
        share: Share,
        raised: Raised,
        refused: Sequence[Finding],
        about: str,
        transaction: Transaction,
    ) -> Sequence[Part]:
        """Put into `share` what the document comes to; the parts of its decision, none where it is refused.

        One that is refused is told with the case that what raised it was `about`.
        """
        reasons = [*refused, *await run_aside(raised.document, partial(list, self._judge(raised)))]
        if findings.rejects(reasons):
            self._refuse(share, raised, reasons, about)
            return ()
        decided = await self._decider.decide(raised, transaction)
        parts = decided.parts
        if raised.actor.partner is GATEWAY:
            parts = [_unanswered(part) for part in parts]
        share.facts, share.applied = decided.facts, decided.applied
        state, case_id = await share.dispatch.carry_out(parts, self._in_hand(raised), share.applied)
        reasons += answers.reasons(effects_of(parts))
        if state is MessageState.REJECTED:
            self._refuse(share, raised, reasons, case_id or about)
        else:
            self._keep(share, raised, state, reasons, case_id)
        return parts

    def _in_hand(self, raised: Raised) -> InHand:
        return InHand(raised.id, raised.actor.partner, self._now, raised.test)

    def _judge(self, raised: Raised) -> Iterator[Finding]:
        """Why the document may not be decided: what its model and the rules have against it."""
        document = raised.document
        if raised.depth > DEEPEST:
            yield make_finding("raised.too_deep", document=raised.document_type, max=DEEPEST)
            return
        if self._flows.find(document) is None:
            yield make_finding("raised.no_flow", document=raised.document_type)
            return
        try:
            type(document).from_kept(document.to_kept())  # a changed copy was never looked at
        except ValidationError as error:
            yield from document_faults.findings(error)
            return
        yield from rule_check.check(document, self._rules)

    def _refuse(self, share: Share, raised: Raised, reasons: Sequence[Finding], case_id: str) -> None:
        """Nothing comes of the document; whoever looks after the gateway is told, since nobody sent it."""
        self._keep(share, raised, MessageState.REJECTED, reasons, case_id)
        share.dispatch.ring(Alert("raised_refused", tuple(reasons), case_id), self._in_hand(raised), "refused")

    def _keep(
        self, share: Share, raised: Raised, state: MessageState, reasons: Sequence[Finding], case_id: str = ""
    ) -> None:
        """The document's row and its receipt."""
        partner, document = raised.actor.partner, raised.document.to_kept()
        reasons = findings.kept(reasons, findings.MOST_TOLD)
        content = canonical(document)
        format_ = f"json:{raised.document_type}:1"
        record = MessageRecord(
            id=raised.id,
            payload_id=self._payload_id,
            # Below every number that a message of the payload has: it is none that was sent.
            number=_FIRST_NUMBER - self._numbers,
            partner_id=partner.id,
            syntax=Syntax.JSON,
            format=format_,
            reference="",
            state=state,
            at=self._now,
            document_type=raised.document_type,
            document=document,
            findings=tuple(reasons),
            case_id=case_id,
            test=raised.test,
            parent_id=raised.parent,
        )
        as_sent = Payload(
            raised.id,
            partner.id,
            transport="",
            transport_id="",
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            received_at=raised.at,
            test=raised.test,
        )
        body = self._notary.checked(
            as_sent,
            at=self._now,
            message_id=raised.id,
            reference="",
            format=format_,
            verdict=state,
            findings=reasons,
            schema="",
            mapping="",
            parent=raised.parent,
        )
        share.records.append(record)
        share.receipts.append(NewReceipt(Stage.CHECKED, raised.id, body))


_FIRST_NUMBER = -1_000_000
"""Interchanges without a message that could be read are numbered downwards from 0, and a payload has not so many."""


def _unanswered(part: Part) -> Part:
    """`part` without answers to whoever raised the document: where that is the gateway, nobody waits for one."""
    return replace(part, effects=[effect for effect in part.effects if not isinstance(effect, Respond)])
