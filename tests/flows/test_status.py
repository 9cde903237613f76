"""The tracks of a consignment and the table of containers: what moves what, and from where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decide.tracks import NONE, Track
from gateway.flows.consignment.tracks import CLEARANCE, DECLARATION, INSPECTION, TRANSFER
from gateway.flows.containers.status import CONTAINER, ContainerEvent, ContainerStatus, container_step
from tests.flows.world import FLOWS, RULES

TRACKS = FLOWS.tracks
OWN = (DECLARATION, INSPECTION, TRANSFER, CLEARANCE)
HAPPENINGS = [(track.name, event) for track in OWN for event in track.rows]
NEW = {"declaration": "declared"}


def headline(tracks):
    return RULES.headline("consignment", tracks)


def after(tracks, *happenings):
    """The tracks after events that may or may not move them, and what each left."""
    tracks, left = dict(tracks), {}
    for track, event in happenings:
        taken = TRACKS.step(tracks, track, event, left.get(track, ""))
        if taken is not None and not taken.late:
            tracks[track] = taken.state
            left[track] = taken.left
    return tracks


@pytest.mark.parametrize("track", OWN, ids=lambda track: track.name)
def test_every_state_is_reachable(track: Track):
    """From where a case begins every state of a track can be reached."""
    seen = {NEW.get(track.name, NONE)}
    while more := {row.moves[state] for row in track.rows.values() for state in seen & row.moves.keys()} - seen:
        seen |= more
    assert seen | {NONE} == track.states


def test_every_container_status_is_reachable():
    """From an expected container too, and its table knows every event."""
    assert set(CONTAINER) == set(ContainerEvent)
    seen = {ContainerStatus.EXPECTED}
    while more := {row.moves[state] for row in CONTAINER.values() for state in seen & row.moves.keys()} - seen:
        seen |= more
    assert seen == set(ContainerStatus)


def test_an_event_either_moves_or_comes_late():
    """No row says two things about one state."""
    for row in (*(row for track in OWN for row in track.rows.values()), *CONTAINER.values()):
        assert row.late.isdisjoint(row.moves)
        assert set(row.returns) <= set(row.moves)


@given(st.lists(st.sampled_from(HAPPENINGS)))
def test_no_sequence_of_events_leaves_the_tables(happenings):
    """Whatever comes in whatever order, a case keeps states that the tables know, and there is a word for them."""
    tracks = after(NEW, *happenings)
    assert all(state in TRACKS.find(track).states for track, state in tracks.items())
    assert headline(tracks) != "open"


@given(st.lists(st.sampled_from(HAPPENINGS)), st.sampled_from(HAPPENINGS))
def test_a_repeated_answer_moves_nothing_twice(happenings, happening):
    """The bureau's word, said twice in a row, does on the second time nothing that the first did not."""
    once = after(NEW, *happenings, happening)
    assert after(NEW, *happenings, happening, happening) == once


@given(st.lists(st.sampled_from(HAPPENINGS)), st.sampled_from(HAPPENINGS))
def test_an_event_moves_its_own_track_only(happenings, happening):
    """What one party comes to does not undo what another one did."""
    before, then = after(NEW, *happenings), after(NEW, *happenings, happening)
    assert {track for track in then if then[track] != before.get(track)} <= {happening[0]}


@given(st.lists(st.sampled_from(HAPPENINGS)))
def test_what_is_final_stays(happenings):
    """What is cancelled stays cancelled, and what customs let go stays released."""
    for track, last in (("declaration", "cancelled"), ("clearance", "released")):
        tracks = {"declaration": "accepted", track: last}
        assert after(tracks, *happenings)[track] == last


ACCEPTED = {"declaration": "accepted"}
PASSED = {**ACCEPTED, "inspection": "passed"}
SENT = {**PASSED, "transfer": "sent"}
NOTIFIED = {**ACCEPTED, "clearance": "notified"}
MATCHED = {**ACCEPTED, "clearance": "matched"}
RELEASED = {**ACCEPTED, "clearance": "released"}

CASES = [
    # A refusal that is late must not undo an acceptance.
    (ACCEPTED, "declaration", "refuse", "late"),
    # Failed does not outrank passed; an officer with a reason reopens.
    (PASSED, "inspection", "fail", "late"),
    (PASSED, "inspection", "reopen", "ordered"),
    # What passed does not go back to being inspected because an order comes late.
    (PASSED, "inspection", "order", "late"),
    # Nothing is inspected that nobody accepted.
    ({"declaration": "in_review"}, "inspection", "pass", None),
    ({"declaration": "cancelled"}, "inspection", "order", "late"),
    # A refused declaration can be replaced, and is decided afresh.
    ({"declaration": "refused"}, "declaration", "replace", "declared"),
    # An amendment of an accepted declaration waits for the bureau, as long as the goods are with it.
    (ACCEPTED, "declaration", "amend", "amending"),
    (PASSED, "declaration", "amend", "amending"),
    (NOTIFIED, "declaration", "amend", None),
    # A cancellation that nobody has acted on yet is done at once.
    ({"declaration": "in_review"}, "declaration", "cancel", "cancelled"),
    (PASSED, "declaration", "cancel", "cancelling"),
    # Once the papers are at the port or with customs, it may be asked for, and is agreed when they are taken back.
    (SENT, "declaration", "cancel", "cancelling"),
    (NOTIFIED, "declaration", "cancel", "cancelling"),
    (MATCHED, "declaration", "cancel", None),
    ({**SENT, "declaration": "cancelling"}, "declaration", "cancellation_agreed", None),
    ({**NOTIFIED, "declaration": "cancelling"}, "declaration", "cancellation_agreed", None),
    ({**SENT, "declaration": "cancelling", "transfer": "withdrawn"}, "declaration", "cancellation_agreed", "cancelled"),
    # What the other office has taken over is taken back with its agreement.
    (SENT, "transfer", "withdraw", "withdrawn"),
    ({**SENT, "transfer": "taken"}, "transfer", "withdraw", None),
    ({**SENT, "transfer": "taken"}, "transfer", "withdrawal_agreed", "withdrawn"),
    # Goods that failed go nowhere.
    ({**ACCEPTED, "inspection": "failed"}, "transfer", "send", None),
    ({**ACCEPTED, "inspection": "failed"}, "clearance", "notify", None),
    # The port's bureau cannot hand back what customs has notice of.
    ({**SENT, "clearance": "notified"}, "transfer", "decline", "late"),
    ({**SENT, "clearance": "notified"}, "transfer", "withdraw", None),
    # A corrected entry lifts the hold; matched is not released.
    ({**ACCEPTED, "clearance": "mismatched"}, "clearance", "match", "matched"),
    (MATCHED, "clearance", "customs_release", "released"),
    (NOTIFIED, "clearance", "customs_release", None),
    # Until customs lets go, its data may still change; a release is never taken back.
    (MATCHED, "clearance", "mismatch", "mismatched"),
    (RELEASED, "clearance", "mismatch", "late"),
    # Nothing matches that customs had no notice of.
    (ACCEPTED, "clearance", "match", None),
    # Imports are inspected at their destination, after customs let them go.
    (RELEASED, "inspection", "fail", "failed"),
    (RELEASED, "inspection", "pass", "passed"),
]


@pytest.mark.parametrize(("tracks", "track", "event", "outcome"), CASES)
def test_transitions(tracks, track, event, outcome):
    """The tables say what each of these events does: the state then, that it is late, or that it may not happen."""
    taken = TRACKS.step(tracks, track, event)
    assert (None if taken is None else "late" if taken.late else taken.state) == outcome


def test_an_open_change_outlives_a_withdrawal_that_is_declined():
    """A change that was open when the withdrawal was asked for is open again; else the declaration counts as before."""
    asked = [("declaration", "amend"), ("declaration", "cancel"), ("declaration", "cancellation_declined")]
    assert after(ACCEPTED, *asked)["declaration"] == "amending"
    assert after(ACCEPTED, *asked[1:])["declaration"] == "accepted"


WORDS = [
    # Cleared by customs, then failed at the destination: what went wrong is what must be seen.
    ({**RELEASED, "inspection": "failed"}, "failed"),
    (RELEASED, "cleared"),
    (MATCHED, "matched"),
    # A notice that is withdrawn leaves the goods where they were.
    ({**PASSED, "clearance": "withdrawn"}, "released"),
    ({**ACCEPTED, "clearance": "withdrawn"}, "accepted"),
    ({**SENT, "transfer": "declined"}, "held"),
    ({**SENT, "transfer": "declined", "clearance": "notified"}, "notified"),
    ({**NOTIFIED, "clearance": "mismatched"}, "held"),
    ({"declaration": "cancelling", "inspection": "passed"}, "cancelling"),
]


@pytest.mark.parametrize(("tracks", "word"), WORDS)
def test_one_word_is_shown_for_all_tracks(tracks, word):
    """The one word that people and the status feed are shown follows from all tracks by rule."""
    assert headline(tracks) == word


CONTAINERS = [
    # Only an officer opens a lock that a rule has set.
    (ContainerStatus.LOCKED, ContainerEvent.FOUND_CLEAN, ContainerStatus.LOCKED),
    (ContainerStatus.LOCKED, ContainerEvent.UNLOCK_ORDER, ContainerStatus.RELEASED),
    # A declaration opens what was shut for want of one.
    (ContainerStatus.UNDECLARED, ContainerEvent.FOUND_CLEAN, ContainerStatus.RELEASED),
    # A release may become a lock, a lock never a release; what has left is called back by nobody.
    (ContainerStatus.RELEASED, ContainerEvent.FOUND_RISK, ContainerStatus.LOCKED),
    (ContainerStatus.OUT, ContainerEvent.FOUND_RISK, ContainerStatus.OUT),
    # What waits for its consignment is opened by rule, what is treated only by an officer, once it is locked again.
    (ContainerStatus.RELEASED, ContainerEvent.FOUND_OPEN, ContainerStatus.WAITING),
    (ContainerStatus.WAITING, ContainerEvent.FOUND_CLEAN, ContainerStatus.RELEASED),
    (ContainerStatus.TREATING, ContainerEvent.FOUND_CLEAN, ContainerStatus.TREATING),
    (ContainerStatus.TREATING, ContainerEvent.LOCK_ORDER, ContainerStatus.LOCKED),
    (ContainerStatus.RELEASED, ContainerEvent.LOCK_ORDER, ContainerStatus.LOCKED),
]


@pytest.mark.parametrize(("status", "event", "after"), CONTAINERS)
def test_container_transitions(status, event, after):
    """A container moves by rule and by order as the table says."""
    taken = container_step(status, event)
    assert taken is not None
    assert taken.state == after
