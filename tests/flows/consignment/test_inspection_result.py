"""Results of goods: they move the inspection, settle the task they answer, and tell everybody whom it concerns."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.decide.desk import Actor, MessageIn
from gateway.decide.effects import Effect, Hold, Note, Publish, Refuse, Respond, Send
from gateway.documents import InspectionResult
from gateway.flows.containers.decisions import states
from gateway.model import Partner, TaskState
from tests.flows.consignment.test_declaration import newcomers
from tests.flows.consignment.test_parts import IMPORTED, INBOUND
from tests.flows.containers.test_movement import alerts, movement
from tests.flows.containers.test_port_inspection import BOX
from tests.flows.containers.test_review import told
from tests.flows.world import (
    BUREAU,
    CUSTOMS,
    FACTORY,
    NEWCOMER,
    NOW,
    ORIGIN,
    PORT,
    PORT_BUREAU,
    PORT_SIDE,
    STRANGER,
    World,
    answer,
    codes,
    entry,
    inbound,
    manifest,
    notice,
    of,
    outbound,
    transfer,
)

NUMBER = f"{PORT_BUREAU}126000001"
EXPORT = f"{ORIGIN}226000001"


def result(conclusion: str = "passed", **changes: Any) -> InspectionResult:
    """A result of the port's bureau of goods that were declared to it."""
    values: dict[str, Any] = {
        "number": "IR-1",
        "function": "9",
        "kind": "inspection",
        "subject": {"kind": "goods"},
        "declaration_number": NUMBER,
        "conclusion": conclusion,
        "office": PORT_BUREAU,
        "inspector": "0815",
        "concluded_at": "2026-11-20T15:00:00+08:00",
    }
    return InspectionResult.model_validate(values | changes)


def imported(**changes: Any) -> World:
    """An import that its port's bureau inspects, and whose container may leave."""
    world = World()
    world.send(inbound(**changes), FACTORY)
    world.send(manifest(), PORT)
    assert states(world.case) == {BOX: "released"}
    return world


def said(effects: list[Effect]) -> tuple[str, list[str]]:
    """What the sender is answered: the outcome and the codes of the reasons."""
    (one,) = [effect.document for effect in of(effects, Respond)]
    return one.outcome.value, [reason.code for reason in one.reasons]


def played(world: World, conclusions: str, sender: Partner = PORT_SIDE, **changes: Any) -> list[Effect]:
    """Results one after another; what the last comes to."""
    effects: list[Effect] = []
    for n, conclusion in enumerate(conclusions.split()):
        effects = world.send(result(conclusion, number=f"IR-{n}", **changes), sender)
    return effects


PATHS = [
    # (what the office says one after another, where the inspection stands then, the last answer)
    ("passed", "passed", "accepted"),
    ("failed", "failed", "accepted"),
    ("waived", "waived", "accepted"),
    ("failed to_treat", "treating", "accepted"),
    ("failed to_treat passed", "passed", "accepted"),
    ("failed to_treat failed", "failed", "accepted"),
    ("failed to_reinspect", "ordered", "accepted"),
    ("failed to_reinspect sampled sent passed", "passed", "accepted"),
    ("failed returned", "returned", "accepted"),
    ("failed destroyed", "destroyed", "accepted"),
    # Late: what was said before stands.
    ("passed failed", "passed", "received"),
    ("passed waived", "passed", "received"),
    ("passed passed", "passed", "received"),
    # Not from there.
    ("sampled", "none", "refused"),
    ("sent", "none", "refused"),
    ("to_treat", "none", "refused"),
    ("returned", "none", "refused"),
    ("passed to_treat", "passed", "refused"),
    ("failed returned passed", "returned", "refused"),
]


@pytest.mark.parametrize(("conclusions", "state", "outcome"), PATHS)
def test_results_move_the_inspection_along_its_table(conclusions, state, outcome) -> None:
    """Each conclusion is an event of the track; what may not happen is refused, what is late is noted."""
    world = imported()
    effects = played(world, conclusions)
    assert world.case.tracks.get("inspection", "none") == state
    assert said(effects)[0] == outcome
    if outcome == "refused":
        assert said(effects)[1] == ["decide.status.not_allowed"]
    if outcome == "received":
        assert said(effects)[1] == ["decide.late"]


def test_a_failure_after_a_pass_is_alerted_and_undoes_nothing() -> None:
    """The words of one office contradict one another: somebody must look."""
    assert alerts(played(imported(), "passed failed")) == ["contradiction"]


REFUSED = [
    # Another office's goods; an office that the sender is not.
    ({"office": "440100"}, STRANGER, "decide.sender.not_concerned"),
    ({"office": ORIGIN}, PORT_SIDE, "decide.sender.not_concerned"),
    ({}, STRANGER, "decide.sender.not_concerned"),
    ({}, CUSTOMS, "decide.sender.not_concerned"),
    ({}, FACTORY, "decide.sender.not_concerned"),
    # Nobody answers for it.
    ({"inspector": None}, PORT_SIDE, "decide.result.nobody"),
    # It is not taken back, and there is no such task.
    ({"function": "1"}, PORT_SIDE, "decide.result.function"),
    ({"function": "5"}, PORT_SIDE, "decide.result.function"),
    ({"task": "T-9"}, PORT_SIDE, "decide.task.unknown"),
    # Nothing was declared under that number, and the office is not the sender's.
    ({"declaration_number": "370200126000099", "office": ORIGIN}, PORT_SIDE, "decide.case.unknown"),
]


@pytest.mark.parametrize(("changes", "sender", "code"), REFUSED)
def test_who_may_not_is_refused_with_reasons(changes, sender, code) -> None:
    """The sender learns why; nothing moves."""
    world = imported()
    effects = world.send(result("failed", **changes), sender)
    assert codes(of(effects, Refuse)[0].reasons) == [code]
    assert said(effects) == ("refused", [code])
    assert "inspection" not in world.case.tracks
    assert states(world.case) == {BOX: "released"}


def test_what_must_be_handed_on_is_judged_at_its_destination() -> None:
    """Kind 14 (入境流向): the port's office may take samples, and has no verdict."""
    world = World()
    world.send(inbound(kind="14"), FACTORY)
    if world.case.status != "accepted":
        world.send(answer("accepted"), PORT_SIDE)
    assert said(world.send(result("passed"), PORT_SIDE)) == ("refused", ["decide.result.elsewhere"])
    world.send(transfer(NUMBER, direction="inbound", from_organisation=PORT_BUREAU, to_organisation=ORIGIN), PORT_SIDE)
    assert said(world.send(result("passed", office=ORIGIN), BUREAU))[0] == "accepted"


def test_a_repeated_result_changes_nothing() -> None:
    """The same again is answered alike and noted; another one under its number is refused."""
    world = imported()
    world.send(result("failed"), PORT_SIDE)
    effects = world.send(result("failed"), PORT_SIDE)
    assert said(effects) == ("accepted", ["decide.repeat"])
    assert [note.kind for note in of(effects, Note)] == ["repeat"]
    assert len(world.ground.tasks) == 1
    effects = world.send(result("passed"), PORT_SIDE)
    assert said(effects) == ("refused", ["decide.result.number_used"])
    # Another office counts its results by itself.
    assert said(world.send(result("to_treat", number="IR-2"), PORT_SIDE))[0] == "accepted"


def test_failed_goods_become_a_task_that_a_result_settles() -> None:
    """The result that names it, or none that fits the track: the task is decided by the option whose event happened."""
    world = imported()
    world.send(result("failed"), PORT_SIDE)
    (task,) = world.ground.tasks.values()
    assert (task.kind, task.office, task.state) == ("failed_goods", PORT_BUREAU, TaskState.OPEN)
    world.send(result("to_treat", number="IR-2", task=task.id, declaration_number=None), PORT_SIDE)
    settled = world.ground.tasks[task.id]
    assert (settled.state, settled.option) == (TaskState.DECIDED, "treat")
    effects = world.send(result("returned", number="IR-3", task=task.id), PORT_SIDE)
    assert said(effects) == ("refused", ["decide.task.moved_on"])


TASKS = [
    # (what the result says that names the task, why it does not answer it)
    ({"conclusion": "sampled"}, "decide.task.option"),
    ({"conclusion": "passed"}, "decide.task.option"),
    ({"conclusion": "returned", "declaration_number": "370200126000099"}, "decide.result.other_case"),
]


@pytest.mark.parametrize(("changes", "code"), TASKS)
def test_a_result_that_does_not_answer_its_task_is_refused(changes, code) -> None:
    """It says so, and the task stays open."""
    world = imported()
    world.send(result("failed"), PORT_SIDE)
    (task,) = world.ground.tasks.values()
    effects = world.send(result(**{"number": "IR-2", "task": task.id, **changes}), PORT_SIDE)
    assert said(effects) == ("refused", [code])
    assert world.ground.tasks[task.id].state is TaskState.OPEN


def test_anothers_task_is_unknown() -> None:
    """Whether an office has a task is its own to know."""
    world = imported()
    world.send(result("failed"), PORT_SIDE)
    (task,) = world.ground.tasks.values()
    effects = world.send(result("to_treat", number="IR-2", task=task.id, office="440100"), STRANGER)
    assert said(effects) == ("refused", ["decide.task.unknown"])


def test_an_officers_decision_and_a_result_meet() -> None:
    """The officer has decided: the system's result of the same comes late, and the other way round."""
    world = imported()
    world.send(result("failed"), PORT_SIDE)
    (task,) = world.ground.tasks.values()
    world.act(task.id, "treat", PORT_SIDE, "port-inspector")
    assert said(world.send(result("to_treat", number="IR-2"), PORT_SIDE)) == ("received", ["decide.late"])


FAILED = [
    {"code": "PB", "name": "铅", "value": "0.6", "unit": "MGM", "maximum": "0.5", "verdict": "fail"},
    {"code": "CD", "value": "0.1", "unit": "MGM", "maximum": "0.5", "verdict": "pass"},
    {"code": "SALM", "text": "检出", "verdict": "fail"},
]


def test_an_owner_reads_what_was_found_wanting() -> None:
    """Item by item with value and limit, in the words of the item; never the inspector's name."""
    effects = imported().send(result("failed", items=FAILED), PORT_SIDE)
    (sent,) = [one.document for one in of(effects, Send) if (one.to.partner_id, one.document_type) == ("factory", "response")
               and one.document.document == "declaration"]  # fmt: skip
    assert [(reason.code, reason.value) for reason in sent.reasons] == [
        ("decide.result.item", "铅"),
        ("decide.result.item", "SALM"),
    ]
    assert "0.6 MGM (..0.5)" in sent.reasons[0].text
    assert "检出" in sent.reasons[1].text
    assert "0815" not in sent.model_dump_json()


def test_an_owner_learns_of_samples_only_that_goods_are_looked_at() -> None:
    """Sampling drawn: to be inspected, and no more."""
    effects = played(imported(), "failed to_reinspect sampled")
    told_ = [one.document for one in of(effects, Send) if one.to.partner_id == "factory"]
    assert [(one.outcome.value, one.reasons) for one in told_] == [("received", ())]
    (line,) = [one for one in of(effects, Publish) if one.feed == "status"]
    assert line.keys["status"] == "inspecting"


DISPOSED = [
    # (what is done, where the container stands, what its port is told to do)
    ("to_treat", "treating", "treat"),
    ("returned", "returned", "return"),
    ("destroyed", "locked", "lock"),
]


@pytest.mark.parametrize(("conclusion", "state", "act"), DISPOSED)
def test_what_becomes_of_failed_goods_is_told_to_customs_port_and_owner(conclusion, state, act) -> None:
    """Failed goods lock their containers; treated, returned or destroyed, each is told to all three."""
    world = imported(customs_office="4200")
    effects = world.send(result("failed"), PORT_SIDE)
    assert told(effects) == {BOX: ("lock", ["decide.port.void"])}
    effects = world.send(result(conclusion, number="IR-2"), PORT_SIDE)
    assert states(world.case) == {BOX: state}
    assert told(effects) == {BOX: (act, ["decide.port.void"])}
    assert {one.to.partner_id for one in of(effects, Send)} == {"port", "customs", "factory"}


def test_treated_goods_leave_once_an_officer_has_opened_their_container() -> None:
    """Treated and looked at, the goods pass; their container is locked again, and no rule opens it."""
    world = imported()
    played(world, "failed to_treat")
    effects = world.send(result("passed", number="IR-9", kind="treatment"), PORT_SIDE)
    assert states(world.case) == {BOX: "locked"}
    assert told(effects) == {BOX: ("lock", ["decide.port.treated"])}
    assert said(effects)[0] == "accepted"


CUSTOMS_FIRST = [
    # What customs had done when the goods failed at their destination.
    [],
    [(entry(INBOUND, direction="inbound", status="accepted"), CUSTOMS)],
    [(entry(INBOUND, direction="inbound"), CUSTOMS)],
]


@pytest.mark.parametrize("before", CUSTOMS_FIRST)
def test_goods_fail_before_or_after_customs_let_them_go(before) -> None:
    """Both are shown; the container is locked, and where it has left an alert says so; customs' release is an alert too."""
    for leaves in (False, True):
        world = World()
        for document, sender in [*IMPORTED[:3], *before]:
            world.send(document, sender)
        world.send(manifest(), PORT)
        if leaves:
            world.send(movement(), PORT)
        cleared = world.case.tracks["clearance"]
        effects = world.send(result("failed", declaration_number=INBOUND, office=ORIGIN), BUREAU)
        assert (world.case.tracks["inspection"], world.case.tracks["clearance"]) == ("failed", cleared)
        assert states(world.case) == {BOX: "out" if leaves else "locked"}
        assert ("container_out" in alerts(effects)) is leaves
        assert ("failed_after_clearance" in alerts(effects)) is (cleared == "released")


PARTIES = [
    # (what is said, whom it is told beside its sender): an agent's import, handed to its destination and noticed
    ("passed", {"agent", "factory", "port-bureau"}),
    ("failed", {"agent", "factory", "port-bureau", "customs"}),
    ("failed to_treat", {"agent", "factory", "port-bureau", "customs"}),
    ("failed returned", {"agent", "factory", "port-bureau", "customs"}),
    ("failed destroyed", {"agent", "factory", "port-bureau", "customs"}),
    ("failed to_reinspect", {"agent", "factory"}),
    ("failed to_reinspect sampled", {"agent", "factory"}),
]


@pytest.mark.parametrize(("conclusions", "parties"), PARTIES)
def test_who_is_told_of_a_result_and_nobody_else(conclusions, parties) -> None:
    """The enterprises, the transfer's other side, and customs of what failed; each by a document of its own."""
    world = World()
    for document, sender in IMPORTED:
        world.send(document, sender)
    effects = played(world, conclusions, BUREAU, declaration_number=INBOUND, office=ORIGIN)
    assert {one.to.partner_id for one in of(effects, Send)} == parties
    assert {line.partner_id for line in of(effects, Publish)} == {"agent", "factory"}


def test_a_change_that_is_open_is_overtaken_by_a_verdict() -> None:
    """The office has gone on with the goods: what was asked for comes too late, and the enterprise is told."""
    world = imported()
    world.send(inbound(function="4", contract_number="C-9"), FACTORY)
    assert world.case.status == "amending"
    effects = world.send(result("passed"), PORT_SIDE)
    assert world.case.tracks["declaration"] == "accepted"
    told_ = [
        one.document for one in of(effects, Send) if one.document_type == "response" and one.to.partner_id == "factory"
    ]
    assert "decide.amendment.overtaken" in [reason.code for one in told_ for reason in one.reasons]


def test_exports_are_inspected_at_their_origin() -> None:
    """The office that inspects an export passes it; the port's has no say before it has the transfer's notice."""
    world = World()
    world.send(outbound(), FACTORY)
    assert said(world.send(result(declaration_number=EXPORT), PORT_SIDE))[0] == "refused"
    assert said(world.send(result(declaration_number=EXPORT, office=ORIGIN), BUREAU))[0] == "accepted"
    assert world.case.status == "released"
    assert said(world.send(notice(EXPORT), PORT_SIDE))[0] == "accepted"


NOBODYS = f"{PORT_BUREAU}126000777"


def undeclared(world: World, document: InspectionResult, *, trusted: bool = False) -> list[Effect]:
    """A result whose declaration is not here, under an agreement that lets it count or does not."""
    world.messages += 1
    id_ = f"message-{world.messages}"
    occasion = MessageIn("inspection_result", document, Actor(PORT_SIDE), id_, NOW, without_declaration=trusted)
    return world.decide(occasion)


def test_a_result_waits_for_its_declaration() -> None:
    """It waits, is told so, and counts once a bureau gives its number to a declaration."""
    world = World()
    effects = undeclared(world, result("failed", declaration_number=NOBODYS))
    assert said(effects) == ("received", ["decide.case.awaited"])
    assert len(world.waiting) == 1
    assert said(undeclared(world, result("failed", declaration_number=NOBODYS))) == (
        "received",
        ["decide.case.awaited"],
    )
    assert len(world.waiting) == 1
    waits = newcomers(
        direction="inbound", kind="13", client_reference="N-1", declaration_organisation=PORT_BUREAU,
        inspection_organisation=PORT_BUREAU, purpose_organisation=ORIGIN,
        consignee={"code": "3701000002", "name": "新客"}, consignor=None,
    )  # fmt: skip
    world.send(waits, NEWCOMER)
    world.send(answer("accepted", reference="N-1", declaration_number=NOBODYS), PORT_SIDE)
    assert world.case.tracks["inspection"] == "failed"
    assert not world.waiting


def test_a_result_that_waits_in_vain_is_refused() -> None:
    """After its term its sender learns that nothing was decided."""
    world = World()
    undeclared(world, result("failed", declaration_number=NOBODYS))
    effects = world.let_pass("undeclared_inspection_result")
    assert [(one.to.partner_id, one.document.outcome.value) for one in of(effects, Send)] == [
        ("port-bureau", "refused")
    ]
    assert alerts(effects) == ["unmatched"]
    assert not world.waiting


@pytest.mark.parametrize(("number", "direction"), [(NOBODYS, "inbound"), (f"{PORT_BUREAU}226000777", "outbound")])
def test_a_trusted_result_opens_a_case(number, direction) -> None:
    """The number says which way the goods go; what is refused leaves no case."""
    world = World()
    document = result("failed", declaration_number=number, subject={"kind": "goods", "hs_code": "2008199990"})
    assert said(undeclared(world, document, trusted=True))[0] == "accepted"
    assert world.case.tracks == {"declaration": "accepted", "inspection": "failed"}
    assert world.case.documents["declaration"]["direction"] == direction
    world = World()
    assert said(undeclared(world, replace_inspector(document), trusted=True))[0] == "refused"
    assert not world.ground.cases


def replace_inspector(document: InspectionResult) -> InspectionResult:
    """The same by nobody."""
    return document.model_copy(update={"inspector": None})


def test_a_result_is_kept_with_its_case() -> None:
    """The newest is the case's; who may see it reads it there."""
    world = imported()
    world.send(result("failed", items=FAILED), PORT_SIDE)
    kept = InspectionResult.from_kept(world.case.documents["inspection_result"])
    assert [one.code for one in kept.items] == ["PB", "CD", "SALM"]
    assert not of(world.send(result("to_treat", number="IR-2"), PORT_SIDE), Hold)


def test_a_person_may_bring_the_result() -> None:
    """Who is authenticated as a person answers for it, and needs not be named in it."""
    world = imported()
    occasion = MessageIn(
        "inspection_result", result("failed", inspector=None), Actor(PORT_SIDE, "port-inspector"), "by-hand", NOW
    )
    assert said(world.decide(occasion))[0] == "accepted"
