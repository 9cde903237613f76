"""`gateway mapping` judges mapping tables: whether they hold together, and whether they do what the samples say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import output
from gateway.spelling import near

if TYPE_CHECKING:
    from gateway.catalogue import Catalogue
    from gateway.translate.diagnosis import Remark
    from gateway.translate.engine import Mapping


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Mapping tables between wire formats and documents.", no_args_is_help=True)
    noun.command("list")(list_)
    noun.command()(lint)
    noun.command("test")(try_)
    noun.command()(new)
    noun.command()(explain)
    noun.command()(diff)
    cli.add_typer(noun, name="mapping")


def list_(config: output.ConfigOption = None, json: output.JsonOption = False) -> None:
    """List every document and the wire formats it is read from and written in, and partners' variations."""
    from gateway.cli.in_use import find_catalogue
    from gateway.translate import table

    catalogue = find_catalogue(config)
    pairs = table.available(catalogue)
    known = [(document, format_, table.name_of(catalogue, document, format_), "") for document, format_ in pairs]
    known += [(v.document, v.format, v.name, v.extends) for v in table.variations(catalogue)]
    columns = ("document", "format", "name", "extends")
    if json:
        output.as_json([dict(zip(columns, each, strict=True)) for each in sorted(known)])
    else:
        output.table(columns, sorted(known), empty="No mappings.")


def lint(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Mapping files; all of this gateway's where none is named.", metavar="FILE"),
    ] = None,
    open_: Annotated[
        bool, typer.Option("--open", help="Also what a sound table leaves open: unchecked elements, dropped fields.")
    ] = False,
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Check mapping tables and variations: fields, places, converters, required rows, and what works one way only.

    Each fault is told with its line and what may have been meant. Exit code 1 on any fault.
    """
    from gateway.catalogue import MAPPINGS
    from gateway.cli.in_use import find_catalogue
    from gateway.errors import MappingInvalid
    from gateway.translate import table
    from gateway.translate.diagnosis import Remark, diagnose
    from gateway.translate.lint import lint as left_open

    catalogue = find_catalogue(config)
    texts = [(str(path), path.name, output.existing_file(path).read_bytes()) for path in files or ()]
    texts = texts or [(name, table.table_name(name), catalogue.read(name)) for name in table.files(catalogue)]
    results: list[tuple[str, list[Remark]]] = []
    if not files:
        # What no table shows by itself: two that take the same.
        try:
            table.available(catalogue)
        except MappingInvalid as error:
            results.append((MAPPINGS, [Remark(1, str(error))]))
    for file, name, body in texts:
        remarks = diagnose(catalogue, body, name)
        if open_ and not any(remark.is_fault for remark in remarks):
            remarks += [
                Remark(1, text, is_fault=False) for text in left_open(catalogue, table.parse(catalogue, body, name))
            ]
        results.append((file, sorted(remarks, key=lambda remark: remark.line)))
    if json:
        output.as_json([_as_dict(file, remarks) for file, remarks in results])
    else:
        for file, remarks in results:
            for remark in remarks:
                output.data(f"{file}:{remark.line}: {'' if remark.is_fault else 'note: '}{remark}")
        faulty = sum(remark.is_fault for _, remarks in results for remark in remarks)
        output.say(f"{output.many(len(results), 'table')}, {output.many(faulty, 'fault')}")
    if any(remark.is_fault for _, remarks in results for remark in remarks):
        raise typer.Exit(output.NO)


def _as_dict(file: str, remarks: list[Remark]) -> dict[str, Any]:
    told = [
        (remark.is_fault, {"line": remark.line, "text": remark.text, "suggestion": remark.suggestion or None})
        for remark in remarks
    ]
    return {
        "file": file,
        "faults": [one for fault, one in told if fault],
        "notes": [one for fault, one in told if not fault],
    }


def new(
    document: Annotated[str, typer.Argument(help="Document, such as response.", metavar="DOCUMENT")],
    format_: Annotated[str, typer.Argument(help="Format, such as edifact:APERAK:D:03B:UN.", metavar="FORMAT")],
    config: output.ConfigOption = None,
) -> None:
    """Print a draft of the mapping of DOCUMENT in FORMAT: rows that the schema and other tables give, the rest as remarks."""
    from gateway.check import tables, xsd
    from gateway.cli.in_use import find_catalogue
    from gateway.documents import MODELS
    from gateway.errors import MappingInvalid
    from gateway.translate import draft

    catalogue = find_catalogue(config)
    if document not in MODELS:
        output.stop(f"there is no document {document}{near(document, MODELS)}")
    try:
        text = draft.draft(catalogue, document, format_)
    except (MappingInvalid, ValueError) as error:
        known = {*tables.formats(catalogue), *xsd.entries(catalogue)}
        output.stop(f"{error}{near(format_, known)}; `gateway schema list` names them", output.NO)
    output.lines(text.rstrip("\n"))


def explain(
    file: Annotated[
        Path, typer.Argument(help="EDIFACT, X12, XML or JSON; also gzip or zip; - for stdin.", metavar="FILE")
    ],
    lenient: Annotated[bool, typer.Option("--lenient", help="Tolerate what a lenient agreement tolerates.")] = False,
    time_zone: Annotated[str, typer.Option(help="Of times without offset.", metavar="IANA")] = "UTC",
    code_tables: Annotated[str, typer.Option(help="Of coded values.", metavar="un|ciq|customs")] = "un",
    lang: output.LanguageOption = "",
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Show each value read from FILE's messages: its field, its place in the message, the row and converter that read it.

    Exit code 1 where a message is not read into a document; `gateway validate` says why.
    """
    from dataclasses import asdict

    from gateway.cli import mapping_explain
    from gateway.cli.examining import examined, named_files
    from gateway.cli.in_use import find_catalogue
    from gateway.cli.validate import expectation
    from gateway.cli.words import word
    from gateway.findings import label
    from gateway.trip.examined import Message

    language = output.language(lang)
    catalogue = find_catalogue(config)
    agreement = expectation("*", lenient=lenient, time_zone=time_zone, code_tables=code_tables)
    unread = False
    with named_files([file]) as named:
        for item, _ in (one for _, path in named for one in examined(catalogue, path, agreement, lambda _bytes: None)):
            if not isinstance(item, Message):
                unread = unread or item.rejected
                continue
            values = mapping_explain.explain(catalogue, item)
            if not values:
                unread = True
                output.say(word("unread_message", language, number=item.number))
            if json:
                output.as_json_line(
                    {
                        "message": item.number,
                        "format": item.format,
                        "document": item.document_type or None,
                        "values": [asdict(value) for value in values],
                    }
                )
                continue
            columns = ("field", "value", "place", "row", "converter")
            cells = [(label(v.field, language), v.value, v.place, v.row, v.converter) for v in values]
            if cells:
                output.table(columns, cells, empty="")
    if unread:
        raise typer.Exit(output.NO)


def diff(
    old: Annotated[str, typer.Argument(help="A mapping file, or the name of a table.", metavar="OLD")],
    new_: Annotated[str, typer.Argument(help="The same in another version.", metavar="NEW")],
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Show what differs between two versions of a mapping: rows, and what they read and write of the samples.

    Exit code 1 where anything does.
    """
    from dataclasses import asdict

    from gateway.cli.in_use import find_catalogue, find_samples
    from gateway.cli.mapping_diff import differences

    catalogue = find_catalogue(config)
    one, other = (_mapping(catalogue, name) for name in (old, new_))
    if one.document != other.document or one.format != other.format:
        output.stop(
            f"{old} maps {one.document} as {one.format}, {new_} maps {other.document} as {other.format}: "
            "versions of a mapping map the same"
        )
    count = 0
    for found in differences(catalogue, one, other, find_samples(config)):
        count += 1
        if json:
            output.as_json_line(asdict(found))
        else:
            output.data(f"{found.what}  {found.about}: {found.old or '–'} -> {found.new or '–'}")
    output.say(output.many(count, "difference"))
    if count:
        raise typer.Exit(output.NO)


def _mapping(catalogue: Catalogue, name: str) -> Mapping:
    """The mapping in the file of that name, or the table of that name; the end where it is neither, or wrong."""
    from gateway.catalogue import MAPPINGS
    from gateway.errors import MappingInvalid
    from gateway.translate import table

    path = Path(name)
    known = {table.table_name(file) for file in table.files(catalogue)}
    if not path.is_file() and name not in known:
        output.stop(f"{name} is neither a file nor a table{near(name, known)}; `gateway mapping list` names them")
    try:
        if path.is_file():
            return table.parse(catalogue, path.read_bytes(), path.name)
        return table.load_file(catalogue, f"{MAPPINGS}/{name}.toml")
    except MappingInvalid as error:
        output.stop(f"{error}; see `gateway mapping lint`")


def try_(
    document: Annotated[str, typer.Option(help="Only this document's tables.")] = "",
    format_: Annotated[str, typer.Option("--format", help="Only this format's tables.")] = "",
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Try mapping tables on the samples: reading, writing, and there and back. Exit code 1 where one fails."""
    from dataclasses import asdict

    from gateway.cli.in_use import find_catalogue, find_samples
    from gateway.cli.mapping_trials import trials
    from gateway.translate import table

    catalogue = find_catalogue(config)
    pairs = table.available(catalogue)
    if document and document not in (names := {name for name, _ in pairs}):
        output.stop(f"there is no document {document}{near(document, names)}; `gateway mapping list` names them")
    if format_ and format_ not in (formats := {of for _, of in pairs}):
        output.stop(f"there is no format {format_}{near(format_, formats)}; `gateway mapping list` names them")
    if document and format_ and (document, format_) not in pairs:
        output.stop(f"there is no mapping of {document} as {format_}; `gateway mapping list` names them")
    count = faults = 0
    for trial in trials(catalogue, document, format_, find_samples(config)):
        count += 1
        faults += bool(trial.fault)
        if json:
            output.as_json_line(asdict(trial))
        elif trial.fault:
            by = trial.variation and f" by {trial.variation}"
            output.data(f"{trial.document} as {trial.format}{by}, {trial.sample}, {trial.what}: {trial.fault}")
    output.say(f"{output.many(count, 'trial')}, {faults} failed")
    if faults:
        raise typer.Exit(output.NO)
