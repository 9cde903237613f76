"""`gateway evidence` sends pictures, scans and readings to a gateway, and looks at those that are kept."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

import typer

from gateway.cli import output, remote
from gateway.cli.words import headings, word
from gateway.signs import shown

if TYPE_CHECKING:
    from gateway.model import Exhibit
    from gateway.store.contract import Kept
    from gateway.store.ports import Store


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Evidence: pictures, scans and readings.", no_args_is_help=True)
    noun.command()(send)
    noun.command("list")(list_)
    noun.command()(show)
    cli.add_typer(noun, name="evidence")


def send(
    file: Annotated[Path, typer.Argument(help="The picture, scan or reading.", metavar="FILE")],
    device: Annotated[str, typer.Option(help="What took it.")] = "",
    taken_at: Annotated[str, typer.Option(help="When: RFC 3339, with its offset.", metavar="TIME")] = "",
    media_type: Annotated[str, typer.Option(help="What it is; from the file's name where absent.")] = "",
    url: remote.UrlOption = remote.LOCAL,
    key: remote.KeyOption = "",
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Send FILE to a gateway as evidence, and print the id by which a decision names it."""
    body = output.existing_file(file).read_bytes()
    remote.require_address(url, key)
    known = media_type or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if not remote.fits_header(known):
        output.stop("--media-type is printable ASCII")
    said = urlencode({name: value for name, value in (("device", device), ("taken_at", taken_at)) if value})
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": known,
        "Accept-Language": lang,
        # The same picture with the same words about it is the same sending; what is said anew is sent anew.
        "Idempotency-Key": f"evidence:{_digest(body, known, said)}",
    }
    try:
        kept = remote.ask(f"{url.rstrip('/')}/v1/evidence{'?' if said else ''}{said}", headers, body)
    except remote.Refused as refusal:
        refusal.stop(json=json)
    output.as_json(kept) if json else output.data(kept["id"])


def _digest(body: bytes, *said: str) -> str:
    """A digest over the bytes and what is said of them."""
    return hashlib.sha256(b"\n".join([hashlib.sha256(body).digest(), *(one.encode() for one in said)])).hexdigest()


def list_(
    partner: Annotated[
        str, typer.Argument(help="Whose evidence: a partner's id, or how it alone begins.", metavar="PARTNER")
    ],
    after: Annotated[str, typer.Option(help="Begin after this id.")] = "",
    limit: Annotated[int, typer.Option(help="How many.", min=1)] = 100,
    test: Annotated[bool, typer.Option("--test", help="That of test traffic.")] = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """List a partner's evidence, the oldest first."""
    from gateway.cli.opening import with_store
    from gateway.registry.operations import find_id

    async def work(store: Store) -> list[Exhibit]:
        return list(await store.exhibits_of(await find_id(store, "partners", partner), after, limit, test=test))

    found = with_store(config, work)
    if json:
        for one in found:
            output.as_json_line(_as_dict(one))
        return
    output.table(
        headings(("id", "media type", "size", "device", "taken", "received"), lang),
        (
            (
                one.id,
                one.media_type,
                str(one.size),
                shown(one.device),
                output.moment(one.taken_at) if one.taken_at else "",
                output.moment(one.received_at),
            )
            for one in found
        ),
        empty=word("no_evidence", lang),
    )


def show(
    id_: Annotated[str, typer.Argument(help="Id of a piece of evidence.", metavar="ID")],
    body: Annotated[Path | None, typer.Option(help="Write its bytes to this file.", metavar="FILE")] = None,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Show what a piece of evidence is, and write its bytes where they are asked for."""
    from gateway.cli.opening import with_store

    async def work(store: Store) -> tuple[Exhibit, Kept]:
        return await store.exhibit(id_)

    exhibit, kept = with_store(config, work)
    if body is not None:
        body.write_bytes(Path(kept.path).read_bytes() if kept.path else kept.body)
    told = _as_dict(exhibit)
    if json:
        output.as_json(told)
        return
    for name, value in told.items():
        if value not in (None, ""):
            output.data(f"{headings((name,), lang)[0]}: {shown(str(value))}")


def _as_dict(exhibit: Exhibit) -> dict[str, object]:
    """A piece of evidence as a program reads it."""
    return {
        "id": exhibit.id,
        "partner": exhibit.partner_id,
        "person": exhibit.person_id,
        "sha256": exhibit.sha256,
        "size": exhibit.size,
        "media_type": exhibit.media_type,
        "device": exhibit.device,
        "taken_at": exhibit.taken_at.isoformat() if exhibit.taken_at else None,
        "received_at": exhibit.received_at.isoformat(),
        "test": exhibit.test,
    }
