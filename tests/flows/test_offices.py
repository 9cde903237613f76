"""Which office may do which act, by what it is to the consignment, by the mode of supervision, and by region."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.decide.audience import name_audiences
from gateway.decide.desk import Actor, MessageIn
from gateway.decide.effects import Effect, Hold, Publish, Refuse, Share
from gateway.decide.facts import Answer, Facts, PartnerByIdentifier, Query
from gateway.decide.facts import Subject as SubjectOf
from gateway.documents.case_summary import CaseSummary
from gateway.documents.declaration import Declaration
from gateway.flows.competence import CONTROL, RELEASE, Competent, find_competent
from gateway.flows.standing import find_standing_of, mode_of
from gateway.model import Case, Identifier, Level, Partner, Registered, Role, SubjectVersion
from tests.flows import world as world_module
from tests.flows.consignment.test_modes import FIREWORKS, MEAT, listed
from tests.flows.containers.test_port_inspection import order
from tests.flows.world import (
    BUREAU,
    FACTORY,
    FLOWS,
    NOW,
    ORIGIN,
    PORT,
    PORT_BUREAU,
    PORT_SIDE,
    RULES,
    World,
    answer,
    blacklisting,
    codes,
    inbound,
    manifest,
    notice,
    of,
    outbound,
    transfer,
)

MEMBER = Partner(
    "member", "member", frozenset({Role.BUREAU}), (Identifier("ciq-org", "210200"),), regions=frozenset({"bohai"})
)
AFAR = replace(MEMBER, id="afar", identifiers=(Identifier("ciq-org", "440100"),), regions=frozenset({"zhujiang"}))
HOME = replace(BUREAU, regions=frozenset({"bohai"}), level=Level.BUREAU)
PORT_HOME = replace(PORT_SIDE, regions=frozenset({"bohai"}), level=Level.BUREAU)


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Origin, port and a third office are members of one region, a fourth of another."""
    changed = {BUREAU.id: HOME, PORT_SIDE.id: PORT_HOME}
    everybody = (*(changed.get(one.id, one) for one in world_module.ALL if one.id != "far-bureau"), MEMBER, AFAR)
    monkeypatch.setattr(world_module, "ALL", everybody)


EXPORT, CHECKED, AT_PORT = "export_direct", "export_origin_port", "export_port"
IMPORT, IMPORT_PORT = "import_direct", "import_port"
PRISTINE = frozenset[str]()
BOHAI = frozenset({"bohai"})

WHO: list[tuple[str, str, set[str], frozenset[str]]] = [
    # mode, act, the offices, the regions whose members may as well
    (EXPORT, "accept", {ORIGIN}, BOHAI),
    (EXPORT, "order", {ORIGIN}, PRISTINE),
    (EXPORT, "inspect", {ORIGIN}, PRISTINE),
    (EXPORT, "hand_on", {ORIGIN}, PRISTINE),
    (EXPORT, "issue", {ORIGIN, PORT_BUREAU}, BOHAI),
    (EXPORT, "release", {ORIGIN, PORT_BUREAU}, BOHAI),
    (EXPORT, "control", {PORT_BUREAU}, PRISTINE),
    # Listed, and checked at the port: its office alone clears them.
    (CHECKED, "accept", {ORIGIN}, BOHAI),
    (CHECKED, "inspect", {ORIGIN}, PRISTINE),
    (CHECKED, "hand_on", {ORIGIN}, PRISTINE),
    (CHECKED, "issue", {PORT_BUREAU}, PRISTINE),
    (CHECKED, "release", {PORT_BUREAU}, PRISTINE),
    (CHECKED, "control", {PORT_BUREAU}, PRISTINE),
    # On the blacklist: the port inspects, and there is no integration at all.
    (AT_PORT, "accept", {ORIGIN}, PRISTINE),
    (AT_PORT, "inspect", {PORT_BUREAU}, PRISTINE),
    (AT_PORT, "issue", {PORT_BUREAU}, PRISTINE),
    (AT_PORT, "release", {PORT_BUREAU}, PRISTINE),
    # An import declared at the port, for another office's area: that has no say before it is handed to it.
    (IMPORT, "accept", {PORT_BUREAU}, BOHAI),
    (IMPORT, "order", {PORT_BUREAU}, PRISTINE),
    (IMPORT, "inspect", {PORT_BUREAU}, PRISTINE),
    (IMPORT, "hand_on", {PORT_BUREAU}, PRISTINE),
    (IMPORT, "issue", {PORT_BUREAU}, BOHAI),
    (IMPORT, "release", {PORT_BUREAU, ORIGIN}, BOHAI),
    (IMPORT, "control", {PORT_BUREAU}, PRISTINE),
    (IMPORT_PORT, "accept", {PORT_BUREAU}, BOHAI),
    (IMPORT_PORT, "inspect", {PORT_BUREAU}, PRISTINE),
    (IMPORT_PORT, "issue", {PORT_BUREAU}, PRISTINE),
    (IMPORT_PORT, "release", {PORT_BUREAU, ORIGIN}, PRISTINE),
    (IMPORT_PORT, "control", {PORT_BUREAU}, PRISTINE),
]


def declared(mode: str) -> Declaration:
    """A declaration that has the mode, with its number."""
    if mode in (IMPORT, IMPORT_PORT):
        goods = {"goods": [MEAT]} if mode == IMPORT_PORT else {}
        return inbound(number=f"{PORT_BUREAU}126000001", **goods)
    goods = {"goods": [FIREWORKS]} if mode == CHECKED else {}
    return outbound(number=f"{ORIGIN}226000001", **goods)


def desk_of(sender: Partner, *, black: bool = False, registered: Registered | None = None):
    """A desk at which anybody may be asked about."""
    rules = blacklisting("3701000001") if black else RULES
    occasion = MessageIn("transfer", transfer(f"{ORIGIN}226000001"), Actor(sender), "m-1", NOW)
    known: dict[Query, Answer] = {}
    for one in world_module.ALL:
        for name in one.identifiers:
            known[PartnerByIdentifier(name.scheme, name.value)] = Answer(one)
    known[SubjectOf("ciq-registration", "3701000001", RULES.day)] = Answer(registered or Registered())
    return FLOWS.desk(occasion, Facts(known), rules, NOW)


def case_of(declaration: Declaration) -> Case:
    documents = {"declaration": declaration.to_json()}
    return Case("c", 1, "accepted", FACTORY.id, documents=documents, tracks={"declaration": "accepted"})


@pytest.mark.parametrize(("mode", "act", "offices", "regions"), WHO)
def test_who_may_do_what_follows_from_mode_and_region(mode, act, offices, regions) -> None:
    """Offices by what they are to the consignment, and members of the home office's regions where the act is any's."""
    declaration = declared(mode)
    desk = desk_of(MEMBER, black=mode == AT_PORT)
    assert mode_of(desk, declaration).id == mode
    found = find_competent(desk, act, case_of(declaration), declaration)
    assert (set(found.offices), found.regions) == (offices, regions)


@pytest.mark.parametrize(
    ("partner", "own", "may"),
    [
        (HOME, None, True),
        # In the name of an office that is not its own.
        (HOME, {PORT_BUREAU}, False),
        (MEMBER, None, True),
        (MEMBER, {"210200"}, True),
        (MEMBER, {ORIGIN}, False),
        (AFAR, None, False),
        # Who is in a region and no office is no member office.
        (replace(MEMBER, roles=frozenset({Role.ENTERPRISE})), None, False),
        (replace(MEMBER, identifiers=()), None, False),
    ],
)
def test_a_member_acts_in_its_own_name(partner, own, may) -> None:
    """Whoever acts does so for an office of its own, be it named by the consignment or a member of its region."""
    assert Competent(frozenset({ORIGIN}), BOHAI).may(partner, own) is may


def why(effects: list[Effect]) -> list[str]:
    held = [code for one in of(effects, Hold) for code in codes(one.reasons)]
    return [*held, *(code for refused in of(effects, Refuse) for code in codes(refused.reasons))]


def reviewed() -> tuple[World, str]:
    """An export in review: its number is not issued yet."""
    world = World()
    world.send(outbound(goods=[FIREWORKS]), FACTORY)
    assert world.case.status == "in_review"
    return world, "E-1"


@pytest.mark.parametrize(("sender", "accepted"), [(HOME, True), (MEMBER, True), (AFAR, False), (PORT_HOME, True)])
def test_any_member_of_the_region_accepts(sender: Partner, accepted: bool) -> None:
    """通报: a member accepts for the home office; an office of another region does not."""
    world, reference = reviewed()
    effects = world.send(answer("accepted", reference=reference), sender)
    assert (world.case.tracks["declaration"] == "accepted") is accepted
    assert bool(why(effects)) is not accepted


@pytest.mark.parametrize("outcome", ["released", "refused"])
def test_a_member_does_not_judge_what_another_inspects(outcome: str) -> None:
    """通检 is about results: who inspects is the mode's to say, and a member that accepts does not judge."""
    world = World()
    world.send(outbound(), FACTORY)
    number = next(value for kind, value in world.case.keys if kind == "declaration")
    effects = world.send(answer(outcome, declaration_number=number), MEMBER)
    assert world.case.tracks.get("inspection", "none") == "none"
    assert why(effects) == ["decide.competence.elsewhere"]


@pytest.mark.parametrize(
    ("goods", "refused"), [(None, []), (FIREWORKS, ["decide.sender.not_concerned"])], ids=["off the list", "listed"]
)
def test_a_member_issues_the_notice_where_the_port_has_nothing_to_do(goods, refused) -> None:
    """通放: off the list any member clears, in its own name; what the port checks, the port clears."""
    world = World()
    world.send(outbound(goods=[goods]) if goods else outbound(), FACTORY)
    if world.case.status == "in_review":
        world.send(answer("accepted"), BUREAU)
    number = next(value for kind, value in world.case.keys if kind == "declaration")
    sent = notice(number, issuing_organisation="210200")
    assert [one for one in why(world.send(listed(sent) if goods else sent, MEMBER)) if "gate" not in one] == refused


@pytest.mark.parametrize(
    ("act", "sender", "office", "allowed"),
    [
        ("release", PORT_HOME, PORT_BUREAU, True),
        ("release", MEMBER, "210200", True),
        ("release", AFAR, "440100", False),
        ("lock", PORT_HOME, PORT_BUREAU, True),
        # What the port does with a container, its own office orders.
        ("lock", MEMBER, "210200", False),
        ("lock", HOME, ORIGIN, False),
        ("treat", MEMBER, "210200", False),
    ],
)
def test_orders_about_containers(act: str, sender: Partner, office: str, allowed: bool) -> None:
    """Any member of the region releases; the port's own office alone locks, and has treated."""
    world = World()
    world.send(inbound(), FACTORY)
    world.send(manifest(), PORT)
    if act == "release":
        world.send(order("lock"), PORT_SIDE)
    effects = world.send(order(act, organisation=office), sender)
    assert ("decide.sender.not_concerned" in why(effects)) is not allowed
    assert {RELEASE, CONTROL} <= RULES.competence.acts.keys()


def version(state: str = "registered", **attributes: object) -> Registered:
    return Registered(SubjectVersion("ciq-registration", "3701000001", 1, RULES.day, state, "x", attributes), 1, ())


APPROVALS = [
    # the partner file, the registration's word; approved
    (True, None, True),
    (False, None, False),
    (False, {"approved": True}, True),
    # A registration that withdraws the approval is newer than the file.
    (True, {"approved": False}, False),
    (True, {"approved": True, "since": "2027-01-01"}, False),
]


@pytest.mark.parametrize(("by_file", "by_registration", "approved"), APPROVALS)
def test_a_registration_goes_before_the_partner_file(by_file, by_registration, approved, monkeypatch) -> None:
    """Direct-through has one source at a time: the registration, where it says anything of it, else the partner file."""
    owner = FACTORY if by_file else replace(FACTORY, direct_through=None)
    monkeypatch.setattr(world_module, "ALL", tuple(owner if one.id == FACTORY.id else one for one in world_module.ALL))
    attributes = {} if by_registration is None else {"direct_through": by_registration}
    desk = desk_of(FACTORY, registered=version(**attributes))
    assert find_standing_of(desk, outbound()).is_approved is approved


@pytest.mark.parametrize(("direction", "mode"), [("outbound", "export_port"), ("inbound", "import_port")])
def test_a_registered_blacklisting_counts_for_modes_as_the_rules_list_does(direction, mode) -> None:
    """Whoever is excluded by registration has the strictest mode, is reviewed, and has its containers looked at."""
    black = version(blacklist=[{"since": "2020-01-01", "reason": "假报"}])
    desk = desk_of(FACTORY, registered=black)
    declaration = outbound() if direction == "outbound" else inbound()
    assert mode_of(desk, declaration).id == mode
    standing = find_standing_of(desk, declaration)
    assert (standing.is_listed, standing.treatment.value) == (True, "excluded")


SUSPENSIONS = [
    # state, what comes, whether it is refused
    ("registered", "declare", False),
    ("suspended", "declare", True),
    ("closed", "declare", True),
    ("suspended", "change", False),
    ("closed", "change", True),
    ("suspended", "cancel", False),
    ("closed", "cancel", False),
]


@pytest.mark.parametrize(("state", "act", "refused"), SUSPENSIONS)
def test_who_is_suspended_ends_what_it_began(state: str, act: str, refused: bool, monkeypatch) -> None:
    """A suspended enterprise declares nothing new; it may change and withdraw what is under way, a closed one withdraw."""
    world = World()
    if act != "declare":
        world.send(outbound(), FACTORY)
    answers = World._answer
    monkeypatch.setattr(
        World, "_answer", lambda self, query: version(state) if isinstance(query, SubjectOf) else answers(self, query)
    )
    functions = {"declare": "9", "change": "4", "cancel": "1"}
    effects = world.send(outbound(function=functions[act]), FACTORY)
    assert ("decide.enterprise.halted" in why(effects)) is refused


def test_members_learn_where_a_consignment_stands() -> None:
    """Each decision shares one summary, of the case as it is in the end, with the regions of its home office alone."""
    world = World()
    shared = of(world.send(outbound(), FACTORY), Share)
    assert [one.document.tracks[0].state for one in shared] == ["accepted"]
    number = next(value for kind, value in world.case.keys if kind == "declaration")
    world.send(transfer(number), BUREAU)
    last = of(world.send(notice(number), PORT_SIDE), Share)[-1]
    assert [one.name for one in last.audience] == ["@region:bohai"]
    summary = last.document
    assert (summary.home, summary.acting, summary.word) == (ORIGIN, PORT_BUREAU, "notified")
    assert {one.track: one.state for one in summary.tracks}["transfer"] == "taken"
    assert summary.notice == notice(number).number
    shown = RULES.views.cut(summary, frozenset({last.view}))
    assert shown == summary
    # No goods, no values, no parties.
    assert not {"goods", "consignor", "total_value_usd"} & set(summary.to_json())


def test_an_office_in_no_region_shares_nothing(monkeypatch) -> None:
    """Where the home office is a member of no region, nobody learns of its consignments."""
    monkeypatch.setattr(world_module, "ALL", tuple(BUREAU if one.id == BUREAU.id else one for one in world_module.ALL))
    world = World()
    assert of(world.send(outbound(), FACTORY), Share) == []


@pytest.mark.parametrize(
    ("sender", "home", "published"),
    [
        (HOME, ORIGIN, ["@region:bohai"]),
        # Of others' consignments only headquarters tells.
        (MEMBER, ORIGIN, []),
        (replace(MEMBER, level=Level.HQ), ORIGIN, ["@region:bohai"]),
        (BUREAU, ORIGIN, []),
        (FACTORY, ORIGIN, []),
    ],
)
def test_a_summary_of_another_node_is_read_by_its_region(sender, home, published) -> None:
    """What another node tells of its own cases stands on the feed, for members of the teller's regions."""
    summary = CaseSummary(number=f"{ORIGIN}226000001", word="accepted", home=home)
    told = of(World().send(summary, sender), Publish)
    assert [audience.name for one in told for audience in one.audience] == published


@pytest.mark.parametrize(
    ("reader", "reads"),
    [(HOME, True), (MEMBER, True), (AFAR, False), (BUREAU, False), (FACTORY, False),
     (replace(FACTORY, regions=frozenset({"bohai"})), False)],
)  # fmt: skip
def test_nobody_but_members_reads_a_region(reader: Partner, reads: bool) -> None:
    """The name of a region's audience is had by its member offices and by nobody else, whatever a partner says of itself."""
    assert ("@region:bohai" in name_audiences(reader)) is reads
    assert FLOWS.readers(RULES.feeds)["region"] == {Role.BUREAU}
