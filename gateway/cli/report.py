"""What `gateway validate` says of each file: for people on a terminal, or as lines of JSON. The page is in report_page."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from gateway import explanations, findings
from gateway.cli import marks, output
from gateway.cli.examining import Original
from gateway.cli.words import word
from gateway.findings import rejects
from gateway.model import Finding
from gateway.signs import shown, visible
from gateway.trip.examined import Examined, Interchange, Message

MOST_NAMED = 50
"""Messages without findings that are named one by one; more are only counted."""

_COLOURS = {"error": "red", "warning": "yellow", "note": "blue"}
_GUTTER = "    │ "


class Report(ABC):
    """Takes what is examined, and counts."""

    def __init__(self, name: str, file: Path, language: str) -> None:
        """`name` is what the file is called; `language` is that of the words."""
        self.name = name
        self.language = language
        self.severities: Counter[str] = Counter()
        self.messages = 0
        self.interchanges = 0
        self.empty = file.is_file() and not file.stat().st_size

    def take(self, item: Examined, original: Original) -> None:
        """One message, as it was written, or one finished interchange."""
        if isinstance(item, Message):
            self.messages += 1
            self._count(item.findings)
            self._count(item.refusals)
            self.message(item, original)
        else:
            self.interchanges += 1
            self._count(item.findings)
            for group in item.groups:
                self._count(group.findings)
            self.interchange(item)

    def _count(self, found: Iterable[Finding]) -> None:
        self.severities.update(str(f.severity) for f in found)

    @property
    def totals(self) -> dict[str, int]:
        """How many findings of each severity there are."""
        return {name: self.severities[name] for name in ("error", "warning", "note")}

    @abstractmethod
    def message(self, message: Message, original: Original) -> None:
        """One message."""

    @abstractmethod
    def interchange(self, interchange: Interchange) -> None:
        """One interchange, after its messages."""

    @abstractmethod
    def end(self) -> None:
        """The totals."""


def verdict(message: Message) -> str:
    """What became of a message, as a label of gateway/cli/words.py."""
    if message.rejected:
        return "rejected"
    if rejects(message.refusals):
        return "refused"
    return "good" if message.document is not None or message.control is not None else "unread"


def heading(message: Message, language: str) -> str:
    """A message's number, format, reference and verdict on one line."""
    parts = [str(message.number), message.format, shown(message.reference), word(verdict(message), language)]
    if message.document is not None:
        parts.append(word("read", language, document=findings.word(message.document_type, language)))
    return "  ".join(part for part in parts if part)


def tail(interchange: Interchange, language: str, *, empty: bool) -> str:
    """What an interchange was, on one line; empty where there is nothing to say of it."""
    envelope = interchange.envelope
    count = interchange.last - interchange.first + 1
    if envelope is None:
        return word("empty" if empty else "none", language) if interchange.findings or not count else ""
    return "  ".join(
        (
            word("interchange", language, reference=envelope.reference or "?"),
            word("parties", language, sender=envelope.sender or "?", recipient=envelope.recipient or "?"),
            word("one_message" if count == 1 else "messages", language, count=count),
        )
    )


class TextReport(Report):
    """For people."""

    def __init__(
        self, name: str, file: Path, language: str, *, named: bool, whole: bool = False, explain: bool = False
    ) -> None:
        """With `named`, the file's name goes before what there is to say about it; `whole` shows whole messages."""
        super().__init__(name, file, language)
        self._console = Console(highlight=False, soft_wrap=True)
        self._quiet = 0
        self._whole = whole
        self._explain = explain
        self._explained: set[str] = set()
        if named:
            self._line(self._word("file", file=name), "bold")

    def message(self, message: Message, original: Original) -> None:
        """Its heading, its marked lines with what is wrong under each, and what stands at no line."""
        found = [*message.findings, *message.refusals]
        if not found:
            self._quiet += 1
            if self._quiet > MOST_NAMED:
                if self._quiet == MOST_NAMED + 1:
                    self._line(f"  {self._word('more')}")
                return
        self._line(heading(message, self.language), "green" if verdict(message) in ("good", "unread") else "red")
        lines, elsewhere = marks.marked(original, found, whole=self._whole)
        for line in lines:
            self._marked(line)
        self._findings(elsewhere)

    def interchange(self, interchange: Interchange) -> None:
        """What it was, and what is wrong with its envelope and its groups."""
        if said := tail(interchange, self.language, empty=self.empty):
            self._line(said)
        envelope, about = interchange.envelope, interchange.findings
        line = marks.envelope_line(envelope, envelope.delimiters, about) if envelope is not None else None
        self._header(line, about)
        for group in interchange.groups:
            if group.findings:
                self._line(self._word("group", reference=group.group.reference))
                assert envelope is not None, "groups stand in an envelope"
                self._header(marks.envelope_line(group.group, envelope.delimiters, group.findings), group.findings)

    def end(self) -> None:
        """The totals."""
        counts = {"messages": self.messages, "interchanges": self.interchanges, **self.totals}
        self._line(self._word("total", file=Path(self.name).name, **counts), "bold")

    def _header(self, line: marks.Line | None, found: list[Finding]) -> None:
        if line is not None:
            self._marked(line)
        told = line.found if line is not None else ()
        self._findings([finding for finding in found if finding not in told])

    def _marked(self, line: marks.Line) -> None:
        """A line of the message, signs under what findings are about, and the findings."""
        if line is marks.LEFT_OUT:
            self._console.print(Text(f"{_GUTTER}  …", style="dim"))
            return
        number = f"{line.number or '':>5}  "
        drawn, below = Text(_GUTTER + number, style="dim"), " " * cell_len(_GUTTER + number)
        for piece in line.pieces:
            text = visible(piece.text)
            grave = piece.severity is not None
            drawn.append(text, style=f"bold reverse {_COLOURS[str(piece.severity)]}" if grave else "default not dim")
            below += ("^" if grave else " ") * cell_len(text)
        self._console.print(drawn)
        if "^" in below:
            self._console.print(Text(f"    │{below[5:].rstrip()}", style="dim"))
        self._findings(line.found)

    def _findings(self, found: Iterable[Finding]) -> None:
        for one in found:
            severity = str(one.severity)
            text = findings.text(one, self.language)
            value = f"[{shown(one.value)}]" if one.value and one.value not in text else ""
            parts = (f"    {self._word(severity)}", shown(one.place), shown(text), value, f"({one.code})")
            self._line("  ".join(part for part in parts if part), _COLOURS[severity])
            explained = explanations.explain(one.code, self.language) if self._explain else None
            if explained is not None and one.code not in self._explained:
                self._explained.add(one.code)  # a hundred codes of one kind have one cause
                self._line(f"        {self._word('cause', text=explained.cause)}")
                self._line(f"        {self._word('remedy', text=explained.remedy)}")

    def _word(self, name: str, **values: object) -> str:
        return word(name, self.language, **values)

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(visible(text), style=style, markup=False)


class JsonReport(Report):
    """For programs."""

    def __init__(self, name: str, file: Path, language: str, *, explain: bool = False) -> None:
        """With `explain`, each finding has its cause and its remedy."""
        super().__init__(name, file, language)
        self._explain = explain

    def message(self, message: Message, original: Original) -> None:  # noqa: ARG002 - a Report
        """A line about the message."""
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
        """A line about the interchange."""
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
        """A line with the totals."""
        output.as_json_line(
            {
                "kind": "file",
                "file": self.name,
                "empty": self.empty,
                "messages": self.messages,
                "interchanges": self.interchanges,
                **{f"{name}s": count for name, count in self.totals.items()},
            }
        )

    def _findings(self, found: Iterable[Finding]) -> list[dict[str, Any]]:
        return [self._finding(one) for one in found]

    def _finding(self, one: Finding) -> dict[str, Any]:
        told = {
            "code": one.code,
            "severity": one.severity,
            "text": findings.text(one, self.language),
            "place": {name: value for name, value in asdict(one.place).items() if value not in (None, "")},
            "value": one.value,
        }
        explained = explanations.explain(one.code, self.language) if self._explain else None
        return told if explained is None else {**told, "cause": explained.cause, "remedy": explained.remedy}
