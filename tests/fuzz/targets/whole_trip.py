"""The whole way of a payload without the store: examined, decided, rendered, receipted, acknowledged."""

import zlib
from dataclasses import asdict

from gateway.catalogue_folders import shipped
from gateway.decide import effects as do
from gateway.model import Agreement, Direction, MessageState, Payload, Strictness, Syntax
from gateway.receipt import signed
from gateway.receipt.signed import canonical
from gateway.store.sql import to_json
from gateway.trip import answers, faults, refusals
from gateway.trip.examined import Failed, Interchange, Message
from gateway.trip.in_hand import InHand
from gateway.trip.origins import origins_of
from tests.flows import world
from tests.fuzz.invariants import Budget, worded
from tests.fuzz.outgoing import acknowledged, advised, examined, rendered

SEEDS = ("*.edi", "*.x12", "*.xml", "*.json", "*.zip")
ZONES = ("UTC", "Asia/Shanghai", "Africa/Monrovia", "Asia/Kolkata")
SENDERS = {
    "declaration": world.FACTORY,
    "manifest": world.PORT,
    "customs_entry": world.CUSTOMS,
    "transfer": world.BUREAU,
}


def one(body: bytes) -> None:
    """No exception, nothing unbounded, the same each time; and what goes out passes our own strict check."""
    draw = zlib.crc32(body)
    agreement = Agreement(
        "a",
        "acme",
        Direction.IN,
        "*",
        "*",
        strictness=Strictness.LENIENT if draw & 1 else Strictness.STRICT,
        time_zone=ZONES[draw >> 1 & 3],
        second_opinion=draw >> 3 & 15 == 0,
    )
    with Budget(body) as budget:
        found = examined(body, agreement)
        assert [_said(item) for item in found] == [_said(item) for item in examined(body, agreement)]
        known = world.World()
        for item in found:
            assert not item.fault, item.fault
            budget.gives(worded(item.findings))
            if isinstance(item, Message):
                _message(item, known, agreement, budget)
            else:
                _interchange(item, budget)


def _said(item: Message | Interchange) -> str:
    """What an examined thing says, places of its values apart."""
    if isinstance(item, Message):
        return repr((item.number, item.format, item.reference, item.findings, item.refusals, item.document))
    return repr((item.syntax, item.findings, item.first, item.last, item.ref, item.verdicts))


def _message(message: Message, known: world.World, agreement: Agreement, budget: Budget) -> None:
    sender = SENDERS.get(message.document_type, world.BUREAU)
    in_hand = InHand(f"{message.number:032}", sender, world.NOW)
    for language in ("en", "zh"):
        for refused in (
            refusals.refusal(message, [*message.findings, *message.refusals], in_hand, language),
            refusals.fault_of_ours(message, in_hand, language),
        ):
            rendered("response", refused, agreement, budget)
            advised(refused, budget)
    found = [*message.findings, *message.refusals]
    budget.gives(to_json([asdict(finding) for finding in found]).encode())
    payload = Payload("p", "acme", "http", "", "", 0, world.NOW)
    budget.gives(
        signed.checked(
            payload,
            log="log",
            at=world.NOW,
            message_id=in_hand.message_id,
            reference=message.reference,
            format=message.format,
            verdict=MessageState.ACCEPTED,
            findings=found,
        )
    )
    if message.control is not None:
        answers._verdict(message.control)
    if message.document is None:
        return
    budget.gives(canonical(message.document.to_json()))
    rendered(message.document_type, message.document, agreement, budget)
    if message.rejected or faults.CODE in [f.code for f in found] or world.FLOWS.find(message.document) is None:
        return
    # A second message about the same consignment meets the case that the first one made.
    for _ in range(2):
        for effect in known.send(message.document, sender):
            if isinstance(effect, do.Send | do.Respond):
                rendered(
                    effect.document_type,
                    answers.placed(effect, origins_of(message, shipped())).document,
                    agreement,
                    budget,
                )


def _interchange(interchange: Interchange, budget: Budget) -> None:
    in_hand = InHand("0" * 32, world.FACTORY, world.NOW)
    for language in ("en", "zh"):
        refusals.unreadable(interchange, in_hand, language)
        refusals.unacknowledged(interchange, in_hand, language)
    message = Failed(f"{interchange.syntax or Syntax.EDIFACT}:ANY", "REFERENCE")
    every = dict.fromkeys(range(interchange.first, interchange.last + 1), message)
    for told in (interchange, interchange.failing(every)):
        acknowledged(told, budget)
