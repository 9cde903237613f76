"""The answer to an enquiry is read in whatever format the caller is told it."""

from __future__ import annotations

import json

import pytest

from gateway import data
from gateway.cli.enquiry import _find_response

FULL = data.samples() / "response" / "full"


@pytest.mark.parametrize(("name", "format_"), [("out.json", "json:response:1"), ("out.xml", "xml:Response:1")])
def test_an_answer_is_read_in_whatever_format(name: str, format_: str) -> None:
    """A partner that reads XML is told the same as one that reads JSON."""
    told = {"document": "response", "format": format_, "body": (FULL / name).read_text("utf-8")}
    assert _find_response({"offered": [told]}) == json.loads((FULL / "document.json").read_text("utf-8"))


def test_what_is_no_answer_is_none() -> None:
    """An acknowledgement alone answers no enquiry."""
    assert _find_response({"acknowledgements": [{"document": "acknowledgement", "body": "UNB"}]}) is None
