from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import findings
from gateway.model import Severity
from gateway.translate import table
from tests.mappings import generate, rig

DOCUMENT = "transfer"
FORMATS = [format_ for document, format_ in table.available() if document == DOCUMENT]


@pytest.mark.parametrize("case", rig.cases(DOCUMENT, rejected=False), ids=rig.name)
def test_sample_means_its_document(case: Path):
    """Each sample is read without an error as the document that was written down for it."""
    read = rig.read(rig.incoming(case), DOCUMENT)
    assert [rig.told(f) for f in read.findings if f.severity is Severity.ERROR] == []
    assert read.document == rig.expected_document(case)


@pytest.mark.parametrize("path", rig.outgoing(DOCUMENT), ids=rig.name)
def test_document_is_written_as_its_sample(path: Path):
    """Each sample's document is written, segment by segment or element by element, as expected by hand."""
    mapping = table.load(DOCUMENT, rig.format_of(path, DOCUMENT))
    ours, expected = rig.written(path, rig.expected_document(path.parent), mapping)
    assert ours == expected


@pytest.mark.parametrize("case", rig.cases(DOCUMENT, rejected=True), ids=rig.name)
def test_faulty_sample_is_told_every_fault_at_its_place(case: Path):
    """A faulty sample gets all its findings at once, each at the sender's own place, and no document."""
    read = rig.read(rig.incoming(case), DOCUMENT)
    expected = json.loads((case / "findings.json").read_text("utf-8"))
    told = [rig.told(f) for f in read.findings if f.severity is Severity.ERROR]
    assert sorted(told, key=str) == sorted(expected, key=str)
    for finding in read.findings:
        assert findings.text(finding, "en")
        assert findings.text(finding, "zh")


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("case", rig.cases(DOCUMENT, rejected=False), ids=rig.name)
def test_sample_survives_the_way_through_each_format(case: Path, format_: str):
    """Written and read again, a sample's document is the same in every field that the format carries."""
    document = rig.expected_document(case)
    mapping = table.load(DOCUMENT, format_)
    read = rig.through(document, mapping)
    assert read.document is not None, read.findings
    assert rig.carried(read.document, mapping) == rig.carried(document, mapping)


@pytest.mark.parametrize("format_", FORMATS)
@settings(generate.BRIEFLY)
@given(choose=st.data())
def test_any_document_survives_the_way_through_each_format(format_: str, choose: st.DataObject):
    """Whatever a transfer holds that a format can carry comes back from it unchanged."""
    mapping = table.load(DOCUMENT, format_)
    document = choose.draw(generate.documents(mapping.document, mapping.format))
    read = rig.through(document, mapping)
    assert read.document is not None, read.findings
    assert rig.carried(read.document, mapping) == rig.carried(document, mapping)


@pytest.mark.parametrize("key", [key for key in table.available() if key[0] in ("customs_entry", "response")], ids=str)
@settings(generate.BRIEFLY)
@given(choose=st.data())
def test_any_entry_or_response_survives_the_way_through_each_format(key: tuple[str, str], choose: st.DataObject):
    """Customs entries and responses, whose tables follow the same pattern, come back unchanged as well."""
    mapping = table.load(*key)
    document = choose.draw(generate.documents(mapping.document, mapping.format))
    read = rig.through(document, mapping)
    assert read.document is not None, read.findings
    assert rig.carried(read.document, mapping) == rig.carried(document, mapping)
