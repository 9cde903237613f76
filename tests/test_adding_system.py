"""What docs/adding.md says of a system is done as it stands there: a whole one comes from outside, and works."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest

from tests.adding import ROOT, files_of, install, section
from tests.harness import GatewayProcess, key_of

FILES = files_of(section("A system"))
PARTNERS = """
[[partners]]
id = "firm"
name = "Firm"
roles = ["enterprise"]
language = "zh"
keys = [{{ id = "firm-1", key = "{firm}" }}]
agreements = [{{ direction = "in", document = "*", format = "*" }}]

[[partners]]
id = "office"
name = "Office"
roles = ["bureau"]
identifiers = [{{ scheme = "ciq-org", value = "370200" }}]
keys = [{{ id = "office-1", key = "{office}", person_id = "wang" }}]
persons = [{{ id = "wang", name = "Wang", roles = [{{ name = "supervisor" }}] }}]
agreements = [{{ direction = "in", document = "*", format = "*" }}]
"""


def lay_out(folder: Path) -> dict[str, str]:
    """The package and the operator's folder; what a gateway must be told of both."""
    install(folder / "package", "fumigation", FILES["fumigation.py"], FILES["pyproject.toml"])
    for name, content in FILES.items():
        if "/" in name:
            path = folder / "own" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, "utf-8")
    return {
        "PYTHONPATH": os.pathsep.join((str(folder / "package"), str(ROOT))),
        "GATEWAY_CATALOGUE__FOLDER": str(folder / "own"),
    }


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A started gateway with the system, a firm and an office."""
    home = tmp_path / "home"
    home.mkdir()
    partners = PARTNERS.format(firm=key_of("firm"), office=key_of("office"))
    gateway = GatewayProcess(home, partners, lay_out(tmp_path))
    gateway.start()
    yield gateway
    gateway.stop()


def post(gateway: GatewayProcess, who: str, body: bytes, query: str = "") -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {key_of(who)}", "Content-Type": "application/octet-stream"}
    return gateway._ask(Request(f"{gateway.url}/v1/messages{query}", body, headers, method="POST"))


def asked(number: str, needed_by: datetime, *, gas: str = "phosphine") -> bytes:
    """The sample in XML, with a number and a time of its own."""
    sample = FILES["samples/fumigation/first/in.xml"]
    changed = sample.replace("F-1", number).replace("phosphine", gas)
    return changed.replace("2026-12-01T12:00:00+08:00", needed_by.isoformat(timespec="seconds")).encode()


def wait(what: Callable[[], Any], gateway: GatewayProcess) -> Any:
    """What `what` gives once it gives anything."""
    ends = time.monotonic() + 30
    while not (found := what()):
        assert time.monotonic() < ends, gateway.log()[-3000:]
        time.sleep(0.05)
    return found


def decided(gateway: GatewayProcess, payload: str) -> dict[str, Any]:
    """What became of a payload of the firm's."""

    def told() -> Any:
        view = gateway.get("firm", f"/v1/messages/{payload}")[1]
        return view if view["state"] != "received" else None

    found: dict[str, Any] = wait(told, gateway)
    return found


def case_of(gateway: GatewayProcess, view: dict[str, Any]) -> dict[str, Any]:
    (case,) = gateway.get("firm", f"/v1/cases/{view['messages'][0]['case']}")[1]["items"]
    found: dict[str, Any] = case
    return found


def test_a_package_and_a_folder_bring_a_system(gateway: GatewayProcess) -> None:
    """A document of its own opens a case of its own; its office is asked, decides in the same exchange, and all is told."""
    needed_by = datetime.now(UTC) + timedelta(hours=2)
    _, accepted = post(gateway, "firm", asked("F-7", needed_by))
    view = decided(gateway, accepted["id"])
    assert (view["state"], view["messages"][0]["format"]) == ("accepted", "xml:Fumigation:1")
    case = case_of(gateway, view)
    assert (case["kind"], case["status"], case["keys"]["container"]) == ("fumigation", "asked", ["CSQU3054383"])
    (task,) = gateway.get("office", "/v1/tasks")[1]["items"]
    assert (task["kind"], task["options"], task["case"]) == ("fumigation_approval", ["approve", "refuse"], case["id"])
    decision = {"task": task["id"], "option": "approve", "task_version": task["version"]}
    body = json.dumps({"format": "json:decision:1", "reference": "D-1", "document": decision}).encode()
    status, answer = post(gateway, "office", body, "?document=decision")
    assert (status, answer["state"]) == (200, "accepted")
    case = case_of(gateway, view)
    assert (case["status"], case["tracks"][0]["state"]) == ("approved", "approved")
    assert "已核准" in case["tracks"][0]["text"]
    (entry,) = gateway.get("office", "/v1/feeds/fumigations")[1]["items"]
    assert entry["keys"] == {"fumigation": "F-7", "status": "approved"}
    assert gateway.get("office", "/v1/tasks")[1]["items"] == []


def test_its_deadline_decides_where_nobody_does(gateway: GatewayProcess) -> None:
    """Once it is too late the request lapses by itself, the task is withdrawn, and the firm learns it."""
    needed_by = datetime.now(UTC) + timedelta(seconds=3)
    _, accepted = post(gateway, "firm", asked("F-8", needed_by))
    view = decided(gateway, accepted["id"])
    assert len(gateway.get("office", "/v1/tasks")[1]["items"]) == 1
    wait(lambda: case_of(gateway, view)["status"] == "lapsed", gateway)
    assert gateway.get("office", "/v1/tasks")[1]["items"] == []
    entries = gateway.get("firm", "/v1/feeds/inbox")[1]["items"]
    told = [gateway.get("firm", entry["link"])[1] for entry in entries if entry["document"] == "response"]
    answers = [one["document"]["outcome"] for one in told]
    assert answers == ["received", "cancelled"]


def test_its_rules_refuse_in_its_own_words(gateway: GatewayProcess) -> None:
    """What its rule set does not allow is refused, in the words that the package brings, in the reader's language."""
    _, accepted = post(gateway, "firm", asked("F-9", datetime.now(UTC) + timedelta(hours=1), gas="chlorine"))
    view = decided(gateway, accepted["id"])
    (finding,) = view["messages"][0]["findings"]
    assert (view["state"], finding["code"], finding["text"]) == (
        "rejected",
        "fumigation.gas",
        "不得使用chlorine熏蒸集装箱。",
    )
    assert finding["place"]["path"] == "/Fumigation/Gas"


def test_its_tables_are_tried_like_any_other(gateway: GatewayProcess) -> None:
    """`gateway catalogue check` loads what the folder brings, and `gateway mapping test` tries its tables on its samples."""
    assert "schemas/xml/Fumigation.xsd" in gateway.cli("catalogue", "show").stdout
    gateway.cli("catalogue", "check")
    sample = gateway.folder / "in.xml"
    sample.write_text(FILES["samples/fumigation/first/in.xml"], "utf-8")
    tried = gateway.cli("mapping", "test", "--document", "fumigation", "--json").stdout.splitlines()
    assert {(one["format"], one["what"], one["fault"]) for one in map(json.loads, tried)} == {
        ("xml:Fumigation:1", "read", ""),
        ("xml:Fumigation:1", "round trip", ""),
        ("json:fumigation:1", "round trip", ""),
    }
    translated = json.loads(gateway.cli("translate", "in.xml", "--to", "json:fumigation:1").stdout)
    assert translated["document"] == json.loads(FILES["samples/fumigation/first/document.json"])
