"""`gateway schema import` makes wire tables and indexes of what others publish: directories, maps, XSDs."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
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
    from gateway.errors import DirectoryUnreadable

    if not source.exists():
        output.existing_file(source)
    wanted = [message.upper() for message in messages or ()]
    try:
        if root:
            written = _schemas(source, root, namespace, format_, into or _own_folder(config, "xml"))
        elif source.suffix == ".xml" and source.is_file():
            written = _map(source, format_, into or _own_folder(config, "x12"))
        else:
            written = _directory(source, wanted, into or _own_folder(config, "edifact"))
    except DirectoryUnreadable as error:
        output.stop(f"{source}: {error}")
    except OSError as error:
        output.stop(output.reason(error))
    if json_:
        output.as_json({"files": [str(path) for path in written]})
        return
    for path in written:
        output.data(str(path))


def _own_folder(config: Path | None, kind: str) -> Path:
    """Where the operator's own schemas of a kind lie; where there is no such folder, those of this gateway."""
    from gateway import data
    from gateway.config import load

    own = load(config).catalogue.folder
    return data.schemas() / kind if own is None else own / "schemas" / kind


def _directory(source: Path, messages: Sequence[str], folder: Path) -> list[Path]:
    """Import a UN/EDIFACT directory, or a service directory."""
    from gateway.check import service_directory, unece

    if source.is_dir() or _is_service_archive(source):
        return _service(service_directory.read_service(_files(source)), messages, folder)
    if not messages:
        output.stop("name the messages to import, such as CUSDEC GOVCBR")
    return unece.write(unece.read_directory(source.read_bytes()), messages, folder)


def _is_service_archive(source: Path) -> bool:
    from gateway.check import service_directory

    return zipfile.is_zipfile(source) and service_directory.is_service(
        dict.fromkeys(zipfile.ZipFile(source).namelist(), b"")
    )


_MOST_BYTES = 64 * 1024 * 1024
"""Of one file in a folder or archive; the largest that is published has under one."""


def _files(source: Path) -> dict[str, bytes]:
    """The XML files of a folder or an archive, by name."""
    from gateway.errors import DirectoryUnreadable

    if source.is_dir():
        paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".xml", ".xsd") and path.is_file())
        if any(path.stat().st_size > _MOST_BYTES for path in paths):
            raise DirectoryUnreadable(f"A file is larger than {_MOST_BYTES >> 20} MiB.")
        return {path.relative_to(source).as_posix(): path.read_bytes() for path in paths}
    with zipfile.ZipFile(source) as archive:
        if sum(info.file_size for info in archive.infolist()) > _MOST_BYTES:
            raise DirectoryUnreadable(f"The archive unpacks to more than {_MOST_BYTES >> 20} MiB.")
        return {name: archive.read(name) for name in archive.namelist() if name.lower().endswith((".xml", ".xsd"))}


def _service(directory: Any, messages: Sequence[str], folder: Path) -> list[Path]:
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
    target.mkdir(parents=True, exist_ok=True)
    for name, value in written.items():
        (target / f"{name}.json").write_text(unece.dump(value), "utf-8")
    return [target / f"{name}.json" for name in written]


def _map(source: Path, format_: str, folder: Path) -> list[Path]:
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
    target = folder / version
    target.mkdir(parents=True, exist_ok=True)
    written = [target / f"{name}.json"]
    written[0].write_text(unece.dump(table), "utf-8")
    directory = target / "directory.json"
    if not directory.exists():
        facts = {"source": f"X12 {version}: each message says what it uses", "segments": {}}
        directory.write_text(unece.dump(facts), "utf-8")
        written.append(directory)
    return written


def _schemas(source: Path, root: str, namespace: str, format_: str, folder: Path) -> list[Path]:
    """Import the XSDs that a message needs, and list it in an index."""
    from gateway.check import xsd_folder

    found = xsd_folder.collect(_files(source), root, namespace)
    name = format_ or f"xml:{root}:1"
    target = folder / name.removeprefix("xml:").replace(":", "-")
    written: list[Path] = []
    for file, body in found.files.items():
        path = target / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        written.append(path)
    index = folder / f"{target.name}.toml"
    index.write_text(found.index(name, target.name), "utf-8")
    return [*written, index]
