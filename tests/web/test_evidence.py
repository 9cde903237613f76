"""Evidence over REST: kept as it came, proven by a receipt of its own, and seen by whoever a task asks."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.model import Agreement, Credential, Direction, Identifier, Partner, Role, TaskState
from gateway.receipt.verify import verify
from gateway.registry.keys import hash_key
from tests.web.conftest import Answer, Client, Quiet, key_of
from tests.web.test_acts import ask_tasks, decide, task, told

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


async def post(client: Client, body: bytes = PICTURE, *, as_: str = "acme", said: str = "", **headers: str) -> Answer:
    """One POST of evidence."""
    given = {"Content-Type": "image/png", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await client.ask("POST", f"/v1/evidence{said}", as_=as_, headers=given, data=body)


@pytest.mark.parametrize("size", [len(PICTURE), 300_000])
async def test_evidence_comes_back_as_it_went(quiet: Quiet, size: int) -> None:
    """Small or large, it is given back to the byte, with its digest and what was said of it; its receipt says the same."""
    body = (PICTURE * 40)[:size]
    kept = await post(quiet.client, body, said="?device=CAM-7&taken_at=2026-03-05T09:58:30%2B08:00")
    digest = hashlib.sha256(body)
    assert kept.status == 201
    assert kept.headers["Received-Digest"] == f"sha-256=:{b64encode(digest.digest()).decode()}:"
    path = kept.headers["Location"]
    shown = (await quiet.client.ask("GET", path)).json
    assert shown | {"received_at": ""} == {
        "id": kept.json["id"], "sha256": digest.hexdigest(), "size": size, "media_type": "image/png",
        "taken_at": "2026-03-05T01:58:30Z", "device": "CAM-7", "received_at": "", "test": False,
        "link": f"{path}/body",
    }  # fmt: skip
    fetched = await quiet.client.ask("GET", shown["link"])
    assert fetched.body == body
    assert (fetched.headers["Content-Type"], fetched.headers["Content-Disposition"]) == ("image/png", "attachment")
    receipt = kept.json["receipt"]
    assert (receipt["stage"], receipt["payload"], receipt["sha256"]) == ("received", shown["id"], shown["sha256"])
    assert (receipt["device"], receipt["media_type"], receipt["taken_at"]) == (
        "CAM-7", "image/png", "2026-03-05T01:58:30.000000Z",
    )  # fmt: skip


async def test_its_bundle_verifies_offline(quiet: Quiet) -> None:
    """The evidence's receipt, proof and bytes stand by themselves, for whoever has the log's key."""
    kept = await post(quiet.client)
    packed = await quiet.client.ask("GET", f"/v1/receipts/{kept.json['receipt_index']}/bundle")
    assert packed.status == 200
    key = (await quiet.client.ask("GET", "/v1/log/key")).body.decode().strip()
    assert verify(packed.body, key) == []
    with zipfile.ZipFile(io.BytesIO(packed.body)) as archive:
        assert archive.read(f"payloads/{hashlib.sha256(PICTURE).hexdigest()}") == PICTURE


async def test_a_repeat_gets_the_same_receipt_and_other_bytes_are_refused(quiet: Quiet) -> None:
    """Under one Idempotency-Key there is one piece of evidence, whoever else uses the same."""
    first = await post(quiet.client, Idempotency_Key="photo-1")
    again = await post(quiet.client, Idempotency_Key="photo-1")
    assert (again.json["id"], again.json["receipt"], again.json["duplicate"]) == (
        first.json["id"], first.json["receipt"], True,
    )  # fmt: skip
    assert (await post(quiet.client, b"another", Idempotency_Key="photo-1")).status == 409
    # The receipt says what took it and when: one that says otherwise is no repeat, and nothing of it is dropped.
    for said in ("?device=CAM-7", "?taken_at=2026-03-05T09:58:30%2B08:00"):
        assert (await post(quiet.client, said=said, Idempotency_Key="photo-1")).status == 409, said
    assert (await post(quiet.client, Idempotency_Key="photo-1", Content_Type="image/jpeg")).status == 409
    other = await post(quiet.client, as_="rival", Idempotency_Key="photo-1")
    assert (other.status, other.json["duplicate"]) == (201, False)


@pytest.mark.parametrize(
    ("body", "said", "headers", "status"),
    [
        (b"", "", {}, 415),  # nothing
        (PICTURE, "?taken_at=yesterday", {}, 400),  # no moment
        (PICTURE, "?taken_at=2026-03-05T09:58:30", {}, 400),  # of no offset
        (PICTURE, "?taken_at=2099-03-05T09:58:30Z", {}, 400),  # not yet
        (PICTURE, "?device=" + "x" * 71, {}, 400),
        (PICTURE, "", {"Content_Type": "image png"}, 400),
        (PICTURE, "", {"Content_Encoding": "gzip"}, 415),
        (PICTURE, "", {"Content_Digest": f"sha-256=:{b64encode(bytes(32)).decode()}:"}, 400),  # damaged on its way
        (PICTURE, "", {"Idempotency_Key": "x" * 256}, 400),
    ],
)
async def test_what_is_wrong_is_refused(
    quiet: Quiet, body: bytes, said: str, headers: dict[str, str], status: int
) -> None:
    """Each is a problem with its status, and nothing is kept."""
    answer = await post(quiet.client, body, said=said, **headers)
    assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (status, "application/problem+json")
    assert await quiet.client.services.store.exhibits_of("acme", "", 9) == []


@pytest.mark.parametrize(("ahead", "status"), [(4, 201), (6, 400)])
async def test_a_clock_may_differ_by_five_minutes(quiet: Quiet, ahead: int, status: int) -> None:
    """What took it may have a clock that is a little ahead of ours; a later time is none at which it can have been taken."""
    taken_at = (datetime.now(UTC) + timedelta(minutes=ahead)).isoformat(timespec="seconds").replace("+00:00", "Z")
    answer = await post(quiet.client, said=f"?taken_at={taken_at}", Accept_Language="zh")
    assert answer.status == status, answer.body
    if status == 400:
        assert answer.json["detail"] == "taken_at 晚于当前时间。"


async def add_office(client: Client, id_: str, office: str) -> None:
    """Another bureau, with a key."""
    bureau = Partner(id_, id_, frozenset({Role.BUREAU}), (Identifier("ciq-org", office),))
    agreement = Agreement(f"{id_}-in", id_, Direction.IN, "*", "*")
    await client.services.store.import_partners((bureau,), (agreement,), [Credential(id_, id_, hash_key(key_of(id_)))])


async def test_whoever_a_task_asks_may_look_at_what_it_names(quiet: Quiet) -> None:
    """The task's office sees the sender's evidence, and no other office does; before the task names it, nobody else."""
    client = quiet.client
    await add_office(client, "elsewhere", "370900")
    exhibit = (await post(client)).json["id"]
    paths = [f"/v1/evidence/{exhibit}", f"/v1/evidence/{exhibit}/body"]
    await ask_tasks(client, task(1, evidence=(exhibit,)))
    for path in paths:
        assert (await client.ask("GET", path, as_="bureau")).status == 200
        assert (await client.ask("GET", path, as_="operator")).status == 200
        for stranger in ("elsewhere", "rival", "acme-test"):
            refused = await client.ask("GET", path, as_=stranger)
            assert (refused.status, refused.body) == (
                404,
                (await client.ask("GET", "/v1/evidence/none", as_=stranger)).body,
            )


async def test_a_decision_names_its_evidence(quiet: Quiet) -> None:
    """What the officer's decision rests on stands with the task; another's, or none, is no evidence."""
    client = quiet.client
    foreign = (await post(client)).json["id"]
    await ask_tasks(client, task())
    own = (await post(client, as_="bureau", Content_Type="image/jpeg")).json["id"]
    for wrong in ("none", foreign):
        answer = told(await decide(client, "let", evidence=[own, wrong]))
        assert (answer["outcome"], answer["reasons"][0]["code"]) == ("refused", "decide.evidence.unknown")
    assert told(await decide(client, "let", evidence=[own]))["outcome"] == "accepted"
    settled = await stored_task(client)
    assert (settled["state"], settled["evidence"]) == (TaskState.DECIDED, (own,))


async def stored_task(client: Client) -> dict[str, Any]:
    from gateway.decide.facts import Facts, TaskById

    query = TaskById("t-1")
    found = (await client.services.store.facts([query], Facts(), "m"))[query]
    assert found is not None
    return {"state": found.state, "evidence": found.evidence}


async def test_evidence_of_test_traffic_stays_there(quiet: Quiet) -> None:
    """A test key sees its own test evidence, and none of the live one."""
    live, test = (await post(quiet.client)).json["id"], (await post(quiet.client, as_="acme-test")).json["id"]
    seen = [(await quiet.client.ask("GET", f"/v1/evidence/{id_}", as_="acme-test")).status for id_ in (live, test)]
    assert seen == [404, 200]
    assert json.loads((await quiet.client.ask("GET", f"/v1/evidence/{test}")).body)["test"] is True
