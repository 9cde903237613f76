"""Imports EDIFACT service directories (syntax versions 3, 4 and 4 release 2) from their XML form.

A directory is a folder of `simple_segments.xml`, `composite_data_elements.xml`, `data_elements.xml` and `messages/*.xml`:
the service segments, CONTRL, AUTACK, KEYMAN. What it says of composites is their names alone, so that their components
come from the tables that are there. Its messages nest each later group inside the one before, with the trailer in the
innermost: where ISO 9735 has them is said in `_SIDE_BY_SIDE`.

    directory = read_service(files)
    table = message_table(directory, "AUTACK", ["edifact:AUTACK:4:1:UN"], source)
    whole = merged(directory, present)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from gateway.errors import DirectoryUnreadable

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_CODE = re.compile("[A-Z0-9]{1,6}")
_SIDE_BY_SIDE: Mapping[str, Mapping[str, str]] = {
    # ISO 9735-4: the groups' reports stand beside those of messages without groups.
    "CONTRL": {"SG3": ""},
    # ISO 9735-6: what is secured stands beside its headers, and the trailers beside both.
    "AUTACK": {"USB": "", "SG3": "", "SG4": ""},
    # ISO 9735-9: the certificates that are listed stand beside those that are asked for.
    "KEYMAN": {"SG4": ""},
}
"""By message, what stands in another group than the files say: its name, and that group's; empty for the message itself."""
_TRAILER = "UNT"


@dataclass(slots=True)
class ServiceDirectory:
    """What one service directory says, in the form that `gateway.check.tables` reads."""

    segments: dict[str, list[str]] = field(default_factory=dict)
    elements: dict[str, str] = field(default_factory=dict)
    codes: dict[str, list[str]] = field(default_factory=dict)
    messages: dict[str, etree._Element] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    code_names: dict[str, dict[str, str]] = field(default_factory=dict)


def is_service(names: Mapping[str, bytes]) -> bool:
    """Whether files, by their names, are a service directory."""
    return any(name.endswith("simple_segments.xml") for name in names)


def read_service(files: Mapping[str, bytes]) -> ServiceDirectory:
    """Read a service directory of `files` by their names; DirectoryUnreadable says what is wrong with it."""
    found = ServiceDirectory()
    for name, body in sorted(files.items()):
        base = name.rpartition("/")[2]
        if not base.endswith(".xml"):
            continue
        try:
            root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
        except etree.XMLSyntaxError as error:
            raise DirectoryUnreadable(f"{name} is no XML: {error}") from error
        if root.tag == "message":
            found.messages[base.removesuffix(".xml").upper()] = root
        elif root.tag == "segments":
            _read_segments(found, root)
        elif root.tag == "data_elements":
            _read_elements(found, root)
        elif root.tag == "composite_data_elements":
            found.names |= {one.get("id", ""): _words(one) for one in root.iterfind("composite_data_element")}
    if not found.segments or not found.elements:
        raise DirectoryUnreadable("It holds no segments or no elements.")
    return found


def _read_segments(found: ServiceDirectory, root: etree._Element) -> None:
    for segment in root.iterfind("segment"):
        tag = segment.get("id", "")
        found.names[tag] = _words(segment)
        found.segments[tag] = [_use(one) for one in segment if one.get("id")]
        # A segment says the type of what it uses as well: of elements that the list of elements leaves out.
        for one in segment.iterfind("data_element"):
            if one.get("id") and one.get("id") not in found.elements:
                found.elements[one.get("id", "")] = _type(one)


def _read_elements(found: ServiceDirectory, root: etree._Element) -> None:
    for element in root.iterfind("data_element"):
        number = element.get("id", "")
        found.elements[number] = _type(element)
        found.names[number] = _words(element)
        codes = {code.get("id", ""): " ".join((code.get("title") or "").split()) for code in element.iterfind("code")}
        # A list with anything else in it was not read to the letter, and gates nothing.
        if codes and all(_CODE.fullmatch(code) for code in codes):
            found.codes[number], found.code_names[number] = list(codes), codes


def _use(one: etree._Element) -> str:
    repeat = one.get("repeat", "1")
    return f"{one.get('id')} {'M' if one.get('required') == 'true' else 'C'}{'' if repeat == '1' else f' {repeat}'}"


def _type(element: etree._Element) -> str:
    kind, longest, exactly = element.get("type", "an"), element.get("maxlength"), element.get("length")
    return f"{kind}{exactly}" if exactly else f"{kind}..{longest}"


def _words(element: etree._Element) -> str:
    """A name that is written as one word: `SecurityHeader` as Security header."""
    return _WORD.sub(" ", element.get("name", "")).capitalize()


def message_table(directory: ServiceDirectory, message: str, formats: list[str], source: str) -> dict[str, Any]:
    """The message file of a service message; DirectoryUnreadable where the directory lacks it."""
    root = directory.messages.get(message)
    if root is None:
        raise DirectoryUnreadable(f"The directory has no message {message}.")
    around = _SIDE_BY_SIDE.get(message, {})
    structure: list[Any] = []
    groups: dict[str, list[Any]] = {"": structure}

    def place(parent: etree._Element, within: str) -> None:
        for one in parent:
            if one.tag == "segment" and one.get("id") == _TRAILER:
                continue
            status = "M" if one.get("required") == "true" else "C"
            name, most = one.get("id", ""), one.get("maxrepeat", "1")
            if one.tag == "segment":
                groups[around.get(name, within)].append(f"{name} {status} {most}")
            elif one.tag == "group":
                groups[name] = [f"{name} {status} {most}"]
                groups[around.get(name, within)].append(groups[name])
                place(one, name)

    place(root, "")
    structure.append(f"{_TRAILER} M 1")
    return {"formats": formats, "source": source, "structure": structure}


def version_of(directory: ServiceDirectory) -> str:
    """The syntax version: packages (UNO) are there since 4."""
    return "4" if "UNO" in directory.segments else "3"


def merged(directory: ServiceDirectory, present: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The directory file `present` with what it lacks of `directory`; what is there stays as it is.

    An element that is there without a list of codes gets none: those of headers name what others keep too.
    DirectoryUnreadable where a composite is used of which nobody says what it holds.
    """
    segments = {**directory.segments, **present["segments"]}
    segments = {tag: uses for tag, uses in segments.items() if tag != _ADVICE}
    composites = dict(present.get("composites", {}))
    used = {use.split(" ")[0] for uses in (*segments.values(), *composites.values()) for use in uses}
    unknown = sorted(item for item in used if item.startswith("S") and item not in composites)
    if unknown:
        raise DirectoryUnreadable(
            f"What {', '.join(unknown)} hold is said neither here nor in the tables that are there."
        )
    known = present.get("elements", {}).keys()
    elements = {**directory.elements, **present.get("elements", {})}
    codes = {number: " ".join(listed) for number, listed in directory.codes.items()}
    return {
        **present,
        "source": present["source"] if source in present["source"] else f"{present['source']}; {source}",
        "segments": segments,
        "composites": composites,
        "elements": {number: elements[number] for number in sorted(used & elements.keys())},
        "codes": dict(
            sorted({**{n: codes[n] for n in codes if n in used - known}, **present.get("codes", {})}.items())
        ),
    }


def names_file(directory: ServiceDirectory, whole: Mapping[str, Any], present: Mapping[str, Any]) -> dict[str, Any]:
    """What the directory calls everything in its directory file `whole`; where `present` has a name, that."""
    kinds = ("segments", "composites", "elements")
    named = {
        kind: {
            key: present.get(kind, {}).get(key) or directory.names[key]
            for key in whole[kind]
            if key in directory.names or key in present.get(kind, {})
        }
        for kind in kinds
    }
    codes = {**present.get("codes", {}), **{n: c for n, c in directory.code_names.items() if n in whole["codes"]}}
    return {"source": "names of the service directory", **named, "codes": dict(sorted(codes.items()))}


_ADVICE = "UNA"
"""No segment, though the files list it as one."""
