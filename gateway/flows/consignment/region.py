"""What the offices of a region learn of one another's consignments: a summary on the feed `region` at every move.

Members are those offices that the registry has in a region of the home office's; nobody else reads it. What a summary shows is
cut by the view `region`.
"""

from __future__ import annotations

from gateway.decide.answers import Subject, fault, refuse, response
from gateway.decide.audience import Audience, Scope
from gateway.decide.cases import kept
from gateway.decide.desk import Desk
from gateway.decide.effects import Effect, Publish, Respond, Share
from gateway.decide.flow import Feed, Flow, On, Takes
from gateway.decide.parties import BUREAU, acting_office, bureau, bureau_questions, identified
from gateway.documents.case_summary import CaseSummary, TrackState
from gateway.documents.clearance import ClearanceNotice
from gateway.documents.response import Outcome
from gateway.documents.transfer import Transfer
from gateway.flows.competence import home_office
from gateway.flows.consignment.tracks import CLEARANCE, DECLARATION, INSPECTION, TRANSFER, Cleared
from gateway.flows.declared import declaration_of
from gateway.model import Case, Level, Role

REGION = Feed("region", frozenset({Role.BUREAU}))
"""Where the consignments of the offices of a region stand."""
VIEW = "region"
"""The view by which summaries are cut."""
_VOID = (Cleared.WITHDRAWN, Cleared.EXPIRED)


def share_summary(desk: Desk, case: Case) -> list[Effect]:
    """The case as it stands now, for the members of its home office's regions; nothing before it has a number."""
    # Tracks are named by the trade, and cases of others, which begin with no declaration, may stand in them too.
    if not case.documents.get("declaration", {}).get("number"):
        return []
    declaration = declaration_of(case)
    home = home_office(desk, declaration)
    desk.facts.require(bureau_questions(home))
    office = bureau(desk.facts, home)
    if office is None or not office.regions:
        return []
    audience = tuple(Audience(Scope.REGION, region) for region in sorted(office.regions))
    return [Share(case.id, summarise(desk, case, home), audience, VIEW, REGION.name)]


def summarise(desk: Desk, case: Case, home: str) -> CaseSummary:
    """What there is to tell of a consignment."""
    declaration = declaration_of(case)
    transfer = kept(case, "transfer", Transfer)
    notice = kept(case, "clearance", ClearanceNotice)
    stands = notice is not None and case.tracks.get("clearance") not in _VOID
    named = (
        declaration.declaration_organisation,
        declaration.inspection_organisation,
        declaration.purpose_organisation,
        declaration.certificate_organisation,
        *((transfer.from_organisation, transfer.to_organisation) if transfer is not None else ()),
        notice.issuing_organisation if notice is not None else None,
    )
    return CaseSummary(
        number=declaration.number,
        word=case.status,
        direction=declaration.direction.value,
        at=desk.now,
        home=home or None,
        acting=acting_office(desk.sender, getattr(desk.occasion, "document", None)) or None,
        tracks=tuple(TrackState(track=track, state=state) for track, state in sorted(case.tracks.items())),
        offices=tuple(dict.fromkeys(code for code in named if code)),
        containers=declaration.container_numbers,
        certificates=declaration.certificates,
        notice=notice.number if notice is not None and stands else None,
    )


def decide(desk: Desk) -> list[Effect]:
    """What a summary comes to that another node has made of its own cases: the members of its regions read it here too.

    An office tells of its own consignments, headquarters of anybody's; nothing else changes by it.
    """
    summary = desk.document
    assert isinstance(summary, CaseSummary)
    sender = desk.sender
    subject = Subject("case_summary", number=summary.number)
    own = sender.level is Level.HQ or summary.home in identified(sender, BUREAU)
    if not (desk.sent_by(Role.BUREAU) and own and sender.regions):
        return refuse(desk, subject, [fault("decide.sender.not_concerned", "home", sender.id)])
    audience = tuple(Audience(Scope.REGION, region) for region in sorted(sender.regions))
    keys = {"declaration": summary.number} if summary.number else {}
    return [
        Publish(REGION.name, "", "case_summary", summary, keys, audience=audience, view=VIEW),
        Respond("", response(desk, subject, Outcome.ACCEPTED, sender.language)),
    ]


FLOW = Flow(
    "region",
    takes=(Takes(CaseSummary),),
    decide=decide,
    feeds=(REGION,),
    reacts=tuple(
        On(track.name, event, share_summary)
        for track in (DECLARATION, INSPECTION, TRANSFER, CLEARANCE)
        for event in sorted(track.rows)
    ),
)
