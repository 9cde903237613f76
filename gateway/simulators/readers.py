"""An independent reader for each syntax: short, naive, and written without the gateway's own parsers.

`summary` turns what a partner received into plain values, so that a simulator can answer it and a
person can read it. What is not understood raises ValueError, and the simulator refuses it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

Values = dict[str, Any]


def summary(body: bytes) -> Values:
    """What a message says: its `kind`, and the values a simulator needs; ValueError where it is unreadable."""
    head = body.lstrip()[:3]
    if head in (b"UNA", b"UNB"):
        return _edifact(body)
    if head == b"ISA":
        return _x12(body)
    if head[:1] == b"<":
        return _xml(body)
    value = json.loads(body)
    if not isinstance(value, dict):
        raise ValueError("a message is a JSON object")  # noqa: TRY004 -- what a reader raises for all that is unreadable
    document = value.get("document")
    if isinstance(document, dict):
        return {**document, "kind": str(value.get("format", "json"))}
    return {**value, "kind": "json"}


def edifact_segments(text: str) -> list[list[list[str]]]:
    """Segments of elements of components, with the release character honoured."""
    component, element, release, terminator = ":", "+", "?", "'"
    if text.startswith("UNA"):
        component, element, release, terminator = text[3], text[4], text[6], text[8]
        text = text[9:]
    segments: list[list[list[str]]] = []
    current: list[list[str]] = [[""]]
    characters = iter(text)
    for character in characters:
        if character == release and release.strip():
            current[-1][-1] += next(characters, "")
        elif character == terminator:
            segments.append(current)
            current = [[""]]
        elif character == element:
            current.append([""])
        elif character == component:
            current[-1].append("")
        elif character not in "\r\n" or current != [[""]]:
            current[-1][-1] += character
    return segments


def _edifact(body: bytes) -> Values:
    segments = edifact_segments(body.decode("utf-8"))
    if not segments or segments[0][0][0] != "UNB" or segments[-1][0][0] != "UNZ":
        raise ValueError("no complete interchange")
    opened = [n for n, s in enumerate(segments) if s[0][0] == "UNH"]
    closed = [n for n, s in enumerate(segments) if s[0][0] == "UNT"]
    if len(opened) != len(closed) or int(segments[-1][1][0]) != len(opened):
        raise ValueError("the interchange's count of messages is wrong")
    for start, end in zip(opened, closed, strict=True):
        if int(segments[end][1][0]) != end - start + 1:
            raise ValueError("the message's count of segments is wrong")
    if not opened:
        raise ValueError("no message")
    values: Values = {
        "kind": segments[opened[0]][2][0],
        "interchange": segments[0][5][0],
        "sender": segments[0][2][0],
        "references": {},
        "answers": [],
        "segments": segments,
    }
    for parts in segments:
        match parts[0][0]:
            case "BGM" if len(parts) > 2:
                values["number"] = parts[2][0]
            case "RFF" if len(parts[1]) > 1:
                values["references"].setdefault(parts[1][0], parts[1][1])
            case "UCI":
                values["answers"].append(parts[1][0])
                values["action"] = parts[4][0]
            case "UCM":
                values["answers"].append(parts[1][0])
                if parts[3][0] == "4":
                    # The interchange may be acknowledged (7) and a message in it rejected.
                    values["action"] = "4"
    return values


def _x12(body: bytes) -> Values:
    text = body.decode("utf-8")
    element, terminator = text[3], text[105]
    segments = [s.strip("\r\n").split(element) for s in text.split(terminator) if s.strip()]
    tags = [s[0] for s in segments]
    if tags[0] != "ISA" or tags[-1] != "IEA" or segments[0][13] != segments[-1][2]:
        raise ValueError("no complete interchange")
    values: Values = {"kind": "x12", "interchange": segments[0][13], "answers": [], "segments": segments}
    for parts in segments:
        match parts[0]:
            case "ST":
                values["kind"] = parts[1]
            case "AK1" | "AK2":
                values["answers"].append(parts[2])
            case "AK9":
                values["action"] = parts[1]
            case "TA1":
                values["kind"], values["action"] = "TA1", parts[4]
                values["answers"].append(parts[1])
    return values


def _xml(body: bytes) -> Values:
    if re.search(rb"<!(DOCTYPE|ENTITY)", body):
        raise ValueError("a document type is not read")
    try:
        root = ET.fromstring(body)  # noqa: S314 -- no document type, so no entities
    except ET.ParseError as error:
        raise ValueError(str(error)) from error
    values = _tree(root)
    return {**(values if isinstance(values, dict) else {"text": values}), "kind": _local(root)}


def _local(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _tree(element: ET.Element) -> Any:
    """An element as nested dicts; a name that repeats becomes a list."""
    if not len(element):
        return (element.text or "").strip()
    values: Values = {}
    for child in element:
        name, value = _local(child), _tree(child)
        values.update((f"{name}@{attribute}", text) for attribute, text in child.attrib.items())
        if name in values:
            values[name] = [*(values[name] if isinstance(values[name], list) else [values[name]]), value]
        else:
            values[name] = value
    return values


def find(values: Any, name: str) -> str:
    """The first text called `name` anywhere in nested values; empty where there is none."""
    if isinstance(values, Mapping):
        direct = values.get(name)
        if isinstance(direct, str):
            return direct
        return next((found for v in values.values() if (found := find(v, name))), "")
    if isinstance(values, list):
        return next((found for v in values if (found := find(v, name))), "")
    return ""
