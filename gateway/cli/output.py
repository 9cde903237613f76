"""Where words and data go, and in which form."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

NO = 1
"""Exit code: it was done, and the answer is no."""
USAGE = 2
"""Exit code: it cannot be asked like that."""

_BAR_FROM = 4_000_000
"""Bytes (or steps) from which work is long enough for a bar: about a second's reading."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
LanguageOption = Annotated[str, typer.Option("--lang", help="Language of the words: en or zh.", metavar="en|zh")]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file; gateway.toml where there is one.", metavar="FILE"),
]


def data(text: str) -> None:
    """Print data."""
    print(text)


def as_json(value: Any) -> None:
    """Print `value` as JSON, indented; what JSON does not know becomes text."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def as_json_line(value: Any) -> None:
    """Print `value` as one line of JSON."""
    print(json.dumps(value, ensure_ascii=False, default=str))


def say(text: str) -> None:
    """Tell the person something."""
    print(text, file=sys.stderr)


def stop(text: str, code: int = USAGE) -> NoReturn:
    """Tell the person why it ends here, and end."""
    say(f"gateway: {text}")
    raise typer.Exit(code)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print rows under headings; tab-separated where a program reads; `empty` is said where there are none."""
    listed = [[str(cell) for cell in row] for row in rows]
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

    drawn = Table(*columns, box=box.SIMPLE_HEAD)
    for row in listed:
        drawn.add_row(*row)
    Console().print(drawn)


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr while something long goes on; the function given takes the steps done since its last call."""
    if total < _BAR_FROM or not sys.stderr.isatty():
        yield lambda _steps: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda steps: bar.update(task, advance=steps)


def existing_file(path: Path) -> Path:
    """`path`, or the end where it is no readable file."""
    if not path.exists() or path.is_dir():
        stop(f"{path} is no file")
    return path


def language(name: str) -> str:
    """`en` or `zh`, or the end."""
    if name not in ("en", "zh"):
        stop(f"--lang is en or zh, not {name}")
    return name
