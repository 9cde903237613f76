"""Which mode of supervision a consignment has: a table of cases, and what holds of every table."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.check.modes import Choice, Duty, ListedEnterprise, ListedGoods, Mode, ModeRules, OfficeKind
from gateway.decide.modes import choose_mode
from tests.flows.world import RULES

SINCE = date(2016, 1, 1)
BLACK = ListedEnterprise(code="3701000009", source="made up", valid_from=SINCE)
LISTED = replace(RULES.modes, enterprises=(BLACK,))

CHOSEN = [
    # direction, goods, enterprises, mode
    ("outbound", ["2008199990"], [], "export_direct"),
    ("outbound", ["3604100000"], [], "export_origin_port"),
    # One listed item makes the whole consignment's mode.
    ("outbound", ["2008199990", "3604100000"], [], "export_origin_port"),
    ("outbound", ["2008199990"], ["3701000009"], "export_port"),
    # The stricter of both.
    ("outbound", ["3604100000"], ["3701000001", "3701000009"], "export_port"),
    # A list is of one direction.
    ("outbound", ["0202300010"], [], "export_direct"),
    ("inbound", ["3604100000"], [], "import_direct"),
    ("inbound", ["0202300010"], [], "import_port"),
    ("inbound", ["8471300000"], ["3701000009"], "import_port"),
    # Nothing is known of the goods yet.
    ("inbound", [None], [None], "import_direct"),
    ("inbound", [], [], "import_direct"),
]


@pytest.mark.parametrize(("direction", "goods", "enterprises", "mode"), CHOSEN)
def test_a_consignment_has_the_mode_of_its_goods(
    direction: str, goods: list[str | None], enterprises: list[str | None], mode: str
) -> None:
    """Off the list, on it, or of an enterprise on the blacklist: the strictest that anything asks for."""
    assert choose_mode(LISTED, direction, goods, excluded=LISTED.is_blacklisted(enterprises)).id == mode


CODES = st.text("0123456789", min_size=4, max_size=10)
KINDS = list(OfficeKind)


@st.composite
def rules(draw: st.DrawFn) -> ModeRules:
    """Any modes and lists that may be loaded."""
    modes: dict[str, Mode] = {}
    choices: dict[str, Choice] = {}
    goods: list[ListedGoods] = []
    for direction in ("inbound", "outbound"):
        ids = [f"{direction}_{letter}" for letter in "abcd"[: draw(st.integers(2, 4))]]
        for id_, rank in zip(ids, draw(st.permutations(range(len(ids)))), strict=True):
            modes[id_] = Mode(
                id=id_, source="x", direction=direction, rank=rank, en="x", zh="x",
                inspects=draw(st.sampled_from(KINDS)), port=draw(st.frozensets(st.sampled_from(list(Duty)))),
                notifies=frozenset({OfficeKind.PORT}), releases=frozenset({OfficeKind.PORT}), transfer="allowed",
            )  # fmt: skip
        on = tuple(draw(st.lists(st.sampled_from(ids), min_size=1, unique=True)))
        choices[direction] = Choice(
            direction=direction, off=draw(st.sampled_from(ids)), on=on, blacklisted=draw(st.sampled_from(ids))
        )
        listed = draw(st.lists(CODES.map(lambda code: code[:4]), max_size=4, unique=True))
        goods += [
            ListedGoods(direction=direction, hs=hs, mode=draw(st.sampled_from(on)), source="x", valid_from=SINCE)
            for hs in listed
        ]
    return ModeRules(modes, choices, tuple(goods), (BLACK,))


@given(rules(), st.sampled_from(["inbound", "outbound"]), st.lists(CODES, max_size=5), st.booleans(), st.randoms())
def test_more_goods_never_make_a_mode_laxer(
    table: ModeRules, direction: str, goods: list[str], black: bool, random
) -> None:
    """Whatever the table: the order of goods says nothing, each one more makes it no laxer, and the blacklist neither."""
    enterprises = [BLACK.code] if black else []
    mode = choose_mode(table, direction, goods, excluded=table.is_blacklisted(enterprises))
    shuffled = list(goods)
    random.shuffle(shuffled)
    assert choose_mode(table, direction, shuffled, excluded=table.is_blacklisted(enterprises)) is mode
    for left_out in range(len(goods)):
        fewer = choose_mode(
            table, direction, goods[:left_out] + goods[left_out + 1 :], excluded=table.is_blacklisted(enterprises)
        )
        assert fewer.rank <= mode.rank
    assert choose_mode(table, direction, goods).rank <= mode.rank
    if black:
        assert mode.rank >= table.modes[table.choices[direction].blacklisted].rank
    assert mode.direction == direction
    assert mode.rank >= table.modes[table.choices[direction].off].rank
    for code in goods:
        for line in table.goods:
            if line.direction == direction and code.startswith(line.hs):
                assert mode.rank >= table.modes[line.mode].rank
