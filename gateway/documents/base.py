"""What all canonical documents share: frozen models, and the kinds of value their fields hold.

Fields are named with UN/CEFACT and WCO terms. Coded values are ISO and UN codes (ISO 3166-1 alpha-2
countries, ISO 4217 currencies, UN/ECE Recommendation 20 units, 19 transport modes, 21 packages); where
neither has an equivalent, the inspection service's own code stands. An absent value is None or an
empty tuple, never an empty string, so that a document says each thing in one way only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache, cached_property
from typing import Annotated, Any, ClassVar, Self, cast, get_args, get_origin

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictBool,
    StrictInt,
    StringConstraints,
)
from pydantic.fields import FieldInfo

from gateway.documents import values
from gateway.model import Finding


class Unfit(ValueError):
    """A value that its field cannot hold; its text is the finding's code."""


def _iso_date(value: Any) -> Any:
    """Let only ISO 8601 dates through: pydantic would read bare digits as seconds since 1970."""
    if isinstance(value, datetime) or not isinstance(value, date | str):
        raise Unfit("document.date")
    if isinstance(value, str) and not values.is_day(value):
        raise Unfit("document.date")
    return value


def _iso_datetime(value: Any) -> Any:
    """Let only ISO 8601 times with an offset through, for the same reason."""
    if isinstance(value, datetime) or (isinstance(value, str) and values.is_moment(value)):
        return value
    raise Unfit("document.moment")


def _known_day(value: date) -> date:
    """Refuse a day that some format could not write."""
    try:
        return values.known_day(value)
    except ValueError as error:
        raise Unfit("document.date.range") from error


def _known_moment(value: datetime) -> datetime:
    """Refuse an instant that some zone or format could not write."""
    try:
        return values.known_moment(value)
    except ValueError as error:
        raise Unfit("document.moment.range") from error


def _number(value: Any) -> Any:
    """Let only numbers through that are read; booleans and binary fractions, whose decimal value is an accident, are not."""
    if isinstance(value, bool | float):
        raise Unfit("document.type.number")
    try:
        if isinstance(value, str):
            return values.number(value.strip())
        return values.bounded(Decimal(value)) if isinstance(value, int | Decimal) else value
    except values.Beyond as error:
        raise Unfit("document.number.range") from error
    except ValueError as error:
        raise Unfit("document.type.number") from error


Text = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=4000,
        pattern=r"^[^\x00-\x08\x0b-\x1f\x7f\u{fffe}\u{ffff}]*$",
    ),
]
"""Text of any script, without the control characters that XML cannot carry; blanks around it are dropped."""
Lines = Annotated[
    str, StringConstraints(min_length=1, max_length=1 << 20, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f\u{fffe}\u{ffff}]*$")
]
"""Lines of a file that a program reads, such as TOML: a megabyte of them, as they are."""
Code = Annotated[
    str, StringConstraints(min_length=1, max_length=35, pattern=r"^[^\s\x00-\x1f\x7f-\x9f\u{fffe}\u{ffff}]+$")
]
"""A coded value or identifier without blanks and control characters (UN/EDIFACT gives an..35 to references)."""
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in lower-case hex."""
Reference = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=70, pattern=r"^[^\x00-\x1f\x7f-\x9f\u{fffe}\u{ffff}]*$"
    ),
]
"""A number that people give to a paper; it may hold blanks."""
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 4217."""
Unit = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,3}$")]
"""UN/ECE Recommendation 20 (codes of packages, used as units, carry an X before them)."""
TransportMode = Annotated[str, StringConstraints(pattern=r"^[0-9]$")]
"""UN/ECE Recommendation 19: 1 sea, 2 rail, 3 road, 4 air, 5 mail, 6 multimodal, 7 fixed, 8 inland water."""
HsCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{4,12}$")]
"""Harmonised System heading with national digits; China declares 10."""
ContainerNumber = Annotated[str, StringConstraints(min_length=1, max_length=17, pattern=r"^[A-Z0-9]+$")]
"""ISO 6346 number, 11 characters; UN/EDIFACT 8260 holds 17, and units without ISO numbers exist."""
DeclarationNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{15}$")]
"""报检号: organisation 6, direction 1 (1 inbound, 2 outbound), year 2, sequence 6."""
NoticeNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{18}$")]
"""通关单号: the declaration number and 3 more digits."""
Number = Annotated[
    Decimal,
    BeforeValidator(_number),
    Field(ge=0, max_digits=values.MAX_DIGITS, decimal_places=values.MAX_PLACES),
    PlainSerializer(values.plain, return_type=str, when_used="json"),
]
"""A non-negative decimal; the digits are capped so that an exponent cannot make it huge."""
Count = Annotated[StrictInt, Field(ge=0, le=10**9)]
"""A whole number of things."""
Version = Annotated[StrictInt, Field(ge=1, le=10**9)]
"""How often something has changed, from 1."""
Flag = StrictBool
Day = Annotated[date, BeforeValidator(_iso_date), AfterValidator(_known_day)]
Moment = Annotated[AwareDatetime, BeforeValidator(_iso_datetime), AfterValidator(_known_moment)]


def item(title: str, description: str, *, source: str = "", many: bool = False, required: bool = False) -> Any:
    """Declare one data item: `title` in Chinese, `description` in English, `source` where it is defined.

    `source` names the inspection message's element (`CIQ ContractNo`), the UN/EDIFACT data element or
    the WCO Data Model class it stands for; it shows in the JSON Schema as `x-source`.
    """
    extra: dict[str, Any] = {"x-source": source} if source else {}
    default: Any = ... if required else () if many else None
    field: FieldInfo = Field(default, title=title, description=description, json_schema_extra=extra)
    return field


class Part(BaseModel):
    """A group of data items within a document."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def count_items(part: object) -> int:
    """How many items the lists of a document, of one of its parts, or of its JSON hold together."""
    if isinstance(part, list | tuple):
        return len(part) + sum(map(count_items, part))
    if isinstance(part, Part):
        held = part.__dict__
        return sum(count_items(value) for name in _list_fields(type(part)) if (value := held[name]))
    return sum(map(count_items, part.values())) if isinstance(part, Mapping) else 0


@cache
def _list_fields(model: type[BaseModel]) -> tuple[str, ...]:
    """Fields of a model that hold lists, or parts with such fields: every document is looked at, and in it only those."""
    return tuple(name for name, field in model.model_fields.items() if _holds_lists(field.annotation))


def _holds_lists(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return bool(_list_fields(annotation))
    return get_origin(annotation) in (tuple, list) or any(_holds_lists(inner) for inner in get_args(annotation))


KEPT_VERSION = "$version"
"""Beside the values of a kept document, the version of its model; no field can have that name."""


def without_version(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a kept document as people and programs are shown them."""
    return {name: value for name, value in values.items() if name != KEPT_VERSION}


class Document(Part):
    """A canonical document: what a message means, whatever format it came in.

    One that messages bring or take says its type; others are kept in cases only.
    """

    document_type: ClassVar[str] = ""
    """The name of its type, which agreements, mappings and feeds use."""
    each: ClassVar[str] = ""
    """The list by whose items it is decided, piece after piece, each item with an outcome of its own; empty for one that is
    decided as a whole."""
    shape: ClassVar[int] = 1
    """Of the model: counted up where values that were kept before would no longer be read, and `grow` says how they are."""

    @cached_property
    def extent(self) -> int:
        """How many items all its lists hold together; counted once, also for the process that gets it from another."""
        return count_items(self)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with what `update` says; its extent is its own."""
        copied = super().model_copy(update=update, deep=deep)
        for name in ("extent", "_kept"):
            copied.__dict__.pop(name, None)
        return copied

    def find_containers(self) -> Iterator[tuple[str, str | None]]:
        """The places and numbers of containers in it, whose form and check digits are to be looked at."""
        return iter(())

    def find_contradictions(self) -> Iterator[Finding]:
        """What its values say against one another, whatever the rules of the day: findings at its own paths.

        It is also asked of what is left of a faulty message (`partial.part_of`), where a required value may be None.
        """
        return iter(())

    def repeated(self) -> frozenset[int]:
        """The positions, in the list by which it is decided, of items about what an item before them is about."""
        return frozenset()

    def to_kept(self) -> Mapping[str, Any]:
        """Its JSON for the store, with the version of the model where that is not the first.

        A message's record and its case keep the same: it is made once, and given to whoever asks.
        """
        return self._kept

    @cached_property
    def _kept(self) -> Mapping[str, Any]:
        return self.to_json() if self.shape == 1 else {**self.to_json(), KEPT_VERSION: self.shape}

    @classmethod
    def from_kept(cls, values: Mapping[str, Any]) -> Self:
        """The document that `to_kept` gave `values` of, by this version of the model or by an earlier one.

        ValidationError for values that are none of its. The same values, which nobody changes, are read once: a decision
        asks for a case's document at each of its steps.
        """
        known = _READ.get((cls, id(values)))
        if known is not None and known[0] is values:
            return cast("Self", known[1])
        grown: Mapping[str, Any] = without_version(values)
        for version in range(values.get(KEPT_VERSION, 1), cls.shape):
            grown = cls.grow(grown, version)
        document = cls.model_validate(grown)
        if document.extent <= _SHORT:
            if len(_READ) >= _MOST_READ:
                _READ.clear()
            _READ[cls, id(values)] = (values, document)
        return document

    @classmethod
    def grow(cls, values: Mapping[str, Any], version: int) -> Mapping[str, Any]:  # noqa: ARG003 - for models that grew
        """`values` that were kept by `version` of the model, as the next version has them."""
        return values

    def to_json(self) -> dict[str, Any]:
        """The document as JSON values, absent items left out; numbers are strings, so that none is rounded."""
        return self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)


_READ: dict[tuple[type[Document], int], tuple[Mapping[str, Any], Document]] = {}
"""Documents that were read of late, each with the values it was read of, by their identity; these are held, so that no others
can have it."""
_MOST_READ, _SHORT = 64, 500
"""So many documents of so many items at most are held: some tens of megabytes, if all are of the longest."""
