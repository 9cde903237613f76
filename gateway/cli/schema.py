"""`gateway schema` lists, shows and compares the wire tables, and makes new ones from what others publish."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import output, schema_import
from gateway.spelling import near

if TYPE_CHECKING:
    from gateway.catalogue import Catalogue
    from gateway.check.comparison import Difference
    from gateway.check.names import Names
    from gateway.check.nodes import ElementUse, Node, Table


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Wire tables: what messages look like, by directory.", no_args_is_help=True)
    noun.command("import")(schema_import.import_)
    noun.command("list")(list_)
    noun.command()(show)
    noun.command()(diff)
    cli.add_typer(noun, name="schema")


def list_(
    word: Annotated[str, typer.Argument(help="Only formats with this in their name.", metavar="WORD")] = "",
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """List every message type that is checked, every implementation guide, and every XML schema."""
    from gateway.check import tables
    from gateway.cli.in_use import find_catalogue

    catalogue = find_catalogue(config)
    listed = [_row(tables.load(catalogue, name)) for name in tables.available(catalogue)]
    rows = [row for group in listed for row in group if word.lower() in row["format"].lower()]
    guides = [
        {"guide": name, "narrows": t.base.format, "formats": t.formats, "source": t.source, "digest": t.digest}
        for name, t in _guides(catalogue)
        if t.base is not None and word.lower() in f"{name} {t.base.format}".lower()
    ]
    schemas = [name.removeprefix("schemas/") for name in catalogue.names("schemas/xml", ".xsd")]
    schemas = [name for name in schemas if word.lower() in name.lower()]
    if json:
        output.as_json({"tables": rows, "guides": guides, "xml": schemas})
        return
    output.table(
        ("format", "segments", "groups", "source"),
        ((row["format"], row["segments"], row["groups"], row["source"]) for row in rows),
        empty="No tables.",
    )
    for guide in guides:
        output.data(f"{guide['guide']}  ({guide['narrows']})  {guide['source']}")
    for schema in schemas:
        output.data(schema)


def _row(table: Table) -> list[dict[str, Any]]:
    return [
        {
            "format": format_,
            "segments": len(table.nodes),
            "groups": len(table.groups) - 1,
            "source": table.source,
            "digest": table.digest,
        }
        for format_ in table.formats
    ]


def _guides(catalogue: Catalogue) -> Iterator[tuple[str, Table]]:
    from gateway.check import tables

    names = zip(tables.guide_names(catalogue), tables.guide_files(catalogue), strict=True)
    return ((name, tables.load_guide(catalogue, file)) for name, file in names)


def show(
    format_: Annotated[
        str,
        typer.Argument(
            help="Such as edifact:CUSDEC:D:96B:UN, x12:309:004010, xml:EEntDeclIo:1, json:declaration:1, or a guide.",
            metavar="FORMAT",
        ),
    ],
    elements: Annotated[bool, typer.Option("--elements", help="Also what each segment holds.")] = False,
    codes: Annotated[
        str, typer.Option("--codes", help="The codes of this element with their names.", metavar="ELEMENT")
    ] = "",
    lang: output.LanguageOption = "",
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Show a message's table as a tree: its segments and groups in order; of XML and JSON, the schema itself."""
    from gateway.check import names
    from gateway.cli.in_use import find_catalogue

    language = output.language(lang)
    catalogue = find_catalogue(config)
    if _show_schema(catalogue, format_, json=json):
        return
    table = _table(catalogue, format_)
    named = names.find(catalogue, table)
    if codes:
        _show_codes(table, named, codes, json=json)
        return
    if json:
        output.as_json(_as_dict(table, named))
        return
    output.data(f"{format_}   {table.source}")
    for text in _lines(table, named, language, elements=elements):
        output.data(text)


def _table(catalogue: Catalogue, format_: str) -> Table:
    """The table of a format, or of a guide; the end, with what is near, where there is none."""
    from gateway.check import tables
    from gateway.model import Syntax
    from gateway.parse.segments import MessageType

    guides = dict(_guides(catalogue))
    found = guides.get(format_)
    for guide in guides.values():
        if guide.base is not None and format_ in set(guide.formats) - set(guide.base.formats):
            found = found or guide
    if found is None and format_ in tables.formats(catalogue):
        syntax, *parts = format_.split(":")
        found = tables.find(catalogue, MessageType(Syntax(syntax), *parts))
    if found is None:
        like = near(format_, [*_schemas(catalogue), *tables.formats(catalogue), *guides])
        output.stop(f"there is no table for {format_}{like}; `gateway schema list` names them", output.NO)
    return found


def diff(
    before: Annotated[str, typer.Argument(help="A format, a guide, or a directory such as d96b.", metavar="BEFORE")],
    after: Annotated[str, typer.Argument(help="What it is compared with, of the same kind.", metavar="AFTER")],
    lang: output.LanguageOption = "",
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Tell what differs between two messages, or between two directories. Exit code 1 where anything does."""
    from gateway.cli.in_use import find_catalogue

    language = output.language(lang)
    catalogue = find_catalogue(config)
    if _folder(catalogue, before) and _folder(catalogue, after):
        found = _compared_folders(catalogue, before, after)
    else:
        from gateway.check.comparison import compare_tables

        found = compare_tables(_table(catalogue, before), _table(catalogue, after))
    if json:
        output.as_json([asdict(difference) for difference in found])
    else:
        for line in _told(found, language):
            output.data(line)
    if found:
        raise typer.Exit(output.NO)


def _folder(catalogue: Catalogue, name: str) -> str:
    """The folder of tables that is called so; empty where none is."""
    folders = (f"schemas/{syntax}/{name}" for syntax in ("edifact", "x12"))
    return next((folder for folder in folders if catalogue.find(f"{folder}/directory.json") is not None), "")


def _compared_folders(catalogue: Catalogue, before: str, after: str) -> list[Difference]:
    """The differences of two directories: which messages they have, what they define, and the messages of both."""
    from gateway.check import tables
    from gateway.check.comparison import ADDED, REMOVED, Difference, compare_directories, compare_tables

    folders = [_folder(catalogue, name) for name in (before, after)]
    ours, theirs = (
        {
            name.rpartition("/")[2].removesuffix(".json"): name
            for name in tables.available(catalogue)
            if name.startswith(f"{f}/")
        }
        for f in folders
    )
    found = [Difference(REMOVED, "message", name, before=name) for name in ours if name not in theirs]
    found += [Difference(ADDED, "message", name, after=name) for name in theirs if name not in ours]
    found += compare_directories(*(tables.read_json(catalogue, f"{folder}/directory.json") for folder in folders))
    for name in [name for name in ours if name in theirs]:
        pair = [tables.load(catalogue, side[name]) for side in (ours, theirs)]
        found += [
            Difference(one.kind, one.what, f"{name}: {one.place}", one.before, one.after)
            for one in compare_tables(*pair)
            if one.what in ("group", "segment")
        ]
    return found


_WHAT_ZH = {
    "message": "报文",
    "group": "段组",
    "segment": "段",
    "composite": "复合数据元",
    "element": "数据元",
    "code": "代码",
}
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def _told(found: Sequence[Difference], language: str) -> Iterator[str]:
    """The differences, a line each; the codes that one element has more or fewer share a line."""
    for (kind, what, place), alike in itertools.groupby(found, key=lambda one: (one.kind, one.what, one.place)):
        says = [" → ".join(part for part in (one.before, one.after) if part) for one in alike]
        lines = [" ".join(says)] if what == "code" else says
        yield from (f"{_SIGNS[kind]} {_WHAT_ZH[what] if language == 'zh' else what} {place}  {line}" for line in lines)


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


def _show_codes(table: Table, named: Names, element: str, *, json: bool) -> None:
    """Print the codes that an element takes in a message, with their names where the directory has some."""
    uses = [part for node in table.nodes for use in node.elements for part in (use, *use.components)]
    found = next((use for use in uses if use.item == element and use.codes is not None), None)
    if found is None:
        coded = {use.item for use in uses if use.codes is not None}
        output.stop(f"{table.format} has no list of codes for {element}{near(element, sorted(coded))}", output.NO)
    codes = [{"code": code, "name": named.of_code(element, code)} for code in sorted(found.codes or ())]
    if json:
        output.as_json({"element": element, "name": named.of(element), "codes": codes})
        return
    output.data(f"{element}  {named.of(element)}".rstrip())
    output.table(("code", "name"), ((row["code"], row["name"]) for row in codes), empty="No codes.")


def _lines(table: Table, named: Names, language: str, *, elements: bool) -> Iterator[str]:
    """The table drawn as a tree: tag, status and most occurrences, name."""
    from gateway.check.comparison import occurrence_of, path_of, qualifier_of

    opened: dict[int, list[int]] = {}
    for index, group in enumerate(table.groups[1:], 1):
        opened.setdefault(group.trigger, []).append(index)
    described: set[str] = set()
    for index, node in enumerate(table.nodes):
        for at in opened.get(index, ()):
            group = table.groups[at]
            yield f"{'  ' * len(path_of(table, group.parent))}{group.name}  {_said(occurrence_of(group), language)}"
        depth = len(path_of(table, node.group))
        test = qualifier_of(node)
        name = named.of(node.tag)
        yield f"{'  ' * depth}{node.tag}{test}  {_said(occurrence_of(node), language)}  {name}".rstrip()
        if elements and node.defined_as not in described:
            described.add(node.defined_as)
            yield from (f"{'  ' * (depth + 2)}{t}" for use in node.elements for t in _use(use, named, language))


def _said(occurrence: str, language: str) -> str:
    """An occurrence in the reader's words where it has some: `C any`, `C 不限`."""
    return occurrence.replace("any", "不限") if language == "zh" else occurrence


def _use(use: ElementUse, named: Names, language: str) -> list[str]:
    """An element and its components, a line each."""
    from gateway.check.comparison import use_of

    number = use.number if use.number == use.item else f"{use.number} {use.item}"
    codes = ""
    if use.codes:
        codes = f"  {len(use.codes)} 个代码" if language == "zh" else f"  {output.many(len(use.codes), 'code')}"
    line = f"{number} {_said(use_of(use), language)}  {named.of(use.item)}{codes}".rstrip()
    return [line, *(f"  {text}" for part in use.components for text in _use(part, named, language))]


def _as_dict(table: Table, named: Names) -> dict[str, Any]:
    from gateway.check.comparison import qualifier_of, type_of

    def element(use: ElementUse) -> dict[str, Any]:
        return {
            "number": use.number,
            "item": use.item,
            "name": named.of(use.item),
            "mandatory": use.mandatory,
            "used": use.used,
            "type": type_of(use),
            "fewest": use.fewest,
            "repeat": use.repeat,
            "codes": None if use.codes is None else sorted(use.codes),
            "components": [element(part) for part in use.components],
        }

    def node(value: Node) -> dict[str, Any]:
        return {
            "tag": value.tag,
            "name": named.of(value.tag),
            "group": table.groups[value.group].name,
            "minimum": value.minimum,
            "maximum": value.maximum,
            "used": value.used,
            "definition": value.defined_as,
            "qualifier": qualifier_of(value),
        }

    segments = {n.defined_as: [element(use) for use in n.elements] for n in reversed(table.nodes)}
    return {
        "formats": table.formats,
        "source": table.source,
        "digest": table.digest,
        "narrows": None if table.base is None else table.base.format,
        "nodes": [node(n) for n in table.nodes],
        "groups": [
            {
                "name": g.name,
                "parent": table.groups[g.parent].name,
                "trigger": table.nodes[g.trigger].tag,
                "minimum": g.minimum,
                "maximum": g.maximum,
                "used": g.used,
            }
            for g in table.groups[1:]
        ],
        "segments": {name: segments[name] for name in sorted(segments)},
    }
