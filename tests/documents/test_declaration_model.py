from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from lxml import etree
from pydantic import BaseModel

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.documents import Declaration
from gateway.translate import table
from tests import foreign

# Item -> why no document holds it.
LEFT_OUT = {("ITF_DCL_IO_DECL", "spare2"): "the password of the sender's mailbox"}


def known_items() -> list[dict[str, str]]:
    lines = (data.schemas() / "xml" / "EEntDeclIo_items.csv").read_text("utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def mapped_items() -> set[tuple[str, str]]:
    """(record, element) of everything that the EEntDeclIo table has a row for."""
    mapping = table.load(shipped(), "declaration", "xml:EEntDeclIo:1")
    places = [row.place.split("/") for row in mapping.rows if row.place and row.kind != "each"]
    return {(steps[-2], steps[-1]) for steps in places}


def sources(model: type[BaseModel]) -> Iterator[str]:
    for info in model.model_fields.values():
        extra: Any = info.json_schema_extra or {}
        yield str(extra.get("x-source", ""))
        for nested in _models(info.annotation):
            yield from sources(nested)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def test_every_mandatory_item_is_covered(capsys: pytest.CaptureFixture[str]):
    """The declaration carries every mandatory item of the message, and all others but the mailbox's password."""
    items = [(item["record"], item["element"]) for item in known_items()]
    mandatory = {(item["record"], item["element"]) for item in known_items() if item["mandatory"]}
    mapped = mapped_items()
    with capsys.disabled():
        print(
            f"\ndeclaration: {len(mandatory & mapped)} of {len(mandatory)} mandatory items, "
            f"{len(set(items) & mapped)} of {len(items)} items"
        )
    assert mandatory <= mapped
    assert set(items) - mapped == set(LEFT_OUT)


def test_every_item_is_in_the_schema():
    """Each known item stands in the XSD, in its record."""
    root = etree.parse(data.schemas() / "xml" / "EEntDeclIo.xsd").getroot()
    xs = "{http://www.w3.org/2001/XMLSchema}"
    declared = {
        (record.get("name"), element.get("name"))
        for record in root.findall(f"{xs}element")
        for element in record.iter(f"{xs}element")
        if element.get("name")
    }
    assert {(item["record"], item["element"]) for item in known_items()} <= declared


def test_every_field_names_its_items():
    """Each item's name stands in the source of a field, so that the JSON Schema says where a field comes from."""
    named = set(re.findall(r"\w+", " ".join(sources(Declaration))))
    wanted = {item["element"] for item in known_items()} - {element for _, element in LEFT_OUT}
    assert wanted <= named


@foreign.needed
def test_the_list_of_items_is_the_published_one():
    """Our list holds the same items, with the same mandatory flags, as the field list it was taken from."""
    with foreign.material("reference/ciq/cn_ciq_declaration_fields.csv").open(encoding="utf-8") as file:
        published = [row for row in csv.reader(file) if row[0].startswith("ITF_")]
    ours = {(item["record"], item["element"], item["mandatory"]) for item in known_items()}
    assert ours == {(row[0], row[1], row[5].replace(",", "")) for row in published}


def declaration(**values: Any) -> Declaration:
    return Declaration.model_validate({"direction": "inbound", "function": "9", **values})


def test_a_group_of_several_containers_becomes_one_each():
    """Containers named together get a group each with their own details, so that every format can carry them."""
    group = {
        "size_type": "22G1",
        "quantity": 2,
        "numbers": ["CSQU3054383", "MSKU0000018"],
        "containers": [
            {"number": "MSKU0000018", "is_shared": True},
            {"number": "CSQU3054383"},
            {"size_type": "42G1"},
        ],
    }
    first, second = declaration(container_groups=[group]).container_groups
    assert (first.numbers, first.quantity, first.size_type) == (("CSQU3054383",), 1, "22G1")
    assert [unit.number for unit in first.containers] == ["CSQU3054383", None]
    assert (second.numbers, [unit.is_shared for unit in second.containers]) == (("MSKU0000018",), [True])


def test_containers_are_found_wherever_they_are_named():
    """Container numbers are gathered from groups, their details and the goods, each once."""
    document = declaration(
        container_groups=[
            {"numbers": ["AAAU1"], "containers": [{"number": "AAAU1"}]},
            {"containers": [{"number": "BBBU2"}]},
        ],
        goods=[{"containers": [{"number": "BBBU2"}, {"number": "CCCU3"}]}],
    )
    assert document.container_numbers == ("AAAU1", "BBBU2", "CCCU3")


@pytest.mark.parametrize(("direction", "port"), [("inbound", "1"), ("outbound", "2")])
def test_the_port_changes_sides_with_the_direction(direction: str, port: str):
    """Inbound the port's bureau inspects, outbound it is the purpose (CIQ InspOrgCode, PurpOrgCode)."""
    document = declaration(direction=direction, inspection_organisation="1", purpose_organisation="2")
    assert document.port_organisation == port
