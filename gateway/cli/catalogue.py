"""`gateway catalogue` shows what is in force, checks it, and has the running gateways read it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from gateway.cli import output

if TYPE_CHECKING:
    from gateway.catalogue import Catalogue
    from gateway.catalogue_folders import Layers
    from gateway.config import Settings


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


def show(config: output.ConfigOption = None, json: output.JsonOption = False) -> None:
    """Show the digest of what the folders hold now, and each file of it: shipped, your own, or overriding a shipped one."""
    from gateway.catalogue_folders import Shelf
    from gateway.config import load

    settings = load(config)
    layers, catalogue = _read(settings)
    in_force = Shelf(settings.catalogue.snapshots).marked()
    files = [
        {"file": name, "origin": layers.origin(name), "sha256": digest} for name, digest in catalogue.files.items()
    ]
    if json:
        output.as_json({"digest": catalogue.digest, "in_force": in_force or None, "files": files})
        return
    output.say(f"In the folders: {catalogue.digest}")
    output.say(f"In force when this node was last started or asked: {in_force or 'none'}")
    output.table(("file", "origin", "sha256"), (tuple(file.values()) for file in files), empty="No files.")


def check(config: output.ConfigOption = None, json: output.JsonOption = False) -> None:
    """Load everything in the folders, as a gateway does before it puts it in force. Exit code 1 where it would refuse it."""
    from gateway.config import load

    catalogue, faults = _judged(load(config))
    if json:
        output.as_json({"digest": catalogue.digest if catalogue else None, "faults": faults})
    for fault in () if json else faults:
        output.say(f"gateway: {fault}")
    if faults:
        raise typer.Exit(output.NO)
    if not json and catalogue:
        output.say(f"The catalogue {catalogue.digest} is good.")


def reload_(config: output.ConfigOption = None, json: output.JsonOption = False) -> None:
    """Check the folders, and have all running gateways on this store read theirs again within a second or two.

    Each puts what it finds in force for the payloads it takes up from then on. What is not good is put in force
    nowhere: here it is told, with exit code 1, and no gateway is asked.
    """
    from gateway.cli.opening import with_store_of
    from gateway.config import load

    settings = load(config)
    catalogue, faults = _judged(settings)
    if catalogue is None:
        for fault in faults:
            output.say(f"gateway: {fault}")
        output.stop("the catalogue is not good; the gateways go on with what they have", output.NO)
    with_store_of(settings, lambda store: store.call_for_catalogue())
    if json:
        output.as_json({"digest": catalogue.digest})
    else:
        output.say(f"The gateways were asked to put {catalogue.digest} in force; the log of each says whether it did.")


def _read(settings: Settings) -> tuple[Layers, Catalogue]:
    from gateway.catalogue_folders import read_layers

    layers = read_layers(settings.catalogue.folder)
    return layers, layers.catalogue()


def _judged(settings: Settings) -> tuple[Catalogue | None, list[str]]:
    """What the folders hold, or every fault that keeps it from being put in force."""
    from gateway.catalogue_folders import shipped
    from gateway.discovery import find_flows
    from gateway.errors import CatalogueInvalid
    from gateway.process import read_catalogue

    try:
        return read_catalogue(settings, find_flows(), shipped()), []
    except CatalogueInvalid as error:
        told = error.details.get("faults")
        return None, [str(one) for one in told] if isinstance(told, tuple) else [str(error)]
