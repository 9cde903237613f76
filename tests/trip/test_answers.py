"""What comes back from partners, and what a message gives its sender to see: answers, refusals, participation."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from gateway import data
from gateway.decide import effects as do
from gateway.documents import Response
from gateway.findings import make_finding
from gateway.model import DeliveryState, MessageState, Place, Stage
from gateway.parse.segments import MessageRead
from gateway.parse.x12 import read as read_x12
from gateway.store import tables
from gateway.store.contract import AttemptResult, PayloadView
from gateway.translate.outcome import Origins
from gateway.trip.answers import placed, read_advice
from tests.trip.rig import House, codes, declaration, incoming, interchange, message, outgoing


def as_json(document_type: str, under: str, **document: Any) -> bytes:
    """A JSON message."""
    return json.dumps(
        {"format": f"json:{document_type}:1", "reference": under, "document": document}, ensure_ascii=False
    ).encode()


def answer(reference: str, of: str, outcome: str, id_: str) -> bytes:
    """The bureau's answer to a declaration of `of`."""
    return as_json("response", reference, id=id_, document="declaration", outcome=outcome, reference=of)


async def delivered(gateway: House) -> list[str]:
    """Everything due is delivered; the deliveries' ids in the order they were made."""
    due = await gateway.store.claim_deliveries(9, timedelta(seconds=60), gateway.clock())
    for one in due:
        await gateway.store.finish_attempt(AttemptResult(one.id, one.fence, one.attempts, "delivered", gateway.clock()))
    return [one.id for one in sorted(due, key=lambda d: d.sequence)]


def states(view: PayloadView) -> list[MessageState]:
    """What became of each message."""
    return [m.state for m in view.messages]


# Who sees a case.


async def test_a_refused_message_gives_its_sender_no_part_in_the_case_it_names(gateway: House) -> None:
    """Numbers can be guessed: a stranger who names one is refused, and sees nothing of the case, then or later."""
    view = await gateway.through(declaration("R1"))
    await gateway.through(answer("RR1", "TD-R1", "accepted", "A1"), "bureau")
    (case,) = await gateway.store.case(view.messages[0].case_id)
    number = dict(case.keys)["declaration"]
    await gateway.store.import_partners(
        (), (incoming("stranger"), outgoing("stranger", "response", "json:response:1")), ()
    )
    notice = as_json(
        "clearance", "X1", number=f"{number}000", function="9", direction="inbound", declaration_number=number,
        status="issued", goods=[{"sequence_number": 1, "hs_code": "2204210000"}],
    )  # fmt: skip
    for who in ("rival", "stranger"):
        refused = await gateway.through(notice, who)
        assert states(refused) == [MessageState.REJECTED]
        assert "decide.sender.not_concerned" in codes(refused)
        assert await gateway.store.case(number, who) == []
    assert len(await gateway.store.case(number, "acme")) == len(await gateway.store.case(number, "bureau")) == 1


async def test_reasons_of_a_refusal_stand_with_the_message(gateway: House) -> None:
    """What the rules decided is among the message's findings and in its receipt, at the sender's own place."""
    text = message(1, "R9").replace("+TD-R9+9'", "+TD-R9+1'")
    assert "+TD-R9+1'" in text
    view = await gateway.through(interchange("R9", text))  # cancels what was never declared
    assert states(view) == [MessageState.REJECTED]
    (finding,) = view.messages[0].findings
    assert (finding.code, finding.place.tag) == ("decide.declaration.unknown", "BGM")
    (checked,) = [r for r in await gateway.store.receipts_of([view.messages[0].id]) if r.stage is Stage.CHECKED]
    assert json.loads(checked.body)["findings_total"] == 1


async def test_reasons_stand_at_the_senders_own_place_wherever_they_are_told(gateway: House) -> None:
    """On the case's timeline, in the alert and in the response, a reason names the segment and element it came from."""
    await gateway.store.import_partners((), (incoming("customs"),), ())
    await gateway.through(declaration("P1"))
    await gateway.through(answer("RP1", "TD-P1", "accepted", "A1"), "bureau")
    (case,) = await gateway.store.case("TD-P1")
    number = dict(case.keys)["declaration"]
    entry = as_json(
        "customs_entry", "E1", number="420020260000000001", function="9", notice_number=f"{number}000",
        direction="inbound", status="released", goods=[{"sequence_number": 1, "hs_code": "2204210000"}],
    )  # fmt: skip
    view = await gateway.through(entry, "customs")
    (found,) = view.messages[0].findings
    assert (found.code, found.place.path) == ("decide.clearance.unknown", "/notice_number")
    (alert,) = [json.loads(one.body) for one in await gateway.feed("alerts", "@operator")]
    assert alert["reasons"][0]["place"] == {"path": "/notice_number"}
    (told,) = [json.loads(one.body)["document"] for one in await gateway.inbox("customs") if b"response" in one.body]
    assert told["reasons"][0]["place"] == "/notice_number"


# Business answers.


async def test_an_answer_that_is_refused_answers_nothing(gateway: House) -> None:
    """A repeated interchange is no answer: the delivery stays delivered until the real one comes, once."""
    for reference in ("R1", "R2"):
        await gateway.through(declaration(reference))
    first, second = await delivered(gateway)
    assert states(await gateway.through(answer("RR1", "TD-R1", "accepted", "A1"), "bureau")) == [MessageState.ACCEPTED]
    repeated = await gateway.through(answer("RR1", "TD-R2", "refused", "A2"), "bureau")
    assert (states(repeated), codes(repeated)) == ([MessageState.REJECTED], ["interchange.duplicate"])
    assert (await gateway.store.delivery(first)).state is DeliveryState.ANSWERED
    assert (await gateway.store.delivery(second)).state is DeliveryState.DELIVERED
    await gateway.through(answer("RR2", "TD-R2", "accepted", "A3"), "bureau")
    answered = [r for r in await gateway.store.receipts_of([second]) if r.stage is Stage.ANSWERED]
    assert [json.loads(r.body)["verdict"] for r in answered] == ["accepted"]


# Syntax acknowledgements from recipients.


@pytest.mark.parametrize(
    ("segments", "alarms"),
    [
        ("UCI+{ref}+CIQ:ZZ+PARTNER:ZZ+7'", 0),
        ("UCI+{ref}+CIQ:ZZ+PARTNER:ZZ+8'", 0),
        ("UCI+{ref}+CIQ:ZZ+PARTNER:ZZ+4+12'", 1),
        # ISO 9735-4, 0083: 7 acknowledges all but what is rejected below.
        ("UCI+{ref}+CIQ:ZZ+PARTNER:ZZ+7'UCM+1+CUSRES:D:96B:UN+4'UCS+3+13'", 1),
        ("UCI+{ref}+CIQ:ZZ+PARTNER:ZZ+7'UCM+1+CUSRES:D:96B:UN+7'UCM+2+CUSRES:D:96B:UN+4+12'", 1),
    ],
)
async def test_a_contrl_that_rejects_anything_rings_an_alarm(gateway: House, segments: str, alarms: int) -> None:
    """A refusal below an acknowledged interchange is a refusal."""
    count = segments.count("'") + 2
    body = f"UNH+1+CONTRL:D:3:UN'{segments.format(ref='REF1')}UNT+{count}+1'"
    view = await gateway.through(f"UNB+UNOA:3+BUREAU:ZZ+CIQ:ZZ+260305:0930+C1'{body}UNZ+1+C1'".encode(), "bureau")
    assert states(view) == [MessageState.ACCEPTED]
    assert len(await gateway.feed("alerts", "@operator")) == alarms


async def test_a_test_acknowledgement_meets_no_live_case(gateway: House) -> None:
    """A CONTRL under the test indicator that names a live interchange is not kept with the live case."""
    await gateway.store.import_partners((), (outgoing("bureau", "declaration", "edifact:CUSDEC:D:96B:UN"),), ())
    await gateway.through(declaration("R1"))
    (sent,) = [d for d in await gateway.deliveries("bureau") if d.document_type == "declaration"]
    body = f"UNH+1+CONTRL:D:3:UN'UCI+{sent.reference}+CIQ:ZZ+BUREAU:ZZ+7'UNT+3+1'"
    for test, expected in (("++++++1", ""), ("", sent.case_id)):
        wire = f"UNB+UNOA:3+BUREAU:ZZ+CIQ:ZZ+260305:0930+C{len(test)}{test}'{body}UNZ+1+C{len(test)}'"
        view = await gateway.through(wire.encode(), "bureau")
        assert [m.case_id for m in view.messages] == [expected]


# Documents that wait.


async def test_what_is_cancelled_and_sent_anew_in_one_interchange_waits(gateway: House) -> None:
    """The second message of an interchange sees what the first has taken back, as it would in one of its own."""
    text = (data.samples() / "manifest" / "feeder" / "out.edi").read_text("utf-8")
    begins, ends = text.index("UNH+"), text.index("UNZ+")
    head = text[:begins].replace("+CIQ:ZZ+PORTBUREAU:ZZ+", "+PORT:ZZ+GATEWAY:ZZ+")

    def manifest(reference: str, *functions: str) -> bytes:
        found = head.replace("CM0001", reference)
        for number, function in enumerate(functions, 1):
            one = text[begins:ends].replace("UNH+1+", f"UNH+{number}+").replace("+9'\n", f"+{function}'\n", 1)
            found += re.sub(r"UNT\+(\d+)\+1'", rf"UNT+\1+{number}'", one)
        return f"{found}UNZ+{len(functions)}+{reference}'\n".encode()

    async def waiting() -> int:
        return await gateway.store._read(
            lambda c: c.execute(select(func.count()).select_from(tables.waits)).scalar_one()
        )

    await gateway.through(manifest("M1", "9"), "lenient-port")
    before = await waiting()
    await gateway.through(manifest("M2", "1", "9"), "lenient-port")
    assert await waiting() == before > 0


# Where reasons stand.


def untraced() -> dict[str, Place]:
    """Tracing that nobody should have asked for."""
    raise AssertionError("the message was traced for a reason that names no field")


def test_a_message_is_traced_only_for_reasons_that_name_a_field() -> None:
    """What most decisions note names no field, and tracing a message takes longer than deciding it."""
    bare = make_finding("decide.repeat")
    answer_without = Response.model_validate(
        {"id": "1", "document": "declaration", "outcome": "held", "reasons": [{"code": bare.code}]}
    )
    effects: list[do.Effect] = [
        do.Note("c", "repeat", (bare,)),
        do.Note("c", "repeat", ()),
        do.Respond("c", answer_without),
    ]
    for effect in effects:
        assert placed(effect, Origins(untraced)) == effect


def test_a_reason_is_placed_where_its_value_stood() -> None:
    """Each by itself: one at a field of the document stands in the message then, others stay as they are."""
    origin = Place(segment=7, tag="RFF")
    at = make_finding("decide.repeat", Place(path="number"))
    elsewhere = make_finding("decide.repeat", Place(path="goods[0].hs_code"))
    bare = make_finding("decide.repeat")
    note = placed(do.Note("c", "repeat", (bare, at, elsewhere)), Origins(lambda: {"number": origin}))
    assert note == do.Note("c", "repeat", (bare, replace(at, place=origin), elsewhere))


# An application's own answer, APERAK or 824, which no mapping reads.


def aperak(reference: str, verdict: str, under: str) -> bytes:
    """What the bureau's system says of the message with that reference."""
    function, response = ("29", "AP") if verdict == "accepted" else ("27", "RE")
    body = [
        f"UNH+1+APERAK:D:96B:UN'BGM++{under}+{function}+{response}'DTM+137:202603050930:203'RFF+ACW:{reference}'",
        "ERC+12'FTX+AAO+++NOT KNOWN HERE'" if verdict == "refused" else "",
    ]
    count = "".join(body).count("'") + 1
    header = f"UNB+UNOC:3+BUREAU:ZZ+CIQ:ZZ+260305:0930+{under}'"
    return f"{header}{''.join(body)}UNT+{count}+1'UNZ+1+{under}'".encode()


def advice_824(reference: str, verdict: str, under: str) -> bytes:
    """The same as an 824, whose OTI03 gives the reference."""
    code = "TA" if verdict == "accepted" else "TR"
    return x12("824", f"BGN*11*{under}*20260305*0930~OTI*{code}*TN*{reference}~", gs="AG", number=under)


def x12(name: str, body: str, *, gs: str, number: str) -> bytes:
    """One transaction set in its envelopes."""
    count = body.count("~") + 2
    isa = f"ISA*00*          *00*          *ZZ*{'BUREAU':15}*ZZ*{'CIQ':15}*260305*0930*U*00401*{number:0>9}*0*P*>~"
    inner = f"GS*{gs}*BUREAU*CIQ*20260305*0930*{number}*X*004010~ST*{name}*0001~{body}SE*{count}*0001~GE*1*{number}~"
    return f"{isa}{inner}IEA*1*{number:0>9}~".encode()


@pytest.mark.parametrize("write", [aperak, advice_824])
@pytest.mark.parametrize("verdict", ["accepted", "refused"])
async def test_an_applications_answer_is_that_of_the_delivery_it_names(
    gateway: House, write: Any, verdict: str
) -> None:
    """An APERAK or 824 is the `answered` of the delivery whose reference it gives; a refusal rings, on the case too."""
    view = await gateway.through(declaration("R1"))
    (sent,) = await delivered(gateway)
    reference = (await gateway.store.delivery(sent)).reference
    told = await gateway.through(write(reference, verdict, "7001"), "bureau")
    assert states(told) == [MessageState.ACCEPTED], codes(told)
    assert told.messages[0].case_id == view.messages[0].case_id
    assert (await gateway.store.delivery(sent)).state is DeliveryState.ANSWERED
    (receipt,) = [r for r in await gateway.store.receipts_of([sent]) if r.stage is Stage.ANSWERED]
    body = json.loads(receipt.body)
    assert (body["verdict"], body["answer_sha256"]) == (verdict, told.payload.sha256)
    alerts = [json.loads(one.body) for one in await gateway.feed("alerts", "@operator")]
    assert [one["alert"] for one in alerts] == (["answer_refused"] if verdict == "refused" else [])


def test_an_824_names_a_group_by_its_number() -> None:
    """OTI08, filled up with zeros or not, goes before OTI03; of many OTI each is an answer of its own."""
    body = "BGN*11*1*20260305*0930~OTI*TA*TN*A1*****000000012~OTI*TE*TN*A2~OTI*TR*TN*A3*****13~"
    (read,) = [
        event.message for event in read_x12(x12("824", body, gs="AG", number="1")) if isinstance(event, MessageRead)
    ]
    told = [(one.references, one.is_refused) for one in read_advice(read)]
    assert told == [(("000000012", "12", "A1"), False), (("A2",), False), (("13", "A3"), True)]


@pytest.mark.parametrize("write", [aperak, advice_824])
async def test_an_answer_that_names_no_delivery_answers_none(gateway: House, write: Any) -> None:
    """A reference that nobody was sent, or somebody else was, changes no delivery; the answer is kept all the same."""
    await gateway.through(declaration("R1"))
    (sent,) = await delivered(gateway)
    reference = (await gateway.store.delivery(sent)).reference
    for who, named, under in (("bureau", "NOSUCH", "7001"), ("rival", reference, "7002")):
        body = (
            write(named, "accepted", under).replace(b"BUREAU", b"RIVAL ")
            if who == "rival"
            else write(named, "accepted", under)
        )
        await gateway.through(body.replace(b"RIVAL :", b"RIVAL:"), who)
        assert (await gateway.store.delivery(sent)).state is DeliveryState.DELIVERED


async def test_whoever_is_pushed_acknowledgements_hears_of_a_refusal_in_its_syntax(gateway: House) -> None:
    """A business fault under an accepted message goes out as APERAK where acknowledgements are pushed, and no responses."""
    await gateway.store.import_partners((), (outgoing("acme", "acknowledgement", "edifact:CONTRL"),), ())
    text = message(1, "R9").replace("+TD-R9+9'", "+TD-R9+1'")  # cancels what was never declared
    view = await gateway.through(interchange("R9", text))
    assert states(view) == [MessageState.REJECTED]
    pushed = {d.format: (await gateway.store.delivery(d.id)).body.decode() for d in await gateway.deliveries("acme")}
    assert pushed.keys() == {"edifact:CONTRL", "edifact:APERAK:D:96B:UN"}
    assert "+27+RE'" in pushed["edifact:APERAK:D:96B:UN"]
    assert "UCM+1+CUSDEC:D:96B:UN+7'" in pushed["edifact:CONTRL"] or "UCI+R9" in pushed["edifact:CONTRL"]
