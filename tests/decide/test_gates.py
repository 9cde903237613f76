"""What is still wanted before an act: a table of standings, waivers, linked cases, and both languages."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import findings
from gateway.check.gates import Gate, GateRules, Need
from gateway.decide.gates import OFFICER, find_missing
from gateway.flows.consignment.tracks import Cleared, Declared, Inspected, Transferred
from gateway.model import Case
from tests.flows.world import RULES

STATES = {"declaration": Declared, "inspection": Inspected, "transfer": Transferred, "clearance": Cleared}


def standing(**tracks: str) -> Case:
    return Case("c", 1, "open", "factory", tracks=tracks)


ACCEPTED, PASSED = {"declaration": "accepted"}, {"declaration": "accepted", "inspection": "passed"}
WANTED = [
    # act, mode, where the case stands, the tracks on which something is wanted
    ("notify", "export_direct", PASSED, []),
    ("notify", "export_direct", ACCEPTED, ["inspection"]),
    ("notify", "export_direct", {"declaration": "amending", "inspection": "ordered"}, ["declaration", "inspection"]),
    ("notify", "export_origin_port", PASSED, ["transfer"]),
    ("notify", "export_origin_port", {**PASSED, "transfer": "sent"}, []),
    ("notify", "export_origin_port", {**PASSED, "transfer": "declined"}, ["transfer"]),
    ("notify", "export_port", PASSED, []),
    # The import notice comes first; goods that failed get none.
    ("notify", "import_direct", ACCEPTED, []),
    ("notify", "import_port", {**ACCEPTED, "inspection": "ordered"}, []),
    ("notify", "import_port", {**ACCEPTED, "inspection": "failed"}, ["inspection"]),
    ("release_container", "import_direct", ACCEPTED, []),
    # Assigned to an inspector (1400) orders nothing; a check order (1500) holds.
    ("release_container", "import_direct", {**ACCEPTED, "inspection": "assigned"}, []),
    ("release_container", "import_direct", {**ACCEPTED, "inspection": "ordered"}, ["inspection"]),
    ("release_container", "import_direct", {**ACCEPTED, "inspection": "failed"}, ["inspection"]),
    ("release_container", "import_direct", {"declaration": "amending"}, ["declaration"]),
    ("release_container", "import_direct", {**ACCEPTED, "clearance": "mismatched"}, ["clearance"]),
    ("release_container", "import_direct", {**ACCEPTED, "transfer": "declined"}, ["transfer"]),
    ("release_container", "import_port", ACCEPTED, ["inspection"]),
    ("release_container", "import_port", PASSED, []),
    # Nothing has happened at all.
    ("release_container", "import_port", {}, ["declaration", "inspection"]),
]


@pytest.mark.parametrize(("act", "mode", "tracks", "wanted"), WANTED)
def test_what_is_wanted_follows_from_where_a_case_stands(
    act: str, mode: str, tracks: dict[str, str], wanted: list[str]
) -> None:
    """Each gate of the act and the mode, on every track."""
    missing = find_missing(RULES.gates, act, standing(**tracks), mode)
    assert sorted(finding.args["track"] for finding in missing) == wanted


def test_what_is_wanted_is_told_in_both_languages() -> None:
    """In words of the reader, and in the Chinese ones no English is left."""
    for act, mode in product(("notify", "release_container"), RULES.modes.modes):
        for finding in find_missing(RULES.gates, act, standing(inspection="failed", clearance="mismatched"), mode):
            english, chinese = (findings.text(finding, language) for language in ("en", "zh"))
            assert english.startswith("Still wanted: ")
            assert chinese.startswith("尚需满足：")
            assert not any("a" <= letter.lower() <= "z" for letter in chinese), chinese


def test_an_officer_answers_for_what_a_rule_wants() -> None:
    """An officer's order goes past a standing check, and not past a declaration that is open."""
    case = standing(declaration="amending", inspection="ordered", clearance="mismatched")
    missing = find_missing(RULES.gates, "release_container", case, "import_direct", waivers={OFFICER})
    assert [finding.args["track"] for finding in missing] == ["declaration"]


def rules(*needs: Need, modes: frozenset[str] = frozenset()) -> GateRules:
    return GateRules({("act", "house"): (Gate(act="act", kind="house", modes=modes, source="x", need=needs),)})


def need(track: str, *states: str, **more: object) -> Need:
    return Need.model_validate({"track": track, "states": states, "en": track, "zh": track, **more})


def house(**tracks: str) -> Case:
    return Case("h", 1, "open", "owner", kind="house", tracks=tracks)


def test_a_gate_may_speak_of_a_linked_case() -> None:
    """What is wanted of another kind of case is looked for among the linked ones; where there is none, it is wanted."""
    table = rules(need("fee", "paid", kind="bill"))
    paid = Case("b", 1, "open", "owner", kind="bill", tracks={"fee": "paid"})
    assert find_missing(table, "act", house(fee="paid"))
    assert not find_missing(table, "act", house(), others=[paid])


def test_where_it_is_waived_nothing_is_wanted() -> None:
    """All of the states that waive it must hold."""
    table = rules(need("fee", "paid", waived_when={"owner": ("poor",), "door": ("open", "ajar")}))
    found = [find_missing(table, "act", house(owner=o, door=d)) for o in ("poor", "rich") for d in ("ajar", "shut")]
    assert [bool(missing) for missing in found] == [False, True, True, True]


def test_a_mode_has_its_own_gates_and_those_of_all() -> None:
    """A gate for some modes says nothing of others, nor of a case that has none."""
    table = rules(need("fee", "paid"), modes=frozenset({"strict"}))
    assert [bool(find_missing(table, "act", house(), mode)) for mode in ("strict", "lax", "")] == [True, False, False]


@given(st.fixed_dictionaries({track: st.sampled_from(list(states)) for track, states in STATES.items()}))
def test_waiving_never_adds_a_want(tracks: dict[str, str]) -> None:
    """Whatever the standing: with an officer's order no more is wanted, and what is wanted is wanted once."""
    case = standing(**tracks)
    for act, mode in product(("notify", "release_container"), RULES.modes.modes):
        told = [finding.args["reason"] for finding in find_missing(RULES.gates, act, case, mode)]
        waived = [f.args["reason"] for f in find_missing(RULES.gates, act, case, mode, waivers={OFFICER})]
        assert len(set(told)) == len(told)
        assert set(waived) <= set(told)
