"""`codes import` keeps every code of a list, or says that it cannot."""

import csv

import pytest

from gateway.catalogue import Catalogue
from gateway.check import codes
from gateway.cli import code_import
from gateway.cli.code_import import ListInvalid, make_list


def made(text):
    """The rows of the list that is made of a CSV, as they are read."""
    body = make_list(text.encode(), "own", "test").encode()
    return {row["un"]: row["en"] for row in codes.load(Catalogue({"schemas/codes/own.csv": body}), "own").rows}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("un,en\nAA,one\n#BB,two\nCC,three\n", {"AA": "one", "#BB": "two", "CC": "three"}),
        ('un,en\nAA,"one\n#two"\nBB,"three"\n', {"AA": "one #two", "BB": "three"}),
        ("# said: by somebody\n\n# and more\nun,en\nAA,one\n", {"AA": "one"}),
        ('un,en\n"A,A",one\n"B""B",two\n', {"A,A": "one", 'B"B': "two"}),
        ("un,en\nAA,one\u2028#two\nBB,three\n", {"AA": "one #two", "BB": "three"}),
    ],
)
def test_every_code_is_read_back(text, expected):
    """Remarks stand before the header alone: behind it, what begins with # is a code, or the second line of a cell."""
    assert made(text) == expected


def test_a_cell_that_does_not_end_is_told():
    """A quote that nothing closes would take in all rows behind it."""
    with pytest.raises(ListInvalid, match="unexpected end"):
        made('un,en\nAA,"one\nBB,two\nCC,three\n')


def test_what_is_read_back_is_compared(monkeypatch):
    """A list that would lose a code on being read is not made, and the code is named."""
    real = csv.DictReader
    monkeypatch.setattr(csv, "DictReader", lambda lines: [r for r in real(lines) if r["un"] != "BB"])
    monkeypatch.setattr(code_import, "_rows", lambda *_: [{"un": "AA", "en": "one"}, {"un": "BB", "en": "two"}])
    with pytest.raises(ListInvalid, match="not be read as it is written: BB"):
        made("")


def test_a_list_in_hand_may_have_codes_like_remarks():
    """In a list that is read as it lies, too, only what stands before the header is a remark."""
    body = b"# source: test\n# version: 1\nun,en\n#AA,one\nBB,two\n"
    known = codes.load(Catalogue({"schemas/codes/own.csv": body}), "own")
    assert [row["un"] for row in known.rows] == ["#AA", "BB"]
    assert (known.source, known.version) == ("test", "1")
