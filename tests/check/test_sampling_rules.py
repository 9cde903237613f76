"""What sampling plans, reports and risk points may say (gateway/check)."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from gateway.catalogue import Catalogue
from gateway.check import report_rules, risk_rules, sampling_rules
from gateway.check.report_rules import Period
from gateway.check.sampling_rules import SamplingPlan, Window, window_of
from gateway.errors import RulesInvalid


def plan(**terms: object) -> SamplingPlan:
    return SamplingPlan.model_validate({"source": "a test", "stratum": ["office"], "share": "0.2"} | terms)


def test_windows_follow_one_another_without_a_gap() -> None:
    """Each day lies in one window, whose name says which."""
    window = window_of(date(2026, 11, 20), 30)
    assert window.first <= date(2026, 11, 20) < window.next.first
    assert window.next.before == window
    assert {window_of(window.first.replace(day=day), 30) for day in range(10, 31)} == {window}
    assert Window(date(2026, 11, 13), 30).name == "2026-11-13/30"


@pytest.mark.parametrize(
    ("period", "day", "first", "last"),
    [
        (Period.DAY, date(2026, 2, 28), date(2026, 2, 28), date(2026, 2, 28)),
        (Period.MONTH, date(2028, 2, 7), date(2028, 2, 1), date(2028, 2, 29)),
        (Period.YEAR, date(2026, 12, 31), date(2026, 1, 1), date(2026, 12, 31)),
    ],
)
def test_periods_follow_one_another(period: Period, day: date, first: date, last: date) -> None:
    """A period begins after the one before it has ended."""
    assert (period.first(day), period.last(first)) == (first, last)
    assert period.first(period.next(first)) == period.next(first) > last


FAULTS: tuple[tuple[str, str], ...] = (
    ("schemas/rules/sampling/a.toml", "[spot]\nsource = 'x'\nshare = 2"),
    ("schemas/rules/sampling/a.toml", "spot = 1"),
    ("schemas/reports/a.toml", "en = 'x'"),
    ("schemas/reports/a.toml", "not toml"),
    (
        "schemas/reports/a.toml",
        "en='x'\nzh='x'\nsource='x'\nkinds=['a']\nrows=['b']\ncolumns=['b']\ndue='1 day'",
    ),
    ("schemas/reports/a.toml", "en='x'\nzh='x'\nsource='x'\nkinds=['a']\nrows=['b']\ndue='soon'"),
    ("schemas/reports/a.toml", "en='x'\nzh='x'\nsource='x'\nkinds=['a']\nrows=['b']\ndue='1 day'\nto={scheme='x'}"),
    ("schemas/rules/risk_points/a.toml", "[p]\nen = 'x'"),
    ("schemas/rules/risk_points/a.toml", "p = 1"),
)
POINT = "[p]\nen='x'\nzh='x'\nsource='x'\non='move'\nwhat=['a.b']\narea='work'\ngrade=1\nlevel='hq'\ndue='1 day'\n"
POINTS = (
    "key=['colour']",
    "key=['case']\nmore_than=3",
    "key=['case']\nstop=true\nmore_than=3\nwithin_days=3",
    "key=['case']\nwhen=[{field='case'}]",
    "key=['case']\nwhen=[{field='case', one_of=['a'], none_of=['b']}]",
    "key=['case']\nwhen=[{field='nothing', present=true}]",
    "key=[]",
)


@pytest.mark.parametrize(
    ("file", "text"), [*FAULTS, *(("schemas/rules/risk_points/a.toml", POINT + more) for more in POINTS)]
)
def test_a_file_that_says_nothing_sensible_is_named(file: str, text: str) -> None:
    """The fault is told with the file, at load."""
    load = {"sampling": sampling_rules.load, "reports": report_rules.load, "risk_points": risk_rules.load}
    catalogue = Catalogue({file: text.encode()})
    with pytest.raises(RulesInvalid, match=r"a\.toml"):
        load[file.split("/")[-2]](catalogue)


def test_files_of_a_folder_are_merged_and_no_name_comes_twice() -> None:
    """Two files bring plans or points side by side; one name in both is a fault."""
    for folder, text, load in (
        ("sampling", "[{}]\nsource='x'\nshare=0.5\n", sampling_rules.load),
        ("risk_points", POINT.replace("[p]", "[{}]") + "key=['case']\n", lambda c: risk_rules.load(c).points),
    ):
        files = {f"schemas/rules/{folder}/{name}.toml": text.format(name).encode() for name in "ab"}
        assert sorted(load(Catalogue(files))) == ["a", "b"]
        twice = {f"schemas/rules/{folder}/{name}.toml": text.format("a").encode() for name in "ab"}
        with pytest.raises(RulesInvalid, match="another file's already"):
            load(Catalogue(twice))


def test_points_are_found_by_what_they_are_about() -> None:
    """The index has each point under each thing that it is about; those that look back are listed apart."""
    text = POINT.replace("'a.b'", "'a.b','a.c'") + "key=['case']\nmore_than=2\nwithin_days=3\n"
    rules = risk_rules.load(Catalogue({"schemas/rules/risk_points/a.toml": text.encode()}))
    assert {key: [one.name for one in found] for key, found in rules.about.items()} == {
        ("move", "a.b"): ["p"],
        ("move", "a.c"): ["p"],
    }
    assert [one.name for one in rules.looking_back] == ["p"]


def test_a_plan_without_room_between_its_bounds_is_refused() -> None:
    """Of so many drawn, no whole number need lie between them."""
    with pytest.raises(ValidationError, match="whole number"):
        plan(at_least="0.19", at_most="0.21", least=10)
