"""What leaves is cut by views: what is sent, what stands on feeds for whom, and what subscribers are given."""

from __future__ import annotations

import asyncio
import itertools
import json

from gateway.catalogue_folders import shipped
from gateway.decide.apply import Applied, CaseStep
from gateway.decide.audience import Audience, Scope
from gateway.decide.effects import Effect, Party, Publish, Purpose, Send
from gateway.decide.engine import Part
from gateway.documents import Declaration
from gateway.model import Case, Role
from gateway.registry.directory import VERSION_AGE, Directory
from gateway.trip.address import Dispatch
from gateway.trip.in_hand import InHand
from gateway.trip.render import Renderer
from tests.flows.world import inbound
from tests.trip.rig import FLOWS, PARTNERS, RULES, START, House, declaration, incoming
from tests.trip.test_answers import answer, as_json

DECLARED: Declaration = inbound(
    number="370200126000001",
    inspection_organisation="370200",
    declaration_organisation="370200",
    purpose_organisation="370100",
    consignee={"code": "3702000002", "name": "示例酒业进出口有限公司"},
)
CASE = Case("c-1", 1, "accepted", "acme", documents={"declaration": DECLARED.to_kept()})
ACME = PARTNERS[0]


async def carried(gateway: House, *effects: Effect) -> Dispatch:
    """What becomes of effects about the case."""
    readers = FLOWS.readers(RULES.at(START.date()).feeds)
    dispatch = Dispatch(Directory(gateway.store), Renderer("US", gateway.store, shipped()), readers)
    applied = Applied(cases={CASE.id: CaseStep(CASE, CASE)})
    await dispatch.carry_out([Part((), effects)], InHand("m-1", ACME, START), applied)
    return dispatch


def alerts(dispatch: Dispatch) -> list[str]:
    return [json.loads(entry.body)["alert"] for entry in dispatch.feed if entry.feed == "alerts"]


def offered(dispatch: Dispatch, feed: str = "inbox") -> dict[str, dict[str, object]]:
    """By whose the entries are, what they hold."""
    return {entry.partner_id: json.loads(entry.body) for entry in dispatch.feed if entry.feed == feed}


async def test_a_port_is_sent_what_a_port_sees(gateway: House) -> None:
    """Of a declaration that it is sent it gets the journey and the containers, and nothing of owner, values or contract."""
    send = Send(CASE.id, "declaration", DECLARED, Party(Role.PORT, partner_id="strict-port"), Purpose.PORT_CONTROL)
    dispatch = await carried(gateway, send)
    told = offered(dispatch)["strict-port"]["document"]
    assert isinstance(told, dict)
    assert (told["bill_of_lading"], told["number"]) == ("BL-1", "370200126000001")
    assert not {"goods", "consignee", "contract_number", "declarant", "client_reference"} & told.keys()
    assert "示例酒业" not in dispatch.feed[0].body.decode()


async def test_whoever_sees_nothing_of_it_is_sent_nothing(gateway: House) -> None:
    """It goes nowhere, and an operator is alerted: some flow sends what no view lets it."""
    send = Send(CASE.id, "declaration", DECLARED, Party(Role.CUSTOMS, partner_id="customs"), Purpose.INFORMATION)
    dispatch = await carried(gateway, send)
    assert (dispatch.deliveries, alerts(dispatch)) == ([], ["not_seen"])
    assert "inbox" not in {entry.feed for entry in dispatch.feed}


async def test_a_flow_may_say_as_what(gateway: House) -> None:
    """Sent as the office that it was, a port reads what an office does."""
    party = Party(Role.PORT, partner_id="strict-port")
    send = Send(CASE.id, "declaration", DECLARED, party, Purpose.INFORMATION, view="office")
    told = offered(await carried(gateway, send))["strict-port"]["document"]
    assert told == DECLARED.to_json()


async def test_each_audience_finds_its_own_cut(gateway: House) -> None:
    """One publication to an office, a role and a partner: an entry each, under one id, with what each of them sees."""
    audience = (
        Audience(Scope.OFFICE, "370200"),
        Audience(Scope.OFFICE, "44"),
        Audience(Scope.ROLE, "port"),
        Audience(Scope.PARTNER, "acme"),
        Audience(Scope.ROLE, "customs"),
    )
    publish = Publish(
        "release",
        CASE.id,
        "declaration",
        DECLARED,
        {"declaration": "1", "contract": "C-77", "release": "R-1"},
        audience=audience,
    )
    dispatch = await carried(gateway, publish)
    found = offered(dispatch, "release")
    assert found["@office:370200"] == found["acme"] == DECLARED.to_json()
    assert "consignee" not in found["@office:44"]
    assert {"goods", "consignee"}.isdisjoint(found["@role:port"])
    assert "@role:customs" not in found
    assert alerts(dispatch) == ["not_seen"]
    entries = [entry for entry in dispatch.feed if entry.feed == "release"]
    assert len({entry.document_id for entry in entries}) == 1
    keys = {entry.partner_id: set(entry.keys) for entry in entries}
    # A release's number is none of a consignment's, and is told to all.
    assert keys["@office:370200"] == keys["acme"] == {"declaration", "contract", "release"}
    assert keys["@office:44"] == keys["@role:port"] == {"declaration", "release"}


async def test_everyone_finds_one_entry_where_all_see_the_same(gateway: House) -> None:
    """The readers of a feed that see alike share an entry; those who do not have one for each role."""
    publish = Publish("release", CASE.id, "declaration", DECLARED)
    alike = offered(await carried(gateway, publish), "release")
    assert list(alike) == [""]
    unlike = offered(await carried(gateway, Publish("status", CASE.id, "declaration", DECLARED)), "status")
    assert sorted(unlike) == ["@role:bureau", "@role:port", "@role:yard"]
    assert "container_groups" in unlike["@role:bureau"]


_REFERENCES = itertools.count(1)


def asking(id_: str, **changes: object) -> bytes:
    values = {"id": id_, "function": "9", "feed": "clearance", "handing": "fetch"}
    return as_json("subscription", f"{id_}-{next(_REFERENCES)}", **values | changes)


async def notify(gateway: House, reference: str, **changes: object) -> str:
    """A consignment that gets its notice; the notice's number."""
    view = await gateway.through(declaration(reference))
    await gateway.through(answer(f"R{reference}", f"TD-{reference}", "accepted", f"A-{reference}"), "bureau")
    (case,) = await gateway.store.case(view.messages[0].case_id)
    number = dict(case.keys)["declaration"]
    values = {
        "number": f"{number}000", "function": "9", "direction": "inbound", "declaration_number": number,
        "status": "issued", "goods": [{"sequence_number": 1, "hs_code": "2204210000"}], "issuing_organisation": "370200",
    }  # fmt: skip
    view = await gateway.through(as_json("clearance", f"X{reference}", **values | changes), "bureau")
    assert [one.state.value for one in view.messages] == ["accepted"], view.messages[0].findings
    return f"{number}000"


async def ask(gateway: House, *asked: bytes) -> None:
    """Customs subscribes, and the node has had time to learn of it."""
    for one in asked:
        view = await gateway.through(one, "customs")
        assert [message.state.value for message in view.messages] == ["accepted"], view.messages[0].findings
    await asyncio.sleep(VERSION_AGE)


async def notices(gateway: House) -> list[str]:
    """The numbers of the notices that customs may fetch."""
    entries = await gateway.inbox("customs")
    return [json.loads(e.body)["document"]["number"] for e in entries if e.document_type == "clearance"]


async def test_a_subscriber_is_given_what_it_asked_for(gateway: House) -> None:
    """From its acceptance to its cancellation: what the feed says to it, filtered; and it takes part in the case then."""
    await gateway.store.import_partners([], [incoming("customs")], [])
    first = await notify(gateway, "P1")
    assert (await notices(gateway), await gateway.store.case(first, "customs")) == ([], [])
    await ask(gateway, asking("S-1"))
    second = await notify(gateway, "P2")
    assert await notices(gateway) == [second]
    assert [case.status for case in await gateway.store.case(second, "customs")] == ["notified"]
    await ask(gateway, asking("S-1", function="5", keys=[{"kind": "notice", "values": ["1"]}]))
    await notify(gateway, "P3")
    await ask(gateway, asking("S-1", function="1"))
    await notify(gateway, "P4")
    assert await notices(gateway) == [second]
    assert await gateway.store.case(first, "customs") == []


async def test_what_it_is_sent_anyway_it_is_not_given_again(gateway: House) -> None:
    """The customs office that a notice names gets it once, subscribed or not; who may not read the feed is given nothing."""
    await gateway.store.import_partners([], [incoming("customs")], [])
    await gateway.through(asking("S-2", feed="release"), "strict-port")
    await ask(gateway, asking("S-1"))
    refused = await gateway.through(asking("S-1"), "acme")
    assert [one.state.value for one in refused.messages] == ["rejected"]
    number = await notify(gateway, "P5", customs_office="4227")
    assert await notices(gateway) == [number]
    assert [entry.document_type for entry in await gateway.inbox("strict-port")] == ["response"]
