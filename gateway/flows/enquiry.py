"""The enquiry flow: whoever takes part in a consignment learns in the same exchange where it stands.

    progress    the status, and where each track stands
    business    by which numbers it goes, and which documents there are of it
    unknown     no case of that number in which the asker takes part: what is another's is unknown, in the same words

It is worded in the language that the enquiry asks for, else in the asker's. What is told is what the asker sees of it (schemas/rules/views). Nothing changes by it, and no case's timeline tells of it: an answer is not for those who look at the case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway import findings
from gateway.decide.answers import Subject, fault, reasons, refuse, response
from gateway.decide.desk import Desk
from gateway.decide.effects import Effect, Respond
from gateway.decide.facts import Key, OwnCases
from gateway.decide.flow import Flow, Takes
from gateway.decide.views import find_views
from gateway.documents import values
from gateway.documents.enquiry import About, Enquiry
from gateway.documents.response import Outcome, Told
from gateway.model import Case


def decide(desk: Desk) -> list[Effect]:
    """What is told of the consignments that the number names for the asker, the newest first."""
    enquiry = desk.document
    assert isinstance(enquiry, Enquiry)
    subject = Subject("enquiry", reference=enquiry.reference)
    cases = desk.facts[OwnCases(desk.sender.id, enquiry.key, desk.test)]
    language = enquiry.language.value if enquiry.language is not None else desk.sender.language
    if not cases:
        return refuse(desk, subject, [fault("decide.enquiry.unknown", "key", enquiry.key)], language=language)
    tell = _tell_business if enquiry.about is About.BUSINESS else _tell_progress
    told = tuple(line for case in reversed(cases) for line in tell(_Seen.of(desk, case), language))
    answer = response(desk, subject, Outcome.ACCEPTED, language)
    why = [fault("decide.enquiry.words", "question")] if enquiry.question else []
    return [Respond("", answer.model_copy(update={"answer": told, "reasons": reasons(why, language)}))]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the asker sees of a case."""

    case: Case
    keys: tuple[Key, ...]
    tracks: Mapping[str, str]
    documents: tuple[str, ...]
    """The types of those of which it sees something."""

    @classmethod
    def of(cls, desk: Desk, case: Case) -> _Seen:
        """By the views that the asker has of the case."""
        views, names = desk.rules.views, find_views(desk.rules.views, desk.sender, case)
        shown = views.shown(case.kind, names)
        return cls(
            case,
            tuple(sorted(key for key in case.keys if key[0] in shown.keys)),
            {track: state for track, state in case.tracks.items() if track in shown.tracks},
            tuple(sorted(kind for kind in case.documents if views.sees(kind, names))),
        )


def _tell_progress(seen: _Seen, language: str) -> Iterator[Told]:
    """The status of a case, and where it stands on each track."""
    number, case = _number(seen), seen.case
    yield Told(number=number, name="status", value=case.status, text=findings.word(case.status, language))
    for track, state in sorted(seen.tracks.items()):
        words = f"{findings.word(track, language)}: {findings.word(state, language)}"
        yield Told(number=number, name=track, value=state, text=words)


def _tell_business(seen: _Seen, language: str) -> Iterator[Told]:
    """The numbers of a case, and the types of its documents."""
    number = _number(seen)
    for kind, value in seen.keys:
        yield Told(number=number, name=kind, value=value)
    for document_type in seen.documents:
        yield Told(number=number, name="document", value=document_type, text=findings.word(document_type, language))


def _number(seen: _Seen) -> str | None:
    """The number that people call the case by: its declaration's, else the declarer's own, else the case's id."""
    numbers = dict(sorted(seen.keys, reverse=True))  # where there are several of a kind, the first
    return values.code(numbers.get("declaration") or numbers.get("reference") or seen.case.id)


FLOW = Flow("enquiry", takes=(Takes(Enquiry),), decide=decide, at_once=True)
