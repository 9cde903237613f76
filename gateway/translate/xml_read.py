"""Reads an lxml element into canonical values: each element by what its tag means within its parent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from gateway.findings import make_finding
from gateway.model import Place
from gateway.parse import xml
from gateway.translate import controls
from gateway.translate.context import Context
from gateway.translate.convert import Unconvertible
from gateway.translate.outcome import Raw, Unread
from gateway.translate.weight import Weight
from gateway.translate.xml_outline import Outline
from gateway.translate.xml_tree import XmlCell, XmlUse


class XmlReader:
    """The reading half of an XML mapping."""

    def __init__(self, root: XmlUse) -> None:
        self._name = root.outline.name
        self._root = _Reading.of(root)

    def read(self, wire: etree._Element, context: Context, trace: dict[str, Place] | None = None) -> Raw:
        """The values of a message; its root may also be the one element that the schema's root holds."""
        raw = Raw({})
        run = _Run(context, raw, trace)
        inner = self._root.children.get(str(wire.tag))
        if inner is not None and xml.local_name(wire) != self._name:
            _read(inner, wire, raw.values, "", run)
        else:
            _read(self._root, wire, raw.values, "", run)
        for cell, text, element in run.controls:
            controls.verify(cell.kind, cell.field, cell.path, text, run.places.place_of(element), raw)
        return raw


@dataclass(slots=True, eq=False)
class _Reading:
    """A compiled XmlUse for reading; `children` by tag, with the namespace of the XSD and without one."""

    name: str
    outline: Outline
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
            outline=use.outline,
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
    places: xml.Places = field(default_factory=xml.Places)
    controls: list[tuple[XmlCell, str, etree._Element]] = field(default_factory=list)


def _read(reading: _Reading, element: etree._Element, values: dict[str, Any], prefix: str, run: _Run) -> None:
    """Store what `reading` maps within `element`; anything else in it is kept as unmapped."""
    if reading.has_attributes:
        for name, text in element.attrib.items():
            _take(reading.attributes.get(str(name)), False, element, str(text), values, prefix, run)
    if reading.leaf:
        if text := (element.text or "").strip():
            _take(reading.text, reading.outline.numeric, element, text, values, prefix, run)
        return
    children = reading.children
    for child in element:
        inner = children.get(child.tag)
        if inner is None:
            _keep(child, reading.outline, run)
        elif inner.list_path:
            item, path = _new_item(values, inner.list_path, prefix, run)
            _read(inner, child, item, path, run)
        else:
            _read(inner, child, values, prefix, run)


def _take(
    cell: XmlCell | None,
    numeric: bool,
    element: etree._Element,
    text: str,
    values: dict[str, Any],
    prefix: str,
    run: _Run,
) -> None:
    if cell is None:
        run.raw.kept.append(Unread(run.places.place_of(element), text, _leaf_weight(numeric)))
        return
    if cell.kind != "value":
        if cell.kind in ("count", "total"):
            run.controls.append((cell, text, element))
        elif cell.kind == "constant" and text != cell.constant:
            run.raw.findings.append(
                make_finding("translate.constant", run.places.place_of(element), text, expected=cell.constant)
            )
        return
    converter = cell.converter
    if converter is None:
        raise TypeError(f"{cell.field} has no converter")
    try:
        value = converter.read(text, run.context)
    except Unconvertible as fault:
        run.raw.findings.append(make_finding(fault.code, run.places.place_of(element), text, **fault.words))
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
        run.raw.findings.append(
            make_finding("translate.conflict", run.places.place_of(element), text, first=str(at[name]))
        )
    if run.trace is not None:
        index = f"[{len(at[name]) - 1}]" if cell.is_list else ""
        run.trace.setdefault(f"{prefix}{cell.field_within}{index}", run.places.place_of(element))


def _keep(element: etree._Element, around: Outline, run: _Run) -> None:
    """Keep every leaf of an element that no row mentions; one with others in it is told as a whole."""
    if not isinstance(element.tag, str):
        return
    known = around.children.get(xml.local_name(element))
    weight = _leaf_weight(known is not None and known.numeric)
    if len(element):
        run.raw.kept.append(Unread(run.places.place_of(element), xml.local_name(element), Weight.PART))
        weight = Weight.WITHIN
    run.raw.kept.extend(
        Unread(run.places.place_of(leaf), leaf.text.strip(), weight)
        for leaf in element.iter(etree.Element)
        if not len(leaf) and leaf.text and leaf.text.strip()
    )


def _leaf_weight(numeric: bool) -> Weight:
    """The weight of a value: an XSD says of numbers what they are, of others not whether they are only text."""
    return Weight.ELEMENT if numeric else Weight.VALUE


def _new_item(values: dict[str, Any], path: tuple[str, ...], prefix: str, run: _Run) -> tuple[dict[str, Any], str]:
    """A new item at the end of the list at `path`, and its prefix where places are traced."""
    for name in path[:-1]:
        values = values.setdefault(name, {})
    items = values.setdefault(path[-1], [])
    item: dict[str, Any] = {}
    items.append(item)
    return item, f"{prefix}{'.'.join(path)}[{len(items) - 1}]." if run.trace is not None else ""
