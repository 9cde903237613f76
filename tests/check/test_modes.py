"""Modes of supervision as data: what ships, and what is wrong with a file."""

from __future__ import annotations

from datetime import date

import pytest

from gateway.catalogue_folders import shipped
from gateway.check import modes
from gateway.check.modes import Duty, OfficeKind
from gateway.errors import RulesInvalid
from tests.catalogues import with_files

SHIPPED = modes.load(shipped())
FILE = "schemas/rules/modes/consignment.toml"

# The five modes of the reform, as its text says them: what the port does, who inspects.
QUOTED = [
    ("export_direct", "产地检验合格直接放行", OfficeKind.ORIGIN, set()),
    ("export_origin_port", "产地检验+口岸查验/监装", OfficeKind.ORIGIN, {Duty.CHECK, Duty.SUPERVISE_LOADING}),
    ("export_port", "产地监管+口岸检验检疫", OfficeKind.PORT, {Duty.INSPECT}),
    ("import_direct", "属地检验检疫+口岸预防性消毒（必要时）", OfficeKind.DESTINATION, {Duty.DISINFECT}),
    ("import_port", "口岸检验检疫+口岸预防性消毒（必要时）", OfficeKind.PORT, {Duty.INSPECT, Duty.DISINFECT}),
]


@pytest.mark.parametrize(("id_", "zh", "inspects", "port"), QUOTED)
def test_the_modes_are_those_of_the_reform(id_: str, zh: str, inspects: OfficeKind, port: set[Duty]) -> None:
    """Each mode is told in its own words, and says which office inspects and what the port does."""
    mode = SHIPPED.modes[id_]
    assert (mode.zh, mode.inspects, set(mode.port)) == (zh, inspects, port)
    assert len(SHIPPED.modes) == len(QUOTED)


def test_a_line_holds_on_its_days_only() -> None:
    """A line of a list is not there before its first day, nor after its last."""
    text = shipped().text(FILE) + (
        '\n[[goods]]\ndirection = "inbound"\nhs = "9999"\nsource = "made up"\n'
        "valid_from = 2026-02-01\nvalid_until = 2026-02-28\n"
    )
    rules = modes.load(with_files({FILE: text}))
    found = [rules.at(day).find_listed("9999000000", "inbound") is not None for day in DAYS]
    assert found == [False, True, True, False]


DAYS = [date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28), date(2026, 3, 1)]


def test_the_line_that_says_most_is_the_one() -> None:
    """Of two lines that fit goods, the one with the longer code says the mode."""
    text = shipped().text(FILE) + (
        '\n[[goods]]\ndirection = "outbound"\nhs = "36049000"\nmode = "export_port"\nsource = "made up"\n'
        "valid_from = 2016-01-01\n"
    )
    rules = modes.load(with_files({FILE: text}))
    found = [rules.find_listed(code, "outbound") for code in ("3604900010", "3604100000", "8471300000", None)]
    assert [line and line.mode for line in found] == ["export_port", "export_origin_port", None, None]
    assert rules.find_listed("3604900010", "inbound") is None


LINE = '[[goods]]\ndirection = "{}"\nhs = "{}"\nmode = "{}"\nsource = "made up"\nvalid_from = 2026-01-01\n'
WRONG = [
    # what a further file says, what is wrong with it
    (LINE.format("inbound", "05", "export_port"), "cannot have the mode export_port"),
    (LINE.format("outbound", "05", ""), "must be said"),
    (LINE.format("outbound", "5", "export_port"), "hs"),
    ('[[enterprise]]\ncode = "1"\nsource = "x"\nvalid_from = 2026-02-01\nvalid_until = 2026-01-01\n', "before"),
    ('[[choice]]\ndirection = "inbound"\noff = "import_direct"\non = ["import_port"]\nblacklisted = "import_port"\n', "twice"),
    ('[[modes]]\nid = "x"\n', "found modes"),
    ("[goods]\n", "[[goods]]"),
    ("[[goods]\n", "modes/more.toml"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fault"), WRONG)
def test_what_is_wrong_with_a_file_is_told(text: str, fault: str) -> None:
    """A line that could not be meant is refused when the rules are loaded, in words."""
    with pytest.raises(RulesInvalid) as refused:
        modes.load(with_files({"schemas/rules/modes/more.toml": text}))
    assert fault in str(refused.value)


def test_a_choice_names_modes_of_its_own_direction() -> None:
    """An import cannot have an export's mode."""
    text = shipped().text(FILE).replace('blacklisted = "import_port"', 'blacklisted = "export_port"')
    with pytest.raises(RulesInvalid, match="no mode export_port of inbound"):
        modes.load(with_files({FILE: text}))


def test_modes_of_one_direction_have_ranks_of_their_own() -> None:
    """Nobody could say which of two is the stricter otherwise."""
    text = shipped().text(FILE).replace("rank = 30", "rank = 20")
    with pytest.raises(RulesInvalid, match="one rank"):
        modes.load(with_files({FILE: text}))
