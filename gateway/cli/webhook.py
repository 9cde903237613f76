"""`gateway webhook` makes signing keys, and receives events here for whoever builds a receiver."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import output
from gateway.cli.words import word
from gateway.signs import shown

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

LARGEST = 64 * 1024 * 1024
"""Bytes of an event that are taken."""


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Webhooks: keys, and a receiver to try them with.", no_args_is_help=True)
    noun.command()(key)
    noun.command()(listen)
    cli.add_typer(noun, name="webhook")


def key(
    file: Annotated[
        Path, typer.Argument(help="Where the private key is written; there must be none yet.", metavar="FILE")
    ],
    lang: output.LanguageOption = "",
) -> None:
    """Make an Ed25519 key that signs webhooks: the private half into FILE, the public half to the output."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from gateway import durable
    from gateway.transports.webhook_signing import write_private, write_public

    made = Ed25519PrivateKey.generate()
    try:
        durable.write_file(file, f"{write_private(made)}\n".encode(), mode=0o600, replace=False)
    except OSError as error:
        output.stop(f"{file}: {output.reason(error)}")
    output.data(write_public(made.public_key()))
    output.say(word("webhook_key_made", lang, file=file))


def listen(
    port: Annotated[int, typer.Option(help="Port on loopback.", min=1, max=65535)] = 9180,
    verify: Annotated[
        list[str] | None, typer.Option("--verify", help="whpk_ key or whsec_ secret; may be repeated.", metavar="KEY")
    ] = None,
    answer: Annotated[int, typer.Option(help="Status to answer with where the event holds.", min=200, max=599)] = 204,
    count: Annotated[int, typer.Option(help="End after so many events; 0 for never.", min=0)] = 0,
    lang: output.LanguageOption = "",
    json_: Annotated[bool, typer.Option("--json", help="One line of JSON for each event.")] = False,
) -> None:
    """Receive events on loopback: verify each, print it, and answer as told; 400 where it does not hold."""
    from gateway.errors import SecretUnreadable
    from gateway.transports.webhook_signing import PUBLIC, read_public, read_secret_text

    public: list[Ed25519PublicKey] = []
    secrets: list[bytes] = []
    for text in verify or ():
        try:
            if text.startswith(PUBLIC):
                public.append(read_public(text))
            else:
                secrets.append(read_secret_text(text))
        except SecretUnreadable as error:
            output.stop(f"--verify: {error}")
    left = [count]

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = self.headers.get("Content-Length", "0")
            body = self.rfile.read(min(int(size), LARGEST)) if size.isdigit() else b""
            fault = _fault(self.headers, body, public, secrets)
            self.send_response(400 if fault else answer)
            self.send_header("Content-Length", "0")
            self.end_headers()
            _print(self.headers, body, fault, lang, as_json=json_)
            left[0] -= 1

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 -- the base class's name
            """What is received is printed already."""

    try:
        server = HTTPServer(("127.0.0.1", port), Receiver)
    except OSError as error:
        output.stop(f"port {port}: {output.reason(error)}")
    with server:
        output.say(word("listening", lang, url=f"http://127.0.0.1:{port}/"))
        while not count or left[0] > 0:
            server.handle_request()


def _fault(headers: Any, body: bytes, public: list[Ed25519PublicKey], secrets: list[bytes]) -> str:
    from gateway.transports.webhook_signing import verify

    if not public and not secrets:
        return ""
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    id_, timestamp, signatures = (headers.get(name, "") for name in names)
    return verify(public, secrets, id_, timestamp, body, signatures, time.time())


def _print(headers: Any, body: bytes, fault: str, lang: str, *, as_json: bool) -> None:
    try:
        event = json.loads(body)
    except ValueError:
        event = body.decode("utf-8", "replace")
    id_ = headers.get("webhook-id", "")
    if as_json:
        output.as_json_line({"id": id_, "fault": fault, "event": event})
        return
    type_ = event.get("type", "") if isinstance(event, dict) else ""
    output.data(f"{shown(id_)}  {shown(type_)}  {shown(fault) or word('event_holds', lang)}")
    output.data(shown(json.dumps(event, ensure_ascii=False)))
