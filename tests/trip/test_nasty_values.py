"""Values that are built to surprise, in every kind of field, in every format that carries it."""

from __future__ import annotations

import json
import os
import random

import pytest

from gateway.documents import MODELS
from gateway.model import MessageState, PayloadState, Stage, Syntax
from gateway.store.contract import PayloadView
from tests.trip import nasty
from tests.trip.rig import House, codes, declaration, interchange, message

FORMATS = {wire.format: wire for wire in nasty.wires()}
SENDERS = {"declaration": "acme", "manifest": "strict-port", "customs_entry": "customs"}
"""Who may send such documents; the others come from the bureau."""


def test_every_format_and_every_kind_of_field_takes_part() -> None:
    """The table below leaves out no format that is read, and no kind of field that documents have."""
    kinds = {kind for wire in FORMATS.values() for kind in wire.places}
    assert {*nasty.KINDS.values(), *nasty.TEXT_KINDS.values(), "choice"} == kinds
    assert {wire.document for wire in FORMATS.values()} == MODELS.keys()
    assert {wire.syntax for wire in FORMATS.values()} == {Syntax.EDIFACT, Syntax.X12, Syntax.XML, Syntax.JSON}


STEP = 1 if os.environ.get("FAULTS") == "long" else 4
"""Of the pairs of a kind and a value each format takes so many apart, and each begins at another: all take part."""


def variants(wire: nasty.Wire) -> list[bytes]:
    """The message with each value in each kind of field."""
    made = [(kind, text) for kind in wire.places for text in nasty.TEXTS][
        sorted(FORMATS).index(wire.format) % STEP :: STEP
    ]
    found = [wire.with_value(kind, text, 1000 + serial) for serial, (kind, text) in enumerate(made)]
    if wire.syntax is Syntax.JSON:
        tokens = [(kind, token) for kind in wire.places for token in nasty.TOKENS]
        found += [wire.with_token(kind, token, 5000 + serial) for serial, (kind, token) in enumerate(tokens)]
    return found


@pytest.mark.parametrize("format_", sorted(FORMATS))
async def test_whatever_a_value_is_it_is_answered(gateway: House, format_: str) -> None:
    """No value fails a message: each is answered and has its `checked` receipt, and its neighbours are accepted."""
    wire = FORMATS[format_]
    sender = SENDERS.get(wire.document, "bureau")
    bodies = variants(wire)
    for start in range(0, len(bodies), 900):
        good = [declaration(f"GOOD{start}{n}") for n in (1, 2)]
        parts = [good[0], *bodies[start : start + 900], good[1]]
        view = await gateway.through(nasty.zipped(parts), sender)
        check(view, len(parts))
        if sender == "acme":
            assert [view.messages[0].state, view.messages[-1].state] == [MessageState.ACCEPTED] * 2
    answered = await gateway.inbox(sender)
    assert all(len(entry.body) < 300_000 for entry in answered)
    for entry in [*await gateway.deliveries("bureau"), *await gateway.deliveries("customs")]:
        assert len(entry.body) < 300_000


def check(view: PayloadView, parts: int) -> None:
    """Every part became a message that was judged, answered and receipted, and none through a fault of ours."""
    assert (view.state, view.failed) == ("processed", "")
    assert "gateway.fault" not in codes(view)
    receipts = {r.subject_id: json.loads(r.body) for r in view.receipts if r.stage is Stage.CHECKED}
    assert len(view.messages) >= parts
    for one in view.messages:
        assert receipts[one.id]["verdict"] == one.state.value
    answers = {entry.message_id for entry in view.offered} | {d.message_id for d in view.deliveries}
    for one in view.messages:
        # What a bureau's response meets is told to the operator: two gateways would answer each other for ever.
        by_decision = one.document_type == "response" and one.document is not None
        if one.state is MessageState.REJECTED and not by_decision:
            assert one.id in answers, one.findings
            assert one.findings


async def test_envelopes_of_any_length_are_kept(on_postgres: House) -> None:
    """References and parties longer than PostgreSQL's indexes take are no fault of ours, and still find duplicates."""
    long = "".join(random.Random(1).choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=6000))
    whole = FORMATS["xml:EEntDeclIo:1"].body.decode()
    head = f"<MessageHead><MESSAGE_ID>{long}</MESSAGE_ID><MESSAGE_DEST>{long}</MESSAGE_DEST></MessageHead>"
    wrapped = f"<OBORMessage>{head}<MessageBody>{whole[whole.index('?>') + 2 :]}</MessageBody></OBORMessage>"
    for body in (interchange(long, message(1, "L1")), wrapped.encode()):
        first = await on_postgres.through(body, "lenient-port")
        again = await on_postgres.through(body + b"\n", "lenient-port")
        assert "gateway.fault" not in (*codes(first), *codes(again))
        assert first.state is again.state is PayloadState.PROCESSED
    assert "interchange.duplicate" in codes(again)
