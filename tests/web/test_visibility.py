"""Who sees what of one consignment: its sender, its recipient, a stranger, the operator."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gateway import model, opening
from gateway.catalogue_folders import shipped
from gateway.check import views as check_views
from gateway.findings import make_finding
from gateway.model import Place
from gateway.reasons import reason_json
from gateway.receipt.verify import valid, verify, verify_proof
from gateway.registry.keys import hash_key
from gateway.store.contract import CaseView
from gateway.web import views
from gateway.web.identity import Caller
from tests.web.conftest import KEYS, NOW, PARTNERS, Filled, Quiet, key_of

RULES = check_views.load(shipped())


async def test_the_sender_sees_how_far_it_has_come(filled: Filled):
    """The sender sees its message, its findings, that customs is being served, and its acknowledgement."""
    view = (await filled.client.ask("GET", f"/v1/messages/{filled.payload_id}")).json
    assert view["state"] == "accepted"
    (message,) = view["messages"]
    assert (message["case"], message["findings"][0]["severity"]) == ("c-1", "warning")
    (delivery,) = view["deliveries"]
    assert (delivery["role"], delivery["state"]) == ("customs", "pending")
    (offer,) = view["offered"]
    assert offer["body"] == "UNB+...CONTRL"
    assert (await filled.client.ask("GET", offer["link"])).body == b"UNB+...CONTRL"


async def test_the_sender_learns_no_identifier_of_the_recipient(filled: Filled):
    """Nothing the sender can read about its consignment names who customs is here, nor what it was sent."""
    for path in (f"/v1/messages/{filled.payload_id}", "/v1/cases/D-1", "/v1/receipts/2"):
        answer = await filled.client.ask("GET", path)
        assert answer.status == 200
        text = answer.body.decode()
        for secret in ("customs-out", "CUSTOMS-REF-1", "<ClearanceNotice/>", '"recipient":"customs"', "customs office"):
            assert secret not in text, (path, secret)


@pytest.mark.parametrize("key", ["c-1", "D-1", "B-1"])
async def test_a_case_is_found_by_any_of_its_numbers(filled: Filled, key):
    """The case's id and each business key lead to the same case."""
    (case,) = (await filled.client.ask("GET", f"/v1/cases/{key}")).json["items"]
    assert case["id"] == "c-1"
    assert case["keys"] == {"bill": ["B-1"], "declaration": ["D-1"]}


async def test_each_party_sees_its_part_of_a_case(filled: Filled):
    """The sender has its declaration; the recipient what it was sent; a stranger nothing; the operator all."""
    client = filled.client
    (senders,) = (await client.ask("GET", "/v1/cases/c-1")).json["items"]
    assert set(senders["documents"]) == {"declaration", "clearance"}
    assert [e["kind"] for e in senders["events"]] == ["declared", "sent"]
    assert [e["text"] for e in senders["events"]] == ["taken", "向海关发出通关单"]
    (recipients,) = (await client.ask("GET", "/v1/cases/c-1", as_="customs")).json["items"]
    assert list(recipients["documents"]) == ["clearance"]
    assert recipients["messages"] == []
    assert [d["recipient"] for d in recipients["deliveries"]] == ["customs"]
    assert (await client.ask("GET", "/v1/cases/c-1", as_="rival")).status == 404
    (all_,) = (await client.ask("GET", "/v1/cases/c-1", as_="operator")).json["items"]
    assert set(all_["documents"]) == {"declaration", "clearance"}
    assert len(all_["receipts"]) == 3


@pytest.mark.parametrize(
    ("as_", "language", "texts"),
    [
        (
            "acme",
            "en",
            ["From in review to accepted: acceptance: Because it is so.", "Sent to customs: clearance notice"],
        ),
        ("acme", "zh", ["状态由“审单中”变为“已受理”：受理：Because it is so.", "向海关发出通关单"]),
        ("operator", "zh", ["状态由“审单中”变为“已受理”：受理：Because it is so.", "向海关发出通关单"]),
        ("customs", "zh", ["状态由“审单中”变为“已受理”：受理", "向海关发出通关单"]),  # the reasons are the sender's
    ],
)
async def test_each_event_is_told_in_words(filled: Filled, quiet: Quiet, as_, language, texts):
    """An event says what happened, with the status before and after, in the caller's language."""
    (view,) = await quiet.store.case("c-1")
    moved = model.CaseEvent(
        "c-1", NOW, "status", "Because it is so.", "acme", "m-1",
        details={"from": "in_review", "to": "accepted", "event": "accept"},
    )  # fmt: skip
    partner, key = next(
        (p, k) for k in KEYS for p in PARTNERS if k.hash == hash_key(key_of(as_)) and p.id == k.partner_id
    )
    shown = views.case(
        replace(view, events=(moved, view.events[1])), Caller(partner, key), language, {"customs": "customs"}, RULES
    )
    assert [e.text for e in shown.events] == texts
    assert (shown.events[0].status_from, shown.events[0].status_to) == ("in_review", "accepted")
    assert shown.status_text == {"en": "cleared", "zh": "已通关"}[language]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Came too late, and changed nothing: There is no customs office 5300 to send the notice to."),
        ("zh", "报文迟到，状态不变：没有代码为 5300 的海关，通关单无法发送"),
        ("zh-CN", "报文迟到，状态不变：没有代码为 5300 的海关，通关单无法发送"),
    ],
)
def test_reasons_are_told_in_the_language_of_their_reader(language, text):
    """A timeline keeps codes and values; whoever reads it gets them in words of its own language."""
    reason = reason_json(make_finding("decide.customs.unknown", Place(path="customs_office"), "5300"))
    event = model.CaseEvent("c-1", NOW, "late", "", "acme", details={"reasons": [reason]})
    view = CaseView("c-1", 1, "cleared", "acme", False, frozenset(), {}, (event,), (), (), (), ())
    (shown,) = views.case(view, Caller(PARTNERS[0], KEYS[0]), language, {}, RULES).events
    assert shown.text == text


@pytest.mark.parametrize(
    ("as_", "language", "text", "office"),
    [
        ("bureau", "en", "declaration: from in review to accepted, acceptance, by office 370200", "370200"),
        ("bureau", "zh", "报检单：由“审单中”变为“已受理”，受理，办理机构 370200", "370200"),
        ("acme", "en", "declaration: from in review to accepted, acceptance", None),
        ("acme", "zh", "报检单：由“审单中”变为“已受理”，受理", None),
    ],
)
def test_the_office_that_acted_is_told_with_its_act(as_, language, text, office):
    """Where an office acted, its own partner is told which of its offices that was; of others' doings it is not said."""
    event = model.CaseEvent(
        "c-1", NOW, "status", "", "bureau", "m-1",
        details={"track": "declaration", "from": "in_review", "to": "accepted", "event": "accept", "office": "370200"},
    )  # fmt: skip
    view = CaseView("c-1", 1, "accepted", as_, False, frozenset(), {}, (event,), (), (), (), ())
    partner = next(p for p in PARTNERS if p.id == "acme")
    caller = Caller(replace(partner, id=as_), replace(KEYS[0], partner_id=as_))
    (shown,) = views.case(view, caller, language, {}, RULES).events
    assert (shown.text, shown.office) == (text, office)


def test_an_event_without_an_office_names_none():
    """What no office did says nothing of one, in words or by a field."""
    event = model.CaseEvent("c-1", NOW, "status", "", "acme", details={"from": "in_review", "to": "accepted"})
    view = CaseView("c-1", 1, "accepted", "acme", False, frozenset(), {}, (event,), (), (), (), ())
    (shown,) = views.case(view, Caller(PARTNERS[0], KEYS[0]), "en", {}, RULES).events
    assert shown.office is None
    assert "office" not in (shown.text or "")


def test_what_earlier_versions_kept_of_reasons_is_still_told():
    """They kept codes and English: words that need nothing else are said anew, others stay as they were kept."""
    caller = Caller(PARTNERS[0], KEYS[0])
    whole = model.CaseEvent(
        "c-1", NOW, "repeat", "The message came again.", "acme", details={"reasons": ["decide.repeat"]}
    )
    part = model.CaseEvent("c-1", NOW, "late", "Too late.", "acme", details={"reasons": ["decide.late"]})
    view = CaseView("c-1", 1, "cleared", "acme", False, frozenset(), {}, (whole, part), (), (), (), ())
    shown = views.case(view, caller, "zh", {}, RULES)
    assert [e.text for e in shown.events] == [
        "重复报文，状态不变：重复报文，不改变状态",
        "报文迟到，状态不变：Too late.",
    ]


async def test_a_test_key_does_not_find_a_live_case(filled: Filled):
    """A test key looks among test traffic, where this case is not."""
    assert (await filled.client.ask("GET", "/v1/cases/c-1", as_="acme-test")).status == 404
    assert (await filled.client.ask("GET", "/v1/cases/c-1?test=true")).status == 404


@pytest.mark.parametrize(
    ("index", "readers"),
    [
        (0, {"acme", "operator"}),  # received: the sender's
        (1, {"acme", "operator"}),  # checked: the sender's
        (2, {"acme", "customs", "operator"}),  # delivered: the sender's and the recipient's
    ],
)
async def test_a_receipt_is_for_those_it_was_written_for(filled: Filled, index, readers):
    """Each receipt is read by its parties, with proof, and does not exist for others, test keys included."""
    for as_ in ("acme", "customs", "rival", "operator", "acme-test"):
        for suffix in ("", "/proof", "/bundle"):
            answer = await filled.client.ask("GET", f"/v1/receipts/{index}{suffix}", as_=as_)
            assert answer.status == (200 if as_ in readers else 404), (as_, suffix)


async def test_proofs_and_bundles_verify_offline(filled: Filled, quiet: Quiet):
    """What a partner fetches is verified by the public key alone; the recipient's bundle opens the commitment."""
    vkey = opening.signer(quiet.client.services.settings.receipts).vkey
    proof = await filled.client.ask("GET", "/v1/receipts/0/proof")
    assert verify_proof(proof.body, vkey) == []
    for as_, index in (("acme", 0), ("acme", 1), ("customs", 2)):
        bundle = await filled.client.ask("GET", f"/v1/receipts/{index}/bundle", as_=as_)
        assert verify(bundle.body, vkey) == []
    senders = await filled.client.ask("GET", "/v1/receipts/2/bundle")
    assert valid(verify(senders.body, vkey))
    assert b"<ClearanceNotice/>" not in senders.body
    assert b'"customs"' not in senders.body.replace(b'"recipient_role":"customs"', b"")


async def test_the_bytes_of_a_delivery_are_its_recipients(filled: Filled):
    """The recipient fetches what it was sent, byte for byte; for the sender it is not there."""
    answer = await filled.client.ask("GET", "/v1/deliveries/d-1/body", as_="customs")
    assert answer.body == b"<ClearanceNotice/>"
    assert answer.headers["Content-Type"] == "application/xml"
    assert (await filled.client.ask("GET", "/v1/deliveries/d-1/body")).status == 404


async def test_a_feed_entry_leads_to_its_document(filled: Filled):
    """A feed's entry links to the bytes whose digest it gives; they are for those who read the feed."""
    page = (await filled.client.ask("GET", "/v1/feeds/clearance", as_="customs")).json
    (entry,) = page["items"]
    assert entry["keys"] == {"notice": "N-1"}
    document = await filled.client.ask("GET", entry["link"], as_="customs")
    assert json.loads(document.body) == {"number": "N-1"}
    assert (await filled.client.ask("GET", entry["link"])).status == 404
    assert (await filled.client.ask("GET", "/v1/feeds/inbox/1", as_="rival")).status == 404


async def test_a_balance_is_its_holders(filled: Filled):
    """The holder reads its account with terms, sums and entries, page by page; the operator too; to others it is not there."""
    path = "/v1/ledgers/licence:37-1:1"
    first = (await filled.client.ask("GET", f"{path}?limit=1")).json
    assert (first["granted"], first["used"], first["available"], first["unit"]) == ("1000.50", "0.50", "1000.00", "KGM")
    assert (first["terms"]["draws_max"], first["terms"]["tolerance_percent"], first["draws"]) == (12, "5", 1)
    assert [one["id"] for one in first["entries"]] == ["37-1"]
    second = (await filled.client.ask("GET", f"{path}?limit=1&cursor={first['next']}")).json
    assert [(one["id"], one["state"], one["case"]) for one in second["entries"]] == [("420020260001:1", "used", "c-1")]
    assert second["next"] is None
    assert (await filled.client.ask("GET", path, as_="operator")).json["holder"] == "acme"
    assert (await filled.client.ask("GET", f"{path}?test=true")).status == 404
    for other in ("customs", "rival"):
        answer = await filled.client.ask("GET", path, as_=other)
        missing = await filled.client.ask("GET", "/v1/ledgers/nothing", as_=other)
        assert (answer.status, missing.status) == (404, 404)
        assert answer.body == missing.body
