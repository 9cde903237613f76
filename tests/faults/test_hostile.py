"""No small payload holds the others: each kind of heavy payload, in short, is answered precisely and within bounds."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import pickle
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.catalogue import Catalogue
from gateway.catalogue_folders import Shelf, shipped
from gateway.errors import ExaminerLost
from gateway.findings import MOST_TOLD
from gateway.model import LONGEST_STEP, Agreement, Direction, MessageState, Payload
from gateway.parse import edifact
from gateway.pipeline import Pipeline
from gateway.trip import examine as examining
from gateway.trip import workers
from gateway.trip.examine import Bounds, examine
from gateway.trip.examined import Examined, Interchange, Message
from gateway.trip.in_force import InForce
from gateway.trip.inbox import LARGE_AT_ONCE
from tests.bench.hostile import PARTNERS
from tests.counted import count_calls
from tests.faults import heavy
from tests.harness import GatewayProcess
from tests.trip.rig import FLOWS, RULES, START, House, codes, elements, house, interchange, message, x12

AGREEMENT = Agreement("a", "acme", Direction.IN, "*", "*", acknowledge="always")
MIB = 1 << 20


def examined(body: bytes, **bounds: int) -> tuple[list[Message], list[Interchange]]:
    """What is in a payload under bounds of the case's own."""
    found: list[Examined] = list(
        examine(shipped(), body, [AGREEMENT], RULES.at(START.date()), unpacked_limit=64 * MIB, bounds=Bounds(**bounds))
    )
    return [i for i in found if isinstance(i, Message)], [i for i in found if isinstance(i, Interchange)]


CASES: list[tuple[Callable[[int], bytes], int, str, int]] = [
    # kind, how many, what is said of it, how many messages are looked at
    (heavy.empty_groups, 60, "payload.too_many_groups", 0),
    (heavy.full_groups, 60, "payload.too_many_groups", 50),
    (heavy.interchanges, 60, "payload.too_many_interchanges", 50),
    (heavy.empty_interchanges, 60, "payload.too_many_interchanges", 0),
    (heavy.members, 20_000, "payload.too_large", 0),
    (heavy.zeros, 80 * MIB, "payload.too_large", 0),
    (heavy.archive, 1001, "payload.too_large", 0),
    (heavy.nested, 1000, "xml.too_deep", 1),
    (heavy.entities, 5, "xml.doctype", 1),
    (heavy.json_nested, 100, "json.too_deep", 1),
    (heavy.json_repeated, 1000, "payload.more_findings", 1),
    (heavy.repetitions, 100_000, "edi.segment.too_long", 1),
    (heavy.components, 100_000, "edi.segment.too_long", 1),
    (heavy.long_segment, 100_000, "edi.segment.too_long", 1),
    (heavy.segments, 10_000, "edi.message.too_many_findings", 1),
    (heavy.wrong_goods, 2_000, "payload.more_findings", 1),
    (heavy.many_values, 1_100_000, "json.too_many_values", 1),
]


@pytest.mark.parametrize(("kind", "size", "code", "looked_at"), CASES, ids=[case[0].__name__ for case in CASES])
def test_what_is_too_much_is_said(kind: Callable[[int], bytes], size: int, code: str, looked_at: int) -> None:
    """Each kind is told by its finding, after no more than the bound was looked at."""
    messages, interchanges = examined(kind(size), interchanges=50, groups=50)
    said = [f.code for one in (*messages, *interchanges) for f in one.findings]
    assert code in said
    assert len(messages) == looked_at
    assert max(len(one.findings) for one in (*messages, *interchanges)) <= examining.MOST_FINDINGS + 1


def least_seconds(work: Callable[[], object]) -> float:
    """The processor's seconds that `work` takes, the best of three, whatever else the machine does.

    Garbage is not collected meanwhile: what a whole collection takes says how much all tests before have left in memory.
    """
    taken = []
    for _ in range(3):
        gc.collect()
        gc.disable()
        try:
            began = time.process_time()
            work()
            taken.append(time.process_time() - began)
        finally:
            gc.enable()
    return min(taken)


@pytest.mark.parametrize(
    ("kind", "size"),
    [(heavy.attributes, 50_000), (heavy.namespaces, 50_000), (heavy.siblings, 20_000), (heavy.json_names, 20_000)],
)
def test_what_is_wide_takes_time_in_proportion(kind: Callable[[int], bytes], size: int) -> None:
    """Twice as much takes no more than about twice as long: nothing is quadratic."""
    taken = [least_seconds(partial(examined, kind(count))) for count in (size, 2 * size)]
    assert taken[1] < 3.2 * taken[0] + 0.3


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        (heavy.empty_goods, 700),
        (heavy.empty_lines, 700),
        (heavy.many_containers, 700),
        (heavy.wrong_goods, 700),
        (heavy.many_bills, 100),
        (heavy.siblings, 300),
    ],
)
def test_what_has_many_items_takes_work_in_proportion(kind: Callable[[int], bytes], size: int) -> None:
    """Reading, checking and judging twice as many items calls no more than about twice as many functions."""
    examined(kind(1))  # what is loaded once is loaded
    works = [count_calls(partial(examined, kind(count))) for count in (size, 2 * size)]
    assert works[1] < 2.5 * works[0]


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        (heavy.empty_goods, 2_000),
        (heavy.empty_lines, 2_000),
        (heavy.many_containers, 2_000),
        (heavy.wrong_goods, 2_000),
    ],
)
def test_findings_of_one_message_are_bounded(kind: Callable[[int], bytes], size: int) -> None:
    """Whoever finds them, schema, document or rules, they are no more than the message may have, and the rest is counted."""
    (message,), _ = examined(kind(size))
    most = examining.MOST_FINDINGS if message.syntax in examining.HEADERS else MOST_TOLD
    found = [*message.findings, *message.refusals]
    assert len(found) <= most + 1
    if len(found) > most:
        assert found[-1].code == "payload.more_findings"


def test_what_is_too_much_for_a_decision_is_not_handed_on() -> None:
    """A document with too many items is refused where it is examined, and does not leave there."""
    (message,), _ = examined(heavy.empty_goods(20_000))
    assert [f.code for f in message.refusals] == ["rules.too_many_items"]
    assert (message.document, message.document_type) == (None, "declaration")


def test_long_names_do_not_multiply() -> None:
    """A name of the sender's stands cut in the place of each finding under it."""
    (message,), _ = examined(heavy.long_names(100_000))
    missing, first, *_ = message.findings
    assert missing.code == "json.format_missing", "what is wrong with the envelope is told, however much else is"
    assert len(message.findings) <= 501
    assert first.place.path == f"/{'A' * (LONGEST_STEP - 1)}…/k0"
    assert len(pickle.dumps(message)) < 500_000


def test_rejected_messages_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """More rejected messages, or faults, than can be named reject the interchange whole; the rest is counted."""
    monkeypatch.setattr(examining, "MOST_REJECTED", 20)
    for kind in (heavy.messages, heavy.sets):
        messages, (ended,) = examined(kind(100))
        (finding,) = [f for f in ended.findings if f.code == "payload.too_many_rejected"]
        assert (len(messages), len(ended.verdicts), finding.args["messages"]) == (21, 20, "79")
        assert ended.rejected
    monkeypatch.setattr(examining, "MOST_FAULTS", 5_000)
    messages, (ended,) = examined(heavy.errors(20_000))
    assert "payload.too_many_faults" in [f.code for f in ended.findings]
    assert sum(len(m.findings) for m in messages) < 8_000


def test_what_acknowledgements_say_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Good sets beyond those that are named are counted in AK9; each rejected one is named, with one fault at least."""
    from gateway.receipt import x12 as functional

    monkeypatch.setattr(examining, "MOST_NAMED", 10)
    monkeypatch.setattr(examining, "MOST_SAID", 3)
    good = "".join(f"ST*824*{n:04}~BGN*11*{n}*20260305~OTI*TA*TN*{n}~SE*4*{n:04}~" for n in range(1, 31))
    bad = "".join(f"ST*824*{n:04}~SE*2*{n:04}~" for n in range(31, 36))
    body = x12("824", "", sets=35).replace(b"GS*SO*", b"GS*AG*")
    body = body.replace(b"ST*824*0001~SE*2*0001~", (good + bad).encode())
    _, (ended,) = examined(body)
    (group,) = ended.groups
    sets = [functional.SetVerdict(v.type.name, v.reference, v.findings) for v in ended.verdicts]
    reply = functional.group_acknowledgement(shipped(), group.group, sets, group.findings, unnamed=ended.unnamed[0])
    assert reply is not None
    named = [line.split("*")[2] for line in reply.segments if line.startswith("AK2")]
    assert len(named) == 15
    assert {f"{n:04}" for n in range(31, 36)} <= set(named)
    assert sum(line.startswith("AK5*R") for line in reply.segments) == 5
    assert reply.segments[-1].split("*")[1:5] == ["P", "35", "35", "30"]


def test_a_rejected_group_rejects_its_own_messages_alone() -> None:
    """Which group a message stands in is known without a word kept about each."""
    group = "GS*SO*SENDER*GATEWAY*20260305*0130*{0}*X*004010~{1}GE*{2}*{0}~"
    one = "ST*309*{0:04}~SE*2*{0:04}~"
    groups = group.format(1, one.format(1), 1) + group.format(2, "", 0) + group.format(3, one.format(2), 9)
    groups += group.format(4, one.format(3) + one.format(4), 2)
    _, (ended,) = examined(f"{heavy.ISA.format(1)}{groups}IEA*4*000000001~".encode())
    assert [ended.rejects(n) for n in (1, 2, 3, 4)] == [False, True, False, False]


async def test_too_many_groups_are_answered_in_x12(tmp_path: Path, migrated: Path) -> None:
    """The sender gets a TA1 that rejects the interchange for the number of its groups, and nothing of it is taken."""
    async with house(tmp_path, migrated) as gateway:
        view = await gateway.through(heavy.full_groups(1001))
        assert {m.state for m in view.messages} == {MessageState.REJECTED}
        (answer,) = await gateway.acknowledgements()
        assert [u[4:6] for u in elements(answer, "TA1")] == [["R", "021"]]
        assert "payload.too_many_groups" in codes(view)


async def test_interchanges_beyond_the_bound_are_named(tmp_path: Path, migrated: Path) -> None:
    """Those that were taken are acknowledged one by one; one response names the first of those that were not."""
    async with house(tmp_path, migrated) as gateway:
        gateway.pipeline._examiners._bounds = Bounds(interchanges=20)
        await gateway.through(heavy.empty_interchanges(23))
        (refused,) = [e for e in await gateway.inbox() if e.document_type == "response"]
        assert len(await gateway.acknowledgements()) == 20
        assert b"E20" in refused.body
        assert b"the last 3" in refused.body


async def test_messages_with_many_findings_are_staged_in_small_chunks(tmp_path: Path, migrated: Path) -> None:
    """A transaction ends after so many findings, however few messages it holds."""
    async with house(tmp_path, migrated) as gateway:
        found: list[int] = []
        stage, commit = gateway.store.stage, gateway.store.commit

        async def staging(payload_id: str, fence: int, position: int, records: Any) -> None:
            found.append(sum(len(r.examined.get("findings", ())) for r in records))
            await stage(payload_id, fence, position, records)

        async def committing(outcome: Any) -> None:
            found.append(sum(len(r.findings) for r in outcome.messages))
            await commit(outcome)

        gateway.store.stage, gateway.store.commit = staging, committing
        view = await gateway.through(heavy.errors(10_000))
        assert len(view.messages) == 5
        assert max(found) <= 5_000 + 2_001


# Who waits for whom.


async def test_one_partner_s_large_payloads_leave_room_for_the_others(gateway: House) -> None:
    """As many of one partner's large payloads are in work as its share; the others of it wait, and nobody else."""
    large = [interchange(f"L{n}", *(message(m, f"L{n}-{m}") for m in range(1, 46))) for n in range(7)]
    for body in large:
        await gateway.send(body)
    await gateway.send(interchange("S1", message(1, "S1")), "rival")
    pipeline: Any = gateway.pipeline
    pipeline._inbox._large["acme"] = LARGE_AT_ONCE
    claimed = await pipeline._inbox.claim(32)
    assert [one.payload.partner_id for one in claimed] == ["rival"]
    del pipeline._inbox._large["acme"]
    at_once = await gateway.store.claim_payloads(32, timedelta(seconds=60), gateway.clock())
    assert len(at_once) == 7
    pipeline._inbox._large["acme"] = LARGE_AT_ONCE
    await pipeline.process(at_once[0])  # claimed before that was known: given back
    del pipeline._inbox._large["acme"]
    gateway.clock.forward(seconds=1)
    assert [one.payload.id for one in await gateway.claim()] == [at_once[0].payload.id]


@dataclass(frozen=True, slots=True)
class Greedy(workers.Work):
    """Work that takes all the memory there is, if the payload says so."""

    def examined(self, catalogue: Catalogue) -> Iterator[Examined]:
        body = self.source.read_bytes() if isinstance(self.source, Path) else self.source
        if b"GREEDY" in body:
            taken = [bytes(64 * MIB) for _ in range(64)]
            assert taken, "never reached where memory is bounded"
        return workers.Work.examined(self, catalogue)


async def test_a_payload_that_takes_all_memory_fails(gateway: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that examines it fails at its bound, and not the machine."""
    monkeypatch.setattr(workers, "Work", Greedy)
    changed = gateway.settings.pipeline.model_copy(update={"workers": 1, "worker_bytes": 512 * MIB})
    settings = gateway.settings.model_copy(update={"pipeline": changed})
    pipeline = Pipeline(
        gateway.store,
        settings,
        gateway.notary,
        FLOWS,
        InForce(shipped(), gateway.settings.catalogue.snapshots),
        clock=gateway.clock,
    )

    accepted = await gateway.send(interchange("G1", message(1, "GREEDY")))
    pipeline._inbox._suspects.add(accepted.payload_id)  # it has ended a process before
    try:
        for one in await gateway.claim():
            await pipeline.process(one)
    finally:
        pipeline._examiners.close()
    view = await gateway.store.payload(accepted.payload_id)
    assert (view.state.value, view.failed.partition(":")[0]) == ("failed", "ExaminationFatal")


@dataclass(frozen=True, slots=True)
class Endless(workers.Work):
    """Work that takes the processor's time for ever, if the payload says so."""

    def examined(self, catalogue: Catalogue) -> Iterator[Examined]:
        body = self.source.read_bytes() if isinstance(self.source, Path) else self.source
        while b"ENDLESS" in body:
            pass
        return workers.Work.examined(self, catalogue)


async def test_endless_payloads_fail_and_hold_up_nobody(gateway: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many one sender sends, another one's is examined at once, and each of them is failed in the end."""
    monkeypatch.setattr(workers, "Work", Endless)
    changed = gateway.settings.pipeline.model_copy(update={"workers": 1})
    settings = gateway.settings.model_copy(update={"pipeline": changed})
    pipeline = Pipeline(
        gateway.store,
        settings,
        gateway.notary,
        FLOWS,
        InForce(shipped(), gateway.settings.catalogue.snapshots),
        clock=gateway.clock,
    )
    examiners: Any = pipeline._examiners
    examiners._unpacked_limit = 0  # what is packed has no more than the seconds of every payload

    endless = [await gateway.send(zipped(f"ENDLESS{n}")) for n in range(2)]
    other = await gateway.send(zipped("OTHER"), "rival")
    claimed = {one.payload.id: one for one in await gateway.claim()}
    tasks = [asyncio.create_task(pipeline.process(claimed[one.payload_id])) for one in (*endless, other)]
    try:
        await asyncio.wait_for(tasks[2], 20)
        assert [task.done() for task in tasks[:2]] == [False, False]
        assert (await gateway.store.payload(other.payload_id)).state.value != "failed"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        examiners.close()


def zipped(reference: str) -> bytes:
    """A stored, and so readable, zip of one interchange: what is packed is examined like something large."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("1.edi", interchange(reference, message(1, reference)))
    return packed.getvalue()


async def test_the_processor_s_time_is_bounded(tmp_path: Path) -> None:
    """The process that takes more of it than its payload deserves ends, and the next payload has one of its own."""
    examiners = workers.Examiners(1, MIB, shelf=Shelf(tmp_path / "catalogues"))
    try:
        with pytest.raises(ExaminerLost):
            await examiners._alone(take_time, 0.5)
        assert await examiners._alone(take_time, None)
    finally:
        examiners.close()


def take_time(seconds: float | None) -> bool:
    """In a worker process: take the processor for ever, where its time is bounded."""
    if seconds is not None:
        workers._bound_seconds(seconds)
        while True:
            pass
    return True


def test_the_time_of_a_payload_grows_with_its_size(tmp_path: Path) -> None:
    """What is packed counts as what it may unpack to; what lies in a file counts as if it were in memory."""

    def seconds(body: bytes) -> float:
        path = tmp_path / "body"
        path.write_bytes(body)
        both = {
            workers._seconds_for(workers.Work(source, (), START.date(), 512 * MIB, Bounds(), shipped().digest))
            for source in (body, path)
        }
        assert len(both) == 1
        return both.pop()

    assert seconds(b"UNB") == pytest.approx(workers.SECONDS, abs=0.1)
    assert seconds(bytes(8 * MIB)) == workers.SECONDS + 8 * workers.SECONDS_A_MIB
    assert seconds(heavy.zeros(MIB)) == workers.SECONDS + 16 * workers.SECONDS_A_MIB
    assert seconds(b"\x1f\x8b" + bytes(MIB)) > workers.SECONDS + 200 * workers.SECONDS_A_MIB


def test_what_holds_many_items_is_large_however_few_bytes_it_has() -> None:
    """Objects, elements and segments are counted, under whatever sign they end; an ordinary message is small."""
    una = heavy.empty_lines(1_500).replace(b"'", b"!")
    isa = heavy.sets(1_500).replace(b"~", b"!").replace(b"00401", b"00401")
    many = [
        gzip.decompress(heavy.empty_goods(1_500)),
        heavy.empty_lines(1_500),
        b"UNA:+.? !" + una,
        isa,
        heavy.siblings(400),
        b'{"a":[' + b"1," * 5000 + b"1]}",
    ]
    few = [gzip.decompress(heavy.empty_goods(500)), heavy.empty_lines(500), heavy.sets(300), heavy.siblings(50)]
    for body in (*many, *few):
        assert len(body) < workers.INLINE_BYTES
        payload = Payload("p", "acme", "http", "", "", len(body), START, body=body)
        assert workers.is_large(payload) is (body in many), body[:60]


def test_large_payloads_are_read_from_their_file(tmp_path: Path) -> None:
    """An interchange in a file is read piece by piece, and is what it is in memory."""
    body = interchange("F1", *(message(n, f"F{n}") for n in range(1, 60)))
    path = tmp_path / "body"
    path.write_bytes(body)
    rules = RULES.at(START.date())
    from_file = [type(i).__name__ for i in examine(shipped(), path, [AGREEMENT], rules, unpacked_limit=MIB)]
    assert from_file == [type(i).__name__ for i in examine(shipped(), body, [AGREEMENT], rules, unpacked_limit=MIB)]
    assert len(list(edifact.read(iter([body])))) == len(from_file) + 1


# The whole gateway.


def test_another_sender_is_answered_meanwhile(tmp_path: Path) -> None:
    """While heavy payloads of every kind come and are examined, another partner is answered, and memory stays flat."""
    gateway = GatewayProcess(tmp_path, PARTNERS, {"GATEWAY_PIPELINE__WORKERS": "1"})
    gateway.start()
    try:
        gateway.post("steady", b"UNB+1")
        before = gateway.memory()
        for number, kind in enumerate(
            (heavy.empty_groups, heavy.messages, heavy.errors, heavy.json_repeated, heavy.zeros)
        ):
            status, _ = gateway.post("hostile", kind(heavy.KINDS[kind] // 10))
            assert status == 202
            began = time.monotonic()
            assert gateway.post("steady", b"UNB+UNOA:1+%d" % number)[0] == 202
            assert time.monotonic() - began < 5
        assert gateway.memory() - before < 200_000_000
    finally:
        gateway.kill()
