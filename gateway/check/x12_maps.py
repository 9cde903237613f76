"""Imports X12 transaction sets from maps in pyx12's form, so that an operator's licensed implementation guide serves.

A map is one XML file for a transaction set as a guide uses it: loops and segments with usage (R required, S situational,
N not used), position and repeat, elements with their codes. The types of elements lie beside it, in `dataele.xml`. What
shares a position may come in any order. Lists of codes that are kept elsewhere (`external`) are left unchecked. Names
are left behind: X12's words are its own.

    table = read_map(path.read_bytes(), data_elements=(path.parent / "dataele.xml").read_bytes())
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from gateway.errors import DirectoryUnreadable

_USAGE = {"R": "M", "S": "C", "N": "N"}
_FIRST = 1
_QUALIFYING = {"HL": 3, "ENT": 2}
"""Segments that another element than the first tells apart: the level of a hierarchy, the entity."""


_FORMAT = re.compile("x12:[A-Z0-9]{3}:[A-Z0-9]{1,12}")
"""Set and version as ST01 and GS08 may say them; the files of a table are named after both."""
_NUMBER = re.compile("[0-9]{1,4}")
_MOST = {"seq": 999, "pos": 9999}
"""Elements of a segment, of which X12 has a few dozen, and positions in a set, which have four digits."""


@dataclass(slots=True)
class _Definitions:
    """What the segments of the map say, each distinct definition once."""

    types: dict[str, str]
    segments: dict[str, list[str]] = field(default_factory=dict)
    composites: dict[str, list[str]] = field(default_factory=dict)
    elements: dict[str, str] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    qualifiers: dict[str, str] = field(default_factory=dict)

    def segment(self, tag: str, uses: list[str], notes: list[str], qualifier: str) -> str:
        """The name of a definition: that of an equal one, else the next that is free."""
        for name in _numbered(tag):
            there = self.segments.get(name)
            if there is None:
                self.segments[name] = uses
                if notes or name != tag:  # what a definition does not say of notes is looked up by the tag
                    self.notes[name] = notes
                if qualifier:
                    self.qualifiers[name] = qualifier
                return name
            if (there, self.notes.get(name, []), self.qualifiers.get(name, "")) == (uses, notes, qualifier):
                return name
        raise AssertionError("names do not end")

    def composite(self, item: str, uses: list[str]) -> str:
        """As `segment`, of a composite."""
        return next(name for name in _numbered(item) if self.composites.setdefault(name, uses) == uses)


def _numbered(name: str) -> Iterator[str]:
    return (f"{name}/{number}" if number else name for number in itertools.count())


def read_map(text: bytes, *, data_elements: bytes, formats: Sequence[str] = ()) -> dict[str, Any]:
    """The message file that a map makes, for `formats` or those that its own GS08 names; DirectoryUnreadable says why not."""
    root, types = _root(text, "transaction"), _types(_root(data_elements, "data_elements"))
    loop = next((one for one in root.iter("loop") if one.get("xid") == "ST_LOOP"), None)
    if loop is None:
        raise DirectoryUnreadable("The map has no transaction set (ST_LOOP).")
    definitions = _Definitions(types)
    structure = list(_members(loop, definitions))
    if not structure or not str(structure[-1]).startswith("SE "):
        raise DirectoryUnreadable("The transaction set does not end in SE: a loop is not closed where it should be.")
    served = list(formats) or [f"x12:{_set(root)}:{version}" for version in _codes_of(root, "GS08")]
    if not served:
        raise DirectoryUnreadable("The map's GS08 names no version; name the format that it is for.")
    for one in served:
        if not _FORMAT.fullmatch(one):
            raise DirectoryUnreadable(f"{one!r} is no format of X12, such as x12:309:004010.")
    return {
        "formats": served,
        "source": f"pyx12 map {root.get('xid')}, imported",
        "structure": structure,
        "segments": definitions.segments,
        "composites": definitions.composites,
        "elements": {item: definitions.elements[item] for item in sorted(definitions.elements)},
        "notes": definitions.notes,
        "qualifiers": definitions.qualifiers,
    }


def _root(text: bytes, name: str) -> etree._Element:
    try:
        root = etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise DirectoryUnreadable(f"It is no XML: {error}") from error
    if root.tag != name:
        raise DirectoryUnreadable(f"Its root is {root.tag}, not {name}.")
    return root


def _types(root: etree._Element) -> dict[str, str]:
    """The types of data elements as tables write them: `AN 2..15`, `N0 1..9`."""
    return {
        one.get("ele_num", ""): f"{one.get('data_type')} {one.get('min_len')}..{one.get('max_len')}"
        for one in root.iter("data_ele")
    }


def _fact(element: etree._Element, name: str, otherwise: str = "") -> str:
    """What a map says in an attribute, or in an element below."""
    return (element.get(name) or element.findtext(name) or otherwise).strip()


def _number(element: etree._Element, name: str, otherwise: int = 0) -> int:
    """What a map says of a place, from 1; `otherwise` where it says nothing."""
    text = _fact(element, name)
    if not text:
        return otherwise
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= _MOST[name]:
        raise DirectoryUnreadable(f"The {name} of {element.get('xid')} is {text[:20]!r}, not 1 to {_MOST[name]}.")
    return int(text)


def _set(root: etree._Element) -> str:
    """The transaction set by its ST01; the map's own identifier may be a variant's."""
    return next(iter(_codes_of(root, "ST01")), root.get("xid", "")[:3])


def _codes_of(root: etree._Element, xid: str) -> list[str]:
    found = next((one for one in root.iter("element") if one.get("xid") == xid), None)
    return [] if found is None else _codes(found)


def _codes(element: etree._Element) -> list[str]:
    """The codes that an element takes; none where any may stand or another list says so."""
    listed = element.find("valid_codes")
    if listed is None or listed.get("external"):
        return []
    return [code.text.strip() for code in listed.iterfind("code") if code.text]


def _members(loop: etree._Element, definitions: _Definitions) -> Iterator[Any]:
    """What stands in a loop, by position; what shares one in any order, the unqualified last."""
    children = [one for one in loop if isinstance(one.tag, str) and one.tag in ("loop", "segment")]
    positions: dict[int, list[Any]] = {}
    for child in children:
        positions.setdefault(_number(child, "pos"), []).extend(_member(child, definitions))
    opened = False
    for _, members in sorted(positions.items()):
        if not opened and len(members) > 1 and isinstance(members[0], str):
            # What opens a loop comes first, whatever its position is shared with.
            yield members.pop(0)
        opened = True
        if len(members) == 1:
            yield members[0]
        elif members:
            yield {"any": sorted(members, key=lambda member: not _is_qualified(member, definitions))}


def _is_qualified(member: Any, definitions: _Definitions) -> bool:
    while not isinstance(member, str):
        member = member["any"][0] if isinstance(member, dict) else member[1]
    return member.split(" ")[0] in definitions.qualifiers


def _member(child: etree._Element, definitions: _Definitions) -> Iterable[Any]:
    usage = _USAGE.get(_fact(child, "usage", "S"), "C")
    if child.tag == "segment":
        return [f"{_segment(child, definitions)} {usage} {_fact(child, 'max_use', '1')}"]
    inner = list(_members(child, definitions))
    repeat = _fact(child, "repeat", "1")
    if not inner:
        return []
    if child.get("type") == "wrapper" and (repeat == "1" or len(inner) == 1 or not _is_mandatory(inner[0])):
        return inner  # it groups for readers of the guide, and not on the wire
    return [[f"{child.get('xid')} {usage} {repeat}", *inner]]


def _is_mandatory(member: Any) -> bool:
    if isinstance(member, dict):
        return False
    return (member if isinstance(member, str) else member[0]).split(" ")[1] == "M"


def _segment(segment: etree._Element, definitions: _Definitions) -> str:
    """The name of the definition of a segment, which is added where no equal one is there."""
    tag = segment.get("xid", "")
    parts = [one for one in segment if one.tag in ("element", "composite")]
    parts.sort(key=lambda one: _number(one, "seq"))
    uses: list[str] = []
    for part in parts:
        # A map may leave out elements that it does not use.
        while len(uses) + 1 < _number(part, "seq", len(uses) + 1):
            uses.append("- N ?")
        uses.append(_use(part, definitions))
    notes = [text for text in (_fact_text(one) for one in segment.iterfind("syntax")) if text]
    qualifier = _qualifier(tag, parts)
    return definitions.segment(tag, uses, notes, qualifier)


def _fact_text(element: etree._Element) -> str:
    return (element.text or "").strip()


def _qualifier(tag: str, parts: Sequence[etree._Element]) -> str:
    """What tells this kind of segment from others of its tag: the codes of a required first element, mostly."""
    at = _QUALIFYING.get(tag, _FIRST)
    if at > len(parts):
        return ""
    part, component = parts[at - 1], ""
    if part.tag == "composite":
        inner = part.find("element")
        if inner is None:
            return ""
        part, component = inner, ".1"
    codes = _codes(part)
    if not codes or (_fact(part, "usage") != "R" and tag not in _QUALIFYING):
        return ""
    return f"{at}{component}={','.join(codes)}"


def _use(part: etree._Element, definitions: _Definitions) -> str:
    status = _USAGE.get(_fact(part, "usage", "S"), "C")
    repeat = _fact(part, "repeat")
    times = f" {repeat}" if repeat not in ("", "1") else ""
    item = _fact(part, "data_ele", "-") or "-"
    if part.tag == "composite":
        inner = sorted(part.iterfind("element"), key=lambda one: _number(one, "seq"))
        name = item if item != "-" else part.get("xid", "C")
        return f"{definitions.composite(name, [_use(one, definitions) for one in inner])} {status}{times}"
    if item not in definitions.types:
        return f"{item} {status}{times} ?" if item == "-" else f"- {status}{times} ?"
    definitions.elements[item] = definitions.types[item]
    codes = _codes(part)
    pattern = _fact(part, "regex")
    listed = f" ={','.join(codes)}" if codes else ""
    return f"{item} {status}{times}{listed}{f' ~{pattern}' if pattern else ''}"
