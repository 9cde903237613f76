"""`gateway validate` reads a file of messages and says what is right and wrong with every one of them.

It takes the way a received payload takes (gateway.trip.examine), without a store, and holds one message at
a time, so that the size of the file does not matter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import output
from gateway.cli.words import word
from gateway.signs import shown, visible
from gateway.spelling import near

if TYPE_CHECKING:
    from gateway.catalogue import Catalogue
    from gateway.model import Agreement, Finding
    from gateway.trip.examined import Examined, Interchange, Message

_CHUNK = 1 << 16
_SHOWN = 50
"""Messages without findings that are named one by one; more are only counted."""

_COLOURS = {"error": "red", "warning": "yellow", "note": "blue"}


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(validate)


def validate(
    files: Annotated[list[Path], typer.Argument(help="EDIFACT, X12, XML or JSON; also gzip or zip.", metavar="FILE")],
    format_: Annotated[
        str, typer.Option("--format", help="Expect this format, and nothing else.", metavar="FORMAT")
    ] = "*",
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Tolerate what a lenient agreement tolerates: it is a warning then.")
    ] = False,
    lang: output.LanguageOption = "en",
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Check FILE: envelope, structure, types, lengths, codes, and what the rules say. Exit code 1 on errors.

    With --json each line is one message, one interchange or one file's totals.
    """
    from gateway.cli.in_use import find_catalogue

    output.language(lang)
    catalogue = find_catalogue(config)
    require_format(catalogue, format_)
    agreement = expectation(format_, lenient=lenient)
    errors = 0
    for file in files:
        output.existing_file(file)
        report: _Report = _JsonReport(file, lang) if json else _TextReport(file, lang, named=len(files) > 1)
        with output.progress(file.name, file.stat().st_size) as step:
            for item in examined(catalogue, file, agreement, step):
                report.take(item)
        report.end()
        errors += report.severities["error"]
    if errors:
        raise typer.Exit(output.NO)


def require_format(catalogue: Catalogue, format_: str) -> None:
    """The end where no message can be in `format_`: it is neither `*` nor a format of ours."""
    from gateway.check import tables, xsd
    from gateway.translate import table

    if format_ == "*" or any(format_ == known for _, known in table.available(catalogue)):
        return
    # Formats that are checked and not translated, such as acknowledgements; slower to find, since all are read.
    every = {*tables.formats(catalogue), *xsd.entries(catalogue), *(known for _, known in table.available(catalogue))}
    if format_ not in every:
        output.stop(f"there is no such format {format_}{near(format_, every)}; `gateway schema list` names them")


def expectation(format_: str, *, lenient: bool) -> Agreement:
    """An agreement that takes messages in `format_` (`*` for any)."""
    from dataclasses import replace

    from gateway.model import Strictness
    from gateway.trip.examined import ANY

    return replace(ANY, format=format_, strictness=Strictness.LENIENT if lenient else Strictness.STRICT)


def examined(catalogue: Catalogue, file: Path, agreement: Agreement, step: Callable[[int], None]) -> Iterator[Examined]:
    """What the file holds by `catalogue`, message by message; EDI is read as a stream, all else is one message anyway."""
    from datetime import UTC, datetime

    from gateway.check import rulebook
    from gateway.config import Limits
    from gateway.model import Syntax
    from gateway.parse import edifact, x12
    from gateway.receive.unpack import sniff
    from gateway.trip.examine import Examiner, examine

    rules = rulebook.load(catalogue).at(datetime.now(UTC).date())
    with file.open("rb") as stream:
        readers = {Syntax.EDIFACT: edifact.read, Syntax.X12: x12.read}
        syntax = sniff(stream.read(4096))
        stream.seek(0)
        if syntax in readers:
            examiner = Examiner(catalogue, (agreement,), rules, acknowledged=False)
            yield from examiner.events(readers[syntax](_chunks(stream, step)))
        else:
            yield from examine(
                catalogue, file, (agreement,), rules, unpacked_limit=Limits.model_validate({}).unpacked_bytes
            )


def _chunks(stream: Any, step: Callable[[int], None]) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK):
        step(len(chunk))
        yield chunk


class _Report(ABC):
    """Takes what is examined, and counts."""

    def __init__(self, file: Path, language: str) -> None:
        self.file = file
        self.language = language
        self.severities: Counter[str] = Counter()
        self.messages = 0
        self.interchanges = 0
        self.empty = file.is_file() and not file.stat().st_size

    def take(self, item: Examined) -> None:
        """One message or one finished interchange."""
        from gateway.trip.examined import Message

        if isinstance(item, Message):
            self.messages += 1
            self._count(item.findings)
            self._count(item.refusals)
            self.message(item)
        else:
            self.interchanges += 1
            self._count(item.findings)
            for group in item.groups:
                self._count(group.findings)
            self.interchange(item)

    def _count(self, found: Iterable[Finding]) -> None:
        self.severities.update(str(f.severity) for f in found)

    def text(self, found: Finding) -> str:
        """A finding in words."""
        from gateway import findings

        return findings.text(found, self.language)

    @abstractmethod
    def message(self, message: Message) -> None:
        """One message."""

    @abstractmethod
    def interchange(self, interchange: Interchange) -> None:
        """One interchange, after its messages."""

    @abstractmethod
    def end(self) -> None:
        """The totals."""


class _TextReport(_Report):
    """For people."""

    def __init__(self, file: Path, language: str, *, named: bool) -> None:
        """With `named`, the file's name goes before what there is to say about it."""
        from rich.console import Console

        super().__init__(file, language)
        self._console = Console(highlight=False, soft_wrap=True)
        self._quiet = 0
        if named:
            self._line(self._word("file", file=file), "bold")

    def message(self, message: Message) -> None:
        found = [*message.findings, *message.refusals]
        if not found:
            self._quiet += 1
            if self._quiet > _SHOWN:
                if self._quiet == _SHOWN + 1:
                    self._line(f"  {self._word('more')}")
                return
        verdict = "rejected" if message.rejected else "refused" if _refused(message) else "good"
        parts = [str(message.number), message.format, shown(message.reference), self._word(verdict)]
        if message.document is not None:
            parts.append(self._word("read", document=message.document_type))
        self._line("  ".join(p for p in parts if p), "green" if verdict == "good" else "red")
        self._findings(found)

    def interchange(self, interchange: Interchange) -> None:
        envelope = interchange.envelope
        count = interchange.last - interchange.first + 1
        if envelope is not None:
            self._line(
                "  ".join(
                    (
                        self._word("interchange", reference=envelope.reference or "?"),
                        self._word("parties", sender=envelope.sender or "?", recipient=envelope.recipient or "?"),
                        self._word("one_message" if count == 1 else "messages", count=count),
                    )
                )
            )
        elif interchange.findings or not count:
            self._line(self._word("empty" if self.empty else "none"))
        self._findings(interchange.findings)
        for group in interchange.groups:
            if group.findings:
                self._line(self._word("group", reference=group.group.reference))
                self._findings(group.findings)

    def end(self) -> None:
        counts = {name: self.severities[name] for name in ("error", "warning", "note")}
        self._line(
            self._word("total", file=self.file.name, messages=self.messages, interchanges=self.interchanges, **counts),
            "bold",
        )

    def _findings(self, found: Iterable[Finding]) -> None:
        for one in found:
            severity = str(one.severity)
            text = self.text(one)
            value = f"[{shown(one.value)}]" if one.value and one.value not in text else ""
            parts = (f"    {self._word(severity)}", shown(one.place), shown(text), value, f"({one.code})")
            self._line("  ".join(part for part in parts if part), _COLOURS[severity])

    def _word(self, name: str, **values: object) -> str:
        return word(name, self.language, **values)

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(visible(text), style=style, markup=False)


class _JsonReport(_Report):
    """For programs."""

    def message(self, message: Message) -> None:
        output.as_json_line(
            {
                "kind": "message",
                "number": message.number,
                "format": message.format,
                "reference": message.reference,
                "rejected": message.rejected,
                "document": message.document_type or None,
                "findings": self._findings(message.findings),
                "refusals": self._findings(message.refusals),
            }
        )

    def interchange(self, interchange: Interchange) -> None:
        envelope = interchange.envelope
        output.as_json_line(
            {
                "kind": "interchange",
                "syntax": interchange.syntax,
                "reference": envelope.reference if envelope else None,
                "sender": envelope.sender if envelope else None,
                "recipient": envelope.recipient if envelope else None,
                "messages": interchange.last - interchange.first + 1,
                "findings": self._findings(interchange.findings),
                "groups": [
                    {
                        "reference": g.group.reference,
                        "messages": g.message_count,
                        "findings": self._findings(g.findings),
                    }
                    for g in interchange.groups
                ],
            }
        )

    def end(self) -> None:
        totals = {f"{name}s": self.severities[name] for name in ("error", "warning", "note")}
        output.as_json_line(
            {
                "kind": "file",
                "file": str(self.file),
                "empty": self.empty,
                "messages": self.messages,
                "interchanges": self.interchanges,
                **totals,
            }
        )

    def _findings(self, found: Iterable[Finding]) -> list[dict[str, Any]]:
        from dataclasses import asdict

        return [
            {
                "code": f.code,
                "severity": f.severity,
                "text": self.text(f),
                "place": {name: value for name, value in asdict(f.place).items() if value not in (None, "")},
                "value": f.value,
            }
            for f in found
        ]


def _refused(message: Message) -> bool:
    from gateway.findings import rejects

    return rejects(message.refusals)
