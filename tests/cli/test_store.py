"""`gateway store reconcile`: after a backup was restored an operator sees what is held, and lets it go."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from gateway import opening
from gateway.cli import store as store_commands
from gateway.config import load
from gateway.store.ports import Store
from tests.cli.conftest import Run
from tests.store.made import accept, deliver_later, delivery

DATABASE = Path("var/gateway.db")


def with_gateway(work: Callable[[Store], Awaitable[object]]) -> None:
    """Do something as a gateway on the configured store would."""

    async def opened() -> None:
        settings = load(None)
        async with opening.opened(settings, opening.signer(settings.receipts)) as store:
            await work(store)

    asyncio.run(opened())


async def _some_deliveries(store: Store) -> None:
    made = [delivery(f"d{n}", f"lane {n}", reference=f"R{n}") for n in range(4)]
    await deliver_later(store, *made, delivery("p", "port", partner_id="port"))
    await accept(store, 50)


async def _more(store: Store) -> None:
    for number in range(60, 65):
        await accept(store, number)


def restore(copy: Path) -> None:
    for left in DATABASE.parent.glob("gateway.db-*"):
        left.unlink()
    shutil.copy(copy, DATABASE)


@pytest.fixture
def restored(run: Run) -> Run:
    """A store that a backup of some commits ago was put in the place of."""
    with_gateway(_some_deliveries)
    shutil.copy(DATABASE, "backup.db")
    with_gateway(_more)
    restore(Path("backup.db"))
    return run


def test_what_is_held_is_shown(restored: Run) -> None:
    """Partner, document, case, reference and since when; what is lost, between which times; in both languages."""
    shown = restored("store", "reconcile", "--json").json
    assert shown["deliveries_held"] == 5
    assert shown["deliveries"][1] | {"since": ""} == {
        "id": "d1",
        "partner": "customs",
        "kind": "document",
        "document_type": "clearance",
        "case": "",
        "reference": "R1",
        "attempts": 0,
        "since": "",
    }
    (broken,) = shown["breaks"]
    assert (broken["lost"], broken["size"], broken["known_size"]) == (5, 2, 7)
    assert broken["lost_from"] < broken["lost_until"]
    assert shown["deliveries"][1]["since"] == broken["at"]
    assert [one["id"] for one in shown["payloads"]] == [f"{50:032x}"]
    assert shown["reconciled"] is False
    words = restored("store", "reconcile").out
    assert "5 deliveries are held" in words
    assert "lost: 5 entries" in words
    assert "待人工处理的投递 5 笔" in restored("store", "reconcile", "--lang", "zh").out
    assert len(restored("store", "reconcile", "--partner", "port", "--json").json["deliveries"]) == 1


def test_what_is_held_is_let_go(restored: Run, tmp_path: Path) -> None:
    """By id, by a file of ids, by partner, all; payloads are decided, numbers moved on; then the break is closed."""
    done = restored("store", "reconcile", "--send", "--id", "d2", "--id", "nobody", "--json")
    assert (done.code, done.json["sent"], done.json["not_held"]) == (1, 1, ["nobody"])
    (tmp_path / "ids").write_text("d0\n\nd1\n", "utf-8")
    done = restored("store", "reconcile", "--skip", "--ids", "ids", "--json")
    assert (done.code, done.json["skipped"]) == (0, 2)
    assert restored("store", "reconcile", "--send", "--partner", "port", "--json").json["sent"] == 1
    assert (
        restored("store", "reconcile", "--release-payloads", "--skip-numbers", "7", "--json").json["deliveries_held"]
        == 1
    )
    done = restored("store", "reconcile", "--send", "--all", "--json")
    assert (done.json["sent"], done.json["reconciled"]) == (1, True)
    assert done.json["breaks"][0]["reconciled_at"] is not None
    assert "Nothing is held." in restored("store", "reconcile").out


class _Counted(tuple[str, ...]):
    """Ids that count how often all of them are looked at."""

    __slots__ = ()
    looks = 0

    def __iter__(self) -> Iterator[str]:
        _Counted.looks += 1
        return super().__iter__()


def test_ids_of_a_file_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many deliveries are held, the ids that were named are not gone through for each of them."""
    held = [f"d{n}" for n in range(300)]

    class Held:
        async def held_deliveries(self, _partner: str) -> list[str]:
            return held

        async def retry_delivery(self, _id: str, _now: object) -> None: ...

        async def close_breaks(self, _now: object) -> bool:
            return False

        async def reconciliation(self, _partner: str, _limit: int) -> None: ...

    monkeypatch.setattr(_Counted, "looks", 0)
    orders = store_commands._Orders(True, False, False, "", _Counted([*held[:200], "other"]), False, 0)
    done = asyncio.run(store_commands._carry_out(cast("Store", Held()), orders, 10))
    assert (done.ordered, done.not_held) == (200, ["other"])
    assert _Counted.looks <= 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("--send",),  # which?
        ("--all",),  # what of them?
        ("--id", "d1"),
        ("--send", "--skip", "--all"),
        ("--skip", "--ids", "nowhere"),
        ("--lang", "fr"),
    ],
)
def test_nonsense_is_refused(restored: Run, arguments: tuple[str, ...]) -> None:
    """What cannot be meant ends with 2, and nothing is let go."""
    assert restored("store", "reconcile", *arguments).code == 2
    assert restored("store", "reconcile", "--json").json["deliveries_held"] == 5


def test_proof_goes_on_under_the_present_name(restored: Run, tmp_path: Path) -> None:
    """Key, public key file and config check speak of the present name; old evidence verifies with the old key."""
    first = restored("receipt", "key")
    public = next(tmp_path.rglob("*.pub"))
    assert first.out.strip() == public.read_text("utf-8").strip()
    assert first.out.partition("+")[0].endswith("~2")
    earlier = first.err.strip().splitlines()[-1]
    checked = restored("config", "check", "--json").json
    assert checked["log"] == first.out.partition("+")[0]
    assert checked["open_breaks"] == 1
    assert earlier.partition("+")[0] == first.out.partition("+")[0].removesuffix("~2")
