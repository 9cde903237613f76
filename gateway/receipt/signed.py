"""What the gateway vouches for: the receipts of the four stages, and the signed checkpoints of their log.

A receipt is canonical JSON (RFC 8785) and a leaf of the Merkle log (`chain`); what is signed is the
log's checkpoint, once per commit, as a C2SP signed note with Ed25519. docs/receipts.md gives both
byte for byte.

Who may read what: `received` and `checked` are for the sender. `delivered`, `relayed` and `answered`
are for the sender and for the recipient, who may not know of each other, so they name the recipient
by its role and by a commitment that only the gateway and the recipient can open, and hold what the
recipient's system said only as a digest. A `checked` receipt names the places of the findings and
not the values found there: the values are in the payload, whose digest it holds, and personal data
in a log that can only grow could never be deleted.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.errors import ReceiptInvalid
from gateway.model import Delivery, Exhibit, Finding, MessageState, Payload, Role, Stage

VERSION: Final = 1
"""The version of the receipts' fields; every receipt carries it."""

LARGEST_LEAF: Final = 16 * 1024
"""Bytes up to which a `checked` receipt lists findings: some two hundred, more than anybody mends before sending again.
The log never becomes shorter, and a sender that repeats a bad interchange must not fill it; all findings are counted
and digested, and the list of all travels in a bundle."""

LARGEST_ENTRY: Final = 65_535
"""Bytes of an entry where logs are published as tiles (C2SP tlog-tiles, Log entries: its length is a uint16). No
receipt is larger, whatever its texts, so that the log can always be published so."""

LONGEST_TEXT: Final = 512
"""Bytes in UTF-8 of a text that stands whole in a receipt: twice the longest Idempotency-Key, seven times the longest
business key. Partners choose references, transport ids, formats and the names in a finding's place."""

MAX_NOTE: Final = 1_000_000
"""Characters of a note that is read at all: the limit Go's sumdb/note sets."""

MAX_SIGNATURES: Final = 100
"""Signature lines of a note that is read at all: the limit Go's sumdb/note sets; C2SP asks for 16 or more."""

_ED25519: Final = b"\x01"
"""The signature type of Ed25519 (C2SP signed-note, Signature types)."""

_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


def canonical(value: object) -> bytes:
    """`value` as RFC 8785 JSON, four times as fast as the general library.

    That holds for what receipts are made of: str, bool, None, int within +-2**53, lists, and dicts with
    ASCII keys. Numbers with a fraction are written otherwise in RFC 8785, so no receipt has any. A lone
    surrogate, which UTF-8 cannot carry, becomes a question mark.
    """
    return _encode(value).encode("utf-8", "replace")


def timestamp(at: datetime) -> str:
    """An aware time as receipts write it: RFC 3339, UTC, microseconds."""
    # isoformat takes a third of what strftime takes, and this stands in every receipt.
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def bounded(text: str) -> str:
    """`text` as it stands in a receipt: whole up to `LONGEST_TEXT` bytes, else its beginning, `…sha256:`, its digest.

    What is cut is longer than what stands whole ever is, so that no text can be taken for a cut one.
    """
    if len(text) * 4 <= LONGEST_TEXT:
        return text
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= LONGEST_TEXT:
        return text
    beginning = encoded[:LONGEST_TEXT].decode("utf-8", "ignore")
    return f"{beginning}…sha256:{hashlib.sha256(encoded).hexdigest()}"


def received(payload: Payload, *, log: str) -> bytes:
    """The receipt for the sender: these bytes are ours now."""
    return _leaf(
        {
            "at": timestamp(payload.received_at),
            "environment": _environment(payload.test),
            "payload": payload.id,
            "sender": payload.partner_id,
            "sha256": payload.sha256,
            "size": payload.size,
            "stage": Stage.RECEIVED.value,
            "transport": payload.transport,
            "transport_id": payload.transport_id,
            **({"person": payload.person_id} if payload.person_id else {}),
            **({"role": payload.role} if payload.role else {}),
        },
        log,
    )


def received_exhibit(exhibit: Exhibit, *, log: str) -> bytes:
    """The receipt for the sender of a piece of evidence: these bytes are ours now, and this was said of them."""
    return _leaf(
        {
            "at": timestamp(exhibit.received_at),
            "device": bounded(exhibit.device),
            "environment": _environment(exhibit.test),
            "media_type": bounded(exhibit.media_type),
            "payload": exhibit.id,
            "sender": exhibit.partner_id,
            "sha256": exhibit.sha256,
            "size": exhibit.size,
            "stage": Stage.RECEIVED.value,
            "taken_at": timestamp(exhibit.taken_at) if exhibit.taken_at else "",
            "transport": "http",
            "transport_id": exhibit.transport_id,
            **({"person": exhibit.person_id} if exhibit.person_id else {}),
        },
        log,
    )


def checked(
    payload: Payload,
    *,
    log: str,
    at: datetime,
    message_id: str,
    reference: str,
    format: str,  # noqa: A002  the field's name everywhere in the gateway
    verdict: MessageState,
    findings: Sequence[Finding],
    schema: str = "",
    mapping: str = "",
    parent: str = "",
) -> bytes:
    """The receipt for the sender: what syntax and schema made of one message of its payload.

    `reference` is the sender's own number of the message (UNH 0062, ST02); `schema` and `mapping` are
    the digests of the tables that judged and read it, empty where none was there. Of a document that a decision raised,
    `parent` is the id of what was decided, and the payload is the document itself, as canonical JSON.
    """
    listed = _listed(findings)
    everything = canonical(listed)
    said: dict[str, object] = {
        "at": timestamp(at),
        "environment": _environment(payload.test),
        "findings": listed,
        "findings_sha256": hashlib.sha256(everything).hexdigest(),
        "findings_total": len(listed),
        "format": format,
        "mapping": mapping,
        "message": message_id,
        "payload": payload.id,
        "payload_sha256": payload.sha256,
        "reference": reference,
        "schema": schema,
        "stage": Stage.CHECKED.value,
        "verdict": verdict.value,
        **({"parent": parent} if parent else {}),
    }
    if len(everything) > LARGEST_LEAF // 2:
        room = LARGEST_LEAF - len(_leaf(said | {"findings": []}, log))
        said["findings"] = _that_fit(listed, room)
    return _leaf(said, log)


def whole_findings(receipt: bytes, findings: Sequence[Finding]) -> bytes:
    """The list of all findings that a `checked` receipt digests, where it lists only the first; from its message's.

    Empty where the receipt lists all, or where these are not the findings it was written about.
    """
    said = json.loads(receipt)
    total = said["findings_total"]
    if len(said["findings"]) == total or len(findings) < total:
        return b""
    # A message keeps the findings of its envelope before its own.
    whole = canonical(_listed(findings)[len(findings) - total :])
    return whole if hashlib.sha256(whole).hexdigest() == said["findings_sha256"] else b""


def _listed(findings: Iterable[Finding]) -> list[dict[str, str]]:
    return [{"code": f.code, "place": bounded(str(f.place)), "severity": f.severity.value} for f in findings]


def _that_fit(listed: Sequence[dict[str, str]], room: int) -> list[dict[str, str]]:
    """The first of `listed` that take no more than `room` bytes with the commas between them."""
    for count, one in enumerate(listed):
        room -= len(canonical(one)) + (count > 0)
        if room < 0:
            return list(listed[:count])
    return list(listed)


def delivered(
    delivery: Delivery, *, log: str, at: datetime, role: Role, salt: bytes, evidence: str, answer: bytes
) -> bytes:
    """The receipt for sender and recipient: the recipient's own system has these bytes.

    `evidence` is the kind of proof (`http_digest`, `folder_rename`, `sftp_size`, `as2_mdn`, `smtp_250`),
    `answer` what the system returned, verbatim, and `salt` comes from `recipient_salt`.
    """
    return _handed_over(Stage.DELIVERED, delivery, log, at, role, salt, {"evidence": evidence, **_digest(answer)})


def relayed(
    delivery: Delivery, *, log: str, at: datetime, role: Role, salt: bytes, evidence: str, answer: bytes
) -> bytes:
    """The receipt for sender and recipient: a relay has these bytes; whether the recipient has them is not known."""
    return _handed_over(Stage.RELAYED, delivery, log, at, role, salt, {"evidence": evidence, **_digest(answer)})


def answered(
    delivery: Delivery,
    *,
    log: str,
    at: datetime,
    role: Role,
    salt: bytes,
    verdict: str,
    message_id: str,
    answer: bytes | str,
) -> bytes:
    """The receipt for sender and recipient: the recipient's business answer to a delivery.

    `message_id` and `answer` are the answering message and the payload that brought it, or its sha256 in hex where
    that is known, so that a large one is not hashed again for each of its messages; `verdict` is `accepted`,
    `rejected` or what else the answer says in one word.
    """
    said: dict[str, object] = {"answer_message": message_id, "verdict": verdict, **_digest(answer)}
    return _handed_over(Stage.ANSWERED, delivery, log, at, role, salt, said)


def recipient_salt(secret: bytes, delivery_id: str) -> bytes:
    """32 bytes that hide the recipient of one delivery; `secret` is kept like the signing key, and may be its seed."""
    return hmac.digest(secret, b"recipient of delivery\n" + delivery_id.encode(), "sha256")


def recipient_commitment(partner_id: str, salt: bytes) -> str:
    """What a receipt says instead of the recipient's id. Whoever is given id and salt can check it."""
    return hmac.digest(salt, partner_id.encode(), "sha256").hex()


def _handed_over(
    stage: Stage, delivery: Delivery, log: str, at: datetime, role: Role, salt: bytes, said: Mapping[str, object]
) -> bytes:
    return _leaf(
        {
            "at": timestamp(at),
            "case": delivery.case_id,
            "delivery": delivery.id,
            "document": delivery.document_type,
            "environment": _environment(delivery.test),
            "kind": delivery.kind.value,
            "message": delivery.message_id,
            "recipient": recipient_commitment(delivery.partner_id, salt),
            "recipient_role": role.value,
            "sha256": delivery.sha256,
            "size": len(delivery.body),
            "stage": stage.value,
            **said,
        },
        log,
    )


def _leaf(said: Mapping[str, object], log: str) -> bytes:
    """The receipt that says this: in canonical form, with its version and log, each of its texts bounded."""
    fields = {name: bounded(value) if isinstance(value, str) else value for name, value in said.items()}
    # The log's name is never cut: a verifier compares it, and the configuration bounds it.
    return canonical({**fields, "log": log, "version": VERSION})


def _digest(answer: bytes | str) -> dict[str, str]:
    return {"answer_sha256": answer if isinstance(answer, str) else hashlib.sha256(answer).hexdigest()}


def _environment(test: bool) -> str:
    return "test" if test else "production"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log at one size (C2SP tlog-checkpoint): its origin, its number of leaves, its root hash."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """The text that is signed."""
        root = base64.b64encode(self.root).decode()
        return "".join(f"{line}\n" for line in (self.origin, str(self.size), root, *self.extensions))

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The inverse of `text`; ReceiptInvalid where it is not the text of a checkpoint."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
            raise ReceiptInvalid("a checkpoint is three lines or more, none of them empty")
        origin, size, root, *extensions = lines[:-1]
        if not re.fullmatch("0|[1-9][0-9]{0,18}", size):
            raise ReceiptInvalid("the tree size of the checkpoint is no plain number")
        value = _base64(root)
        if len(value) != 32:
            raise ReceiptInvalid("the root hash of the checkpoint is no SHA-256 hash")
        return cls(origin, int(size), value, tuple(extensions))


class Signer:
    """Signs notes under one name with one Ed25519 key. The name is the log's origin."""

    def __init__(self, name: str, seed: bytes) -> None:
        """`seed` is the 32-byte private key of RFC 8032. ReceiptInvalid for a name no note can carry."""
        if len(seed) != 32:
            raise ReceiptInvalid("an Ed25519 seed has 32 bytes")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._seed = seed
        self.verifier = Verifier.of(name, self._key.public_key().public_bytes_raw())
        self.name = name

    @classmethod
    def from_skey(cls, skey: str) -> Signer:
        """The signer of a private key in the form Go's sumdb/note writes: `PRIVATE+KEY+name+id+key`."""
        name, key_id, seed = _key_fields(skey.strip(), "PRIVATE+KEY+")
        signer = cls(name, seed)
        if signer.verifier.key_id.hex() != key_id:
            raise ReceiptInvalid("the key's id does not belong to its name and key")
        return signer

    @property
    def skey(self) -> str:
        """The private key as one line of text. Keep it secret."""
        key = base64.b64encode(_ED25519 + self._seed).decode()
        return f"PRIVATE+KEY+{self.name}+{self.verifier.key_id.hex()}+{key}"

    @property
    def vkey(self) -> str:
        """The public key as one line of text, to be given to every partner by a way they trust."""
        return self.verifier.vkey

    def renamed(self, name: str) -> Signer:
        """The same key under another name, which is another key to every verifier."""
        return Signer(name, self._seed)

    def sign(self, text: str) -> str:
        """The signed note of `text`, which ends with a newline."""
        if not text.endswith("\n") or _forbidden(text):
            raise ReceiptInvalid("the text of a note ends with a newline and has no other control characters")
        signature = base64.b64encode(self.verifier.key_id + self._key.sign(text.encode())).decode()
        return f"{text}\n— {self.name} {signature}\n"

    def checkpoint(self, size: int, root: bytes) -> str:
        """The signed checkpoint of this signer's log at `size` leaves."""
        return self.sign(Checkpoint(self.name, size, root).text())


class Verifier:
    """Checks notes against one public key, given as `name+id+key` in the form Go's sumdb/note writes."""

    def __init__(self, vkey: str) -> None:
        """ReceiptInvalid where `vkey` is no Ed25519 verifier key, or its id does not belong to it."""
        name, key_id, key = _key_fields(vkey.strip(), "")
        if not name or "+" in name or _forbidden(name) or any(c.isspace() for c in name):
            raise ReceiptInvalid("a key's name is not empty and has no spaces, plus signs or control characters")
        self.name = name
        self.key_id = hashlib.sha256(name.encode() + b"\n" + _ED25519 + key).digest()[:4]
        if self.key_id.hex() != key_id:
            raise ReceiptInvalid("the key's id does not belong to its name and key")
        self.vkey = vkey.strip()
        self._public_key = key
        self._key = Ed25519PublicKey.from_public_bytes(key)

    def renamed(self, name: str) -> Verifier:
        """The verifier of the same key under another name."""
        return Verifier.of(name, self._public_key)

    @classmethod
    def of(cls, name: str, public_key: bytes) -> Verifier:
        """The verifier of a raw 32-byte public key under a name."""
        key_id = hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).hexdigest()[:8]
        return cls(f"{name}+{key_id}+{base64.b64encode(_ED25519 + public_key).decode()}")

    def open(self, note: str) -> str:
        """The text of `note`; ReceiptInvalid unless this key signed it. Signatures of other keys are not judged."""
        if len(note) > MAX_NOTE or _forbidden(note):
            raise ReceiptInvalid("this is no signed note")
        text, blank, signatures = note.rpartition("\n\n")
        text += "\n"
        lines = signatures.split("\n")
        if not blank or lines.pop() or not lines or len(lines) > MAX_SIGNATURES:
            raise ReceiptInvalid("this is no signed note")
        signed = False
        for line in lines:
            dash, _, rest = line.partition(" ")
            name, _, encoded = rest.partition(" ")
            signature = _base64(encoded)
            if dash != "—" or not name or len(signature) < 5:
                raise ReceiptInvalid("a signature line of the note is malformed")
            if name != self.name or signature[:4] != self.key_id:
                continue
            try:
                self._key.verify(signature[4:], text.encode())
            except InvalidSignature:
                raise ReceiptInvalid("the signature does not belong to the text") from None
            signed = True
        if not signed:
            raise ReceiptInvalid(f"the note is not signed by {self.name} with this key")
        return text

    def checkpoint(self, note: str) -> Checkpoint:
        """The checkpoint in `note`; ReceiptInvalid unless this key signed it for the log of its own name."""
        found = Checkpoint.parse(self.open(note))
        if found.origin != self.name:
            raise ReceiptInvalid(f"the checkpoint is of the log {found.origin}, not of {self.name}")
        return found


def _key_fields(text: str, prefix: str) -> tuple[str, str, bytes]:
    """(name, key id in hex, 32 key bytes) of a key; the base64 part may hold plus signs itself."""
    fields = text[len(prefix) :].split("+", 2)
    if not text.startswith(prefix) or len(fields) != 3:
        raise ReceiptInvalid("this is no key of a signed note")
    name, key_id, encoded = fields
    key = _base64(encoded)
    if len(key) != 33 or key[:1] != _ED25519:
        raise ReceiptInvalid("the key is no Ed25519 key")
    return name, key_id, key[1:]


def _base64(text: str) -> bytes:
    """`text` decoded; ReceiptInvalid unless it is the one way to write its bytes, so that no changed character hides."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if base64.b64encode(value).decode() != text:
        raise ReceiptInvalid("this is not base64")
    return value


def _forbidden(text: str) -> bool:
    """Whether `text` holds what no note may: control characters other than newline, or lone surrogates."""
    return re.search("[\x00-\x09\x0b-\x1f\ud800-\udfff]", text) is not None
