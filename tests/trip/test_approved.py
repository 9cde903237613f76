"""Rule sets and code lists that two persons changed, in force on their day in every node over one store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.catalogue import Catalogue
from gateway.catalogue_folders import shipped
from gateway.check import codes
from gateway.model import HeldRole, MessageState, Person
from gateway.pipeline import Pipeline
from gateway.process import read_catalogue
from gateway.trip import in_force
from gateway.trip.in_force import InForce
from tests.trip.rig import FLOWS, START, House, house
from tests.trip.test_answers import as_json

DAY = date(2026, 3, 6)
"""The day after the house's first, in China."""
MIDNIGHT = datetime(2026, 3, 5, 16, tzinfo=UTC)
"""At which it begins there."""
PERSONS = (
    Person("maker", "bureau", "Ma Li", (HeldRole("rule_maker"), HeldRole("supervisor"))),
    Person("chief", "bureau", "Zhao Gang", (HeldRole("supervisor"),)),
    Person("clerk", "bureau", "Qian Jin", (HeldRole("reviewer"),)),
)
RULES = shipped().text("schemas/rules/registration.toml")
NARROWER = RULES.replace("valid_from = 2016-01-01", f"valid_from = {DAY}").replace('"ciq-registration", ', "")
"""From that day on nothing is registered by registration numbers."""


@dataclass
class Node:
    """One of several gateways over one store."""

    force: InForce
    pipeline: Pipeline


@pytest.fixture
async def gateway(where: Path | str, tmp_path: Path) -> AsyncIterator[House]:
    """A gateway's middle, and the bureau's persons."""
    async with house(tmp_path, where) as one:
        await one.store.import_persons(PERSONS)
        yield one


@pytest.fixture
async def nodes(gateway: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Node]]:
    """Two nodes at work, each with a catalogue of its own."""
    monkeypatch.setattr(in_force, "LOOK_SECONDS", 0.05)
    made = [node(gateway, tmp_path / name) for name in ("one", "two")]
    tasks = [asyncio.create_task(one.force.run(gateway.store)) for one in made]
    yield made
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    for one in made:
        one.force.shelf.close()


def node(gateway: House, folder: Path) -> Node:
    """A node over the gateway's store, by the gateway's clock."""

    def read_for(former: Catalogue, day: date) -> Catalogue:
        return read_catalogue(gateway.settings, FLOWS, former, force.approved, day)

    force = InForce(
        shipped(), folder, read=lambda former: read_for(former, DAY), read_for=read_for, clock=gateway.clock
    )
    return Node(force, Pipeline(gateway.store, gateway.settings, gateway.notary, FLOWS, force, clock=gateway.clock))


async def reached(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for is a node's own, and rings nobody
            await asyncio.sleep(0.02)


def proposal(version: str = "2026.1", **more: Any) -> bytes:
    """A version of the rules of registration."""
    document = {"list": "rules/registration", "version": version, "valid_from": str(DAY), "rules": NARROWER} | more
    return as_json("code_list", f"P-{version}", **document)


async def answer(gateway: House) -> dict[str, Any]:
    """The newest answer to the bureau."""
    entry = [one for one in await gateway.inbox("bureau") if one.document_type == "response"][-1]
    document: dict[str, Any] = json.loads(entry.body)["document"]
    return document


async def told(gateway: House) -> list[str]:
    """The codes of its reasons."""
    return [reason["code"] for reason in (await answer(gateway)).get("reasons", ())]


async def decide(gateway: House, person: str, option: str = "approve") -> str:
    """What comes of a person's decision on the version that waits."""
    open_tasks = await gateway.store.open_tasks(["370200", "370210"], "", 9)
    (task,) = (one for one in open_tasks if one.kind == "list_approval")
    gateway.results.append(task.id)
    body = as_json("decision", f"D-{len(gateway.results)}", task=task.id, option=option, task_version=task.version)
    await gateway.through(body, "bureau", person_id=person)
    return str((await answer(gateway))["outcome"])


def registration(reference: str) -> bytes:
    """A firm is registered by its registration number."""
    line = {"scheme": "ciq-registration", "value": f"37029{reference[-5:]}", "action": "register"}
    return as_json("registration", reference, reference=reference, lines=[line | {"valid_from": "2026-04-01"}])


async def outcome(gateway: House, pipeline: Pipeline, payload_id: str) -> MessageState:
    """What becomes of the payload that waits, in one of the nodes."""
    (claimed,) = await gateway.claim()
    assert claimed.payload.id == payload_id
    await pipeline.process(claimed)
    (message,) = (await gateway.store.payload(payload_id)).messages
    return message.state


async def test_a_rule_that_two_persons_changed_is_in_force_at_midnight_on_every_node(
    gateway: House, nodes: list[Node]
) -> None:
    """Proposed by one person and approved by another; what was received before midnight is judged by the old rule."""
    await gateway.through(proposal(), "bureau", person_id="maker")
    assert (await answer(gateway))["outcome"] == "received"
    assert await decide(gateway, "maker") == "refused"
    assert await told(gateway) == ["decide.person.concerned"]
    assert await decide(gateway, "clerk") == "refused"
    assert await decide(gateway, "chief") == "accepted"
    published = await gateway.feed("codes", "customs")
    assert [json.loads(entry.body)["version"] for entry in published] == ["2026.1"]
    # Who has taken it over says so, of what was approved alone.
    for id_, version, state in (("1", "2026.1", MessageState.ACCEPTED), ("2", "2025.7", MessageState.REJECTED)):
        ran = {"id": id_, "document": "code_list", "outcome": "accepted", "number": f"rules/registration@{version}"}
        view = await gateway.through(as_json("response", f"A-{id_}", **ran), "bureau")
        assert view.messages[0].state is state
    (running,) = await gateway.store.subject_versions("codes-at", "bureau rules/registration")
    assert running.name == "2026.1"
    await reached(lambda: all(len(one.force.approved) == 1 and one.force.catalogue is not shipped() for one in nodes))
    # Approved, and not in force yet.
    for number, one in enumerate(nodes):
        sent = await gateway.send(registration(f"R-1000{number}"), "bureau")
        assert await outcome(gateway, one.pipeline, sent.payload_id) is MessageState.ACCEPTED
    # The last moment before midnight is the old rule's, even where it is decided after it.
    for number, one in enumerate(nodes):
        gateway.clock.now = MIDNIGHT.replace(hour=15, minute=59, second=59)
        before = await gateway.send(registration(f"R-2000{number}"), "bureau")
        gateway.clock.now = MIDNIGHT
        assert await outcome(gateway, one.pipeline, before.payload_id) is MessageState.ACCEPTED
        after = await gateway.send(registration(f"R-3000{number}"), "bureau")
        assert await outcome(gateway, one.pipeline, after.payload_id) is MessageState.REJECTED
        assert "decide.registration.scheme" in json.dumps(await answer(gateway))


def country(*more: dict[str, Any], without: str = "") -> dict[str, Any]:
    """A version of the list of countries as it ships, with `more` and without one of its codes."""
    shipped_list = codes.load(shipped(), "country")
    listed = [
        {"code": row["un"], "en": row["en"], "zh": row["zh"]}
        | {
            "others": [
                {"table": column, "code": code}
                for column in shipped_list.columns[1:]
                for code in row[column].split("|")
                if code
            ]
        }
        for row in shipped_list.rows
        if row["un"] != without
    ]
    complete = sorted(shipped_list.complete)
    return {"list": "country", "valid_from": str(DAY), "rules": None, "complete": complete, "codes": [*listed, *more]}


async def test_a_code_list_is_in_force_from_its_day_on(gateway: House, nodes: list[Node]) -> None:
    """What is received from midnight on goes by the new list at once, before any node has looked; before it by the old."""
    await gateway.through(proposal("2", **country({"code": "XX", "en": "Nowhere"})), "bureau", person_id="maker")
    assert await decide(gateway, "chief") == "accepted"
    for one in nodes:
        await reached(lambda one=one: one.force.on(DAY) is not one.force.catalogue)  # type: ignore[misc]
        today, then = (codes.load(one.force.on(day), "country") for day in (date(2026, 3, 5), DAY))
        assert [found.to_canonical("XX", "un") for found in (today, then)] == [None, "XX"]
        assert (then.version, then.to_canonical("142", "customs")) == ("2", "CN")
    gateway.clock.now = MIDNIGHT
    await reached(lambda: all(codes.load(one.force.catalogue, "country").version == "2" for one in nodes))
    for one in nodes:
        assert codes.load(one.force.on(date(2026, 3, 5)), "country").to_canonical("XX", "un") is None


@pytest.mark.parametrize(
    ("person", "changes", "code"),
    [
        ("maker", {"rules": NARROWER.replace("schemes", "scheme")}, "decide.code_list.unreadable"),
        ("maker", {"rules": "[[set"}, "decide.code_list.unreadable"),
        ("maker", {"rules": None}, "decide.code_list.unreadable"),
        ("maker", {"list": "rules/weather"}, "decide.code_list.unknown"),
        ("maker", {"valid_from": "2026-03-05"}, "decide.code_list.retroactive"),
        ("maker", {"valid_from": "2026-03-09"}, "decide.code_list.days"),
        ("clerk", {}, "decide.person.act"),
        ("", {}, "decide.person.none"),
        ("maker", country(without="CN"), "decide.code_list.loses"),
        ("maker", country() | {"list": "planet"}, "decide.code_list.unknown"),
        ("maker", country({"code": "A|B"}), "decide.code_list.unreadable"),
        ("maker", country({"code": "XX", "en": "no\nwhere"}), "decide.code_list.unreadable"),
        ("maker", country() | {"origin": "ours\n# complete: un"}, "decide.code_list.unreadable"),
        ("maker", country({"code": "XX", "others": [{"table": "en", "code": "X"}]}), "decide.code_list.unreadable"),
    ],
)
async def test_what_may_not_be_proposed(
    migrated: Path, tmp_path: Path, person: str, changes: dict[str, Any], code: str
) -> None:
    """A set that its model does not load, a list that loses codes, a day that has come, somebody who may not."""
    async with house(tmp_path, migrated) as gateway:
        await gateway.store.import_persons(PERSONS)
        await gateway.through(proposal(**changes), "bureau", person_id=person)
        assert (await answer(gateway))["outcome"] == "refused"
        assert code in await told(gateway)
        waiting = await gateway.store.open_tasks(["370200", "370210"], "", 9)
        assert [one.kind for one in waiting if one.kind == "list_approval"] == []


async def test_versions_follow_one_another(migrated: Path, tmp_path: Path) -> None:
    """One that is older than what is approved, or contradicts it, is refused; one rejected may come again."""
    async with house(tmp_path, migrated) as gateway:
        await gateway.store.import_persons(PERSONS)
        await gateway.through(proposal("2026.9"), "bureau", person_id="maker")
        assert await decide(gateway, "chief", "reject") == "accepted"
        assert await gateway.store.approved_lists() == []
        gateway.clock.forward(minutes=1)
        body = proposal("2026.9", origin="mended").replace(b"P-2026.9", b"P-again")
        await gateway.through(body, "bureau", person_id="maker")
        assert await decide(gateway, "chief") == "accepted"
        for version, expected in (
            ("2026.9", "decide.code_list.known"),
            ("2026.8", "decide.code_list.older"),
            ("2026.10", "decide.code_list.contradicts"),
        ):
            body = proposal(version).replace(b'"P-', f'"Q-{version}'.encode())
            await gateway.through(body, "bureau", person_id="maker")
            assert expected in await told(gateway)
        assert await gateway.store.approved_count() == 1


async def test_what_is_approved_after_its_day_changes_nothing(migrated: Path, tmp_path: Path) -> None:
    """It lapses, and the operator is alerted: what was decided by then stands."""
    async with house(tmp_path, migrated) as gateway:
        await gateway.store.import_persons(PERSONS)
        await gateway.through(proposal(), "bureau", person_id="maker")
        gateway.clock.now = MIDNIGHT
        assert await decide(gateway, "chief") == "accepted"
        assert await gateway.store.approved_lists() == []
        assert await gateway.feed("codes", "customs") == []
        assert gateway.clock.now > START
