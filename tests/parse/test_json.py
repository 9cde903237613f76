from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import findings
from gateway.parse import json as reader


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        (b"", ["json.empty"]),
        (b" \n", ["json.empty"]),
        (b"[1]", ["json.not_object"]),
        (b'"text"', ["json.not_object"]),
        (b"{'a': 1}", ["json.syntax"]),
        (b'{"a": 1,}', ["json.syntax"]),
        (b'{"a": 01}', ["json.syntax"]),
        (b'{"a": 1', ["json.syntax"]),
        (b'{"a": "\n"}', ["json.syntax"]),  # a control character must be escaped
        (b'{"a": NaN}', ["json.number"]),
        (b'{"a": -Infinity}', ["json.number"]),
        (b'{"a": ' + b"9" * 5000 + b"}", ["json.number"]),
        (b'{"a": "\\ud800"}', ["json.surrogate"]),
        (b'{"a": "\xff"}', ["json.charset"]),
        (b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}", ["json.too_deep"]),
        (b"[" * 1_000_000, ["json.too_deep"]),
        (b'{"a": 1, "a": 2, "b": [{"c/d": 1, "c/d": 2}]}', ["json.duplicate", "json.duplicate"]),
    ],
)
def test_bad_input_is_a_finding(body: bytes, codes: list[str]):
    """Whatever is no strict JSON object is told by its code, in both languages, and gives no value."""
    read = reader.read(body)
    assert read.value is None
    assert [finding.code for finding in read.findings] == codes
    for finding in read.findings:
        assert findings.text(finding, "en") != findings.text(finding, "zh")


def test_repeated_names_are_told_at_their_pointers():
    """A name that stands twice is told where it stands, as a JSON pointer (RFC 6901)."""
    read = reader.read(b'{"a": 1, "a": 2, "b": [{"c/d": 1, "c/d": 2}]}')
    assert [finding.place.path for finding in read.findings] == ["/a", "/b/0/c~1d"]


def test_amounts_are_not_rounded():
    """A number with a fraction is the decimal that the sender wrote."""
    read = reader.read(b'{"a": 0.1, "b": 12345678901234567890.01}')
    assert read.value == {"a": Decimal("0.1"), "b": Decimal("12345678901234567890.01")}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_with_a_mark_are_read(encoding: str):
    """UTF-8 with and without a mark and UTF-16 with one are the same message."""
    assert reader.read('{"a": "检验"}'.encode(encoding)).value == {"a": "检验"}


def test_brackets_in_texts_are_no_depth():
    """Only brackets outside texts nest, whatever escapes stand before them."""
    text = '\\"[' * 50 + "\\\\"
    assert reader.read(f'{{"a": "{text}"}}'.encode()).value == {"a": '"[' * 50 + "\\"}


def test_size_is_capped():
    """A message over the limit is refused before it is read."""
    assert reader.read(b'{"a": 1}' + b" " * 100, max_bytes=50).findings[0].code == "json.too_large"


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=15,
)


@given(st.dictionaries(st.text(), _VALUES, max_size=5), st.booleans())
def test_what_is_written_is_read(value: dict[str, object], ascii_only: bool):
    """Any JSON object of moderate depth is read as it was."""
    read = reader.read(json.dumps(value, ensure_ascii=ascii_only).encode())
    assert read.value == value
    assert not read.findings


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,\\u0aed1.-ENI ', max_size=80).map(str.encode))
def test_no_bytes_raise(body: bytes):
    """Any bytes give a value or findings, never both nor neither, and never an exception."""
    read = reader.read(body)
    assert (read.value is None) == bool(read.findings)
