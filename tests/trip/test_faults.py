"""A fault of ours in one message is that message's state: told, receipted, mended later; and its neighbours go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from gateway.check import rules, structure, xsd
from gateway.decide import facts
from gateway.errors import StoreUnavailable
from gateway.model import MessageState, PayloadState, Stage
from gateway.parse import edifact
from gateway.receipt import acknowledgement
from gateway.store.contract import PayloadView
from gateway.translate.engine import Mapping
from gateway.trip import acknowledge, carry, decider, examine
from gateway.trip.address import OPERATOR, Dispatch
from gateway.trip.render import Renderer
from tests.trip import nasty
from tests.trip.rig import House, codes, declaration, elements, interchange, message

SECRET = "the-inner-secret"
"""What the faults say: nobody but the log may hear of it."""


class Broken(Exception):
    """A fault of ours."""


def breaks(original: Callable[..., Any], mark: str) -> Callable[..., Any]:
    """`original`, but it raises where an argument mentions `mark`."""

    def broken(*args: Any, **more: Any) -> Any:
        if any(mark in _said(one) for one in (*args, *more.values())):
            raise Broken(SECRET)
        return original(*args, **more)

    return broken


def _said(value: Any) -> str:
    """What an argument says, wire messages and XML included."""
    if isinstance(value, tuple):
        return " ".join(_said(one) for one in value)
    if hasattr(value, "iter") and hasattr(value, "tag"):
        return "".join(value.itertext())
    if hasattr(value, "segments"):
        return str(value.segments)
    return str(value)


SEAMS: dict[str, tuple[Any, str, str]] = {
    # where it breaks: the owner, the name, and what the guilty one is known by there
    "check": (structure, "check", "TD-B2"),
    "translate": (Mapping, "read", "TD-B2"),
    "rules": (rules, "check", "TD-B2"),
    "decide": (decider, "conclude", "TD-B2"),
    "address and render": (Renderer, "render", "TD-B2"),
    "effects": (Dispatch, "_publish", "TD-B2"),
}


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    """What the log is told."""
    with structlog.testing.capture_logs() as entries:
        yield entries


def batch(reference: str = "BATCH") -> bytes:
    """Three declarations, of which the second is the guilty one."""
    return interchange(reference, *(message(n, f"B{n}") for n in (1, 2, 3)))


def states(view: PayloadView) -> list[str]:
    return [m.state.value for m in view.messages]


def verdicts(view: PayloadView) -> dict[str, str]:
    """The newest verdict that receipts give on each message."""
    return {r.subject_id: json.loads(r.body)["verdict"] for r in view.receipts if r.stage is Stage.CHECKED}


async def assert_told(gateway: House, view: PayloadView, told: list[dict[str, Any]], sender: str = "acme") -> None:
    """The guilty one is receipted, the operator has an alert and the traceback, and the sender not a word of it."""
    guilty = [m for m in view.messages if m.state is MessageState.FAILED]
    for one in guilty:
        assert verdicts(view)[one.id] == "failed"
        assert "gateway.fault" in [f.code for f in one.findings]
        assert (one.document, one.case_id) == (None, "")
    assert view.state is PayloadState.FAILED
    alerts = [json.loads(e.body)["alert"] for e in await gateway.feed("alerts", OPERATOR)]
    assert "message_failed" in alerts
    traces = [entry["fault"] for entry in told if entry["event"] == "message_failed"]
    assert any(SECRET in trace and "Traceback" in trace for trace in traces)
    shown = [
        repr(view.messages),
        *(e.body.decode() for e in await gateway.inbox(sender)),
        *(str(r) for r in view.receipts),
    ]
    assert not any(SECRET in text or "Traceback" in text or ".py" in text for text in shown)


@pytest.mark.parametrize("seam", SEAMS)
async def test_one_message_fails_and_its_neighbours_go_on(
    gateway: House, monkeypatch: pytest.MonkeyPatch, told: list[dict[str, Any]], seam: str
) -> None:
    """Wherever our own code breaks on one message, that one is refused in the CONTRL and the others are decided."""
    owner, name, mark = SEAMS[seam]
    original = getattr(owner, name)
    monkeypatch.setattr(owner, name, breaks(original, mark))
    view = await gateway.through(batch())
    assert states(view) == ["accepted", "failed", "accepted"]
    await assert_told(gateway, view, told)
    (ack,) = await gateway.acknowledgements()
    # ISO 9735-4: the interchange is taken but for one message, which is rejected (4) with code 18, unspecified error.
    assert [uci[4] for uci in elements(ack, "UCI")] == ["7"]
    assert [(ucm[1], ucm[3], ucm[4]) for ucm in elements(ack, "UCM")] == [("2", "4", "18")]
    assert len(await gateway.deliveries("bureau")) == 2

    # Once the fault is mended, the operator processes it again, and the sender is told the state after.
    monkeypatch.setattr(owner, name, original)
    await gateway.store.reopen_payload(view.payload.id)
    await gateway.work()
    after = await gateway.store.payload(view.payload.id)
    assert states(after) == ["accepted"] * 3
    assert (after.state, after.failed) == (PayloadState.PROCESSED, "")
    assert set(verdicts(after).values()) == {"accepted"}
    *_, newest = await gateway.acknowledgements()
    assert newest != ack
    assert not elements(newest, "UCM")
    assert len(await gateway.deliveries("bureau")) == 3


@pytest.mark.parametrize(
    ("format_", "owner", "name"),
    [
        ("xml:EEntDeclIo:1", xsd, "check"),
        ("json:declaration:1", Mapping, "read"),
        ("json:declaration:1", decider, "conclude"),
    ],
)
async def test_xml_and_json_are_answered_with_a_response(
    gateway: House, monkeypatch: pytest.MonkeyPatch, told: list[dict[str, Any]], format_: str, owner: Any, name: str
) -> None:
    """Where the syntax has no acknowledgement, a response says that it was not processed; the good ones of the zip go on."""
    wire = next(w for w in nasty.wires() if w.format == format_)
    guilty = wire.body.replace(b"SD-2026", b"BAD-2026")
    assert guilty != wire.body
    original = getattr(owner, name)
    monkeypatch.setattr(owner, name, breaks(original, "BAD-2026"))
    view = await gateway.through(nasty.zipped([declaration("A1"), guilty, declaration("A3")]))
    assert states(view) == ["accepted", "failed", "accepted"]
    await assert_told(gateway, view, told)
    responses = [json.loads(e.body)["document"] for e in await gateway.inbox() if e.document_type == "response"]
    (said,) = [r for r in responses if r["outcome"] == "refused"]
    assert [reason["code"] for reason in said["reasons"]] == ["gateway.fault"]

    monkeypatch.setattr(owner, name, original)
    await gateway.store.reopen_payload(view.payload.id)
    await gateway.work()
    after = await gateway.store.payload(view.payload.id)
    assert "failed" not in states(after)
    assert len(await gateway.inbox()) > len(responses)


async def test_a_reader_that_breaks_ends_its_own_part(
    gateway: House, monkeypatch: pytest.MonkeyPatch, told: list[dict[str, Any]]
) -> None:
    """What was read before counts for nothing without its trailer, and is told so; the other parts are decided."""
    original = edifact.read

    def broken(pieces: Any, *args: Any) -> Iterator[Any]:
        body = b"".join(pieces)
        for number, event in enumerate(original(body, *args)):
            if b"GUILTY" in body and number == 3:
                raise Broken(SECRET)
            yield event

    monkeypatch.setattr(examine.edifact, "read", broken)
    guilty = interchange("GUILTY", *(message(n, f"G{n}") for n in (1, 2, 3)))
    view = await gateway.through(nasty.zipped([declaration("A1"), guilty, declaration("A3")]))
    assert states(view) == ["accepted", "failed", "failed", "accepted"]
    await assert_told(gateway, view, told)
    acks = await gateway.acknowledgements()
    assert sorted(elements(ack, "UCI")[0][4] for ack in acks) == ["4", "7", "7"]
    assert sum(e["event"] == "message_failed" for e in told) == 1


async def test_what_cannot_be_unpacked_through_our_fault_is_answered(
    gateway: House, monkeypatch: pytest.MonkeyPatch, told: list[dict[str, Any]]
) -> None:
    """A payload of which nothing can be read is answered, receipted and kept for later."""
    monkeypatch.setattr(examine, "unpack", breaks(examine.unpack, "X1"))
    view = await gateway.through(declaration("X1"))
    assert states(view) == ["failed"]
    await assert_told(gateway, view, told)
    (answer,) = await gateway.inbox()
    assert "gateway.fault" in answer.body.decode()
    monkeypatch.undo()
    await gateway.store.reopen_payload(view.payload.id)
    await gateway.work()
    assert states(await gateway.store.payload(view.payload.id)) == ["accepted"]


async def test_an_acknowledgement_that_breaks_is_replaced(
    gateway: House, monkeypatch: pytest.MonkeyPatch, told: list[dict[str, Any]]
) -> None:
    """The messages stand as they were decided; a response says that their acknowledgement could not be written."""
    monkeypatch.setattr(acknowledge.acknowledgement, "contrl", breaks(acknowledgement.contrl, "GUILTY"))
    guilty = interchange("GUILTY", message(1, "G1"))
    view = await gateway.through(nasty.zipped([declaration("A1"), guilty]))
    assert states(view) == ["accepted", "accepted"]
    assert len(await gateway.acknowledgements()) == 1
    answers = [e.body.decode() for e in await gateway.inbox() if "gateway.unacknowledged" in e.body.decode()]
    assert len(answers) == 1
    assert SECRET not in answers[0]
    assert "not_acknowledged" in [json.loads(e.body)["alert"] for e in await gateway.feed("alerts", OPERATOR)]


async def refused_by_the_store(gateway: House, monkeypatch: pytest.MonkeyPatch, told: list[dict[str, Any]]) -> None:
    """Ten messages, of which the engine does not take two."""
    monkeypatch.setattr(carry, "storable", lambda text: text)
    bad = "\x00" if gateway.settings.store.url.startswith("postgresql") else "\udcff"
    original = carry.Trip._record

    def record(trip: Any, message: Any, *args: Any, **more: Any) -> Any:
        made = original(trip, message, *args, **more)
        spoilt = message.number in (4, 9) and not more.get("bare")
        return carry.replace(made, interchange=f"{made.interchange}{bad}") if spoilt else made

    monkeypatch.setattr(carry.Trip, "_record", record)
    view = await gateway.through(interchange("TEN", *(message(n, f"T{n}") for n in range(1, 11))))
    assert states(view) == ["failed" if n in (4, 9) else "accepted" for n in range(1, 11)]
    assert set(verdicts(view).values()) == {"accepted", "failed"}
    assert view.failed == "gateway.fault: 2 of its messages could not be processed"
    (ack,) = await gateway.acknowledgements()
    assert [ucm[1] for ucm in elements(ack, "UCM")] == ["4", "9"]
    assert len(await gateway.deliveries("bureau")) == 8
    assert sum(e["event"] == "message_failed" for e in told) == 2

    monkeypatch.undo()
    await gateway.store.reopen_payload(view.payload.id)
    await gateway.work()
    assert set(states(await gateway.store.payload(view.payload.id))) == {"accepted"}


async def test_what_rests_on_a_message_that_the_store_refuses_is_decided_anew(
    gateway: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replacement within the same payload finds no case once its original has failed, and is refused for that."""
    monkeypatch.setattr(carry, "storable", lambda text: text)
    original = carry.Trip._record

    def record(trip: Any, one: Any, *args: Any, **more: Any) -> Any:
        made = original(trip, one, *args, **more)
        spoilt = one.number == 1 and not more.get("bare")
        return carry.replace(made, interchange=f"{made.interchange}\udcff") if spoilt else made

    monkeypatch.setattr(carry.Trip, "_record", record)
    replacement = message(2, "T1").replace("TD-T1+9'", "TD-T1+5'")
    view = await gateway.through(interchange("REST", message(1, "T1"), replacement, message(3, "T3")))
    assert states(view) == ["failed", "rejected", "accepted"]
    assert "decide.declaration.unknown" in [f.code for m in view.messages for f in m.findings]
    assert len(await gateway.deliveries("bureau")) == 1


async def test_the_message_that_the_store_refuses_is_found(
    gateway: House, monkeypatch: pytest.MonkeyPatch, told: list[dict[str, Any]]
) -> None:
    """Of a transaction that SQLite refuses only the messages to blame fail, and the acknowledgement says which."""
    await refused_by_the_store(gateway, monkeypatch, told)


async def test_the_message_that_postgresql_refuses_is_found(
    on_postgres: House, monkeypatch: pytest.MonkeyPatch, told: list[dict[str, Any]]
) -> None:
    """The same on PostgreSQL, whose driver says of a value that it does not take what it says of a lost connection."""
    await refused_by_the_store(on_postgres, monkeypatch, told)


async def test_what_failed_is_still_told_after_a_new_start(gateway: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A payload that is taken up again behind a message that failed tells of it in its acknowledgement all the same."""
    monkeypatch.setattr(decider, "conclude", breaks(decider.conclude, "TD-B1"))
    monkeypatch.setattr(gateway.pipeline, "_chunk", 1)
    original = carry.Trip._acknowledgements
    lost = iter([True])

    async def unavailable(trip: Any) -> Any:
        if next(lost, False):
            raise StoreUnavailable
        return await original(trip)

    monkeypatch.setattr(carry.Trip, "_acknowledgements", unavailable)
    await gateway.send(batch())
    await gateway.work()
    assert await gateway.acknowledgements() == []
    gateway.clock.forward(seconds=120)
    await gateway.work()
    (ack,) = await gateway.acknowledgements()
    assert [ucm[1] for ucm in elements(ack, "UCM")] == ["1"]


async def test_what_concerns_more_than_a_message_is_no_fault_of_one(
    gateway: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that does not answer, or a fact not asked yet, passes every seam: the payload waits and is decided later."""
    original = decider.conclude
    away = iter([True])

    def decided(*args: Any) -> Any:
        if next(away, False):
            raise StoreUnavailable
        return original(*args)

    monkeypatch.setattr(decider, "conclude", decided)
    accepted = await gateway.send(batch())
    await gateway.work()
    assert (await gateway.store.payload(accepted.payload_id)).state is PayloadState.RECEIVED
    gateway.clock.forward(seconds=5)
    await gateway.work()
    view = await gateway.store.payload(accepted.payload_id)
    assert states(view) == ["accepted"] * 3
    assert "gateway.fault" not in codes(view)


def test_no_catch_all_swallows_a_question() -> None:
    """A fact that was not asked yet is no exception that `except Exception` would take for a fault."""
    assert not issubclass(facts.Unknown, Exception)
