from __future__ import annotations

import re

import pytest

from gateway.catalogue_folders import shipped
from gateway.check import codes
from gateway.errors import SchemaInvalid
from tests.catalogues import with_files

LISTS = codes.available(shipped())


@pytest.mark.parametrize("name", LISTS)
def test_every_list_says_where_it_comes_from(name: str):
    """Each code list names its source and words every code in English or Chinese."""
    known = codes.find(shipped(), name)
    assert known is not None
    assert known.source
    assert bool(known.version) is not bool(known.unversioned), "its version, or why it has none"
    assert all(row["en"] or row["zh"] for row in known.rows)


@pytest.mark.parametrize("name", LISTS)
def test_canonical_codes_are_unique(name: str):
    """No canonical code stands in two rows, so that each has one translation."""
    known = codes.find(shipped(), name)
    assert known is not None
    own = [row["un"] for row in known.rows]
    assert len(own) == len(set(own))


@pytest.mark.parametrize("name", LISTS)
def test_what_is_written_is_read_as_the_same_or_a_broader_code(name: str):
    """A code written for a partner is read again; where several share it, the first of them is meant."""
    known = codes.find(shipped(), name)
    assert known is not None
    for column in known.columns:
        for row in known.rows:
            theirs = known.from_canonical(row["un"], column)
            if theirs is None:
                continue
            again = known.to_canonical(theirs, column)
            assert again is not None
            assert known.from_canonical(again, column) == theirs


@pytest.mark.parametrize(
    ("name", "column", "theirs", "ours"),
    [
        ("country", "numeric", "156", "CN"),
        ("country", "customs", "142", "CN"),  # three digits until 2018
        ("country", "customs", "CHN", "CN"),
        ("country", "ciq", "840", "US"),
        ("country", "ciq", "USA", "US"),
        ("currency", "customs", "502", "USD"),
        ("currency", "ciq", "156", "CNY"),
        ("unit", "customs", "035", "KGM"),
        ("unit", "ciq", "070", "TNE"),
        ("unit", "ciq", "008", "008"),  # 只 has no code of its own among the UN's
        ("transport_mode", "ciq", "1", "1"),
        ("transport_mode", "customs", "2", "1"),
        ("transport_mode", "customs", "G", "7"),
        ("package", "ciq", "1A1", "QA"),
        ("package", "customs", "22", "CT"),
        ("container_type", "ciq", "111", "42G1"),
        ("container_type", "ciq", "221", "22R1"),
        ("package_unit", "x12", "CTN", "XCT"),
        ("weight_unit", "x12", "K", "KGM"),
        ("country", "a table of their own", "CN", "CN"),  # unknown tables use the canonical codes
    ],
)
def test_code_is_translated(name: str, column: str, theirs: str, ours: str):
    """Facts of the partners' tables."""
    known = codes.find(shipped(), name)
    assert known is not None
    assert known.to_canonical(theirs, column) == ours


@pytest.mark.parametrize(
    ("name", "column", "theirs"), [("country", "un", "XX"), ("country", "ciq", "000"), ("transport_mode", "ciq", "5")]
)
def test_unknown_code_is_none(name: str, column: str, theirs: str):
    """A code that a complete table does not have, or that has no equivalent, is no guess."""
    known = codes.find(shipped(), name)
    assert known is not None
    assert known.to_canonical(theirs, column) is None


def test_an_incomplete_list_lets_unknown_canonical_codes_pass():
    """Recommendation 20 has more units than our selection."""
    known = codes.find(shipped(), "unit")
    assert known is not None
    assert known.to_canonical("A9Z", "un") == "A9Z"
    assert known.from_canonical("A9Z", "ciq") is None


def test_a_code_that_would_mean_another_thing_may_not_be_kept():
    """The inspection service's 5 (passenger) would read as mail; customs' Z is nothing among the UN's."""
    known = codes.find(shipped(), "transport_mode")
    assert known is not None
    assert not known.may_keep("5", "ciq")
    assert known.may_keep("Z", "customs")


def test_countries_and_currencies_are_complete():
    """ISO 3166-1 has 249 countries, each with three codes; every customs country code is unique."""
    known = codes.find(shipped(), "country")
    assert known is not None
    assert len(known.rows) == 249
    assert all(re.fullmatch("[A-Z]{2}", r["un"]) and re.fullmatch("[A-Z]{3}", r["alpha3"]) for r in known.rows)
    assert all(re.fullmatch("[0-9]{3}", row["numeric"]) for row in known.rows)
    old = [code for row in known.rows for code in row["customs"].split("|")]
    assert len(old) == len(set(old))


def test_words_are_in_both_languages():
    """A code is worded in the reader's language, or stands as it is where no word is known."""
    known = codes.find(shipped(), "country")
    assert known is not None
    assert (known.words("CN"), known.words("CN", "zh"), known.words("XX", "zh")) == ("China", "中国", "XX")


@pytest.mark.parametrize(
    "content",
    [
        "un,en,zh\nA,a,甲\n",  # no source
        "# source: us\nciq,en,zh\nA,a,甲\n",  # not canonical first
        "# source: us\n# complete: ciq\nun,en,zh\nA,a,甲\n",  # complete in a column it has not
        "# source: us\nun,en,zh\nA,a\n",  # a field is missing
        "# source: us\n",
    ],
)
def test_a_broken_list_is_refused(content: str):
    """A list without source, header or fields is our own fault, told by name."""
    catalogue = with_files({"schemas/codes/broken.csv": content})
    with pytest.raises(SchemaInvalid, match=r"schemas/codes/broken\.csv"):
        codes.find(catalogue, "broken")
    assert codes.find(catalogue, "absent") is None
