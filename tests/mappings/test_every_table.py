from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gateway import data, findings
from gateway.catalogue_folders import shipped
from gateway.documents import MODELS
from gateway.documents.release import ContainerAct, ReleaseNotice
from gateway.model import Severity
from gateway.translate import envelope, table
from tests.mappings import generate, oracle, rig

DOCUMENTS = sorted(path.name for path in data.samples().iterdir() if path.name in MODELS)
GENERATED = [key for key in table.available(shipped()) if not generate.is_shaped(table.load(shipped(), *key))]
"""Without tables whose wire arranges the document otherwise, so that not every document goes there whole: see
test_manifest.py."""
BY_HAND = [
    (document, case)
    for document in DOCUMENTS
    for case in rig.cases(document, rejected=False)
    if case.name not in rig.WRITTEN_BY_THE_GATEWAY
]
REJECTED = [(document, case) for document in DOCUMENTS for case in rig.cases(document, rejected=True)]
WRITTEN = [(document, path) for document, case in BY_HAND for path in sorted(case.glob("out.*"))]
EVERY_WAY = [(case, key) for document, case in BY_HAND for key in GENERATED if key[0] == document]
CLOSED = [
    (case, key)
    for case, key in EVERY_WAY
    if any(
        finding.code == "translate.only"
        for finding in table.load(shipped(), *key).write(rig.expected_document(case), rig.BEIJING).findings
    )
]
"""Documents that say what a format must not be sent with."""
WAYS = [way for way in EVERY_WAY if way not in CLOSED]


def _name(value: object) -> str:
    """Test ids that a person can read."""
    return rig.name(value) if isinstance(value, Path) else ":".join(value) if isinstance(value, tuple) else str(value)


def test_every_document_has_samples() -> None:
    """Each document comes in by one sample at least, and one at least is refused, except where none is by itself."""
    assert set(DOCUMENTS) == set(MODELS)
    assert {document for document, _ in BY_HAND} == set(MODELS)
    assert set(MODELS) - {document for document, _ in REJECTED} == {"manifest"}


@pytest.mark.parametrize(("kind", "case"), BY_HAND, ids=_name)
def test_sample_means_its_document(kind: str, case: Path) -> None:
    """Each sample is read without an error as the document that was written down for it."""
    read = rig.read(rig.incoming(case), kind)
    assert [rig.told(f) for f in read.findings if f.severity is Severity.ERROR] == []
    assert read.document == rig.expected_document(case)


@pytest.mark.parametrize(("kind", "path"), WRITTEN, ids=_name)
def test_document_is_written_as_its_sample(kind: str, path: Path) -> None:
    """Each sample's document is written, segment by segment or element by element, as expected by hand."""
    mapping = table.load(shipped(), kind, rig.format_of(path, kind))
    ours, expected = rig.written(path, rig.expected_document(path.parent), mapping)
    assert ours == expected


@pytest.mark.parametrize(("kind", "case"), REJECTED, ids=_name)
def test_faulty_sample_is_told_every_fault_at_its_place(kind: str, case: Path) -> None:
    """A faulty sample gets all its findings at once, each at the sender's own place, and no document."""
    read = rig.read(rig.incoming(case), kind)
    expected = json.loads((case / "findings.json").read_text("utf-8"))
    told = [rig.told(f) for f in read.findings if f.severity is Severity.ERROR]
    assert sorted(told, key=str) == sorted(expected, key=str)
    for finding in read.findings:
        assert findings.text(finding, "en")
        assert findings.text(finding, "zh")


@pytest.mark.parametrize(("case", "key"), WAYS, ids=_name)
def test_sample_survives_the_way_through_each_format(case: Path, key: tuple[str, str]) -> None:
    """Written and read again, a sample's document is the same in every field that the format's list names."""
    document, mapping = rig.expected_document(case), table.load(shipped(), *key)
    if not rig.is_carried(document, mapping):
        return  # the message is about something else: that this is told is what there is to see
    read = rig.through(document, mapping)
    assert read.document is not None, read.findings
    assert oracle.of_list(read.document, key[1]) == oracle.of_list(document, key[1])


def test_a_release_order_never_lists_what_is_not_released() -> None:
    """A notice with one container that stays is not written as COREOR at all, and the container is named."""
    orders = [(case, key) for case, key in CLOSED if key[0] == "release"]
    assert [(case.name, key[1]) for case, key in orders] == [
        (name, "edifact:COREOR:D:99B:UN") for name in ("full", "treat", "treatment")
    ]
    frame = envelope.Frame("SENDER", "RECIPIENT", "1", at=datetime(2026, 3, 5, tzinfo=UTC))
    for case, key in orders:
        document = rig.expected_document(case)
        rendered = envelope.render(shipped(), document, table.load(shipped(), *key), rig.BEIJING, frame)
        assert rendered.body == b""
        only = {(f.place.path, f.value) for f in rendered.findings if f.code == "translate.only"}
        assert isinstance(document, ReleaseNotice)
        assert only == {
            (f"containers[{at}].decision", unit.decision.value)
            for at, unit in enumerate(document.containers)
            if unit.decision is not ContainerAct.RELEASE
        }


@pytest.mark.parametrize("key", GENERATED, ids=_name)
@settings(generate.BRIEFLY)
@given(data=st.data())
def test_any_document_survives_the_way_through_each_format(key: tuple[str, str], data: st.DataObject) -> None:
    """Whatever a document holds that is on the format's list comes back from it unchanged."""
    mapping = table.load(shipped(), *key)
    document = data.draw(generate.documents(mapping.document, mapping.format))
    assume(rig.is_carried(document, mapping))
    read = rig.through(document, mapping)
    assert read.document is not None, read.findings
    assert oracle.of_list(read.document, mapping.format) == oracle.of_list(document, mapping.format)
