"""`gateway schema` lists and shows the wire tables, and makes new ones from UN/EDIFACT directories."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import output
from gateway.spelling import near

if TYPE_CHECKING:
    from gateway.catalogue import Catalogue
    from gateway.check.tables import ElementUse, Node, Table


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Wire tables: what messages look like, by directory.", no_args_is_help=True)
    noun.command("import")(import_)
    noun.command("list")(list_)
    noun.command()(show)
    cli.add_typer(noun, name="schema")


def import_(
    archive: Annotated[
        Path, typer.Argument(help="A directory as the UNECE publishes it, such as d21b.zip.", metavar="ARCHIVE")
    ],
    messages: Annotated[list[str], typer.Argument(help="Messages, such as CUSDEC GOVCBR.", metavar="MESSAGE")],
    into: Annotated[
        Path | None,
        typer.Option(help="Folder of EDIFACT tables; schemas/edifact of your own catalogue folder where absent."),
    ] = None,
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Make tables for MESSAGEs from a UN/EDIFACT directory."""
    from gateway.check import unece
    from gateway.errors import DirectoryUnreadable

    output.existing_file(archive)
    folder = into or _own_folder(config)
    try:
        directory = unece.read_directory(archive.read_bytes())
        written = unece.write(directory, [m.upper() for m in messages], folder)
    except DirectoryUnreadable as error:
        output.stop(f"{archive}: {error}")
    if json:
        output.as_json({"files": [str(path) for path in written]})
        return
    for path in written:
        output.data(str(path))


def _own_folder(config: Path | None) -> Path:
    """Where the operator's own EDIFACT tables lie; where there is no such folder, those of this gateway."""
    from gateway import data
    from gateway.config import load

    own = load(config).catalogue.folder
    return data.schemas() / "edifact" if own is None else own / "schemas" / "edifact"


def list_(config: output.ConfigOption = None, json: output.JsonOption = False) -> None:
    """List every message type that is checked, and every XML schema."""
    from gateway.check import tables
    from gateway.cli.in_use import find_catalogue

    catalogue = find_catalogue(config)
    loaded = [tables.load(catalogue, name) for name in tables.available(catalogue)]
    listed: list[dict[str, Any]] = [
        {
            "format": format_,
            "segments": len(t.nodes),
            "groups": len(t.groups) - 1,
            "source": t.source,
            "digest": t.digest,
        }
        for t in loaded
        for format_ in t.formats
    ]
    schemas = [name.removeprefix("schemas/") for name in catalogue.names("schemas/xml", ".xsd")]
    if json:
        output.as_json({"tables": listed, "xml": schemas})
        return
    output.table(
        ("format", "segments", "groups", "source"),
        ((row["format"], row["segments"], row["groups"], row["source"]) for row in listed),
        empty="No tables.",
    )
    for schema in schemas:
        output.data(schema)


def show(
    format_: Annotated[
        str,
        typer.Argument(
            help="Such as edifact:CUSDEC:D:96B:UN, x12:309:004010, xml:EEntDeclIo:1 or json:declaration:1.",
            metavar="FORMAT",
        ),
    ],
    elements: Annotated[bool, typer.Option("--elements", help="Also what each segment holds.")] = False,
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Show a message's table: its segments and groups in order; of XML and JSON, the schema itself."""
    from gateway.check import tables
    from gateway.cli.in_use import find_catalogue

    catalogue = find_catalogue(config)
    if _show_schema(catalogue, format_, json=json):
        return
    every = [tables.load(catalogue, name) for name in tables.available(catalogue)]
    table = next((t for t in every if format_ in t.formats), None)
    if table is None:
        like = near(format_, [*_schemas(catalogue), *(name for t in every for name in t.formats)])
        output.stop(f"there is no table for {format_}{like}; `gateway schema list` names them", output.NO)
    if json:
        output.as_json(_as_dict(table))
        return
    output.data(f"{format_}   {table.source}")
    for text in _lines(table, elements=elements):
        output.data(text)


def _schemas(catalogue: Catalogue) -> list[str]:
    """The formats whose schema is no table: XML's XSD, and JSON's JSON Schema."""
    from gateway.check import xsd
    from gateway.translate import table

    return sorted(
        {
            *xsd.entries(catalogue),
            *(format_ for _, format_ in table.available(catalogue) if format_.startswith("json:")),
        }
    )


def _show_schema(catalogue: Catalogue, format_: str, *, json: bool) -> bool:
    """Print the schema of an XML or JSON format; whether `format_` is one."""
    if format_ not in _schemas(catalogue):
        return False
    from gateway.check import xsd
    from gateway.documents import MODELS
    from gateway.translate import table

    if format_.startswith("xml:"):
        name = xsd.file_of(xsd.entries(catalogue)[format_])
        text = catalogue.text(name)
        output.as_json({"format": format_, "file": name, "xsd": text}) if json else output.lines(text.rstrip())
    else:
        # The document's own JSON: its schema is JSON in either case.
        output.as_json(MODELS[table.documents_of(catalogue, format_)[0]].model_json_schema())
    return True


def _lines(table: Table, *, elements: bool) -> list[str]:
    """The table drawn as indented lines: status, most occurrences, tag."""
    lines: list[str] = []
    described: set[str] = set()
    for index, node in enumerate(table.nodes):
        path = _groups(table, node.group)
        group = table.groups[node.group]
        if node.group and group.trigger == index:
            # A group opens with its trigger, and its parents' triggers stand before it.
            lines.append(f"{'  ' * (len(path) - 1)}{group.name}  {_times(group.minimum, group.maximum)}")
        lines.append(f"{'  ' * len(path)}{node.tag}  {_times(node.minimum, node.maximum)}")
        if elements and node.tag not in described:
            described.add(node.tag)
            lines += [f"{'  ' * (len(path) + 2)}{text}" for use in node.elements for text in _use(use)]
    return lines


def _groups(table: Table, group: int) -> list[int]:
    """The groups around a segment, innermost first; the message itself is none."""
    path: list[int] = []
    while group:
        path.append(group)
        group = table.groups[group].parent
    return path


def _times(minimum: int, maximum: int) -> str:
    return f"{'M' if minimum else 'C'} {'any' if maximum >= 1_000_000 else maximum}"


def _use(use: ElementUse) -> list[str]:
    """An element and its components, a line each."""
    status = {True: "M", False: "C", None: "?"}[use.mandatory]
    name = use.number if use.number == use.item else f"{use.number} {use.item}"
    lengths = "" if use.max_length is None else f"{use.kind}{use.min_length}..{use.max_length}"
    codes = f"  {len(use.codes)} codes" if use.codes else ""
    repeat = f" x{use.repeat}" if use.repeat > 1 else ""
    return [f"{name} {status}{repeat} {lengths}{codes}".rstrip(), *(f"  {t}" for c in use.components for t in _use(c))]


def _as_dict(table: Table) -> dict[str, Any]:
    def node(value: Node) -> dict[str, Any]:
        group = table.groups[value.group].name
        return {"tag": value.tag, "group": group, "minimum": value.minimum, "maximum": value.maximum}

    return {
        "formats": table.formats,
        "source": table.source,
        "digest": table.digest,
        "nodes": [node(n) for n in table.nodes],
        "groups": [
            {
                "name": g.name,
                "parent": table.groups[g.parent].name,
                "trigger": table.nodes[g.trigger].tag,
                "minimum": g.minimum,
                "maximum": g.maximum,
            }
            for g in table.groups[1:]
        ],
    }
