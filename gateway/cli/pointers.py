"""Where in the text of a JSON message a JSON pointer leads (RFC 6901)."""

from __future__ import annotations

import json
import re
from bisect import bisect_right

from gateway.documents.faults import pointer_step

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
_MOST = 200_000
"""Values whose places are noted: more than anybody looks through."""
_LONGEST = 16_000_000
"""Characters of all their pointers: lists within lists, or values under long names, make each longer than the one before."""


class Pointers:
    """The places of all values in a text, which may be broken off or be no JSON: then as far as it goes."""

    def __init__(self, text: str) -> None:
        """Reads `text` once."""
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self._spans: dict[str, tuple[int, int]] = {}
        self._read(text)

    def find(self, pointer: str) -> tuple[int, int, int] | None:
        """(line from 1, start, end) of the value there, of its first line; of its name where it holds others.

        None where the pointer leads nowhere. A message may hold the document that a pointer is into as its `document`.
        Of an item that is missing, what it is missing in is found.
        """
        at = pointer
        while at:
            span = self._spans.get(at) or self._spans.get(f"/document{at}")
            if span is not None:
                line = bisect_right(self._starts, span[0])
                start = self._starts[line - 1]
                end = self._starts[line] - 1 if line < len(self._starts) else span[1]
                return line, span[0] - start, min(span[1], end) - start
            at = at.rpartition("/")[0]
        return None

    def _read(self, text: str) -> None:
        around: list[tuple[str, int]] = []
        """Of each value around: its pointer, and the index of the item in hand; -1 in an object."""
        name, named, expects_name = "", (0, 0), False
        room = _LONGEST
        for token in _TOKEN.finditer(text):
            sign = token[0]
            if len(self._spans) > _MOST or room < 0:
                return
            if sign in "}]":
                if around:
                    around.pop()
                expects_name = False
            elif sign == ",":
                if around and around[-1][1] >= 0:
                    around[-1] = (around[-1][0], around[-1][1] + 1)
                expects_name = bool(around) and around[-1][1] < 0
            elif sign == ":":
                expects_name = False
            elif expects_name and sign.startswith('"'):
                name, named = _unquoted(sign), token.span()
            else:
                pointer, index = around[-1] if around else ("", -1)
                if around:
                    pointer += f"/{index}" if index >= 0 else f"/{pointer_step(name)}"
                room -= len(pointer)
                opens = sign in "{["
                self._spans[pointer] = named if opens and index < 0 and around else token.span()
                if opens:
                    around.append((pointer, -1 if sign == "{" else 0))
                    expects_name = sign == "{"


def _unquoted(sign: str) -> str:
    try:
        return str(json.loads(sign))
    except ValueError:
        return sign.strip('"')
