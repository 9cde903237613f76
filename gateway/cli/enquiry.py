"""`gateway enquiry` asks a gateway where a consignment stands."""

from __future__ import annotations

import json as codec
import secrets
from typing import Annotated, Any

import typer

from gateway.cli import output, remote
from gateway.signs import shown

_ABOUT = ("progress", "business")


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(enquiry)


def enquiry(
    number: Annotated[
        str, typer.Argument(help="A number of the consignment: declaration, notice, bill, container.", metavar="NUMBER")
    ],
    about: Annotated[str, typer.Option(help="What is asked: progress or business.", metavar="ABOUT")] = "progress",
    url: remote.UrlOption = remote.LOCAL,
    key: remote.KeyOption = "",
    lang: output.LanguageOption = "en",
    json: output.JsonOption = False,
) -> None:
    """Ask a gateway about a consignment you take part in. Exit code 1 where there is none of that number."""
    if about not in _ABOUT:
        output.stop(f"--about is one of {', '.join(_ABOUT)}")
    remote.require_address(url, key)
    reference = f"ENQ-{secrets.token_hex(8)}"
    document = {"reference": reference, "about": about, "key": number}
    body = codec.dumps({"format": "json:enquiry:1", "reference": reference, "document": document}, ensure_ascii=False)
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Accept-Language": output.language(lang),
    }
    try:
        view = remote.ask(f"{url.rstrip('/')}/v1/messages?document=enquiry", headers, body.encode())
    except remote.Refused as refusal:
        refusal.stop(json=json)
    response = _find_response(view)
    if response is None:
        # Nothing was decided within the time that the gateway waits, or nobody may answer this caller.
        told = "no answer yet" if view.get("state") == "received" else "decided, and answered by other ways"
        output.as_json(view) if json else output.say(f"{told}: {view.get('id', '')}")
        raise typer.Exit(output.NO)
    if json:
        output.as_json(response)
    else:
        _report(response)
    if response["outcome"] != "accepted":
        raise typer.Exit(output.NO)


def _find_response(view: dict[str, Any]) -> dict[str, Any] | None:
    """The response document in a payload's view, whatever format the caller reads; None where there is none."""
    for told in (*view.get("offered", ()), *view.get("acknowledgements", ())):
        if told.get("document") == "response" and told.get("body"):
            return _read(str(told["body"]))
    return None


def _read(body: str) -> dict[str, Any] | None:
    """What a response says, as JSON; None where it is none that the shipped tables read."""
    from datetime import UTC, datetime

    from gateway.catalogue_folders import shipped
    from gateway.check import rulebook
    from gateway.trip.examine import examine
    from gateway.trip.examined import ANY, Message

    rules = rulebook.load(shipped()).at(datetime.now(UTC).date())
    for item in examine(shipped(), body.encode(), [ANY], rules, unpacked_limit=len(body.encode())):
        if isinstance(item, Message) and item.document is not None:
            return item.document.to_json()
    return None


def _report(response: dict[str, Any]) -> None:
    """Say what a response says: the answer on stdout, reasons on stderr."""
    for reason in response.get("reasons", ()):
        output.say(shown(reason.get("text") or reason["code"]))
    output.table(
        ("number", "what", "value", "in words"),
        (
            (shown(line.get("number") or ""), line["name"], shown(line["value"]), shown(line.get("text") or ""))
            for line in response.get("answer", ())
        ),
        empty="Nothing to tell.",
    )
