"""The words of findings: labels of data items, patterns in words, codes in the reader's language."""

from __future__ import annotations

import re
import string
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from gateway import documents, findings
from gateway.catalogue_folders import shipped
from gateway.check import codes, rulebook
from gateway.discovery import find_flows
from gateway.documents.parts import Movement
from gateway.findings import make_finding
from gateway.flows.containers.status import ContainerEvent, ContainerStatus
from gateway.model import LONGEST_PATH, Finding, Place, Role, Severity, Strictness
from gateway.signs import LONGEST_VALUE, shown

ENGLISH = re.compile(r"[a-z_]{3,}")


def fields(model: type[BaseModel], parent: str = "") -> Iterator[tuple[str, str, str]]:
    """Every field below a document, as (parent's name, name, title)."""
    for name, info in model.model_fields.items():
        yield parent, name, info.title or ""
        inner = _model(info.annotation)
        if inner is not None:
            yield from fields(inner, name)


def _model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model(inner))), None)


def titles() -> dict[str, set[tuple[str, str]]]:
    """By name: every (parent, title)."""
    found = defaultdict(set)
    for model in documents.MODELS.values():
        for parent, name, title in fields(model):
            found[name].add((parent, title))
    return found


@pytest.mark.parametrize("name", sorted(titles()))
def test_every_item_has_its_label(name: str) -> None:
    """A data item is called in Chinese what its document calls it, or, where documents differ, something of its own."""
    known = titles()[name]
    label = findings.labels().items.get(name)
    assert label is not None, f'{name} = "{min(title for _, title in known)}" is missing in schemas/labels.toml'
    if len({title for _, title in known}) == 1:
        assert label == next(iter(known))[1]


def test_labels_name_items_that_exist() -> None:
    """No label is left over from an item that is gone, and none below a parent contradicts every document."""
    known = titles()
    for key, label in findings.labels().items.items():
        parent, _, name = key.rpartition(".")
        assert name in known, key
        if parent:
            assert parent in known, key
            assert any(of == parent for of, _ in known[name]), key
            assert label != findings.labels().items[name], f"{key} says no more than {name}"
    assert findings.labels().parts <= known.keys()


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("value", "数值"),
        ("consignor.code", "发货人代码"),
        ("transport.mode", "运输方式"),
        ("goods[]", "货物"),
        ("goods[0].use", "第 1 项货物的用途"),
        ("goods[1].weight.unit", "第 2 项货物的重量计量单位"),
        ("goods[0].packs[1].type", "第 1 项货物的第 2 项包装的包装种类"),
        ("CST 12, 3", "CST 12, 3"),  # a place on the wire stays as it is
        ("captain", "captain"),  # what no document knows, too
    ],
)
def test_a_path_is_said_in_chinese(path: str, label: str) -> None:
    """The path of a data item becomes its Chinese name, with the numbers of what it stands in."""
    assert findings.label(path) == label
    assert findings.label(path, "en") == path


@pytest.mark.parametrize(
    ("pattern", "en", "zh"),
    [
        (r"^[0-9]{15}$", "15 digits", "15 位数字"),
        (r"^[A-Z]{2}$", "2 capital letters", "2 位大写字母"),
        (r"^[0-9]{4,12}$", "4 to 12 digits", "4 至 12 位数字"),
        (r"^[A-Z0-9]+$", "capital letters or digits only", "只含大写字母或数字"),
        (r"^\S+$", "characters other than blanks only", "只含非空格字符"),
        ("n15", "15 digits", "15 位数字"),
        ("an..35", "at most 35 letters or digits", "最多 35 位字母或数字"),
        ("n..18[.n..8]", "at most 18 digits and 8 decimals", "最多 18 位数字，小数不超过 8 位"),
        ("I|O|E", "I, O, E (one of these)", "I、O、E 之一"),
        ("203", "CCYYMMDDHHMM (203)", "CCYYMMDDHHMM（203）"),
        ("yyyy-MM-dd", "yyyy-MM-dd", "yyyy-MM-dd"),
    ],
)
def test_a_pattern_is_said_in_words(pattern: str, en: str, zh: str) -> None:
    """Nobody has to read a regular expression."""
    assert (findings.form(pattern, "en"), findings.form(pattern, "zh")) == (en, zh)


def test_every_pattern_of_a_document_is_said_in_words() -> None:
    """Each pattern that a document's field has is one that is put in words."""
    for model in documents.MODELS.values():
        for pattern in re.findall(r"'pattern': (?:'([^']+)'|\"([^\"]+)\")", str(model.model_json_schema())):
            shown = (pattern[0] or pattern[1]).encode().decode("unicode_escape")
            for language in ("en", "zh"):
                assert "^" not in findings.form(shown, language), shown


@pytest.mark.parametrize(
    ("finding", "en", "zh"),
    [
        (
            make_finding("document.missing", place=Place(segment=12, tag="MEA"), name="value"),
            "The mandatory item value is missing.",
            "缺少必填数据项“数值”。",
        ),
        (
            make_finding("document.missing", place=Place(path="/goods/0/value/currency"), name="currency"),
            "The mandatory item currency is missing.",
            "缺少必填数据项“第 1 项货物的货值币种”。",
        ),
        (
            make_finding("document.type.whole", value="1."),
            "A whole number is expected, not “1.”.",
            "应为整数，而不是“1.”。",
        ),
        (
            make_finding("document.pattern", value="12", pattern="^[0-9]{15}$"),
            "The value “12” does not have the form expected: 15 digits.",
            "值“12”不符合格式要求：15 位数字。",
        ),
        (
            make_finding("translate.code", value="QQ", list="country:ciq"),
            "The code “QQ” is not among those allowed here: countries (codes of the inspection service).",
            "代码“QQ”不在此处允许的代码之内：国家/地区代码（检验检疫代码）。",
        ),
        (
            make_finding("translate.code", value="24", list="22,23"),
            "The code “24” is not among those allowed here: 22, 23.",
            "代码“24”不在此处允许的代码之内：22、23。",
        ),
        (
            make_finding("decide.late", event="accept", status="in_review"),
            "The message came too late and changed nothing: acceptance, while the case is in review.",
            "报文迟到，不改变状态：事件 受理，当前状态 审单中。",
        ),
    ],
)
def test_findings_are_words_for_people(finding: Finding, en: str, zh: str) -> None:
    """A finding says items, patterns and codes as its reader calls them, and sets values apart."""
    assert findings.text(finding, "en") == en
    assert findings.text(finding, "zh") == zh


def test_codes_have_words_in_both_languages() -> None:
    """Each status, event, document, role and code list has its words."""
    tracks = [track for flow in find_flows().all for track in flow.tracks]
    told = [line.word for lines in rulebook.load(shipped()).headlines.values() for line in lines]
    happenings = [word for track in tracks for word in (track.name, *track.states, *track.rows)]
    wanted = [*told, *happenings, *ContainerStatus, *ContainerEvent, *Movement, *Role, *documents.MODELS]
    for code in wanted:
        assert findings.word(str(code), "en"), code
        assert not ENGLISH.search(findings.word(str(code), "zh")), code
    assert findings.labels().lists.keys() >= set(codes.available(shipped()))


HALF_WIDTH = re.compile(r"[\u4e00-\u9fff）”》][,;:!?]\s*(?:[\u4e00-\u9fff（“《{]|$)")
"""Punctuation of Latin text where Chinese text goes on, or ends."""


def texts(content: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Every text in what a file holds, with where it stands."""
    if isinstance(content, str):
        yield where, content
    elif isinstance(content, dict):
        for name, inner in content.items():
            yield from texts(inner, f"{where}.{name}")
    elif isinstance(content, list):
        for number, inner in enumerate(content):
            yield from texts(inner, f"{where}[{number}]")


def test_chinese_text_is_punctuated_as_chinese() -> None:
    """No text of ours, in words, rules or mappings, has half-width punctuation between Chinese characters."""
    catalogue = shipped()
    files = [name for folder in ("schemas", "mappings") for name in catalogue.names(folder, ".toml")]
    found = [
        (file, where, text)
        for file in files
        for where, text in texts(tomllib.loads(catalogue.text(file)), "")
        if HALF_WIDTH.search(text)
    ]
    assert {"schemas/labels.toml", "schemas/findings/decide.toml", "schemas/rules/epidemic.toml"} <= set(files)
    assert any(file.startswith("mappings/") for file in files)
    assert found == []


@pytest.mark.parametrize(
    ("text", "faulty"),
    [
        ("报检单,发票", True),
        ("状态: 已放行", True),
        ("请核对!", True),
        ("{value}（“甲”）;乙", True),
        ("报检单，发票；状态：已放行！", False),
        ("电子转单: between the offices", False),
        ("比例 1:2, UNB;UNH", False),
    ],
)
def test_half_width_punctuation_is_seen(text: str, faulty: bool) -> None:
    """What is looked for is seen where Chinese goes on or ends, and nowhere else."""
    assert bool(HALF_WIDTH.search(text)) is faulty


def test_a_disease_is_named_in_the_language_of_its_reader() -> None:
    """Every disease of the epidemic list has its name in both languages; one that an operator adds is told as written."""
    rules = tomllib.loads(shipped().text("schemas/rules/epidemic.toml"))
    named = {area["disease"] for rule_set in rules["set"] for area in rule_set["area"]}
    for disease in named:
        found = make_finding("decide.port.epidemic", value="NG", disease=disease)
        assert disease not in findings.text(found, "zh")
        assert not re.search(r"[a-z]{3,}", findings.text(found, "zh"))
        assert "_" not in findings.text(found, "en")
    yellow = make_finding("decide.port.epidemic", value="NG", disease="yellow_fever")
    assert findings.text(yellow, "zh") == "来自疫区 NG（黄热病）。"
    assert findings.text(yellow, "en") == "Comes from NG, an epidemic area (yellow fever)."
    own = make_finding("decide.port.epidemic", value="NG", disease="禽流感")
    assert findings.text(own, "zh") == "来自疫区 NG（禽流感）。"


def test_words_are_rendered_whatever_is_missing() -> None:
    """No finding fails for want of an argument; what is not there is a dash."""
    for code in findings.catalogue():
        for language in ("en", "zh"):
            assert findings.text(Finding(code, Severity.ERROR, value="x"), language)


def test_catalogue_says_arguments_in_known_ways() -> None:
    """Each argument is said as it stands, or in a way that the renderer knows."""
    for code, entry in findings.catalogue().items():
        for words in (entry.en, entry.zh):
            ways = {way for _, name, way, _ in string.Formatter().parse(words) if name is not None}
            assert ways <= {"", "item", "word", "list", "form", "detail"}, code


@pytest.mark.parametrize("strictness", list(Strictness))
def test_a_finding_keeps_the_beginning_of_a_long_value(strictness: Strictness) -> None:
    """A value of a whole segment's length is cut, with a sign that it was; a short one stays as it is."""
    short = make_finding("edi.element.too_long", value="x" * LONGEST_VALUE, number="0004")
    long = replace(short, value="y" * 65_000, args={"number": "z" * 65_000})
    kept, cut = findings.judged([short, long], strictness)
    assert (kept.value, kept.args) == (short.value, short.args)
    for text in (cut.value, cut.args["number"]):
        assert (len(text), text[-1]) == (LONGEST_VALUE, "…")
        assert shown(text) == text, "no person is told that the whole value was as long as what was kept of it"


def test_what_is_kept_of_very_many():
    """Errors before what does not reject, in the order in which they came, and how many were left out."""
    notes = [Finding(f"n{n}", Severity.WARNING) for n in range(5)]
    errors = [Finding(f"e{n}", Severity.ERROR) for n in range(5)]
    told = [f.code for f in findings.kept([*notes[:2], errors[0], *notes[2:], *errors[1:]], 6)]
    assert told == ["e0", "e1", "e2", "e3", "e4", "n0", "payload.more_findings"]
    assert findings.kept(iter([*notes, *errors]), 10) == [*notes, *errors]
    more = findings.more_findings(3, 7)
    assert findings.kept([*notes[:3], more], 3) == [*notes[:3], more]
    (_, _, told_more) = findings.kept([*notes[:3], more], 2)
    assert told_more.args["count"] == "8"


def test_what_is_kept_is_bounded_in_characters():
    """Five hundred long findings are no more than a megabyte; of one that is longer by itself something is kept."""
    long = Finding("x", Severity.ERROR, value="v" * LONGEST_VALUE, args={str(n): "a" * LONGEST_VALUE for n in range(5)})
    kept = findings.kept([long] * 500, 500)
    assert len(kept) < findings.MOST_CHARACTERS // (6 * LONGEST_VALUE) + 2
    assert kept[-1].args["count"] == str(500 - len(kept) + 1)
    huge = Finding("x", Severity.ERROR, value="v" * 2 * findings.MOST_CHARACTERS)
    assert findings.kept([huge, huge], 500)[0] == huge


def test_a_place_holds_no_more_than_is_read():
    """A path that a sender made very long has its beginning."""
    place = Place(path="/" + "x" * 5_000_000)
    assert (len(place.path), place.path[-1]) == (LONGEST_PATH, "…")
    assert Place(path="/a").path == "/a"


def test_a_finding_is_as_grave_as_the_catalogue_says():
    """No place that finds something decides how grave it is: findings are made in one way."""
    for code, entry in findings.catalogue().items():
        assert make_finding(code).severity is entry.severity
    made = re.compile(r"(?<![\w.])(?:model\.)?Finding\(")
    inside = {
        "findings.py",
        "model.py",
        "reasons.py",
        "store/views.py",
        "trip/staged.py",
    }  # the one way, the noun, what was kept
    root = Path(findings.__file__).parent
    others = [
        path for path in root.rglob("*.py") if made.search(re.sub(r"class Finding\(.*", "", path.read_text("utf-8")))
    ]
    assert {str(path.relative_to(root)) for path in others} <= inside
