"""What a partner is to a case: by role, by declaring it, or by being named in its documents."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.decide.views import find_views
from gateway.model import Case, Partner, Role
from tests.flows.world import (
    AGENT,
    BUREAU,
    CUSTOMS,
    FACTORY,
    NEWCOMER,
    PORT,
    PORT_SIDE,
    RULES,
    STRANGER,
    World,
    inbound,
    notice,
    outbound,
    partner,
    transfer,
)


def views_of(who: Partner, *cases: Case) -> set[str]:
    return set(find_views(RULES.views, who, *cases))


def test_an_agents_declaration_has_an_owner_and_a_declarer() -> None:
    """The factory whose goods an agent declared is the owner; the agent declares; other firms are nothing to it."""
    world = World()
    world.send(outbound(declarant={"registration_number": "3701000003"}), AGENT)
    found = {who.id: views_of(who, world.case) for who in (FACTORY, AGENT, NEWCOMER)}
    assert found == {"factory": {"owner"}, "agent": {"declarer"}, "newcomer": set()}


def test_the_owner_of_an_export_is_the_consignor() -> None:
    """And of an import the consignee, whoever stands on the other side."""
    other = {"code": "3701000002", "name": "another"}
    world = World()
    world.send(outbound(consignee=other), FACTORY)
    assert views_of(NEWCOMER, world.case) == set()
    world = World()
    world.send(inbound(consignor=other), FACTORY)
    assert (views_of(FACTORY, world.case), views_of(NEWCOMER, world.case)) == ({"owner", "declarer"}, set())


def test_offices_are_in_charge_where_documents_name_them() -> None:
    """Those of the declaration are; another comes in with a transfer to it, and is an office elsewhere before."""
    world = World()
    world.send(outbound(), FACTORY)
    before = world.case
    number = next(value for kind, value in before.keys if kind == "declaration")
    assert views_of(BUREAU, before) == views_of(PORT_SIDE, before) == {"office", "bureau"}
    assert views_of(STRANGER, before) == {"bureau"}
    handed = transfer(number, to_organisation="440100").to_kept()
    after = replace(before, documents={**before.documents, "transfer": handed})
    assert views_of(STRANGER, after) == {"office", "bureau"}
    # Whoever leaves a case learns it as what it was.
    assert views_of(STRANGER, after, before) == {"office", "bureau"}


@pytest.mark.parametrize(
    ("who", "expected"), [(CUSTOMS, {"customs"}), (PORT, {"port"}), (BUREAU, {"bureau"}), (FACTORY, set())]
)
def test_without_a_case_only_roles_tell(who: Partner, expected: set[str]) -> None:
    """What concerns no case is seen as by anybody of the role."""
    assert views_of(who) == expected


def test_whoever_has_two_roles_has_the_views_of_both() -> None:
    """A port that is a yard and an office."""
    assert views_of(Partner("both", "both", frozenset({Role.PORT, Role.CUSTOMS}))) == {"port", "customs"}


def test_a_code_in_another_scheme_names_nobody() -> None:
    """An office whose customs code happens to be the number of a bureau is no office in charge."""
    world = World()
    world.send(outbound(), FACTORY)
    assert views_of(partner("x", Role.BUREAU, ("customs-office", "370100")), world.case) == {"bureau"}
    assert views_of(partner("x", Role.ENTERPRISE, ("ciq-org", "370100")), world.case) == set()


def test_a_notice_names_its_office() -> None:
    """The office that issued the notice is in charge, though the declaration does not name it."""
    kept = {"declaration": outbound().to_kept(), "clearance": notice("370100226000001").to_kept()}
    case = Case("c", 1, "notified", "factory", documents=kept)
    assert views_of(PORT_SIDE, case) == {"office", "bureau"}
