"""Compiles the rows of an XML mapping against the outline of its XSD into a tree that reader and writer share.

A place is the path of local names below the root, `@` before an attribute: `Header/Number`,
`Goods/Quantity/@unit`. Lists have an `each` row at the element that repeats; a list of plain values
stands in a repeating element without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.errors import MappingInvalid
from gateway.translate import convert, fields
from gateway.translate.fault import Fault
from gateway.translate.fields import Shape
from gateway.translate.rows import Row
from gateway.translate.xml_outline import Outline


@dataclass(slots=True, eq=False)
class XmlCell:
    """A value in the text of an element or in an attribute; `path` leads to it from its scope's values."""

    kind: str
    field: str
    path: tuple[str, ...] = ()
    converter: convert.Converter | None = None
    constant: str = ""
    is_list: bool = False

    @property
    def field_within(self) -> str:
        """The path below its scope, as a value's own path ends."""
        return ".".join(self.path)


@dataclass(slots=True, eq=False)
class XmlUse:
    """What one element means to the mapping."""

    outline: Outline
    list_path: tuple[str, ...] = ()
    scope: str = ""
    text: list[XmlCell] = field(default_factory=list)
    attributes: dict[str, XmlCell] = field(default_factory=dict)
    children: dict[str, XmlUse] = field(default_factory=dict)


class XmlCompiler:
    """Builds the tree from rows; `faults` collects everything that is wrong with them."""

    def __init__(self, root: Outline, document: Shape, lists: convert.Lists) -> None:
        self.root = XmlUse(root)
        self.document = document
        self.lists = lists
        self.faults: list[Fault] = []

    def compile(self, rows: Sequence[Row]) -> XmlUse:
        """The tree for `rows`; scopes are laid first, so that rows may stand in any order."""
        scopes = [row for row in rows if row.kind == "each"]
        scopes.sort(key=lambda row: (row.field.count("[]"), row.place.count("/")))
        for row in [*scopes, *(row for row in rows if row.kind != "each")]:
            try:
                self._row(row)
            except MappingInvalid as error:
                self.faults.append(row.fault(error))
        self._order(self.root)
        return self.root

    def _row(self, row: Row) -> None:
        path, at, attribute = row.place.partition("@")
        use = self._find(path.rstrip("/"), row.place)
        if row.kind == "each":
            self._scope(row, use)
            return
        cell = XmlCell(row.kind, row.field, constant=row.argument)
        if row.kind in convert.CONTROLS:
            if "[]" not in row.field:
                raise MappingInvalid(f"row {row.field!r}: converter {row.kind} needs a list or a field within one")
            fields.resolve(self.document, row.field)
            cell.path = tuple(step.removesuffix("[]") for step in row.field.split("."))
        elif row.kind not in convert.CONSTANTS:
            self._value(row, cell, use)
        if at:
            if attribute not in use.outline.attributes and not use.outline.any_attribute:
                raise MappingInvalid(f"place {row.place!r}: {use.outline.name} has no attribute {attribute}")
            if attribute in use.attributes:
                raise MappingInvalid(f"place {row.place!r}: stands in two rows")
            use.attributes[attribute] = cell
        elif use.outline.children:
            raise MappingInvalid(f"place {row.place!r}: {use.outline.name} holds elements, no text")
        elif use.text:
            raise MappingInvalid(f"place {row.place!r}: stands in two rows")
        else:
            use.text.append(cell)

    def _scope(self, row: Row, use: XmlUse) -> None:
        named = fields.resolve(self.document, row.field)
        if not named.is_list or not named.shape.fields:
            raise MappingInvalid(f"row {row.field!r}: each needs a list of parts")
        if use.outline.maximum == 1:
            raise MappingInvalid(f"place {row.place!r}: {use.outline.name} stands once only")
        use.list_path = fields.relative(row.field, use.scope)
        self._enter(use, row.field)

    def _enter(self, use: XmlUse, scope: str) -> None:
        use.scope = scope
        for child in use.children.values():
            self._enter(child, scope)

    def _value(self, row: Row, cell: XmlCell, use: XmlUse) -> None:
        fields.resolve(self.document, row.field)
        converter = convert.make(row.converter, self.lists)
        if not isinstance(converter, convert.Converter):
            raise MappingInvalid(f"row {row.field!r}: converter {row.kind} needs several slots, XML has one")
        cell.kind = "value"
        cell.converter = converter
        cell.path = fields.relative(row.field, use.scope)
        cell.is_list = row.field.endswith("[]") and not converter.name.startswith("list:")
        if cell.is_list and use.outline.maximum == 1:
            raise MappingInvalid(f"place {row.place!r}: {use.outline.name} stands once only, {row.field} is a list")

    def _find(self, path: str, text: str) -> XmlUse:
        use = self.root
        for step in path.split("/") if path else ():
            if step not in use.children:
                outline = use.outline.children.get(step)
                if outline is None:
                    raise MappingInvalid(f"place {text!r}: {use.outline.name} has no {step}")
                use.children[step] = XmlUse(outline, scope=use.scope)
            use = use.children[step]
        return use

    def _order(self, use: XmlUse) -> None:
        """Put children in the order of the XSD, and note mandatory elements that no row writes."""
        for name, outline in use.outline.children.items():
            if outline.minimum and name not in use.children:
                self.faults.append(Fault(f"{use.outline.name} must hold {name}, which no row writes", key="rows"))
        use.children = {name: use.children[name] for name in use.outline.children if name in use.children}
        for child in use.children.values():
            self._order(child)
