"""The report of `gateway validate --html`: one page that needs nothing beside itself, in English and Chinese.

Every text of ours stands in it twice, and a switch at its top, which needs no script, shows one of the two. What a
sender wrote is shown in signs and escaped, so that nothing in it acts on whoever opens the page.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path

from gateway import explanations, findings
from gateway.cli import marks
from gateway.cli.examining import Original
from gateway.cli.report import MOST_NAMED, Report, heading, tail, verdict
from gateway.cli.words import word
from gateway.languages import CHINESE, ENGLISH
from gateway.model import Finding
from gateway.signs import shown, visible
from gateway.trip.examined import Interchange, Message

_LANGUAGES = (ENGLISH, CHINESE)
_NAMES = {ENGLISH: "English", CHINESE: "中文"}
_HEAD = """<!DOCTYPE html>
<html lang="{language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; --error: #c62828; --warning: #a15c00; --note: #1565c0; --good: #2e7d32 }}
@media (prefers-color-scheme: dark) {{
  :root {{ --error: #ff8a80; --warning: #ffb74d; --note: #82b1ff; --good: #81c784 }}
}}
body {{ font: 16px/1.5 system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif;
  margin: 0 auto; max-width: 72rem; padding: 1rem }}
h1 {{ font-size: 1.4rem }} h2 {{ font-size: 1.15rem; overflow-wrap: anywhere }} h3 {{ font-size: 1rem; overflow-wrap: anywhere }}
section {{ border-top: 1px solid var(--line); margin-top: 1rem }}
pre {{ border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; overflow-x: auto; padding: .5rem }}
pre, code {{ font-family: ui-monospace, "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace; font-size: .875rem }}
pre i {{ display: inline-block; font-style: normal; opacity: .6; text-align: right; padding-right: 1rem; width: 3rem }}
mark {{ background: color-mix(in srgb, var(--of) 25%, transparent); border-bottom: 2px solid var(--of); color: inherit }}
.error {{ --of: var(--error) }} .warning {{ --of: var(--warning) }} .note {{ --of: var(--note) }} .good {{ --of: var(--good) }}
.tag {{ color: var(--of); font-weight: 600 }}
ul {{ list-style: none; margin: .25rem 0; padding: 0 }} li {{ border-left: 3px solid var(--of); margin: .4rem 0; padding-left: .6rem }}
li code, .place {{ opacity: .75 }}
details {{ margin: .2rem 0 }} summary {{ cursor: pointer; opacity: .75 }}
label {{ cursor: pointer; margin-right: 1rem }}
#lang-en:checked ~ main [lang=zh], #lang-zh:checked ~ main [lang=en] {{ display: none }}
</style>
"""


@contextmanager
def page(language: str) -> Iterator[None]:
    """The page around the reports of files; `language` is shown first."""
    _put(_HEAD.format(language=language, title=escape(word("report", language))))
    for one in _LANGUAGES:
        checked = " checked" if one == language else ""
        _put(f'<input type="radio" name="lang" id="lang-{one}"{checked}><label for="lang-{one}">{_NAMES[one]}</label>')
    _put(f"<main>\n<h1>{_both(lambda language: word('report', language))}</h1>")
    yield
    _put("</main>\n</html>")


def _put(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _both(say: Callable[[str], str]) -> str:
    """A text of ours in both languages, escaped; once where they are the same."""
    texts = {language: escape(visible(say(language))) for language in _LANGUAGES}
    if len(set(texts.values())) == 1:
        return texts[ENGLISH]
    return "".join(f'<span lang="{language}">{text}</span>' for language, text in texts.items())


class PageReport(Report):
    """The part of the page about one file."""

    def __init__(self, name: str, file: Path, language: str, *, whole: bool = False) -> None:
        """`whole` shows whole messages."""
        super().__init__(name, file, language)
        self._whole = whole
        self._quiet = 0
        _put(f"<section>\n<h2>{escape(visible(name))}</h2>")

    def message(self, message: Message, original: Original) -> None:
        """Its heading, the message with its faults, and each fault in words."""
        found = [*message.findings, *message.refusals]
        if not found:
            self._quiet += 1
            if self._quiet > MOST_NAMED:
                if self._quiet == MOST_NAMED + 1:
                    _put(f"<p>{_both(lambda language: word('more', language))}</p>")
                return
        kind = "good" if verdict(message) in ("good", "unread") else "error"
        _put(f'<h3 class="{kind}"><span class="tag">{_both(lambda language: heading(message, language))}</span></h3>')
        lines, elsewhere = marks.marked(original, found, whole=self._whole)
        self._lines(lines)
        told = [finding for line in lines for finding in line.found]
        self._findings([*told, *elsewhere])

    def interchange(self, interchange: Interchange) -> None:
        """What it was, and what is wrong with its envelope and groups."""
        said = _both(lambda language: tail(interchange, language, empty=self.empty))
        if said:
            _put(f"<p>{said}</p>")
        envelope = interchange.envelope
        if envelope is not None:
            self._header(marks.envelope_line(envelope, envelope.delimiters, interchange.findings))
        self._findings(interchange.findings)
        for ended in interchange.groups:
            if ended.findings:
                group = ended.group
                _put(f"<p>{_both(lambda language: word('group', language, reference=group.reference))}</p>")  # noqa: B023 - called at once
                if envelope is not None:
                    self._header(marks.envelope_line(group, envelope.delimiters, ended.findings))
                self._findings(ended.findings)

    def end(self) -> None:
        """The totals."""
        counts = {"messages": self.messages, "interchanges": self.interchanges, **self.totals}
        name = Path(self.name).name
        _put(f"<p><b>{_both(lambda language: word('total', language, file=name, **counts))}</b></p>\n</section>")

    def _header(self, line: marks.Line | None) -> None:
        if line is not None:
            self._lines([line])

    def _lines(self, lines: Sequence[marks.Line]) -> None:
        if lines:
            _put(f"<pre>{chr(10).join(_drawn(line) for line in lines)}</pre>")

    def _findings(self, found: Iterable[Finding]) -> None:
        items = [_item(one) for one in found]
        if items:
            _put(f"<ul>{''.join(items)}</ul>")


def _drawn(line: marks.Line) -> str:
    if line is marks.LEFT_OUT:
        return "<i></i>…"
    pieces = [
        escape(visible(piece.text))
        if piece.severity is None
        else f'<mark class="{piece.severity}">{escape(visible(piece.text))}</mark>'
        for piece in line.pieces
    ]
    return f"<i>{line.number or ''}</i>{''.join(pieces)}"


def _item(one: Finding) -> str:
    """A finding with its words, its value, its place, its code, and what explains it."""
    severity = str(one.severity)
    text = _both(lambda language: findings.text(one, language))
    value = f" [<code>{escape(shown(one.value))}</code>]" if one.value and one.value not in findings.text(one) else ""
    place = f'<span class="place">{escape(shown(one.place))}</span> ' if str(one.place) else ""
    tag = f'<span class="tag">{_both(lambda language: word(severity, language))}</span>'
    return (
        f'<li class="{severity}">{tag} {place}{text}{value} <code>{escape(one.code)}</code>{_explained(one.code)}</li>'
    )


def _explained(code: str) -> str:
    known = {language: explanations.explain(code, language) for language in _LANGUAGES}
    if any(one is None for one in known.values()):
        return ""

    def say(language: str, part: str) -> str:
        return word(part, language, text=getattr(known[language], part))

    cause = _both(lambda language: say(language, "cause"))
    remedy = _both(lambda language: say(language, "remedy"))
    summary = _both(lambda language: word("explained", language))
    return f"<details><summary>{summary}</summary>{cause}<br>{remedy}</details>"
