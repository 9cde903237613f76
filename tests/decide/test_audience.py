"""Audiences: an entry's name is among a reader's exactly where it is addressed to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decide.audience import EVERYONE, Audience, Scope, is_partner, name_audiences
from gateway.model import Identifier, Partner, Role
from tests.flows.world import BUREAU, CUSTOMS, FACTORY, PORT

AT_PORT = Partner("quay", "Quay", frozenset({Role.PORT}), (Identifier("un-locode", "CNTAO"),))
ADDRESSED = [
    # audience, reader, whether it is addressed
    (EVERYONE, FACTORY, True),
    (Audience(Scope.PARTNER, "factory"), FACTORY, True),
    (Audience(Scope.PARTNER, "factory"), BUREAU, False),
    (Audience(Scope.ROLE, "bureau"), BUREAU, True),
    (Audience(Scope.ROLE, "bureau"), CUSTOMS, False),
    # All of Shandong, all of Jinan, the office itself; not Qingdao, and no office of a longer code.
    (Audience(Scope.OFFICE, "37"), BUREAU, True),
    (Audience(Scope.OFFICE, "3701"), BUREAU, True),
    (Audience(Scope.OFFICE, "370100"), BUREAU, True),
    (Audience(Scope.OFFICE, "3702"), BUREAU, False),
    (Audience(Scope.OFFICE, "3701001"), BUREAU, False),
    # A customs office's code is no inspection office's.
    (Audience(Scope.OFFICE, "42"), CUSTOMS, False),
    (Audience(Scope.CUSTOMS_OFFICE, "42"), CUSTOMS, True),
    (Audience(Scope.CUSTOMS_OFFICE, "4200"), CUSTOMS, True),
    (Audience(Scope.PORT, "CNTAO"), AT_PORT, True),
    # A port is told by its whole code.
    (Audience(Scope.PORT, "CN"), AT_PORT, False),
    (Audience(Scope.PORT, "CNTAO"), PORT, False),
]


@pytest.mark.parametrize(("audience", "reader", "addressed"), ADDRESSED)
def test_who_is_addressed(audience: Audience, reader: Partner, addressed: bool) -> None:
    """By role, by the beginning of an office's code, by port, or by name."""
    assert (audience.name in name_audiences(reader)) is addressed


def test_no_partner_can_be_called_as_an_audience_is() -> None:
    """Ids of partners begin with a letter or digit, names of wider audiences do not."""
    assert [is_partner(a.name) for a, _, _ in ADDRESSED] == [a.scope is Scope.PARTNER for a, _, _ in ADDRESSED]
    assert not is_partner("@operator")


@given(st.sampled_from(list(Role)), st.text("0123456789", min_size=6, max_size=6), st.text("0123456789", min_size=1))
def test_what_an_audience_knows_of_its_readers_makes_one_of_them(role: Role, code: str, beginning: str) -> None:
    """Whoever is no more than what an audience says is addressed by it, and by no other of its scope that does not fit."""
    for audience in (
        Audience(Scope.ROLE, role.value),
        Audience(Scope.OFFICE, code),
        Audience(Scope.CUSTOMS_OFFICE, code),
    ):
        assert audience.name in name_audiences(audience.reader)
    names = name_audiences(Audience(Scope.OFFICE, code).reader)
    assert (Audience(Scope.OFFICE, beginning).name in names) is code.startswith(beginning)
    assert len(set(names)) == len(names)
