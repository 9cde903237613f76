"""Ids that begin with the time of what they come from, and references made of them."""

from __future__ import annotations

import base64
import hashlib

import pytest

from gateway.model import begins_with_time, derive_id, new_id
from gateway.receive.intake import new_payload_id
from gateway.trip.render import reference_of

MOMENT = 0x019C_0000_0001
PAYLOAD = new_id(MOMENT, 7, "0123456789")


def test_all_that_comes_of_a_payload_begins_with_its_time() -> None:
    """The first 12 digits go down from origin to what is derived, over any number of steps; the rest tells them apart."""
    message = derive_id(PAYLOAD, 1)
    made = {PAYLOAD, message, derive_id(message, "case"), derive_id(message, "delivery", 0, "customs")}
    assert {id_[:12] for id_ in made} == {f"{MOMENT:012x}"}
    assert len(made) == 4
    assert all(len(id_) == 32 and int(id_, 16) for id_ in made)
    assert derive_id(PAYLOAD, 1) == message
    assert new_payload_id() < new_payload_id()
    assert begins_with_time(new_payload_id())


def test_many_that_come_of_one_are_told_apart() -> None:
    """A payload of very many messages has an id for each, and each of these a reference of its own towards a partner."""
    made = [derive_id(derive_id(PAYLOAD, number), "delivery", 0, "customs") for number in range(100_000)]
    assert len(set(made)) == len(made)
    assert len({reference_of(id_) for id_ in made}) == len(made)
    assert all(len(reference_of(id_)) == 14 for id_ in made[:100])


@pytest.mark.parametrize(
    "old",
    [
        "01a2021e38b2b6a077b1cc2b936ac6c1",  # a payload's: its time, but a count after it
        "019c0000000100000000" + "0123456789ab",
        "e3b0c44298fc1c149afbf4c8996fb924",  # a message's: a digest
        "e3b0c442" + "98fc" + "7ed1" + "149afbf4c8996fb9",  # one that looks marked, at no time there ever was
        "firm",
    ],
)
def test_what_comes_of_older_ids_has_the_ids_it_had(old: str) -> None:
    """Reprocessing what an earlier version took in makes the same things: a digest of all parts, and nothing else."""
    assert not begins_with_time(old)
    expected = hashlib.sha256(f"{old}\x1fdelivery\x1f3".encode()).hexdigest()[:32]
    assert derive_id(old, "delivery", 3) == expected
    assert reference_of(expected) == base64.b32encode(bytes.fromhex(expected))[:14].decode()
