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

if TYPE_CHECKING:
    from gateway.model import Agreement, Finding
    from gateway.trip.examine import Examined, Interchange, Message

_CHUNK = 1 << 16
_SHOWN = 50
"""Messages without findings that are named one by one; more are only counted."""

_COLOURS = {"error": "red", "warning": "yellow", "note": "blue"}
_WORDS = {
    "en": {
        "good": "good",
        "rejected": "rejected",
        "refused": "well-formed, but refused",
        "read": "read as {document}",
        "interchange": "interchange {reference}",
        "from": "from {sender} to {recipient}",
        "message": "1 message",
        "messages": "{count} messages",
        "none": "no message in it",
        "group": "group {reference}",
        "total": "{file}: messages {messages}, interchanges {interchanges}; errors {error}, warnings {warning}, notes {note}",
        "more": "... and further messages without findings",
        "error": "error",
        "warning": "warning",
        "note": "note",
    },
    "zh": {
        "good": "正确",
        "rejected": "拒收",
        "refused": "格式正确，但业务规则不予受理",
        "read": "读作 {document}",
        "interchange": "交换 {reference}",
        "from": "发送方 {sender}，接收方 {recipient}",
        "message": "1 个报文",
        "messages": "{count} 个报文",
        "none": "其中没有报文",
        "group": "功能组 {reference}",
        "total": "{file}：报文 {messages}，交换 {interchanges}；错误 {error}，警告 {warning}，提示 {note}",
        "more": "……其余报文均无问题，不再逐一列出",
        "error": "错误",
        "warning": "警告",
        "note": "提示",
    },
}


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(validate)


def validate(
    files: Annotated[
        list[Path], typer.Argument(help="EDIFACT, X12, XML or JSON; also gzip or zip.", metavar="FILE...")
    ],
    format_: Annotated[
        str, typer.Option("--format", help="Expect this format, and nothing else.", metavar="FORMAT")
    ] = "*",
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Tolerate what a lenient agreement tolerates: it is a warning then.")
    ] = False,
    lang: output.LanguageOption = "en",
    json: output.JsonOption = False,
) -> None:
    """Check FILE: envelope, structure, types, lengths, codes, and what the rules say. Exit code 1 on errors.

    With --json each line is one message, one interchange or one file's totals.
    """
    output.language(lang)
    agreement = expectation(format_, lenient=lenient)
    errors = 0
    for file in files:
        output.existing_file(file)
        report: _Report = _JsonReport(file, lang) if json else _TextReport(file, lang)
        with output.progress(file.name, file.stat().st_size) as step:
            for item in examined(file, agreement, step):
                report.take(item)
        report.end()
        errors += report.severities["error"]
    if errors:
        raise typer.Exit(output.NO)


def expectation(format_: str, *, lenient: bool) -> Agreement:
    """An agreement that takes messages in `format_` (`*` for any)."""
    from dataclasses import replace

    from gateway.model import Strictness
    from gateway.trip.examine import ANY

    return replace(ANY, format=format_, strictness=Strictness.LENIENT if lenient else Strictness.STRICT)


def examined(file: Path, agreement: Agreement, step: Callable[[int], None]) -> Iterator[Examined]:
    """What the file holds, message by message; EDI is read as a stream, all else is one message anyway."""
    from datetime import UTC, datetime

    from gateway.check import rulebook
    from gateway.config import Limits
    from gateway.model import Syntax
    from gateway.parse import edifact, x12
    from gateway.receive.unpack import sniff
    from gateway.trip.examine import Examiner, examine

    rules = rulebook.load().at(datetime.now(UTC).date())
    with file.open("rb") as stream:
        readers = {Syntax.EDIFACT: edifact.read, Syntax.X12: x12.read}
        syntax = sniff(stream.read(4096))
        stream.seek(0)
        if syntax in readers:
            yield from Examiner((agreement,), rules, acknowledged=False).events(readers[syntax](_chunks(stream, step)))
        else:
            yield from examine(
                stream.read(), (agreement,), rules, unpacked_limit=Limits.model_validate({}).unpacked_bytes
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

    def take(self, item: Examined) -> None:
        """One message or one finished interchange."""
        from gateway.trip.examine import Message

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

    def __init__(self, file: Path, language: str) -> None:
        from rich.console import Console

        super().__init__(file, language)
        self._words = _WORDS[language]
        self._console = Console(highlight=False, soft_wrap=True)
        self._quiet = 0

    def message(self, message: Message) -> None:
        found = [*message.findings, *message.refusals]
        if not found:
            self._quiet += 1
            if self._quiet > _SHOWN:
                if self._quiet == _SHOWN + 1:
                    self._line(f"  {self._words['more']}")
                return
        verdict = "rejected" if message.rejected else "refused" if _refused(message) else "good"
        parts = [str(message.number), message.format, message.reference, self._words[verdict]]
        if message.document is not None:
            parts.append(self._words["read"].format(document=message.document_type))
        self._line("  ".join(p for p in parts if p), "green" if verdict == "good" else "red")
        self._findings(found)

    def interchange(self, interchange: Interchange) -> None:
        envelope = interchange.envelope
        count = interchange.last - interchange.first + 1
        if envelope is not None:
            self._line(
                "  ".join(
                    (
                        self._words["interchange"].format(reference=envelope.reference or "?"),
                        self._words["from"].format(sender=envelope.sender or "?", recipient=envelope.recipient or "?"),
                        self._words["message" if count == 1 else "messages"].format(count=count),
                    )
                )
            )
        elif interchange.findings or not count:
            self._line(self._words["none"])
        self._findings(interchange.findings)
        for group in interchange.groups:
            if group.findings:
                self._line(self._words["group"].format(reference=group.group.reference))
                self._findings(group.findings)

    def end(self) -> None:
        counts = {name: self.severities[name] for name in ("error", "warning", "note")}
        self._line(
            self._words["total"].format(
                file=self.file.name, messages=self.messages, interchanges=self.interchanges, **counts
            ),
            "bold",
        )

    def _findings(self, found: Iterable[Finding]) -> None:
        for one in found:
            severity = str(one.severity)
            text = self.text(one)
            value = f"[{one.value}]" if one.value and one.value not in text else ""
            parts = (f"    {self._words[severity]}", str(one.place), text, value, f"({one.code})")
            self._line("  ".join(part for part in parts if part), _COLOURS[severity])

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(text, style=style, markup=False)


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
