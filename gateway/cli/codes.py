"""`gateway codes` lists and shows the code lists, and brings in lists of others from their CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import output
from gateway.spelling import near

if TYPE_CHECKING:
    from gateway.check.codes import CodeList


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Code lists: what each partner's tables call the same thing.", no_args_is_help=True)
    noun.command("list")(list_)
    noun.command()(show)
    noun.command("import")(import_)
    cli.add_typer(noun, name="codes")


def list_(config: output.ConfigOption = None, json: output.JsonOption = False) -> None:
    """List every code list with its columns, those that are complete and so gate, its version and its source."""
    from gateway.check import codes
    from gateway.cli.in_use import find_catalogue

    catalogue = find_catalogue(config)
    known = [codes.load(catalogue, name) for name in codes.available(catalogue)]
    if json:
        output.as_json([_as_dict(one) for one in known])
        return
    output.table(
        ("list", "codes", "columns", "complete", "version", "source"),
        (
            (
                one.name,
                len(one.rows),
                " ".join(one.columns),
                " ".join(sorted(one.complete)),
                one.version or (one.unversioned and "none"),
                one.source,
            )
            for one in known
        ),
        empty="No code lists.",
    )


def show(
    name: Annotated[str, typer.Argument(help="A code list, such as country.", metavar="LIST")],
    find: Annotated[str, typer.Option(help="Only rows that hold this text, in any column.", metavar="TEXT")] = "",
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Show the codes of a list with their names. Exit code 1 where there is no such list, or nothing like TEXT in it."""
    from gateway.check import codes
    from gateway.cli.in_use import find_catalogue

    catalogue = find_catalogue(config)
    known = codes.find(catalogue, name)
    if known is None:
        like = near(name, codes.available(catalogue))
        output.stop(f"there is no code list {name}{like}; `gateway codes list` names them", output.NO)
    wanted = find.casefold()
    rows = [row for row in known.rows if not wanted or any(wanted in str(cell).casefold() for cell in row.values())]
    if json:
        output.as_json({**_as_dict(known), "rows": rows})
    else:
        output.say(f"{known.source}{_edition(known)}")
        columns = [*known.columns, *(key for key in ("en", "zh") if known.rows and key in known.rows[0])]
        output.table(columns, ([row[column] for column in columns] for row in rows), empty=f"Nothing like {find}.")
    if not rows:
        raise typer.Exit(output.NO)


def _edition(known: CodeList) -> str:
    """The version of a list's source, or why it has none, as a further clause; empty where the list does not say."""
    if known.version:
        return f"; {known.version}"
    return f"; no version: {known.unversioned}" if known.unversioned else ""


def _as_dict(known: CodeList) -> dict[str, object]:
    return {
        "list": known.name,
        "codes": len(known.rows),
        "columns": known.columns,
        "complete": sorted(known.complete),
        "version": known.version or None,
        "unversioned": known.unversioned or None,
        "source": known.source,
    }


def import_(
    file: Annotated[Path, typer.Argument(help="A CSV with a header.", metavar="FILE")],
    name: Annotated[str, typer.Option(help="What the list is called; it takes the place of one of that name.")],
    source: Annotated[str, typer.Option(help="Where its facts come from.")],
    version: Annotated[str, typer.Option(help="Of its source: an edition, a date.")] = "",
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="A column and the one in FILE that it is taken from, such as un=Code; once for each.",
            metavar="OURS=THEIRS",
        ),
    ] = None,
    complete: Annotated[
        list[str] | None,
        typer.Option(help="A column that has every code, so that others are wrong; once for each.", metavar="OURS"),
    ] = None,
    separator: Annotated[str, typer.Option(help="Of FILE's columns.", metavar="SIGN")] = ",",
    into: Annotated[
        Path | None, typer.Option(help="Folder of code lists; schemas/codes of your own catalogue folder where absent.")
    ] = None,
    config: output.ConfigOption = None,
) -> None:
    """Bring in a list of others as schemas/codes/NAME.csv: `un` is the column of the codes that documents hold.

    Without --column, columns keep their names. Of codes that stand twice the first row counts.
    """
    from gateway.cli.code_import import ListInvalid, make_list

    output.existing_file(file)
    pairs = [pair.partition("=")[::2] for pair in column or ()]
    if any(not ours or not theirs for ours, theirs in pairs):
        output.stop("--column is OURS=THEIRS, such as un=Code")
    if len(separator) != 1:
        output.stop("--separator is one sign")
    folder = into or _own_folder(config)
    try:
        made = make_list(
            file.read_bytes(),
            name,
            source,
            version=version,
            columns=pairs,
            complete=complete or (),
            separator=separator,
        )
    except ListInvalid as error:
        output.stop(f"{file}: {error}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.csv"
    with output.new_file(path) as stream:
        stream.write(made.encode())
    output.data(str(path))


def _own_folder(config: Path | None) -> Path:
    """Where the operator's own code lists lie; where there is no such folder, those of this gateway."""
    from gateway import data
    from gateway.config import load

    own = load(config).catalogue.folder
    return data.schemas() / "codes" if own is None else own / "schemas" / "codes"
