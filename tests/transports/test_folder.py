"""Folders: what a partner leaves is taken in after the commit, what it gets appears whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.durable import make_folder
from gateway.errors import DeliveryDeferred, DeliveryRefused, Overloaded, PayloadTooLarge
from gateway.model import Receipt, Stage
from gateway.store.contract import Accepted
from gateway.transports import folder as boxes
from gateway.transports.base import Arrival, Record
from gateway.transports.folder import FolderReceiver, FolderSender
from tests.steps import Steps, drafts_in, leave_drafts
from tests.transports.test_http import DELIVERY, agreement


class Inlet:
    """An intake that remembers, or refuses as told."""

    def __init__(self, *refusals: Exception) -> None:
        self.arrivals: list[Arrival] = []
        self.refusals = list(refusals)

    async def __call__(self, arrival: Arrival) -> Accepted:
        if self.refusals:
            raise self.refusals.pop(0)
        self.arrivals.append(arrival)
        return Accepted("p1", Receipt(0, Stage.RECEIVED, "p1", b'{"stage":"received"}'))


def receiver(folder: Path, inlet: Inlet) -> FolderReceiver:
    for name in ("OutBox", "SentBox", "FailBox"):
        (folder / name).mkdir()
    return FolderReceiver(folder, "enterprise", inlet, poll_seconds=0.01)


async def test_a_file_is_taken_once_it_rests(tmp_path: Path) -> None:
    """A file is taken in at the second look with the same size, and moves to SentBox with its receipt."""
    inlet = Inlet()
    folder = receiver(tmp_path, inlet)
    (tmp_path / "OutBox" / "a.edi").write_bytes(b"UNB")
    assert await folder.poll() == 0
    (tmp_path / "OutBox" / "a.edi").write_bytes(b"UNB+")  # still being written
    assert await folder.poll() == 0
    assert await folder.poll() == 1
    assert inlet.arrivals[0].body == b"UNB+"
    assert inlet.arrivals[0].filename == "a.edi"
    assert (tmp_path / "SentBox" / "a.edi").read_bytes() == b"UNB+"
    assert json.loads((tmp_path / "SentBox" / "a.edi.receipt.json").read_bytes()) == {"stage": "received"}
    assert list((tmp_path / "OutBox").iterdir()) == []


async def test_drafts_that_a_crash_left_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes that the gateway writes into are cleared of its own old drafts, at the start and once a day; OutBox is not."""
    monkeypatch.setattr(boxes, "_drafts_removed", {})
    box = tmp_path / "out" / "InBox"
    young = leave_drafts(box)
    terms = replace(agreement(""), transport="folder", options={"folder": str(tmp_path / "out")})
    await FolderSender().send(DELIVERY, terms, Record())
    assert drafts_in(box) == [young]
    leave_drafts(box)
    await FolderSender().send(DELIVERY, terms, Record())
    assert len(drafts_in(box)) == 2  # it has looked today
    for name in ("OutBox", "SentBox", "FailBox", "InBox"):
        leave_drafts(tmp_path / "in" / name)
    boxes.make_boxes(tmp_path / "in")
    left = [len(drafts_in(tmp_path / "in" / name)) for name in ("OutBox", "SentBox", "FailBox", "InBox")]
    assert left == [2, 1, 1, 1]


async def test_unfinished_and_hidden_files_are_left(tmp_path: Path) -> None:
    """Files marked as unfinished, hidden files and links are not taken."""
    inlet = Inlet()
    folder = receiver(tmp_path, inlet)
    for name in ("a.tmp", "b.part", ".c"):
        (tmp_path / "OutBox" / name).write_bytes(b"x")
    (tmp_path / "OutBox" / "link").symlink_to("/etc/hostname")
    await folder.poll()
    assert await folder.poll() == 0


async def test_each_step_of_a_file_is_on_the_disk_before_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder it is taken into, its content, its receipt, its new name, the absence of the old one: in this order."""
    inlet = Inlet()
    folder = receiver(tmp_path, inlet)
    (tmp_path / "OutBox" / "a.edi").write_bytes(b"UNB")
    await folder.poll()
    steps = Steps(monkeypatch)
    make_folder(tmp_path / "SentBox")
    steps.forget()
    await folder.poll()
    assert steps.taken == [
        *("mkdir .taken", "sync OutBox/", "rename a.edi -> a.edi"),
        *("sync .taken/", "sync a.edi"),
        *("sync draft", "rename draft -> a.edi.receipt.json", "sync SentBox/"),
        *("rename a.edi -> a.edi", "sync SentBox/", "sync .taken/"),
        "rmdir .taken",
    ]


async def test_a_delivery_is_on_the_disk_when_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the evidence is given, the box is durable, and the delivery in it, whole."""
    terms = replace(agreement(""), transport="folder", options={"folder": str(tmp_path / "box")})
    steps = Steps(monkeypatch)
    await FolderSender().send(DELIVERY, terms, Record())
    (file,) = (tmp_path / "box" / "InBox").iterdir()
    assert steps.under(tmp_path) == [
        *("mkdir box", f"sync {tmp_path.name}/", "mkdir InBox", "sync box/"),
        *("sync draft", f"rename draft -> {file.name}", "sync InBox/"),
    ]


async def test_a_refused_file_moves_to_failbox_with_the_reason(tmp_path: Path) -> None:
    """A permanent refusal moves the file to FailBox, with the reason beside it."""
    folder = receiver(tmp_path, Inlet(PayloadTooLarge("At most 1 byte.")))
    (tmp_path / "OutBox" / "a.edi").write_bytes(b"UNB")
    await folder.poll()
    await folder.poll()
    assert (tmp_path / "FailBox" / "a.edi").exists()
    assert "At most 1 byte." in (tmp_path / "FailBox" / "a.edi.reason.json").read_text()


async def test_under_overload_a_file_waits(tmp_path: Path) -> None:
    """Under overload a file waits where nothing replaces it, and is taken in later under the same transport id."""
    inlet = Inlet(Overloaded(), Overloaded())
    folder = receiver(tmp_path, inlet)
    (tmp_path / "OutBox" / "a.edi").write_bytes(b"UNB")
    (tmp_path / "OutBox" / "b.edi").write_bytes(b"UNB+")
    await folder.poll()
    for _ in range(2):
        with pytest.raises(Overloaded):
            await folder.poll()
    assert inlet.arrivals == []
    assert (tmp_path / "OutBox" / "b.edi").exists()  # nothing is taken that cannot be dealt with
    assert await folder.poll() == 2
    assert [arrival.filename for arrival in inlet.arrivals] == ["a.edi", "b.edi"]
    assert list((tmp_path / "OutBox").iterdir()) == []


async def test_a_delivery_appears_whole_and_once(tmp_path: Path) -> None:
    """A repeated delivery overwrites itself; nothing but the finished file is seen."""
    sender = FolderSender()
    terms = replace(agreement(""), transport="folder", options={"folder": str(tmp_path)})
    first = await sender.send(DELIVERY, terms, Record())
    second = await sender.send(DELIVERY, terms, Record())
    (file,) = (tmp_path / "InBox").iterdir()
    assert file.read_bytes() == DELIVERY.body
    assert first == second
    assert first.digest == DELIVERY.sha256


async def test_a_delivery_follows_no_link(tmp_path: Path) -> None:
    """Whatever a recipient puts in the way, a delivery is written into its InBox and nowhere else."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    terms = replace(agreement(""), transport="folder", options={"folder": str(tmp_path / "box")})
    victim = elsewhere / "victim"
    victim.write_bytes(b"precious")
    inbox = tmp_path / "box" / "InBox"
    inbox.mkdir(parents=True)
    name = f"clearance-{DELIVERY.id}.edi"
    for link in (name, f".{name}.tmp"):
        (inbox / link).symlink_to(victim)
    await FolderSender().send(DELIVERY, terms, Record())
    assert not (inbox / name).is_symlink()
    assert (inbox / name).read_bytes() == DELIVERY.body
    assert victim.read_bytes() == b"precious"
    inbox.rename(tmp_path / "box" / "old")
    inbox.symlink_to(elsewhere)
    with pytest.raises(DeliveryDeferred):
        await FolderSender().send(DELIVERY, terms, Record())
    assert [path.name for path in elsewhere.iterdir()] == ["victim"]


async def test_no_folder_is_refused() -> None:
    """An agreement without a folder cannot be served."""
    with pytest.raises(DeliveryRefused):
        await FolderSender().send(DELIVERY, replace(agreement(""), options={}), Record())
