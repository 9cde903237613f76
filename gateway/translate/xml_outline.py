"""What an XSD allows where, as far as a mapping needs it: the elements in their order, how often, how long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import xmlschema

from gateway.catalogue import Catalogue, compiled
from gateway.check import xsd
from gateway.errors import SchemaInvalid

_DEEPEST = 12
"""Where an XSD nests an element in itself, the outline ends here."""


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """One element. `maximum` is None where it repeats without limit, `max_length` where no facet says."""

    name: str
    tag: str
    """The name with its namespace, as lxml writes it."""
    minimum: int
    maximum: int | None
    max_length: int | None = None
    numeric: bool = False
    children: Mapping[str, Outline] = field(default_factory=dict)
    """By local name, in the order of the XSD."""
    attributes: Mapping[str, bool] = field(default_factory=dict)
    """Name -> whether it is required."""
    any_attribute: bool = False
    """Whether it takes attributes that the XSD does not name."""


@compiled
def outline(catalogue: Catalogue, format_: str) -> Outline:
    """The outline of the root of messages in `format_`; SchemaInvalid where its XSD has no such element."""
    entry = xsd.entries(catalogue)[format_]
    found = xsd.thorough(catalogue, format_).elements.get(entry.root)
    if found is None:
        raise SchemaInvalid(f"{xsd.file_of(entry)} declares no element {entry.root}")
    return _outline(found, (1, 1), 0)


def _outline(element: Any, occurs: tuple[int, int | None], depth: int) -> Outline:
    content = element.type.content if element.type.is_complex() and element.type.has_complex_content() else None
    children: dict[str, Outline] = {}
    if content is not None and depth < _DEEPEST:
        for child, child_occurs in _particles(content, (1, 1)):
            children.setdefault(child.local_name, _outline(child, child_occurs, depth + 1))
    attributes = {str(name): use.use == "required" for name, use in element.attributes.items() if name}
    simple = element.type.content if element.type.is_complex() else element.type
    return Outline(
        name=element.local_name,
        tag=element.name,
        minimum=occurs[0],
        maximum=occurs[1],
        max_length=None if content is not None else getattr(simple, "max_length", None),
        numeric=content is None and _is_numeric(simple),
        children=children,
        attributes=attributes,
        any_attribute=None in element.attributes,
    )


def _is_numeric(simple: Any) -> bool:
    """Whether an XSD's simple type holds numbers."""
    return getattr(simple.primitive_type, "local_name", "") in {"decimal", "double", "float"}


def _particles(group: Any, around: tuple[int, int | None]) -> Iterator[tuple[Any, tuple[int, int | None]]]:
    """Every element of a model group, with how often it may stand all in all."""
    minimum = 0 if group.model == "choice" else group.min_occurs
    occurs = (around[0] * minimum, _times(around[1], group.max_occurs))
    for particle in group:
        if isinstance(particle, xmlschema.XsdElement):
            yield particle, (occurs[0] * particle.min_occurs, _times(occurs[1], particle.max_occurs))
        elif hasattr(particle, "model"):
            yield from _particles(particle, occurs)


def _times(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one * other
