"""What comes back from recipients: syntax acknowledgements and business answers find the delivery they are about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from gateway.decide import effects as do
from gateway.documents import Response, values
from gateway.findings import make_finding
from gateway.model import Delivery, Finding, Partner, Payload, Place, Stage, Syntax
from gateway.parse.segments import SegmentMessage, split
from gateway.receipt.notary import Notary
from gateway.store.contract import Answered, NewReceipt, storable
from gateway.store.ports import Outbox
from gateway.trip.address import Dispatch
from gateway.trip.in_hand import InHand

_POSITIVE = {Syntax.EDIFACT: frozenset({"7", "8"}), Syntax.X12: frozenset({"A", "E"})}
"""0083 action coded of a CONTRL; AK901 of a 997, IK501's likes of a 999, TA104 of a TA1."""


async def acknowledged(
    control: SegmentMessage, sender: Partner, store: Outbox, dispatch: Dispatch, in_hand: InHand
) -> str:
    """A recipient's CONTRL, TA1, 997 or 999: the case it concerns; a refusal by syntax rings an alarm."""
    reference, action = _verdict(control)
    delivery = await store.delivery_by_reference(sender.id, storable(reference)) if reference else None
    # Test traffic meets no live case, and references are drawn without regard to it.
    case_id = delivery.case_id if delivery is not None and delivery.test == in_hand.test else ""
    if delivery is not None and case_id:
        await dispatch.acknowledged(delivery)
    if action not in _POSITIVE[control.type.syntax]:
        refused = make_finding("answer.syntax_refused", partner=sender.id, reference=reference, action=action)
        dispatch.ring(do.Alert("syntax_refused", (refused,)), in_hand)
    return case_id


async def answered(
    answer: tuple[str, str] | None,
    case_id: str,
    sender: Partner,
    payload: Payload,
    store: Outbox,
    notary: Notary,
    dispatch: Dispatch,
    in_hand: InHand,
) -> Answered | None:
    """A recipient's business answer, with the `answered` receipt of the delivery it answers; None where it is none.

    `answer` is the type of the document answered, and the verdict, as the flow that takes the answer reads them.
    """
    if answer is None or not case_id:
        return None
    wanted, verdict = answer
    delivery = await store.sent_delivery(case_id, sender.id, wanted, test=payload.test)
    if delivery is None:
        return None
    await dispatch.acknowledged(delivery)
    body = notary.answered(
        delivery, sender, at=in_hand.at, verdict=verdict, message_id=in_hand.message_id, answer=payload.sha256
    )
    return Answered(delivery.id, NewReceipt(Stage.ANSWERED, delivery.id, body), in_hand.at)


_SENT = frozenset({"sending", "awaiting", "delivered", "relayed", "answered"})
"""States in which a recipient may have a delivery, and answer it."""
_MOST_ADVISED = 100
"""Answers of one message, an 824 with so many OTI, that are matched to deliveries: one partner's batch of a day."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What an application's answer says of one document: the references that it may be known by, and the verdict."""

    references: tuple[str, ...]
    is_refused: bool


async def advised(
    advice: SegmentMessage,
    sender: Partner,
    payload: Payload,
    store: Outbox,
    notary: Notary,
    dispatch: Dispatch,
    in_hand: InHand,
) -> tuple[str, list[Answered]]:
    """A recipient's APERAK or 824: the case it concerns, and the `answered` receipts of the deliveries that it names.

    A refusal rings an alarm, since the document stands here and does not there.
    """
    case_id, answers = "", dict[str, Answered]()
    for said in read_advice(advice)[:_MOST_ADVISED]:
        delivery = await _named_delivery(said, sender, store)
        if delivery is None or delivery.test != in_hand.test or delivery.state not in _SENT:
            continue
        case_id = case_id or delivery.case_id
        await dispatch.acknowledged(delivery)
        verdict = "refused" if said.is_refused else "accepted"
        body = notary.answered(
            delivery, sender, at=in_hand.at, verdict=verdict, message_id=in_hand.message_id, answer=payload.sha256
        )
        answers[delivery.id] = Answered(delivery.id, NewReceipt(Stage.ANSWERED, delivery.id, body), in_hand.at)
        if said.is_refused:
            refused = make_finding(
                "answer.refused", partner=sender.id, reference=delivery.reference, document=delivery.document_type
            )
            dispatch.ring(do.Alert("answer_refused", (refused,), delivery.case_id), in_hand)
    return case_id, list(answers.values())


async def _named_delivery(said: Advice, sender: Partner, store: Outbox) -> Delivery | None:
    """The delivery to the sender that carries one of the references; None where none does."""
    for reference in said.references:
        found = await store.delivery_by_reference(sender.id, storable(reference))
        if found is not None:
            return found
    return None


def read_advice(advice: SegmentMessage) -> list[Advice]:
    """What an APERAK, or each OTI of an 824, says, in order.

    An APERAK names a message by its reference (RFF, 1153 = ACW), which is ours of the interchange; an 824 by the number
    of its group (OTI08), which is the interchange's as well.
    """
    segments = [split(raw, advice.delimiters) for raw in advice.segments]

    def value(segment: Sequence[Sequence[str]], element: int, component: int = 0) -> str:
        there = element < len(segment) and component < len(segment[element])
        return segment[element][component] if there else ""

    if advice.type.name == "APERAK":
        named = [s for s in segments if s[0][0] == "RFF"]
        named.sort(key=lambda s: value(s, 1) != "ACW")
        refused = any(s[0][0] == "ERC" for s in segments) or any(
            # 1225: 27, not accepted; 4343: RE, rejected.
            s[0][0] == "BGM" and (value(s, 3) == "27" or value(s, 4) == "RE")
            for s in segments
        )
        references = dict.fromkeys(value(s, 1, 1) for s in named if value(s, 1, 1))
        return [Advice(tuple(references)[:_MOST_REFERENCES], refused)] if references else []
    return [
        # Element 110: the second letter says accepted (A), accepted with errors or changes (E, C), or rejected (R).
        Advice(_numbers(value(s, 8), value(s, 3)), value(s, 1)[1:] == "R")
        for s in segments
        if s[0][0] == "OTI"
    ]


_MOST_REFERENCES = 5
"""References of an APERAK that are looked for."""


def _numbers(*given: str) -> tuple[str, ...]:
    """Control numbers as they stand, and without the zeros that partners fill them up with."""
    return tuple(dict.fromkeys(one for text in given if text for one in (text, text.lstrip("0")) if one))


def placed(effect: do.Effect, origins: Mapping[str, Place]) -> do.Effect:
    """`effect` with its reasons placed in the sender's own message, where they came from one of its values.

    So they stand on the timeline, in alerts and in the response alike.
    """
    if isinstance(effect, do.Respond):
        return _placed_response(effect, origins)
    reasons: tuple[Finding, ...] = getattr(effect, "reasons", ())
    places = [_origin(reason.place.path, origins) for reason in reasons]
    if not any(places):
        return effect
    in_message = tuple(
        replace(reason, place=place) if place is not None else reason
        for reason, place in zip(reasons, places, strict=True)
    )
    return cast("do.Effect", replace(cast("Any", effect), reasons=in_message))


def _origin(path: str | None, origins: Mapping[str, Place]) -> Place | None:
    """Where the value at `path` came from; None for a reason that names no field.

    Origins are traced when they are first asked for, which takes longer than the decision: so they are asked for a
    field only.
    """
    return origins.get(path) if path else None


def _placed_response(effect: do.Respond, origins: Mapping[str, Place]) -> do.Respond:
    if not isinstance(effect.document, Response) or not effect.document.reasons:
        return effect
    reasons = tuple(
        reason.model_copy(update={"place": values.text(str(place))})
        if reason.place is None and (place := _origin(reason.field, origins)) is not None
        else reason
        for reason in effect.document.reasons
    )
    return replace(effect, document=effect.document.model_copy(update={"reasons": reasons}))


def reasons(effects: Iterable[do.Effect]) -> list[Finding]:
    """Why a message was refused or held."""
    return [f for effect in effects if isinstance(effect, do.Refuse | do.Hold) for f in effect.reasons]


def _verdict(control: SegmentMessage) -> tuple[str, str]:
    """(control reference of the interchange or group acknowledged, the action or acknowledgement code)."""
    segments = [split(raw, control.delimiters) for raw in control.segments]

    def values(tag: str, element: int) -> list[str]:
        return [s[element][0] for s in segments if s[0][0] == tag and element < len(s)]

    def value(tag: str, element: int) -> str:
        return next(iter(values(tag, element)), "")

    match control.type.name:
        case "CONTRL":
            # ISO 9735-4, 0083: 7 acknowledges all but what is rejected at a lower level.
            rejected = "4" in (*values("UCF", 4), *values("UCM", 3))
            return value("UCI", 1), "4" if rejected else value("UCI", 4)
        case "TA1":
            return value("TA1", 1), value("TA1", 4)
        case _:
            return value("AK1", 2), value("AK9", 1)
