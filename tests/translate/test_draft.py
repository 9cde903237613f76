"""Drafts as whole texts: those beside this file were made once and looked through against schema and document."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.catalogue_folders import shipped
from gateway.errors import MappingInvalid
from gateway.translate import draft

DRAFTS = Path(__file__).parent / "drafts"


@pytest.mark.parametrize(
    ("document", "format_", "kept"),
    [
        ("release", "edifact:COHAOR:D:99B:UN", "release_cohaor"),
        ("enquiry", "x12:309:004010", "enquiry_309"),
        ("decision", "xml:Response:1", "decision_response"),
        ("clearance", "xml:ClearanceNotice:1", "clearance_notice"),
    ],
)
def test_a_whole_draft_is_as_it_was_looked_through(document: str, format_: str, kept: str) -> None:
    """Rows, fields without a place, what the message wants and what no row mentions, each in its order and columns."""
    assert draft.draft(shipped(), document, format_) == (DRAFTS / f"{kept}.toml").read_text("utf-8")


def test_sections_are_drafted_as_constants() -> None:
    """A message with details and summary has a UNS before each, which can only say D and S."""
    text = draft.draft(shipped(), "declaration", "edifact:CUSDEC:D:96B:UN")
    constants = [
        [part for part in line.split('"') if part.strip(" ,[]")] for line in text.split("\n") if "UNS#" in line
    ]
    assert constants == [["UNS#1/0081", "constant:D"], ["UNS#2/0081", "constant:S"]]


def test_json_is_drafted_as_the_document_itself() -> None:
    """JSON has no rows."""
    text = draft.draft(shipped(), "enquiry", "json:enquiry:1")
    assert text == 'document = "enquiry"\nformat   = "json:enquiry:1"\nrows     = "document"\n'


@pytest.mark.parametrize(
    ("document", "format_", "told"),
    [
        ("nothing", "json:nothing:1", "there is no document 'nothing'"),
        ("enquiry", "xml:Nothing:1", "there is no schema for 'xml:Nothing:1'"),
        ("enquiry", "edifact:NOTHIN:D:96B:UN", "there is no schema for 'edifact:NOTHIN:D:96B:UN'"),
        ("enquiry", "csv:enquiry:1", "there is no schema for 'csv:enquiry:1'"),
    ],
)
def test_what_cannot_be_drafted_is_told(document: str, format_: str, told: str) -> None:
    """A document or a schema that is not there is named."""
    with pytest.raises(MappingInvalid) as caught:
        draft.draft(shipped(), document, format_)
    assert str(caught.value) == told
