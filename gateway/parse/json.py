"""Reads a JSON message strictly: one object, no name twice, no number JSON does not have.

Numbers with a fraction become Decimal, so that no amount is rounded on its way in; one that JSON does not
have, or that no later stage could take, is a finding at its place.
"""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from gateway.documents import values
from gateway.documents.faults import pointer_step
from gateway.findings import MOST_TOLD, kept, make_finding
from gateway.model import LONGEST_STEP, Finding, Place, cut
from gateway.parse.charsets import recognise

MAX_BYTES = 32 << 20
"""Largest message read: a document is built in memory whole; larger loads travel as EDI, which streams."""

MAX_DEPTH = 32
"""Deepest nesting read: canonical documents nest 6 levels deep."""

MAX_VALUES = 1_000_000
"""Most values read: each takes some two hundred bytes in memory, however few it took on the wire. A ship's manifest of
three thousand bills has two hundred thousand."""

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_BRACKETS = re.compile(r"[\[\]{}]")
_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(slots=True)
class JsonRead:
    """What was read; `value` is None where a finding is an error.

    `rest` is then what can be looked at all the same: of a name that stands twice the last, what is no number as text.
    """

    value: dict[str, Any] | None
    findings: list[Finding] = field(default_factory=list)
    rest: dict[str, Any] | None = None


class _Unreadable(ValueError):
    """Ends the reading at the first fault that leaves nothing to read on with."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.code)
        self.finding = finding


class _Repeated(dict[str, Any]):
    """An object in which names stand twice."""

    names: tuple[str, ...] = ()


class _NoNumber(str):
    """What stands where a number should, as it is written."""

    __slots__ = ()


def read(body: bytes, *, max_bytes: int = MAX_BYTES) -> JsonRead:
    """The JSON object in `body` (UTF-8, or UTF-16 with a byte order mark), or the findings why not."""
    if len(body) > max_bytes:
        return too_large(len(body), max_bytes=max_bytes)
    try:
        text = _decode(body)
        if not text.strip():
            return _refused("json.empty")
        # Without its escaped backslashes and quotes, text can be looked at by regular expressions.
        bare = text.replace("\\\\", "").replace('\\"', "")
        if _depth(bare) > MAX_DEPTH:
            return _refused("json.too_deep", max=str(MAX_DEPTH))
        # Every value but the first of a list or an object stands behind a comma.
        if (count := sum(map(bare.count, "[{,"))) > MAX_VALUES:
            return _refused("json.too_many_values", count=str(count), max=str(MAX_VALUES))
        if _SURROGATE.search(_PAIR.sub("", bare)):
            return _refused("json.surrogate")
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_NoNumber, parse_float=_decimal, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        place = Place(line=error.lineno, path="")
        args = {"detail": error.msg, "line": str(error.lineno), "column": str(error.colno)}
        return JsonRead(None, [make_finding("json.syntax", place=place, **args)])
    except _Unreadable as error:
        return JsonRead(None, [error.finding])
    if not isinstance(value, dict):
        return _refused("json.not_object")
    found = _faults(value, "")
    return JsonRead(None, found, value) if found else JsonRead(value, found, value)


def too_large(size: int, *, max_bytes: int = MAX_BYTES) -> JsonRead:
    """What `read` says of a message of `size` bytes, without them."""
    return _refused("json.too_large", size=str(size), max=str(max_bytes))


def _refused(code: str, **args: str) -> JsonRead:
    return JsonRead(None, [make_finding(code, Place(), "", **args)])


def _decode(body: bytes) -> str:
    charset, start = next(((name, len(bom)) for bom, name in _BOMS if body.startswith(bom)), ("utf-8", 0))
    try:
        return body[start:].decode(charset)
    except UnicodeDecodeError as error:
        where = start + error.start
        said: dict[str, object] = {"charset": charset.upper(), "offset": where}
        if likely := recognise(body[start:], but=charset):
            said["likely"] = likely
        raise _Unreadable(make_finding("json.charset", Place(), "", **said)) from error


def _depth(text: str) -> int:
    """How deep `text`, which holds no escaped quotes, nests; brackets inside strings do not count."""
    deepest = level = 0
    # Whatever stands between quotes is a string: every other piece is outside one.
    for piece in text.split('"')[::2]:
        for mark in _BRACKETS.findall(piece):
            level += 1 if mark in "{[" else -1
            deepest = max(deepest, level)
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    counts = Counter(name for name, _ in pairs)
    repeated = _Repeated(value)
    repeated.names = tuple(name for name, count in counts.items() if count > 1)
    return repeated


def _faults(value: Any, path: str) -> list[Finding]:
    """A finding, at its JSON pointer, for each name that stands twice in one object and each number that is none."""
    return kept(_walk(value, path), MOST_TOLD)


def _walk(value: Any, path: str) -> Iterator[Finding]:
    """The findings of a value and all within it."""
    if isinstance(value, _NoNumber):
        yield make_finding("json.number", place=Place(path=path), value=cut(str(value), values.MAX_LENGTH + 1))
    if isinstance(value, _Repeated):
        for name in value.names:
            yield make_finding(
                "json.duplicate", place=Place(path=f"{path}/{pointer_step(name)}"), name=cut(name, LONGEST_STEP)
            )
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, dict | list | _NoNumber):
                yield from _walk(inner, f"{path}/{pointer_step(name)}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            if isinstance(inner, dict | list | _NoNumber):
                yield from _walk(inner, f"{path}/{index}")


def _decimal(text: str) -> Decimal | _NoNumber:
    try:
        return values.number(text)
    except ValueError:
        return _NoNumber(text)


def _integer(text: str) -> int | _NoNumber:
    # Python itself refuses to convert some thousand digits.
    return int(text) if len(text) <= values.MAX_LENGTH else _NoNumber(text)
