"""How commands tell what an audit or a verification of signed entries has found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer

from gateway.cli import output
from gateway.cli.words import state, word
from gateway.signs import shown

if TYPE_CHECKING:
    from gateway.receipt.stored import StoredLog
    from gateway.receipt.verify import Problem

AT_ONCE = 1000
"""Entries that an audit reads at once: some megabytes."""


def as_dict(problem: Problem, language: str) -> dict[str, Any]:
    """A problem as `--json` has it."""
    return {
        "code": problem.code,
        "severity": problem.severity,
        "index": problem.index,
        "file": problem.name or None,
        "text": problem.text(language),
    }


def tell(problems: Iterable[Problem], language: str) -> None:
    """Print a line for each problem."""
    for problem in problems:
        output.data(f"{state(problem.severity, language)}  {problem.code}  {shown(problem.text(language))}")


def tell_audited(seen: StoredLog, language: str, *, json: bool) -> None:
    """Print what an audit of a stored log saw; exit code 1 where it found anything."""
    if json:
        output.as_json({"entries": seen.size, "problems": [as_dict(problem, language) for problem in seen.problems]})
    else:
        tell(seen.problems, language)
        if seen.full:
            output.data(word("stopped", language, count=seen.size))
        output.say(word("audited" if not seen.problems else "damaged", language, count=seen.size))
    if seen.problems:
        raise typer.Exit(output.NO)
