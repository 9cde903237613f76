"""`gateway enquiry` asks a gateway where a consignment stands."""

from __future__ import annotations

import json as codec
import secrets
from typing import Annotated, Any

import typer

from gateway.cli import output, remote
from gateway.cli.words import word
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
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Ask a gateway about a consignment you take part in. Exit code 1 where there is none of that number."""
    if about not in _ABOUT:
        output.stop(f"--about is one of {', '.join(_ABOUT)}")
    remote.require_address(url, key)
    reference = f"ENQ-{secrets.token_hex(8)}"
    language = output.language(lang)
    document = {"reference": reference, "about": about, "key": number, "language": language}
    body = codec.dumps({"format": "json:enquiry:1", "reference": reference, "document": document}, ensure_ascii=False)
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Accept-Language": language,
    }
    try:
        view = remote.ask(f"{url.rstrip('/')}/v1/messages?document=enquiry", headers, body.encode())
    except remote.Refused as refusal:
        refusal.stop(json=json)
    response = _find_response(view)
    if response is None:
        # Nothing was decided within the time that the gateway waits, or nobody may answer this caller.
        if json:
            output.as_json(view)
        else:
            _report_unanswered(view, language)
        raise typer.Exit(output.NO)
    if json:
        output.as_json(response)
    else:
        _report(response, language)
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


def _report_unanswered(view: dict[str, Any], language: str) -> None:
    """Say why there is no answer to show: it is not decided yet, or what is against the message itself."""
    told = "no_answer_yet" if view.get("state") == "received" else "answered_otherwise"
    output.say(word(told, language, id=view.get("id", "")))
    for message in view.get("messages", ()):
        for finding in message.get("findings", ()):
            output.say(shown(finding["text"]))


def _report(response: dict[str, Any], language: str) -> None:
    """Say what a response says: the answer on stdout, reasons on stderr; of a refusal, the reasons are all there is."""
    for reason in response.get("reasons", ()):
        output.say(shown(reason.get("text") or reason["code"]))
    if response["outcome"] != "accepted":
        return
    output.table(
        [word(name, language) for name in ("number", "what", "value", "in_words")],
        (
            (shown(line.get("number") or ""), line["name"], shown(line["value"]), shown(line.get("text") or ""))
            for line in response.get("answer", ())
        ),
        empty=word("nothing_to_tell", language),
    )
