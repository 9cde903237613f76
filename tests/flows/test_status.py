from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.flows.consignment.status import CASE, Event, Status, step
from gateway.flows.containers.status import CONTAINER, ContainerEvent, ContainerStatus, container_step

FINAL = {Status.CANCELLED, Status.CLEARED}


def reached(start, table):
    seen, todo = {start}, [start]
    while todo:
        status = todo.pop()
        for row in table.values():
            target = row.moves.get(status)
            if target is not None and target not in seen:
                seen.add(target)
                todo.append(target)
    return seen


def test_every_event_has_a_row():
    """Both tables know every event."""
    assert set(CASE) == set(Event)
    assert set(CONTAINER) == set(ContainerEvent)


def test_every_status_is_reachable():
    """From a new declaration every status can be reached, from an expected container too."""
    assert reached(Status.DECLARED, CASE) == set(Status)
    assert reached(ContainerStatus.EXPECTED, CONTAINER) == set(ContainerStatus)


def test_an_event_either_moves_or_comes_late():
    """No row says two things about one status."""
    for row in (*CASE.values(), *CONTAINER.values()):
        assert row.late.isdisjoint(row.moves)
        assert set(row.returns) <= set(row.moves)


@given(st.lists(st.sampled_from(Event)))
def test_no_sequence_of_events_leaves_the_table(events):
    """Whatever comes in whatever order, a case keeps a status that the table knows."""
    status = Status.DECLARED
    for event in events:
        taken = step(status, event)
        if taken is not None:
            assert taken.status == status or not taken.late
            status = taken.status
        assert status in Status


@given(st.lists(st.sampled_from(Event)), st.sampled_from(Event))
def test_a_repeated_answer_moves_nothing_twice(events, event):
    """The bureau's word, said twice in a row, does on the second time nothing that the first did not."""
    status = Status.DECLARED
    for one in events:
        taken = step(status, one)
        status = taken.status if taken else status
    first = step(status, event)
    if first is None or first.late:
        return
    again = step(first.status, event)
    assert again is None or again.status == first.status


DECLINED = {Status.AMENDING: Event.AMENDMENT_DECLINED, Status.CANCELLING: Event.CANCELLATION_DECLINED}
ASKED = [
    (left, asked)
    for asked in (Event.AMEND, Event.REPLACE, Event.CANCEL)
    for left, taken in CASE[asked].moves.items()
    if taken in DECLINED and taken != left
]


@pytest.mark.parametrize(("left", "asked"), ASKED)
def test_a_declined_request_returns_the_case_to_where_it_was_made(left, asked):
    """Wherever a change or a cancellation may be asked for, the bureau's refusal leads back there."""
    meanwhile = step(left, asked).status
    assert step(meanwhile, DECLINED[meanwhile], left).status == left


@pytest.mark.parametrize("left", [None, *(Status(s) for s in ("declared", "refused", "cleared", "cancelled"))])
def test_a_case_returns_only_to_where_the_table_lets_it(left):
    """A status that no request can have been made in, or none kept, leads to the acceptance."""
    for meanwhile, event in DECLINED.items():
        assert step(meanwhile, event, left).status == Status.ACCEPTED


@pytest.mark.parametrize("event", sorted(set(Event) - set(DECLINED.values())))
@pytest.mark.parametrize("left", [left for left, _ in ASKED])
def test_only_a_refusal_returns(event, left):
    """What a case left behind says nothing about any other event."""
    for status in Status:
        assert step(status, event, left) == step(status, event)


@pytest.mark.parametrize("status", sorted(FINAL))
def test_final_statuses_are_final(status):
    """What is cleared or cancelled stays so, whatever comes."""
    for event in Event:
        taken = step(status, event)
        assert taken is None or taken.status == status


CASES = [
    # A refusal that is late must not undo an acceptance.
    (Status.ACCEPTED, Event.REFUSE, Status.ACCEPTED, True),
    # Failed does not outrank released, nor cleared.
    (Status.RELEASED, Event.FAIL, Status.RELEASED, True),
    (Status.CLEARED, Event.FAIL, Status.CLEARED, True),
    # A released case does not go back to being inspected.
    (Status.RELEASED, Event.INSPECT, Status.RELEASED, True),
    # A release says by itself that the declaration was accepted.
    (Status.IN_REVIEW, Event.RELEASE, Status.RELEASED, False),
    # A refused declaration can be replaced, and is decided afresh.
    (Status.REFUSED, Event.REPLACE, Status.DECLARED, False),
    # An amendment of an accepted declaration waits for the bureau.
    (Status.ACCEPTED, Event.AMEND, Status.AMENDING, False),
    # A cancellation that nobody has acted on yet is done at once.
    (Status.IN_REVIEW, Event.CANCEL, Status.CANCELLED, False),
    # Once the papers are at the port or with customs, it is too late to cancel.
    (Status.TRANSFERRED, Event.CANCEL, None, False),
    (Status.NOTIFIED, Event.CANCEL, None, False),
    # A mismatch never takes back a clearance.
    (Status.CLEARED, Event.MISMATCH, Status.CLEARED, True),
    # A corrected entry lifts the hold.
    (Status.HELD, Event.MATCH, Status.CLEARED, False),
    # Nothing is cleared that customs had no notice of.
    (Status.ACCEPTED, Event.MATCH, None, False),
]


@pytest.mark.parametrize(("status", "event", "after", "late"), CASES)
def test_case_transitions(status, event, after, late):
    """The table says what each of these events does."""
    taken = step(status, event)
    assert (taken.status, taken.late) == (after, late) if taken else after is None


CONTAINERS = [
    # Only an officer opens a lock that a rule has set.
    (ContainerStatus.LOCKED, ContainerEvent.FOUND_CLEAN, ContainerStatus.LOCKED),
    (ContainerStatus.LOCKED, ContainerEvent.UNLOCK_ORDER, ContainerStatus.RELEASED),
    # A declaration opens what was shut for want of one.
    (ContainerStatus.UNDECLARED, ContainerEvent.FOUND_CLEAN, ContainerStatus.RELEASED),
    # A rule does not call back what has left; an officer may.
    (ContainerStatus.RELEASED, ContainerEvent.FOUND_RISK, ContainerStatus.RELEASED),
    (ContainerStatus.RELEASED, ContainerEvent.LOCK_ORDER, ContainerStatus.LOCKED),
]


@pytest.mark.parametrize(("status", "event", "after"), CONTAINERS)
def test_container_transitions(status, event, after):
    """A container moves by rule and by order as the table says."""
    taken = container_step(status, event)
    assert taken is not None
    assert taken.status == after
