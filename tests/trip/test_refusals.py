"""What cannot be taken is refused in its own syntax, precisely, and its bytes are kept."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from gateway import findings as catalogue
from gateway.model import MessageState, PayloadState
from gateway.store.contract import PayloadView
from tests.trip.rig import House, codes, declaration, elements, findings, interchange, message, x12


def refused(view: PayloadView, code: str) -> None:
    """Nothing failed, everything in it is rejected, `code` is among the reasons."""
    assert (view.state, view.failed) == (PayloadState.PROCESSED, "")
    assert {m.state for m in view.messages} == {MessageState.REJECTED}
    assert code in codes(view)
    found = next(f for f in findings(view) if f.code == code)
    assert catalogue.text(found, "en") != code
    assert catalogue.text(found, "zh") not in (code, catalogue.text(found, "en"))


# Duplicates by transport id.


async def test_the_same_sending_gets_the_same_receipt(gateway: House) -> None:
    """A transport id that comes again with the same bytes gets the stored receipt, byte for byte, and is not processed."""
    first = await gateway.send(declaration("A1"), transport_id="id-1")
    await gateway.work()
    gateway.clock.forward(hours=5)
    again = await gateway.send(declaration("A1"), transport_id="id-1")
    assert (again.duplicate, again.payload_id) == (True, first.payload_id)
    assert (again.receipt.index, again.receipt.body) == (first.receipt.index, first.receipt.body)
    assert await gateway.claim() == []


async def test_a_transport_id_is_used_for_one_thing(gateway: House) -> None:
    """Other bytes under a used transport id are refused, and nothing of them is kept."""
    from gateway.errors import TransportIdReused

    await gateway.send(declaration("A1"), transport_id="id-1")
    with pytest.raises(TransportIdReused):
        await gateway.send(declaration("A2"), transport_id="id-1")
    assert len(await gateway.store.payloads("acme", "", "", 10)) == 1


async def test_transport_ids_are_each_partners_own(gateway: House) -> None:
    """The same transport id of another partner, or as test traffic, is another sending."""
    ids = {
        (await gateway.send(declaration("A1"), partner, transport_id="id-1", test=test)).payload_id
        for partner in ("acme", "bureau")
        for test in (False, True)
    }
    assert len(ids) == 4


# Duplicates by interchange reference.


async def test_a_repeated_interchange_is_refused_by_contrl(gateway: House) -> None:
    """An interchange reference that comes again is refused with UCI action 4, error 26; the first one stands."""
    first = await gateway.through(declaration("A1"))
    again = await gateway.through(declaration("A1"))
    refused(again, "interchange.duplicate")
    assert first.messages[0].state is MessageState.ACCEPTED
    uci = elements((await gateway.acknowledgements())[-1], "UCI")
    assert [u[1] for u in uci] == ["A1"]
    assert uci[0][4:6] == ["4", "26"]
    assert len(await gateway.deliveries("bureau")) == 1


async def test_a_repeated_interchange_is_refused_by_ta1(gateway: House) -> None:
    """An X12 control number that comes again is refused with TA1 R 025, and its groups get no acknowledgement."""
    body = x12("997", "AK1*SO*1~AK9*A*1*1*1~", gs="FA")
    await gateway.through(body, "strict-port")
    body = x12("309", "M10*XXXX*O*SG*1*SHIP*1*2*1*Y~")
    again = await gateway.through(body, "strict-port")
    refused(again, "interchange.duplicate")
    answer = (await gateway.acknowledgements("strict-port"))[-1]
    assert [(t[1], t[4], t[5]) for t in elements(answer, "TA1")] == [("000000001", "R", "025")]
    assert elements(answer, "AK1") == []


async def test_a_repeated_json_message_is_answered_with_a_response(gateway: House) -> None:
    """JSON has no acknowledgement of its own: the repeat of a reference is refused by a response document."""
    body = json.dumps({"format": "json:declaration:1", "reference": "J-1", "document": {"direction": "inbound"}})
    first = await gateway.through(body.encode())
    again = await gateway.through(f"{body}\n".encode())
    assert "interchange.duplicate" not in codes(first)
    documents = [json.loads(e.body)["document"] for e in await gateway.inbox() if e.document_type == "response"]
    reasons = [[r["code"] for r in d["reasons"]] for d in documents]
    assert again.messages[0].state is MessageState.REJECTED
    assert len(reasons) == 2


async def test_references_of_senders_that_name_themselves_nowhere_are_apart(gateway: House) -> None:
    """Two partners may use the same reference for JSON messages that name no sender."""
    body = b'{"format": "json:response:1", "reference": "1", "document": {}}'
    for partner in ("acme", "bureau"):
        view = await gateway.through(body, partner)
        assert "interchange.duplicate" not in codes(view)


async def test_a_reference_twice_in_one_payload_is_a_duplicate(gateway: House) -> None:
    """Of two interchanges of one payload with the same reference the second is refused, the first goes its way."""
    view = await gateway.through(declaration("A1") + declaration("A1"))
    assert [m.state for m in view.messages] == [MessageState.ACCEPTED, MessageState.REJECTED]
    actions = [u[4] for body in await gateway.acknowledgements() for u in elements(body, "UCI")]
    assert sorted(actions) == ["4", "7"]


async def test_references_wrap(gateway: House) -> None:
    """After the agreement's window a reference may come again."""
    await gateway.through(declaration("A1"))
    gateway.clock.forward(days=91)
    view = await gateway.through(interchange("A1", message(1, "later")))
    assert view.messages[0].state is MessageState.ACCEPTED


async def test_several_interchanges_in_one_payload_are_judged_apart(gateway: House) -> None:
    """One interchange's wrong count rejects its own messages and no other's; each gets its acknowledgement."""
    body = declaration("A1") + interchange("A2", message(1, "x"), message(2, "y"), count=7) + declaration("A3")
    view = await gateway.through(body)
    assert [m.state.value for m in view.messages] == ["accepted", "rejected", "rejected", "accepted"]
    answers = {u[1]: u[4] for b in await gateway.acknowledgements() for u in elements(b, "UCI")}
    assert answers == {"A1": "7", "A2": "4", "A3": "7"}
    assert len(await gateway.deliveries("bureau")) == 2


# What is not known.


def _folder_only() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.mkdir("nothing")
    return buffer.getvalue()


FOLDER_ONLY = _folder_only()


async def test_an_unknown_edifact_message_has_its_envelope_checked(gateway: House) -> None:
    """Without a table there are the findings of the envelope, 'no table', a negative CONTRL, and the bytes as they came."""
    body = interchange("A1", "UNH+1+WKAERR:D:96B:UN'\nBGM+1'\nUNT+9+1'\n")
    view = await gateway.through(body)
    refused(view, "edi.message.no_table")
    assert "edifact.unt.count" in codes(view)
    assert view.payload.body == body
    answer = (await gateway.acknowledgements())[-1]
    assert [u[3] for u in elements(answer, "UCM")] == ["4"]


async def test_an_unknown_transaction_set_is_rejected_by_997(gateway: House) -> None:
    """An X12 set without a table is rejected as not supported (AK502 1) in a group that is rejected."""
    view = await gateway.through(x12("858", "BX*00*J*PP*1*ABCD*L~"), "strict-port")
    refused(view, "edi.message.no_table")
    answer = (await gateway.acknowledgements("strict-port"))[-1]
    assert [a[1:3] for a in elements(answer, "AK5")] == [["R", "1"]]
    assert [a[1] for a in elements(answer, "AK9")] == ["R"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"hello, this is no message", "payload.unknown_syntax"),
        (b"\x00\xff" * 400, "payload.unknown_syntax"),
        (b" ", "payload.unknown_syntax"),
        (b"<unknown/>", "xml.no_table"),
        (b'{"a": 1}', "json.format_missing"),
        (b'{"format": "json:nothing:1", "document": {}}', "schema.none"),
        (b'{"format": "json:declaration:1"}', "json.document_missing"),
        (b"\x1f\x8b\x08broken", "payload.unreadable"),
        (b"PK\x03\x04broken", "payload.unreadable"),
        (FOLDER_ONLY, "payload.unreadable"),
    ],
)
async def test_what_is_no_syntax_of_ours_is_answered_with_a_response(gateway: House, body: bytes, code: str) -> None:
    """What has no acknowledgement of its own is refused by a response document that says why, once."""
    view = await gateway.through(body)
    assert (view.state, view.failed) == (PayloadState.PROCESSED, "")
    assert {m.state for m in view.messages} == {MessageState.REJECTED}
    assert code in codes(view)
    responses = [json.loads(e.body)["document"] for e in await gateway.inbox()]
    assert [r["outcome"] for r in responses] == ["refused"]
    assert code in [reason["code"] for reason in responses[0]["reasons"]]


# Who may send what.


async def test_without_an_agreement_nothing_is_taken(gateway: House) -> None:
    """A partner without agreements is told so in its message's own syntax."""
    view = await gateway.through(declaration("A1"), "stranger")
    refused(view, "agreement.none")
    answer = (await gateway.acknowledgements("stranger"))[-1]
    assert [u[3] for u in elements(answer, "UCM")] == ["4"]
    assert await gateway.deliveries("bureau") == []


async def test_nobody_sends_under_anothers_identifier(gateway: House) -> None:
    """An envelope sender that the agreement does not give the partner refuses the interchange; its own does not."""
    view = await gateway.through(declaration("A1"), "rival")
    refused(view, "identity.sender")
    uci = elements((await gateway.acknowledgements("rival"))[-1], "UCI")
    assert uci[0][4:6] == ["4", "23"]
    own = await gateway.through(declaration("A2", sender="RIVAL"), "rival")
    assert "identity.sender" not in codes(own)


# Test traffic.


@pytest.mark.parametrize("by_key", [True, False])
async def test_test_traffic_touches_nothing_live(gateway: House, *, by_key: bool) -> None:
    """A test key, or the test indicator of the envelope, keeps a message out of live cases, numbers and feeds."""
    body = declaration("A1")
    if not by_key:
        body = body.replace(b"+A1'\n", b"+A1++++++1'\n", 1)
    view = await gateway.through(body, test=by_key)
    assert [(m.state, m.test) for m in view.messages] == [(MessageState.ACCEPTED, True)]
    assert await gateway.store.case("TD-A1") == []
    assert len(await gateway.store.case("TD-A1", test=True)) == 1
    assert await gateway.inbox() == []
    assert {e.document_type for e in await gateway.inbox(test=True)} == {"response", "acknowledgement"}
    assert [d.test for d in await gateway.deliveries("bureau")] == [True]
    live = await gateway.through(declaration("A1"))
    assert [(m.state, m.test) for m in live.messages] == [(MessageState.ACCEPTED, False)]
    assert "interchange.duplicate" not in codes(live)
    assert live.messages[0].case_id != view.messages[0].case_id


async def test_acknowledgements_are_never_acknowledged(gateway: House) -> None:
    """A CONTRL gets no CONTRL, a 997 no 997; a refusal by syntax rings an alarm."""
    contrl = b"UNB+UNOA:3+CUSTOMER+CIQ+260305:0930+C1'UNH+1+CONTRL:D:3:UN'UCI+NOBODY+CIQ+CUSTOMER+4+2'UNT+3+1'UNZ+1+C1'"
    for body in (contrl, x12("997", "AK1*SO*1~AK9*A*1*1*1~", gs="FA")):
        view = await gateway.through(body)
        assert view.failed == ""
        assert {m.state for m in view.messages} == {MessageState.ACCEPTED}, codes(view)
    assert await gateway.acknowledgements() == []
    alerts = await gateway.feed("alerts", "@operator")
    assert len(alerts) == 1


@pytest.mark.parametrize(
    "body",
    [
        # A header that names no recipient cannot be copied into UCI.
        f"UNB+UNOY:4+S:ZZ++20260305:0930+I6'{message(1, 'x')}UNZ+1+I6'",
        f"UNB'{message(1, 'x')}UNZ+1+'",
        f"{message(1, 'x')}",
    ],
    ids=["no recipient", "bare", "no header"],
)
async def test_a_message_that_no_contrl_can_answer_is_answered_with_a_response(gateway: House, body: str) -> None:
    """There is always an answer: where the header cannot be answered to, a response document says why."""
    view = await gateway.through(body.encode())
    assert [m.state for m in view.messages] == [MessageState.REJECTED]
    (entry,) = await gateway.inbox()
    answer = json.loads(entry.body)["document"]
    assert (entry.document_type, answer["outcome"]) == ("response", "refused")
    assert {r["code"] for r in answer["reasons"]} <= set(codes(view))


async def test_sets_without_an_interchange_header_are_answered_with_a_response(gateway: House) -> None:
    """X12 from GS on is refused by a response document, since no TA1 or 997 could be addressed."""
    body = x12("309", "M10*XXXX*O*SG*1*SHIP*1*2*1*Y~").decode()
    view = await gateway.through(body[body.index("GS*") :].encode(), "strict-port")
    assert {m.state for m in view.messages} == {MessageState.REJECTED}
    assert [e.document_type for e in await gateway.inbox("strict-port")] == ["response"]


@pytest.mark.parametrize(
    ("body", "sender", "tag", "expected"),
    [
        (
            (
                "UNB+UNOC:3+BUREAU:ZZ+CIQ:ZZ+260305:0930+A7'UNH+1+APERAK:D:96B:UN'BGM++A1+29'"
                "DTM+137:202603050930:203'UNT+4+1'UNZ+1+A7'"
            ),
            "bureau",
            "UCI",
            [["UCI", "A7", "BUREAU", "CIQ", "7"]],
        ),
        (x12("824", "BGN*11*A77*20260301*0930~OTI*TA*TN*320N~", gs="AG").decode(), "strict-port", "AK9", None),
    ],
)
async def test_an_applications_answer_is_acknowledged_like_any_other_message(
    gateway: House, body: str, sender: str, tag: str, expected: list[list[str]] | None
) -> None:
    """Its syntax is right, so CONTRL or 997 accept it; it gets no business answer, or two gateways would never end."""
    view = await gateway.through(body.encode(), sender)
    assert [m.state for m in view.messages] == [MessageState.ACCEPTED]
    assert [e.document_type for e in await gateway.inbox(sender)] == ["acknowledgement"]
    (answer,) = await gateway.acknowledgements(sender)
    told = [[part.partition(":")[0] for part in line] for line in elements(answer, tag)]
    assert told == (expected or [["AK9", "A", "1", "1", "1"]])


async def test_test_traffic_draws_control_numbers_of_its_own(gateway: House) -> None:
    """An acknowledgement of a test interchange takes no number from those that live answers count by."""
    numbers = []
    for control, test in (("000000001", False), ("000000002", True), ("000000003", False)):
        body = x12("858", "BX*00*J*PP*1*ABCD*L~", control=control)
        await gateway.through(body.replace(b"*0*P*>", b"*0*T*>") if test else body, "strict-port")
        numbers.append(elements((await gateway.acknowledgements("strict-port", test=test))[-1], "ISA")[0][13])
    assert numbers == ["000000001", "000000001", "000000002"]
