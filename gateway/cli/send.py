"""`gateway send` posts a file to a gateway, and can wait for what becomes of it."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli import output
from gateway.cli.words import state, word
from gateway.signs import shown

_ASK_EVERY = 0.3
"""Seconds between questions while waiting."""
_LONGEST_ID = 255
"""Characters of an Idempotency-Key that a gateway takes."""
_LONGEST_NAME = 100
"""Characters of a file's name that are told in one; the digest of the content follows."""


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(send)


def send(
    file: Annotated[Path, typer.Argument(help="What to send: any syntax, also gzip or zip.", metavar="FILE")],
    url: Annotated[str, typer.Option(help="The gateway.", metavar="URL")] = "http://127.0.0.1:8080",
    key: Annotated[
        str, typer.Option(help="API key; better in the variable, where no process list shows it.", envvar="GATEWAY_KEY")
    ] = "",
    id_: Annotated[
        str,
        typer.Option(
            "--id", help="Idempotency-Key; from the file's name and content where absent, so that a repeat is safe."
        ),
    ] = "",
    wait: Annotated[float, typer.Option(help="Seconds to wait for the verdict; 0 does not wait.", min=0)] = 0,
    lang: output.LanguageOption = "en",
    json: output.JsonOption = False,
) -> None:
    """Send FILE to a gateway. Exit code 1 where it is refused, or rejected within --wait."""
    body = output.existing_file(file).read_bytes()
    if not key:
        output.stop("an API key is needed: --key or GATEWAY_KEY")
    if not _fits_header(key) or " " in key:
        # The key is not repeated.
        output.stop("the API key (--key or GATEWAY_KEY) is printable ASCII without blanks, on one line")
    if not _fits_header(id_) or id_ != id_.strip() or len(id_) > _LONGEST_ID:
        output.stop(f"--id has at most {_LONGEST_ID} printable ASCII characters, and no blank at its ends")
    if not url.startswith(("http://", "https://")):
        output.stop(f"{url} is no http or https address")
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/octet-stream",
        "Idempotency-Key": id_ or f"{_plain_name(file)}:{hashlib.sha256(body).hexdigest()}",
        "Accept-Language": output.language(lang),
    }
    try:
        accepted = _ask(f"{url.rstrip('/')}/v1/messages", headers, body)
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
    except _Refused as refusal:
        if json:
            output.as_json(refusal.problem)
        output.stop(str(refusal), output.NO)
    except (KeyError, TypeError):
        output.stop(f"{url} does not answer like a gateway", output.NO)
    if view["state"] not in ("accepted", "held"):
        raise typer.Exit(output.NO)


class _Refused(Exception):
    """The gateway does not take it, or does not answer; `problem` says so for programs (RFC 9457)."""

    def __init__(self, words: str, problem: dict[str, Any]) -> None:
        super().__init__(words)
        self.problem = problem


def _fits_header(text: str) -> bool:
    """Whether `text` can stand in a header of HTTP and mean the same to everybody."""
    return text.isascii() and (text.isprintable() or not text)


def _plain_name(file: Path) -> str:
    """The file's name in ASCII: percent-encoded where it has other letters, its digest where that gets long."""
    import os
    from urllib.parse import quote

    name = file.name if _fits_header(file.name) else quote(os.fsencode(file.name))
    return name if len(name) <= _LONGEST_NAME else hashlib.sha256(os.fsencode(file.name)).hexdigest()


def _verdict(url: str, headers: dict[str, str], until: float) -> dict[str, Any]:
    """The payload's view once it is processed, or as it is when time is over."""
    while True:
        view = _ask(url, headers)
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


def _ask(url: str, headers: dict[str, str], body: bytes | None = None) -> dict[str, Any]:
    """One request and its JSON answer. _Refused where there is none, or it says no."""
    import json as codec
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    try:
        # The scheme was checked before; whoever runs this command names the address.
        with urlopen(Request(url, body, headers), timeout=60) as response:  # noqa: S310
            content = response.read()
    except HTTPError as error:
        said = error.read()
        words = f"{error.code} {_words(said, error.reason)}"
        again = error.headers.get("Retry-After")
        raise _Refused(
            words + (f" (again in {again} s)" if again else ""), _problem(said, error.code, words)
        ) from error
    except (OSError, HTTPException, ValueError) as error:
        # ValueError: an address that is none, such as one with an unknown port.
        words = f"{url} does not answer: {getattr(error, 'reason', error)}"
        raise _Refused(words, {"title": words, "status": None}) from error
    try:
        answer = codec.loads(content)
    except ValueError as error:
        words = f"{url} does not answer like a gateway"
        raise _Refused(words, {"title": words, "status": None}) from error
    return answer if isinstance(answer, dict) else {}


def _problem(body: bytes, status: int, otherwise: str) -> dict[str, Any]:
    """The problem in an answer, or one made of its status."""
    import json as codec

    try:
        problem = codec.loads(body)
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) else {"title": otherwise, "status": status}


def _words(body: bytes, otherwise: str) -> str:
    """Title and detail of a problem."""
    problem = _problem(body, 0, otherwise)
    return " ".join(str(problem[name]) for name in ("title", "detail") if problem.get(name)) or otherwise
