"""`gateway catalogue` shows what is in force, checks it, and has the running gateways read it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from gateway.cli import output
from gateway.cli.words import headings, word

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from gateway.catalogue import Catalogue
    from gateway.catalogue_folders import Layers
    from gateway.config import Settings
    from gateway.model import SubjectVersion


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(
        help="Tables, schemas, codes, mappings, rules and findings: what ships, and your own over it.",
        no_args_is_help=True,
    )
    noun.command()(show)
    noun.command()(check)
    noun.command("reload")(reload_)
    cli.add_typer(noun, name="catalogue")


def show(config: output.ConfigOption = None, lang: output.LanguageOption = "", json: output.JsonOption = False) -> None:
    """Show the digest of what the folders hold now, and each file of it: shipped, your own, or overriding a shipped one.

    Code lists and rule sets that were approved in the store are shown as well, those to come included.
    """
    from gateway.catalogue_folders import Shelf
    from gateway.config import load

    settings = load(config)
    approved = _approved(settings)
    standing = tell_standing(approved, _today(settings))
    layers, catalogue = _read(settings, approved)
    in_force = Shelf(settings.catalogue.snapshots).marked()
    files = [
        {"file": name, "origin": layers.origin(name), "sha256": digest} for name, digest in catalogue.files.items()
    ]
    if json:
        output.as_json(
            {
                "digest": catalogue.digest,
                "in_force": in_force or None,
                "files": files,
                "approved": standing,
            }
        )
        return
    output.say(word("in_folders", lang, digest=catalogue.digest))
    output.say(word("in_force", lang, digest=in_force) if in_force else word("none_in_force", lang))
    output.table(("file", "origin", "sha256"), (tuple(file.values()) for file in files), empty=word("no_files", lang))
    if approved:
        columns = headings(("list", "version", "from", "standing", "sha256"), lang)
        output.table(columns, (tuple(one.values()) for one in standing), empty="")


def check(
    config: output.ConfigOption = None, lang: output.LanguageOption = "", json: output.JsonOption = False
) -> None:
    """Load everything in the folders, as a gateway does before it puts it in force. Exit code 1 where it would refuse it."""
    from gateway.config import load

    settings = load(config)
    catalogue, faults = _judged(settings, _approved(settings))
    if json:
        output.as_json({"digest": catalogue.digest if catalogue else None, "faults": faults})
    for fault in () if json else faults:
        output.say(f"gateway: {fault}")
    if faults:
        raise typer.Exit(output.NO)
    if not json and catalogue:
        output.say(word("catalogue_good", lang, digest=catalogue.digest))


def reload_(
    config: output.ConfigOption = None, lang: output.LanguageOption = "", json: output.JsonOption = False
) -> None:
    """Check the folders, and have all running gateways on this store read theirs again within a second or two.

    Each puts what it finds in force for the payloads it takes up from then on. What is not good is put in force
    nowhere: here it is told, with exit code 1, and no gateway is asked.
    """
    from gateway.cli.opening import with_store_of
    from gateway.config import load

    settings = load(config)
    catalogue, faults = _judged(settings, _approved(settings))
    if catalogue is None:
        for fault in faults:
            output.say(f"gateway: {fault}")
        output.stop("the catalogue is not good; the gateways go on with what they have", output.NO)
    with_store_of(settings, lambda store: store.call_for_catalogue())
    if json:
        output.as_json({"digest": catalogue.digest})
    else:
        output.say(word("catalogue_asked", lang, digest=catalogue.digest))


def _approved(settings: Settings) -> Sequence[SubjectVersion]:
    """The code lists and rule sets approved in the store; none where there is no store yet."""
    from gateway.cli.opening import has_store, with_store_of

    return with_store_of(settings, lambda store: store.approved_lists()) if has_store(settings) else ()


def _today(settings: Settings) -> date:
    from gateway.decide import china

    return china.day(settings.clock.now())


def tell_standing(approved: Sequence[SubjectVersion], today: date) -> list[dict[str, str]]:
    """Each version with where it stands today, a day in China: in force, to come, or replaced."""
    from gateway.decide.subjects import choose_version

    told = []
    for one in approved:
        held = choose_version((other for other in approved if other.value == one.value), today)
        standing = "to come" if one.valid_from > today else "in force" if one is held else "replaced"
        digest = str(one.attributes["digest"])
        told.append(
            {
                "list": one.value,
                "version": one.name,
                "from": one.valid_from.isoformat(),
                "standing": standing,
                "sha256": digest,
            }
        )
    return told


def _read(settings: Settings, approved: Sequence[SubjectVersion]) -> tuple[Layers, Catalogue]:
    from dataclasses import replace

    from gateway.catalogue_folders import read_layers
    from gateway.trip.approved import lay_out

    files = lay_out(approved, _today(settings))
    layers = replace(read_layers(settings.catalogue.folder), approved=files)
    return layers, layers.catalogue()


def _judged(settings: Settings, approved: Sequence[SubjectVersion]) -> tuple[Catalogue | None, list[str]]:
    """What the folders hold with what was approved over it, or every fault that keeps it from being put in force."""
    from gateway.catalogue_folders import shipped
    from gateway.discovery import find_flows
    from gateway.errors import CatalogueInvalid
    from gateway.process import read_catalogue

    try:
        return read_catalogue(settings, find_flows(), shipped(), approved), []
    except CatalogueInvalid as error:
        told = error.details.get("faults")
        return None, [str(one) for one in told] if isinstance(told, tuple) else [str(error)]
