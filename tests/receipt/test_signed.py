import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ReceiptInvalid
from gateway.findings import make_finding
from gateway.model import Delivery, DeliveryKind, Finding, MessageState, Payload, Place, Role, Severity, Stage
from gateway.receipt import signed
from gateway.receipt.signed import Checkpoint, Signer, Verifier

LOG = "gateway.example/receipts/1"
AT = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
SIGNER = Signer(LOG, bytes(range(32)))

# The key and note of the test suite of golang.org/x/mod/sumdb/note, which other implementations share.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SKEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
GO_NOTE = f"{GO_TEXT}\n{GO_LINE}"

PAYLOAD = Payload("p1", "harbour-trading", "http", "order-77", "ab" * 32, 2048, AT)
DELIVERY = Delivery(
    "d1",
    "port-bureau",
    "a1",
    "lane",
    DeliveryKind.DOCUMENT,
    "transfer",
    "xml:transfer:1",
    b"<x/>",
    "cd" * 32,
    "m1",
    "c1",
)
SALT = signed.recipient_salt(b"secret of the gateway", "d1")
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner),
    max_leaves=20,
)


def check(findings=(), **changed):
    fields = {
        "log": LOG,
        "at": AT,
        "message_id": "m1",
        "reference": "1",
        "format": "edifact:CUSDEC:D:96B:UN",
        "verdict": MessageState.REJECTED,
        "schema": "ee" * 32,
        "mapping": "ff" * 32,
    }
    return signed.checked(PAYLOAD, findings=findings, **(fields | changed))


def hand_over(make, **changed):
    return make(
        DELIVERY, **({"log": LOG, "at": AT, "role": Role.BUREAU, "salt": SALT, "answer": b"sha-256=..."} | changed)
    )


ALL = {
    "received": signed.received(PAYLOAD, log=LOG),
    "checked": check([make_finding("edi.element.too_long", place=Place("1", 12, "CST", 3, 1), value="8471300000X")]),
    "relayed": hand_over(signed.relayed, evidence="smtp_250"),
    "delivered": hand_over(signed.delivered, evidence="http_digest"),
    "answered": hand_over(signed.answered, verdict="accepted", message_id="m2"),
}


@given(JSON)
def test_canonical_is_rfc_8785(value):
    """The quick writer gives what the RFC 8785 library gives, for all that receipts are made of."""
    assert signed.canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("stage", ALL)
def test_receipts_are_canonical_and_say_what_they_are(stage):
    """Every receipt is canonical JSON with its stage, version, log and environment."""
    fields = json.loads(ALL[stage])
    assert rfc8785.dumps(fields) == ALL[stage]
    assert (fields["stage"], fields["version"], fields["log"], fields["environment"]) == (stage, 1, LOG, "production")
    assert fields["at"] == "2026-03-04T05:06:07.000089Z"


def test_a_received_receipt_reads_as_documented():
    """The receipt of a payload, byte for byte."""
    assert ALL["received"] == (
        b'{"at":"2026-03-04T05:06:07.000089Z","environment":"production","log":"gateway.example/receipts/1",'
        b'"payload":"p1","sender":"harbour-trading","sha256":"' + b"ab" * 32 + b'","size":2048,"stage":"received",'
        b'"transport":"http","transport_id":"order-77","version":1}'
    )


def test_times_are_written_in_utc():
    """A time of another zone is the same moment in UTC."""
    assert signed.timestamp(AT.astimezone(timezone(timedelta(hours=8)))) == signed.timestamp(AT)


def test_a_checked_receipt_names_places_and_no_values():
    """A finding's code, place and severity are evidence; the value stays in the payload."""
    fields = json.loads(ALL["checked"])
    assert fields["findings"] == [{"code": "edi.element.too_long", "place": "CST 12, 3.1", "severity": "error"}]
    assert b"8471300000X" not in ALL["checked"]


@pytest.mark.parametrize(
    ("count", "path"),
    [
        (2_001, ""),  # as many as a check finds before it stops
        (2_001, "/Declaration/GoodsShipment/GovernmentAgencyGoodsItem/Commodity/Classification/ID"),
        (300, "/" + "很长的名字" * 30),  # three bytes a character
        (300, "/" + "\x01" * 500),  # six bytes a character in JSON
        (20, "/" + "n" * 1_000_000),  # a path longer than the log's largest entry
        (1, ""),
        (0, ""),
    ],
)
def test_a_checked_receipt_is_bounded_and_still_vouches_for_all_findings(count, path):
    """Of more findings than fit in 16 KiB, the first are listed, and all are counted and digested."""
    found = [Finding("x", Severity.NOTE, Place(tag="CST", segment=n, path=path)) for n in range(1, count + 1)]
    body = check(found)
    fields = json.loads(body)
    places = [signed.bounded(Place(path=path).path) or f"CST {n}" for n in range(1, count + 1)]
    whole = [{"code": "x", "place": place, "severity": "note"} for place in places]
    listed = len(fields["findings"])
    assert fields["findings"] == whole[:listed]
    assert fields["findings_total"] == len(whole)
    assert fields["findings_sha256"] == hashlib.sha256(rfc8785.dumps(whole)).hexdigest()
    assert len(body) <= 16_384
    if listed < count:
        # One more would not have fitted.
        assert len(body) + len(rfc8785.dumps(whole[listed])) + 1 > 16_384
        envelope = [Finding("y", Severity.NOTE)]
        assert signed.whole_findings(body, [*envelope, *found]) == rfc8785.dumps(whole)
        assert signed.whole_findings(body, found[:-1]) == b""
        assert signed.whole_findings(body, [*found[:-1], *envelope]) == b""
    else:
        assert signed.whole_findings(body, found) == b""


@pytest.mark.parametrize("character", ["a", "é", "名", "😀", "\x00", '"', "\ud800"])
def test_no_text_makes_a_receipt_larger_than_a_tile_holds(character):
    """Whatever a partner or an operator writes, however long, each kind of receipt stays below 65,535 bytes."""
    long = character * 1_000_000
    payload = replace(PAYLOAD, id=long, partner_id=long, transport=long, transport_id=long)
    delivery = replace(DELIVERY, id=long, message_id=long, case_id=long, document_type=long)
    handed = {"log": "l" * 255, "at": AT, "role": Role.BUREAU, "salt": SALT, "answer": b""}
    found = [Finding(long, Severity.ERROR, Place(path=long))] * 3
    bodies = [
        signed.received(payload, log="l" * 255),
        signed.checked(
            payload, log="l" * 255, at=AT, message_id=long, reference=long, format=long,
            verdict=MessageState.REJECTED, findings=found, schema=long, mapping=long,
        ),
        signed.delivered(delivery, evidence=long, **handed),
        signed.relayed(delivery, evidence=long, **handed),
        signed.answered(delivery, verdict=long, message_id=long, **handed),
    ]  # fmt: skip
    assert {json.loads(body)["stage"] for body in bodies} == {stage.value for stage in Stage}
    assert max(map(len, bodies)) <= signed.LARGEST_ENTRY == 65_535
    # What partners choose: the transport id; the reference and the format.
    assert len(signed.received(replace(PAYLOAD, transport_id=long), log=LOG)) <= 4_096
    assert len(check(reference=long, format=long)) <= 8_192


def test_a_text_that_was_cut_is_taken_for_no_other():
    """A text of up to 512 bytes stands as it is; a longer one by its beginning and digest, which is always longer."""
    for text in ("", "order-77", "a" * 512, "é" * 256):
        assert signed.bounded(text) == text
    for text in ("a" * 513, "é" * 257, "名" * 171, "a" + "😀" * 128):
        cut = signed.bounded(text)
        beginning, mark, digest = cut.partition("…sha256:")
        assert text.startswith(beginning)
        assert mark
        assert digest == hashlib.sha256(text.encode()).hexdigest()
        assert len(cut.encode()) > 512
        # A text that looks like a cut one is longer than what stands whole, and is cut itself.
        assert signed.bounded(cut) != cut


@pytest.mark.parametrize("stage", ["relayed", "delivered", "answered"])
def test_the_recipient_is_named_by_role_and_commitment_only(stage):
    """What the sender may read does not name the recipient, who can yet prove that it is meant."""
    fields = json.loads(ALL[stage])
    assert b"port-bureau" not in ALL[stage]
    assert fields["recipient_role"] == "bureau"
    assert fields["recipient"] == signed.recipient_commitment("port-bureau", SALT)
    assert fields["recipient"] != signed.recipient_commitment("other-bureau", SALT)


def test_commitments_to_one_recipient_cannot_be_linked():
    """Two deliveries to the same recipient carry different commitments."""
    other = signed.recipient_salt(b"secret of the gateway", "d2")
    assert signed.recipient_commitment("port-bureau", SALT) != signed.recipient_commitment("port-bureau", other)


def test_what_the_recipients_system_said_is_kept_as_a_digest():
    """The answer of the recipient's system, which may name it, is in no receipt."""
    for stage in ("relayed", "delivered", "answered"):
        fields = json.loads(ALL[stage])
        assert fields["answer_sha256"] == hashlib.sha256(b"sha-256=...").hexdigest()
        assert b"sha-256=..." not in ALL[stage]


def test_text_that_utf8_cannot_carry_does_not_stop_a_receipt():
    """A transport id with a byte outside its character set is receipted with a question mark."""
    odd = Payload("p1", "s", "http", "key-\udcff", "ab" * 32, 1, AT)
    assert json.loads(signed.received(odd, log=LOG))["transport_id"] == "key-?"


def test_test_traffic_says_so():
    """A receipt of test traffic can never be shown as one of production."""
    trial = Payload("p1", "s", "http", "", "ab" * 32, 1, AT, test=True)
    assert json.loads(signed.received(trial, log=LOG))["environment"] == "test"


def test_the_reference_note_is_made_and_opened():
    """The note of Go's sumdb/note comes out byte for byte from its key, and verifies."""
    signer = Signer.from_skey(GO_SKEY)
    assert signer.skey == GO_SKEY
    assert signer.vkey == GO_VKEY
    assert signer.sign(GO_TEXT) == GO_NOTE
    assert Verifier(GO_VKEY).open(GO_NOTE) == GO_TEXT


@pytest.mark.parametrize("at", range(len(GO_VKEY)))
def test_a_mangled_key_is_refused(at):
    """A verifier key with one character changed, or cut off there, is no key."""
    changed = chr(ord(GO_VKEY[at]) + 1)
    with pytest.raises(ReceiptInvalid):
        Verifier(GO_VKEY[:at] + changed + GO_VKEY[at + 1 :])
    with pytest.raises(ReceiptInvalid):
        Verifier(GO_VKEY[:at])


@pytest.mark.parametrize(
    "key",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",  # too long, with its own id
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",  # unknown signature type, with its own id
        GO_SKEY,  # a private key is no verifier key
        "",
    ],
)
def test_other_keys_are_refused(key):
    """A key of another kind or length is refused even where its id fits."""
    with pytest.raises(ReceiptInvalid):
        Verifier(key)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "wide\u3000space", "line\nbreak", "bell\x07"])
def test_names_no_note_can_carry_are_refused(name):
    """A log's name has no spaces, plus signs or control characters."""
    with pytest.raises(ReceiptInvalid):
        Signer(name, bytes(32))


@pytest.mark.parametrize("seed", [b"", bytes(31), bytes(64)])
def test_a_seed_has_32_bytes(seed):
    """A seed of another length is refused."""
    with pytest.raises(ReceiptInvalid):
        Signer(LOG, seed)


def test_a_skey_of_another_name_is_refused():
    """A private key whose name was changed does not sign."""
    with pytest.raises(ReceiptInvalid):
        Signer.from_skey(GO_SKEY.replace("Peter", "Pieter"))


@pytest.mark.parametrize("text", ["", "no newline", "tab\t\n", "cut \ud800\n"])
def test_text_no_note_can_carry_is_not_signed(text):
    """Only UTF-8 text that ends with a newline and has no other control characters is signed."""
    with pytest.raises(ReceiptInvalid):
        SIGNER.sign(text)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n")))
def test_what_is_signed_opens_again(text):
    """Every text a note can carry, blank lines and signature look-alikes included, comes back."""
    assert SIGNER.verifier.open(SIGNER.sign(text + "\n")) == text + "\n"


@given(st.data())
def test_a_changed_character_is_found(data):
    """A note with any one character changed does not open."""
    at = data.draw(st.integers(0, len(GO_NOTE) - 1))
    other = data.draw(st.characters().filter(lambda c: c != GO_NOTE[at]))
    with pytest.raises(ReceiptInvalid):
        Verifier(GO_VKEY).open(GO_NOTE[:at] + other + GO_NOTE[at + 1 :])


@pytest.mark.parametrize(
    "note",
    [
        "",
        GO_TEXT,  # no signature
        f"{GO_TEXT}\n",  # no signature line
        f"{GO_TEXT}{GO_LINE}",  # no blank line
        GO_NOTE.rstrip("\n"),  # the last newline is missing
        f"{GO_NOTE}— other\n",  # a malformed line after a good one
        f"{GO_NOTE}— other AAAA\n",  # a signature too short to hold a key id and something
        f"{GO_TEXT}\n" + GO_LINE * 101,  # too many signatures
        f"{GO_NOTE}\n" + "x" * 1_000_000,  # too long
    ],
)
def test_what_is_no_note_is_refused(note):
    """Malformed notes do not open."""
    with pytest.raises(ReceiptInvalid):
        Verifier(GO_VKEY).open(note)


def test_signatures_of_others_are_not_judged():
    """A witness may add its line; without the log's own line the note is refused."""
    witness = Signer("witness.example", bytes(32))
    line = witness.sign(GO_TEXT).rpartition("\n\n")[2]
    assert Verifier(GO_VKEY).open(GO_NOTE + line) == GO_TEXT
    with pytest.raises(ReceiptInvalid):
        Verifier(GO_VKEY).open(f"{GO_TEXT}\n{line}")


def test_one_key_under_two_names_is_two_keys():
    """A checkpoint signed under a log's old name does not pass for one of its new name."""
    again = Signer("gateway.example/receipts/2", bytes(range(32)))
    with pytest.raises(ReceiptInvalid):
        again.verifier.checkpoint(SIGNER.checkpoint(1, bytes(32)))


def test_a_checkpoint_is_for_the_log_of_its_key():
    """A key does not vouch for a log of another name."""
    note = SIGNER.sign(Checkpoint("other.example", 1, bytes(32)).text())
    with pytest.raises(ReceiptInvalid):
        SIGNER.verifier.checkpoint(note)


@given(st.integers(0, 2**62), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_comes_back(size, root):
    """A signed checkpoint opens to the size and root that were signed."""
    assert SIGNER.verifier.checkpoint(SIGNER.checkpoint(size, root)) == Checkpoint(LOG, size, root)


def test_the_specifications_checkpoint_is_read():
    """The example of C2SP tlog-checkpoint parses and is written again as it was."""
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    found = Checkpoint.parse(text)
    assert (found.origin, found.size, found.root.hex()[:8]) == ("example.com/behind-the-sofa", 20852163, "0ac5186a")
    assert found.text() == text
    assert Checkpoint.parse(text + "extension\n").extensions == ("extension",)


@pytest.mark.parametrize(
    "text",
    [
        "o\n1\n",  # no root
        f"\n1\n{'A' * 43}=\n",  # no origin
        f"o\n01\n{'A' * 43}=\n",  # leading zero
        f"o\n-1\n{'A' * 43}=\n",  # negative
        f"o\n１\n{'A' * 43}=\n",  # a digit, but not an ASCII one
        "o\n1\nAAAA\n",  # a short root
        f"o\n1\n{'A' * 42}B=\n",  # base64 with stray bits
        f"o\n1\n{'A' * 43}=\n\n",  # an empty extension line
        f"o\n1\n{'A' * 43}=",  # no newline at the end
    ],
)
def test_what_is_no_checkpoint_is_refused(text):
    """Malformed checkpoint texts are refused."""
    with pytest.raises(ReceiptInvalid):
        Checkpoint.parse(text)
