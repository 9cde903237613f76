"""The one place where XML is parsed: hardened, in the encodings of the trade, out of its transport envelope.

No document type is read, so there are no entities to expand and nothing to fetch; size and depth are
capped. Enterprises and platforms wrap a message in an envelope of their own: OBORMessage (MessageHead,
MessageBody) of the inspection service's exchange, or DxpMsg (TransInfo, Data) of the single window's.
It is taken off here, and its head handed over beside the message.
"""

from __future__ import annotations

import base64
import codecs
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from gateway.findings import make_finding
from gateway.model import LONGEST_STEP, Finding, Place, cut
from gateway.parse.charsets import recognise

MAX_BYTES = 32 << 20
"""Largest message read: the tree is built in memory whole; larger loads travel as EDI, which streams."""

MAX_TAGS = 1_000_000
"""Most tags read: an element takes some two hundred bytes in memory, however few it took on the wire."""

MAX_DEPTH = 64
"""Deepest nesting read: the messages we know nest 6 levels deep, the WCO's declarations 12."""

_ENVELOPES: Mapping[str, tuple[str, str]] = {
    "OBORMessage": ("MessageHead", "MessageBody"),
    "DxpMsg": ("TransInfo", "Data"),
}
"""Root of a transport envelope -> where its head and its message stand, by local names."""

_CODECS: Mapping[str, str] = {
    # declared name -> Python codec. GBK and GB2312 are read as GB18030, which contains them both.
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "gb18030": "gb18030",
    "gbk": "gb18030",
    "cp936": "gb18030",
    "gb2312": "gb18030",
}
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# The first characters of a document without a mark (XML 1.0, appendix F).
_UTF16_STARTS = ((b"<\x00", "utf-16-le"), (b"\x00<", "utf-16-be"))
_ENCODING = re.compile(rb"""^\s*<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([A-Za-z0-9._\-]{1,40})["']""")
# What may stand before a document type or the root: the declaration, comments, processing instructions, blanks.
_PROLOG = re.compile(r"(?:\s+|<\?(?:(?!\?>).)*\?>|<!--(?:(?!-->).)*-->)*", re.DOTALL)

_TRUNCATED = frozenset(
    {
        etree.ErrorTypes.ERR_DOCUMENT_END,
        etree.ErrorTypes.ERR_TAG_NOT_FINISHED,
        etree.ErrorTypes.ERR_GT_REQUIRED,
        etree.ErrorTypes.ERR_LTSLASH_REQUIRED,
        etree.ErrorTypes.ERR_CDATA_NOT_FINISHED,
        etree.ErrorTypes.ERR_COMMENT_NOT_FINISHED,
    }
)


@dataclass(slots=True)
class XmlRead:
    """What was read. `root` is the message proper, still within its document, so that lines and paths hold.

    `head` holds the leaves of the envelope's head by local name (`MESSAGE_ID`, `CopMsgId`), `envelope`
    its name, both empty where there is none. `root` is None where a finding is an error.
    """

    root: etree._Element | None
    envelope: str = ""
    head: Mapping[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    charset: str = ""
    """The encoding it came in, as Python names it."""


class _Unreadable(Exception):
    """Ends the reading at the fault that leaves nothing to read on with."""

    def __init__(self, code: str, *, line: int | None = None, path: str = "", **args: str) -> None:
        super().__init__(code)
        self.finding = make_finding(code, place=Place(path=path, line=line), **args)


def read(body: bytes, *, max_bytes: int = MAX_BYTES) -> XmlRead:
    """The message in `body`, or the findings why it cannot be read."""
    try:
        root, charset = _parse(body, max_bytes)
    except _Unreadable as error:
        return XmlRead(None, findings=[error.finding])
    return _unwrap(root, charset, max_bytes)


def too_large(size: int, *, max_bytes: int = MAX_BYTES) -> XmlRead:
    """What `read` says of a message of `size` bytes, without them."""
    return XmlRead(None, findings=[make_finding("xml.too_large", size=size, max=max_bytes)])


def local_name(element: etree._Element) -> str:
    """The element's name without its namespace."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def namespace(element: etree._Element) -> str:
    """The element's namespace, empty for none."""
    tag = element.tag
    return tag[1:].partition("}")[0] if isinstance(tag, str) and tag.startswith("{") else ""


class Places:
    """Says where the elements of a document stand. Siblings are numbered once, however many of them are asked for."""

    def __init__(self) -> None:
        self._ordinals: dict[etree._Element, str] = {}
        """Of every child of a parent that was met: `[n]` where it is the n-th of several with its name, else nothing."""

    def place_of(self, element: etree._Element) -> Place:
        """Where the element stands in the sender's document."""
        return Place(path=self.path_of(element), line=_line(element))

    def path_of(self, element: etree._Element) -> str:
        """The element's place in its document as an XPath of local names: `/OBORMessage/MessageBody/.../Qty`.

        A number stands where siblings share a name.
        """
        steps: list[str] = []
        at: etree._Element | None = element
        while at is not None:
            parent = at.getparent()
            if parent is not None and at not in self._ordinals:
                self._number(parent)
            steps.append(cut(local_name(at), LONGEST_STEP) + self._ordinals.get(at, ""))
            at = parent
        return "/" + "/".join(reversed(steps))

    def _number(self, parent: etree._Element) -> None:
        sharing = Counter(child.tag for child in parent)
        before = Counter[Any]()
        for child in parent:
            before[child.tag] += 1
            self._ordinals[child] = f"[{before[child.tag]}]" if sharing[child.tag] > 1 else ""


def path_of(element: etree._Element) -> str:
    """The path of one element; who asks for several asks one `Places`."""
    return Places().path_of(element)


def place_of(element: etree._Element) -> Place:
    """The place of one element; who asks for several asks one `Places`."""
    return Places().place_of(element)


def _line(element: etree._Element) -> int | None:
    """The line of the element's start tag; None for one that was not read from text."""
    line = element.sourceline
    return line if isinstance(line, int) else None


def _parse(body: bytes, max_bytes: int) -> tuple[etree._Element, str]:
    if len(body) > max_bytes:
        raise _Unreadable("xml.too_large", size=str(len(body)), max=str(max_bytes))
    charset, start = _charset(body)
    try:
        text = body[start:].decode(charset)
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, start + error.start) + 1
        shown = _shown(charset)
        likely = recognise(body[start:], but=charset)
        said = {"charset": shown, "offset": str(start + error.start)} | ({"likely": likely} if likely else {})
        raise _Unreadable("xml.charset.wrong", line=line, **said) from error
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise _Unreadable("xml.empty")
    if (tags := text.count("<")) > MAX_TAGS:
        raise _Unreadable("xml.too_many_tags", count=str(tags), max=str(MAX_TAGS))
    prolog = _PROLOG.match(text)
    after = prolog.end() if prolog else 0
    if text.startswith("<!DOCTYPE", after):
        raise _Unreadable("xml.doctype", line=text.count("\n", 0, after) + 1)
    parser = etree.XMLParser(
        encoding="utf-8",  # whatever the document declares: it has been decoded already
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise _syntax(error) from error
    _measure(root)
    return root, charset


def _charset(body: bytes) -> tuple[str, int]:
    """The codec of `body` and how many bytes of mark stand before its text."""
    for mark, codec in _BOMS:
        if body.startswith(mark):
            return codec, len(mark)
    for start, codec in _UTF16_STARTS:
        if body.startswith(start):
            return codec, 0
    declared = _ENCODING.match(body[:400])
    if declared is None:
        return "utf-8", 0
    name = declared[1].decode("ascii")
    codec = _CODECS.get(name.lower(), "")
    if not codec or codec.startswith("utf-16"):
        # Bytes that spell out their declaration one by one are not UTF-16, whatever it says.
        raise _Unreadable("xml.charset.unknown", line=1, charset=name)
    return codec, 0


def _shown(charset: str) -> str:
    return "UTF-16" if charset.startswith("utf-16") else charset.upper()


def _syntax(error: etree.XMLSyntaxError) -> _Unreadable:
    line = error.lineno or None
    message = error.msg or ""
    if getattr(error, "code", None) in _TRUNCATED and not message.startswith("Extra content"):
        return _Unreadable("xml.truncated", line=line)
    if "depth" in message.lower():
        return _Unreadable("xml.too_deep", line=line, max=str(MAX_DEPTH))
    # libxml2 ends its message with the line and column that the place says already.
    return _Unreadable("xml.syntax", line=line, detail=message.partition(", line ")[0].strip())


def _measure(root: etree._Element) -> None:
    """Refuse a tree that nests too deep, at the place where it does, or that holds what only a DTD gives."""
    level = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "end":
            level -= 1
            continue
        level += 1
        if level > MAX_DEPTH:
            raise _Unreadable("xml.too_deep", line=_line(element), max=str(MAX_DEPTH))


def _unwrap(root: etree._Element, charset: str, max_bytes: int) -> XmlRead:
    name = local_name(root)
    if name not in _ENVELOPES:
        return XmlRead(root, charset=charset)
    head_name, body_name = _ENVELOPES[name]
    children = {local_name(child): child for child in root}
    head = _leaves(children.get(head_name))
    try:
        message = _message(root, children.get(body_name), body_name, max_bytes)
    except _Unreadable as error:
        return XmlRead(None, name, head, [error.finding], charset)
    return XmlRead(message, name, head, charset=charset)


def _leaves(head: etree._Element | None) -> dict[str, str]:
    if head is None:
        return {}
    leaves: dict[str, str] = {}
    for leaf in head.iter():
        if len(leaf) == 0:
            name, text = local_name(leaf), (leaf.text or "").strip()
            leaves[name] = f"{leaves[name]},{text}" if name in leaves else text
    return leaves


def _message(root: etree._Element, holder: etree._Element | None, name: str, max_bytes: int) -> etree._Element:
    """The one message that the envelope's body, `holder`, holds: as an element or in base64."""
    if holder is None:
        raise _Unreadable("xml.envelope.empty", line=_line(root), path=path_of(root), name=name)
    path, line = path_of(holder), _line(holder)
    if len(holder) > 1:
        raise _Unreadable("xml.envelope.several", line=line, path=path, count=str(len(holder)))
    if len(holder) == 1:
        return holder[0]
    text = "".join((holder.text or "").split())
    if not text:
        raise _Unreadable("xml.envelope.empty", line=line, path=path, name=name)
    try:
        inner = base64.b64decode(text, validate=True)
    except ValueError as error:  # of text that is not ASCII it is no binascii.Error
        raise _Unreadable("xml.envelope.base64", line=line, path=path) from error
    return _parse(inner, max_bytes)[0]
