"""What a person sees of a case, on screens of any width."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from gateway.demo.house import Fetched, Held
from gateway.demo.plan import Case, load
from gateway.demo.show import WIDE, plural, rows, timeline
from gateway.demo.watch import Evidence

CASE = Case(
    "c",
    "A case with a title that is rather long, so that it does not stand on one line of a terminal",
    "ACC",
    (),
    zh="案例的中文标题，同样相当长，在终端上一行放不下，因此须折行显示，且不得超出屏幕的宽度，也不得遗漏任何字",
)


def leaf(index: int, **values: Any) -> dict[str, Any]:
    """A receipt as the interface shows it."""
    body = {"at": f"2026-01-02T03:04:0{index}.000000Z", **values}
    return {"index": index, "stage": values["stage"], "body": json.dumps(body)}


FINDINGS = [
    {"text": f"Wrong in way {n}.", "place": {"segment": 12, "tag": "MEA", "element": 3, "component": 2, "path": None}}
    for n in range(5)
]
PAYLOAD = {
    "id": "p-1",
    "state": "rejected",
    "receipts": [
        leaf(0, stage="received", payload="p-1", sender="factory", transport="sftp"),
        leaf(1, stage="checked", payload="p-1", message="m-1", verdict="rejected", format="edifact:CUSDEC:D:96B:UN"),
        leaf(2, stage="delivered", delivery="d-1", message="m-1", evidence="as2_mdn"),
    ],
    "messages": [
        {"id": "m-1", "document": "declaration", "findings": FINDINGS, "interchange": "IMP0001", "reference": "1"}
    ],
    "acknowledgements": [
        {"id": "d-1", "recipient": "customs", "document": "clearance", "format": "json:clearance:1", "attempts": 2}
    ],
    "deliveries": [],
}
AT = datetime(2026, 1, 2, 3, 4, 9, tzinfo=UTC)
HELD = Held(
    {"d-1": {"says": "released"}},
    {"p-1": ""},
    [
        Fetched("factory", AT, "acknowledgement", "CONTRL", "4", frozenset({"IMP0001"})),
        Fetched("factory", AT, "acknowledgement", "CONTRL", "7", frozenset({"1", "IMP0002"})),  # another case's
        Fetched("strict-port", AT, "acknowledgement", "997", "A", frozenset({"IMP0001"})),  # another partner's
    ],
)


def shown(width: int) -> list[str]:
    """The lines of the case's timeline."""
    file = io.StringIO()
    timeline(Console(file=file, width=width), CASE, Evidence(None, [PAYLOAD]), ["something is missing"], HELD)
    return file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 100, WIDE])
def test_rows_fit_the_screen(width: int) -> None:
    """No line is longer than the screen, on any width."""
    assert max(map(len, shown(width))) <= width


def test_a_wide_screen_has_a_row_on_one_line() -> None:
    """Where there is room, each row is one line: who, what, in which format, and the receipts."""
    (line,) = (line for line in shown(WIDE) if "→ customs" in line)
    assert "clearance: released" in line
    assert "json:clearance:1" in line
    assert "1000 ms" in line
    assert line.endswith("delivered #2 at attempt 2")


@pytest.mark.parametrize(
    ("who", "way"),
    [
        ("factory → gateway", "SFTP: received #0, checked #1 rejected"),
        ("gateway → customs", "AS2 (signed MDN): delivered #2"),
        ("gateway → factory", "HTTP: fetched from its inbox"),
    ],
)
def test_each_row_says_by_which_way(who: str, way: str) -> None:
    """By what a thing came or went stands before its receipts, with what shows that it is there."""
    (line,) = (line for line in shown(WIDE) if who in line)
    assert way in line


@pytest.mark.parametrize("width", [60, WIDE])
def test_a_case_is_told_in_both_languages(width: int) -> None:
    """Under the title in English stands the one in Chinese, whole."""
    lines = shown(width)
    assert CASE.zh in "".join(line.strip() for line in lines)
    assert next(n for n, line in enumerate(lines) if "案例的中文标题" in line) > next(
        n for n, line in enumerate(lines) if "A case with a title" in line
    )


def test_every_case_has_a_title_in_chinese() -> None:
    """No case, of the scenarios or of a sample by itself, is told in English alone."""
    assert [case.name for case in load() if not re.search("[\u4e00-\u9fff]", case.zh)] == []


def test_a_rejection_shows_its_first_findings() -> None:
    """Under a rejected message stand three of its findings, each with its place, and how many more there are."""
    lines = [line.strip() for line in shown(WIDE)]
    at = next(n for n, line in enumerate(lines) if line.startswith("MEA"))
    assert lines[at : at + 4] == [f"MEA 12, 3.2: Wrong in way {n}." for n in range(3)] + ["and 2 more"]


def test_what_was_fetched_is_shown() -> None:
    """An answer that its recipient fetched from its inbox stands in the timeline of its own case, and says what it says."""
    fetched = [line for line in shown(WIDE) if "fetched" in line]
    assert len(fetched) == 1
    assert "gateway → factory" in fetched[0]
    assert "acknowledgement: rejected" in fetched[0]


def test_one_is_not_said_as_many() -> None:
    """Counts agree with their nouns."""
    assert [plural(n, "finding") for n in (0, 1, 2)] == ["0 findings", "1 finding", "2 findings"]
    assert [plural(n, "retry") for n in (1, 3)] == ["1 retry", "3 retries"]


def test_what_a_deadline_sends_is_shown() -> None:
    """A delivery that came of no message has its row, at its receipt's time, and nothing tells how long it took."""
    late = {"id": "d-2", "recipient": "customs", "document": "response", "format": "json:response:1", "attempts": 1}
    payload = {
        **PAYLOAD,
        "receipts": [
            *PAYLOAD["receipts"],
            leaf(9, stage="delivered", delivery="d-2", message="deadline-1", evidence="pigeon"),
        ],
        "deliveries": [late],
    }
    shown = rows(Evidence(None, [payload]), replace(HELD, got={**HELD.got, "d-2": {"says": "held"}}))
    (row,) = [one for one in shown if one.receipts == "pigeon: delivered #9"]
    assert (row.recipient, row.document, row.says, row.seconds) == ("customs", "response", "held", None)
    assert row.at == datetime(2026, 1, 2, 3, 4, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("noun", "many"), [("day", "2 days"), ("retry", "2 retries"), ("case", "2 cases"), ("delivery", "2 deliveries")]
)
def test_nouns_have_their_plural(noun: str, many: str) -> None:
    """One is one, two are several, as English writes them."""
    assert plural(1, noun) == f"1 {noun}"
    assert plural(2, noun) == many
