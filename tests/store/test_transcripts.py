"""Transcripts come back as they were told, cut where they are long, and cost little."""

from __future__ import annotations

import base64
import hashlib

from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Transcript
from gateway.store.transcripts import (
    _WORDS,
    ANSWER_KEPT,
    FIELD_KEPT,
    FIELDS_KEPT,
    pack_transcript,
    unpack_transcript,
)

ID, DIGEST = "019b784004607ed1e000000000005b7c", hashlib.sha256(b"body").hexdigest()

_text = st.sampled_from([ID, DIGEST, "\x01\x02\x03", base64.b64encode(bytes.fromhex(DIGEST)).decode()]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=50
)
_fields = st.lists(st.tuples(_text, _text), max_size=5).map(tuple)


@given(
    st.builds(
        Transcript,
        _text,
        _fields,
        st.none() | st.integers(0, 2**40),
        _text,
        _text,
        _fields,
        st.binary(max_size=200),
        st.integers(0, 10**7).map(lambda tenths: tenths / 10_000),
    )
)
def test_what_was_told_comes_back(told: Transcript):
    """Whatever characters and bytes it holds."""
    assert unpack_transcript(pack_transcript(told, ID, DIGEST), ID, DIGEST) == told


def test_none_is_none():
    """An attempt that says nothing of itself, as earlier versions made them."""
    assert pack_transcript(None, ID, DIGEST) is None
    assert unpack_transcript(None, ID, DIGEST) is None


def test_what_is_long_is_cut():
    """A peer that answers with a flood fills no database."""
    long = Transcript("a" * 9999, (("n" * 9999, "v" * 9999),) * 999, None, "", "s" * 9999, (), b"b" * 99_999)
    kept = unpack_transcript(pack_transcript(long, ID, DIGEST), ID, DIGEST)
    assert kept is not None
    assert (len(kept.address), len(kept.status), len(kept.answer)) == (FIELD_KEPT, FIELD_KEPT, ANSWER_KEPT)
    assert len(kept.sent) == FIELDS_KEPT
    assert {len(text) for pair in kept.sent for text in pair} == {FIELD_KEPT}


def test_the_words_stay_as_they_are():
    """What was packed with other words could not be read any more."""
    assert hashlib.sha256(_WORDS).hexdigest() == "aac67a45ba880fb199455447109a6f15ceaabb91c3c47365cf2947584429551f"


def test_an_ordinary_push_costs_little():
    """The transcript of a delivery that was answered well takes under eighty bytes, of some seven hundred as text."""
    id_, digest = ID, f"sha-256=:{base64.b64encode(bytes.fromhex(DIGEST)).decode()}:"
    sent = (
        ("Content-Type", "application/json"),
        ("Idempotency-Key", id_),
        ("Content-Digest", digest),
        ("Gateway-Delivery", id_),
        ("Gateway-Kind", "document"),
        ("Gateway-Document", "clearance"),
        ("Gateway-Environment", "production"),
    )
    answered = (
        ("Received-Digest", digest),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", "2"),
        ("Server", "Python/3.11 aiohttp/3.13.2"),
    )
    one = Transcript("https://customs.example/in", sent, None, "", "200 OK", answered, b"ok", 0.0123)
    kept = pack_transcript(one, ID, DIGEST)
    assert unpack_transcript(kept, ID, DIGEST) == one
    assert kept is not None
    assert len(kept) < 80
