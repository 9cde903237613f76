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

DOCUMENTS = ("declaration", "transfer", "clearance")
"""Documents whose sample folders the rig knows; a manifest's are put together otherwise (test_manifest.py)."""
GENERATED = [key for key in table.available() if key[0] in (*DOCUMENTS, "customs_entry", "response")]
ACCEPTED = [(document, case) for document in DOCUMENTS for case in rig.cases(document, rejected=False)]
REJECTED = [(document, case) for document in DOCUMENTS for case in rig.cases(document, rejected=True)]
WRITTEN = [(document, path) for document in DOCUMENTS for path in rig.outgoing(document)]
WAYS = [(case, key) for document, case in ACCEPTED for key in table.available() if key[0] == document]


def _name(value: object) -> str:
    """Test ids that a person can read."""
    return rig.name(value) if isinstance(value, Path) else ":".join(value) if isinstance(value, tuple) else str(value)


@pytest.mark.parametrize(("kind", "case"), ACCEPTED, ids=_name)
def test_sample_means_its_document(kind: str, case: Path):
    """Each sample is read without an error as the document that was written down for it."""
    read = rig.read(rig.incoming(case), kind)
    assert [rig.told(f) for f in read.findings if f.severity is Severity.ERROR] == []
    assert read.document == rig.expected_document(case)


@pytest.mark.parametrize(("kind", "path"), WRITTEN, ids=_name)
def test_document_is_written_as_its_sample(kind: str, path: Path):
    """Each sample's document is written, segment by segment or element by element, as expected by hand."""
    mapping = table.load(kind, rig.format_of(path, kind))
    ours, expected = rig.written(path, rig.expected_document(path.parent), mapping)
    assert ours == expected


@pytest.mark.parametrize(("kind", "case"), REJECTED, ids=_name)
def test_faulty_sample_is_told_every_fault_at_its_place(kind: str, case: Path):
    """A faulty sample gets all its findings at once, each at the sender's own place, and no document."""
    read = rig.read(rig.incoming(case), kind)
    expected = json.loads((case / "findings.json").read_text("utf-8"))
    told = [rig.told(f) for f in read.findings if f.severity is Severity.ERROR]
    assert sorted(told, key=str) == sorted(expected, key=str)
    for finding in read.findings:
        assert findings.text(finding, "en")
        assert findings.text(finding, "zh")


@pytest.mark.parametrize(("case", "key"), WAYS, ids=_name)
def test_sample_survives_the_way_through_each_format(case: Path, key: tuple[str, str]):
    """Written and read again, a sample's document is the same in every field that the format carries."""
    document = rig.expected_document(case)
    mapping = table.load(*key)
    read = rig.through(document, mapping)
    assert read.document is not None, read.findings
    assert rig.carried(read.document, mapping) == rig.carried(document, mapping)


@pytest.mark.parametrize("key", GENERATED, ids=_name)
@settings(generate.BRIEFLY)
@given(data=st.data())
def test_any_document_survives_the_way_through_each_format(key: tuple[str, str], data: st.DataObject):
    """Whatever a document holds that a format can carry comes back from it unchanged."""
    mapping = table.load(*key)
    document = data.draw(generate.documents(mapping.document, mapping.format))
    read = rig.through(document, mapping)
    assert read.document is not None, read.findings
    assert rig.carried(read.document, mapping) == rig.carried(document, mapping)
