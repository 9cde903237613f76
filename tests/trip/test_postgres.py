"""The trip on PostgreSQL: what the store's own suite cannot see, since it makes its own rows."""

from __future__ import annotations

import json

import pytest

from gateway.model import MessageState, PayloadState
from tests.trip.rig import House, declaration, interchange, message, x12


async def test_a_declaration_goes_the_whole_way(on_postgres: House) -> None:
    """From the interchange to the case, the bureau's delivery and the CONTRL, and a repeat is refused."""
    view = await on_postgres.through(declaration("P1"))
    assert [m.state for m in view.messages] == [MessageState.ACCEPTED]
    assert len(await on_postgres.store.case("TD-P1")) == 1
    assert len(await on_postgres.deliveries("bureau")) == 1
    again = await on_postgres.through(declaration("P1"))
    assert [m.state for m in again.messages] == [MessageState.REJECTED]
    assert len(await on_postgres.acknowledgements()) == 2


async def test_what_changes_a_document_waits_for_it(on_postgres: House) -> None:
    """The look for earlier payloads is the same query there."""
    original = await on_postgres.send(declaration("P2"))
    text = message(1, "P2").replace("+TD-P2+9'", "+TD-P2+5'")
    replacement = await on_postgres.send(interchange("P2X", text))
    one, two = await on_postgres.claim()
    await on_postgres.pipeline.process(two)
    assert (await on_postgres.store.payload(replacement.payload_id)).state is PayloadState.RECEIVED
    await on_postgres.pipeline.process(one)
    on_postgres.clock.forward(seconds=1)
    await on_postgres.work()
    views = [await on_postgres.store.payload(a.payload_id) for a in (original, replacement)]
    assert [m.state for v in views for m in v.messages] == [MessageState.ACCEPTED] * 2


@pytest.mark.parametrize(
    ("body", "sender"),
    [
        (json.dumps({"format": "json:declaration:1", "reference": "a\0b", "document": {}}).encode(), "acme"),
        (interchange("I\0", message(1, "n")), "acme"),
        (interchange("I1", message(1, "n").replace("UNH+1+CUSDEC", "UNH+\0+CUS\0DEC")), "acme"),
        (x12("309", "M10*XXXX*O*SG*1*SHIP*1*2*1*Y~", control="00000000\0"), "strict-port"),
        (x12("309", "M10*XXXX*O*SG*1*SHIP*1*2*1*Y~").replace(b"ST*309*0001", b"ST*309*00\x001"), "strict-port"),
        (
            b"UNB+UNOC:3+BUREAU:ZZ+CIQ:ZZ+260305:0930+C1'UNH+1+CONTRL:D:3:UN'UCI+A\0+B+C+7'UNT+3+1'UNZ+1+C1'",
            "bureau",
        ),
    ],
    ids=["json", "UNB", "UNH", "ISA", "ST", "UCI"],
)
async def test_a_character_that_texts_there_cannot_hold_is_no_fault_of_ours(
    on_postgres: House, body: bytes, sender: str
) -> None:
    """U+0000 in a reference is judged like on SQLite: the payload is processed, and its sender answered."""
    view = await on_postgres.through(body, sender)
    assert (view.state, view.failed) == (PayloadState.PROCESSED, "")
    assert view.payload.body == body
