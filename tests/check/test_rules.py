from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import Enum
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from gateway import findings
from gateway.catalogue_folders import shipped
from gateway.check import rulebook, rules
from gateway.check.rulebook import Condition, Treatment
from gateway.discovery import find_flows
from gateway.documents import MODELS, ClearanceNotice, CustomsEntry, Declaration, Manifest, Transfer
from gateway.documents.parts import Function, Movement
from gateway.documents.release import ReleaseNotice
from gateway.errors import RulesInvalid
from gateway.model import Severity
from tests.catalogues import with_files
from tests.counted import count_calls

DAY = date(2026, 11, 20)
FLOW_RULES = find_flows().rules
RULES = rulebook.load(shipped(), FLOW_RULES).at(DAY)

GOODS = {
    "hs_code": "2008199990",
    "ciq_code": "2008199990101",
    "name": "花生仁",
    "standard_quantity": {"value": "1000", "unit": "KGM"},
    "value": {"value": "5000", "currency": "USD"},
    "use": "11",
    "packs": [{"type": "CT", "quantity": 50, "is_main": True}],
}
BOTH = {
    "function": "9",
    "kind": "10",
    "declared_at": "2026-11-20T15:00:00+08:00",
    "declaration_organisation": "370100",
    "certificate_organisation": "370100",
    "inspection_organisation": "370100",
    "declarant": {
        "registration_number": "3701000001",
        "name": "齐鲁食品有限公司",
        "person_number": "3701000011",
        "person_name": "某甲",
        "contact": "某甲",
        "telephone": "000-0000",
    },
    "transport": {"mode": "1"},
    "trade_mode": "11",
    "trade_country": "KR",
    "contract_number": "C-77",
    "goods_place": "1号仓",
    "marks": "N/M",
    "attachment_names": "合同",
}
OUT = {
    "direction": "outbound",
    "purpose_organisation": "370200",
    "consignor": {"code": "3701000001", "name": "齐鲁食品有限公司"},
    "arrival_port": "KRPUS",
    "goods": [
        {
            **GOODS,
            "origin_place": "370100",
            "producer_registration": "3701000001",
            "producer_name": "齐鲁食品有限公司",
            "production_date": "2026-11-01",
        }
    ],
}
IN = {
    "direction": "inbound",
    "consignee": {"code": "3701000001", "name": "齐鲁食品有限公司", "foreign_name": "QILU FOODS"},
    "bill_of_lading": "BL-1",
    "delivery_order": "D-1",
    "departure_country": "DE",
    "departure_port": "DEHAM",
    "departure_date": "2026-10-10",
    "destination": "370100",
    "entry_port": "370201",
    "arrival_date": "2026-11-19",
    "goods": [{**GOODS, "origin_country": "DE"}],
}


def declaration(direction: dict[str, object], **changes: object) -> Declaration:
    return Declaration.model_validate({**BOTH, **direction, **changes})


def found(document) -> list[tuple[str, str]]:
    return [(f.code, f.place.path) for f in rules.check(document, RULES)]


@pytest.mark.parametrize("direction", [OUT, IN])
def test_a_complete_declaration_has_no_findings(direction):
    """Every mandatory item of its direction is there, and nothing else is asked for."""
    assert found(declaration(direction)) == []


@pytest.mark.parametrize(("direction", "name"), [(OUT, "outbound"), (IN, "inbound")])
def test_each_mandatory_item_is_missed_where_it_is_missing(direction, name):
    """Taking away any one item of the rule file gives one finding, at that item."""
    for item in RULES.of(rulebook.DeclarationMandatory).item:
        if name not in item.directions or item.when:
            continue
        values = declaration(direction).model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        _take_away(values, item.field)
        place = item.field.replace("[]", "[0]")
        assert found(Declaration.model_validate(values)) == [("rules.mandatory", place)]


def _take_away(values, path):
    *way, last = path.replace("[]", ".0").split(".")
    for step in way:
        values = values[int(step)] if step.isdigit() else values[step]
    del values[last]


def test_a_missing_group_is_told_once():
    """Without a declarant there is one finding for the group, not one for each of its items."""
    missing = found(declaration(OUT, declarant=None))
    assert missing == [("rules.mandatory", "declarant")]


def test_items_wanted_under_a_condition():
    """A related declaration needs its reason; a dangerous good its name, only on the item that is dangerous."""
    assert found(declaration(OUT, related_number="370100226000001")) == [("rules.mandatory", "related_reason")]
    goods = OUT["goods"][0]
    two = declaration(OUT, goods=[goods, {**goods, "un_number": "1049"}])
    assert found(two) == [("rules.mandatory", "goods[1].dangerous_name")]


def test_a_cancellation_need_not_repeat_the_declaration():
    """To withdraw, the number is enough."""
    withdrawn = {"function": "1", "direction": "outbound", "number": "370100226000001"}
    assert found(Declaration.model_validate(withdrawn)) == []


def test_a_change_need_only_hold_what_changes():
    """Items of a list that it does hold are complete, though."""
    changed = {"function": "4", "direction": "outbound", "number": "370100226000001"}
    assert found(Declaration.model_validate({**changed, "contract_number": "C-78"})) == []
    goods = {**OUT["goods"][0], "use": None}
    assert found(Declaration.model_validate({**changed, "goods": [goods]})) == [("rules.mandatory", "goods[0].use")]


GOODS_FAULTS = [
    # No goods at all.
    ([], [("rules.goods.empty", "goods")]),
    # The first ten digits must be the HS code's.
    ([{"ciq_code": "2008199991101"}], [("rules.goods.codes_differ", "goods[0].ciq_code")]),
    # And there must be thirteen.
    ([{"ciq_code": "200819999010"}], [("rules.goods.codes_differ", "goods[0].ciq_code")]),
    # No blank in the Chinese name, the wide one included.
    ([{"name": "花生 仁"}], [("rules.goods.blank", "goods[0].name")]),
    ([{"name": "花生\u3000仁"}], [("rules.goods.blank", "goods[0].name")]),
    # One of the packages is the main one.
    ([{"packs": [{"type": "CT", "quantity": 1}]}], [("rules.goods.main_pack", "goods[0].packs")]),
    # Each item is checked.
    ([{}, {"name": "a b"}], [("rules.goods.blank", "goods[1].name")]),
    # A container number with a wrong check digit, and one that is no ISO number.
    ([{"containers": [{"number": "CSQU3054384"}]}], [("rules.container.check_digit", "goods[0].containers[0].number")]),
    ([{"containers": [{"number": "WAGON17"}]}], [("rules.container.form", "goods[0].containers[0].number")]),
    ([{"containers": [{"number": "CSQU3054383"}]}], []),
]


@pytest.mark.parametrize(("goods", "expected"), GOODS_FAULTS)
def test_goods_are_checked_one_by_one(goods, expected):
    """Each fault stands at its own item and field."""
    document = declaration(OUT, goods=[{**OUT["goods"][0], **changes} for changes in goods])
    assert found(document) == expected


def test_a_notice_number_begins_with_the_declaration_number():
    """18 digits: the declaration number and three more."""
    values = {
        "number": "370100226000001000",
        "function": "9",
        "direction": "outbound",
        "declaration_number": "370100226000001",
        "status": "issued",
        "goods": [{"hs_code": "2008199990"}],
    }
    assert found(ClearanceNotice.model_validate(values)) == []
    other = {**values, "declaration_number": "370100226000002"}
    assert found(ClearanceNotice.model_validate(other)) == [("rules.notice.number", "number")]
    entry = {
        "number": "1",
        "function": "9",
        "direction": "outbound",
        "status": "accepted",
        "notice_number": "370100226000001000",
        "declaration_number": "370100226000002",
    }
    assert found(CustomsEntry.model_validate(entry)) == [("rules.notice.number", "notice_number")]


def test_the_other_documents_are_checked_too():
    """Transfers need goods with agreeing codes, release notices containers; a manifest's numbers are told."""
    transfer = {
        "number": "T-1",
        "function": "9",
        "direction": "outbound",
        "declaration_number": "370100226000001",
        "from_organisation": "370100",
        "to_organisation": "370200",
    }
    assert found(Transfer.model_validate(transfer)) == [("rules.goods.empty", "goods")]
    goods = [{"hs_code": "2008199990", "ciq_code": "2008199991101"}]
    assert found(Transfer.model_validate({**transfer, "goods": goods})) == [
        ("rules.goods.codes_differ", "goods[0].ciq_code")
    ]
    assert found(ReleaseNotice.model_validate({"number": "R"})) == [("rules.containers.empty", "containers")]
    manifest = {"number": "M", "function": "9", "bills": [{"containers": [{"number": "CSQU3054384"}]}]}
    assert found(Manifest.model_validate(manifest)) == [
        ("rules.container.check_digit", "bills[0].containers[0].number")
    ]


@pytest.mark.parametrize("number", ["CSQU3054384", "WAGON17"])
def test_a_strange_container_number_is_told_and_refuses_nothing(number):
    """Boxes without ISO numbers exist, and a carrier reports what is painted on them."""
    manifest = Manifest.model_validate(
        {"number": "M", "function": "9", "bills": [{"containers": [{"number": number}]}]}
    )
    told = list(rules.check(manifest, RULES))
    assert [f.severity for f in told] == [Severity.WARNING]
    assert not findings.rejects(told)


# How the work grows.


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel] | None, bool]]:
    """Each field: its name, the model in it, whether it is a list."""
    for name, field in model.model_fields.items():
        listed = any(getattr(a, "__origin__", a) is tuple for a in (field.annotation, *get_args(field.annotation)))
        yield name, rulebook._model_in(field.annotation), listed


def _lists(model: type[BaseModel], before: str = "") -> Iterator[str]:
    """The path of every list of a document."""
    for name, inner, listed in _fields(model):
        if listed:
            yield f"{before}{name}"
        if inner is not None:
            yield from _lists(inner, f"{before}{name}.")


def _filled(model: type[BaseModel], long: str, size: int, *, bare: bool, before: str = "") -> Any:
    """A document in which the list at `long` has `size` items and every other one; `bare` items hold nothing but it."""
    values: dict[str, Any] = {}
    for name, inner, listed in _fields(model):
        path, annotation = f"{before}{name}", model.model_fields[name].annotation
        on_the_way = long == path or long.startswith(f"{path}.")
        if bare and not on_the_way and (before or listed):
            values[name] = () if listed else None
            continue
        value = "X1" if inner is None else _filled(inner, long, size, bare=bare, before=f"{path}.")
        value = next((member for member in _enumerated(annotation)), value)
        values[name] = (value,) * (size if path == long else 1) if listed else value
    return model.model_construct(**values)


def _enumerated(annotation: Any) -> Iterator[Enum]:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        yield from annotation
    for inner in get_args(annotation):
        yield from _enumerated(inner)


@pytest.mark.parametrize("bare", [True, False], ids=["bare", "full"])
@pytest.mark.parametrize(("model", "long"), [(m, long) for m in MODELS.values() for long in _lists(m)])
def test_twice_as_long_a_list_takes_twice_the_work(model, long, bare):
    """Whatever list of whatever document is doubled, the rules' work does not grow by its square."""
    for direction in Movement:
        works = []
        for size in (200, 400):
            stated = {"direction": direction, "function": Function.ORIGINAL}
            document = _filled(model, long, size, bare=bare)
            document = document.model_copy(update={k: v for k, v in stated.items() if k in model.model_fields})
            works.append(count_calls(lambda document=document: list(rules.check(document, RULES))))
        assert works[1] < 2.5 * works[0] + 1000


@pytest.mark.parametrize("model", MODELS.values())
def test_more_items_than_one_decision_may_hold_are_refused(model):
    """A list of any document that is too long is told once, and nothing else is looked for."""
    lists = [name for name in _lists(model) if "." not in name]
    for name in lists:
        # A list each of whose items is decided by itself may be long.
        most = 100_000 if name == model.each else 3_000
        bare = _filled(model, name, most + 1, bare=True)
        assert found(bare) == [("rules.too_many_items", name)]
        (finding,) = rules.check(bare, RULES)
        assert (finding.args["count"], finding.args["max"]) == (str(most + 1), str(most))


def test_findings_have_words():
    """Each finding names what it is about, in both languages."""
    (finding,) = rules.check(declaration(OUT, contract_number=None), RULES)
    assert "contract_number" in findings.text(finding)
    assert "合同号" in findings.text(finding, "zh")


CONDITIONS = [
    ({"field": "direction", "equals": "outbound"}, True),
    ({"field": "direction", "equals": "inbound"}, False),
    ({"field": "trade_country", "one_of": ["KR", "JP"]}, True),
    ({"field": "goods[].hs_code", "starts_with": ["20"]}, True),
    ({"field": "goods[].hs_code", "starts_with": ["21"]}, False),
    ({"field": "goods[].value.value", "above": 4999}, True),
    ({"field": "goods[].value.value", "above": 5000}, False),
    ({"field": "goods[].un_number", "present": False}, True),
    ({"field": "goods[].un_number", "present": True}, False),
    ({"field": "goods[].packs[].is_main", "equals": "true"}, True),
    # What is absent meets no test but its absence.
    ({"field": "customs_office", "equals": ""}, False),
]


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS)
def test_conditions(condition, expected):
    """A condition holds if any place of its field meets it."""
    assert rules.holds(declaration(OUT), Condition.model_validate(condition)) is expected


def test_the_cautious_defaults():
    """What no source describes is decided cautiously: B and ungraded are reviewed, goods of class III always by hand."""
    direct = RULES.of(rulebook.Review).direct_through
    assert RULES.of(rulebook.Credit).treatment("AA") in direct
    assert RULES.of(rulebook.Credit).treatment("A") in direct
    for grade in ("", "B", "C", "D", "II", "III", "no such grade"):
        assert RULES.of(rulebook.Credit).treatment(grade) not in direct
    assert RULES.of(rulebook.Credit).treatment("D") is Treatment.STRICT
    assert RULES.of(rulebook.Review).reviewed_classes == {"III"}
    assert not RULES.of(rulebook.Credit).grades.keys() & {"I", "II", "III"}
    assert RULES.of(rulebook.PortInspection).undeclared == "lock"


CREDIT = """
[[set]]
source = "test"
valid_from = {start}
{end}
ungraded = "normal"
grades = {{ A = "{treatment}" }}
"""


def book_with(name: str, text: str) -> rulebook.RuleBook:
    """The rule book of what ships, with another file in it."""
    return rulebook.load(with_files({f"schemas/rules/{name}": text}), FLOW_RULES)


def credit(start: str, end: str = "", treatment: str = "fast") -> str:
    return CREDIT.format(start=start, end=f"valid_until = {end}" if end else "", treatment=treatment)


def test_the_set_in_force_is_picked_by_day():
    """The last day of a set is still its own; the next set holds from its first day."""
    text = credit("2016-01-01", "2026-06-30", "normal") + credit("2026-07-01")
    book = book_with("credit.toml", text)
    assert book.at(date(2026, 6, 30)).of(rulebook.Credit).treatment("A") is Treatment.NORMAL
    assert book.at(date(2026, 7, 1)).of(rulebook.Credit).treatment("A") is Treatment.FAST


def test_a_day_without_rules_is_an_error():
    """Nothing is decided on rules that are not in force."""
    book = book_with("credit.toml", credit("2016-01-01", "2020-12-31"))
    with pytest.raises(RulesInvalid, match=r"no credit rules are in force on 2026-11-20"):
        book.at(DAY)


SPOILED = [
    # Two sets for one day.
    ("credit.toml", credit("2016-01-01") + credit("2020-01-01"), "overlap"),
    # Even if only for one.
    ("credit.toml", credit("2016-01-01", "2020-01-01") + credit("2020-01-01"), "overlap"),
    # Ends before it begins.
    ("credit.toml", credit("2016-01-01", "2015-01-01"), "before valid_from"),
    # A treatment that is none.
    ("credit.toml", credit("2016-01-01", treatment="quick"), "grades"),
    # No source.
    ("epidemic.toml", "[[set]]\nvalid_from = 2020-01-01\n", "source"),
    # No set.
    ("epidemic.toml", "", "expected"),
    # No TOML.
    ("epidemic.toml", "[[set", "epidemic.toml"),
    # A kind of rules that nobody reads.
    ("lunar.toml", "", "lunar"),
    # A field that the declaration does not have.
    (
        "declaration_mandatory.toml",
        '[[set]]\nsource = "t"\nvalid_from = 2020-01-01\nitem = [{ field = "goods[].colour", zh = "颜色" }]\n',
        "no field goods",
    ),
    # A comparison of an item of goods with the whole.
    (
        "clearance_match.toml",
        (
            '[[set]]\nsource = "t"\nvalid_from = 2020-01-01\n'
            'match = [{ name = "x", ours = "goods[].hs_code", theirs = "port" }]\n'
        ),
        "item of goods",
    ),
    # A tolerance for what is no number.
    (
        "clearance_match.toml",
        (
            '[[set]]\nsource = "t"\nvalid_from = 2020-01-01\n'
            'match = [{ name = "x", ours = "goods[].hs_code", theirs = "goods[].hs_code", compare = "number" }]\n'
        ),
        "is no number",
    ),
    # A condition that tests two things.
    (
        "review.toml",
        (
            '[[set]]\nsource = "t"\nvalid_from = 2020-01-01\ndirect_through = ["fast"]\n[[set.reviewed]]\nid = "x"\n'
            'en = "x"\nzh = "x"\nwhen = [{ field = "kind", equals = "1", present = true }]\n'
        ),
        "exactly one",
    ),
]


@pytest.mark.parametrize(("name", "text", "words"), SPOILED)
def test_rules_that_cannot_be_used_say_why(name, text, words):
    """A fault in a rule file stops the start, with the file and the fault named."""
    with pytest.raises(RulesInvalid, match=words):
        book_with(name, text)


def test_every_shipped_set_names_its_source():
    """Nobody need ask where a rule comes from."""
    for sets in rulebook.load(shipped(), FLOW_RULES).sets.values():
        assert all(len(s.source) > 10 for s in sets)
