"""A large answer is bounded, counted before it is read or made, and never in memory whole."""

from __future__ import annotations

import asyncio
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from gateway.store.bodies import BodyFiles
from gateway.transports.spool import Spool
from gateway.web.api import log as log_api
from tests.web.conftest import Client, Filled, Quiet, fill

LARGE = b'"0123456789abcdefghijklmnopqrst",' * 10_000 + b"0"
"""More than a row holds."""


@pytest.fixture
def changes() -> dict[str, Any]:
    """A bound that a test can reach."""
    return {"limits": {"payload_bytes": 400_000, "partner_bytes_under_way": 600_000}}


def never(*_: object, **__: object) -> Any:
    """What must not happen."""
    raise AssertionError("a large body was read")


async def released(spool: Spool) -> None:
    """What was counted is let go of as soon as the last byte has left."""
    for _ in range(200):
        if not spool.under_way:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("bytes stay under way")


async def test_a_large_bundle_is_counted_before_it_is_made(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where too much is under way nothing is read; else it is made in a file that is gone afterwards."""
    index = (await client.send(b"UNB+" + LARGE)).json["receipt_index"]
    spool = client.services.spool
    path = f"/v1/receipts/{index}/bundle"
    with spool.reserved("acme", 400_000), monkeypatch.context() as patched:
        patched.setattr(log_api, "write_bundle", never)
        assert (await client.ask("GET", path)).status == 429
    monkeypatch.setattr(Path, "read_bytes", never)
    for _ in range(3):
        answer = await client.ask("GET", path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/zip")
        with zipfile.ZipFile(io.BytesIO(answer.body)) as file:
            (name,) = (one for one in file.namelist() if one.startswith("payloads/"))
            assert file.read(name) == b"UNB+" + LARGE
    await released(spool)
    assert list((client.services.settings.store.payload_folder / "spool").glob("*")) == []


@pytest.mark.parametrize("path", ["/v1/deliveries/d-1/body", "/v1/feeds/clearance/1", "/v1/receipts/2/bundle"])
async def test_large_bytes_are_sent_from_their_file(quiet: Quiet, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """What lies in a file is counted by its size before it is opened, and goes out piece by piece."""
    filled: Filled = await fill(quiet, b"[" + LARGE + b"]", b"[1," + LARGE + b"]")
    spool = filled.client.services.spool
    monkeypatch.setattr(BodyFiles, "read", never)
    monkeypatch.setattr(Path, "read_bytes", never)
    with spool.reserved("customs", spool.limits.partner_bytes_under_way - len(LARGE)):
        assert (await filled.client.ask("GET", path, as_="customs")).status == 429
    answer = await filled.client.ask("GET", path, as_="customs")
    assert answer.status == 200
    assert LARGE in answer.body
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    await released(spool)


async def test_a_body_whose_file_is_missing_is_told_before_anything_is_sent(quiet: Quiet) -> None:
    """It is a fault of ours, with its status, and not an answer that breaks off."""
    filled = await fill(quiet, LARGE)
    for file in quiet.client.services.settings.store.payload_folder.glob("??/*"):
        file.unlink()
    for path in ("/v1/deliveries/d-1/body", "/v1/receipts/2/bundle"):
        assert (await filled.client.ask("GET", path, as_="customs")).status == 500
