"""`gateway send` posts a file to a gateway, and can wait for what becomes of it."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli import output, remote
from gateway.cli.words import state, word
from gateway.signs import shown

_ASK_EVERY = 0.3
"""Seconds between questions while waiting."""
_LONGEST_NAME = 100
"""Characters of a file's name that are told in one; the digest of the content follows."""


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(send)


def send(
    file: Annotated[Path, typer.Argument(help="What to send: any syntax, also gzip or zip.", metavar="FILE")],
    url: remote.UrlOption = remote.LOCAL,
    key: remote.KeyOption = "",
    id_: Annotated[
        str,
        typer.Option(
            "--id", help="Idempotency-Key; from the file's name and content where absent, so that a repeat is safe."
        ),
    ] = "",
    wait: Annotated[float, typer.Option(help="Seconds to wait for the verdict; 0 does not wait.", min=0)] = 0,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Send FILE to a gateway. Exit code 1 where it is refused, or rejected within --wait."""
    body = output.existing_file(file).read_bytes()
    if not remote.fits_header(id_) or id_ != id_.strip() or len(id_) > remote.LONGEST_ID:
        output.stop(f"--id has at most {remote.LONGEST_ID} printable ASCII characters, and no blank at its ends")
    remote.require_address(url, key)
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/octet-stream",
        "Idempotency-Key": id_ or f"{_plain_name(file)}:{hashlib.sha256(body).hexdigest()}",
        "Accept-Language": output.language(lang),
    }
    try:
        accepted = remote.ask(f"{url.rstrip('/')}/v1/messages", headers, body)
        if not json:
            output.say(word("stored_before" if accepted["duplicate"] else "stored", lang, id=accepted["id"]))
        if not wait:
            output.as_json(accepted) if json else output.data(accepted["id"])
            return
        view = _verdict(f"{url.rstrip('/')}/v1/messages/{accepted['id']}", headers, time.monotonic() + wait)
        if json:
            output.as_json(view)
        else:
            _report(view, lang)
    except remote.Refused as refusal:
        refusal.stop(json=json)
    except (KeyError, TypeError):
        output.stop(f"{url} does not answer like a gateway", output.NO)
    if view["state"] not in ("accepted", "held"):
        raise typer.Exit(output.NO)


def _plain_name(file: Path) -> str:
    """The file's name in ASCII: percent-encoded where it has other letters, its digest where that gets long."""
    import os
    from urllib.parse import quote

    name = file.name if remote.fits_header(file.name) else quote(os.fsencode(file.name))
    return name if len(name) <= _LONGEST_NAME else hashlib.sha256(os.fsencode(file.name)).hexdigest()


def _verdict(url: str, headers: dict[str, str], until: float) -> dict[str, Any]:
    """The payload's view once it is processed, or as it is when time is over."""
    while True:
        view = remote.ask(url, headers)
        if view["state"] != "received" or time.monotonic() >= until:
            return view
        time.sleep(_ASK_EVERY)


def _report(view: dict[str, Any], language: str) -> None:
    """Say what became of a payload."""
    output.data(f"{view['id']}  {state(view['state'], language)}")
    for message in view["messages"]:
        told = (
            str(message["number"]),
            message["format"],
            shown(message["reference"]),
            state(message["state"], language),
        )
        output.data(f"  {'  '.join(part for part in told if part)}")
        for finding in message["findings"]:
            said = (
                state(finding["severity"], language),
                finding["code"],
                _place(finding.get("place")),
                shown(finding["text"]),
            )
            output.data(f"     {'  '.join(part for part in said if part)}")


def _place(place: dict[str, Any] | None) -> str:
    """Where a finding stands, in words."""
    from dataclasses import fields

    from gateway.model import Place

    known = {field.name for field in fields(Place)}
    return str(Place(**{name: value for name, value in (place or {}).items() if name in known and value is not None}))
