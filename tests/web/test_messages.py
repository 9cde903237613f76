from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import zlib

import pytest

from gateway.data import samples
from gateway.receipt.proof import Proof
from gateway.web.api import messages
from tests.web.conftest import KEYS, Client

BODY = b"UNB+UNOA:3+ACME+GATEWAY+260101:0900+1'UNH+1+CUSDEC:D:96B:UN'UNT+2+1'UNZ+1+1'"


async def test_a_message_is_answered_with_its_receipt(client: Client):
    """POST answers 202 with where to look, the digest of what arrived, and the receipt."""
    answer = await client.send(BODY)
    assert answer.status == 202
    assert answer.headers["Location"] == f"/v1/messages/{answer.json['id']}"
    digest = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    assert answer.headers["Received-Digest"] == f"sha-256=:{digest}:"
    assert answer.json["receipt"]["sha256"] == hashlib.sha256(BODY).hexdigest()
    assert answer.json["receipt"]["sender"] == "acme"
    assert answer.json["duplicate"] is False


async def test_a_repeated_key_gets_the_same_receipt(client: Client):
    """The same bytes under the same Idempotency-Key get the stored receipt again, byte for byte, and one payload."""
    key = {"Idempotency-Key": "k-1"}
    first, second = await client.send(BODY, headers=key), await client.send(BODY, headers=key)
    assert second.status == 202
    assert second.json["duplicate"] is True
    cut = first.body.index(b'"receipt_index"')
    assert second.body[second.body.index(b'"receipt_index"') :] == first.body[cut:]
    assert len((await client.ask("GET", "/v1/messages")).json["items"]) == 1


async def test_a_key_with_other_bytes_is_refused(client: Client):
    """Other bytes under a used Idempotency-Key are 409; another partner's keys are its own."""
    key = {"Idempotency-Key": "k-1"}
    assert (await client.send(BODY, headers=key)).status == 202
    refused = await client.send(BODY + b" ", headers=key)
    assert refused.status == 409
    assert refused.json["type"].endswith(":idempotency-key-reused")
    assert (await client.send(BODY + b" ", headers=key, as_="rival")).status == 202


async def test_simultaneous_repeats_make_one_payload(client: Client):
    """A client that repeats itself before it was answered gets one receipt, not several."""
    key = {"Idempotency-Key": "k-2"}
    answers = await asyncio.gather(*(client.send(BODY, headers=key) for _ in range(10)))
    assert {a.status for a in answers} == {202}
    assert len({a.json["receipt_index"] for a in answers}) == 1
    assert sum(not a.json["duplicate"] for a in answers) == 1


@pytest.mark.parametrize(
    ("body", "headers", "status", "kind"),
    [
        (b"", {}, 415, "unreadable"),  # nothing
        (BODY, {"Content-Encoding": "br"}, 415, "unreadable"),  # an encoding that is not read
        (zlib.compress(BODY), {"Content-Encoding": "deflate"}, 415, "unreadable"),  # nor is this one
        (BODY, {"Idempotency-Key": "x" * 256}, 400, "bad-request"),
        (BODY, {"Content-Digest": f"sha-256=:{base64.b64encode(bytes(32)).decode()}:"}, 400, "bad-request"),
        (BODY, {"Content-Digest": hashlib.sha256(BODY).hexdigest()}, 400, "bad-request"),  # not as RFC 9530 says
        (BODY, {"Content-Digest": f"sha-256={base64.b64encode(bytes(32)).decode()}"}, 400, "bad-request"),
        (BODY, {"Content-Digest": "sha-256=:AAAA:"}, 400, "bad-request"),  # no digest of that length
        (BODY, {"Content-Digest": "sha-256=:A:"}, 400, "bad-request"),  # no base64
        (BODY, {"Content-Digest": ""}, 400, "bad-request"),
    ],
)
async def test_what_cannot_be_taken_is_refused(client: Client, body, headers, status, kind):
    """A payload that cannot be taken in is refused with a problem, and nothing is kept."""
    answer = await client.send(body, headers=headers)
    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json["type"] == f"urn:edi-gateway:problem:{kind}"
    assert (await client.ask("GET", "/v1/messages")).json["items"] == []


async def test_the_digest_is_of_the_bytes_that_arrived(client: Client):
    """A gzip payload is kept, and vouched for, compressed as it came."""
    packed = gzip.compress(BODY, mtime=0)
    answer = await client.send(packed, headers={"Content-Encoding": "gzip"})
    assert answer.json["receipt"]["sha256"] == hashlib.sha256(packed).hexdigest()
    view = await client.processed(answer.json["id"])
    assert view["sha256"] == hashlib.sha256(packed).hexdigest()
    assert [m["format"] for m in view["messages"]] == ["edifact:CUSDEC:D:96B:UN"]


async def test_a_good_content_digest_is_taken(client: Client):
    """A sender that names the digest of its content is answered as any other."""
    digest = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    answer = await client.send(BODY, headers={"Content-Digest": f"sha-512=:AAAA:, sha-256=:{digest}:"})
    assert answer.status == 202


class TestSmallLimit:
    @pytest.fixture
    def changes(self):
        return {"limits": {"payload_bytes": 1000}}

    @pytest.mark.parametrize("chunked", [False, True])
    async def test_too_large_is_413(self, client: Client, chunked):
        """More than the limit is 413 and told so, whether its length was announced or not."""

        async def pieces():
            for _ in range(5):
                yield bytes(300)

        for language, detail in (("en", "At most 1000 bytes"), ("zh", "一次最多接收 1000 字节。")):
            body = pieces() if chunked else bytes(1500)
            answer = await client.send(body, headers={"Accept-Language": language})
            assert answer.status == 413
            assert answer.json["type"].endswith(":too-large")
            assert answer.json["detail"].startswith(detail)


class TestWatermark:
    @pytest.fixture
    def changes(self):
        return {"store": {"free_bytes": 2**62}}

    async def test_a_full_disk_is_503(self, client: Client):
        """Below the disk's watermark senders are told to come back, and load balancers to look elsewhere."""
        answer = await client.send(BODY)
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) >= 1
        ready = await client.ask("GET", "/readyz", as_="")
        assert (ready.status, ready.json["checks"]["disk"]) == (503, False)


class TestRate:
    @pytest.fixture
    def changes(self):
        return {"limits": {"requests_per_second": 2}}

    async def test_too_many_requests_are_429(self, client: Client):
        """Above its rate a partner is told when to come back; another partner is not affected."""
        answers = [await client.ask("GET", "/v1/messages") for _ in range(6)]
        refused = [a for a in answers if a.status == 429]
        assert refused
        assert all(int(a.headers["Retry-After"]) >= 1 for a in refused)
        assert (await client.ask("GET", "/v1/messages", as_="rival")).status == 200


async def test_the_verdict_is_told_in_the_callers_language(client: Client):
    """Findings come in the language of Accept-Language, else in the partner's own."""
    id_ = (await client.send(BODY)).json["id"]
    view = await client.processed(id_)
    assert view["state"] == "rejected"
    chinese = [f["text"] for m in view["messages"] for f in m["findings"]]
    english = await client.ask("GET", f"/v1/messages/{id_}", headers={"Accept-Language": "en-GB"})
    assert english.headers["Content-Language"] == "en"
    texts = [f["text"] for m in english.json["messages"] for f in m["findings"]]
    assert any("\u4e00" <= c <= "\u9fff" for c in "".join(chinese))
    assert "".join(texts).isascii()
    assert len(texts) == len(chinese)


async def test_receipts_of_a_message_can_be_proven(client: Client):
    """Each receipt of a payload leads to a proof."""
    id_ = (await client.send(BODY)).json["id"]
    view = await client.processed(id_)
    assert [r["stage"] for r in view["receipts"]][:2] == ["received", "checked"]
    for receipt in view["receipts"]:
        proven = await client.ask("GET", receipt["link"])
        assert proven.status == 200
        assert proven.json["receipt"] == receipt
        proof = await client.ask("GET", receipt["proof"])
        assert Proof.parse(proof.body.decode()).receipt == receipt["body"].encode()


async def test_a_list_is_paged_newest_first(client: Client):
    """Following `next` visits every payload once, newest first."""
    sent = [(await client.send(BODY.replace(b"+1'UNH", b"+%d'UNH" % n))).json["id"] for n in range(5)]
    seen, cursor = [], ""
    while cursor is not None:
        page = (await client.ask("GET", f"/v1/messages?limit=2&cursor={cursor}")).json
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
    assert seen == sent[::-1]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "limit=٣", "state=lost", "cursor=AAAA", "cursor=é"]
)
async def test_a_wrong_parameter_is_400(client: Client, query):
    """A parameter that cannot be is told, not ignored."""
    answer = await client.ask("GET", f"/v1/messages?{query}")
    assert answer.status == 400
    assert answer.json["detail"]


async def test_the_list_takes_every_state_that_is_shown(client: Client):
    """`state` takes each state that an item may show, and gives those items and no others."""
    rejected = (await client.send(BODY)).json["id"]
    await client.processed(rejected)
    accepted = (await client.send((samples() / "declaration/cancellation/in.json").read_bytes())).json["id"]
    shown = (await client.processed(accepted))["state"]
    for state in messages.STATES:
        page = (await client.ask("GET", f"/v1/messages?state={state}")).json
        assert [item["id"] for item in page["items"]] == [
            id_ for id_, is_ in ((accepted, shown), (rejected, "rejected")) if is_ == state
        ], state
        assert page["next"] is None


@pytest.mark.parametrize("wrapped", [True, False])
async def test_a_json_document_comes_in_its_envelope_or_bare(client: Client, wrapped):
    """A document as JSON is taken with its envelope and without, as docs/api.md says."""
    document = json.loads((samples() / "declaration/import_sea_container/document.json").read_bytes())
    body = {"format": "json:declaration:1", "reference": "R-1", "document": document} if wrapped else document
    view = await client.processed((await client.send(json.dumps(body).encode())).json["id"])
    assert [(m["format"], m["reference"]) for m in view["messages"]] == [
        ("json:declaration:1", "R-1" if wrapped else "")
    ]


async def test_a_json_document_that_could_be_anything_needs_its_envelope(client: Client):
    """A bare object that resembles no document is rejected, and told what is missing."""
    view = await client.processed((await client.send(b'{"a": 1}')).json["id"])
    assert [f["code"] for m in view["messages"] for f in m["findings"]] == ["json.format_missing"]


async def test_a_partner_sees_its_own_only(client: Client):
    """What another partner sent is not there, neither by id nor in the list; the operator sees it."""
    id_ = (await client.send(BODY)).json["id"]
    assert (await client.ask("GET", f"/v1/messages/{id_}", as_="rival")).status == 404
    assert (await client.ask("GET", "/v1/messages", as_="rival")).json["items"] == []
    assert (await client.ask("GET", f"/v1/messages/{id_}", as_="operator")).status == 200
    assert len((await client.ask("GET", "/v1/messages", as_="operator")).json["items"]) == 1


async def test_what_is_not_there_looks_like_what_is_not_yours(client: Client):
    """404 says the same of a foreign message as of none, so that ids cannot be probed."""
    id_ = (await client.send(BODY)).json["id"]
    foreign = await client.ask("GET", f"/v1/messages/{id_}", as_="rival")
    missing = await client.ask("GET", f"/v1/messages/{'0' * 32}", as_="rival")
    assert foreign.body == missing.body


async def test_a_test_key_sends_and_sees_test_traffic_only(client: Client):
    """What a test key sends is test traffic; what its partner sends in earnest it does not see."""
    live = (await client.send(BODY)).json["id"]
    trial = (await client.send(BODY, as_="acme-test")).json["id"]
    assert (await client.ask("GET", f"/v1/messages/{live}", as_="acme-test")).status == 404
    view = await client.processed(trial, as_="acme-test")
    assert view["test"] is True
    assert all(json.loads(r["body"])["environment"] == "test" for r in view["receipts"])
    listed = (await client.ask("GET", "/v1/messages", as_="acme-test")).json["items"]
    assert [item["id"] for item in listed] == [trial]


def test_every_key_of_these_tests_is_told_apart():
    """The keys above have distinct hashes."""
    assert len({key.hash for key in KEYS}) == len(KEYS)
