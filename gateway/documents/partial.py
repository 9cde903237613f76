"""What is right of values that are no document: so that the rules can be asked about the rest of it."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

T = typing.TypeVar("T", bound=BaseModel)


def part_of(model: type[T], values: Mapping[str, Any]) -> T:
    """A `model` with those of `values` that are right, and nothing for the others: not even for what is required.

    It is no document: whoever reads it finds None where the model promises a value, and it goes no further.
    """
    kept = {name: _kept(model, name, info, values.get(name)) for name, info in model.model_fields.items()}
    return model.model_construct(**kept)


def _kept(model: type[BaseModel], name: str, info: FieldInfo, value: Any) -> Any:
    inner, many = _inner(model, name)
    absent = () if many else None if info.is_required() else info.get_default(call_default_factory=True)
    if value is None:
        return absent
    if inner is not None and many:
        return tuple(part_of(inner, item) for item in value if isinstance(item, Mapping)) if _is_list(value) else ()
    if inner is not None:
        return part_of(inner, value) if isinstance(value, Mapping) else None
    try:
        return _adapter(model, name).validate_python(value)
    except ValidationError:
        return absent


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


@cache
def _adapter(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    info = model.model_fields[name]
    metadata = tuple(info.metadata)
    return TypeAdapter(Annotated[info.annotation, *metadata] if metadata else info.annotation)  # type: ignore[arg-type]


@cache
def _inner(model: type[BaseModel], name: str) -> tuple[type[BaseModel] | None, bool]:
    """The model that stands in a field, None for a plain value; and whether the field is a list."""
    annotation: Any = model.model_fields[name].annotation
    many = False
    while True:
        origin = typing.get_origin(annotation)
        arguments = [one for one in typing.get_args(annotation) if one not in (type(None), Ellipsis)]
        is_optional = origin in (typing.Union, types.UnionType) and len(arguments) == 1
        if is_optional or origin is Annotated:
            annotation = arguments[0]
        elif origin in (list, tuple, frozenset) and len(arguments) == 1:
            annotation, many = arguments[0], True
        else:
            break
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return (annotation if is_model else None), many
