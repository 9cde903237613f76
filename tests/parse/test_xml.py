from __future__ import annotations

import base64
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from gateway import findings
from gateway.parse import xml
from tests.counted import count_calls

MESSAGE = '<a xmlns="urn:x">\n  <b>检验</b>\n  <b n="1">é</b>\n</a>'


def codes(read: xml.XmlRead) -> list[str]:
    return [finding.code for finding in read.findings]


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-8", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),  # no byte order mark: told by its first characters
        ("utf-16-be", ""),
        ("gb18030", "GB18030"),
        ("gb18030", "gb2312"),  # what senders declare when they mean GBK
        ("gbk", "GBK"),
    ],
)
def test_each_encoding_of_the_trade_is_read(encoding: str, declared: str):
    """The same message in any encoding of the trade is the same tree."""
    head = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    text = MESSAGE if encoding.startswith("gb") is False else MESSAGE.replace("é", "疫")
    read = xml.read((head + text).encode(encoding))
    assert read.root is not None
    assert [child.text for child in read.root] == ["检验", "疫" if encoding.startswith("gb") else "é"]


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        (b"", "xml.empty", None),
        (b" \n ", "xml.empty", None),
        (b"\xef\xbb\xbf", "xml.empty", None),
        (b"hello", "xml.syntax", 1),
        (b"<a>\n<b></a>", "xml.syntax", 2),
        (b"<a/>\n<b/>", "xml.syntax", 2),
        (b'<a x="1" x="2"/>', "xml.syntax", 1),
        (b"<x:a/>", "xml.syntax", 1),  # a prefix without its namespace
        (b"<a>\x00</a>", "xml.syntax", 1),
        (b"<a>&lt;&nbsp;</a>", "xml.syntax", 1),  # an entity that only a DTD could define
        (b"<a>\n<b>cut", "xml.truncated", 2),
        (b"<a><b>1</b>", "xml.truncated", 1),
        (b"<a><!-- cut", "xml.truncated", 1),
        (b"<a><![CDATA[cut", "xml.truncated", 1),
        ('<?xml version="1.0"?>\n<a>检验</a>'.encode("gbk"), "xml.charset.wrong", 2),
        (b'<?xml version="1.0" encoding="Big5"?><a/>', "xml.charset.unknown", 1),
        (b'<?xml version="1.0" encoding="UTF-16"?><a/>', "xml.charset.unknown", 1),  # the bytes show that it is not
        (b"<!DOCTYPE a><a/>", "xml.doctype", 1),
        (b'<?xml version="1.0"?>\n<!-- c -->\n<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "xml.doctype", 3),
        (b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><a>&d;</a>', "xml.doctype", 1),
        (b"<a>" * 65 + b"</a>" * 65, "xml.too_deep", 1),
        (b"<a>" * 100_000, "xml.too_deep", 1),
        (b"<a>" + b"<b/>" * xml.MAX_TAGS + b"</a>", "xml.too_many_tags", None),
        (b"<OBORMessage><MessageHead/></OBORMessage>", "xml.envelope.empty", 1),
        (b"<OBORMessage><MessageBody> </MessageBody></OBORMessage>", "xml.envelope.empty", 1),
        (b"<OBORMessage>\n<MessageBody><a/><b/></MessageBody></OBORMessage>", "xml.envelope.several", 2),
        (b"<DxpMsg><Data>no base64!</Data></DxpMsg>", "xml.envelope.base64", 1),
        (b"<DxpMsg><Data>" + base64.b64encode(b"<!DOCTYPE a><a/>") + b"</Data></DxpMsg>", "xml.doctype", 1),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_is_a_finding(body: bytes, code: str, line: int | None):
    """Whatever cannot be read is told by its code and line, in both languages, and gives no tree."""
    read = xml.read(body)
    assert read.root is None
    assert codes(read) == [code]
    assert read.findings[0].place.line == line
    assert findings.text(read.findings[0], "en") != findings.text(read.findings[0], "zh")


def test_depth_up_to_the_cap_is_read():
    """A message as deep as allowed is read: the cap refuses only what lies beyond it."""
    assert xml.read(b"<a>" * xml.MAX_DEPTH + b"</a>" * xml.MAX_DEPTH).root is not None


def test_size_is_capped_before_anything_is_read():
    """A message over the limit is refused, whatever is in it, also inside an envelope."""
    assert codes(xml.read(b"<a/>" + b" " * 100, max_bytes=100)) == ["xml.too_large"]
    inner = base64.b64encode(b"<a/>" + b" " * 60)
    assert codes(xml.read(b"<DxpMsg><Data>" + inner + b"</Data></DxpMsg>", max_bytes=60)) == ["xml.too_large"]


def test_oversized_text_is_a_finding():
    """One text of eleven megabytes passes no parser limit and is told."""
    assert codes(xml.read(b"<a>" + b"x" * 11_000_000 + b"</a>")) == ["xml.syntax"]


def test_inspection_envelope_is_taken_off():
    """OBORMessage gives its head by name and the message within, at its own line and path."""
    body = b"""<OBORMessage><MessageHead><MESSAGE_ID>1</MESSAGE_ID><MESSAGE_DEST> CIQ </MESSAGE_DEST></MessageHead>
    <MessageBody>
      <Declaration><Goods/><Goods><Qty>2</Qty></Goods></Declaration>
    </MessageBody></OBORMessage>"""
    read = xml.read(body)
    assert read.envelope == "OBORMessage"
    assert read.head == {"MESSAGE_ID": "1", "MESSAGE_DEST": "CIQ"}
    assert read.root is not None
    assert read.root.tag == "Declaration"
    place = xml.place_of(read.root[1][0])
    assert (place.path, place.line) == ("/OBORMessage/MessageBody/Declaration/Goods[2]/Qty", 3)


@pytest.mark.parametrize("wrap", [lambda inner: inner, base64.b64encode], ids=["element", "base64"])
def test_single_window_envelope_is_taken_off(wrap):
    """DxpMsg holds its message as an element or in base64; recipients that repeat are all kept."""
    body = (
        b'<DxpMsg xmlns="http://www.chinaport.gov.cn/dxp"><TransInfo><CopMsgId>7</CopMsgId>'
        b"<ReceiverIds><ReceiverId>A</ReceiverId><ReceiverId>B</ReceiverId></ReceiverIds></TransInfo>"
        b"<Data>" + wrap(b'<m xmlns="urn:m"/>') + b"</Data></DxpMsg>"
    )
    read = xml.read(body)
    assert read.root is not None
    assert (xml.namespace(read.root), xml.local_name(read.root)) == ("urn:m", "m")
    assert read.head == {"CopMsgId": "7", "ReceiverId": "A,B"}


def test_comments_and_instructions_are_no_content():
    """Comments and processing instructions vanish, so that a reader sees elements and text only."""
    read = xml.read(b"<a><!-- x --><?y z?><b>1<!-- 2 -->3</b></a>")
    assert read.root is not None
    assert etree.tostring(read.root) == b"<a><b>13</b></a>"


@given(st.binary(max_size=300))
def test_no_bytes_raise(body: bytes):
    """Any bytes give a tree or findings, never both nor neither, and never an exception."""
    read = xml.read(body)
    assert (read.root is None) == bool(read.findings)


@given(st.integers(0, len(MESSAGE.encode()) - 1), st.integers(0, 255))
def test_any_changed_byte_is_survived(at: int, byte: int):
    """A message with one byte changed is read or told, never an exception."""
    body = bytearray(MESSAGE.encode())
    body[at] = byte
    read = xml.read(bytes(body))
    assert (read.root is None) == bool(read.findings)


@given(st.integers(1, len(MESSAGE.encode()) - 1))
def test_every_truncation_is_told(end: int):
    """A message cut anywhere before its last character is never taken for whole."""
    assert xml.read(MESSAGE.encode()[:end]).root is None


def test_siblings_are_numbered_once():
    """Asking for the place of each of twice as many siblings takes twice the work."""

    def ask_for_all(count: int) -> None:
        places = xml.Places()
        paths = [places.path_of(child) for child in etree.fromstring(b"<a>" + b"<b/>" * count + b"<c/></a>")]
        assert paths[1] == "/a/b[2]"
        assert paths[-1] == "/a/c"

    works = [count_calls(partial(ask_for_all, count)) for count in (500, 1000)]
    assert works[1] < 2.2 * works[0]
