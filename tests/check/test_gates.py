"""Gates as data: what ships goes with the flows, and what does not go with them is told at load."""

from __future__ import annotations

import pytest

from gateway.catalogue_folders import shipped
from gateway.check import gates
from gateway.errors import FlowsInvalid, RulesInvalid
from tests.catalogues import with_files
from tests.flows.world import FLOWS, RULES

GATE = """
[[gate]]
act = "{act}"
kind = "{kind}"
modes = {modes}
source = "made up"
need = [{{ track = "{track}", states = ["{state}"], en = "It is so.", zh = "如此。" }}]
"""
RIGHT = {"act": "notify", "kind": "consignment", "modes": "[]", "track": "inspection", "state": "passed"}


def test_what_ships_goes_with_the_flows() -> None:
    """Each act that a flow asks about has its gate, and each gate speaks of tracks, states and modes that there are."""
    FLOWS.check_gates(RULES.gates, RULES.modes)
    asked = {act for act, _ in RULES.gates.gates}
    assert asked == {"notify", "release_container"}


WRONG = [
    ({"act": "sing"}, "no flow asks"),
    ({"kind": "house"}, "no flow opens"),
    ({"modes": '["by_sea"]'}, "the mode by_sea"),
    ({"track": "fee"}, "fee, which is no track"),
    ({"state": "sleeping"}, "inspection sleeping"),
]


@pytest.mark.parametrize(("changes", "fault"), WRONG)
def test_a_gate_that_could_never_open_is_found_at_load(changes: dict[str, str], fault: str) -> None:
    """A gate that speaks of what no flow or rule brings would hold for ever, or never."""
    text = GATE.format(**RIGHT | changes)
    rules = gates.load(with_files({"schemas/rules/gates/more.toml": text}))
    with pytest.raises(FlowsInvalid) as refused:
        FLOWS.check_gates(rules, RULES.modes)
    assert fault in str(refused.value)


def test_an_act_without_a_gate_is_found_at_load() -> None:
    """A flow that asks before an act of which nothing is said would let everything through."""
    with pytest.raises(FlowsInvalid, match="notify"):
        FLOWS.check_gates(gates.GateRules(), RULES.modes)


@pytest.mark.parametrize("text", ["[[gate]]\nact = 1\n", "[[door]]\n", "[[gate]\n", GATE.format(**RIGHT | {"act": ""})])
def test_a_file_that_cannot_be_read_is_named(text: str) -> None:
    """RulesInvalid says the file."""
    with pytest.raises(RulesInvalid, match=r"more\.toml"):
        gates.load(with_files({"schemas/rules/gates/more.toml": text}))


def test_files_add_gates_to_one_another() -> None:
    """A further file's gate before the same act holds as well as those that are there."""
    text = GATE.format(**RIGHT)
    added = gates.load(with_files({"schemas/rules/gates/more.toml": text}))
    before = gates.load(shipped()).find("notify", "consignment", "export_direct")
    assert len(added.find("notify", "consignment", "export_direct")) == len(before) + 1
