from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.documents import MODELS
from gateway.errors import MappingInvalid
from gateway.translate import fields, table
from tests.mappings import oracle, rig

TABLES = table.available(shipped())
SAME_AS_A_PORT_OF_CALL = "bills[].discharge_port"
"""A bill is discharged at a port of the voyage, so the one must hold what the other holds."""
LISTED = [key for key in TABLES if oracle.carried(*key) is not None]


def test_every_table_has_its_list() -> None:
    """Whatever maps row by row has a list made by hand beside it, and no list has lost its table."""
    assert {key for key in TABLES if table.load(shipped(), *key).rows} == set(LISTED)
    files = {path.relative_to(oracle.LISTS).with_suffix("") for path in oracle.LISTS.glob("*/*.toml")}
    assert files == {Path(table.name_of(shipped(), *key)) for key in LISTED}


@pytest.mark.parametrize("document", MODELS)
def test_full_sample_fills_every_field(document: str) -> None:
    """A document's full sample has a value for every field of its model, and stands as its JSON is written."""
    _, known = oracle.full(document)
    missing = set(fields.leaves(fields.shape(MODELS[document]))) - {oracle.field(item) for item in known}
    assert missing == set()


@pytest.mark.parametrize("document", MODELS)
def test_full_sample_tells_its_items_apart(document: str) -> None:
    """No two fields of a full sample hold the same text of five characters or more, or a mix-up could hide."""
    _, known = oracle.full(document)
    texts = {
        (field, value)
        for field, value in ((oracle.field(item), value) for item, value in known.items())
        if isinstance(value, str) and len(value) > 4 and field != SAME_AS_A_PORT_OF_CALL
    }
    assert [text for text, times in Counter(value for _, value in texts).items() if times > 1] == []


@pytest.mark.parametrize("key", LISTED, ids=":".join)
def test_list_agrees_with_its_golden_message(key: tuple[str, str]) -> None:
    """Each line names an item of the full sample once, and its place in the golden message, where its value stands."""
    listed = oracle.carried(*key)
    assert listed is not None
    _, known = oracle.full(key[0], listed.case)
    assert [item for item, times in Counter(line.item for line in listed.lines).items() if times > 1] == []
    assert {line.item for line in listed.lines} - known.keys() == set()
    body = oracle.golden(listed)
    wrong = {line: found for line in listed.lines if (found := oracle.at(body, line, key[1])) != line.text}
    assert wrong == {}


@pytest.mark.parametrize("key", LISTED, ids=":".join)
def test_every_row_is_filled(key: tuple[str, str]) -> None:
    """Each field that a row names is on the list, so that a new row needs a line and a value in the full sample."""
    listed = oracle.carried(*key)
    assert listed is not None
    filled = {oracle.field(item) for item in listed.items}
    assert [row for row in table.load(shipped(), *key).rows if row.field and not listed.fills(row.field, filled)] == []


@pytest.mark.parametrize("key", TABLES, ids=":".join)
def test_table_carries_what_its_list_says(key: tuple[str, str]) -> None:
    """Written, the full sample is the golden message, place by place; read, it is what the list says, and no more."""
    assert list(oracle.complaints(table.load(shipped(), *key))) == []


@pytest.mark.parametrize("key", LISTED, ids=":".join)
def test_no_row_can_be_deleted(key: tuple[str, str]) -> None:
    """A table without one of its rows either does not load or contradicts the samples, whichever row it is."""
    unnoticed = []
    for position, row in enumerate(table.load(shipped(), *key).rows):
        try:
            lessened = table.parse(shipped(), oracle.without_row(*key, position), "lessened.toml")
        except MappingInvalid:
            continue
        if next(oracle.complaints(lessened), None) is None:
            unnoticed.append(row)
    assert unnoticed == []


@pytest.mark.parametrize("document", MODELS)
def test_json_says_every_item(document: str) -> None:
    """The document's own JSON, parsed and written, is the full sample character by character of its values."""
    case = data.samples() / document / "full" / "document.json"
    mapping = table.load(shipped(), document, f"json:{document}:1")
    read = rig.read(case, document, mapping=mapping)
    assert [rig.told(finding) for finding in read.findings] == []
    written = mapping.write(rig.expected_document(case.parent), rig.BEIJING)
    assert written.findings == []
    assert written.body == json.loads(case.read_text("utf-8"))
    assert read.document == rig.expected_document(case.parent)
