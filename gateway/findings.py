"""The catalogue of findings: each code's words in English and Chinese, and what the acknowledgements call it.

The catalogue is data, schemas/findings/*.toml, one file per room that finds things:

    ["edi.element.too_long"]
    severity = "error"              # error | warning | note
    tolerable = true                # a lenient agreement turns it into a warning
    en = "Value has {length} characters; at most {max} are allowed."
    zh = "数据长度为 {length}，最多允许 {max}。"
    contrl = "39"                   # EDIFACT 0085, syntax error coded
    x12_set = ""                    # X12 718 (AK502, IK502)
    x12_segment = "8"               # X12 720 (AK304, IK304)
    x12_element = "5"               # X12 723 (AK403, IK403)

In the words, `{name:item}` says a data item by its label (schemas/labels.toml), `{format:form}` a pattern in
words, `{detail:detail}` what a parser of others says, in Chinese. Arguments that hold a code of ours (`status`, `event`, `document`) are said in words by themselves.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from string import Formatter
from typing import Any

from gateway.catalogue import SCHEMAS, Catalogue, compiled
from gateway.catalogue_folders import shipped
from gateway.errors import SchemaInvalid
from gateway.languages import CHINESE, choose_language
from gateway.model import Finding, Place, Severity, Strictness, cut
from gateway.signs import LONGEST_VALUE

MOST_TOLD = 500
"""Findings told of one XML or JSON message: nobody mends more by hand, and a message with more is mostly wrong."""
MOST_CHARACTERS = 1_000_000
"""Characters of all findings of one message together: two thousand for each of five hundred. They are stored, told and
held in memory with it."""
EXPLAINED = f"{SCHEMAS}/findings/explained/"
"""Where the files that explain findings lie; the others word them."""
_MORE = "payload.more_findings"
_LABELS = f"{SCHEMAS}/labels.toml"


@dataclass(frozen=True, slots=True)
class Entry:
    """What the catalogue says about one code."""

    code: str
    severity: Severity
    en: str
    zh: str
    tolerable: bool = False
    contrl: str = ""
    x12_set: str = ""
    x12_segment: str = ""
    x12_element: str = ""
    x12_group: str = ""
    ta1: str = ""


@compiled
def entries(catalogue: Catalogue) -> Mapping[str, Entry]:
    """Every code of every file in schemas/findings; SchemaInvalid where a file repeats or misspells one."""
    found: dict[str, Entry] = {}
    for name in catalogue.names(f"{SCHEMAS}/findings", ".toml"):
        if name.startswith(EXPLAINED):
            continue
        try:
            content = tomllib.loads(catalogue.text(name))
        except tomllib.TOMLDecodeError as error:
            raise SchemaInvalid(f"{name}: {error}") from error
        for code, fields in content.items():
            if code in found:
                raise SchemaInvalid(f"{name}: finding {code} stands in another file already")
            try:
                found[code] = Entry(code, Severity(fields.pop("severity", "error")), **fields)
            except (AttributeError, TypeError, ValueError) as error:
                raise SchemaInvalid(f"{name}: finding {code}: {error}") from error
    return found


FINDINGS = "edi_gateway.findings"
"""The group of entry points by which a package brings what its flows find: each names a mapping of fields by code, as a
file of schemas/findings has them."""
WORDS = "edi_gateway.words"
"""The same for the words of its states, events and documents: each names a mapping, `{"en": ..., "zh": ...}` by code."""


@cache
def catalogue() -> Mapping[str, Entry]:
    """Every code that ships, and those of installed packages.

    Which there are, and how grave each is, is the code's own that finds them. ImportError for a code that is there twice.
    """
    found = dict(entries(shipped()))
    for code, fields in _brought(FINDINGS, found):
        severity = Severity(fields.get("severity", "error"))
        found[code] = Entry(code, severity, **{name: words for name, words in fields.items() if name != "severity"})
    return found


def _brought(group: str, known: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What installed packages bring, by code; ImportError for what is known already."""
    for entry in sorted(entry_points(group=group)):
        for code, fields in entry.load().items():
            if code in known:
                raise ImportError(f"{entry.value} brings {code}, which is there already")
            yield code, fields


def make_finding(code: str, place: Place = Place(), value: str = "", **args: object) -> Finding:  # noqa: B008 -- frozen
    """A finding as grave as the catalogue says; only an agreement's tolerance (`judged`) changes that afterwards."""
    return Finding(code, catalogue()[code].severity, place, value, {name: str(arg) for name, arg in args.items()})


@dataclass(frozen=True, slots=True)
class Labels:
    """What people call data items and codes: schemas/labels.toml."""

    items: Mapping[str, str]
    """Chinese names of data items, by `name` or `parent.name`."""
    parts: frozenset[str]
    """Items that say little without what they belong to."""
    matched: Mapping[str, str]
    """Items that customs' data is matched by, where they are named otherwise."""
    words: Mapping[str, Mapping[str, str]]
    """Codes of ours, in English and Chinese."""
    lists: Mapping[str, Mapping[str, str]]
    schemes: Mapping[str, Mapping[str, str]]
    events: Mapping[str, Mapping[str, str]]
    """Words of a timeline's lines."""
    details: Mapping[str, str]
    """What other people's parsers say, as regular expressions, in Chinese."""


@compiled
def read_labels(catalogue: Catalogue) -> Labels:
    """The labels; SchemaInvalid where their file is incomplete."""
    try:
        content = tomllib.loads(catalogue.text(_LABELS))
        parts = frozenset(content.pop("parts")["names"])
        return Labels(parts=parts, **content)
    except (KeyError, TypeError, tomllib.TOMLDecodeError) as error:
        raise SchemaInvalid(f"{_LABELS}: {error}") from error


@cache
def labels() -> Labels:
    """The labels that ship, and the words of installed packages.

    A word that ships stays as it is: what the gateway learns in a new version must not stop a package that had it before.
    """
    known = read_labels(shipped())
    return replace(known, words={**dict(_brought(WORDS, {})), **known.words})


_PATH = re.compile(r"[a-z][a-z0-9_]*(\[[0-9]{0,9}\])?(\.[a-z][a-z0-9_]*(\[[0-9]{0,9}\])?)*")
"""A path of ours; a name that a sender made up may look like one, and hold any number of digits."""
_STEP = re.compile(r"([a-z0-9_]+)(?:\[([0-9]*)\])?")


def label(path: str, language: str = "zh") -> str:
    """What readers of `language` call the item at `path`: `goods[0].use` is 第 1 项货物的用途; else `path` itself."""
    if not _chinese(language) or _PATH.fullmatch(path) is None:
        return path
    known = labels()
    steps = _STEP.findall(path)
    said: list[str] = []
    parent = ""
    for name, index in steps:
        own = known.items.get(f"{parent}.{name}", "")
        words = own or known.items.get(name, "")
        if not words:
            return path
        said.append(f"第 {int(index) + 1} 项{words}的" if index else words)
        if not own and name in known.parts and parent:
            said[-2:] = ["".join(said[-2:])]  # the weight's unit: 重量计量单位
        parent = name
    # Of groups without a number, only the last step says more than the item by itself.
    return "".join([*(words for words in said[:-1] if words.endswith("的")), said[-1].removesuffix("的")])


def word(code: str, language: str) -> str:
    """A code of ours (a status, an event, a document) in words of `language`; else the code itself."""
    return labels().words.get(code, {}).get(choose_language(language), code)


def _code_list(name: str, language: str) -> str:
    """A code list in words: `country:ciq` are countries (codes of the inspection service); else the codes allowed."""
    list_, _, scheme = name.partition(":")
    known, key = labels(), choose_language(language)
    if list_ not in known.lists:
        return ("、" if key == "zh" else ", ").join(name.split(","))
    of = known.schemes.get(scheme, {}).get(key, scheme)
    words = known.lists[list_][key]
    return f"{words}（{of}）" if key == "zh" else f"{words} ({of})"


def _detail(said: str) -> str:
    """What a parser of others said in English, in Chinese; of what is not known, that there is a fault."""
    for pattern, words in labels().details.items():
        if found := re.fullmatch(pattern, said.strip().rstrip("."), re.DOTALL):
            return found.expand(words)
    return "语法有误"


def _chinese(language: str) -> bool:
    return choose_language(language) == CHINESE


_CODED = frozenset({"decision", "document", "event", "status", "treatment"})
"""Arguments that hold a code of ours."""


class _Words(Formatter):
    """Renders the words of one finding. A missing argument is a dash, so that words never fail."""

    def __init__(self, finding: Finding, language: str) -> None:
        self._path = finding.place.path
        self._language = language

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """The argument `key`, a code of ours in words."""
        if key not in kwargs:
            return "–"
        value = super().get_value(key, args, kwargs)
        if key in _CODED:
            return word(value, self._language)
        if key == "field" and _chinese(self._language):
            return labels().matched.get(value) or label(value)
        return value

    def format_field(self, value: Any, format_spec: str) -> str:
        """`value` as it stands, or as a data item (`item`), a code of ours (`word`), a code list, a pattern, or a parser's words."""
        match format_spec:
            case "item":
                return label(self._whole(value), self._language)
            case "word":
                return word(value, self._language)
            case "list":
                return _code_list(value, self._language)
            case "detail":
                return _detail(value)
            case "form":
                return form(value, self._language)
            case _:
                return str(value)

    def _whole(self, name: str) -> str:
        """The path that ends in `name`, where the finding stands at one."""
        steps = self._path.removeprefix("/").split("/")
        if not self._path.startswith("/") or steps[-1] != name:
            return name
        return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", ".".join(steps)).removeprefix("document.")


def text(finding: Finding, language: str = "en") -> str:
    """`finding` in words, in `language` (`en` or `zh`)."""
    entry = catalogue().get(finding.code)
    if entry is None:
        return finding.code
    words = {"value": finding.value, "place": str(finding.place), "tag": finding.place.tag, **finding.args}
    said = _Words(finding, language).vformat(entry.zh if _chinese(language) else entry.en, (), words)
    return _subject(finding, language) + said + _hint(finding, language)


_OF = "of"
"""The argument that holds the path of the field which a finding is about."""
_HINTS: Mapping[str, tuple[str, str]] = {
    # An argument that says what would be right -> in English, in Chinese
    "right": (" It should be “{}”.", "应为“{}”。"),
    "near": (" The nearest that is allowed: “{}”.", "最接近的允许代码：“{}”。"),
    "likely": (" The bytes look like {}.", "字节内容疑为 {} 编码。"),
}


def about(finding: Finding, path: str) -> Finding:
    """`finding`, whose words are to begin with the name of the field at `path`; unless they name an item themselves."""
    if not path or _OF in finding.args or finding.code not in catalogue() or _names_an_item(finding.code):
        return finding
    return replace(finding, args={**finding.args, _OF: cut(path, LONGEST_VALUE)})


@cache
def _names_an_item(code: str) -> bool:
    return not {"name", "item", "field"}.isdisjoint(
        name for _, name, _, _ in Formatter().parse(catalogue()[code].en) if name is not None
    )


def _subject(finding: Finding, language: str) -> str:
    """What a finding's words begin with: the field in the reader's language, and the segment that it stands in."""
    path = finding.args.get(_OF, "")
    named = label(path, language)
    if not path or (_chinese(language) and named == path):
        return ""
    tag = finding.place.tag
    if _chinese(language):
        return f"{named}（{tag} 段）：" if tag else f"{named}："
    return f"{_english(path)} ({tag} segment): " if tag else f"{_english(path)}: "


def _english(path: str) -> str:
    """`goods[0].weight.unit` as an English reader calls it: `weight unit of goods 1`."""
    steps = _STEP.findall(path)
    names = [name.replace("_", " ") for name, _ in steps]
    last = names[-1]
    if len(names) > 1 and steps[-1][0] in labels().parts:
        last = f"{names[-2]} {last}"
    within = [f"{name} {int(index) + 1}" for name, (_, index) in zip(names, steps, strict=True) if index]
    return " of ".join([last, *reversed(within)])


def _hint(finding: Finding, language: str) -> str:
    """What a finding's words end with: what would be right, where that is known."""
    for name, words in _HINTS.items():
        if value := finding.args.get(name):
            return words[_chinese(language)].format(value)
    return ""


_CLASSES: Mapping[str, tuple[str, str]] = {
    # A class of characters in a pattern -> its name in English, in Chinese
    "n": ("digits", "数字"),
    "a": ("letters", "字母"),
    "an": ("letters or digits", "字母或数字"),
    "[0-9]": ("digits", "数字"),
    r"\d": ("digits", "数字"),
    "[A-Z]": ("capital letters", "大写字母"),
    "[A-Z0-9]": ("capital letters or digits", "大写字母或数字"),
    "[0-9a-f]": ("hexadecimal digits in lower case", "小写十六进制数字"),
    r"\S": ("characters other than blanks", "非空格字符"),
}
_REGEX = re.compile(r"\^(\[[^]]+\]|\\[dS])(?:\{(\d+)(?:,(\d*))?\}|([+*]))?\$")
_NOTATION = re.compile(r"(an|a|n)(\.\.)?(\d+)(?:\.\.(\d+))?")
_DECIMAL = re.compile(r"n\.\.(\d+)\[\.n\.\.(\d+)\]")
_DATES: Mapping[str, str] = {
    # UN/EDIFACT 2379
    "101": "YYMMDD",
    "102": "CCYYMMDD",
    "203": "CCYYMMDDHHMM",
    "204": "CCYYMMDDHHMMSS",
    "303": "CCYYMMDDHHMMZZZ",
    "304": "CCYYMMDDHHMMSSZZZ",
    # X12 1250
    "D8": "CCYYMMDD",
    "DT": "CCYYMMDDHHMM",
}


def form(pattern: str, language: str) -> str:
    """A pattern in words: `^[0-9]{15}$` and `n15` are 15 digits; what is not known stands as it is."""
    zh = _chinese(language)
    if (found := _REGEX.fullmatch(pattern)) and found[1] in _CLASSES:
        least, most = (found[2] or "1", found[2] or "1") if found[3] is None else (found[2], found[3])
        return _counted(_CLASSES[found[1]][zh], *(("", "") if found[4] else (least, most)), zh=zh)
    if found := _NOTATION.fullmatch(pattern):
        least = "" if found[2] else found[3]
        return _counted(_CLASSES[found[1]][zh], least, found[4] or found[3], zh=zh)
    if found := _DECIMAL.fullmatch(pattern):
        whole, places = found.groups()
        return f"最多 {whole} 位数字，小数不超过 {places} 位" if zh else f"at most {whole} digits and {places} decimals"
    if pattern.startswith(r"^[^\s\x00"):
        return _counted(_CLASSES[r"\S"][zh], "", "", zh=zh)
    if pattern.startswith(r"^[^\x00"):
        return "不含控制字符的文本" if zh else "text without control characters"
    if re.fullmatch(r"\w+(\|\w+)+", pattern):
        return ("、" if zh else ", ").join(pattern.split("|")) + (" 之一" if zh else " (one of these)")
    if date := _DATES.get(pattern):
        return f"{date}（{pattern}）" if zh else f"{date} ({pattern})"
    return pattern


def _counted(characters: str, least: str, most: str, *, zh: bool) -> str:
    """So many characters of a class; empty bounds are none."""
    if not most and not least:
        return f"只含{characters}" if zh else f"{characters} only"
    if not most:
        return f"至少 {least} 位{characters}" if zh else f"{least} or more {characters}"
    if least == most:
        # One digit, not digits.
        return f"{most} 位{characters}" if zh else f"{most} {characters if most != '1' else characters.rstrip('s')}"
    if not least:
        return f"最多 {most} 位{characters}" if zh else f"at most {most} {characters}"
    return f"{least} 至 {most} 位{characters}" if zh else f"{least} to {most} {characters}"


def judged(found: Iterable[Finding], strictness: Strictness) -> Iterator[Finding]:
    """`found` as an agreement sees it: under a lenient one, tolerable errors are warnings. Long values are cut."""
    table = catalogue()
    for finding in map(_cut, found):
        tolerable = strictness is not Strictness.STRICT and finding.severity is Severity.ERROR
        if tolerable and (entry := table.get(finding.code)) is not None and entry.tolerable:
            yield replace(finding, severity=Severity.WARNING)
        else:
            yield finding


def unsaid(found: Iterable[Finding], said: Iterable[Finding]) -> list[Finding]:
    """Those of `found` whose value at its place has no fault among `said` yet: one fault is told once, by who saw it first."""
    told = {
        (finding.place, finding.value) for finding in said if finding.severity is not Severity.NOTE and finding.value
    }
    return [finding for finding in found if (finding.place, finding.value) not in told]


def tolerable(found: Iterable[Finding]) -> bool:
    """Whether a lenient agreement would tolerate all errors among `found`."""
    table = catalogue()
    return all(table[f.code].tolerable for f in found if f.severity is Severity.ERROR)


def kept(found: Iterable[Finding], most: int) -> list[Finding]:
    """The first `most` of `found`, errors before the others where there are more, and then how many were left out.

    They hold no more than MOST_CHARACTERS together, or are only one. All of `found` is looked at as it comes, and
    little more than what is kept is held meanwhile.
    """
    first: list[Finding] = []
    late: list[Finding] = []
    """Errors behind the first `most`."""
    left_out = 0
    for finding in found:
        if finding.code == _MORE:
            left_out += int(finding.args["count"])
        elif len(first) < most:
            first.append(finding)
        elif finding.severity is Severity.ERROR and len(late) < most:
            late.append(finding)
        else:
            left_out += 1
    if late:
        others = [f for f in first if f.severity is not Severity.ERROR]
        first = [*(f for f in first if f.severity is Severity.ERROR), *late, *others]
    room, count = MOST_CHARACTERS, 0
    for finding in first[:most]:
        room -= _characters(finding)
        if room < 0 and count:
            break
        count += 1
    left_out += len(first) - count
    return [*first[:count], more_findings(most, left_out, first[0].place if first else Place())] if left_out else first


def more_findings(most: int, count: int, place: Place = Place()) -> Finding:  # noqa: B008 -- frozen
    """What stands for `count` findings, or more, beyond the `most` that are told."""
    return make_finding(_MORE, place, max=most, count=count)


def _characters(finding: Finding) -> int:
    """How many characters a finding takes, about: those of its words are in the catalogue."""
    place = finding.place
    return sum(map(len, (place.path, place.message, place.tag, finding.value, *finding.args.values())))


def _cut(finding: Finding) -> Finding:
    """A finding whose values are no longer than a person is shown: enough to find them by, at their place.

    A thousand interchanges may each have one of a whole segment's length, and findings are stored, told and held in
    memory by the thousand.
    """
    if len(finding.value) <= LONGEST_VALUE and all(len(value) <= LONGEST_VALUE for value in finding.args.values()):
        return finding
    args = {name: cut(value, LONGEST_VALUE) for name, value in finding.args.items()}
    return replace(finding, value=cut(finding.value, LONGEST_VALUE), args=args)


def rejects(found: Iterable[Finding]) -> bool:
    """Whether any of `found` is an error."""
    return any(f.severity is Severity.ERROR for f in found)
