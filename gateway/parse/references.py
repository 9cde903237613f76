"""Remembers control references, to tell one that comes a second time, in little memory however many there are."""

from __future__ import annotations

import re

_MOST_RUNS = 8
_MOST_OTHERS = 300_000
"""Of an interchange or group, beside the runs; some 20 MB. What comes after so many that do not count up is not
remembered, so that of an interchange of millions of messages in any order a repeated one may go untold."""
_COUNTER = re.compile("[0-9]{1,15}$")


class References:
    """The references of one interchange or group.

    Senders count their messages: of references that go up by one in the same form (`M0009`, `M0010`) only the first
    and the last are kept. Of the others the hash is kept; that two of them share one is less likely than 1 to 10^8.
    """

    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._others: set[int] = set()

    def repeats(self, reference: str) -> bool:
        """Whether `reference` was asked for before."""
        counter = _COUNTER.search(reference)
        at = counter.start() if counter else len(reference)
        prefix, digits = reference[:at], reference[at:]
        value = int(digits) if digits else -1
        for run in self._runs:
            if run.prefix == prefix and run.first <= value <= run.last and run.form(value) == digits:
                return True
        if self._others and hash(reference) in self._others:
            return True
        for run in self._runs:
            if value == run.last + 1 and run.prefix == prefix and run.form(value) == digits:
                run.last = value
                return False
        if digits and len(self._runs) < _MOST_RUNS:
            self._runs.append(_Run(prefix, len(digits), value))
        elif len(self._others) < _MOST_OTHERS:
            self._others.add(hash(reference))
        return False


class _Run:
    """References that count up, from `first` to `last`."""

    __slots__ = ("first", "last", "prefix", "width")

    def __init__(self, prefix: str, width: int, value: int) -> None:
        self.prefix = prefix
        self.width = width
        self.first = self.last = value

    def form(self, value: int) -> str:
        """The digits of `value` in this run."""
        return f"{value:0{self.width}}"
