"""What an argument may be, checked in one place for all verbs: text that is text, numbers that a store can hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import typer

LARGEST = 2**31 - 2
"""Of any number; one more, as a page reads to know whether there is a next one, is still a number to every engine."""


def bounded(command: Any) -> Any:
    """`command` with all below it (a command of typer's), whose every text and number is checked before it runs."""
    below = getattr(command, "commands", {})
    for one in below.values():
        bounded(one)
    if not below:
        invoke = command.invoke

        def invoked(context: typer.Context) -> Any:
            for parameter in command.params:
                _check(parameter, context)
            return invoke(context)

        command.invoke = invoked
    return command


def _check(parameter: Any, context: typer.Context) -> None:
    """A usage error where a value of `parameter` can name or count nothing."""
    value = context.params.get(parameter.name)
    values: Iterable[object] = value if isinstance(value, list | tuple) else (value,)
    for one in values:
        # The system hands on bytes that are no UTF-8 as lone surrogates. Paths may have them.
        if isinstance(one, str) and any("\ud800" <= sign <= "\udfff" for sign in one):
            raise typer.BadParameter("it is not written in UTF-8", ctx=context, param=parameter)
        if isinstance(one, int) and abs(one) > LARGEST:
            raise typer.BadParameter(f"it is larger than {LARGEST}", ctx=context, param=parameter)
