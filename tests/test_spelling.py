"""What may have been meant by a name or a code that is none."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue_folders import shipped
from gateway.check import codes
from gateway.spelling import nearest_code

CODES = frozenset({"CN", "CL", "USD", "EUR", "CNY", "01", "12", "4", "KGM"})


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("cn", "CN"),
        (" CL ", "CL"),
        ("1", "01"),  # a zero left out
        ("04", "4"),  # or too much
        ("UDS", "USD"),  # two signs in the wrong order
        ("KGMS", "KGM"),
        ("KG", ""),  # of two signs each is near to many
        ("EU", ""),
        ("CNN", ""),  # CN and CNY are as near
        ("X" * 100, ""),
        ("", ""),
    ],
)
def test_a_code_is_near_where_only_one_is(value: str, code: str) -> None:
    """A misspelt code is told where one code alone is meant by it."""
    assert nearest_code(value, CODES) == code


@given(value=st.text(string.printable, max_size=25))
def test_what_is_near_is_a_code(value: str) -> None:
    """Whatever is asked for, the answer is a code of the list or nothing."""
    assert nearest_code(value, CODES) in CODES | {""}


@pytest.mark.parametrize(
    ("name", "column", "value", "suggested"),
    [
        ("country", "un", "CHILE", ("CL", True)),
        ("country", "un", "CHL", ("CL", True)),
        ("country", "un", "152", ("CL", True)),
        ("country", "numeric", "Chile", ("152", True)),
        ("country", "un", "智利", ("CL", True)),
        ("currency", "un", "US DOLLARS", ("", False)),
        ("currency", "un", "GBPP", ("GBP", False)),
        ("currency", "un", "UDS", ("", False)),  # UZS and others are as near
    ],
)
def test_a_name_or_another_tables_code_is_the_code(
    name: str, column: str, value: str, suggested: tuple[str, bool]
) -> None:
    """What stands in another column of the same row is what is meant; what is only misspelt is near."""
    assert codes.load(shipped(), name).suggest(value, column) == suggested
