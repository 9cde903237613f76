"""The readers of tables: code lists, schemas, guides, mappings, rules, UNECE archives, service directories, maps, XSDs.

The first line says which file of a catalogue, or which part of a directory, the rest is.
"""

import contextlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

from gateway.catalogue import Catalogue
from gateway.catalogue_folders import shipped
from gateway.check import codes, rulebook, service_directory, structure, tables, unece, x12_maps, xsd, xsd_folder
from gateway.cli.code_import import ListInvalid, make_list
from gateway.discovery import find_flows
from gateway.errors import DirectoryUnreadable, MappingInvalid, RulesInvalid, SchemaInvalid
from gateway.parse import edifact, x12
from gateway.parse.segments import MessageRead
from gateway.translate import table as mappings
from tests.fuzz import directories
from tests.fuzz.invariants import Budget

REFUSALS = (SchemaInvalid, DirectoryUnreadable, MappingInvalid, RulesInvalid, ListInvalid)
"""What a reader of tables may say to what it cannot take, in words; all else is a fault of ours."""
PLACE = "schemas/edifact/fuzzed"
LARGEST = 3000
"""Bytes of a seed at most, of which the fuzzer keeps 4096."""


def one(body: bytes) -> None:
    """Whatever stands in a table, it is read or refused; what is read can be worked by."""
    kind, _, content = body.partition(b"\n")
    name = kind.decode("ascii", "replace")
    with Budget(body), contextlib.suppress(*REFUSALS):
        if read := _READERS.get(name.partition(" ")[0]):
            read(content, name.partition(" ")[2])


def _over(name: str, content: bytes) -> Catalogue:
    """What ships, with another file in it."""
    made = Catalogue({**_shipped(), name: content})
    made.succeed(shipped())
    return made


@cache
def _shipped() -> Mapping[str, bytes]:
    return {name: shipped().read(name) for name in shipped().files if not name.endswith("names.json")}


def _code_list(content: bytes, _: str) -> None:
    found = codes.load(Catalogue({"schemas/codes/fuzzed.csv": content}), "fuzzed")
    for row in found.rows[:9]:
        for column in found.columns:
            found.to_canonical(row[column] or "", column)
            found.suggest(row[column] or "", column)


def _foreign_list(content: bytes, separator: str) -> None:
    text = make_list(content, "fuzzed", "somebody", separator=separator or ",")
    codes.load(Catalogue({"schemas/codes/fuzzed.csv": text.encode()}), "fuzzed")


_MESSAGE = b"UNB+UNOA:3+A+B+260304:0506+1'UNH+1+CUSDEC:D:96B:UN'BGM+1+2'DTM+3:4:5'UNT+4+1'UNZ+1+1'"
_SET = (
    b"ISA*00*          *00*          *ZZ*A              *ZZ*B              *260304*0506*U*00401*000000001*0*P*>~"
    b"GS*SO*A*B*20260304*0506*1*X*004010~ST*309*0001~B4*1~N9*X*Y~SE*4*0001~GE*1*1~IEA*1*000000001~"
)


def _message(content: bytes, directory: str) -> None:
    """A table of a message beside a directory, in EDIFACT or X12, and a message checked by it."""
    is_x12 = directory == "x12"
    folder = "schemas/x12/004010" if is_x12 else "schemas/edifact/d96b"
    catalogue = _over(f"{folder}/FUZZED.json", content)
    table = tables.load(catalogue, f"{folder}/FUZZED.json")
    for event in x12.read((_SET,)) if is_x12 else edifact.read((_MESSAGE,)):
        if isinstance(event, MessageRead):
            structure.check(event.message, table)


def _directory(content: bytes, _: str) -> None:
    catalogue = Catalogue(
        {
            **{name: body for name, body in _shipped().items() if name.startswith("schemas/edifact/service")},
            f"{PLACE}/directory.json": content,
            f"{PLACE}/ANY.json": directories.ANY_MESSAGE,
        }
    )
    tables.load(catalogue, f"{PLACE}/ANY.json")


def _guide(content: bytes, _: str) -> None:
    catalogue = _over("schemas/guides/fuzzed.json", content)
    tables.load_guide(catalogue, "schemas/guides/fuzzed.json")


def _mapping(content: bytes, _: str) -> None:
    mappings.parse(shipped(), content, "declaration/fuzzed")


def _rules(content: bytes, name: str) -> None:
    rulebook.load(_over(f"schemas/rules/{name}", content), find_flows().rules)


def _archive(content: bytes, part: str) -> None:
    part = re.sub(r"[^\w./-]", "", part)
    files = {**directories.UNECE, part: content} if part else {}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, body in files.items():
            file.writestr(name, body)
    found = unece.read_directory(packed.getvalue() if part else content)
    made = unece.make_files(found, sorted(found.messages)[:1], Path("/nowhere"))
    for name, value in made.items():
        if not name.endswith(("directory.json", "names.json")):
            beside = {f"schemas/edifact/{n}": unece.dump(v).encode() for n, v in made.items()}
            catalogue = Catalogue({**_shipped(), **beside})
            catalogue.succeed(shipped())
            tables.load(catalogue, f"schemas/edifact/{name}")
            assert value


def _service(content: bytes, part: str) -> None:
    found = service_directory.read_service({**directories.SERVICE, part or "simple_segments.xml": content})
    present = json.loads(shipped().read("schemas/edifact/service-4/directory.json"))
    whole = service_directory.merged(found, present, "somebody")
    service_directory.names_file(found, whole, {})
    service_directory.version_of(found)
    for message in sorted(found.messages)[:2]:
        service_directory.message_table(found, message, [f"edifact:{message}:4:1:UN"], "somebody")


def _map(content: bytes, part: str) -> None:
    text, elements = (directories.X12_MAP, content) if part == "elements" else (content, directories.X12_ELEMENTS)
    found = x12_maps.read_map(text, data_elements=elements, formats=["x12:309:009999"])
    facts = unece.dump({"source": "somebody", "segments": {}}).encode()
    files = {"schemas/x12/009999/309.json": unece.dump(found).encode(), "schemas/x12/009999/directory.json": facts}
    catalogue = Catalogue({**_shipped(), **files})
    catalogue.succeed(shipped())
    tables.load(catalogue, "schemas/x12/009999/309.json")


def _xsd(content: bytes, root: str) -> None:
    found = xsd_folder.collect({"a.xsd": content, "b.xsd": directories.XSD}, root or "Fuzzed")
    made = {f"schemas/xml/fuzzed/{name}": body for name, body in found.files.items()}
    made["schemas/xml/index_fuzzed.toml"] = found.index("xml:Fuzzed:1", "fuzzed").encode()
    xsd.load(Catalogue(made), "xml:Fuzzed:1")


_READERS: dict[str, Callable[[bytes, str], None]] = {
    "codes": _code_list,
    "list": _foreign_list,
    "message": _message,
    "directory": _directory,
    "guide": _guide,
    "mapping": _mapping,
    "rules": _rules,
    "unece": _archive,
    "service": _service,
    "map": _map,
    "xsd": _xsd,
}


def begin() -> Iterator[bytes]:
    """Small tables of each kind, those that ship among them."""
    kinds = {
        "codes": ("schemas/codes/", ".csv"),
        "message x12": ("schemas/x12/004010/", ".json"),
        "message": ("schemas/edifact/d96b/", ".json"),
        "mapping": ("mappings/", ".toml"),
        "rules": ("schemas/rules/", ".toml"),
        "xsd": ("schemas/xml/", ".xsd"),
    }
    for name in shipped().files:
        body = shipped().read(name)
        for kind, (folder, ending) in kinds.items():
            if name.startswith(folder) and name.endswith(ending) and len(body) <= LARGEST:
                said = f"rules {name.removeprefix(folder)}" if kind == "rules" else kind
                yield f"{said}\n".encode() + body
    yield b"list\n# from somebody\nun,name\nAA,one\nBB,two\n"
    yield b"list ;\nun;en\nAA;one\nBB;two\n"
    yield b"directory\n" + directories.ANY_DIRECTORY
    yield b"guide\n" + directories.GUIDE
    for name, body in directories.UNECE.items():
        yield f"unece {name}\n".encode() + body
    for name, body in directories.SERVICE.items():
        yield f"service {name}\n".encode() + body
    yield b"map\n" + directories.X12_MAP
    yield b"map elements\n" + directories.X12_ELEMENTS
    yield b"xsd\n" + directories.XSD
    yield b"xsd Fuzzed\n" + directories.XSD_MAIN
