"""What can befall an OutBox, over a real intake and store: nothing is lost, taken twice, or stands in another's way."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.model import Payload
from gateway.store import migrate
from gateway.store.contract import Accepted
from gateway.transports.base import Arrival, Intake
from gateway.transports.folder import FolderReceiver
from tests.trip.rig import House, declaration, house

GBK_NAME = os.fsdecode("报检.edi".encode("gbk"))


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with all tables and nothing in them."""
    path = tmp_path_factory.mktemp("outbox") / "migrated.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
async def gateway(tmp_path: Path, migrated: Path) -> AsyncIterator[House]:
    """A gateway's middle, and boxes beside it."""
    for name in ("OutBox", "SentBox", "FailBox"):
        (tmp_path / name).mkdir()
    async with house(tmp_path, migrated) as one:
        yield one


def receiver(folder: Path, intake: Intake) -> FolderReceiver:
    """What a start of the gateway makes."""
    return FolderReceiver(folder, "acme", intake, poll_seconds=0.01)


async def look(one: FolderReceiver, times: int = 2) -> None:
    """A file is taken at the second look."""
    for _ in range(times):
        await one.poll()


async def kept(gateway: House) -> list[Payload]:
    """Every payload with its body, oldest first."""
    views = await gateway.store.payloads("acme", "", "", 50)
    return [(await gateway.store.payload(view.payload.id)).payload for view in reversed(views)]


def names(folder: Path) -> set[str]:
    """What stands in a box."""
    return {path.name for path in folder.iterdir()}


class Meddler:
    """The intake, and what happens around it."""

    def __init__(self, gateway: House, before: Callable[[Arrival], None], after: Callable[[Arrival], None]) -> None:
        self._gateway, self._before, self._after = gateway, before, after

    async def __call__(self, arrival: Arrival) -> Accepted:
        self._before(arrival)
        accepted = await self._gateway.intake.accept(arrival)
        self._after(arrival)
        return accepted


def nothing(_arrival: Arrival) -> None:
    """Nothing happens."""


async def test_a_name_that_is_no_utf_8_is_taken(gateway: House, tmp_path: Path) -> None:
    """A file is taken in and moved under its own name, whatever bytes that is made of; the store holds them escaped."""
    (tmp_path / "OutBox" / GBK_NAME).write_bytes(declaration("A1"))
    await look(receiver(tmp_path, gateway.intake.accept))
    assert names(tmp_path / "SentBox") == {GBK_NAME, f"{GBK_NAME}.receipt.json"}
    (payload,) = await kept(gateway)
    assert payload.filename == r"\xb1\xa8\xbc\xec.edi"
    assert payload.transport_id == f"{payload.filename}:{payload.sha256}"
    receipt = json.loads((tmp_path / "SentBox" / f"{GBK_NAME}.receipt.json").read_bytes())
    assert receipt["transport_id"] == payload.transport_id


async def test_a_fault_of_ours_puts_one_file_aside(gateway: House, tmp_path: Path) -> None:
    """A file that the gateway fails with stands in FailBox, without a word of why; those after it are taken."""

    def fail(arrival: Arrival) -> None:
        if arrival.filename == "a.edi":
            raise UnicodeEncodeError("utf-8", "secret", 0, 1, "surrogates not allowed")

    for name in ("a.edi", "b.edi"):
        (tmp_path / "OutBox" / name).write_bytes(declaration(name[0]))
    one = receiver(tmp_path, Meddler(gateway, fail, nothing))
    task = asyncio.create_task(one.run())
    while names(tmp_path / "OutBox"):
        await asyncio.sleep(0.01)
        assert not task.done()
    task.cancel()
    assert names(tmp_path / "FailBox") == {"a.edi", "a.edi.reason.json"}
    assert names(tmp_path / "SentBox") == {"b.edi", "b.edi.receipt.json"}
    assert "secret" not in (tmp_path / "FailBox" / "a.edi.reason.json").read_text()


async def test_a_file_of_the_same_name_is_another_file(gateway: House, tmp_path: Path) -> None:
    """A file that comes under the name of the one that is being taken is neither lost nor receipted with it."""
    outbox, sent = tmp_path / "OutBox", tmp_path / "SentBox"
    contents = [declaration("A1"), declaration("A2")]

    def replace(_arrival: Arrival) -> None:
        if (sent / "a.edi").exists():
            return
        (outbox / "a.edi.tmp").write_bytes(contents[1])
        (outbox / "a.edi.tmp").replace(outbox / "a.edi")

    (outbox / "a.edi").write_bytes(contents[0])
    one = receiver(tmp_path, Meddler(gateway, nothing, replace))
    await look(one)
    assert (sent / "a.edi").read_bytes() == contents[0]
    assert names(outbox) == {"a.edi"}
    await look(one)
    assert names(outbox) == set()
    assert [payload.body for payload in await kept(gateway)] == contents


@pytest.mark.parametrize("committed", [False, True])
async def test_a_crash_loses_nothing_and_repeats_nothing(gateway: House, tmp_path: Path, *, committed: bool) -> None:
    """What a crash leaves taken is taken up at the next start, under the same transport id, before or after commit 1."""
    crash = asyncio.CancelledError

    def stop(_arrival: Arrival) -> None:
        raise crash

    meddler = Meddler(gateway, nothing, stop) if committed else Meddler(gateway, stop, nothing)
    for name in ("a.edi", GBK_NAME):
        (tmp_path / "OutBox" / name).write_bytes(declaration("A1"))
        with pytest.raises(crash):
            await look(receiver(tmp_path, meddler))
        (tmp_path / "OutBox" / "a.edi").write_bytes(declaration("A2"))  # meanwhile the partner goes on
    assert len(await kept(gateway)) == committed
    await look(receiver(tmp_path, gateway.intake.accept))
    assert names(tmp_path / "OutBox") == set()
    assert len(await kept(gateway)) == 3
    assert names(tmp_path / "SentBox") >= {"a.edi", GBK_NAME}


async def test_links_and_pipes_are_refused(gateway: House, tmp_path: Path) -> None:
    """What turns into a link, a pipe or a folder after it was looked at is not read; it stands in FailBox as it is."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"UNB+TOP SECRET")
    outbox = tmp_path / "OutBox"
    makers: dict[str, Callable[[Path], object]] = {
        "b.edi": lambda path: path.symlink_to(secret),
        "c.edi": os.mkfifo,
        "d.edi": Path.mkdir,
    }

    def swap(arrival: Arrival) -> None:
        if arrival.filename == "a.edi":
            for name, make in makers.items():
                (outbox / name).unlink()
                make(outbox / name)

    for number, name in enumerate(["a.edi", *makers]):
        (outbox / name).write_bytes(declaration(name[0]))
        os.utime(outbox / name, (number, number))
    await asyncio.wait_for(look(receiver(tmp_path, Meddler(gateway, swap, nothing))), 10)
    assert [payload.filename for payload in await kept(gateway)] == ["a.edi"]
    assert names(tmp_path / "FailBox") == {f"{name}{suffix}" for name in makers for suffix in ("", ".reason.json")}
    assert (tmp_path / "FailBox" / "b.edi").is_symlink()
    assert secret.read_bytes() == b"UNB+TOP SECRET"


async def test_a_receipt_is_written_through_no_link(gateway: House, tmp_path: Path) -> None:
    """Receipts replace what stands under their names, and overwrite nothing behind it."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    for name in ("a.edi", "a.edi.receipt.json", ".a.edi.receipt.json.tmp"):
        (tmp_path / "SentBox" / name).symlink_to(victim)
    (tmp_path / "OutBox" / "a.edi").write_bytes(declaration("A1"))
    await look(receiver(tmp_path, gateway.intake.accept))
    assert victim.read_bytes() == b"precious"
    assert json.loads((tmp_path / "SentBox" / "a.edi.receipt.json").read_bytes())["stage"] == "received"


@pytest.mark.parametrize("box", ["OutBox", "SentBox"])
async def test_a_box_that_is_a_link_is_not_used(gateway: House, tmp_path: Path, box: str) -> None:
    """A box that somebody replaced by a link leads nowhere: nothing there is read, moved or written."""
    one = receiver(tmp_path, gateway.intake.accept)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.edi").write_bytes(b"not the partner's")
    (tmp_path / "OutBox" / "b.edi").write_bytes(declaration("B1"))
    await one.poll()
    (tmp_path / box).rename(tmp_path / "old")
    (tmp_path / box).symlink_to(elsewhere)
    for _ in range(3):
        try:
            await one.poll()
        except OSError:
            assert box == "OutBox"
    assert names(elsewhere) == {"a.edi"}
    assert "not the partner's" not in [payload.body.decode() for payload in await kept(gateway)]


@pytest.mark.parametrize("name", ["x" * 255, "报" * 82 + ".edi"])
async def test_a_long_name_has_its_receipt_beside_it(gateway: House, tmp_path: Path, name: str) -> None:
    """A name as long as the file system takes them is kept; its receipt stands under the beginning of it."""
    (tmp_path / "OutBox" / name).write_bytes(declaration("A1"))
    await look(receiver(tmp_path, gateway.intake.accept))
    receipt, file = sorted(names(tmp_path / "SentBox"), key=lambda found: found == name)
    assert file == name
    assert receipt.startswith(name[:70])
    assert receipt.endswith(".receipt.json")


async def test_a_file_that_has_to_wait_lets_others_go(gateway: House, tmp_path: Path) -> None:
    """A file that cannot be moved on is kept, receipted once, and moved when it can be; others do not wait for it."""
    obstacle = tmp_path / "SentBox" / "a.edi"
    (obstacle / "in the way").mkdir(parents=True)
    for name in ("a.edi", "b.edi"):
        (tmp_path / "OutBox" / name).write_bytes(declaration(name[0]))
    one = receiver(tmp_path, gateway.intake.accept)
    await look(one, 4)
    assert (tmp_path / "SentBox" / "b.edi").is_file()
    (obstacle / "in the way").rmdir()
    obstacle.rmdir()
    await look(one, 1)
    assert (tmp_path / "SentBox" / "a.edi").read_bytes() == declaration("a")
    assert names(tmp_path / "OutBox") == set()
    assert len(await kept(gateway)) == 2


async def test_a_file_that_is_withdrawn_is_forgotten(gateway: House, tmp_path: Path) -> None:
    """A file that goes away while it is looked at or taken ends nothing, and is not waited for."""

    def withdraw(arrival: Arrival) -> None:
        if arrival.filename == "a.edi":
            (taken,) = (tmp_path / "OutBox").glob(".taken-*/a.edi")
            taken.unlink()
            (tmp_path / "OutBox" / "b.edi").unlink()

    for number, name in enumerate(["a.edi", "b.edi", "c.edi"]):
        (tmp_path / "OutBox" / name).write_bytes(declaration(name[0]))
        os.utime(tmp_path / "OutBox" / name, (number, number))
    one = receiver(tmp_path, Meddler(gateway, nothing, withdraw))
    await look(one, 3)
    assert (tmp_path / "SentBox" / "c.edi").is_file()
    await look(receiver(tmp_path, gateway.intake.accept))
    assert names(tmp_path / "OutBox") == set()


async def test_a_folder_that_cannot_be_used_ends_nothing(gateway: House, tmp_path: Path) -> None:
    """A folder that is not there at the start, such as a share that is away, is waited for."""
    folder = tmp_path / "share"
    folder.write_bytes(b"not a folder")
    task = asyncio.create_task(receiver(folder, gateway.intake.accept).run())
    await asyncio.sleep(0.1)
    assert not task.done()
    folder.unlink()
    (folder / "OutBox").mkdir(parents=True)
    (folder / "OutBox" / "a.edi").write_bytes(declaration("A1"))
    for _ in range(500):
        await asyncio.sleep(0.01)
        if (folder / "SentBox" / "a.edi").exists():
            break
    task.cancel()
    assert len(await kept(gateway)) == 1
