"""`gateway send` posts a file to a gateway, and can wait for what becomes of it."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli import output

_ASK_EVERY = 0.3
"""Seconds between questions while waiting."""


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(send)


def send(
    file: Annotated[Path, typer.Argument(help="What to send: any syntax, also gzip or zip.")],
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
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/octet-stream",
        "Idempotency-Key": id_ or f"{file.name[:100]}:{hashlib.sha256(body).hexdigest()}",
        "Accept-Language": output.language(lang),
    }
    accepted = _ask(f"{url.rstrip('/')}/v1/messages", headers, body)
    if not json:
        output.say(f"stored as {accepted['id']}" + (" (it was there already)" if accepted["duplicate"] else ""))
    if not wait:
        output.as_json(accepted) if json else output.data(accepted["id"])
        return
    view = _verdict(f"{url.rstrip('/')}/v1/messages/{accepted['id']}", headers, time.monotonic() + wait)
    if json:
        output.as_json(view)
    else:
        _report(view)
    if view["state"] not in ("accepted", "held"):
        raise typer.Exit(output.NO)


def _verdict(url: str, headers: dict[str, str], until: float) -> dict[str, Any]:
    """The payload's view once it is processed, or as it is when time is over."""
    while True:
        view = _ask(url, headers)
        if view["state"] != "received" or time.monotonic() >= until:
            return view
        time.sleep(_ASK_EVERY)


def _report(view: dict[str, Any]) -> None:
    """Say what became of a payload."""
    output.data(f"{view['id']}  {view['state']}")
    for message in view["messages"]:
        output.data(f"  {message['number']}  {message['format']}  {message['reference']}  {message['state']}")
        for finding in message["findings"]:
            output.data(f"     {finding['severity']}  {finding['code']}  {finding['text']}")


def _ask(url: str, headers: dict[str, str], body: bytes | None = None) -> dict[str, Any]:
    """One request and its JSON answer; the end with the problem's words where it is refused."""
    import json as codec
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    if not url.startswith(("http://", "https://")):
        output.stop(f"{url} is no http or https address")
    try:
        # The scheme was checked above; whoever runs this command names the address.
        with urlopen(Request(url, body, headers), timeout=60) as response:  # noqa: S310
            answer: dict[str, Any] = codec.load(response)
            return answer
    except HTTPError as error:
        words = _words(error.read(), error.reason)
        again = error.headers.get("Retry-After")
        output.stop(f"{error.code} {words}" + (f" (again in {again} s)" if again else ""), output.NO)
    except (URLError, OSError) as error:
        output.stop(f"{url} does not answer: {getattr(error, 'reason', error)}", output.NO)


def _words(body: bytes, otherwise: str) -> str:
    """Title and detail of a problem."""
    import json as codec

    try:
        problem = codec.loads(body)
        return " ".join(str(problem[name]) for name in ("title", "detail") if problem.get(name))
    except (ValueError, TypeError, KeyError):
        return otherwise
