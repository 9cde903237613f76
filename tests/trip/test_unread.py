"""A message of a type that has a table and no mapping: whether it is taken is for the agreement to say."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from gateway.catalogue_folders import shipped
from gateway.check import rulebook, unece
from gateway.model import Agreement, Severity
from gateway.trip.examine import examine
from gateway.trip.examined import ANY, Message
from tests.catalogues import over_shipped
from tests.check.test_unece import archive, written_by

BODY = b"UNB+UNOA:3+A+B+260101:0900+1'UNH+1+TESTER:D:94Z:UN'BGM+12+9'UNT+3+1'UNZ+1+1'"
FORMAT = "edifact:TESTER:D:94Z:UN"


@pytest.mark.parametrize(
    ("agreed", "taken"),
    [
        (replace(ANY, format=FORMAT), True),
        (replace(ANY, format=FORMAT, document="declaration"), False),  # a declaration is wanted, and this is none
        (ANY, False),  # nobody has said that such messages are wanted
    ],
    ids=["the format, any document", "the format, one document", "any format"],
)
def test_an_agreement_takes_what_nothing_reads_by_naming_its_format(
    tmp_path: Path, agreed: Agreement, taken: bool
) -> None:
    """Named by an agreement, it is well-formed and kept, with a note; under one for anything it is refused by name."""
    written_by(unece.read_directory(archive()), ["TESTER"], tmp_path / "schemas/edifact")
    catalogue = over_shipped(tmp_path)
    rules = rulebook.load(shipped()).at(date(2026, 3, 4))
    found = examine(catalogue, BODY, [agreed], rules, unpacked_limit=1 << 20)
    (message,) = [item for item in found if isinstance(item, Message)]
    assert not message.rejected
    assert [f.code for f in message.refusals] == ([] if taken else ["mapping.none"])
    assert [(f.code, f.severity) for f in message.findings] == ([("mapping.unread", Severity.NOTE)] if taken else [])
