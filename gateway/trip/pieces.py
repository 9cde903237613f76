"""A document of many lines is decided in pieces: each some hundred lines, in a transaction of its own.

A line is decided by itself and stands by itself; what lines say of one another, that one is about what another is about
already, is judged of the whole document before it is split. So pieces are committed as they come; where the gateway stops in
between, all are decided again, and what was registered before is found to be so and changes nothing. What is answered
with each piece is put together to one answer, which leaves with the last piece; lines are counted on in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from gateway import findings
from gateway.decide.answers import MOST_REASONS
from gateway.decide.desk import MessageIn
from gateway.decide.effects import Effect, Refuse, Respond
from gateway.decide.engine import Part
from gateway.documents import Document, Response
from gateway.documents.response import Outcome, Reason
from gateway.model import Finding, Place, derive_id

LINES = 500
"""Lines that one transaction holds: some tens of milliseconds of the store's time, for which others wait."""


def split(occasion: MessageIn) -> Iterator[tuple[int, MessageIn]]:
    """The occasions that the pieces of a document are, each with how many lines come before it, in order."""
    document = occasion.document
    lines: Sequence[Any] = getattr(document, document.each)
    repeated = document.repeated()
    for number, first in enumerate(range(0, len(lines), LINES)):
        piece: Document = document.model_copy(update={document.each: lines[first : first + LINES]})
        here = frozenset(position - first for position in repeated if first <= position < first + LINES)
        yield first, replace(occasion, document=piece, id=derive_id(occasion.id, "piece", number), repeated=here)


def is_split(document: Document) -> bool:
    """Whether a document has more lines than one transaction holds."""
    return bool(document.each) and len(getattr(document, document.each)) > LINES


class Answers:
    """What the pieces are answered with, put together."""

    def __init__(self, each: str) -> None:
        """Nothing is answered yet; `each` is the list that the pieces are of."""
        self._number = re.compile(rf"^{re.escape(each)}\[(\d+)\]")
        self._responses: list[Response] = []
        self._refused: list[Finding] = []

    def take(self, parts: Sequence[Part], before: int) -> list[Part]:
        """What a piece comes to without its answer, which is kept; its lines are numbered on after the ones `before`."""
        return [replace(part, effects=list(self._kept(part.effects, before))) for part in parts]

    def _kept(self, effects: Sequence[Effect], before: int) -> Iterator[Effect]:
        for effect in effects:
            if isinstance(effect, Respond) and isinstance(effect.document, Response):
                document = effect.document
                lines = tuple(
                    line.model_copy(
                        update={"number": line.number + before, "reasons": self._told(line.reasons, before)}
                    )
                    for line in document.lines
                )
                reasons = self._told(document.reasons, before)
                self._responses.append(document.model_copy(update={"lines": lines, "reasons": reasons}))
                continue
            found: tuple[Finding, ...] = getattr(effect, "reasons", ())
            reasons_ = tuple(replace(one, place=self._placed(one.place, before)) for one in found)
            if isinstance(effect, Refuse):
                self._refused = findings.kept([*self._refused, *reasons_], findings.MOST_TOLD)
            else:
                yield cast("Effect", replace(cast("Any", effect), reasons=reasons_)) if found else effect

    def _told(self, reasons: Sequence[Reason], before: int) -> tuple[Reason, ...]:
        return tuple(
            one.model_copy(update={"field": self._counted(one.field, before)}) if one.field else one for one in reasons
        )

    def _placed(self, place: Place, before: int) -> Place:
        return replace(place, path=self._counted(place.path, before))

    def _counted(self, path: str, before: int) -> str:
        """`path` in the whole document: `lines[3]` is `lines[503]` where five hundred come before the piece."""
        return self._number.sub(lambda found: f"{found[0][: found[0].index('[')]}[{int(found[1]) + before}]", path)

    def put_together(self) -> list[Effect]:
        """The answer to the whole document: refused where every piece is, held where one is."""
        refused = all(response.outcome is Outcome.REFUSED for response in self._responses)
        standing = [one for one in self._responses if refused or one.outcome is not Outcome.REFUSED]
        # What is held of any piece is what the sender must hear of the whole.
        held = [one for one in standing if one.outcome is Outcome.HELD]
        first = next(iter(held or standing), None)
        if first is None:
            return []
        lines = tuple(line for response in self._responses for line in response.lines)
        reasons = tuple(reason for one in (standing if refused else held or [first]) for reason in one.reasons)
        answer = Respond("", first.model_copy(update={"lines": lines, "reasons": reasons[:MOST_REASONS]}))
        return [*([Refuse(tuple(self._refused))] if refused and self._refused else ()), answer]
