"""The enquiry flow: whoever takes part in a consignment learns in the same exchange where it stands.

    progress    the status, and where each track stands
    business    by which numbers it goes, and which documents there are of it
    unknown     no case of that number in which the asker takes part: what is another's is unknown, in the same words

Nothing changes by it, and no case's timeline tells of it: an answer is not for those who look at the case.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway import findings
from gateway.decide.answers import Subject, fault, reasons, refuse, response
from gateway.decide.desk import Desk
from gateway.decide.effects import Effect, Respond
from gateway.decide.facts import OwnCases
from gateway.decide.flow import Flow, Takes
from gateway.documents import values
from gateway.documents.enquiry import About, Enquiry
from gateway.documents.response import Outcome, Told
from gateway.model import Case

_HIDDEN = frozenset({"response"})
"""Kinds of keys that are nobody's numbers: digests by which the gateway finds what it has seen."""


def decide(desk: Desk) -> list[Effect]:
    """What is told of the consignments that the number names for the asker, the newest first."""
    enquiry = desk.document
    assert isinstance(enquiry, Enquiry)
    subject = Subject("enquiry", reference=enquiry.reference)
    cases = desk.facts[OwnCases(desk.sender.id, enquiry.key, desk.test)]
    if not cases:
        return refuse(desk, subject, [fault("decide.enquiry.unknown", "key", enquiry.key)])
    language = desk.sender.language
    tell = _tell_business if enquiry.about is About.BUSINESS else _tell_progress
    told = tuple(line for case in reversed(cases) for line in tell(case, language))
    answer = response(desk, subject, Outcome.ACCEPTED, language)
    why = [fault("decide.enquiry.words", "question")] if enquiry.question else []
    return [Respond("", answer.model_copy(update={"answer": told, "reasons": reasons(why, language)}))]


def _tell_progress(case: Case, language: str) -> Iterator[Told]:
    """The status of a case, and where it stands on each track."""
    number = _number(case)
    yield Told(number=number, name="status", value=case.status, text=findings.word(case.status, language))
    for track, state in sorted(case.tracks.items()):
        words = f"{findings.word(track, language)}: {findings.word(state, language)}"
        yield Told(number=number, name=track, value=state, text=words)


def _tell_business(case: Case, language: str) -> Iterator[Told]:
    """The numbers of a case, and the types of its documents."""
    number = _number(case)
    for kind, value in sorted(case.keys):
        if kind not in _HIDDEN:
            yield Told(number=number, name=kind, value=value)
    for document_type in sorted(case.documents):
        yield Told(number=number, name="document", value=document_type, text=findings.word(document_type, language))


def _number(case: Case) -> str | None:
    """The number that people call the case by: its declaration's, else the declarer's own, else the case's id."""
    numbers = dict(sorted(case.keys, reverse=True))  # where there are several of a kind, the first
    return values.code(numbers.get("declaration") or numbers.get("reference") or case.id)


FLOW = Flow("enquiry", takes=(Takes(Enquiry),), decide=decide, at_once=True)
