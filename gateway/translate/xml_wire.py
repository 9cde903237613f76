"""The XML side of a mapping: reads an lxml element into canonical values, writes them in the order of the XSD."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from gateway.documents import Document
from gateway.model import Finding, Place
from gateway.parse import xml
from gateway.translate import controls
from gateway.translate.context import Context
from gateway.translate.convert import CONSTANTS, Unconvertible, plain_number
from gateway.translate.fields import Shape
from gateway.translate.outcome import Raw, finding
from gateway.translate.rows import Row
from gateway.translate.xml_outline import Outline
from gateway.translate.xml_tree import XmlCell, XmlCompiler, XmlUse

Values = Mapping[str, Any]

# What XML 1.0 (section 2.2) does not allow in a document.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class XmlWire:
    """One table's rows, compiled against its XSD; `faults` says what is wrong with them."""

    linked: tuple[str, ...] = ()

    def __init__(self, root: Outline, document: Shape, rows: Sequence[Row]) -> None:
        compiler = XmlCompiler(root, document)
        self._use = compiler.compile(rows)
        self.faults: Sequence[str] = compiler.faults
        self._reading = _Reading.of(self._use)
        self._writing = _Writing.of(self._use)

    def read(self, wire: etree._Element, context: Context, trace: dict[str, Place] | None = None) -> Raw:
        """The values of a message; its root may also be the one element that the schema's root holds."""
        raw = Raw({})
        run = _Run(context, raw, trace)
        inner = self._reading.children.get(str(wire.tag))
        if inner is not None and xml.local_name(wire) != self._use.outline.name:
            _read(inner, wire, raw.values, "", run)
        else:
            _read(self._reading, wire, raw.values, "", run)
        for cell, text, element in run.controls:
            controls.verify(cell.kind, cell.field, cell.path, text, xml.place_of(element), raw)
        return raw

    def write(
        self,
        document: Document,  # noqa: ARG002 - a Wire
        values: Values,
        context: Context,
    ) -> tuple[etree._Element, list[Finding]]:
        """The message for `values`."""
        tag = self._use.outline.tag
        namespaces: Any = {None: tag[1:].partition("}")[0]} if tag.startswith("{") else None
        root = etree.Element(tag, nsmap=namespaces)
        run = _WriteRun(context, values)
        _write_inside(self._writing, values, root, "", 1, run)
        return root, run.findings


@dataclass(slots=True, eq=False)
class _Reading:
    """A compiled XmlUse for reading; `children` by tag, with the namespace of the XSD and without one."""

    name: str
    list_path: tuple[str, ...]
    text: XmlCell | None
    attributes: dict[str, XmlCell]
    has_attributes: bool
    children: dict[str, _Reading]
    leaf: bool

    @classmethod
    def of(cls, use: XmlUse) -> _Reading:
        children: dict[str, _Reading] = {}
        for name, child in use.children.items():
            children[name] = children[child.outline.tag] = cls.of(child)
        return cls(
            name=use.outline.name,
            list_path=use.list_path,
            text=use.text[0] if use.text else None,
            attributes=use.attributes,
            has_attributes=bool(use.outline.attributes) or use.outline.any_attribute,
            children=children,
            leaf=not use.outline.children,
        )


@dataclass(slots=True, eq=False)
class _Run:
    """One reading under way."""

    context: Context
    raw: Raw
    trace: dict[str, Place] | None
    controls: list[tuple[XmlCell, str, etree._Element]] = field(default_factory=list)


def _read(reading: _Reading, element: etree._Element, values: dict[str, Any], prefix: str, run: _Run) -> None:
    """Store what `reading` maps within `element`; anything else in it is kept as unmapped."""
    if reading.has_attributes:
        for name, text in element.attrib.items():
            _take(reading.attributes.get(str(name)), element, str(text), values, prefix, run)
    if reading.leaf:
        if text := (element.text or "").strip():
            _take(reading.text, element, text, values, prefix, run)
        return
    children = reading.children
    for child in element:
        inner = children.get(child.tag)
        if inner is None:
            _keep(child, run)
        elif inner.list_path:
            item, path = _new_item(values, inner.list_path, prefix, run)
            _read(inner, child, item, path, run)
        else:
            _read(inner, child, values, prefix, run)


def _take(
    cell: XmlCell | None, element: etree._Element, text: str, values: dict[str, Any], prefix: str, run: _Run
) -> None:
    if cell is None:
        run.raw.kept.append((xml.place_of(element), text))
        return
    if cell.kind != "value":
        if cell.kind in ("count", "total"):
            run.controls.append((cell, text, element))
        elif cell.kind == "constant" and text != cell.constant:
            run.raw.findings.append(finding("translate.constant", xml.place_of(element), text, expected=cell.constant))
        return
    converter = cell.converter
    if converter is None:
        raise TypeError(f"{cell.field} has no converter")
    try:
        value = converter.read(text, run.context)
    except Unconvertible as fault:
        run.raw.findings.append(finding(fault.code, xml.place_of(element), text, **fault.words))
        value = fault.kept
    at = values
    *outer, name = cell.path
    for step in outer:
        at = at.setdefault(step, {})
    if value is None or value == "":
        return
    if cell.is_list:
        at.setdefault(name, []).append(value)
    elif at.setdefault(name, value) != value:
        run.raw.findings.append(finding("translate.conflict", xml.place_of(element), text, first=str(at[name])))
    if run.trace is not None:
        index = f"[{len(at[name]) - 1}]" if cell.is_list else ""
        run.trace.setdefault(f"{prefix}{cell.field_within}{index}", xml.place_of(element))


def _keep(element: etree._Element, run: _Run) -> None:
    """Keep every leaf of an element that no row mentions."""
    if not isinstance(element.tag, str):
        return
    run.raw.kept.extend(
        (xml.place_of(leaf), leaf.text.strip())
        for leaf in element.iter(etree.Element)
        if not len(leaf) and leaf.text and leaf.text.strip()
    )


def _new_item(values: dict[str, Any], path: tuple[str, ...], prefix: str, run: _Run) -> tuple[dict[str, Any], str]:
    """A new item at the end of the list at `path`, and its prefix where places are traced."""
    for name in path[:-1]:
        values = values.setdefault(name, {})
    items = values.setdefault(path[-1], [])
    item: dict[str, Any] = {}
    items.append(item)
    return item, f"{prefix}{'.'.join(path)}[{len(items) - 1}]." if run.trace is not None else ""


@dataclass(slots=True, eq=False)
class _Cell:
    """A compiled XmlCell for writing."""

    cell: XmlCell
    path: tuple[str, ...]
    write: Callable[[Any, Context], str]
    width: int


@dataclass(slots=True, eq=False)
class _Writing:
    """A compiled XmlUse for writing: its children in the order of the XSD."""

    tag: str
    name: str
    list_path: tuple[str, ...]
    required: bool
    maximum: int
    text: _Cell | None
    attributes: tuple[tuple[str, bool, _Cell], ...]
    children: tuple[_Writing, ...]

    @classmethod
    def of(cls, use: XmlUse) -> _Writing:
        outline = use.outline
        return cls(
            tag=outline.tag,
            name=outline.name,
            list_path=use.list_path,
            required=outline.minimum > 0,
            maximum=1_000_000_000 if outline.maximum is None else outline.maximum,
            text=_compile(use.text[0], outline.max_length or 0) if use.text else None,
            attributes=tuple((n, outline.attributes.get(n, False), _compile(c, 0)) for n, c in use.attributes.items()),
            children=tuple(cls.of(child) for child in use.children.values()),
        )


def _compile(cell: XmlCell, width: int) -> _Cell:
    write = cell.converter.write if cell.converter is not None else _plain
    return _Cell(cell, cell.path, write, width)


def _plain(value: Any, _context: Context) -> str:
    return value if isinstance(value, str) else plain_number(value)


@dataclass(slots=True, eq=False)
class _WriteRun:
    """One writing under way."""

    context: Context
    root: Values
    findings: list[Finding] = field(default_factory=list)

    def find(self, code: str, path: str, value: Any = "", **words: str) -> None:
        """Report something about the value at canonical `path`."""
        self.findings.append(finding(code, Place(path=path.rstrip(".")), str(value), **words))


def _write(writing: _Writing, values: Values, parent: etree._Element, prefix: str, run: _WriteRun) -> bool:
    """Write the occurrences of one element; True where a value stands in one."""
    if not writing.list_path:
        return _write_once(writing, values, parent, prefix, 1, run)
    items = _find(values, writing.list_path) or ()
    path = prefix + ".".join(writing.list_path)
    if len(items) > writing.maximum:
        run.find("translate.too_many", path, len(items), max=str(writing.maximum))
    elif not items and writing.required:
        run.find("translate.required", path, target=writing.name)
    for index, item in enumerate(items[: writing.maximum]):
        element = etree.SubElement(parent, writing.tag)
        _write_inside(writing, item, element, f"{path}[{index}].", index + 1, run)
    return bool(items)


def _write_once(
    writing: _Writing, values: Values, parent: etree._Element, prefix: str, position: int, run: _WriteRun
) -> bool:
    if not writing.children and not writing.attributes:
        return _write_leaf(writing, values, parent, prefix, position, run)
    element = etree.SubElement(parent, writing.tag)
    found = len(run.findings)
    filled = _write_inside(writing, values, element, prefix, position, run)
    if not filled and not writing.required:
        parent.remove(element)
        del run.findings[found:]
    return filled


def _write_inside(
    writing: _Writing, values: Values, element: etree._Element, prefix: str, position: int, run: _WriteRun
) -> bool:
    """Fill `element`: its attributes, its text, its children."""
    filled = False
    for name, required, cell in writing.attributes:
        texts = _texts(cell, values, prefix, position, run)
        if texts:
            element.set(name, texts[0])
            filled |= cell.cell.kind == "value"
        elif required:
            run.find("translate.required", prefix + cell.cell.field_within, target=f"@{name}")
    if writing.text is not None and (texts := _texts(writing.text, values, prefix, position, run)):
        element.text = texts[0]
        filled |= writing.text.cell.kind == "value"
    for child in writing.children:
        if not child.list_path and not child.children and not child.attributes:
            filled |= _write_leaf(child, values, element, prefix, position, run)
        else:
            filled |= _write(child, values, element, prefix, run)
    return filled


def _write_leaf(
    writing: _Writing, values: Values, parent: etree._Element, prefix: str, position: int, run: _WriteRun
) -> bool:
    cell = writing.text
    if cell is None:
        return False
    texts = _texts(cell, values, prefix, position, run)
    if len(texts) > writing.maximum:
        run.find("translate.too_many", prefix + cell.cell.field_within, len(texts), max=str(writing.maximum))
    for text in texts[: writing.maximum]:
        etree.SubElement(parent, writing.tag).text = text
    if not texts and writing.required:
        run.find("translate.required", prefix + cell.cell.field_within, target=writing.name)
    return bool(texts) and cell.cell.kind not in CONSTANTS


def _texts(cell: _Cell, values: Values, prefix: str, position: int, run: _WriteRun) -> list[str]:
    """The texts for a cell: one, none, or as many as its list has items."""
    kind = cell.cell.kind
    if kind == "value":
        value = _find(values, cell.path)
    elif kind == "constant":
        return [cell.cell.constant]
    elif kind == "position":
        return [str(position)]
    else:
        value = controls.figure(kind, run.root, cell.path)
    if value is None or value == ():
        return []
    path = prefix + cell.cell.field_within
    written = [_text(cell, item, path, run) for item in (value if cell.cell.is_list else (value,))]
    return [text for text in written if text]


def _text(cell: _Cell, value: Any, path: str, run: _WriteRun) -> str:
    try:
        text = cell.write(value, run.context)
    except Unconvertible as fault:
        run.find(fault.code, path, value, **fault.words)
        text = fault.kept or ""
    if cell.width and len(text) > cell.width:
        run.find("translate.too_long", path, text, length=str(len(text)), max=str(cell.width))
        return ""
    if _ILLEGAL.search(text):
        run.find("translate.not_encodable", path, text, charset="XML 1.0")
        return _ILLEGAL.sub("?", text)
    return text


def _find(values: Values, path: tuple[str, ...]) -> Any:
    found: Any = values
    for name in path:
        if not found:
            return None
        found = found.get(name)
    return found
