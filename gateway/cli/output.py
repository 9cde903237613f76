"""Where words and data go, and in which form."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NoReturn

import typer

from gateway.languages import CHINESE, choose_language, maybe_language
from gateway.signs import escaped_json, shown, visible, visible_lines

NO = 1
"""Exit code: it was done, and the answer is no."""
USAGE = 2
"""Exit code: it cannot be asked like that."""

_BAR_FROM = 4_000_000
"""Bytes (or steps) from which work is long enough for a bar: about a second's reading."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def language(name: str = "") -> str:
    """`en` or `zh`, as the tag `name` means it (`zh-CN` is Chinese), or the end; as the environment says where it is empty."""
    if not name:
        said = (os.environ.get(variable) for variable in ("LC_ALL", "LC_MESSAGES", "LANG"))
        return choose_language(next(filter(None, said), ""))
    found = maybe_language(name)
    if found is None:
        stop(f"--lang is en or zh, not {name}")
    return found


LanguageOption = Annotated[
    str,
    typer.Option(
        "--lang",
        help="Language of the words: en or zh; as LANG says where absent.",
        metavar="en|zh",
        callback=language,
        show_default=False,
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file; gateway.toml where there is one.", metavar="FILE"),
]


def data(text: str) -> None:
    """Print one line of data, whatever it holds."""
    print(visible(text))


def lines(text: str) -> None:
    """Print data of several lines, whose newlines are the gateway's own and not a partner's."""
    print(visible_lines(text))


def as_json(value: Any) -> None:
    """Print `value` as JSON, indented; what JSON does not know becomes text."""
    print(_json(value, indent=2))


def as_json_line(value: Any) -> None:
    """Print `value` as one line of JSON."""
    print(_json(value))


def say_json_line(value: Any) -> None:
    """Tell a program something, as one line of JSON: where stdout is taken by the data itself."""
    print(_json(value), file=sys.stderr)


def _json(value: Any, indent: int | None = None) -> str:
    """`value` to the letter, with nothing in it that acts on a terminal."""
    return escaped_json(json.dumps(value, ensure_ascii=False, indent=indent, default=_plain))


def _plain(value: Any) -> str:
    """What JSON does not know, as text; times as RFC 3339."""
    return moment(value) if isinstance(value, datetime) else str(value)


def moment(at: datetime) -> str:
    """An aware time as RFC 3339 in UTC, such as 2026-01-02T03:04:05.678901Z."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def many(count: int, noun: str) -> str:
    """`count` of `noun`, such as `1 partner` or `2 partners`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


_NOUNS = {"partner": "个合作方", "agreement": "份协议", "credential": "项凭证", "person": "名人员"}


def counted(count: int, noun: str, language: str) -> str:
    """As `many`, in either language."""
    return f"{count} {_NOUNS[noun]}" if language == CHINESE else many(count, noun)


def reason(error: OSError) -> str:
    """What the operating system has against a file, with the file's name."""
    return ": ".join(str(part) for part in (error.filename, error.strerror or error) if part is not None)


def say(text: str) -> None:
    """Tell the person something, on one line."""
    print(visible(text), file=sys.stderr)


def stop(text: str, code: int = USAGE) -> NoReturn:
    """Tell the person why it ends here, and end."""
    say(f"gateway: {text}")
    raise typer.Exit(code)


_UNBOUNDED = 1_000_000
"""Columns of a terminal that is wider than any table; the table itself takes what it needs."""


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print rows under headings; tab-separated where a program reads; `empty` is said where there are none."""
    listed = [[shown(cell) for cell in row] for row in rows]
    if not listed:
        say(empty)
        return
    if not sys.stdout.isatty():
        for row in listed:
            print("\t".join(row))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD)
    for place, name in enumerate(columns):
        drawn.add_column(name, no_wrap=all(_is_whole(row[place]) for row in listed))
    for row in listed:
        drawn.add_row(*(Text(cell) for cell in row))  # no markup: a value may look like some
    console = Console()
    # Where the terminal is too narrow it breaks the line itself, so that what is copied from it is whole.
    unbounded = console.options.update(max_width=_UNBOUNDED)
    console.width = max(console.width, console.measure(drawn, options=unbounded).minimum)
    console.print(drawn)


def _is_whole(cell: str) -> bool:
    """Whether a cell is one word without blanks, as ids, digests and times are: half of one is of no use."""
    return cell.isascii() and len(cell.split()) <= 1


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr while something long goes on; the function given takes the steps done since its last call."""
    if total < _BAR_FROM or not sys.stderr.isatty():
        yield lambda _steps: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(escape(shown(title)), total=total)
        yield lambda steps: bar.update(task, advance=steps)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to fill that stands at `path`, whole and durable, once the block is left; what was there is replaced.

    A pipe or a device is written into as it is. OSError names `path` where it cannot be written.
    """
    from gateway import durable

    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        target = path.resolve()  # a link stays one, and what it leads to is written
        with durable.opened_folder(target.parent) as folder, durable.writing(folder, target.name) as file:
            durable.remove_drafts(folder)
            yield file
    except OSError as error:
        if error.filename is None:
            raise
        raise type(error)(error.errno, error.strerror, str(path)) from error


def existing_file(path: Path) -> Path:
    """`path`, or the end where it is no readable file."""
    if not path.exists() or path.is_dir():
        stop(f"{path} is no file")
    if not os.access(path, os.R_OK):  # not by opening it: it may be a pipe, which is read once
        stop(f"{path} may not be read")
    return path
