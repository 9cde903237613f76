"""Converters: named pairs that read a value off the wire and write it back, so that no rule is one-way by accident.

A row names its converter and, after a colon, an argument: `text`, `datetime:203`, `code:country`, `joined:35`.
A `Converter` deals with one slot of the wire, a `ManyConverter` with several that hold one value together.
What cannot be converted raises `Unconvertible`, which the engine turns into a finding at its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Any

from gateway.check.codes import CodeList
from gateway.documents import values
from gateway.errors import MappingInvalid
from gateway.spelling import nearest_code
from gateway.translate import moments, pieces
from gateway.translate.context import Context
from gateway.translate.fault import Missing


class Unconvertible(Exception):
    """A value that its converter cannot read or write; never leaves the room.

    `kept` is what goes on in its stead: the value as it stands where that does no harm, None for nothing.
    """

    def __init__(self, code: str, kept: Any = None, **args: str) -> None:
        super().__init__(code)
        self.code = code
        self.kept = kept
        self.words = args


@dataclass(frozen=True, slots=True)
class Converter:
    """A pair for one slot. `companion` is the format qualifier that travels beside the value (EDIFACT 2379)."""

    name: str
    read: Callable[[str, Context], Any]
    write: Callable[[Any, Context], str]
    companion: str = ""
    read_as: Callable[[str, str, Context], Any] | None = None
    """Reads the value under the companion qualifier that the sender gave."""


@dataclass(frozen=True, slots=True)
class ManyConverter:
    """A pair for several slots that hold one value; `widths` are the slots' lengths, 0 where unknown."""

    name: str
    read: Callable[[Sequence[str], Sequence[int], Context], Any]
    write: Callable[[Any, Sequence[int], Context], list[str]]


Factory = Callable[[str], Converter | ManyConverter]
Lists = Callable[[str], CodeList | None]
"""Finds a code list by its name."""

CONSTANTS = frozenset({"constant", "position"})
"""Row kinds that the engine itself writes: they have no field."""

CONTROLS = frozenset({"count", "total"})
"""Row kinds that are written from the document and verified on reading."""

SCOPES = frozenset({"each"})
"""Row kinds that tie a list to what repeats on the wire."""


def hint(code: str, is_meant: bool = False) -> dict[str, str]:
    """The arguments by which a finding says what would be right: the code that is meant, or one near to it."""
    return {"right" if is_meant else "near": code} if code else {}


def _text_read(text: str, _context: Context) -> Any:
    return text.rstrip(" ")


def _text_write(value: Any, _context: Context) -> str:
    return value if isinstance(value, str) else str(value)


def text(argument: str) -> Converter:
    """`text`: as it stands, without trailing blanks, which carry no meaning on a wire of variable lengths."""
    _no_argument("text", argument)
    return Converter("text", _text_read, _text_write)


def cut(argument: str) -> Converter:
    """`cut:35`: text that may lose its end on output (and says so); for names, never for identifiers."""
    width = _positive("cut", argument)

    def write(value: Any, _context: Context) -> str:
        if len(value) > width:
            raise Unconvertible("translate.cut", str(value)[:width].rstrip(" "), max=str(width))
        return str(value)

    return Converter(f"cut:{width}", _text_read, write)


_NUMBER = re.compile(r"-?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:E-?[0-9]{1,3})?")
_WHOLE = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:E[0-9]{1,3})?")
_DIGITS = re.compile(r"[+-]?[0-9]+")


def _read_number(text: str, form: re.Pattern[str]) -> Decimal:
    """The number that stands in `text` in that form; Unconvertible where there is none, or one beyond what is read."""
    stripped = text.strip(" ")
    if form.fullmatch(stripped) is None:
        raise Unconvertible("translate.number")
    try:
        return values.number(stripped.replace(",", "."))
    except ValueError as error:
        raise Unconvertible("translate.number") from error


def number(argument: str) -> Converter:
    """`number`: a Decimal; point or comma on input (ISO 9735-1, 10), the agreed mark on output. `number:2` is implied decimals."""
    if argument:
        return _implied(_positive("number", argument))

    def read(text: str, _context: Context) -> Decimal:
        return _read_number(text, _NUMBER)

    def write(value: Any, context: Context) -> str:
        plain = plain_number(value)
        if context.delimiters is not None and context.delimiters.decimal == ",":
            return plain.replace(".", ",")
        return plain

    return Converter("number", read, write)


def _implied(places: int) -> Converter:
    def read(text: str, _context: Context) -> Decimal:
        return _read_number(text, _DIGITS).scaleb(-places)

    def write(value: Any, _context: Context) -> str:
        scaled = Decimal(value).scaleb(places)
        if scaled != scaled.to_integral_value():
            raise Unconvertible("translate.precision", str(int(scaled)), max=str(places))
        return str(int(scaled))

    return Converter(f"number:{places}", read, write)


def integer(argument: str) -> Converter:
    """`integer`: a whole number."""
    _no_argument("integer", argument)

    def read(text: str, _context: Context) -> int:
        value = _read_number(text, _WHOLE)
        if value != value.to_integral_value():
            raise Unconvertible("translate.number")
        return int(value)

    return Converter("integer", read, lambda value, _context: str(int(value)))


def padded(argument: str) -> Converter:
    """`padded:3`: a whole number in exactly so many digits, with zeros before it, as a representation `n3` wants it."""
    width = _positive("padded", argument)
    read = number("").read

    def write(value: Any, _context: Context) -> str:
        plain = plain_number(value)
        whole = plain.partition(".")[0]
        if len(whole) > width:
            raise Unconvertible("translate.too_long", None, length=str(len(whole)), max=str(width))
        if whole != plain:
            raise Unconvertible("translate.precision", whole.zfill(width), max="0")
        return whole.zfill(width)

    return Converter(f"padded:{width}", read, write)


def plain_number(value: Any) -> str:
    """`value` without exponent and without trailing zeros behind the mark."""
    if value.__class__ is int:
        return str(value)
    plain = values.plain(Decimal(value))
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def digits(argument: str) -> Converter:
    """`digits:4..12`: a code of that many digits, such as a tariff heading; anything else is left out."""
    first, dots, last = argument.partition("..")
    if not first.isdigit() or (dots and not last.isdigit()):
        raise MappingInvalid(f"converter digits needs a length or a range, not {argument!r}")
    form = re.compile(rf"[0-9]{{{first},{last or first}}}")

    def read(text: str, _context: Context) -> str:
        if form.fullmatch(stripped := text.strip(" ")) is None:
            raise Unconvertible("translate.form", form=f"n{argument}")
        return stripped

    return Converter(f"digits:{argument}", read, _text_write)


def flag(argument: str) -> Converter:
    """`flag:1,0`: true and false by these two values."""
    yes, comma, no = argument.partition(",")
    if not yes or not comma:
        raise MappingInvalid("converter flag needs two values, as in flag:1,0")

    def read(text: str, _context: Context) -> bool:
        if text not in (yes, no):
            raise Unconvertible("translate.code", list=argument)
        return text == yes

    return Converter(f"flag:{argument}", read, lambda value, _context: yes if value else no)


def mapped(argument: str) -> Converter:
    """`map:9=original,1=cancellation`: a short code list of the table's own, wire value first."""
    pairs = [pair.partition("=") for pair in argument.split(",")]
    if any(not wire or not equals or not ours for wire, equals, ours in pairs):
        raise MappingInvalid(f"converter map: {argument!r} is no list of wire=value")
    ours_of = {wire: ours for wire, _, ours in reversed(pairs)}
    wire_of = {ours: wire for wire, _, ours in reversed(pairs)}

    def read(text: str, _context: Context) -> str:
        if (ours := ours_of.get(text)) is None:
            raise Unconvertible("translate.code", text, list=",".join(ours_of), **hint(nearest_code(text, ours_of)))
        return ours

    def write(value: Any, _context: Context) -> str:
        if (wire := wire_of.get(str(value))) is None:
            raise Unconvertible("translate.code.unwritable", list=",".join(wire_of))
        return wire

    return Converter(f"map:{argument}", read, write)


def mapped_only(argument: str) -> Converter:
    """`only:11=release`: as `map`, in a format that is for these values alone; a document with another is not written."""
    like = mapped(argument)

    def write(value: Any, context: Context) -> str:
        try:
            return like.write(value, context)
        except Unconvertible as error:
            raise Unconvertible("translate.only", **error.words) from error

    return Converter(f"only:{argument}", like.read, write)


def code(argument: str, lists: Lists) -> Converter:
    """`code:country` or `code:country:numeric`: a code list, by the partner's own tables or a fixed column."""
    name, _, fixed = argument.partition(":")
    table = lists(name)
    if table is None:
        raise MappingInvalid(f"converter code: there is no code list {name!r}", missing=Missing("code list", name))
    if fixed and fixed not in table.columns:
        raise MappingInvalid(f"converter code: {name} has no column {fixed!r}")

    def read(text: str, context: Context) -> str:
        scheme = fixed or context.code_tables
        ours = table.to_canonical(text, scheme)
        if ours is None:
            kept = text if table.may_keep(text, scheme) else None
            found = "translate.code" if table.gates(scheme) else "translate.code.unlisted"
            raise Unconvertible(found, kept, list=f"{name}:{scheme}", **hint(*table.suggest(text, scheme)))
        return ours

    def write(value: Any, context: Context) -> str:
        scheme = fixed or context.code_tables
        theirs = table.from_canonical(str(value), scheme)
        if theirs is None:
            raise Unconvertible("translate.code.unwritable", list=f"{name}:{scheme}")
        return theirs

    return Converter(f"code:{argument}", read, write)


def separated(argument: str) -> Converter:
    """`list:,`: a list of plain texts in one slot, between separators (a comma where the argument is empty)."""
    mark = argument or ","

    def read(text: str, _context: Context) -> list[str]:
        return [part for part in text.split(mark) if part]

    def write(value: Any, _context: Context) -> str:
        parts = [str(part) for part in value]
        if any(mark in part for part in parts):
            raise Unconvertible("translate.separator", None, separator=mark)
        return mark.join(parts)

    return Converter(f"list:{mark}", read, write)


def date(argument: str) -> Converter:
    """`date:102,101`: a calendar day, by EDIFACT 2379 codes or patterns such as CCYY-MM-DD; the first is written."""
    layouts = [moments.layout(name) for name in (argument or "102").split(",")]

    def read(text: str, _context: Context) -> Any:
        return _first(layouts, lambda layout: layout.read_date(text.strip(" ")), argument)

    def read_as(text: str, qualifier: str, _context: Context) -> Any:
        given = moments.known(qualifier)
        return _first([given] if given else layouts, lambda layout: layout.read_date(text.strip(" ")), qualifier)

    def write(value: Any, _context: Context) -> str:
        try:
            return layouts[0].write_date(value)
        except ValueError as error:
            raise Unconvertible("translate.year", None, format=layouts[0].name) from error

    return Converter(f"date:{argument}", read, write, layouts[0].code, read_as)


def datetime(argument: str) -> Converter:
    """`datetime:203,102`: an instant, laid out as in `date`; a local time without offset is in the agreement's zone."""
    layouts = [moments.layout(name) for name in (argument or "203").split(",")]

    def read(text: str, context: Context) -> Any:
        return _first(layouts, lambda layout: layout.read_instant(text.strip(" "), context.zone), argument)

    def read_as(text: str, qualifier: str, context: Context) -> Any:
        given = moments.known(qualifier)
        tried = [given] if given else layouts
        return _first(tried, lambda layout: layout.read_instant(text.strip(" "), context.zone), qualifier)

    def write(value: Any, context: Context) -> str:
        try:
            written = layouts[0].write_instant(value, context.zone)
        except ValueError as error:
            raise Unconvertible("translate.year", None, format=layouts[0].name) from error
        if layouts[0].cuts(value):
            raise Unconvertible("translate.moment_cut", written, written=written)
        return written

    return Converter(f"datetime:{argument}", read, write, layouts[0].code, read_as)


def _first(layouts: Sequence[moments.AnyLayout], read: Callable[[moments.AnyLayout], Any], format_: str) -> Any:
    """What the first layout that fits reads."""
    for layout in layouts:
        try:
            return read(layout)
        except (ValueError, OverflowError):
            continue
    raise Unconvertible("translate.datetime", format=format_)


def joined(argument: str) -> ManyConverter:
    """`joined:35`: one text over several slots of that width (of their own widths without an argument)."""
    width = _positive("joined", argument) if argument else 0

    def read(parts: Sequence[str], widths: Sequence[int], _context: Context) -> str:
        return pieces.join(parts, [width] * len(widths) if width else widths)

    def write(value: Any, widths: Sequence[int], _context: Context) -> list[str]:
        cells, rest = pieces.split(str(value), [width] * len(widths) if width else widths)
        if rest:
            raise Unconvertible("translate.cut", cells, max=str(sum(len(c) for c in cells)))
        return cells

    return ManyConverter(f"joined:{argument}", read, write)


def equipment(argument: str) -> ManyConverter:
    """`equipment`: a container number in two slots, its four letters (X12 206) and its digits (X12 207)."""
    _no_argument("equipment", argument)

    def read(parts: Sequence[str], _widths: Sequence[int], _context: Context) -> str:
        return "".join(part.strip(" ") for part in parts)

    def write(value: Any, widths: Sequence[int], _context: Context) -> list[str]:
        if len(widths) != 2:
            raise MappingInvalid("converter equipment needs two elements")
        prefix = re.match(r"[A-Z]*", str(value))
        at = prefix.end() if prefix else 0
        return [str(value)[:at], str(value)[at:]]

    return ManyConverter("equipment", read, write)


_UNIVERSAL = ("UT", "GM")
"""Codes of X12 623 that say universal time; a time without a code, or of the code LT, is local."""


def moment(argument: str) -> ManyConverter:
    """`moment`: an instant in three slots, X12's date (373), time (337) and time code (623); written in local time."""
    _no_argument("moment", argument)
    layouts = [moments.layout("204"), moments.layout("203")]

    def read(parts: Sequence[str], _widths: Sequence[int], context: Context) -> Any:
        day, time, code = (part.strip(" ") for part in (*parts, "", "", "")[:3])
        if code not in (*_UNIVERSAL, "LT", ""):
            raise Unconvertible("translate.datetime", format="UT, GM, LT")
        zone = UTC if code in _UNIVERSAL else context.zone
        return _first(layouts, lambda layout: layout.read_instant(day + time, zone), "CCYYMMDD HHMM[SS]")

    def write(value: Any, widths: Sequence[int], context: Context) -> list[str]:
        if len(widths) != 3:
            raise MappingInvalid("converter moment needs three elements")
        written = layouts[0].write_instant(value, context.zone)
        return [written[:8], written[8:], "LT"]

    return ManyConverter("moment", read, write)


FACTORIES: dict[str, Factory] = {
    "text": text,
    "cut": cut,
    "number": number,
    "integer": integer,
    "padded": padded,
    "digits": digits,
    "flag": flag,
    "map": mapped,
    "only": mapped_only,
    "list": separated,
    "date": date,
    "datetime": datetime,
    "joined": joined,
    "equipment": equipment,
    "moment": moment,
}


CODED: dict[str, Callable[[str, Lists], Converter]] = {"code": code}
"""Those that go by a code list."""


def make(spec: str, lists: Lists) -> Converter | ManyConverter:
    """The converter that `spec` names; MappingInvalid where there is none or its argument is wrong."""
    name, _, argument = spec.partition(":")
    if (coded := CODED.get(name)) is not None:
        return coded(argument, lists)
    factory = FACTORIES.get(name)
    if factory is None:
        raise MappingInvalid(f"there is no converter {name!r}", missing=Missing("converter", name))
    return factory(argument)


def _no_argument(name: str, argument: str) -> None:
    if argument:
        raise MappingInvalid(f"converter {name} takes no argument")


def _positive(name: str, argument: str) -> int:
    if not argument.isdigit() or int(argument) < 1:
        raise MappingInvalid(f"converter {name} needs a number above zero, not {argument!r}")
    return int(argument)
