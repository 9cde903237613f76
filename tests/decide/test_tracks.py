"""The tables that cases stand on (gateway/decide/tracks.py), by tables of their own."""

from __future__ import annotations

import pytest

from gateway.check.rulebook import UNTOLD, Headline, Rules
from gateway.decide.flow import Flow, Flows, On
from gateway.decide.tracks import NONE, Track, Tracks, make_row, to
from gateway.errors import FlowsInvalid
from tests.flows.world import FLOWS, RULES

DOOR = Track(
    "door",
    {
        "open": make_row(to("open", NONE, "shut"), late=("open",), needs={"alarm": (NONE, "off")}),
        "shut": make_row(to("shut", "open"), overtaken={"alarm": ("ringing",)}),
        "lock": make_row(to("locked", "shut", "open")),
        "unlock": make_row(to("shut", "locked"), returns={"locked": ("open",)}),
    },
)
ALARM = Track(
    "alarm",
    {
        "set": make_row(to("on", NONE, "off")),
        "ring": make_row(to("ringing", "on")),
        "end": make_row(to("off", "ringing")),
    },
)
TRACKS = Tracks([DOOR, ALARM])

STEPS = [
    # (standing, event on the door, state then, late)
    ({}, "open", "open", False),
    ({"door": "open"}, "open", "open", True),
    ({"alarm": "off"}, "open", "open", False),
    # Another track must stand where the row says; what is late anyway is late all the same.
    ({"alarm": "on"}, "open", None, False),
    ({"door": "open", "alarm": "on"}, "open", "open", True),
    # Another track may have overtaken the event, whatever its own says.
    ({"door": "open"}, "shut", "shut", False),
    ({"door": "open", "alarm": "ringing"}, "shut", "open", True),
    ({"door": "locked", "alarm": "ringing"}, "shut", "locked", True),
    # What the row does not mention may not happen.
    ({"door": "locked"}, "shut", None, False),
    ({"door": "locked"}, "open", None, False),
]


@pytest.mark.parametrize(("standing", "event", "state", "late"), STEPS)
def test_an_event_moves_is_late_or_may_not_happen(
    standing: dict[str, str], event: str, state: str | None, late: bool
) -> None:
    """Its own state and the other tracks' say which; a track that nothing moved yet stands at none."""
    taken = TRACKS.step(standing, "door", event)
    assert (taken.state, taken.late) == (state, late) if taken else state is None


@pytest.mark.parametrize(("before", "after"), [("open", "open"), ("shut", "shut")])
def test_a_state_leads_back_to_the_one_left_for_it(before: str, after: str) -> None:
    """What was left is remembered where some event returns to it, and forgotten elsewhere."""
    locked = TRACKS.step({"door": before}, "door", "lock")
    assert locked is not None
    assert locked.left == ("open" if before == "open" else "")
    unlocked = TRACKS.step({"door": "locked"}, "door", "unlock", locked.left)
    assert unlocked is not None
    assert (unlocked.state, unlocked.left) == (after, "")


CLASHES: dict[str, list[Flow]] = {
    "a track of two flows": [
        _flow := Flow("a", (), lambda _: [], tracks=(ALARM,)),
        Flow("b", (), lambda _: [], tracks=(ALARM,)),
    ],
    "a track that is not there": [Flow("a", (), lambda _: [], tracks=(DOOR,))],
    "a state that is not there": [
        Flow(
            "a", (), lambda _: [], tracks=(Track("bell", {"ring": make_row(to("on", NONE), needs={"bell": ("of",)})}),)
        )
    ],
    "a reaction to what never happens": [
        _flow,
        Flow("b", (), lambda _: [], reacts=(On("alarm", "stop", lambda *_: []),)),
    ],
    "a reaction to a track that is not there": [
        Flow("b", (), lambda _: [], reacts=(On("alarm", "ring", lambda *_: []),))
    ],
}


@pytest.mark.parametrize("kind", CLASHES)
def test_tables_that_cannot_be_are_found_at_load(kind: str) -> None:
    """A row or a reaction that could never take effect is a slip, and stops the start."""
    with pytest.raises(FlowsInvalid):
        Flows(CLASHES[kind])


@pytest.mark.parametrize("when", [{"door": ("opened",)}, {"gate": ("open",)}])
def test_a_line_that_could_never_hold_is_found_at_load(when: dict[str, tuple[str, ...]]) -> None:
    """A word for a state that is misspelt would never be shown, and nobody would know; the shipped lines all may hold."""
    flows = Flows([Flow("house", (), lambda _: [], tracks=(DOOR, ALARM))])
    flows.check_headlines({"house": (Headline(rank=1, word="ajar", when={"door": ("open",)}),)})
    with pytest.raises(FlowsInvalid, match="rank 2"):
        flows.check_headlines({"house": (Headline(rank=2, word="ajar", when=when),)})
    FLOWS.check_headlines(RULES.headlines)


def test_the_first_line_that_holds_gives_the_word() -> None:
    """By rank, whatever the order in the file; a case of a kind without lines, or that none tells, is open."""
    lines = tuple(Headline(rank=rank, word=word, when=when) for rank, word, when in (
        (1, "burgled", {"door": ("open",), "alarm": ("ringing",)}), (2, "ajar", {"door": ("open",)})
    ))  # fmt: skip
    rules = Rules(RULES.day, RULES.sets, {"house": lines}, RULES.calendar)
    assert rules.headline("house", {"door": "open", "alarm": "ringing"}) == "burgled"
    assert rules.headline("house", {"door": "open"}) == "ajar"
    assert rules.headline("house", {}) == rules.headline("ship", {"door": "open"}) == UNTOLD
