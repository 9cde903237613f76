"""Writes canonical values as XML, in the order of the XSD.

The text is put together from tags made ready at loading, and parsed once at the end: that is three
times as fast as making each element by itself, and proves the outcome well-formed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from gateway.findings import make_finding
from gateway.model import Finding, Place
from gateway.translate import controls
from gateway.translate.context import Context
from gateway.translate.convert import CONSTANTS, Unconvertible, plain_number
from gateway.translate.xml_tree import XmlCell, XmlUse

Values = Mapping[str, Any]

_UNBOUNDED = 1_000_000_000
# What XML 1.0 (section 2.2) does not allow in a document.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# What cannot stand in a text as it is; blanks other than the space would be normalised in an attribute.
_SPECIAL = re.compile("[&<>\r]|" + _ILLEGAL.pattern).search
_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ATTRIBUTE = {**_TEXT, ord('"'): "&quot;", ord("\n"): "&#10;", ord("\t"): "&#9;"}


class XmlWriter:
    """The writing half of an XML mapping."""

    def __init__(self, root: XmlUse) -> None:
        self._root = _Writing.of(root, "")

    def write(self, values: Values, context: Context) -> tuple[etree._Element, list[Finding]]:
        """The message for `values`, and what could not be written."""
        run = _Run(context, values)
        attributes, _ = _attributes(self._root, values, "", 1, run)
        run.out.append(f"{self._root.opening}{attributes}>")
        _write_inside(self._root, values, "", 1, run)
        run.out.append(self._root.closing)
        # Our own text: no limit on its size, nothing in it to resolve.
        parser = etree.XMLParser(huge_tree=True, resolve_entities=False, no_network=True)
        return etree.fromstring("".join(run.out), parser), run.findings


@dataclass(slots=True, eq=False)
class _Cell:
    """A compiled XmlCell. `outer` is None where the value stands in its scope itself; `deep` where a path is longer."""

    cell: XmlCell
    outer: str | None
    name: str
    deep: tuple[str, ...]
    write: Callable[[Any, Context], str]
    width: int


@dataclass(slots=True, eq=False)
class _Writing:
    """A compiled XmlUse: its tags made ready, its children in the order of the XSD."""

    name: str
    opening: str
    """`<Name` with the namespace where it changes, without the bracket that ends it."""
    closing: str
    list_path: tuple[str, ...]
    required: bool
    maximum: int
    text: _Cell | None
    attributes: tuple[tuple[str, bool, _Cell], ...]
    children: tuple[_Writing, ...]
    plain: bool
    """Whether it is a leaf that holds one value and nothing else: the common case, written without detours."""

    @classmethod
    def of(cls, use: XmlUse, around: str) -> _Writing:
        outline = use.outline
        namespace = outline.tag[1:].partition("}")[0] if outline.tag.startswith("{") else ""
        declared = f' xmlns="{namespace}"' if namespace != around else ""
        text = _compile(use.text[0], outline.max_length or 0) if use.text else None
        attributes = tuple(
            (_prefixed(name, at), outline.attributes.get(name, False), _compile(cell, 0))
            for at, (name, cell) in enumerate(use.attributes.items())
        )
        leaf = not outline.children and not attributes and not use.list_path
        return cls(
            name=outline.name,
            opening=f"<{outline.name}{declared}",
            closing=f"</{outline.name}>",
            list_path=use.list_path,
            required=outline.minimum > 0,
            maximum=_UNBOUNDED if outline.maximum is None else outline.maximum,
            text=text,
            attributes=attributes,
            children=tuple(cls.of(child, namespace) for child in use.children.values()),
            plain=leaf and text is not None and text.cell.kind == "value" and not text.cell.is_list and not text.deep,
        )


def _prefixed(name: str, at: int) -> str:
    """An attribute's name as it is written, declaring the namespace it may be in."""
    if not name.startswith("{"):
        return name
    namespace, _, local = name[1:].partition("}")
    return f'xmlns:a{at}="{namespace}" a{at}:{local}'


def _compile(cell: XmlCell, width: int) -> _Cell:
    write = cell.converter.write if cell.converter is not None else _figure
    *outer, name = cell.path or ("",)
    deep = cell.path if len(outer) > 1 else ()
    return _Cell(cell, outer[0] if outer else None, name, deep, write, width)


def _figure(value: Any, _context: Context) -> str:
    return plain_number(value)


@dataclass(slots=True, eq=False)
class _Run:
    """One writing under way."""

    context: Context
    root: Values
    findings: list[Finding] = field(default_factory=list)
    out: list[str] = field(default_factory=list)

    def find(self, code: str, path: str, value: Any = "", **words: str) -> None:
        """Report something about the value at canonical `path`."""
        self.findings.append(make_finding(code, Place(path=path.rstrip(".")), str(value), **words))


def _write_inside(writing: _Writing, values: Values, prefix: str, position: int, run: _Run) -> bool:
    """Write the text or the children of one element; True where a value stands among them."""
    filled = False
    if writing.text is not None:
        texts = _texts(writing.text, values, prefix, position, run)
        run.out.extend(_escaped(text, _TEXT) for text in texts[:1])
        filled = bool(texts) and writing.text.cell.kind not in CONSTANTS
    out, context = run.out, run.context
    for child in writing.children:
        cell = child.text
        if not child.plain or cell is None:
            filled |= _write(child, values, prefix, position, run)
            continue
        if cell.outer is None:
            value = values.get(cell.name)
        elif (value := values.get(cell.outer)) is not None:
            value = value.get(cell.name)
        if value is None or value == ():
            if child.required:
                run.find("translate.required", prefix + cell.cell.field_within, target=child.name)
            continue
        try:
            text = cell.write(value, context)
        except Unconvertible:
            text = _escaped(_text(cell, value, prefix + cell.cell.field_within, run), _TEXT)
        else:
            if (cell.width and len(text) > cell.width) or _SPECIAL(text) is not None:
                text = _escaped(_text(cell, value, prefix + cell.cell.field_within, run), _TEXT)
        if text:
            out.append(f"{child.opening}>{text}{child.closing}")
            filled = True
    return filled


def _write(writing: _Writing, values: Values, prefix: str, position: int, run: _Run) -> bool:
    """Write the occurrences of one element; True where a value stands in one."""
    if writing.list_path:
        return _write_list(writing, values, prefix, run)
    if not writing.children and not writing.attributes:
        return _write_leaf(writing, values, prefix, position, run)
    start, found = len(run.out), len(run.findings)
    attributes, filled = _attributes(writing, values, prefix, position, run)
    run.out.append(f"{writing.opening}{attributes}>")
    filled |= _write_inside(writing, values, prefix, position, run)
    run.out.append(writing.closing)
    if not filled and not writing.required:
        # Only its absence is silent: values that were lost in it stay told.
        del run.out[start:]
        run.findings[found:] = [f for f in run.findings[found:] if f.code != "translate.required"]
    return filled


def _write_list(writing: _Writing, values: Values, prefix: str, run: _Run) -> bool:
    items = _find(values, writing.list_path) or ()
    path = prefix + ".".join(writing.list_path)
    if len(items) > writing.maximum:
        run.find("translate.too_many", path, len(items), max=str(writing.maximum))
    elif not items and writing.required:
        run.find("translate.required", path, target=writing.name)
    for index, item in enumerate(items[: writing.maximum]):
        within = f"{path}[{index}]."
        attributes, _ = _attributes(writing, item, within, index + 1, run)
        run.out.append(f"{writing.opening}{attributes}>")
        _write_inside(writing, item, within, index + 1, run)
        run.out.append(writing.closing)
    return bool(items)


def _write_leaf(writing: _Writing, values: Values, prefix: str, position: int, run: _Run) -> bool:
    """Write an element that holds a constant, a control, or the items of a list."""
    cell = writing.text
    if cell is None:
        return False
    texts = _texts(cell, values, prefix, position, run)
    if len(texts) > writing.maximum:
        run.find("translate.too_many", prefix + cell.cell.field_within, len(texts), max=str(writing.maximum))
    elif not texts and writing.required:
        run.find("translate.required", prefix + cell.cell.field_within, target=writing.name)
    for text in texts[: writing.maximum]:
        run.out.append(f"{writing.opening}>{_escaped(text, _TEXT)}{writing.closing}")
    return bool(texts) and cell.cell.kind not in CONSTANTS


def _attributes(writing: _Writing, values: Values, prefix: str, position: int, run: _Run) -> tuple[str, bool]:
    """The attributes as they are written, and whether a value stands in one."""
    written, filled = "", False
    for name, required, cell in writing.attributes:
        texts = _texts(cell, values, prefix, position, run)
        if texts:
            written += f' {name}="{_escaped(texts[0], _ATTRIBUTE)}"'
            filled |= cell.cell.kind not in CONSTANTS
        elif required:
            run.find("translate.required", prefix + cell.cell.field_within, target=f"@{name}")
    return written, filled


def _texts(cell: _Cell, values: Values, prefix: str, position: int, run: _Run) -> list[str]:
    """The texts for a cell: one, none, or as many as its list has items."""
    kind = cell.cell.kind
    if kind == "value":
        value = _find(values, cell.cell.path)
    elif kind == "constant":
        return [cell.cell.constant]
    elif kind == "position":
        return [str(position)]
    else:
        value = controls.figure(kind, run.root, cell.cell.path)
    if value is None or value == ():
        return []
    path = prefix + cell.cell.field_within
    written = [_text(cell, item, path, run) for item in (value if cell.cell.is_list else (value,))]
    return [text for text in written if text]


def _text(cell: _Cell, value: Any, path: str, run: _Run) -> str:
    """One value's text, not yet escaped; what its converter or its length refuses is reported and left out."""
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


def escape_text(text: str) -> str:
    """`text` as it stands in an element, with question marks for what XML does not allow at all."""
    return _escaped(_ILLEGAL.sub("?", text), _TEXT)


def _escaped(text: str, table: dict[int, str]) -> str:
    return text.translate(table)


def _find(values: Values, path: tuple[str, ...]) -> Any:
    found: Any = values
    for name in path:
        if not found:
            return None
        found = found.get(name)
    return found
