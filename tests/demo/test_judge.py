"""What the demo finds missing in a case, over what its partners really hold in their folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.house import House
from gateway.demo.judge import judge
from gateway.demo.plan import Case, Expected
from gateway.demo.watch import Evidence

RELEASE = "json:release:1"
CASE: dict[str, Any] = {
    "id": "c-1",
    "status": "failed",
    "keys": {"declaration": ["370200126900001"]},
    "tracks": [{"name": "inspection", "state": "failed"}, {"name": "clearance", "state": "released"}],
    "messages": [],
    "receipts": [],
    "deliveries": [],
}


def delivery(number: int) -> dict[str, Any]:
    """A release to the port, as the interface shows its delivery."""
    sent = {"id": f"d-{number}", "recipient": "port", "document": "release", "format": RELEASE, "state": "delivered"}
    return {**sent, "attempts": 1}


def found(**evidence: Any) -> Evidence:
    """A case of two releases to the port."""
    return Evidence({**CASE, "deliveries": [delivery(2), delivery(1)]}, [], **evidence)


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A house that nobody has started; its port has got a release, then a lock, its importer one answer."""
    made = House(tmp_path, [])
    lines = {
        "port": [
            {"delivery": "d-1", "document": "release", "kind": RELEASE, "says": "release"},
            {"delivery": "d-2", "document": "release", "kind": RELEASE, "says": "lock"},
        ],
        "importer": [{"delivery": "f-1", "document": "response", "kind": "json:response:1", "says": "cleared"}],
    }
    for name, held in lines.items():
        folder = made.partner_folder(name)
        (folder / "inbox").mkdir(parents=True)
        text = "".join(json.dumps({**line, "sha256": "", "answers": [], "file": "one"}) + "\n" for line in held)
        (folder / "inbox.jsonl").write_text(text, "utf-8")
        (folder / "inbox" / "one").write_text('{"declaration_number": "370200126900001"}', "utf-8")
    return made


ANSWER = ("importer", "response", "json:response:1")
MISSING: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    # (what the case asks for, what else is known of it, what is missed)
    ({"tracks": {"inspection": "failed", "clearance": "released"}}, {}, ""),
    ({"tracks": {"clearance": "notified"}}, {}, "its clearance is released, not notified"),
    ({"tracks": {"transfer": "taken"}}, {}, "its transfer is not begun, not taken"),
    ({"alerts": ("locked",)}, {"alerts": [{"alert": "locked"}]}, ""),
    ({"alerts": ("locked",)}, {"alerts": [{"alert": "container_out"}]}, "the operator has no alert locked"),
    ({"expect": (Expected("port", "release", RELEASE, "release"),)}, {}, ""),
    ({"expect": (Expected("port", "release", RELEASE, "lock", "last"),)}, {}, ""),
    # it came, and something else came after it
    (
        {"expect": (Expected("port", "release", RELEASE, "release", "last"),)},
        {},
        f"no release as {RELEASE} that says release at port as the last of its kind",
    ),
    ({"expect": (Expected(*ANSWER, "cleared"),)}, {}, ""),
    ({"expect": (Expected(*ANSWER, "held"),)}, {}, "no response as json:response:1 that says held at importer"),
    ({"owner": "importer"}, {"owned": {"status": "failed"}}, ""),
    ({"owner": "importer"}, {"owned": {"status": "cleared"}}, "importer, who owns it, sees cleared, not failed"),
    ({"owner": "importer"}, {}, "importer, who owns it, sees nothing, not failed"),
]


@pytest.mark.parametrize(("asked", "known", "missed"), MISSING)
def test_what_is_missing_is_told(house: House, asked: dict[str, Any], known: dict[str, Any], missed: str) -> None:
    """Tracks, alerts, the last word to a partner, what was fetched, the owner's view: each is missed where it is not there."""
    case = Case("c", "A case", "", (), status="failed", **asked)
    told = [line for line in judge(case, found(**known), house) if not line.startswith("no receipt that")]
    assert told == ([missed] if missed else [])
