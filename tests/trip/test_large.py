"""Large interchanges are staged in chunks; nothing is released before the trailer, and a crash repeats nothing."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gateway.catalogue_folders import shipped
from gateway.check.rules import MOST_ITEMS
from gateway.errors import FactsMoved
from gateway.model import MessageState, PayloadState, derive_id
from gateway.pipeline import Pipeline
from gateway.store.contract import Claimed, Progress
from gateway.trip import carry, decider
from gateway.trip.in_force import InForce
from tests.faults import heavy
from tests.trip.rig import FLOWS, House, codes, elements, house, interchange, message

MESSAGES = 8


def large(reference: str = "BIG", count: int | None = None, messages: int = MESSAGES) -> bytes:
    """One interchange of several declarations."""
    return interchange(reference, *(message(n + 1, f"{reference}-{n + 1}") for n in range(messages)), count=count)


def acknowledgements(count: int) -> bytes:
    """One interchange of CONTRL messages, each of which refuses something: the smallest messages there are."""
    one = "UNH+{0}+CONTRL:D:3:UN'UCI+NOBODY{0}+CIQ+CUSTOMER+4+2'UNT+3+{0}'"
    messages = "".join(one.format(n + 1) for n in range(count))
    return f"UNB+UNOA:3+CUSTOMER+CIQ+260305:0930+C1'{messages}UNZ+{count}+C1'".encode()


class Killed(BaseException):
    """The process ends here, as it were: nothing after this line runs."""


def killed_at(gateway: House, operation: str, number: int) -> Any:
    """Let `operation` of the store end the process before its `number`th run; returns how to live again."""
    original = getattr(gateway.store, operation)
    left = number

    async def run(*arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed
        return await original(*arguments)

    setattr(gateway.store, operation, run)
    return lambda: setattr(gateway.store, operation, original)


async def lanes(gateway: House) -> Counter[bytes]:
    """What waits for the bureau, by the declaration it carries."""
    found = await gateway.deliveries("bureau")
    bodies = [(await gateway.store.delivery(d.id)).body for d in found]
    return Counter(body.partition(b"<EntDeclNo>")[2].partition(b"<")[0] for body in bodies)


async def test_every_message_of_a_large_interchange_is_decided_once(tmp_path: Path, migrated: Path) -> None:
    """More messages than a transaction holds are all accepted, each delivered once, with one acknowledgement."""
    async with house(tmp_path, migrated, chunk=3) as gateway:
        view = await gateway.through(large())
        assert [m.number for m in view.messages] == list(range(1, MESSAGES + 1))
        assert {m.state for m in view.messages} == {MessageState.ACCEPTED}
        assert await lanes(gateway) == {f"TD-BIG-{n + 1}".encode(): 1 for n in range(MESSAGES)}
        (answer,) = await gateway.acknowledgements()
        assert [u[4] for u in elements(answer, "UCI")] == ["7"]
        assert await gateway.store.staged(view.payload.id, 0, 100) == []


async def test_chunks_make_no_difference(tmp_path: Path, migrated: Path) -> None:
    """The same interchange comes to the same in one transaction and in several, and so do the places of its reasons."""
    found = []
    for chunk in (2, 500):
        folder = tmp_path / str(chunk)
        folder.mkdir()
        async with house(folder, migrated, chunk=chunk) as gateway:
            broken = message(3, "BIG-3").replace("BGM+855", "BGM+855+++")
            unknown = message(4, "BIG-4").replace("+9'", "+4'", 1)
            used = message(5, "BIG-1").replace("KGM:", "KGM:1", 1)
            messages = (message(1, "BIG-1"), message(2, "BIG-2"), broken, unknown, used, message(6, "BIG-6"))
            view = await gateway.through(interchange("BIG", *messages))
            answer = elements((await gateway.acknowledgements())[0], "UCM")
            inbox = [e for e in await gateway.inbox() if e.document_type == "response"]
            responses = [json.loads(e.body)["document"] for e in inbox]
            reasons = sorted((r["code"], r.get("place", "")) for one in responses for r in one.get("reasons", ()))
            found.append(([(m.state, m.reference, m.findings, m.document) for m in view.messages], answer, reasons))
    assert found[0] == found[1]
    assert [state for state, *_ in found[0][0]].count(MessageState.REJECTED) == 3
    # BGM is the second segment: the sender's reference is its second element, the function its third.
    assert ("decide.declaration.unknown", "BGM 2, 3") in found[0][2]
    assert [place[:4] for code, place in found[0][2] if code == "decide.declaration.reference_used"] == ["BGM "]


async def test_a_wrong_trailer_releases_nothing(tmp_path: Path, migrated: Path) -> None:
    """The trailer of a staged interchange rejects it whole: no case, no delivery, a CONTRL with action 4."""
    async with house(tmp_path, migrated, chunk=3) as gateway:
        view = await gateway.through(large(count=MESSAGES + 1))
        assert {m.state for m in view.messages} == {MessageState.REJECTED}
        assert codes(view).count("edifact.unz.count") == 1
        assert await gateway.deliveries("bureau") == []
        assert await gateway.store.case("TD-BIG-1") == []
        (answer,) = await gateway.acknowledgements()
        assert [u[4] for u in elements(answer, "UCI")] == ["4"]


async def test_a_truncated_interchange_releases_nothing(tmp_path: Path, migrated: Path) -> None:
    """An interchange that ends after chunks were staged, without its trailer, is rejected whole."""
    async with house(tmp_path, migrated, chunk=3) as gateway:
        body = large()
        view = await gateway.through(body[: body.rindex(b"UNH") + 40])
        assert {m.state for m in view.messages} == {MessageState.REJECTED}
        assert await gateway.deliveries("bureau") == []


@pytest.mark.parametrize(
    ("operation", "number"),
    [("stage", 1), ("stage", 2), ("commit", 1), ("commit", 2), ("commit", 3)],
)
async def test_a_crash_repeats_nothing(tmp_path: Path, migrated: Path, operation: str, number: int) -> None:
    """Whatever is staged or committed when the process ends, the next one ends with each message decided once."""
    async with house(tmp_path, migrated, chunk=3) as gateway:
        accepted = await gateway.send(large())
        (claimed,) = await gateway.claim()
        live_again = killed_at(gateway, operation, number)
        with pytest.raises(Killed):
            await gateway.pipeline.process(claimed)
        live_again()
        before = {d.id for d in await gateway.deliveries("bureau")}
        stood = {m.id: m.state for m in (await gateway.store.payload(accepted.payload_id)).messages}
    async with house(tmp_path, migrated, chunk=3) as gateway:
        gateway.clock.forward(seconds=61)
        await gateway.work()
        view = await gateway.store.payload(accepted.payload_id)
        assert (view.state, view.failed) == (PayloadState.PROCESSED, "")
        assert [m.id for m in view.messages] == [derive_id(accepted.payload_id, n + 1) for n in range(MESSAGES)]
        assert {m.state for m in view.messages} == {MessageState.ACCEPTED}
        assert stood.items() <= {m.id: m.state for m in view.messages}.items()
        assert before <= {d.id for d in await gateway.deliveries("bureau")}
        assert await lanes(gateway) == {f"TD-BIG-{n + 1}".encode(): 1 for n in range(MESSAGES)}
        assert len(await gateway.acknowledgements()) == 1
        responses = [e for e in await gateway.inbox() if e.document_type == "response"]
        assert len(responses) == MESSAGES


async def test_what_was_decided_is_not_staged_again(tmp_path: Path, migrated: Path) -> None:
    """After a stop, how far it was can be seen, and what was decided by then is examined and left at that."""
    async with house(tmp_path, migrated, chunk=3) as gateway:
        accepted = await gateway.send(large())
        (claimed,) = await gateway.claim()
        live_again = killed_at(gateway, "commit", 2)
        with pytest.raises(Killed):
            await gateway.pipeline.process(claimed)
        live_again()
        assert (await gateway.store.payload(accepted.payload_id)).progress == Progress(staged=6, decided=3)
        staged: list[int] = []
        original = gateway.store.stage

        async def stage(payload_id: str, fence: int, position: int, messages: Any) -> None:
            staged.extend(message.number for message in messages)
            await original(payload_id, fence, position, messages)

        gateway.store.stage = stage
        gateway.clock.forward(seconds=61)
        await gateway.work()
        view = await gateway.store.payload(accepted.payload_id)
        assert (view.state, view.progress) == (PayloadState.PROCESSED, None)
        assert staged == [4, 5, 6]
        assert await lanes(gateway) == {f"TD-BIG-{n + 1}".encode(): 1 for n in range(MESSAGES)}


async def test_a_chunk_ends_by_how_much_its_messages_hold(gateway: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many messages a transaction may hold: where they are long, it holds fewer of them."""
    commits: list[int] = []
    original = gateway.store.commit

    async def commit(outcome: Any) -> None:
        commits.append(len([one for one in outcome.messages if one.number > 0]))
        await original(outcome)

    gateway.store.commit = commit
    monkeypatch.setattr(carry, "LINES", 100)
    view = await gateway.through(large())
    assert {m.state for m in view.messages} == {MessageState.ACCEPTED}
    assert max(commits) <= 3
    assert sum(commits) == MESSAGES


async def test_facts_that_move_in_a_later_chunk_leave_the_earlier_ones(tmp_path: Path, migrated: Path) -> None:
    """A commit that is refused because facts moved is decided anew from where the last one ended, not from the start."""
    async with house(tmp_path, migrated, chunk=3) as gateway:
        original, refused = gateway.store.commit, []

        async def commit(outcome: Any) -> None:
            if outcome.position > 3 and not refused:
                refused.append(outcome.position)
                raise FactsMoved
            await original(outcome)

        gateway.store.commit = commit
        view = await gateway.through(large())
        assert refused == [6]
        assert {m.state for m in view.messages} == {MessageState.ACCEPTED}
        assert len([e for e in await gateway.inbox() if e.document_type == "response"]) == MESSAGES
        assert await lanes(gateway) == {f"TD-BIG-{n + 1}".encode(): 1 for n in range(MESSAGES)}


async def test_a_large_payload_outlives_its_lease(tmp_path: Path, migrated: Path) -> None:
    """While a payload is worked at its lease is renewed, so that nobody else takes it up."""
    async with house(tmp_path, migrated, chunk=3, lease_seconds=0.3) as gateway:
        renewed: list[str] = []
        renew, commit = gateway.store.renew_payload, gateway.store.commit

        async def renewing(*arguments: Any) -> None:
            await renew(*arguments)
            renewed.append(arguments[0])

        async def waiting(outcome: Any) -> None:
            import asyncio

            for _ in range(200):
                if len(renewed) >= 3:
                    break
                await asyncio.sleep(0.02)
            await commit(outcome)

        gateway.store.renew_payload, gateway.store.commit = renewing, waiting
        view = await gateway.through(large())
        assert {m.state for m in view.messages} == {MessageState.ACCEPTED}
        assert len(renewed) >= 3


async def test_a_lost_lease_writes_nothing(gateway: House) -> None:
    """A worker whose payload another has taken over commits nothing of it; the other one's work stands."""
    accepted = await gateway.send(large())
    (late,) = await gateway.claim()
    gateway.clock.forward(seconds=61)
    (current,) = await gateway.claim()
    assert (late.payload.id, current.payload.id) == (accepted.payload_id, accepted.payload_id)
    await gateway.pipeline.process(late)
    assert (await gateway.store.payload(accepted.payload_id)).messages == ()
    await gateway.pipeline.process(current)
    assert (await gateway.store.payload(accepted.payload_id)).state is PayloadState.PROCESSED


async def test_many_acknowledgements_in_one_interchange_are_read(tmp_path: Path, migrated: Path) -> None:
    """Staged acknowledgements say what they say: each refusal among them rings an alarm."""
    async with house(tmp_path, migrated, chunk=2) as gateway:
        view = await gateway.through(acknowledgements(5))
        assert {m.state for m in view.messages} == {MessageState.ACCEPTED}
        assert len(await gateway.feed("alerts", "@operator")) == 5


async def test_more_messages_than_a_transaction_may_hold(gateway: House) -> None:
    """An interchange over the default chunk of 500 messages goes through in more than one transaction."""
    commits: list[int] = []
    original = gateway.store.commit

    async def commit(outcome: Any) -> None:
        commits.append(len(outcome.messages))
        await original(outcome)

    gateway.store.commit = commit
    view = await gateway.through(acknowledgements(520))
    assert len(view.messages) == 520
    assert {m.state for m in view.messages} == {MessageState.ACCEPTED}
    assert max(commits) <= 500
    assert len(commits) > 1


async def test_claims_hold_what_is_in_work(gateway: House) -> None:
    """What one worker has claimed no other gets before the lease has run out."""
    await gateway.send(large())
    first: list[Claimed] = list(await gateway.claim())
    assert len(first) == 1
    assert await gateway.claim() == []
    gateway.clock.forward(seconds=61)
    assert len(await gateway.claim()) == 1


async def test_a_pipeline_picks_up_what_waits(gateway: House) -> None:
    """What was accepted before a pipeline ran is processed as soon as one does."""
    import asyncio
    from datetime import UTC, datetime

    accepted = await gateway.send(large(messages=1))
    pipeline = Pipeline(
        gateway.store,
        gateway.settings,
        gateway.notary,
        FLOWS,
        InForce(shipped(), gateway.settings.catalogue.snapshots),
        clock=lambda: datetime.now(UTC),
    )
    running = asyncio.create_task(pipeline.run())
    for _ in range(500):
        if (await gateway.store.payload(accepted.payload_id)).state is PayloadState.PROCESSED:
            break
        await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await gateway.store.payload(accepted.payload_id)).state is PayloadState.PROCESSED


async def test_a_long_document_is_decided_off_the_loop_and_by_itself(
    gateway: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deciding, writing and keeping a manifest of very many bills leave the loop free, and no two such are at it at once."""
    real, threads = decider.conclude, list[bool]()

    def decided(*arguments: Any) -> Any:
        threads.append(threading.current_thread() is threading.main_thread())
        assert gateway.pipeline._one_long.locked()
        return real(*arguments)

    monkeypatch.setattr(decider, "conclude", decided)
    view = await gateway.through(heavy.many_bills(carry.LONG + 1))
    assert [m.state for m in view.messages] == [MessageState.ACCEPTED]
    assert set(threads) == {False}
    assert not gateway.pipeline._one_long.locked()


async def test_a_manifest_of_more_bills_than_are_taken_is_refused(gateway: House) -> None:
    """Its sender is told how many one message may hold, and nothing comes of it."""
    view = await gateway.through(heavy.many_bills(MOST_ITEMS + 1))
    assert [(m.state, [f.code for f in m.findings]) for m in view.messages] == [
        (MessageState.REJECTED, ["rules.too_many_items"])
    ]
