"""Roles over a way in memory: what they report is what counts; the demo runs them over real ways."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway import data
from gateway.simulators import partner as partners
from gateway.simulators.partner import Partner, Settings
from gateway.simulators.readers import summary
from gateway.simulators.roles import answer_of
from gateway.simulators.ways import Take
from gateway.simulators.wire import notice_values, transfer_values

DECLARATION = {
    "direction": "outbound",
    "client_reference": "E-1",
    "declaration_organisation": "370800",
    "inspection_organisation": "370800",
    "purpose_organisation": "370200",
    "goods": [{"sequence_number": 1, "hs_code": "0712200000", "standard_quantity": {"value": "18000", "unit": "KGM"}}],
}


class Memory:
    """A way that keeps what is sent, in order, and says it was taken."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    async def run(self, take: Take, ready: Callable[[str], None]) -> None:
        ready("")

    async def send(self, name: str, body: bytes) -> dict[str, Any]:
        self.sent.append(summary(body))
        return {"id": name}

    async def settled(self, receipt: dict[str, Any]) -> None:
        """All is decided at once."""


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """What a role reports when it gets documents of a type, or of the type that each of them names."""

    async def play(role: str, document_type: str, *documents: dict[str, Any], **settings: Any) -> list[dict[str, Any]]:
        way = Memory()
        monkeypatch.setattr(partners, "way_of", lambda _: way)
        for box in ("sent", "receipts"):
            (tmp_path / box).mkdir(exist_ok=True)
        answer = answer_of(role)
        one = Partner(Settings(role, role, tmp_path, organisations=("370800",), **settings), answer)
        for document in documents:
            kind = document.get("document_type", document_type)
            body = json.dumps({"format": f"json:{kind}:1", "document": document}).encode()
            await answer(one, {**summary(body), "document_type": kind})
        return way.sent

    return play


def outcomes(sent: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Kind and outcome of everything reported."""
    return [(str(said["kind"]), str(said.get("outcome", ""))) for said in sent]


@pytest.mark.parametrize(
    ("test_number", "number", "reported"),
    [
        # with a number it was accepted already: straight through
        ("ACC-1", "370800226000001", [("json:response:1", "released"), ("json:transfer:1", "")]),
        ("ACC-1", "", [("json:response:1", "accepted"), ("json:response:1", "released"), ("json:transfer:1", "")]),
        (
            "INS-1",
            "370800226000001",
            [("json:response:1", "received"), ("json:response:1", "released"), ("json:transfer:1", "")],
        ),
        ("REJ-1", "", [("json:response:1", "refused")]),
        ("HOL-1", "", [("json:response:1", "accepted")]),
        (
            "LST-1",
            "370800226000001",
            [("json:response:1", "released"), ("ClearanceNotice", ""), ("json:transfer:1", "")],
        ),
        ("SIL-1", "", []),
    ],
)
async def test_bureau(played: Any, test_number: str, number: str, reported: list[tuple[str, str]]) -> None:
    """The producing area's bureau does what the test number asks, one thing after the other."""
    sent = await played("bureau", "declaration", {**DECLARATION, "contract_number": test_number, "number": number})
    assert outcomes(sent) == reported


async def test_bureau_gives_numbers_of_the_right_form(played: Any) -> None:
    """Organisation 6, direction 1, year 2, sequence 6; and never the same twice."""
    first, second = (
        {**DECLARATION, "contract_number": "HOL", "client_reference": reference} for reference in ("E-1", "E-2")
    )
    sent = await played("bureau", "declaration", first, second)
    numbers = [said["declaration_number"] for said in sent]
    assert len(set(numbers)) == 2
    assert all(len(n) == 15 and n.isdigit() and n.startswith("3708002") for n in numbers)


async def test_bureau_agrees_to_changes_and_withdrawals(played: Any) -> None:
    """What it has accepted may be changed and withdrawn, and nothing is inspected again."""
    held = {**DECLARATION, "contract_number": "HOL", "number": "370800226000001"}
    sent = await played("bureau", "declaration", held, held, {**held, "function": "1"})
    assert outcomes(sent) == [("json:response:1", "accepted"), ("json:response:1", "cancelled")]


async def test_transfer_excluded(played: Any) -> None:
    """EXC hands over what the rules exclude."""
    document = {**DECLARATION, "contract_number": "EXC-1", "number": "370800226000001"}
    *_, transfer = await played("bureau", "declaration", document)
    assert transfer["exclusions"] == {"certified_at_port": True}
    assert (transfer["from_organisation"], transfer["to_organisation"]) == ("370800", "370200")


async def test_port_bureau_takes_over_and_notifies(played: Any) -> None:
    """A transfer is answered, and its notice goes to the customs office that the bureau works with."""
    transfer = {**DECLARATION, "number": "T1", "declaration_number": "370800226000001", "contract_number": "ACC"}
    taken, notice = await played("bureau", "transfer", transfer, options={"customs_office": "4227"})
    assert (taken["document"], taken["number"], taken["outcome"]) == ("transfer", "T1", "accepted")
    assert notice["kind"] == "ClearanceNotice"
    assert (notice["Number"], notice["CustomsOffice"]) == ("370800226000001000", "4227")


async def test_destination(played: Any) -> None:
    """DST hands an import over to its destination's bureau, and customs has the notice before anything is examined."""
    document = {**DECLARATION, "direction": "inbound", "contract_number": "DST-1", "customs_office": "4227"}
    accepted, transfer, notice = await played("bureau", "declaration", document)
    assert (accepted["outcome"], notice["kind"]) == ("accepted", "ClearanceNotice")
    assert (transfer["direction"], transfer["to_organisation"]) == ("inbound", "370200")


async def test_destination_takes_over_without_a_notice(played: Any) -> None:
    """Who gets an import by transfer only takes it over: its notice was issued at the port."""
    transfer = {**DECLARATION, "number": "T1", "declaration_number": "370200126000001", "direction": "inbound"}
    (taken,) = await played("bureau", "transfer", {**transfer, "contract_number": "DST-1"})
    assert (taken["document"], taken["outcome"]) == ("transfer", "accepted")


async def test_a_change_is_waited_for(played: Any) -> None:
    """CHG takes a transfer over, and lets the goods out only when its change was accepted, once."""
    transfer = {**DECLARATION, "document_type": "transfer", "function": "9", "number": "T1", "contract_number": "CHG-1"}
    told: dict[str, Any] = {"document_type": "response", "document": "transfer", "number": "T1"}
    documents = [
        transfer,
        {**told, "outcome": "held"},
        {**told, "outcome": "accepted"},
        {**told, "outcome": "accepted"},
    ]
    sent = await played("bureau", "", *({**one, "declaration_number": "370800226000001"} for one in documents))
    assert [str(one["kind"]) for one in sent] == ["json:response:1", "ClearanceNotice"]


async def test_a_notice_is_replaced(played: Any) -> None:
    """RPL replaces its notice by one for half of the goods; customs waits for that one, and reports what it says."""
    transfer = {**DECLARATION, "number": "T1", "declaration_number": "370800226000001", "contract_number": "RPL-1"}
    transfer["goods"] = [{"sequence_number": 1, "hs_code": "0712200000", "quantity": {"value": "18000", "unit": "KGM"}}]
    _, first, second = await played("bureau", "transfer", transfer, options={"customs_office": "4227"})
    assert [(one["Function"], one["Goods"]["Quantity"]) for one in (first, second)] == [("9", "18000"), ("5", "9000")]
    notice: dict[str, Any] = {"number": "370800226000001000", "declaration_number": "370800226000001"}
    notice |= {"direction": "outbound", "status": "issued", "contract_number": "RPL-1", "goods": transfer["goods"]}
    (entry,) = await played("customs", "clearance", {**notice, "function": "9"}, {**notice, "function": "5"})
    assert entry["notice_number"] == "370800226000001000"


SANCRT = sorted(data.samples().glob("transfer/*/out.edi"))


@pytest.mark.skipif(not SANCRT, reason="no sample shows a transfer as SANCRT")
@pytest.mark.parametrize("path", SANCRT, ids=lambda p: p.parent.name)
def test_a_bureau_reads_sancrt_as_the_document_says(path: Path) -> None:
    """From SANCRT the stranger's reader finds the same transfer and goods as the canonical document holds."""
    found = transfer_values(summary(path.read_bytes()))
    document = json.loads((path.parent / "document.json").read_bytes())
    for name in ("number", "function", "direction", "declaration_number"):
        assert found[name] == document[name], name
    wanted = [(g["hs_code"], g.get("name"), g.get("quantity")) for g in document["goods"]]
    assert [(g["hs_code"], g["name"], g["quantity"]) for g in found["goods"]] == wanted


@pytest.mark.parametrize(
    ("test_number", "quantities"),
    [("ACC", ["18000"]), ("MIS", ["36000"]), ("COR", ["36000", "18000"]), ("SIL", [])],
)
async def test_customs(played: Any, test_number: str, quantities: list[str]) -> None:
    """Customs reports what the notice says, or the double, or first the one and then the other, or nothing."""
    notice = {
        "number": "370800226000001000",
        "declaration_number": "370800226000001",
        "direction": "outbound",
        "status": "issued",
        "contract_number": test_number,
        "goods": [{"sequence_number": 1, "hs_code": "0712200000", "quantity": {"value": "18000", "unit": "KGM"}}],
    }
    sent = await played("customs", "clearance", notice)
    assert [entry["goods"][0]["quantity"]["value"] for entry in sent] == quantities


CUSRES = sorted(data.samples().glob("clearance/*/out.edi"))


@pytest.mark.skipif(not CUSRES, reason="no sample shows a notice as CUSRES")
@pytest.mark.parametrize("path", CUSRES, ids=lambda p: p.parent.name)
def test_customs_reads_cusres_as_the_document_says(path: Path) -> None:
    """From CUSRES the stranger's reader finds the same notice, goods and quantities as the canonical document holds."""
    body = path.read_bytes()
    if not body.lstrip().startswith((b"UNA", b"UNB")):
        body = f"UNB+UNOC:3+A+B+260305:0930+R1'{body.decode()}UNZ+1+R1'".encode()
    found = notice_values(summary(body))
    document = json.loads((path.parent / "document.json").read_bytes())
    assert (found["number"], found["declaration_number"]) == (document["number"], document["declaration_number"])
    assert (found["direction"], found["status"]) == (document["direction"], document["status"])
    wanted = [(g["hs_code"], g.get("quantity")) for g in document.get("goods", [])]
    assert [(g["hs_code"], g["quantity"]) for g in found["goods"]] == wanted
