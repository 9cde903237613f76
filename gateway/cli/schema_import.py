"""`gateway schema import` makes wire tables and indexes of what others publish: directories, maps, XSDs."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli import output


def import_(
    source: Annotated[
        Path,
        typer.Argument(
            help="A UN/EDIFACT directory such as d21b.zip, a service directory, a pyx12 map, or a folder of XSDs.",
            metavar="SOURCE",
        ),
    ],
    messages: Annotated[
        list[str] | None,
        typer.Argument(help="Of a directory, the messages, such as CUSDEC GOVCBR.", metavar="MESSAGE"),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(help="Folder of tables of this kind; that of your own catalogue folder where absent."),
    ] = None,
    format_: Annotated[
        str,
        typer.Option("--format", help="Of a map or an XSD, the format; what it says itself where absent."),
    ] = "",
    root: Annotated[str, typer.Option("--root", help="Of XSDs, the root element of the message.")] = "",
    namespace: Annotated[str, typer.Option("--namespace", help="Of XSDs, the root's namespace.")] = "",
    config: output.ConfigOption = None,
    json_: output.JsonOption = False,
) -> None:
    """Make tables of what others publish: UN/EDIFACT and service directories, pyx12 maps, XSDs."""
    from gateway.errors import DirectoryUnreadable, SchemaInvalid

    if not source.exists():
        output.existing_file(source)
    wanted = [message.upper() for message in messages or ()]
    try:
        if root:
            kind, folder = "xml", into or _own_folder(config, "xml")
            made = _schemas(source, root, namespace, format_)
        elif source.suffix == ".xml" and source.is_file():
            kind, folder = "x12", into or _own_folder(config, "x12")
            made = _map(source, format_, folder)
        else:
            kind, folder = "edifact", into or _own_folder(config, "edifact")
            made = _directory(source, wanted, folder)
        written = _put_in_place(made, folder, kind)
    except (DirectoryUnreadable, SchemaInvalid) as error:
        output.stop(f"{source}: {error}")
    except OSError as error:
        output.stop(output.reason(error))
    if json_:
        output.as_json({"files": [str(path) for path in written]})
        return
    for path in written:
        output.data(str(path))


def _put_in_place(made: Mapping[str, bytes], folder: Path, kind: str) -> list[Path]:
    """Write files by their names below `folder`, once all have a place there and load; the paths written."""
    from gateway.errors import DirectoryUnreadable

    inside = folder.resolve()
    targets = {name: (folder / name).resolve() for name in made}
    for name, target in targets.items():
        if inside not in target.parents:
            raise DirectoryUnreadable(f"{name} would be written outside of {folder}.")
    _load(made, folder, kind)
    for name, target in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(made[name])
    return [folder / name for name in made]


def _load(made: Mapping[str, bytes], folder: Path, kind: str) -> None:
    """Load what was made as a catalogue has it, among what ships and what is there; SchemaInvalid where it does not."""
    from gateway.catalogue import Catalogue
    from gateway.catalogue_folders import shipped
    from gateway.check import tables, xsd

    beside = {path.parent for path in map(folder.joinpath, made)}
    there = {path for one in beside for path in one.glob("*") if path.suffix in (".json", ".toml", ".xsd")}
    contents = {name: shipped().read(name) for name in shipped().files}
    contents |= {f"schemas/{kind}/{p.relative_to(folder).as_posix()}": p.read_bytes() for p in there if p.is_file()}
    catalogue = Catalogue(contents | {f"schemas/{kind}/{name}": body for name, body in made.items()})
    if kind == "xml":
        own = Catalogue({f"schemas/{kind}/{name}": body for name, body in made.items()})
        xsd.entries(catalogue)
        for format_ in xsd.entries(own):
            xsd.load(catalogue, format_)
        return
    for name in made:
        if name.rpartition("/")[2] not in ("directory.json", "names.json"):
            tables.load(catalogue, f"schemas/{kind}/{name}")


def _own_folder(config: Path | None, kind: str) -> Path:
    """Where the operator's own schemas of a kind lie; where there is no such folder, those of this gateway."""
    from gateway import data
    from gateway.config import load

    own = load(config).catalogue.folder
    return data.schemas() / kind if own is None else own / "schemas" / kind


def _directory(source: Path, messages: Sequence[str], folder: Path) -> dict[str, bytes]:
    """Import a UN/EDIFACT directory, or a service directory."""
    from gateway.check import service_directory, unece

    if source.is_dir() or _is_service_archive(source):
        return _service(service_directory.read_service(_files(source)), messages, folder)
    directory = unece.read_directory(source.read_bytes())
    if not messages:
        output.stop("name the messages to import, such as CUSDEC GOVCBR")
    made = unece.make_files(directory, messages, folder)
    return {name: unece.dump(value).encode() for name, value in made.items()}


def _is_service_archive(source: Path) -> bool:
    from gateway.check import service_directory, unece

    if not zipfile.is_zipfile(source):
        return False
    with source.open("rb") as file, unece.open_archive(file) as archive:
        return service_directory.is_service(dict.fromkeys(archive.namelist(), b""))


_MOST_BYTES = 64 * 1024 * 1024
"""Of one file in a folder or archive; the largest that is published has under one."""


_ELSEWHERE = re.compile(r"/|[A-Za-z]:|.*\\|(?:.*/)?\.\.(?:/|$)", re.DOTALL)
"""Begins a name in an archive that may lead out of it: a root, a drive, a backslash, a step up."""


def _files(source: Path) -> dict[str, bytes]:
    """The XML files of a folder or an archive by name, or the one that an XSD is."""
    from gateway.check import unece
    from gateway.errors import DirectoryUnreadable

    if source.is_dir():
        paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".xml", ".xsd") and path.is_file())
        if any(path.stat().st_size > _MOST_BYTES for path in paths):
            raise DirectoryUnreadable(f"A file is larger than {_MOST_BYTES >> 20} MiB.")
        return {path.relative_to(source).as_posix(): path.read_bytes() for path in paths}
    if source.suffix.lower() == ".xsd":
        if source.stat().st_size > _MOST_BYTES:
            raise DirectoryUnreadable(f"A file is larger than {_MOST_BYTES >> 20} MiB.")
        return {source.name: source.read_bytes()}
    with source.open("rb") as file, unece.open_archive(file) as archive:
        if outside := next((name for name in archive.namelist() if _ELSEWHERE.match(name)), None):
            raise DirectoryUnreadable(f"The archive holds {outside!r}, a name that may lead out of a folder.")
        if sum(info.file_size for info in archive.infolist()) > _MOST_BYTES:
            raise DirectoryUnreadable(f"The archive unpacks to more than {_MOST_BYTES >> 20} MiB.")
        return {name: archive.read(name) for name in archive.namelist() if name.lower().endswith((".xml", ".xsd"))}


def _service(directory: Any, messages: Sequence[str], folder: Path) -> dict[str, bytes]:
    """Lay what a service directory says into `service-4`, or `service-3`, beside what is there already."""
    from gateway import data
    from gateway.check import service_directory, unece

    version = service_directory.version_of(directory)
    target = folder / f"service-{version}"
    shipped = data.schemas() / "edifact" / target.name

    def present(name: str) -> dict[str, Any]:
        """The file that is there, else the one that ships: a file of the operator's goes before that as a whole."""
        for path in (target / name, shipped / name):
            if path.is_file():
                return dict(json.loads(path.read_bytes()))
        return {}

    source = f"service directory of syntax version {version}"
    whole = service_directory.merged(directory, present("directory.json"), source)
    written = {
        "directory": whole,
        "names": service_directory.names_file(directory, whole, present("names.json")),
    }
    for message in messages:
        there = present(f"{message}.json")
        formats = there.get("formats") or [f"edifact:{message}:{version}:{release}:UN" for release in ("1", "2")]
        written[message] = service_directory.message_table(directory, message, formats, f"{source}, {message}")
    return {f"{target.name}/{name}.json": unece.dump(value).encode() for name, value in written.items()}


def _map(source: Path, format_: str, folder: Path) -> dict[str, bytes]:
    """Import a pyx12 map into the folder of its version."""
    from gateway.check import unece, x12_maps
    from gateway.errors import DirectoryUnreadable

    elements = source.parent / "dataele.xml"
    if not elements.is_file():
        raise DirectoryUnreadable(f"There is no {elements}, which says the types of its data elements.")
    table = x12_maps.read_map(
        source.read_bytes(), data_elements=elements.read_bytes(), formats=[format_] if format_ else ()
    )
    _, name, version = table["formats"][0].split(":")
    made = {f"{version}/{name}.json": unece.dump(table).encode()}
    directory = f"{version}/directory.json"
    if not (folder / directory).exists():
        facts = {"source": f"X12 {version}: each message says what it uses", "segments": {}}
        made[directory] = unece.dump(facts).encode()
    return made


def _schemas(source: Path, root: str, namespace: str, format_: str) -> dict[str, bytes]:
    """Import the XSDs that a message needs, and list it in an index."""
    from gateway.check import xsd_folder

    found = xsd_folder.collect(_files(source), root, namespace)
    name = format_ or f"xml:{root}:1"
    target = name.removeprefix("xml:").replace(":", "-")
    made = {f"{target}/{file}": body for file, body in found.files.items()}
    return {**made, f"{target}.toml": found.index(name, target).encode()}
