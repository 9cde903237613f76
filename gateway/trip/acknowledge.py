"""The syntax acknowledgement of each interchange, in the sender's own syntax, as its agreement asks for it.

EDIFACT gets a CONTRL; X12 a TA1 where one is due and a 997 or 999 for each group; XML and JSON have no
acknowledgement of their own and are answered with a response document. What cannot even be answered
in its syntax (no header, or one that names nobody; no syntax) is answered with a response that says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import structlog

from gateway.catalogue import Catalogue
from gateway.errors import AcknowledgementInvalid
from gateway.findings import rejects
from gateway.model import Acknowledge, Agreement, DeliveryKind, Severity, Syntax
from gateway.parse.x12_writer import Body, GroupHeader
from gateway.receipt import acknowledgement
from gateway.receipt import x12 as functional
from gateway.registry.directory import Directory
from gateway.trip.address import ACKNOWLEDGEMENT, Dispatch
from gateway.trip.examined import ANY, Interchange, Verdict
from gateway.trip.in_hand import InHand
from gateway.trip.refusals import unreadable
from gateway.trip.render import Renderer, reference_of

_BRIEF = 100
"""Messages and groups up to which an acknowledgement is written where it is needed, in a few milliseconds; longer ones
are written in a thread, so that senders are answered meanwhile."""

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Acknowledger:
    """Writes acknowledgements into a transaction."""

    def __init__(self, directory: Directory, renderer: Renderer, dispatch: Dispatch) -> None:
        """`renderer` numbers the interchanges that go out, and says by which catalogue."""
        self._directory = directory
        self._renderer = renderer
        self._catalogue = renderer.catalogue
        self._dispatch = dispatch

    async def acknowledge(self, interchange: Interchange, in_hand: InHand, ack_id: str) -> None:
        """Answer one interchange; `ack_id` is the id of what is sent."""
        agreement = interchange.agreement or ANY
        if interchange.control or not _wanted(interchange, agreement):
            return
        body, format_ = await self._answer(interchange, in_hand, ack_id)
        if not body:
            # XML and JSON messages have had their responses one by one; an empty payload has had none.
            segmented = interchange.syntax in (Syntax.EDIFACT, Syntax.X12)
            if _refused(interchange) and (segmented or interchange.first > interchange.last):
                await self._refuse(interchange, in_hand)
            return
        outbound = await self._directory.wanted(in_hand.sender.id, ACKNOWLEDGEMENT)
        if outbound is None:
            self._dispatch.offer(in_hand, ACKNOWLEDGEMENT, body, format_, ack_id)
        else:
            self._dispatch.push(
                in_hand, outbound, DeliveryKind.ACKNOWLEDGEMENT, ACKNOWLEDGEMENT, body, "", "", ack_id, format_
            )

    async def _answer(self, interchange: Interchange, in_hand: InHand, ack_id: str) -> tuple[bytes, str]:
        """The acknowledgement in the interchange's own syntax, and its format; empty where there can be none."""
        envelope = interchange.envelope
        if envelope is None or not envelope.header:
            return b"", ""
        if interchange.syntax is Syntax.EDIFACT:
            answer = await _aside(
                interchange,
                lambda: acknowledgement.contrl(
                    self._catalogue,
                    envelope,
                    interchange.findings,
                    interchange.verdicts,
                    interchange.groups,
                    reference=reference_of(ack_id),
                    at=in_hand.at,
                ),
            )
            return self._sendable(answer), "edifact:CONTRL"
        return await self._x12(interchange, in_hand, ack_id), "x12:997"

    async def _x12(self, interchange: Interchange, in_hand: InHand, ack_id: str) -> bytes:
        """TA1 where due, and a functional acknowledgement per group; empty where nothing is to be said."""
        envelope = interchange.envelope
        assert envelope is not None, "only what has a header is acknowledged"
        ta1 = functional.interchange_acknowledgement(envelope, interchange.findings, in_hand.at)
        groups = await _aside(interchange, lambda: functional_groups(self._catalogue, interchange))
        if ta1 is None and not groups:
            return b""
        number = await self._renderer.x12_reference(in_hand.sender.id, ack_id, test=in_hand.test)
        answer = await _aside(
            interchange,
            lambda: acknowledgement.functional(self._catalogue, envelope, ta1, groups, reference=number, at=in_hand.at),
        )
        return self._sendable(answer)

    def _sendable(self, answer: acknowledgement.Answer) -> bytes:
        """The acknowledgement; a fault of ours in it is the operator's to know, and raised where no answer is left."""
        if answer.faults:
            said = "; ".join(f"{fault.code} at {fault.place}" for fault in answer.faults[:10])
            if not answer.body:
                raise AcknowledgementInvalid(f"no acknowledgement passes our own check: {said}")
            log.error("acknowledgement_shortened", faults=said)
        return answer.body

    async def _refuse(self, interchange: Interchange, in_hand: InHand) -> None:
        """What has no header to answer to: a response document says what was wrong."""
        document = unreadable(interchange, in_hand, in_hand.sender.language)
        await self._dispatch.hand_over(in_hand, in_hand.sender, "response", document, DeliveryKind.RESPONSE, "", "-2")


async def _aside(interchange: Interchange, work: Callable[[], T]) -> T:
    """The result of `work` about `interchange`, in a thread where it takes long."""
    if len(interchange.verdicts) + len(interchange.groups) <= _BRIEF:
        return work()
    return await asyncio.to_thread(work)


def functional_groups(catalogue: Catalogue, interchange: Interchange) -> list[tuple[GroupHeader, list[Body]]]:
    """The functional acknowledgement of each group that gets one; none where the interchange is rejected whole."""
    if interchange.rejected:
        return []
    verdicts: dict[int, list[Verdict]] = {}
    for verdict in interchange.verdicts:
        verdicts.setdefault(verdict.group, []).append(verdict)
    form, groups = functional.Form.IMPLEMENTATION, []
    for index, ended in enumerate(interchange.groups):
        sets = [
            functional.SetVerdict(v.type.name, v.reference, v.findings, v.convention) for v in verdicts.get(index, ())
        ]
        unnamed = interchange.unnamed.get(index, 0)
        answer = functional.group_acknowledgement(
            catalogue, ended.group, sets, ended.findings, unnamed=unnamed, form=form
        )
        if answer is not None:
            groups.append((functional.reply_group(ended.group, str(index + 1), form=form), [answer]))
    return groups


def _refused(interchange: Interchange) -> bool:
    """Whether anything in it was refused for its syntax: the sender has to hear of it somehow."""
    return interchange.rejected or any(rejects(verdict.findings) for verdict in interchange.verdicts)


def _wanted(interchange: Interchange, agreement: Agreement) -> bool:
    """Whether the agreement wants an acknowledgement of this interchange."""
    found = [*interchange.findings, *(f for v in interchange.verdicts for f in v.findings)]
    match agreement.acknowledge:
        case Acknowledge.ALWAYS:
            return True
        case Acknowledge.NEVER:
            return False
        case Acknowledge.ON_REQUEST:
            return interchange.envelope is not None and interchange.envelope.acknowledgement_requested
        case Acknowledge.ON_ERROR:
            return any(f.severity is not Severity.NOTE for f in found)
