"""What kind of value a document's field holds, as whoever writes a row for it has to know."""

from __future__ import annotations

import types
import typing
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from pydantic import AwareDatetime, BaseModel

_CONVERTERS: tuple[tuple[type, str], ...] = (
    # A type, narrower ones before wider -> the converter that is likeliest for it
    (bool, "flag:1,0"),
    (int, "integer"),
    (Decimal, "number"),
    (datetime, "datetime"),
    (AwareDatetime, "datetime"),
    (date, "date"),
)


def type_of(model: type[BaseModel], path: str) -> Any:
    """The type of a plain value at `path`, of one item where that is a list; `str` for one that is no class."""
    at: Any = model
    for step in path.split("."):
        at = _plain(at.model_fields[step.removesuffix("[]")].annotation)
    return at if isinstance(at, type) else str


def choices(model: type[BaseModel], path: str) -> tuple[str, ...]:
    """The values that a field may have, where it has so few that they are listed; else none."""
    type_ = type_of(model, path)
    return tuple(str(one.value) for one in type_) if issubclass(type_, Enum) else ()


def likely_converter(model: type[BaseModel], path: str) -> str:
    """The converter that a row for `path` most likely has."""
    if allowed := choices(model, path):
        return "map:" + ",".join(f"{number}={value}" for number, value in enumerate(allowed, 1))
    type_ = type_of(model, path)
    return next((converter for of, converter in _CONVERTERS if issubclass(type_, of)), "text")


def _plain(annotation: Any) -> Any:
    """An annotation without what is around it: optional, annotated, a list."""
    while True:
        origin = typing.get_origin(annotation)
        arguments = [one for one in typing.get_args(annotation) if one not in (type(None), Ellipsis)]
        is_optional = origin in (typing.Union, types.UnionType) and len(arguments) == 1
        is_wrapped = origin is typing.Annotated or (origin in (list, tuple, frozenset) and len(arguments) == 1)
        if not is_optional and not is_wrapped:
            return annotation
        annotation = arguments[0]
