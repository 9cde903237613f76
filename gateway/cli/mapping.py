"""`gateway mapping` judges mapping tables: whether they hold together, and whether they do what the samples say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli import output
from gateway.spelling import near


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Mapping tables between wire formats and documents.", no_args_is_help=True)
    noun.command("list")(list_)
    noun.command()(lint)
    noun.command("test")(try_)
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
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Check mapping tables and variations: fields, places, converters, required rows. Exit code 1 on any fault."""
    from gateway.catalogue import MAPPINGS
    from gateway.cli.in_use import find_catalogue
    from gateway.errors import MappingInvalid
    from gateway.translate import table

    catalogue = find_catalogue(config)
    texts = [(str(path), path.name, output.existing_file(path).read_bytes()) for path in files or ()]
    texts = texts or [(name, table.table_name(name), catalogue.read(name)) for name in table.files(catalogue)]
    results: list[dict[str, Any]] = []
    if not files:
        # What no table shows by itself: two that take the same.
        try:
            table.available(catalogue)
        except MappingInvalid as error:
            results.append({"file": MAPPINGS, "faults": [str(error)]})
    for file, name, text in texts:
        faults: list[str] = []
        try:
            table.parse(catalogue, text, name)
        except MappingInvalid as error:
            listed = error.details.get("faults")
            faults = [str(f) for f in listed] if isinstance(listed, tuple) else [str(error)]
        results.append({"file": file, "faults": faults})
    if json:
        output.as_json(results)
    else:
        for result in results:
            for fault in result["faults"]:
                output.data(f"{result['file']}: {fault}")
        faulty = sum(len(r["faults"]) for r in results)
        output.say(f"{output.many(len(results), 'table')}, {output.many(faulty, 'fault')}")
    if any(r["faults"] for r in results):
        raise typer.Exit(output.NO)


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
