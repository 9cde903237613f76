"""Query parameters: read once, checked once, described in OpenAPI from the same values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from gateway.errors import NotFound
from gateway.web.problems import BadRequest

M = TypeVar("M", bound=BaseModel)

_LARGEST_BODY = 64 * 1024
"""Bytes of a request that says what is wanted."""


async def read_body(request: web.Request, model: type[M]) -> M:
    """The body as an object, all of whose members may be left out; BadRequest where it is none."""
    body = await request.content.read(_LARGEST_BODY + 1)
    if len(body) > _LARGEST_BODY:
        raise BadRequest("The body is no such object: it is too large.")
    try:
        return model.model_validate_json(body or b"{}")
    except ValidationError as error:
        found = error.errors(include_input=False)
        told = "; ".join(".".join([*map(str, one["loc"]), one["msg"]]) for one in found)
        raise BadRequest(f"The body is no such object: {told}.") from error


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within bounds."""

    name: str
    description: str
    default: int
    minimum: int
    maximum: int

    def of(self, request: web.Request) -> int:
        """Its value in `request`, or the default; BadRequest where it is no such number."""
        text = request.query.get(self.name)
        if text is None:
            return self.default
        value = _maybe_whole(text)
        if value is None or not self.minimum <= value <= self.maximum:
            raise BadRequest(f"{self.name} must be a whole number from {self.minimum} to {self.maximum}.")
        return value

    def schema(self) -> dict[str, object]:
        """Its JSON Schema."""
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum, "default": self.default}


@dataclass(frozen=True, slots=True)
class Text:
    """Free text, or one of `choices`."""

    name: str
    description: str
    choices: tuple[str, ...] = ()
    longest: int = 0
    """Characters at most, all of them printable; 0 where anything may be asked for."""

    def of(self, request: web.Request) -> str:
        """Its value in `request`, or an empty string; BadRequest where it is none of the choices."""
        text = request.query.get(self.name, "")
        if text and self.choices and text not in self.choices:
            raise BadRequest(f"{self.name} must be one of {', '.join(self.choices)}.")
        if self.longest and (len(text) > self.longest or not text.isprintable()):
            raise BadRequest(f"{self.name} has at most {self.longest} printable characters.")
        return text

    def schema(self) -> dict[str, object]:
        """Its JSON Schema."""
        schema: dict[str, object] = {"type": "string"}
        if self.choices:
            schema["enum"] = list(self.choices)
        if self.longest:
            schema["maxLength"] = self.longest
        return schema


@dataclass(frozen=True, slots=True)
class Flag:
    """`true` or `false`."""

    name: str
    description: str

    def of(self, request: web.Request) -> bool:
        """Its value in `request`; false where absent; BadRequest where it is neither."""
        text = request.query.get(self.name, "false")
        if text not in ("true", "false"):
            raise BadRequest(f"{self.name} must be true or false.")
        return text == "true"

    def schema(self) -> dict[str, object]:
        """Its JSON Schema."""
        return {"type": "boolean", "default": False}


ITEMS = 100
"""Messages, events or deliveries in one answer unless another number is asked for: a screen's worth or two, and a hundred
declarations with all their findings and receipts are still made into JSON in some milliseconds."""
MOST_ITEMS = 500
"""What may be asked for."""

Parameter = Whole | Text | Flag

MAX_INTEGER = 2**63 - 1
"""The largest index or sequence a store can hold."""
MAX_NUMBER = 2**31 - 1
"""The largest number of a message in a payload that a store can hold."""

_DIGITS = 19
"""As many as MAX_INTEGER has; padding with zeros is no way to write more."""


def _maybe_whole(text: str) -> int | None:
    """The number that ASCII digits, no more of them than a store can hold, write; else None."""
    return int(text) if len(text) <= _DIGITS and text.isascii() and text.isdigit() else None


TEST = Flag("test", "Look among test traffic; a test key always does")


_LONGEST = 200
"""Characters of an id or business key that are looked for at all; the longest business keys have 70."""


def identifier(text: str) -> str:
    """An id or business key from a path or cursor; NotFound where no store could hold such a one."""
    if len(text) > _LONGEST or not text.isprintable():
        raise NotFound
    return text


def index(text: str, name: str) -> int:
    """A whole number from a path or cursor; BadRequest where it is none, or no store can hold it."""
    value = _maybe_whole(text)
    if value is None or value > MAX_INTEGER // 2:  # what is computed with it can be held as well
        raise BadRequest(f"{name} must be a whole number.")
    return value


def whole(text: str, most: int = MAX_INTEGER) -> int:
    """A whole number from a cursor, which may be negative; BadRequest where it is none.

    A column holds numbers from -`most` to `most`; behind and before these stands the same as at them.
    """
    value = -index(text[1:], "cursor") if text.startswith("-") else index(text, "cursor")
    return max(-most, min(value, most))
