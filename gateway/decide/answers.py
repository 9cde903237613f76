"""How a decision is told: refusals, responses, and the lines of the status feed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gateway import findings
from gateway.decide.desk import Desk
from gateway.decide.effects import Effect, Party, Publish, Purpose, Refuse, Respond, Send
from gateway.documents import values
from gateway.documents.response import Outcome, Reason, Response
from gateway.findings import make_finding
from gateway.model import Finding, Partner, Place, Role

PRE_ENTERED = "1000"
REVIEW_PASSED = "1100"
REVIEW_FAILED = "1101"
RELEASED = "2000"
NOTICE_ISSUED = "3000"
"""The inspection service's own response codes, for those that read them."""
MOST_REASONS = 100
"""Reasons of the refusal of a document of many lines as a whole; each line has its own beside them."""
_SHOWN = 1000
"""How many characters of a value a reason shows."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a response is about, by the numbers its reader knows."""

    document_type: str
    reference: str | None = None
    number: str | None = None
    declaration_number: str | None = None
    notice_number: str | None = None


def fault(code: str, path: str = "", value: object = "", **args: object) -> Finding:
    """A reason at a field of the document in hand, its values as short as a response has room for."""
    return make_finding(code, Place(path=path), _shown(value), **{name: _shown(text) for name, text in args.items()})


def without_places(why: Iterable[Finding]) -> tuple[Finding, ...]:
    """The same reasons for whoever has not the document in hand before them: its fields are none of theirs."""
    return tuple(replace(reason, place=Place()) for reason in why)


def _shown(value: object) -> str:
    """`value` as a reason shows it: other people's texts may be long, a response has room for 4,000 characters."""
    text = "" if value is None else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def reasons(found: Iterable[Finding], language: str) -> tuple[Reason, ...]:
    """`found` in words for a reader of `language`."""
    return tuple(
        Reason(
            code=f.code,
            text=values.text(findings.text(f, language)),
            field=values.text(f.place.path),
            value=values.text(f.value),
        )
        for f in found
    )


def response(
    desk: Desk,
    subject: Subject,
    outcome: Outcome,
    language: str,
    *,
    why: Iterable[Finding] = (),
    code: str | None = None,
    organisation: str | None = None,
    reader: str = "",
) -> Response:
    """A response whose id depends on the message that caused it, what it says and of what.

    `reader` is the partner it is for, where another of the same language is told something else of the same.
    """
    return Response(
        id=desk.derive(
            "response", subject.document_type, subject.number, outcome, language, *([reader] if reader else ())
        ),
        document=subject.document_type,
        reference=subject.reference,
        number=subject.number,
        declaration_number=subject.declaration_number,
        notice_number=subject.notice_number,
        outcome=outcome,
        code=code,
        at=desk.now,
        organisation=organisation,
        reasons=reasons(why, language),
    )


def refuse(desk: Desk, subject: Subject, why: Sequence[Finding], case: str = "", language: str = "") -> list[Effect]:
    """Nothing comes of the message; its sender learns why, in its own `language` where no other is given."""
    code = REVIEW_FAILED if subject.document_type == "declaration" else None
    answer = response(desk, subject, Outcome.REFUSED, language or desk.sender.language, why=why, code=code)
    return [Refuse(tuple(why), case), Respond(case, answer)]


def tell(case: str, partner: Partner, answer: Response) -> Send:
    """Send a response to somebody other than the sender of the message in hand."""
    role = next(iter(sorted(partner.roles)), Role.ENTERPRISE)
    return Send(case, "response", answer, Party(role, partner_id=partner.id), Purpose.ANSWER)


def progress(case: str, partner_id: str, answer: Response, status: str) -> Publish:
    """A line of the status feed of `partner_id`: where its consignment stands now."""
    keys = {
        "status": status,
        "declaration": answer.declaration_number,
        "notice": answer.notice_number,
        "reference": answer.reference,
    }
    return Publish(
        "status", case, "response", answer, {kind: value for kind, value in keys.items() if value}, partner_id
    )
