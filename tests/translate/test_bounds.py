"""Numbers, days and instants at the bounds of what documents hold, through every format and in awkward zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue_folders import shipped
from gateway.check import codes
from gateway.documents import MODELS, Document, values
from gateway.model import Syntax
from gateway.translate import moments, table
from gateway.translate.context import Context
from gateway.translate.convert import Converter, Unconvertible, make
from tests.trip import nasty

ZONES = ("UTC", "Asia/Shanghai", "Asia/Kolkata", "Africa/Monrovia", "Pacific/Kiritimati", "America/St_Johns")
MOMENTS = (
    values.FIRST_MOMENT,
    datetime(1971, 6, 1, tzinfo=UTC),  # Monrovia is 44 minutes and 30 seconds behind
    datetime(2026, 3, 1, 23, 59, 59, 999999, tzinfo=UTC),
    values.LAST_MOMENT,
)
DAYS = (values.FIRST_DAY, date(1949, 12, 31), date(2050, 1, 1), values.LAST_DAY)
NUMBERS = (Decimal(0), Decimal("1E-8"), Decimal(10**16 - 1), Decimal("9999999999999999.99999999"))


def filled(value: Any, serial: int) -> Any:
    """`value` with each number, day and instant in it replaced by one at the bounds."""
    match value:
        case dict():
            return {name: filled(inner, serial) for name, inner in value.items()}
        case list() | tuple():
            return [filled(inner, serial) for inner in value]
        case datetime():
            return MOMENTS[serial % len(MOMENTS)]
        case date():
            return DAYS[serial % len(DAYS)]
        case Decimal():
            return NUMBERS[serial % len(NUMBERS)]
    return value


@pytest.mark.parametrize(("document", "format_"), table.available(shipped()))
def test_what_a_document_holds_can_be_written(document: str, format_: str) -> None:
    """Every format writes them, or says that it leaves them out; nothing raises and nothing grows."""
    original = nasty.documents()[document]
    for serial in range(4):
        made = MODELS[document].model_validate(filled(original.model_dump(exclude_none=True), serial))
        for zone in ZONES:
            body = nasty.written(made, document, format_, Context(time_zone=zone))
            assert len(body) < 20_000
            if format_.startswith(Syntax.JSON):
                assert body
                assert _read_again(made) == made


def single(spec: str) -> Converter:
    """A converter of one slot."""
    converter = make(spec, lambda name: codes.find(shipped(), name))
    assert isinstance(converter, Converter)
    return converter


def _read_again(made: Document) -> Document:
    return type(made).model_validate(made.to_json())


LAYOUTS = ["iso", *moments.CODES, "CCYYMMDDTHH:MM:SS"]


@given(st.timedeltas(timedelta(0), values.LAST_MOMENT - values.FIRST_MOMENT), st.data())
def test_instants_come_back(since: timedelta, data: st.DataObject) -> None:
    """Written and read again in any zone an instant is the same, as far as the format has places for it, or left out."""
    moment = values.FIRST_MOMENT + since
    layout, zone = data.draw(st.sampled_from(LAYOUTS)), data.draw(st.sampled_from(ZONES))
    converter, context = single(f"datetime:{layout}"), Context(time_zone=zone)
    try:
        text = converter.write(moment, context)
    except Unconvertible as told:
        text = str(told.kept or "")
    if text and "HH" in moments.CODES.get(layout, "HH") and layout in ("iso", "204", "304", "CCYYMMDDTHH:MM:SS"):
        back = converter.read(text, context)
        wanted = moment if layout == "iso" else moment.replace(microsecond=0)
        # An hour that a zone has twice is read as the first of the two, where no offset stands beside it.
        assert back == wanted or (layout in ("204", "CCYYMMDDTHH:MM:SS") and abs(back - wanted).total_seconds() <= 7200)


@pytest.mark.parametrize(
    ("layout", "zone", "text"),
    [
        ("304", "Asia/Shanghai", "20260301080000+08"),
        ("304", "Asia/Kolkata", "20260301000000+00"),  # +05:30 has no place in three characters
        ("304", "America/St_Johns", "20260301000000+00"),
        ("iso", "Asia/Kolkata", "2026-03-01T05:30:00+05:30"),
    ],
)
def test_an_offset_is_never_rounded(layout: str, zone: str, text: str) -> None:
    """What a format cannot write as an offset it writes as UTC."""
    assert single(f"datetime:{layout}").write(datetime(2026, 3, 1, tzinfo=UTC), Context(time_zone=zone)) == text


def test_an_offset_of_seconds_is_not_written() -> None:
    """XML Schema and JSON have no seconds in an offset, which Monrovia had until 1972."""
    written = single("datetime:iso").write(datetime(1971, 6, 1, tzinfo=UTC), Context(time_zone="Africa/Monrovia"))
    assert written == "1971-06-01T00:00:00+00:00"


@pytest.mark.parametrize("day", [date(1949, 12, 31), date(2050, 1, 1), date(1000, 1, 1)])
def test_two_digits_tell_no_other_year(day: date) -> None:
    """A year that two digits would tell as another is left out, and said so."""
    with pytest.raises(Unconvertible) as told:
        single("date:101").write(day, Context())
    assert told.value.code == "translate.year"


@pytest.mark.parametrize("text", nasty.TEXTS)
@pytest.mark.parametrize("converter", ["number", "number:2", "integer", "padded:3", "date:102,101", "datetime:203,iso"])
def test_converters_read_or_refuse(converter: str, text: str) -> None:
    """No text makes a converter raise anything but its refusal, or gives a value beyond the bounds."""
    try:
        value = single(converter).read(text, Context(time_zone="Pacific/Kiritimati"))
    except Unconvertible:
        return
    if isinstance(value, Decimal):
        assert len(values.plain(value)) <= 2 * values.MAX_LENGTH
    elif isinstance(value, datetime):
        assert values.FIRST_MOMENT <= value <= values.LAST_MOMENT
    elif isinstance(value, date):
        assert values.FIRST_DAY <= value <= values.LAST_DAY
    else:
        assert abs(value) < 10**values.MAX_LENGTH
