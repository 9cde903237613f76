"""Acts, roles and rules of tasks: merged from a file a flow, and refused where they name what is not there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.check import acts
from gateway.check.acts import ActRules, TaskRule
from gateway.check.calendars import Term
from gateway.decide.flow import Flow, Flows
from gateway.decide.tasks import TaskKind
from gateway.errors import FlowsInvalid, RulesInvalid
from tests.catalogues import with_files
from tests.flows.world import FLOWS, RULES

FOLDER = "schemas/rules"


def load(**files: str) -> ActRules:
    """What loads with further files, by folder."""
    return acts.load(with_files({f"{FOLDER}/{folder}/mine.toml": text for folder, text in files.items()}))


def test_what_ships_names_the_acts_of_the_trade() -> None:
    """Each in both languages, and each in some role's bundle but what no post does by itself."""
    assert {name: act.zh for name, act in RULES.acts.acts.items()} == {
        "accept": "受理", "review": "审单", "assign": "分派", "inspect": "施检", "draft": "拟证", "make": "缮制",
        "sign": "签证", "release": "放行", "charge": "计费", "approve": "审批", "propose": "拟订规则及代码表", "supervise": "监督", "audit": "审计",
    }  # fmt: skip
    assert set().union(*(role.acts for role in RULES.acts.roles.values())) == set(RULES.acts.acts)
    FLOWS.check_acts(RULES.acts)


def test_a_flow_adds_acts_to_a_role_in_a_file_of_its_own() -> None:
    """The words stay the first file's; the acts of both are in the bundle."""
    rules = load(acts='[measure]\nen = "measure"\nzh = "测量"\n', roles='[inspector]\nacts = ["measure"]\n')
    assert (rules.roles["inspector"].zh, rules.gives("inspector", "measure"), rules.gives("inspector", "draft")) == (
        "施检员", True, True,
    )  # fmt: skip
    assert not rules.gives("nobody", "measure")


def test_a_rule_of_tasks_says_who_and_until_when() -> None:
    """A kind without a rule excludes nobody and has no term."""
    rules = load(tasks='[x]\nnot_by = ["draft"]\nsame_office_as = "make"\ndue = "3 working days"\nescalate = "up"\n')
    found = rules.task("x")
    assert (found.not_by, found.same_office_as, found.due, found.escalate) == (
        ("draft",), "make", Term.read("3 working days"), "up",
    )  # fmt: skip
    assert rules.task("y") == TaskRule()


@pytest.mark.parametrize(
    ("folder", "text", "told"),
    [
        ("acts", '[draft]\nen = "draft"\nzh = "x"\n', "another file's already"),
        ("acts", '[x]\nen = "x"\n', "zh"),
        ("roles", '[maker]\nen = "maker"\nzh = "x"\n', "another file's already"),
        ("roles", '[maker]\nacts = ["fly"]\n', "there is no act fly"),
        ("roles", '[pilot]\nacts = ["make"]\n', "no file has the words of the role pilot"),
        ("roles", "maker", "mine.toml"),
        ("tasks", '[x]\nnot_by = ["fly"]\n', "there is no act fly"),
        ("tasks", '[x]\nsame_office_as = "fly"\n', "there is no act fly"),
        ("tasks", '[x]\ndue = "soon"\n', "soon"),
        ("tasks", '[x]\nescalate = "sideways"\n', "escalate"),
        ("tasks", "[x]\nfoo = 1\n", "foo"),
    ],
)
def test_what_names_nothing_does_not_load(folder: str, text: str, told: str) -> None:
    """The file and the fault are named."""
    with pytest.raises(RulesInvalid, match=told):
        load(**{folder: text})


def test_flows_and_acts_must_go_together() -> None:
    """A task that needs an act nobody could do, and a rule of tasks that nobody asks, are found at load."""
    kind = TaskKind("look", "declaration", "fly", {"let": "accept"})
    flows = Flows([*FLOWS.all, Flow("asks", takes=(), decide=lambda _desk: [], tasks=(kind,))])
    with pytest.raises(FlowsInvalid, match="fly"):
        flows.check_acts(RULES.acts)
    with pytest.raises(FlowsInvalid, match="look"):
        FLOWS.check_acts(replace(RULES.acts, tasks={"look": TaskRule()}))
