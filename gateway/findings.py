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
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache

from gateway import data
from gateway.errors import SchemaInvalid
from gateway.model import Finding, Severity, Strictness


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


@cache
def catalogue() -> Mapping[str, Entry]:
    """Every code of every file in schemas/findings; SchemaInvalid where a file repeats or misspells one."""
    entries: dict[str, Entry] = {}
    for path in sorted((data.schemas() / "findings").glob("*.toml")):
        for code, fields in tomllib.loads(path.read_text("utf-8")).items():
            if code in entries:
                raise SchemaInvalid(f"finding {code} stands twice, the second time in {path.name}")
            try:
                entries[code] = Entry(code, Severity(fields.pop("severity", "error")), **fields)
            except (TypeError, ValueError) as error:
                raise SchemaInvalid(f"finding {code} in {path.name}: {error}") from error
    return entries


class _Blank(dict[str, str]):
    """Renders a missing argument as a dash, so that words never fail."""

    def __missing__(self, key: str) -> str:
        return "–"


def text(finding: Finding, language: str = "en") -> str:
    """`finding` in words, in `language` (`en` or `zh`)."""
    entry = catalogue().get(finding.code)
    if entry is None:
        return finding.code
    words = _Blank({"value": finding.value, "place": str(finding.place), "tag": finding.place.tag, **finding.args})
    return (entry.zh if language.startswith("zh") else entry.en).format_map(words)


def judged(found: Iterable[Finding], strictness: Strictness) -> list[Finding]:
    """`found` as an agreement sees it: under a lenient one, tolerable errors are warnings."""
    if strictness is Strictness.STRICT:
        return list(found)
    table = catalogue()
    return [
        replace(f, severity=Severity.WARNING)
        if f.severity is Severity.ERROR and (entry := table.get(f.code)) is not None and entry.tolerable
        else f
        for f in found
    ]


def rejects(found: Iterable[Finding]) -> bool:
    """Whether any of `found` is an error."""
    return any(f.severity is Severity.ERROR for f in found)
