"""On which lines of a mapping table its keys and the entries of its rows stand: what a reader of TOML does not tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_MARK = re.compile(
    r"""#[^\n]*|"{3}(?:\\.|[^\\])*?"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|[\w.+:-]+|[\[\]{}=,\n]""", re.DOTALL
)
_ROWS = "rows"


@dataclass(slots=True)
class Lines:
    """Line numbers, from 1."""

    keys: Mapping[str, int] = field(default_factory=dict)
    """Of the table's own keys."""
    entries: list[int] = field(default_factory=list)
    """Of the entries of `rows` in order, each where it begins."""


def find_lines(text: str) -> Lines:
    """The lines of a text that is TOML; of one that is none, what can be found."""
    keys: dict[str, int] = {}
    entries: list[int] = []
    line, depth, key, in_value, in_table, begins = 1, 0, "", False, False, False
    for found in _MARK.finditer(text):
        mark = found[0]
        if mark == "\n":
            in_value = in_value and depth > 0
        elif mark[0] == "#":
            pass
        elif depth == 0 and not in_value:
            if mark == "[":  # a table of its own: what stands in it is no key of ours
                in_table, key = True, ""
            elif mark == "=":
                in_value = True
            elif mark not in "]," and not (in_table and key):
                key = mark.strip("\"'").partition(".")[0]
                keys.setdefault(key, line)
        else:
            if begins and depth == 1 and mark not in "],}":
                entries.append(line)
                begins = False
            if mark in "[{":
                depth += 1
                begins = begins or (depth == 1 and key == _ROWS and not in_table)
            elif mark in "]}":
                depth -= 1
            elif mark == "," and depth == 1:
                begins = key == _ROWS and not in_table
        line += mark.count("\n")
    return Lines(keys, entries)
