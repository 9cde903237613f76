"""Results and movements over real sockets, in real formats: QALITY, CODECO, COARRI, X12 322 and XML through a started gateway.

An inbound consignment that customs cleared and that then fails at its destination shows both; its container is locked, or
an alert says that it is out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from gateway import data
from gateway.documents import Declaration, Document
from tests.acceptance.test_trip import World, until
from tests.flows.world import entry, manifest, notice, transfer
from tests.harness import GatewayProcess, Recipient, key_of

NAMES = ("factory", "port-bureau", "origin-bureau", "customs", "port")
AGREEMENTS = """agreements = [
    {{ direction = "in" }},
    {{ direction = "out", document = "response", format = "json:response:1", options = {{ url = "{url}" }} }},
    {{ direction = "out", document = "release", format = "json:release:1", options = {{ url = "{url}" }} }},
]
keys = [{{ key = "{key}" }}]
"""
PARTNERS = {
    "factory": 'roles = ["enterprise"]\ncredit_grade = "A"\ndirect_through = "2025-01-01"\n'
    'identifiers = [{ scheme = "ciq-registration", value = "3702000001" },'
    ' { scheme = "ciq-registration", value = "3702000002" }]\n',
    "port-bureau": 'roles = ["bureau"]\nidentifiers = [{ scheme = "ciq-org", value = "370200" },'
    ' { scheme = "unb", value = "370200" }]\n',
    "origin-bureau": 'roles = ["bureau"]\nidentifiers = [{ scheme = "ciq-org", value = "370100" },'
    ' { scheme = "unb", value = "370100" }]\n',
    "customs": 'roles = ["customs"]\nidentifiers = [{ scheme = "customs-office", value = "4200" }]\n',
    "port": 'roles = ["port"]\nidentifiers = [{ scheme = "unb", value = "QQCT3" },'
    ' { scheme = "isa-ZZ", value = "SAMPLEPORT" }]\n',
}
OPERATOR = (
    '[[partners]]\nid = "operator"\nname = "Operator"\nkeys = [{{ key = "{key}", scopes = ["read", "admin"] }}]\n'
)
SAMPLE_NUMBER = b"370200126000001"
BOX, OTHER_BOX, THIRD_BOX = "CSQU3054383", "TGHU7654320", "MSKU0000011"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One gateway for all tests of this module."""
    inboxes = {name: Recipient() for name in NAMES}
    text = OPERATOR.format(key=key_of("operator"))
    for name in NAMES:
        head = f'[[partners]]\nid = "{name}"\nname = "{name}"\n{PARTNERS[name]}'
        text += head + AGREEMENTS.format(url=inboxes[name].url, key=key_of(name))
    gateway = GatewayProcess(tmp_path_factory.mktemp("results"), text)
    gateway.start()
    yield World(gateway, inboxes)
    gateway.kill()
    for inbox in inboxes.values():
        inbox.close()


def send(world: World, sender: str, document: Document, reference: str) -> dict[str, Any]:
    """Send a document as JSON."""
    kind = document.document_type
    message = {"format": f"json:{kind}:1", "reference": reference, "document": document.to_json()}
    return world.send(sender, json.dumps(message).encode())


@dataclass
class Consignment:
    """An import that customs has let go: its number, its own reference, and its container."""

    world: World
    name: str
    number: str
    box: str

    def play(self, sample: str, sender: str, interchange: str, **others: str) -> dict[str, Any]:
        """Send a sample of ours about this consignment; the only message's view."""
        folder = data.samples() / sample
        (path,) = folder.glob("in.*")
        body = path.read_bytes().replace(SAMPLE_NUMBER, self.number.encode()).replace(BOX.encode(), self.box.encode())
        body = body.replace(f"*{BOX[:4]}*{BOX[4:]}".encode(), f"*{self.box[:4]}*{self.box[4:]}".encode())
        named = {_reference(body): interchange} if path.suffix in (".edi", ".x12") else {}
        for old, new in {**others, **named}.items():
            body = body.replace(old.encode(), new.encode())
        if path.suffix == ".json":
            kind = sample.partition("/")[0]
            message = {"format": f"json:{kind}:1", "reference": interchange, "document": json.loads(body)}
            body = json.dumps(message).encode()
        view: dict[str, Any]
        (view,) = self.world.send(sender, body)["messages"]
        return view

    def case(self) -> dict[str, str]:
        """Where the factory sees that it stands: its status, and each track."""
        status, cases = self.world.gateway.get("factory", f"/v1/cases/{self.number}")
        assert status == 200
        (case,) = cases["items"]
        return {"status": case["status"], **{one["name"]: one["state"] for one in case["tracks"]}}

    def told(self, who: str, document: str) -> list[dict[str, Any]]:
        """What somebody got of a type about this consignment, in order."""
        found = [json.loads(body)["document"] for body in self.world.got(who, document)]
        return [one for one in found if self.number in json.dumps(one)]


def _reference(body: bytes) -> str:
    """The interchange reference of a sample of EDI."""
    return body[90:99].decode() if body.startswith(b"ISA") else body.split(b"'")[1].decode().split("+")[5]


def answer(world: World, who: str, number: str, nth: int = 1) -> dict[str, Any]:
    """The nth answer that somebody gets to its documents of that number."""

    def found() -> dict[str, Any] | None:
        bodies = (json.loads(body)["document"] for body in world.got(who, "response"))
        said = [one for one in bodies if one.get("number") == number]
        return said[nth - 1] if len(said) >= nth else None

    told: dict[str, Any] = until(found)
    return told


GOODS: dict[str, Any] = {
    "sequence_number": 1,
    "hs_code": "2204210000",
    "quantity": {"value": "12000", "unit": "XBO"},
    "weight": {"value": "9000", "unit": "KGM"},
    "value": {"value": "36000", "currency": "USD"},
    "origin_country": "CL",
}
"""What the sample of a declaration declares."""


def declared(name: str, boxes: tuple[str, ...]) -> Declaration:
    """The sample of an import, handed on to 370100, with numbers of its own."""
    values = json.loads((data.samples() / "declaration/import_sea_container/document.json").read_text("utf-8"))
    own = {
        "client_reference": name,
        "bill_of_lading": f"BL-{name}",
        "container_groups": [{"numbers": list(boxes)}],
        "inspection_organisation": "370200",
        "purpose_organisation": "370100",
        "customs_office": "4200",
    }
    for item in values["goods"]:
        del item["licences"]
    return Declaration.model_validate(values | own)


def cleared(world: World, name: str, *boxes: str) -> Consignment:
    """Declared, in the manifest, handed to its destination, noticed, and let go by customs."""
    view = send(world, "factory", declared(name, boxes), f"D-{name}")
    assert [one["state"] for one in view["messages"]] == ["accepted"], view
    (number,) = until(lambda: {
        one["declaration_number"]
        for body in world.got("factory", "response")
        if (one := json.loads(body)["document"]).get("reference") == name
    })  # fmt: skip
    containers = [{"number": box} for box in boxes]
    bill: dict[str, object] = {"number": f"BL-{name}", "loading_port": "CLVAP", "containers": containers}
    send(world, "port", manifest(bill, number=f"M-{name}"), f"M-{name}")
    handed = transfer(
        number, number=f"T-{name}", direction="inbound", from_organisation="370200", to_organisation="370100",
        containers=containers, goods=[GOODS | {"is_qualified": True}],
    )  # fmt: skip
    send(world, "port-bureau", handed, f"T-{name}")
    send(world, "port-bureau", notice(number, direction="inbound", containers=list(boxes), goods=[GOODS]), f"N-{name}")
    goods = GOODS | {"weight": {"value": "9000", "unit": "KGM"}, "origin_country": "CL"}
    released = entry(number, goods=goods, number=f"42002026000000{name[-1] * 4}", direction="inbound", containers=boxes)
    send(world, "customs", released, f"C-{name}")
    made = Consignment(world, name, number, boxes[0])
    assert made.case()["status"] == "cleared"
    return made


def alerted(world: World, kind: str) -> int:
    """How many alerts of a kind the operator has."""
    status, page = world.gateway.get("operator", "/v1/feeds/alerts?limit=100")
    assert status == 200
    alerts = [world.gateway.get("operator", one["link"])[1] for one in page["items"]]
    return sum(one["alert"] == kind for one in alerts)


def test_goods_that_fail_after_customs_let_them_go_are_both_and_their_container_is_locked(world: World) -> None:
    """QALITY says that they failed: both stand, the port is told to keep the container; CODECO of its leaving is an alert."""
    goods = cleared(world, "E-1", BOX)
    until(lambda: [one for one in goods.told("port", "release") if one["containers"][0]["decision"] == "release"])
    assert goods.play("inspection_result/failed", "origin-bureau", "IR1001")["state"] == "accepted"
    case = goods.case()
    assert (case["inspection"], case["clearance"]) == ("failed", "released")
    lock = until(lambda: [one for one in goods.told("port", "release") if one["containers"][0]["decision"] == "lock"])[
        -1
    ]
    assert [reason["code"] for reason in lock["containers"][0]["reasons"]] == ["decide.port.void"]
    assert alerted(world, "failed_after_clearance") == 1
    # The owner reads what was found wanting; customs and the transfer's other side are told.
    until(lambda: "黄曲霉毒素 B1" in json.dumps(goods.told("factory", "response"), ensure_ascii=False))
    until(lambda: [one for one in goods.told("customs", "response") if one["outcome"] == "held"])
    until(lambda: [one for one in goods.told("port-bureau", "response") if one["outcome"] == "refused"])
    # It leaves all the same.
    assert goods.play("movement/gate_out", "port", "MV1001")["state"] == "accepted"
    said = answer(world, "port", "MV-2026-0001")
    assert (said["outcome"], said["lines"][0]["outcome"]) == ("held", "held")
    assert said["lines"][0]["reasons"][0]["code"] == "decide.movement.left_shut"
    assert alerted(world, "left_locked") == 1
    for who in ("factory", "port-bureau"):
        until(lambda who=who: "decide.movement.left_shut" in json.dumps(goods.told(who, "response")))  # type: ignore[misc]


def test_goods_that_fail_after_their_container_left_are_alerted(world: World) -> None:
    """CODECO says that it is out, QALITY that its goods failed: both stand, and an alert says where the container is."""
    goods = cleared(world, "E-2", OTHER_BOX)
    numbers = {"MV-2026-0001": "MV-2026-1001", "IR-2026-0001": "IR-2026-1001"}
    before = len(until(lambda: goods.told("port", "release")))
    goods.play("movement/gate_out", "port", "MV1002", **numbers)
    assert answer(world, "port", "MV-2026-1001")["lines"][0]["outcome"] == "accepted"
    until(lambda: "decide.movement.out" in json.dumps(goods.told("factory", "response")))
    goods.play("inspection_result/failed", "origin-bureau", "IR1002", **numbers)
    case = goods.case()
    assert (case["inspection"], case["clearance"]) == ("failed", "released")
    assert alerted(world, "container_out") == 1
    assert len(goods.told("port", "release")) == before


SAMPLES = [
    # (the sample, who sends it, the state of the message, its number, what its sender is answered and why)
    ("movement/late", "port", "accepted", "MV-2026-0004", "accepted", "decide.movement.passed"),
    ("movement/out_of_order", "port", "accepted", "MV-2026-0003", "accepted", "decide.movement.late"),
    ("movement/ramp", "port", "accepted", "MV-2026-0009", "accepted", "decide.movement.out"),
    ("movement/repeated", "port", "accepted", "MV-2026-0001", "accepted", "decide.movement.again"),
    ("movement/partial", "port", "accepted", "MV-2026-0005", "accepted", "decide.movement.not_held"),
    ("movement/taken_back", "port", "rejected", "MV-2026-0006", "refused", "decide.movement.function"),
    ("movement/gate_ask", "port", "rejected", "ASK-2026-0001", "refused", "decide.movement.gate_ask"),
    ("movement/rejected_edifact", "port", "rejected", "", "", ""),
    ("movement/rejected_json", "port", "rejected", "", "", ""),
    (
        "inspection_result/out_of_order",
        "origin-bureau",
        "rejected",
        "IR-2026-0004",
        "refused",
        "decide.status.not_allowed",
    ),
    ("inspection_result/contradictory", "origin-bureau", "rejected", "", "", ""),
    ("inspection_result/failed", "origin-bureau", "accepted", "IR-2026-0001", "accepted", ""),
    ("inspection_result/repeated", "origin-bureau", "accepted", "IR-2026-0001", "accepted", "decide.repeat"),
    ("inspection_result/late", "origin-bureau", "rejected", "IR-2026-0003", "refused", "decide.status.not_allowed"),
    ("inspection_result/treated", "origin-bureau", "accepted", "IR-2026-0005", "accepted", ""),
    ("inspection_result/partial", "port-bureau", "accepted", "IR-2026-0007", "accepted", "decide.release.undeclared"),
    ("inspection_result/rejected_edifact", "origin-bureau", "rejected", "", "", ""),
    ("inspection_result/rejected_json", "origin-bureau", "rejected", "", "", ""),
]


def test_every_sample_is_answered_as_it_must_be(world: World) -> None:
    """One after another about one consignment, each in its own format: what is good counts, the rest is told why not."""
    goods = cleared(world, "E-3", THIRD_BOX)
    asked: Counter[str] = Counter()
    for index, (sample, sender, state, number, outcome, code) in enumerate(SAMPLES):
        others = {number: f"{number}9"} if number else {}
        view = goods.play(sample, sender, f"{index + 700000000}", **others)
        assert (sample, view["state"]) == (sample, state)
        if number:
            asked[number] += 1
            said = answer(world, sender, f"{number}9", asked[number])
            assert (sample, said["outcome"]) == (sample, outcome)
            assert code in json.dumps(said)
    assert goods.case()["inspection"] == "treating"
