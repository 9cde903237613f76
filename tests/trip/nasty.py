"""Good messages of every format, and the same with one value that is built to surprise, for every kind of field.

The messages are the samples' documents, written by every table there is. Which field stands at which place is read
off the examiner's own trace; the values are made by hand.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Annotated, Any, get_args

from lxml import etree
from pydantic import AwareDatetime, BaseModel

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.documents import MODELS, Document, base
from gateway.model import Place, Syntax
from gateway.translate import envelope, table
from gateway.translate.context import Context
from gateway.trip.examine import examine
from gateway.trip.examined import ANY, Message
from gateway.trip.origins import origins_of
from tests.trip.rig import RULES, START

LIMIT = 1 << 24

MADE: Mapping[str, dict[str, Any]] = {
    # Documents of which no sample comes in
    "customs_entry": {
        "number": "422720261234567890",
        "function": "9",
        "notice_number": "370200126000001001",
        "direction": "inbound",
        "status": "released",
        "declared_at": "2026-03-01T08:00:00+08:00",
        "entry_date": "2026-03-01",
        "goods": [
            {
                "sequence_number": 1,
                "hs_code": "2204210000",
                "name": "WINE",
                "quantity": {"value": "10.5", "unit": "LTR"},
            }
        ],
        "containers": ["CSQU3054383"],
        "remarks": "NONE",
    },
    "release": {
        "number": "N1",
        "decided_at": "2026-03-01T08:00:00+08:00",
        "transport": {"mode": "1", "flag": "CN"},
        "containers": [
            {
                "number": "CSQU3054383",
                "decision": "lock",
                "is_undeclared": True,
                "reasons": [{"code": "1", "text": "WHY"}],
            }
        ],
    },
    "response": {
        "id": "R1",
        "document": "declaration",
        "declaration_number": "370200126000001",
        "outcome": "accepted",
        "at": "2026-03-01T08:00:00+08:00",
        "text": "FINE",
        "reasons": [{"code": "1", "text": "WHY"}],
    },
}

TEXTS = [
    # numbers, as any syntax writes them
    "1E9999999",
    "1E-9999999",
    "0E-9999999",
    "0E9999999",
    "1e999999999999999999999",
    "1E400",
    "-0",
    "-1",
    "+1",
    ".5",
    "5.",
    "1,5",
    "1_000",
    "0x10",
    "NaN",
    "sNaN",
    "-Infinity",
    "９９",
    "٣",
    "²",
    "9" * 25,
    "9" * 61,
    "9" * 5000,
    "0." + "1" * 30,
    # days and instants
    "00000000",
    "00010101",
    "99991231",
    "20260229",
    "20261301",
    "000101010000",
    "999912312359",
    "202603010860",
    "20260301086060",
    "202603010800XYZ",
    "202603010800+99",
    "196912312359",
    "490101",
    "500101",
    "0001-01-01",
    "9999-12-31",
    "10000-01-01",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "1969-12-31T23:59:59Z",
    "2026-03-01T08:00:60Z",
    "2026-03-01T24:00:00Z",
    "2026-03-01T08:00:00+99:99",
    "2026-03-01T08:00:00.123456789Z",
    # texts and codes
    " ",
    "\t",
    "\x01",
    "\x7f",
    "\ufffe",
    "\u202e",
    "𠮷",
    "é\u0301",
    "A" * 4001,
    "goods[" + "9" * 5000 + "]",
    "{value}",
    "%s%n",
    "'; --",
    "true",
    "null",
    "CSQU305438٣",
    "ABCU12345６７",
]
"""What stands in the value's place; what a syntax cannot hold is written as it can."""

TOKENS = [
    # JSON's own
    "1e999999999",
    "1E400",
    "1E-400",
    "0E-9999999",
    "1e999999999999999999999",
    "-0",
    "-0.0",
    "NaN",
    "Infinity",
    "-Infinity",
    "9" * 5000,
    "0." + "1" * 70,
    "1" + "0" * 59,
    "true",
    "null",
    "[]",
    "{}",
    "[[[]]]",
    "[" * 40 + "]" * 40,
    '{"1": 2, "goods[0]": 3}',
    '{"a": 1, "a": 2}',
    '"\\ud800"',
    '"\\udfff\\ud800"',
    '"\\u0000"',
    '"\\ufffe"',
    '""',
]


@dataclass(frozen=True)
class Wire:
    """A good message of one format. `places` says where, for each kind of field, one stands."""

    document: str
    format: str
    syntax: Syntax
    body: bytes
    places: Mapping[str, Place]

    def with_value(self, kind: str, text: str, serial: int) -> bytes:
        """The message with `text` in the place of the field of that kind, under numbers of its own."""
        place = self.places[kind]
        match self.syntax:
            case Syntax.EDIFACT:
                return _in_segments(self.body, place, text, "'", "+", ":", "UNH", f"EDI{serial}", b"ANREF1")
            case Syntax.X12:
                return _in_segments(self.body, place, text, "~", "*", ">", "ST", f"{serial:09}", b"000000001")
            case Syntax.XML:
                return _in_xml(self.body, place, text, serial)
            case _:
                return self.with_token(kind, json.dumps(text), serial)

    def with_token(self, kind: str, token: str, serial: int) -> bytes:
        """The JSON message with `token` as it stands."""
        value = json.loads(self.body)
        value["reference"] = f"J{serial}"
        at: Any = value
        *steps, last = self.places[kind].path.split("/")[1:]
        for step in ("document", *steps):
            at = at[int(step)] if isinstance(at, list) else at[step]
        at[int(last) if isinstance(at, list) else last] = "@@"
        return json.dumps(value).replace('"@@"', token).encode()


@cache
def wires() -> tuple[Wire, ...]:
    """One good message of every format that a table writes."""
    return tuple(filter(None, (_wire(name, format_) for name, format_ in table.available(shipped()))))


@cache
def documents() -> Mapping[str, Document]:
    """The fullest document of each type."""
    found = {name: MODELS[name].model_validate(values) for name, values in MADE.items()}
    for path in sorted(data.samples().glob("*/*/in.*")):
        if path.stat().st_size > 100_000:
            continue
        for item in _examined(path.read_bytes()):
            if isinstance(item, Message) and item.document is not None:
                known = found.get(item.document_type)
                if known is None or len(item.document.model_dump_json()) > len(known.model_dump_json()):
                    found[item.document_type] = item.document
    return found


def _examined(body: bytes) -> Iterator[object]:
    return examine(shipped(), body, [ANY], RULES.at(START.date()), unpacked_limit=LIMIT)


def _narrower(name: str, format_: str) -> Iterator[bytes]:
    """Samples in a format that is not for all that the fullest document says."""
    for path in sorted((data.samples() / name).glob("*/document.json")):
        yield written(MODELS[name].model_validate_json(path.read_text("utf-8")), name, format_)


def _wire(name: str, format_: str) -> Wire | None:
    """The document in that format; where it is read back, with the places of its values."""
    body = written(documents()[name], name, format_) or next(filter(None, _narrower(name, format_)))
    read = next((item for item in _examined(body) if isinstance(item, Message)), None)
    assert read is not None, format_
    places: dict[str, Place] = {}
    for path, place in origins_of(read, shipped()).items():
        kind = _kind(MODELS[name], path)
        if kind and place != Place():
            places.setdefault(kind, place)
    return Wire(name, format_, Syntax(format_.partition(":")[0]), body, places)


def written(document: Document, name: str, format_: str, context: Context = Context()) -> bytes:  # noqa: B008 - frozen
    """The document in that format, in an envelope."""
    reference = "000000001" if format_.startswith("x12") else "ANREF1"
    at = START.astimezone(context.zone)
    frame = envelope.Frame("ZZ:SENDER", "ZZ:GATEWAY", reference, at=at)
    return envelope.render(shipped(), document, table.load(shipped(), name, format_), context, frame).body


def _kind(model: type[BaseModel], path: str) -> str:
    """What kind of value stands at a path of the document."""
    annotation: Any = model
    for step in re.sub(r"\[\d+\]", "", path).split("."):
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)) or (
            step not in annotation.model_fields
        ):
            return ""
        info = annotation.model_fields[step]
        annotation = _bare(Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation)
    origin = get_args(annotation)[0] if get_args(annotation) else annotation
    if origin is str:
        return TEXT_KINDS[str(annotation)]
    return "choice" if isinstance(origin, type) and issubclass(origin, Enum) else KINDS.get(origin, "")


KINDS = {bool: "flag", Decimal: "number", datetime: "moment", AwareDatetime: "moment", date: "day", int: "count"}
TEXT_KINDS = {str(type_): name for name, type_ in vars(base).items() if get_args(type_)[:1] == (str,)}
"""Every kind of text that the documents' base has, by its annotation."""


def _bare(annotation: Any) -> Any:
    """An annotation without None and without the list around it."""
    while True:
        inner = [a for a in get_args(annotation) if a not in (type(None), Ellipsis)]
        if getattr(annotation, "__metadata__", None) and get_args(annotation)[0] in (str, *KINDS):
            return annotation
        if not inner or isinstance(annotation, type):
            return annotation
        annotation = inner[0]


def _in_segments(
    body: bytes,
    place: Place,
    text: str,
    terminator: str,
    separator: str,
    component: str,
    header: str,
    reference: str,
    old: bytes,
) -> bytes:
    whole = body.replace(old, reference.encode()).decode("utf-8", "surrogateescape")
    head, whole = (whole[:9], whole[9:]) if whole.startswith("UNA") else ("", whole)
    segments = whole.split(terminator)
    first = next(n for n, s in enumerate(segments) if s.strip().startswith(f"{header}{separator}"))
    at = first + (place.segment or 1) - 1
    elements = segments[at].split(separator)
    parts = elements[place.element or 1].split(component)
    parts[(place.component or 1) - 1] = text
    elements[place.element or 1] = component.join(parts)
    segments[at] = separator.join(elements)
    return (head + terminator.join(segments)).encode("utf-8", "surrogateescape")


def _in_xml(body: bytes, place: Place, text: str, serial: int) -> bytes:
    root = etree.fromstring(body)
    at = root
    for step in place.path.split("/")[2:]:
        name, _, number = step.rstrip("]").partition("[")
        named = [child for child in at if etree.QName(child).localname == name]
        at = named[int(number or 1) - 1]
    at.text = "@@"
    found = etree.tostring(root, encoding="unicode").replace("ANREF1", f"X{serial}")
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return found.replace("@@", escaped).encode("utf-8")


def zipped(parts: list[bytes]) -> bytes:
    """Files in one zip, in this order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, part in enumerate(parts):
            archive.writestr(f"{number:04}", part)
    return buffer.getvalue()
