"""Imports UN/EDIFACT directories, D.95B to D.21B, from the archives that the UNECE publishes.

An archive is a zip of zips. Inside are text files for people: messages (`CUSDEC_D.96B`), segments (TRSD or
EDSD, IDSD for interactive messages), composites (TRCD, EDCD, IDCD), elements (TRED, EDED) and codes (UNCL, once in two
files). Folder names, box characters, change marks and column positions differ between directories; what
is read here holds in all of them. Names go into a file of their own, `names.json`; descriptions are left behind.

    directory = read_directory(archive)
    write(directory, ["CUSDEC", "GOVCBR"], schemas / "edifact")
"""

from __future__ import annotations

import io
import itertools
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from gateway.errors import DirectoryUnreadable

SERVICE = "../service-4"
"""Where UNH, UNS and UNT of every message are defined: the syntax version 4 forms take the older ones in."""

_MAX_BYTES = 256 * 1024 * 1024
"""All of an archive, unpacked; the largest directory has 20 MB."""
_MAX_DEPTH = 3

_MESSAGE_FILE = re.compile(r"([A-Z]{6})_[A-Z]\.\d\d[A-Z]", re.IGNORECASE)
_PART_FILE = re.compile(r"(TR|ED|ID)(SD|CD|ED)\.(\d\d[A-Z])", re.IGNORECASE)
_CODES_FILE = re.compile(r"UNCL(?:-\d)?\.\d\d[A-Z]", re.IGNORECASE)

_MARKS = r"[+*#|\-X ]*"
"""Change marks: addition, amendment, name, text, deletion, marked for deletion."""
_SEGMENT = re.compile(rf"{_MARKS} +([A-Z]{{3}})  +(\S.*)")
_COMPOSITE = re.compile(rf"{_MARKS}([CE]\d{{3}})  ?(\S.*)")
_ELEMENT = re.compile(rf"{_MARKS} *(\d{{4}})  +(\S.*)")
_FOR_USE_IN = re.compile(r" *\[[A-Z]\] *$")
"""Behind the name of an element, since D.01B: whether batch messages, interactive ones or both use it."""
_USE = re.compile(rf"\d{{3}} ?{_MARKS} +([CE]\d{{3}}|\d{{4}}) (.*)")
_STATUS = re.compile(r"(?:^|.* )([MC])(?: +(\d+))?(?: +(an?|n)(\.\.)?(\d+))? *")
_TYPE = re.compile(r" *Repr: *(an?|n) ?(\.\.)?(\d+)")
_NOTE = re.compile(r" *\d{3} +D([1-7])\(([\d, ]+)\)")
_POSITION = re.compile(rf"\d{{4,5}} ?{_MARKS} +([A-Z]{{3}} .*|[-─]+ Segment group .*)")
_GROUP = re.compile(r"[-─]+ Segment group (\d+)[ -].* ([MC]) +(\d+)")
_MEMBER = re.compile(r"([A-Z]{3}) .* ([MC]) +(\d+)([^\d]*)")
_CODE = re.compile(r" {3,8}(\S+) +(?=\S)(?<=^.{10})| {5}(\S+)\s+(?=\S)(?<!^.{10})")
"""A code value. Until D.98B its name starts in column 11, from D.99A the value in column 6 and the name further on."""
_NOTE_KINDS = {"1": "O", "2": "P", "3": "R", "4": "E", "5": "C", "6": "L", "7": "N"}


@dataclass(slots=True)
class Names:
    """What a directory calls things: segments, composites and elements by tag or number, codes by element and value."""

    segments: dict[str, str] = field(default_factory=dict)
    composites: dict[str, str] = field(default_factory=dict)
    elements: dict[str, str] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(slots=True)
class Directory:
    """What one archive says, in the form that `gateway.check.tables` reads."""

    release: str = ""
    """`96B`."""
    messages: dict[str, str] = field(default_factory=dict)
    """The text of each message's specification, by its name."""
    segments: dict[str, list[str]] = field(default_factory=dict)
    interactive: dict[str, list[str]] = field(default_factory=dict)
    """Segments of interactive messages, which may have the tag of another one for batch messages."""
    composites: dict[str, list[str]] = field(default_factory=dict)
    elements: dict[str, str] = field(default_factory=dict)
    codes: dict[str, list[str]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    names: Names = field(default_factory=Names)


def read_directory(archive: bytes) -> Directory:
    """Read a directory archive; DirectoryUnreadable says what is wrong with it."""
    directory = Directory()
    for name, body in _members(archive, _MAX_DEPTH, [_MAX_BYTES]):
        base = name.rpartition("/")[2].rpartition("\\")[2]
        text = body.decode("cp437").replace("\r\n", "\n")
        if found := _MESSAGE_FILE.fullmatch(base):
            directory.messages[found[1].upper()] = text
        elif found := _PART_FILE.fullmatch(base):
            _read_part(directory, found[1].upper(), found[2].upper(), text)
            directory.release = found[3].upper()
        elif _CODES_FILE.fullmatch(base):
            named = _codes(text)
            directory.names.codes |= named
            directory.codes |= {number: list(codes) for number, codes in named.items()}
    for kind in ("messages", "segments", "composites", "elements", "codes"):
        if not getattr(directory, kind):
            raise DirectoryUnreadable(f"The archive holds no {kind}.")
    return directory


def _members(archive: bytes, depth: int, budget: list[int]) -> Iterator[tuple[str, bytes]]:
    """The files of a zip and of the zips in it."""
    with open_archive(io.BytesIO(archive)) as opened:
        for info in opened.infolist():
            if info.is_dir():
                continue
            budget[0] -= info.file_size
            if budget[0] < 0:
                raise DirectoryUnreadable(f"The archive unpacks to more than {_MAX_BYTES} bytes.")
            body = opened.read(info)
            if info.filename.lower().endswith(".zip") and depth:
                yield from _members(body, depth - 1, budget)
            else:
                yield info.filename, body


@contextmanager
def open_archive(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """A zip; DirectoryUnreadable where it is none, or what is read of it is damaged, encrypted or packed in a strange way."""
    try:
        with zipfile.ZipFile(file) as opened:
            yield opened
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise DirectoryUnreadable(f"The archive cannot be unpacked: {error}") from error


def _read_part(directory: Directory, family: str, part: str, text: str) -> None:
    if part == "SD":
        target = directory.interactive if family == "ID" else directory.segments
        target |= _definitions(text, _SEGMENT)
        # A segment of interactive messages may have the tag of another one.
        directory.names.segments = _named(text, _SEGMENT) | directory.names.segments
        if family != "ID":
            directory.notes |= _notes(text)
    elif part == "CD":
        directory.composites |= _definitions(text, _COMPOSITE)
        directory.names.composites |= _named(text, _COMPOSITE)
    else:
        directory.elements |= _types(text)
        directory.names.elements |= _named(text, _ELEMENT)


def _sections(text: str, heading: re.Pattern[str]) -> Iterator[tuple[str, list[str]]]:
    """The entries between rules of dashes: what the heading names, and the lines after it."""
    return ((name, lines) for name, _, lines in _headed(text, heading))


def _headed(text: str, heading: re.Pattern[str]) -> Iterator[tuple[str, str, list[str]]]:
    """The entries between rules of dashes: what the heading names, how it calls it, and the lines after it."""
    for section in re.split(r"\n[-─]{20,}[^\n]*\n", text):
        lines = section.split("\n")
        for at, line in enumerate(lines):
            if found := heading.fullmatch(line):
                yield found[1], found[2], lines[at + 1 :]
                break


def _named(text: str, heading: re.Pattern[str]) -> dict[str, str]:
    """The names of the entries; a long one goes on until the line that is empty. Those in capitals are set as words."""
    named: dict[str, str] = {}
    for key, name, lines in _headed(text, heading):
        more = list(itertools.takewhile(str.strip, lines))
        whole = _FOR_USE_IN.sub("", " ".join([name, *more]))
        whole = " ".join(whole.split())
        named[key] = whole.capitalize() if whole.isupper() else whole
    return named


def _definitions(text: str, heading: re.Pattern[str]) -> dict[str, list[str]]:
    """Segments or composites with the uses of their elements."""
    return {name: list(_uses(lines)) for name, lines in _sections(text, heading)}


def _uses(lines: Sequence[str]) -> Iterator[str]:
    """`C246 C 5`, `1496 C`, one for each position; a long name pushes the status to a following line."""
    item = ""
    for line in lines:
        if found := _USE.fullmatch(line):
            item, rest = found[1], found[2]
        elif item:
            rest = line
        else:
            continue
        if status := _STATUS.fullmatch(rest):
            repeat = f" {status[2]}" if status[2] not in {None, "1"} else ""
            yield f"{item} {status[1]}{repeat}"
            item = ""


def _notes(text: str) -> dict[str, list[str]]:
    """Dependency notes of segments; their positions are written in tens."""
    notes: dict[str, list[str]] = {}
    for tag, lines in _sections(text, _SEGMENT):
        for line in lines:
            if found := _NOTE.match(line):
                positions = "".join(f"{int(at) // 10:02}" for at in found[2].split(","))
                notes.setdefault(tag, []).append(_NOTE_KINDS[found[1]] + positions)
    return notes


def _types(text: str) -> dict[str, str]:
    types: dict[str, str] = {}
    for number, lines in _sections(text, _ELEMENT):
        found = next(filter(None, map(_TYPE.match, lines)), None)
        if found:
            types[number] = found[1] + (found[2] or "") + found[3]
    return types


def _codes(text: str) -> dict[str, dict[str, str]]:
    """Code values with their names, by element; a long name goes on in lines that begin where it began."""
    codes: dict[str, dict[str, str]] = {}
    for number, lines in _sections(text, _ELEMENT):
        found: dict[str, str] = {}
        listing = noting = False
        code, column = "", 0
        for line in lines:
            noting = (noting or line.lstrip().startswith("Note:")) and bool(line.strip())
            unmarked = "  " + line[2:] if not line[:2].strip("+*#|-X ") else ""
            if listing and not noting and (read := _CODE.match(unmarked)):
                code = read[1] or read[2]
                if code in found:  # it stands a second time, with the mark of what was changed
                    code = ""
                    continue
                column = read.end()
                found[code] = " ".join(unmarked[column:].split())
            elif code and line.strip() and len(line) - len(line.lstrip()) == column:
                found[code] += " " + " ".join(line.split())
            else:
                code = ""
            listing = listing or bool(_TYPE.match(line))
        if found:
            codes[number] = found
    return codes


def table(directory: Directory, message: str) -> dict[str, Any]:
    """The message file of `message`; DirectoryUnreadable where the directory lacks it or it cannot be followed."""
    if message not in directory.messages:
        raise DirectoryUnreadable(f"The directory has no message {message}.")
    text = directory.messages[message]
    version, release, agency = (_header(text, word) for word in ("Version", "Release", "Contr. Agency"))
    found = {
        "formats": [f"edifact:{message}:{version}:{release}:{agency}"],
        "source": f"UN/EDIFACT {version}.{release}, message specification {message}",
        "structure": _structure(message, text),
    }
    interactive = {t: directory.interactive[t] for t in _tags(found["structure"]) if t in directory.interactive}
    if "UIH M 1" in found["structure"]:
        return {**found, "segments": interactive}
    return found


def directory_file(directory: Directory, tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What `directory` says about everything that `tables` use."""
    tags = sorted({tag for t in tables for tag in _tags(t["structure"]) if tag in directory.segments})
    segments = {tag: directory.segments[tag] for tag in tags if not all(tag in t.get("segments", ()) for t in tables)}
    uses = [use for t in tables for uses in t.get("segments", {}).values() for use in uses]
    items = {use.split(" ")[0] for use in [*uses, *(u for found in segments.values() for u in found)]}
    composites = {item: directory.composites[item] for item in sorted(items) if item in directory.composites}
    items |= {use.split(" ")[0] for found in composites.values() for use in found}
    elements = {item: directory.elements[item] for item in sorted(items) if item in directory.elements}
    return {
        "source": f"UN/EDIFACT D.{directory.release}, segment, composite, element and code directories",
        "extends": SERVICE,
        "segments": segments,
        "composites": composites,
        "elements": elements,
        "codes": {item: " ".join(directory.codes[item]) for item in elements if item in directory.codes},
        "notes": {tag: directory.notes[tag] for tag in segments if tag in directory.notes},
    }


def names_file(directory: Directory, file: Mapping[str, Any], tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What `directory` calls everything that its directory file and `tables` use."""
    tags = {tag for t in tables for tag in _tags(t["structure"])}
    names = directory.names
    return {
        "source": f"UN/EDIFACT D.{directory.release}, names of its segments, composites, elements and codes",
        "segments": {tag: names.segments[tag] for tag in sorted(tags) if tag in names.segments},
        "composites": {item: names.composites[item] for item in file["composites"] if item in names.composites},
        "elements": {item: names.elements[item] for item in file["elements"] if item in names.elements},
        "codes": {item: names.codes[item] for item in file["codes"]},
    }


def _without(names: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """`names` without what `shared`, the file beside all directories, calls the same: few names ever change."""
    left = {
        kind: {key: name for key, name in names[kind].items() if shared.get(kind, {}).get(key) != name}
        for kind in ("segments", "composites", "elements")
    }
    known = shared.get("codes", {})
    codes = {
        item: {code: name for code, name in listed.items() if known.get(item, {}).get(code) != name}
        for item, listed in names["codes"].items()
    }
    return {**names, **left, "codes": {item: listed for item, listed in codes.items() if listed}}


_OTHERS = ("directory", "names")


def make_files(directory: Directory, messages: Sequence[str], folder: Path) -> dict[str, Mapping[str, Any]]:
    """The files of `messages` by their names below `folder`, as d96b/CUSDEC.json, keeping what is there."""
    tables = {message: table(directory, message) for message in messages}
    target = folder / f"d{directory.release.lower()}"
    present = [json.loads(p.read_bytes()) for p in sorted(target.glob("*.json")) if p.stem not in {*tables, *_OTHERS}]
    whole = directory_file(directory, [*present, *tables.values()])
    named = names_file(directory, whole, [*present, *tables.values()])
    shared = folder / "names.json"
    if shared.is_file():
        named = _without(named, json.loads(shared.read_bytes()))
    files = {"directory": whole, "names": named, **tables}
    return {f"{target.name}/{name}.json": value for name, value in files.items()}


def dump(value: Mapping[str, Any]) -> str:
    """A file of schemas/ as text, one definition a line, so that changes can be reviewed."""

    def line(item: object) -> str:
        return json.dumps(item, ensure_ascii=False)

    def block(entries: Sequence[str], brackets: str) -> str:
        return f"{brackets[0]}\n    " + ",\n    ".join(entries) + f"\n  {brackets[1]}" if entries else brackets

    members = []
    for key, item in value.items():
        if isinstance(item, dict):
            text = block([f"{line(name)}: {line(part)}" for name, part in item.items()], "{}")
        elif key == "structure":
            text = block([_outline(part, 4) for part in item], "[]")
        else:
            text = line(item)
        members.append(f"  {line(key)}: {text}")
    return "{\n" + ",\n".join(members) + "\n}\n"


def _outline(member: Any, indent: int) -> str:
    """A member of a structure; a group that holds groups gives each a line of its own."""
    if isinstance(member, str) or not any(isinstance(inner, list) for inner in member):
        return json.dumps(member)
    text = "["
    for at, inner in enumerate(member):
        separator = "" if not at else ",\n" + " " * (indent + 2) if isinstance(inner, list) else ", "
        text += separator + _outline(inner, indent + 2)
    return text + "]"


def _header(text: str, word: str) -> str:
    """A line of the message's heading: `Release : 96B`."""
    found = re.search(rf"{re.escape(word)} *: *(\S+)", text)
    if found is None:
        raise DirectoryUnreadable(f"A message specification has no line {word!r}.")
    return found[1]


def _structure(message: str, text: str) -> list[Any]:
    """The segment table. Beside each segment the bars of the groups that stay open behind it are drawn."""
    # The contents name the table first, and after it a change table may follow, so: the last heading, to the trailer.
    lines = re.split("Segment table", text, flags=re.IGNORECASE)[-1].split("\n")
    stack: list[list[Any]] = [[]]
    pending = ""
    for line in lines:
        position = _POSITION.fullmatch(line.rstrip())
        pending = position[1] if position else pending + line.rstrip() if pending else ""
        if group := _GROUP.match(pending):
            opened = [f"SG{group[1]} {group[2]} {group[3]}"]
            stack[-1].append(opened)
            stack.append(opened)
        elif member := _MEMBER.fullmatch(pending):
            stack[-1].append(f"{member[1]} {member[2]} {member[3]}")
            # The corners are no help: BOPBNK D.99B closes a group twice.
            open_groups = member[4].count("│") + member[4].count("|")
            if open_groups >= len(stack):
                raise DirectoryUnreadable(f"{message}: {line.strip()!r} stands in more groups than are open.")
            del stack[open_groups + 1 :]
            if member[1] in {"UNT", "UIT"} and not open_groups:
                return stack[0]
        else:
            continue  # a name that goes on in the next line, or no position at all
        pending = ""
    raise DirectoryUnreadable(f"{message}: the segment table cannot be followed to its end.")


def _tags(structure: Sequence[Any]) -> Iterator[str]:
    """The tags of a structure, as they come."""
    for member in structure:
        if isinstance(member, str):
            yield member.split(" ")[0]
        else:
            yield from _tags(member[1:])
