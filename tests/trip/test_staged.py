"""A message is the same value before and after it waited in the store or came from another process."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.check import rulebook
from gateway.model import Place, Strictness
from gateway.store.contract import StagedMessage
from gateway.store.sql import pack_json, unpack_json
from gateway.trip import faults, staged
from gateway.trip.examine import examine
from gateway.trip.examined import Interchange, Message
from gateway.trip.origins import origins_of
from gateway.trip.staged import from_staged, to_staged
from tests.trip.rig import START, house, incoming, interchange, message

SAMPLES = sorted(path for path in data.samples().glob("*/*/in.*") if path.stat().st_size < 100_000)
LENIENT = incoming("acme", strictness=Strictness.LENIENT)
RULES = rulebook.load(shipped()).at(START.date())

ODD = [
    pytest.param(b"UNB+UNOA:3+A+B+260305:0930+1'UNH+1+CONTRL:D:3:UN'UCI+N+A+B+4+2'UNT+3+1'UNZ+1+1'", id="control"),
    pytest.param(b'{"format": "json:nothing:1", "document": {}}', id="unknown"),
    pytest.param(interchange("R", message(1).replace("BGM+855", "BGM+855+++")), id="rejected"),
    pytest.param(b"<Nothing xmlns='urn:x'>\xff</Nothing>", id="unreadable"),
]


def examined(body: bytes) -> Iterator[tuple[Message, Interchange]]:
    """Every message of `body` with the interchange that it came in."""
    items = list(examine(shipped(), body, [LENIENT], RULES, unpacked_limit=1 << 24))
    interchanges = [item for item in items if isinstance(item, Interchange)]
    for item in items:
        if isinstance(item, Message):
            yield item, next(i for i in interchanges if i.first <= item.number <= i.last)


def stored(waiting: StagedMessage) -> StagedMessage:
    """`waiting` as the store gives it back."""
    return StagedMessage(waiting.number, unpack_json(pack_json(waiting.examined)))


@pytest.mark.parametrize("body", [*(pytest.param(p.read_bytes(), id=p.parent.name) for p in SAMPLES), *ODD])
def test_a_message_is_read_back_whole(body: bytes) -> None:
    """What is staged comes back equal: its document, findings, refusals, agreement, and what was sent."""
    for one, around in examined(body):
        assert from_staged(stored(to_staged(one)), {LENIENT.id: LENIENT}, around) == one
        assert pickle.loads(pickle.dumps(one)) == one


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.parent.name)
def test_values_are_found_in_what_was_sent(path: Path) -> None:
    """The places of a message that was staged are those that it had before, and each is in the message."""
    for one, around in examined(path.read_bytes()):
        again = from_staged(stored(to_staged(one)), {LENIENT.id: LENIENT}, around)
        places = dict(origins_of(again, shipped()))
        assert places == dict(origins_of(one, shipped()))
        assert bool(places) == (one.document is not None)
        for place in places.values():
            if place.segment and one.control is None:
                assert not isinstance(one.sent, bytes)
                assert one.sent is not None
                assert one.sent.segments[place.segment - 1].startswith(place.tag)


def test_what_failed_comes_back_as_failed() -> None:
    """A message that a fault of ours met keeps the fault, for the operator's log."""
    ((one, around),) = list(examined(interchange("R", message(1))))
    failed = replace(one, document=None, sent=None, findings=[faults.finding("UNH")], fault="Traceback ...")
    assert from_staged(stored(to_staged(failed)), {LENIENT.id: LENIENT}, around) == failed
    assert dict(origins_of(failed, shipped())) == {}
    assert origins_of(failed, shipped()).nearest("goods[0]") == Place()


async def test_what_cannot_be_read_back_fails_alone(
    tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A staged message that our code cannot read back is failed and told to its sender; its neighbours are accepted."""
    original = staged.from_staged

    def breaks(waiting: StagedMessage, *args: object) -> Message:
        if "TD-BIG-2" in str(waiting.examined):
            raise RuntimeError("of ours")
        return original(waiting, *args)  # type: ignore[arg-type]

    monkeypatch.setattr("gateway.trip.carry.from_staged", breaks)
    async with house(tmp_path, migrated, chunk=2) as gateway:
        view = await gateway.through(interchange("BIG", *(message(n, f"BIG-{n}") for n in range(1, 6))))
        assert [m.state.value for m in view.messages] == ["accepted", "failed", "accepted", "accepted", "accepted"]
        assert faults.CODE in [f.code for f in view.messages[1].findings]
