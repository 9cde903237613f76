"""A small log with all stages in it, as the store would hand it to the bundle and the verifier."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from gateway.model import Delivery, DeliveryKind, Finding, MessageState, Payload, Place, Receipt, Role, Severity, Stage
from gateway.receipt import chain, signed
from gateway.receipt.bundle import make_bundle

LOG = "gateway.example/receipts"
SIGNER = signed.Signer(LOG, bytes(range(32)))
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
DECLARATION = b"UNH+1+CUSDEC:D:96B:UN'BGM+929+220000126000001'UNT+3+1'"
TRANSFER = "<transfer><name>海港贸易</name></transfer>".encode()
ANSWER = b'{"digest":"sha-256=..."}'
SECRET = b"a secret of the gateway"


class Log:
    """Receipts in a tree, with a checkpoint over each commit."""

    def __init__(self, bodies, commits):
        self.bodies = bodies
        self.frontier = chain.Frontier()
        self.nodes = {}
        self.checkpoints = []
        at = 0
        for count in commits:
            for level, index, value in self.frontier.append(map(chain.leaf_hash, bodies[at : at + count])):
                self.nodes[level, index] = value
            at += count
            self.checkpoints.append(SIGNER.checkpoint(at, self.frontier.root()))

    def get(self, level, index):
        return self.nodes[level, index]

    def proven(self, index):
        return self.receipt(index), chain.inclusion_proof(index, self.frontier.size, self.get)

    def receipt(self, index):
        body = self.bodies[index]
        stage = next(s for s in Stage if b'"stage":"%s"' % s.encode() in body)
        return Receipt(index, stage, f"s{index}", body)


def received(number, body=None, log=LOG):
    content = body if body is not None else b"payload %d" % number
    digest = hashlib.sha256(content).hexdigest()
    at = AT + timedelta(seconds=number)
    return signed.received(Payload(f"p{number}", "harbour-trading", "http", "", digest, len(content), at), log=log)


def story():
    """The receipts of one declaration, among others."""
    payload = Payload(
        "p3", "harbour-trading", "http", "order-77", hashlib.sha256(DECLARATION).hexdigest(), len(DECLARATION), AT
    )
    digest = hashlib.sha256(TRANSFER).hexdigest()
    delivery = Delivery(
        "d1",
        "port-bureau",
        "a1",
        "l",
        DeliveryKind.DOCUMENT,
        "transfer",
        "xml:transfer:1",
        TRANSFER,
        digest,
        "m1",
        "c1",
    )
    found = [Finding("edi.element.too_long", Severity.WARNING, Place("1", 2, "BGM", 2, 1))]
    handed = {"log": LOG, "at": AT, "role": Role.BUREAU, "salt": salt(), "answer": ANSWER}
    return [
        signed.received(payload, log=LOG),
        signed.checked(
            payload,
            log=LOG,
            at=AT,
            message_id="m1",
            reference="1",
            format="edifact:CUSDEC:D:96B:UN",
            verdict=MessageState.ACCEPTED,
            findings=found,
            schema="ee" * 32,
            mapping="ff" * 32,
        ),
        signed.delivered(delivery, evidence="http_digest", **handed),
        signed.answered(delivery, verdict="accepted", message_id="m2", **handed),
    ]


def salt():
    return signed.recipient_salt(SECRET, "d1")


def sample_log():
    """Eleven entries in four commits; the story is at 3 to 6."""
    return Log([received(n) for n in range(3)] + story() + [received(n) for n in range(7, 11)], [2, 3, 1, 5])


def sample_bundle(**more):
    """The story's bundle, complete."""
    log = sample_log()
    parts = {"payloads": [DECLARATION, TRANSFER, ANSWER]} | more
    return make_bundle(log.checkpoints[-1], [log.proven(n) for n in range(3, 7)], **parts)
