"""Payloads side by side, faults of our own, large payloads in processes of their own, and processing again."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway import data
from gateway.catalogue import Catalogue
from gateway.catalogue_folders import Shelf, shipped
from gateway.errors import StoreUnavailable
from gateway.model import MessageState, Payload, PayloadState, Severity, Strictness
from gateway.pipeline import Pipeline
from gateway.store.bodies import content
from gateway.store.contract import Outcome
from gateway.trip import workers
from gateway.trip.examined import Examined
from gateway.trip.in_force import InForce
from gateway.trip.inbox import SUSPECT_DEATHS
from gateway.trip.workers import Examiners
from tests.trip.rig import (
    FLOWS,
    START,
    House,
    codes,
    declaration,
    elements,
    findings,
    incoming,
    interchange,
    message,
    outgoing,
)

OCEAN = (data.samples() / "manifest" / "ocean" / "in.x12").read_bytes()


# Facts that move.


async def test_facts_that_move_are_decided_again(gateway: House) -> None:
    """Of two payloads that declare the same, read side by side, one opens the case and the other finds it open."""
    first = await gateway.send(interchange("A1", message(1, "same")))
    second = await gateway.send(interchange("A2", message(1, "same")))
    one, two = await gateway.claim()
    original, overtaken = gateway.store.facts, []

    async def facts(*arguments: Any) -> Any:
        answer = await original(*arguments)
        if not overtaken:
            # Between what the first has read and what it commits, the second goes all the way.
            overtaken.append(two.payload.id)
            await gateway.pipeline.process(two)
        return answer

    gateway.store.facts = facts
    await gateway.pipeline.process(one)
    views = [await gateway.store.payload(a.payload_id) for a in (first, second)]
    assert overtaken == [second.payload_id]
    assert {v.state for v in views} == {PayloadState.PROCESSED}
    assert len({m.case_id for v in views for m in v.messages} - {""}) == 1
    assert len(await gateway.store.case("TD-same")) == 1
    assert len(await gateway.deliveries("bureau")) == 1


async def test_facts_that_keep_moving_leave_the_payload_for_later(gateway: House) -> None:
    """A payload whose facts move at every try is not failed: its lease brings it back."""
    from gateway.errors import FactsMoved

    original = gateway.store.commit

    async def moved(_outcome: Any) -> None:
        raise FactsMoved

    accepted = await gateway.send(declaration("A1"))
    gateway.store.commit = moved
    await gateway.work()
    assert (await gateway.store.payload(accepted.payload_id)).state is PayloadState.RECEIVED
    gateway.store.commit = original
    gateway.clock.forward(seconds=61)
    await gateway.work()
    assert (await gateway.store.payload(accepted.payload_id)).state is PayloadState.PROCESSED


# Faults of our own.


async def test_a_fault_of_ours_is_recorded_and_loses_nothing(gateway: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in the examiner becomes the payload's state; its bytes stay, and it can be processed again."""

    def broken(*_: Any, **__: Any) -> Iterator[Examined]:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(workers, "examine", broken)
        view = await gateway.through(declaration("A1"))
    assert (view.state, view.failed) == (PayloadState.FAILED, "RuntimeError: a bug")
    assert view.payload.body == declaration("A1")
    assert await gateway.claim() == []
    await gateway.store.reopen_payload(view.payload.id)
    await gateway.work()
    again = await gateway.store.payload(view.payload.id)
    assert (again.state, again.failed) == (PayloadState.PROCESSED, "")
    assert [m.state for m in again.messages] == [MessageState.ACCEPTED]


async def test_one_payloads_fault_is_no_others(gateway: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Payloads beside one that fails are processed."""
    original = workers.examine

    def broken(catalogue: Catalogue, body: bytes, *arguments: Any, **more: Any) -> Iterator[Examined]:
        if b"BAD" in body:
            raise RuntimeError("a bug")
        return original(catalogue, body, *arguments, **more)

    monkeypatch.setattr(workers, "examine", broken)
    sent = [await gateway.send(declaration(r)) for r in ("A1", "BAD", "A3")]
    await gateway.work()
    states = [(await gateway.store.payload(a.payload_id)).state.value for a in sent]
    assert states == ["processed", "failed", "processed"]


async def test_a_store_out_of_reach_defers(gateway: House) -> None:
    """Where the store does not answer, nothing is recorded as failed, and the payload is taken up again."""
    original = gateway.store.commit

    async def away(_outcome: Any) -> None:
        raise StoreUnavailable

    accepted = await gateway.send(declaration("A1"))
    gateway.store.commit = away
    await gateway.work()
    gateway.store.commit = original
    assert (await gateway.store.payload(accepted.payload_id)).state is PayloadState.RECEIVED
    gateway.clock.forward(seconds=61)
    await gateway.work()
    assert (await gateway.store.payload(accepted.payload_id)).state is PayloadState.PROCESSED


async def test_a_payload_whose_file_is_lost_is_failed_and_told_to_the_operator(gateway: House) -> None:
    """The others go on; the failure names the file, so that it can be put back and the payload processed again."""
    sent = await gateway.send(large())
    other = await gateway.send(declaration("A1"))
    file = gateway.store._files.path(hashlib.sha256(large()).hexdigest())
    kept = file.read_bytes()
    file.unlink()
    await gateway.work()
    file.write_bytes(kept)
    view = await gateway.store.payload(sent.payload_id)
    assert (view.state, file.name in view.failed) == (PayloadState.FAILED, True)
    assert (await gateway.store.payload(other.payload_id)).state is PayloadState.PROCESSED


# Processing again.


async def test_processing_again_makes_the_same_things(gateway: House) -> None:
    """A payload that is reprocessed keeps its message ids and its case, and nothing is delivered twice."""
    view = await gateway.through(declaration("A1"))
    deliveries = await gateway.deliveries("bureau")
    inbox = await gateway.inbox()
    gateway.clock.forward(hours=1)
    await gateway.store.reopen_payload(view.payload.id)
    await gateway.work()
    again = await gateway.store.payload(view.payload.id)
    assert again.state is PayloadState.PROCESSED
    assert [(m.id, m.state, m.case_id) for m in again.messages] == [(m.id, m.state, m.case_id) for m in view.messages]
    assert [d.id for d in await gateway.deliveries("bureau")] == [d.id for d in deliveries]
    assert [e.document_id for e in (await gateway.inbox())[: len(inbox)]] == [e.document_id for e in inbox]
    assert "interchange.duplicate" not in codes(again)


# Processes of their own.


def large() -> bytes:
    """A payload that goes to another process: good messages, a broken one, and a wrong count."""
    broken = message(2, "bad").replace("DTM+137:20260305093000:204", "DTM+137:2026-03-05:204")
    many = [message(n + 3, f"m{n}") for n in range(60)]
    return interchange("L1", message(1, "good"), broken, *many) + interchange("L2", message(1, "z"), count=2)


async def _examined(examiners: Examiners, body: bytes, agreements: Sequence[Any]) -> list[Examined]:
    payload = Payload("p", "acme", "http", "", "", len(body), START, body=body)
    return [item async for item in examiners.examine(shipped(), payload, agreements, START.date())]


async def test_another_process_finds_the_same(tmp_path: Path) -> None:
    """A payload over 64 KB, and a compressed one, come to the same in a worker process as in this one."""
    agreements = [incoming("acme", strictness=Strictness.LENIENT)]
    shelf = Shelf(tmp_path / "catalogues")
    here, there = (Examiners(workers_, 1 << 24, shelf=shelf) for workers_ in (0, 1))
    try:
        assert len(large()) > workers.INLINE_BYTES > len(gzip.compress(large()))
        expected = await _examined(here, large(), agreements)
        assert len(expected) == 65
        assert there._cells == []
        for body in (large(), gzip.compress(large())):
            assert await _examined(there, body, agreements) == expected
        assert len(there._cells) == 1
    finally:
        there.close()


# Payloads that end the process that examines them.


@dataclass(frozen=True, slots=True)
class Deadly(workers.Work):
    """Work on a payload that ends its process if it says so: what a fault in a C library would do."""

    def examined(self, catalogue: Catalogue) -> Iterator[Examined]:
        if b"DEADLY" in (self.source.read_bytes() if isinstance(self.source, Path) else self.source):
            os._exit(9)
        return workers.Work.examined(self, catalogue)


async def test_a_payload_that_ends_its_examiner_is_failed_and_harms_no_other(
    gateway: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those examined meanwhile are processed; it is tried once more, and then given up."""
    monkeypatch.setattr(workers, "Work", Deadly)
    pipeline = Pipeline(
        gateway.store,
        gateway.settings.model_copy(update={"pipeline": gateway.settings.pipeline.model_copy(update={"workers": 1})}),
        gateway.notary,
        FLOWS,
        InForce(shipped(), gateway.settings.catalogue.snapshots),
        clock=gateway.clock,
    )

    def several(reference: str) -> bytes:
        """More than is examined in this process."""
        return interchange(reference, *(message(n, f"{reference}{n}") for n in range(1, 46)))

    assert len(several("A1")) > workers.INLINE_BYTES
    sent = [await gateway.send(several(r)) for r in ("A1", "DEADLY", "A3")]
    try:
        for _ in range(3):
            await asyncio.gather(*(pipeline.process(one) for one in await gateway.claim()))
            gateway.clock.forward(seconds=1)
    finally:
        pipeline._examiners.close()
    views = [await gateway.store.payload(a.payload_id) for a in sent]
    assert [v.state.value for v in views] == ["processed", "failed", "processed"]
    assert views[1].failed.startswith("ExaminationFatal")
    assert content(views[1].payload) == several("DEADLY")
    assert pipeline._inbox._suspects == set()


async def test_a_payload_claimed_again_and_again_is_examined_apart(
    gateway: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ended the whole gateway time after time is found out by a process of its own, and the gateway stays up."""
    monkeypatch.setattr(workers, "Work", Deadly)
    sent = await gateway.send(declaration("DEADLY"))
    for _ in range(SUSPECT_DEATHS):  # the gateway was killed in the middle of it so often
        assert len(await gateway.claim()) == 1
        gateway.clock.forward(seconds=61)
    await gateway.work()
    assert (await gateway.store.payload(sent.payload_id)).state is PayloadState.FAILED


# The order of what changes an earlier document.


def amendment(reference: str) -> bytes:
    """A replacement of `declaration(reference)`, in an interchange of its own."""
    text = message(1, reference)
    assert f"BGM+855+TD-{reference}+9'" in text
    return interchange(f"{reference}X", text.replace(f"TD-{reference}+9'", f"TD-{reference}+5'"))


async def test_what_changes_a_document_waits_for_it(gateway: House) -> None:
    """A replacement that is claimed beside its original is decided after it, whichever is taken first."""
    original, replacement = await gateway.send(declaration("B1")), await gateway.send(amendment("B1"))
    one, two = await gateway.claim()
    late = asyncio.create_task(gateway.pipeline.process(two))
    await asyncio.sleep(0.05)
    assert not late.done()
    await gateway.pipeline.process(one)
    await late
    views = [await gateway.store.payload(a.payload_id) for a in (original, replacement)]
    assert [m.state for v in views for m in v.messages] == [MessageState.ACCEPTED] * 2
    assert len({m.case_id for v in views for m in v.messages}) == 1
    assert len(await gateway.deliveries("bureau")) == 2


async def test_messages_of_one_payload_rest_on_one_another(gateway: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A declaration, its replacement and a repeat of that in one interchange are decided in turn, and committed once."""
    commits: list[Outcome] = []
    commit = gateway.store.commit

    async def counted(outcome: Outcome) -> None:
        commits.append(outcome)
        await commit(outcome)

    monkeypatch.setattr(gateway.store, "commit", counted)
    original = message(1, "B1")
    replacements = [message(number, "B1").replace("TD-B1+9'", "TD-B1+5'") for number in (2, 3)]
    view = await gateway.through(interchange("B1", original, *replacements))
    assert [m.state for m in view.messages] == [MessageState.ACCEPTED] * 3
    (case_id,) = {m.case_id for m in view.messages}
    (case,) = await gateway.store.case(case_id)
    assert case.version == 3
    assert [e.kind for e in case.events if e.kind in ("opened", "sent")] == ["opened", *["sent"] * 6]
    (outcome,) = commits
    assert [change.expected_version for change in outcome.cases] == [0, 1, 2]
    assert len(await gateway.deliveries("bureau")) == 3


async def test_what_waits_too_long_comes_back(gateway: House) -> None:
    """It gives its place up to the one it waits for, which may not have been claimed yet, and is not failed."""
    await gateway.send(declaration("B1"))
    replacement = await gateway.send(amendment("B1"))
    one, two = await gateway.claim()
    await gateway.pipeline.process(two)
    assert (await gateway.store.payload(replacement.payload_id)).state is PayloadState.RECEIVED
    await gateway.pipeline.process(one)
    gateway.clock.forward(seconds=1)
    await gateway.work()
    assert (await gateway.store.payload(replacement.payload_id)).messages[0].state is MessageState.ACCEPTED


async def test_nobody_waits_for_other_senders_or_for_test_traffic(gateway: House) -> None:
    """Only what the same sender sent before, of the same kind of traffic, is waited for."""
    await gateway.send(declaration("B1"), "rival")
    await gateway.send(declaration("B2"), test=True)
    replacement = await gateway.send(amendment("B3"))
    await gateway.pipeline.process((await gateway.claim())[-1])
    assert (await gateway.store.payload(replacement.payload_id)).state is PayloadState.PROCESSED


# Strict and lenient.


async def test_a_lenient_agreement_takes_the_ocean_manifest(gateway: House) -> None:
    """A real 309 with tolerable faults: a 997 that accepts with errors and names them, CUSCAR and JSON go out."""
    view = await gateway.through(OCEAN, "lenient-port")
    assert [m.state for m in view.messages] == [MessageState.ACCEPTED]
    (answer,) = await gateway.acknowledgements("lenient-port")
    assert [a[1] for a in elements(answer, "AK9")] == ["E"]
    named = [(a[1], a[2]) for a in elements(answer, "AK3")]
    assert ("P4", "3") in named
    assert len([n for n in named if n[0] == "N1"]) == 10
    (cuscar,) = await gateway.deliveries("bureau")
    (manifest,) = await gateway.deliveries("customs")
    assert (cuscar.format, manifest.format) == ("edifact:CUSCAR:D:95B:UN", "json:manifest:1")
    body = (await gateway.store.delivery(cuscar.id)).body
    assert b"99XXZ022306X" in body
    assert b"TCKU6877554" in body


async def test_a_strict_agreement_rejects_the_ocean_manifest(gateway: House) -> None:
    """The same 309 under a strict agreement: a 997 that rejects, and nothing goes out."""
    view = await gateway.through(OCEAN, "strict-port")
    assert [m.state for m in view.messages] == [MessageState.REJECTED]
    (answer,) = await gateway.acknowledgements("strict-port")
    assert [a[1] for a in elements(answer, "AK9")] == ["R"]
    assert [a[1] for a in elements(answer, "AK5")] == ["R"]
    assert await gateway.deliveries("bureau") == []
    assert await gateway.deliveries("customs") == []


async def test_a_wrong_check_digit_is_told_and_refuses_nothing(gateway: House) -> None:
    """Under a strict agreement too, the manifest goes on, and its sender finds the warning with its message."""
    bill = {"number": "B1", "containers": [{"number": "CSQU3054384"}]}
    sent = {"format": "json:manifest:1", "document": {"number": "M1", "function": "9", "bills": [bill]}}
    view = await gateway.through(json.dumps(sent).encode(), "strict-port")
    assert [m.state for m in view.messages] == [MessageState.ACCEPTED]
    assert [(f.code, f.severity) for f in findings(view)] == [("rules.container.check_digit", Severity.WARNING)]
    assert [delivery.document_type for delivery in await gateway.deliveries("customs")] == ["manifest"]


@pytest.mark.parametrize(
    ("format_", "tag", "said"),
    [("x12:824:004010", "OTI", ["TA", "TN", "0185320N"]), ("edifact:APERAK:D:96B:UN", "BGM", ["29", "AP"])],
)
async def test_what_became_of_a_manifest_is_told_in_the_syntax_agreed(
    gateway: House, format_: str, tag: str, said: list[str]
) -> None:
    """Where an agreement asks for 824 or APERAK, the business answer is delivered as such, beside the 997."""
    await gateway.store.import_partners((), (outgoing("lenient-port", "response", format_),), ())
    await gateway.through(OCEAN, "lenient-port")
    (answer,) = await gateway.deliveries("lenient-port")
    assert answer.format == format_
    (told,) = elements((await gateway.store.delivery(answer.id)).body, tag)
    assert told[-len(said) :] == said
    assert len(await gateway.acknowledgements("lenient-port")) == 1
