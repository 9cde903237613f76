from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from gateway.catalogue import Catalogue
from gateway.catalogue_folders import read_laid_out, read_layers, shipped
from gateway.errors import CatalogueInvalid
from gateway.pipeline import Pipeline
from gateway.trip import in_force as module
from gateway.trip.in_force import InForce
from gateway.trip.judging import judge
from tests.trip.rig import FLOWS, Clock, House, interchange, message

MAPPING = "mappings/declaration/edifact_cusdec_d96b.toml"
TABLE = "declaration/edifact_cusdec_d96b"


class Operator:
    """An operator's folder, and what a gateway reads of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.told: list[str] = []

    def write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")

    def read(self, former: Catalogue) -> Catalogue:
        layers = read_layers(self.folder)
        catalogue = layers.catalogue()
        catalogue.succeed(former)
        judge(catalogue, FLOWS, date(2026, 3, 5), least=shipped(), own=layers.own)
        return catalogue

    async def hear(self, reason: str) -> None:
        self.told.append(reason)


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path / "own")


@pytest.fixture
def force(tmp_path: Path, operator: Operator) -> InForce:
    return InForce(shipped(), tmp_path / "catalogues", read=operator.read, on_refused=operator.hear)


def remarked(remark: str) -> str:
    """The mapping of declarations with a remark that changes its digest and nothing else."""
    return f"{shipped().text(MAPPING)}# {remark}\n"


async def test_another_catalogue_takes_over_and_the_one_held_stays(force: InForce, operator: Operator) -> None:
    """Whoever holds one goes on with it, laid out for its workers; whoever comes later gets the other."""
    operator.write(MAPPING, remarked("new"))
    with force.held() as held:
        force.shelf.put(held)
        assert await force.reload()
        assert held is shipped()
        with force.held() as later:
            assert later.text(MAPPING) == remarked("new")
            assert later is force.catalogue
        await force._clear()
        assert read_laid_out(force.shelf.folder, held.digest).files == held.files
    await force._clear()
    assert force.shelf.held == {force.catalogue.digest} == {force.shelf.marked()}
    force.shelf.close()


async def test_the_same_files_change_nothing(force: InForce, operator: Operator) -> None:
    """Twenty reloads of the same content leave the one in force, and what was compiled of it, as they are."""
    operator.write(MAPPING, remarked("new"))
    assert await force.reload()
    first, made = force.catalogue, dict(force.catalogue._made)
    for _ in range(20):
        operator.write(MAPPING, remarked("new"))
        assert not await force.reload()
    assert force.catalogue is first
    assert force.catalogue._made == made
    force.shelf.close()


async def test_memory_does_not_grow_with_reloads(force: InForce, operator: Operator) -> None:
    """Of twenty that follow one another no more is kept than of one: each has a mapping compiled anew."""

    async def turn(number: int) -> None:
        operator.write(MAPPING, remarked(str(number)))
        assert await force.reload()
        await force._clear()

    def objects() -> int:
        gc.collect()
        return len(gc.get_objects())

    for number in range(3):
        await turn(number)
    before = objects()
    for number in range(20):
        await turn(number + 100)
    grown = objects() - before
    force.shelf.close()
    # One mapping more would be some thousand objects.
    assert grown < 1000


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (MAPPING, "[[", f"{TABLE}: "),
        (MAPPING, 'document = "declaration"\nformat = "edifact:CUSDEC:D:96B:UN"\nrows = []', f"{TABLE}: "),
        ("schemas/rules/headline/consignment.toml", "[[line]]\nrank = 1\n", "headline/consignment.toml"),
        ("mapping/x.toml", "", "mapping: a catalogue has the folders"),
    ],
)
async def test_what_is_not_good_changes_nothing(
    force: InForce, operator: Operator, name: str, text: str, words: str
) -> None:
    """It is refused whole, with file and fault, and the operator is told; the next good one is taken."""
    operator.write("mappings/clearance/acme.toml", 'extends = "clearance/edifact_cusres_d96b"')
    operator.write(name, text)
    assert not await force.reload()
    assert force.catalogue is shipped()
    assert words in force.refused
    assert operator.told == [force.refused]
    (operator.folder / name).unlink()
    (operator.folder / name).parent.rmdir()
    assert await force.reload()
    assert force.refused == ""
    force.shelf.close()


async def test_a_disk_that_takes_nothing_changes_nothing(tmp_path: Path, operator: Operator) -> None:
    """What cannot be laid out is not put in force, since worker processes could not read it."""
    (tmp_path / "catalogues").write_text("a file")
    force = InForce(shipped(), tmp_path / "catalogues", read=operator.read, on_refused=operator.hear)
    operator.write(MAPPING, remarked("new"))
    assert not await force.reload()
    assert force.catalogue is shipped()
    assert "could not be laid out" in operator.told[0]


@asynccontextmanager
async def running(force: InForce, house: House) -> AsyncIterator[None]:
    """It looks for calls meanwhile."""
    task = asyncio.create_task(force.run(house.store))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        force.shelf.close()


async def until_another(force: InForce, former: Catalogue) -> None:
    async with asyncio.timeout(20):
        while force.catalogue is former:  # noqa: ASYNC110 -- nothing tells of it
            await asyncio.sleep(0.02)


async def until_looked(done: Callable[[], bool]) -> None:
    """Wait until `done`, half a minute at most."""
    for _ in range(1500):
        if done():
            return
        await asyncio.sleep(0.02)
    raise TimeoutError


async def test_every_node_on_a_store_hears_a_call(
    gateway: House, tmp_path: Path, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two nodes read their folders again when one command asks on their store, and only then."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    nodes = [InForce(shipped(), tmp_path / name, read=operator.read) for name in ("one", "two")]
    looks, look = 0, gateway.store.catalogue_calls

    async def counted() -> int:
        nonlocal looks
        looks += 1
        return await look()

    monkeypatch.setattr(gateway.store, "catalogue_calls", counted)
    async with running(nodes[0], gateway), running(nodes[1], gateway):
        await until_looked(lambda: looks >= 6)  # each node's first look reads the folders once more
        operator.write(MAPPING, remarked("new"))
        await asyncio.sleep(0.2)
        assert [node.catalogue for node in nodes] == [shipped()] * 2
        await gateway.store.call_for_catalogue()
        for node in nodes:
            await until_another(node, shipped())
    assert nodes[0].catalogue.digest == nodes[1].catalogue.digest


async def test_a_node_hears_its_own_signal(gateway: House, force: InForce, operator: Operator) -> None:
    """Asked by itself, it does not wait for its next look."""
    async with running(force, gateway):
        operator.write(MAPPING, remarked("new"))
        force.ask()
        await until_another(force, shipped())


async def test_a_payload_is_taken_to_its_end_by_one_catalogue(
    gateway: House, force: InForce, operator: Operator
) -> None:
    """Put in force while a payload is examined, another one is that of the next payload only."""
    pipeline = Pipeline(gateway.store, gateway.settings, gateway.notary, FLOWS, force, clock=gateway.clock)
    operator.write(MAPPING, remarked("new"))
    examine = pipeline._examiners.examine

    async def interrupted(*arguments: object, **named: object) -> AsyncIterator[object]:
        async for item in examine(*arguments, **named):  # type: ignore[arg-type]
            await force.reload()
            yield item

    pipeline._examiners.examine = interrupted  # type: ignore[method-assign, assignment]
    digests = []
    for reference in ("A1", "A2"):
        sent = await gateway.send(interchange(reference, *(message(n, f"{reference}{n}") for n in (1, 2, 3))))
        (claimed,) = await gateway.claim()
        await pipeline.process(claimed)
        view = await gateway.store.payload(sent.payload_id)
        digests.append([one.mapping_digest for one in view.messages])
    assert [len(set(each)) for each in digests] == [1, 1]
    assert digests[0] != digests[1]
    force.shelf.close()


async def test_what_was_made_for_a_day_takes_over_where_nothing_can_be_read_then(
    tmp_path: Path, operator: Operator
) -> None:
    """At midnight the catalogue made beforehand is in force, and yesterday's is there for what was received before it."""
    clock, good = Clock(datetime(2026, 3, 5, 15, 59, tzinfo=UTC)), True

    def read_for(former: Catalogue, day: date) -> Catalogue:
        if not good:
            raise CatalogueInvalid("the folder is being edited")
        operator.write(MAPPING, remarked(str(day)))
        return operator.read(former)

    force = InForce(
        shipped(),
        tmp_path / "catalogues",
        read=operator.read,
        read_for=read_for,
        on_refused=operator.hear,
        clock=clock,
    )
    before, after = date(2026, 3, 5), date(2026, 3, 6)
    try:
        assert await force.reload()
        assert force.on(before) is force.catalogue
        assert [force.on(day).text(MAPPING) for day in (before, after)] == [remarked(str(d)) for d in (before, after)]
        good = False
        clock.forward(minutes=1)
        assert not await force.reload()
        assert operator.told == ["the folder is being edited"]
        assert [force.on(day).text(MAPPING) for day in (before, after)] == [remarked(str(d)) for d in (before, after)]
        assert force.on(after) is force.catalogue
        assert force.on(date(2026, 3, 4)) is force.catalogue
    finally:
        force.shelf.close()
