"""What a mapping may name in a canonical document: the tree of its fields, read off the pydantic model.

A field is written as its path from the document: `consignor.name`, `goods[].packages[].quantity`;
`[]` marks a list. A value's own path carries the index instead: `goods[0].packages[1].quantity`.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import BaseModel

from gateway.errors import MappingInvalid
from gateway.model import LONGEST_STEP, cut
from gateway.translate.fault import Missing


@dataclass(frozen=True, slots=True)
class Shape:
    """One field of a document, or the document itself (no name): what may stand in it."""

    name: str
    required: bool
    many: bool = False
    fields: Mapping[str, Shape] = field(default_factory=dict)
    """The fields of a nested model; empty for a plain value."""


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A field a row names. `names` are its steps without brackets, `many` says which of them are lists."""

    text: str
    names: tuple[str, ...]
    many: tuple[bool, ...]
    shape: Shape

    @property
    def is_list(self) -> bool:
        """Whether the path ends with `[]`."""
        return bool(self.many) and self.many[-1]


@cache
def shape(model: type[BaseModel]) -> Shape:
    """The tree of `model`'s fields."""
    return Shape("", required=True, fields=_fields(model))


def _fields(model: type[BaseModel]) -> dict[str, Shape]:
    return {name: _shape(name, info.annotation, info.is_required()) for name, info in model.model_fields.items()}


def _shape(name: str, annotation: Any, required: bool) -> Shape:
    many = False
    while True:
        origin = typing.get_origin(annotation)
        arguments = [a for a in typing.get_args(annotation) if a not in (type(None), Ellipsis)]
        optional = origin in (typing.Union, types.UnionType) and len(arguments) == 1
        if optional or origin is typing.Annotated:
            annotation = arguments[0]
        elif origin in (list, tuple, frozenset) and len(arguments) == 1:
            annotation, many = arguments[0], True
        else:
            break
    nested = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return Shape(name, required, many, _fields(annotation) if nested else {})


def resolve(document: Shape, text: str) -> FieldPath:
    """The field that `text` names within `document`; MappingInvalid where there is none."""
    names: list[str] = []
    many: list[bool] = []
    at = document
    for step in text.split("."):
        name = step.removesuffix("[]")
        if name not in at.fields:
            raise MappingInvalid(
                f"field {text!r}: {'.'.join(names) or 'the document'} has no {name!r}", missing=Missing("field", text)
            )
        at = at.fields[name]
        if at.many != step.endswith("[]"):
            raise MappingInvalid(
                f"field {text!r}: {name!r} is {'a list, write' if at.many else 'no list, do not write'} []"
            )
        names.append(name)
        many.append(at.many)
    return FieldPath(text, tuple(names), tuple(many), at)


def relative(text: str, scope: str) -> tuple[str, ...]:
    """The steps of field `text` below list `scope`; MappingInvalid where it lies outside or within a further list."""
    if scope and not text.startswith(f"{scope}."):
        raise MappingInvalid(f"field {text!r}: its place repeats with {scope}, to which it does not belong")
    steps = text[len(scope) + 1 :].split(".") if scope else text.split(".")
    if any(step.endswith("[]") for step in steps[:-1]):
        raise MappingInvalid(f"field {text!r}: no each row says where its list repeats")
    return tuple(step.removesuffix("[]") for step in steps)


def leaves(at: Shape, prefix: str = "") -> Iterator[str]:
    """Every path under `at` that holds a plain value or a list of plain values."""
    for name, below in at.fields.items():
        path = f"{prefix}{name}{'[]' if below.many else ''}"
        if below.fields:
            yield from leaves(below, f"{path}.")
        else:
            yield path


def required_without_row(at: Shape, mapped: frozenset[str], prefix: str = "") -> Iterator[str]:
    """The required fields that no row reads, judged only within parts of the document that rows do mention."""
    for name, below in at.fields.items():
        path = f"{prefix}{name}{'[]' if below.many else ''}"
        touched = any(m == path or m.startswith(f"{path}.") for m in mapped)
        if below.required and not touched:
            yield path
        elif touched and below.fields:
            yield from required_without_row(below, mapped, f"{path}.")


Unmapped = dict[str, "Unmapped | None"]
"""The part of a document that rows do not mention: None for a plain value, a tree for a nested model."""


def unmapped_tree(
    at: Shape, mapped: frozenset[str], prefix: str = "", elsewhere: frozenset[str] = frozenset()
) -> Unmapped:
    """The part of `at` that no path in `mapped` names; what lies below `elsewhere` is left out whole."""
    tree: Unmapped = {}
    for name, below in at.fields.items():
        path = f"{prefix}{name}{'[]' if below.many else ''}"
        if path in elsewhere:
            continue
        if below.fields:
            if inner := unmapped_tree(below, mapped, f"{path}.", elsewhere):
                tree[name] = inner
        elif path not in mapped:
            tree[name] = None
    return tree


def unmapped_values(values: Mapping[str, Any], tree: Unmapped, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(path, value) of everything in `values` that stands in `tree`, lists with their indices."""
    for name, below in tree.items():
        value = values.get(name)
        if value is None or value in ("", [], ()):
            continue
        if below is None and isinstance(value, list | tuple):
            yield from ((f"{prefix}{name}[{index}]", item) for index, item in enumerate(value))
        elif below is None:
            yield f"{prefix}{name}", value
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value):
                yield from unmapped_values(item, below, f"{prefix}{name}[{index}].")
        else:
            yield from unmapped_values(value, below, f"{prefix}{name}.")


def value_path(location: tuple[int | str, ...]) -> str:
    """A pydantic error's location as a value's path: ("goods", 0, "hs_code") -> `goods[0].hs_code`."""
    path = ""
    for step in location:
        name = cut(str(step), LONGEST_STEP)
        path += f"[{step}]" if isinstance(step, int) else f".{name}" if path else name
    return path
