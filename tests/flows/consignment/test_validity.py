"""Transfers and clearance notices end with the last day on which they are valid, in China's time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.decide.effects import Alert, Effect, Move, Note, Publish, Refuse, Respond, Send
from tests.flows.world import (
    BUREAU,
    CUSTOMS,
    FACTORY,
    PORT_SIDE,
    World,
    answer,
    codes,
    entry,
    notice,
    of,
    outbound,
    transfer,
)

LAST_DAY = "2026-12-01"
END = datetime(2026, 12, 1, 16, 0, tzinfo=UTC)
"""Midnight after that day in China."""


def inspected() -> tuple[World, str]:
    """A consignment whose goods have passed, and its number."""
    world = World()
    world.send(outbound(), FACTORY)
    (number,) = (value for kind, value in world.case.keys if kind == "declaration")
    return world, number


def recipients(effects: list[Effect]) -> set[str]:
    """Whom effects send something to."""
    return {effect.to.partner_id for effect in effects if isinstance(effect, Send)}


def test_a_transfer_that_nobody_takes_expires() -> None:
    """At the end of its last day the transfer is over: both bureaus, the declarer and its feed are told, and nobody else."""
    world, number = inspected()
    world.send(transfer(number, valid_until=LAST_DAY), BUREAU)
    (deadline,) = (one for one in world.deadlines.values() if one.kind == "transfer_validity")
    assert (deadline.at, deadline.case_id) == (END, world.case.id)
    told = world.let_pass("transfer_validity")
    assert world.case.tracks["transfer"] == "expired"
    assert recipients(told) == {BUREAU.id, PORT_SIDE.id, FACTORY.id}
    assert {send.document.outcome for send in of(told, Send)} == {"held"}
    assert [line.feed for line in of(told, Publish)] == ["status"]
    assert world.deadlines == {}


def test_an_expired_transfer_may_be_sent_anew() -> None:
    """What has expired is handed on again by another transfer, which has a term of its own."""
    world, number = inspected()
    world.send(transfer(number, valid_until=LAST_DAY), BUREAU)
    world.let_pass("transfer_validity")
    later = END + timedelta(hours=1)
    world.send(transfer(number, number="T-2", valid_until="2026-12-31"), BUREAU, now=later)
    assert world.case.tracks["transfer"] == "sent"
    ends = [one.at.isoformat() for one in world.deadlines.values() if one.kind == "transfer_validity"]
    assert ends == ["2027-01-01T00:00:00+08:00"]


def test_a_transfer_that_was_withdrawn_or_declined_has_no_term_left() -> None:
    """Withdrawn by its bureau, or declined by the other one, a transfer expires no more."""
    world, number = inspected()
    world.send(transfer(number, valid_until=LAST_DAY), BUREAU)
    world.send(transfer(number, function="1"), BUREAU)
    assert world.deadlines == {}
    world.send(transfer(number, number="T-2", valid_until=LAST_DAY), BUREAU)
    assert world.deadlines
    world.send(answer("refused", document="transfer", reference=None, number="T-2"), PORT_SIDE)
    assert (world.case.tracks["transfer"], world.deadlines) == ("declined", {})


def test_a_term_that_ends_after_the_case_has_moved_on_is_noted_only() -> None:
    """A deadline that comes too late moves nothing and tells nobody."""
    world, number = inspected()
    world.send(transfer(number, valid_until=LAST_DAY), BUREAU)
    kept = dict(world.deadlines)
    world.send(transfer(number, function="1"), BUREAU)
    world.deadlines = kept
    effects = world.let_pass("transfer_validity")
    assert [type(effect) for effect in effects] == [Note]


def test_a_transfer_is_judged_by_when_it_was_received() -> None:
    """Received on its last day it stands, however late it is decided; received a moment after, it is refused."""
    for received_at, accepted in ((END - timedelta(seconds=1), True), (END, False)):
        world, number = inspected()
        late = END + timedelta(hours=2)
        effects = world.send(transfer(number, valid_until=LAST_DAY), BUREAU, now=late, received_at=received_at)
        assert bool(of(effects, Refuse)) is not accepted


def notified(**changes: object) -> tuple[World, str]:
    """A consignment whose notice customs has."""
    world, number = inspected()
    world.send(transfer(number), BUREAU)
    world.send(notice(number, valid_until=LAST_DAY, **changes), PORT_SIDE)
    return world, number


def test_a_notice_that_customs_does_not_match_expires() -> None:
    """The bureau that issued it, the office it names and the declarer learn that a notice has expired; nobody else."""
    world, _ = notified()
    told = world.let_pass("notice_validity")
    assert world.case.tracks["clearance"] == "expired"
    assert recipients(told) == {PORT_SIDE.id, CUSTOMS.id, FACTORY.id}
    reasons = {reason.code for send in of(told, Send) for reason in send.document.reasons}
    assert reasons == {"decide.clearance.expired"}


def test_a_matched_notice_does_not_expire() -> None:
    """Customs' data that matches ends the term; the same data again, after the last day, is no fault."""
    world, number = notified()
    world.send(entry(number), CUSTOMS)
    assert world.deadlines == {}
    again = world.send(entry(number), CUSTOMS, now=END + timedelta(days=1))
    assert not of(again, Refuse)
    assert world.case.tracks["clearance"] == "released"


def test_an_expired_notice_matches_nothing_that_was_received_later() -> None:
    """Data received after the last day is refused and alerted; received before it and decided later, it counts."""
    world, number = notified()
    world.let_pass("notice_validity")
    late = END + timedelta(seconds=30)
    refused = world.send(entry(number), CUSTOMS, now=late)
    assert codes(of(refused, Refuse)[0].reasons) == ["decide.clearance.expired"]
    assert of(refused, Alert)
    assert world.case.tracks["clearance"] == "expired"
    counted = world.send(entry(number), CUSTOMS, now=late, received_at=END - timedelta(seconds=1))
    assert [move.event for move in of(counted, Move)] == ["match", "customs_release"]
    assert world.case.tracks["clearance"] == "released"


def test_a_notice_that_is_replaced_has_the_new_term_alone() -> None:
    """A corrected notice sets the term anew; one without a last day has none."""
    world, number = notified()
    world.send(notice(number, function="5", valid_until="2026-12-10"), PORT_SIDE)
    assert [one.at.isoformat() for one in world.deadlines.values()] == ["2026-12-11T00:00:00+08:00"]
    world.send(notice(number, function="5"), PORT_SIDE)
    assert world.deadlines == {}


def test_nobody_is_responded_to_where_nobody_has_sent_anything() -> None:
    """A deadline tells whom it concerns by name: there is no sender to respond to."""
    world, _ = notified()
    assert not of(world.let_pass("notice_validity"), Respond)
