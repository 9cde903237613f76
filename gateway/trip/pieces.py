"""A document of many lines is decided in pieces: each some hundred lines, in a transaction of its own.

A line is decided by itself and stands by itself, so that pieces are committed as they come; where the gateway stops in
between, all are decided again, and what was registered before is found to be so and changes nothing. What is answered
with each piece is put together to one answer, which leaves with the last piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from gateway.decide.desk import Act, MessageIn
from gateway.decide.effects import Effect, Refuse, Respond
from gateway.decide.engine import Part
from gateway.documents import Document, Response
from gateway.documents.response import Outcome
from gateway.model import derive_id

LINES = 500
"""Lines that one transaction holds: some tens of milliseconds of the store's time, for which others wait."""


def split(occasion: MessageIn | Act) -> Iterator[tuple[int, MessageIn | Act]]:
    """The occasions that the pieces of a document are, each with how many lines come before it, in order."""
    document = occasion.document
    lines: Sequence[Any] = getattr(document, document.each)
    for number, first in enumerate(range(0, len(lines), LINES)):
        piece: Document = document.model_copy(update={document.each: lines[first : first + LINES]})
        yield first, replace(occasion, document=piece, id=derive_id(occasion.id, "piece", number))


def is_split(document: Document) -> bool:
    """Whether a document has more lines than one transaction holds."""
    return bool(document.each) and len(getattr(document, document.each)) > LINES


class Answers:
    """What the pieces are answered with, put together."""

    def __init__(self) -> None:
        """Nothing is answered yet."""
        self._responses: list[Response] = []
        self._refused: list[Refuse] = []

    def take(self, parts: Sequence[Part], before: int) -> list[Part]:
        """What a piece comes to without its answer, which is kept; its lines are numbered on after the ones `before`."""
        return [replace(part, effects=list(self._kept(part.effects, before))) for part in parts]

    def _kept(self, effects: Sequence[Effect], before: int) -> Iterator[Effect]:
        for effect in effects:
            if isinstance(effect, Respond) and isinstance(effect.document, Response):
                lines = tuple(
                    line.model_copy(update={"number": line.number + before}) for line in effect.document.lines
                )
                self._responses.append(effect.document.model_copy(update={"lines": lines}))
            elif isinstance(effect, Refuse):
                self._refused.append(effect)
            else:
                yield effect

    def put_together(self) -> list[Effect]:
        """The answer to the whole document: refused where every piece is."""
        refused = all(response.outcome is Outcome.REFUSED for response in self._responses)
        first = next((one for one in self._responses if refused or one.outcome is not Outcome.REFUSED), None)
        if first is None:
            return []
        lines = tuple(line for response in self._responses for line in response.lines)
        answer = Respond("", first.model_copy(update={"lines": lines}))
        return [*(self._refused[:1] if refused else ()), answer]
