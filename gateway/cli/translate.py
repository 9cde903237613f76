"""`gateway translate` writes a file's messages in another format, and says what that format cannot carry.

The messages written are the data, on stdout; with --json the findings are lines of JSON on stderr.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import output
from gateway.cli.words import word
from gateway.signs import shown

if TYPE_CHECKING:
    from gateway.catalogue import Catalogue
    from gateway.model import Agreement, Finding
    from gateway.trip.examined import Message

_REFERENCES = {"x12": "{:09d}"}
"""Control references by syntax, where it takes no 14 characters: ISA13 has nine digits, UNB 0020 is an..14."""


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(translate)


def translate(
    file: Annotated[Path, typer.Argument(help="EDIFACT, X12, XML or JSON; also gzip or zip.", metavar="FILE")],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            help="Format to write, such as xml:EEntDeclIo:1, or as much of it as is clear: xml.",
            metavar="FORMAT",
        ),
    ],
    lenient: Annotated[bool, typer.Option("--lenient", help="Tolerate what a lenient agreement tolerates.")] = False,
    time_zone: Annotated[str, typer.Option(help="Of times without offset, read and written.", metavar="IANA")] = "UTC",
    code_tables: Annotated[
        str, typer.Option(help="Of coded values, read and written.", metavar="un|ciq|customs")
    ] = "un",
    sender: Annotated[str, typer.Option(help="Sender in the envelope written.", metavar="ID")] = "SENDER",
    recipient: Annotated[str, typer.Option(help="Recipient in the envelope written.", metavar="ID")] = "RECIPIENT",
    lang: output.LanguageOption = "",
    config: output.ConfigOption = None,
    json: Annotated[bool, typer.Option("--json", help="Tell findings as lines of JSON, on stderr.")] = False,
) -> None:
    """Translate FILE to another format, on stdout; findings go to stderr. Exit code 1 where a message cannot be."""
    from gateway.cli.examining import examined
    from gateway.cli.in_use import find_catalogue
    from gateway.cli.validate import expectation
    from gateway.trip.examined import Message

    output.existing_file(file)
    output.language(lang)
    agreement = expectation("*", lenient=lenient, time_zone=time_zone, code_tables=code_tables)
    catalogue = find_catalogue(config)
    teller = _Teller(lang, json=json)
    failed = False
    for item, _ in examined(catalogue, file, agreement, lambda _bytes: None):
        if not isinstance(item, Message):
            teller.tell(item.findings)
            failed = failed or item.rejected
            continue
        teller.tell([*item.findings, *item.refusals], item.number)
        body = _written(catalogue, item, to, agreement, sender, recipient, teller)
        failed = failed or not body
        sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()
    if failed:
        raise typer.Exit(output.NO)


def _written(
    catalogue: Catalogue, message: Message, to: str, agreement: Agreement, sender: str, recipient: str, teller: _Teller
) -> bytes:
    """A message's document in the format that `to` means; empty where there is none, or it cannot be written."""
    from dataclasses import replace
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    from gateway.translate import envelope
    from gateway.trip import faults, render

    if message.document is None:
        teller.untranslated(message.number)
        return b""
    format_ = _format(catalogue, message.document_type, to)
    frame = envelope.Frame(
        sender,
        recipient,
        _REFERENCES.get(format_.partition(":")[0], "{:014d}").format(message.number),
        at=datetime.now(UTC).astimezone(ZoneInfo(agreement.time_zone)),
    )
    rendered = envelope.Rendered(b"", [faults.finding()])
    with faults.caught():
        rendered = render.write(
            catalogue, message.document_type, message.document, replace(agreement, format=format_), frame
        )
    teller.tell(rendered.findings, message.number, format_)
    return rendered.body and rendered.body.rstrip(b"\n") + b"\n"


def _format(catalogue: Catalogue, document: str, to: str) -> str:
    """The one format of `document` that is, or begins with, `to`; the end where there is not exactly one."""
    from gateway.documents.response import Response
    from gateway.receipt import advice
    from gateway.translate import table

    known = sorted(
        {format_ for name, format_ in table.available(catalogue) if name == document}
        | (advice.WRITERS.keys() if document == Response.document_type else set())
    )
    fitting = [to] if to in known else [f for f in known if f.startswith(to)]
    if len(fitting) != 1:
        output.stop(f"{document} can be written as {', '.join(known)}; --to {to} does not say which")
    return fitting[0]


class _Teller:
    """Says findings on stderr, as words or as lines of JSON."""

    def __init__(self, language: str, *, json: bool) -> None:
        self._language = language
        self._json = json

    def tell(self, found: list[Finding], number: int | None = None, format_: str = "") -> None:
        """Findings about the envelope, about message `number` as it came, or about it as it is written in `format_`."""
        from gateway import findings

        name = "envelope" if number is None else "numbered_as" if format_ else "numbered"
        what = word(name, self._language, number=number, format=format_)
        for one in found:
            text = findings.text(one, self._language)
            if self._json:
                output.say_json_line(
                    {
                        "message": number,
                        "written_as": format_ or None,
                        "code": one.code,
                        "severity": one.severity,
                        "place": str(one.place),
                        "value": one.value,
                        "text": text,
                    }
                )
                continue
            place = f"  {shown(one.place)}" if str(one.place) else ""
            output.say(f"{what}: {word(one.severity, self._language)}{place}  {shown(text)}  ({one.code})")

    def untranslated(self, number: int) -> None:
        """That there is nothing of message `number` to write; why, its findings have told."""
        if not self._json:
            output.say(word("untranslated", self._language, number=number))
