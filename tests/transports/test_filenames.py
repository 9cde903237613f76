"""Names of files in partners' folders, and what is said of a file whose content was refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from gateway.model import DeliveryKind
from gateway.transports.base import Origin
from gateway.transports.filenames import name_file, name_reason
from tests.faults.material import declaration, partners
from tests.harness import GatewayProcess, key_of
from tests.transports.conformance.kinds import free_port
from tests.transports.test_http import DELIVERY

ACK = replace(
    DELIVERY, id="a" * 32, kind=DeliveryKind.ACKNOWLEDGEMENT, document_type="acknowledgement", format="edifact:CONTRL"
)
NAMED = {
    "decl-17.edi": f"decl-17.acknowledgement-{'a' * 32}.edi",
    "decl.2026.xml": f"decl.2026.acknowledgement-{'a' * 32}.edi",
    "decl": f"decl.acknowledgement-{'a' * 32}.edi",
    "报检-17.edi": f"报检-17.acknowledgement-{'a' * 32}.edi",
}
"""Files that were taken, and how their answers are called."""


@pytest.mark.parametrize("filename", NAMED)
def test_an_answer_is_called_after_its_file(filename: str):
    """The file's name without its ending comes first; without a file it is the delivery's id alone."""
    assert name_file(ACK, Origin(filename)) == NAMED[filename]
    assert name_file(ACK, None) == f"acknowledgement-{'a' * 32}.edi"


def test_a_long_name_has_room():
    """A name that is as long as names may be is cut, and stays its own."""
    names = {name_file(ACK, Origin(f"{'件' * 80}{last}.edi")) for last in "ab"}
    assert len(names) == 2
    assert all(len(name.encode()) <= 255 and name.endswith(f"{'a' * 32}.edi") for name in names)
    assert len(name_reason(Origin("x" * 255)).encode()) <= 255


BROKEN = declaration(2).replace(b"CUSDEC:D:96B:UN", b"CUSDEC:D:96B:XX")


def agreements(transport: str, options: str) -> str:
    """The sender's wish to be answered over files, called after its own."""
    wish = (
        '{ direction = "out", document = "acknowledgement", format = "edifact:CONTRL", '
        f'transport = "{transport}", options = {{ names = "file"{options} }} }}'
    )
    received = '{ direction = "in" }'
    return partners("http://127.0.0.1:9/inbox").replace(received, f"{received}, {wish}", 1)


def answered(folder: Path, name: str) -> list[Path]:
    """The answers to a file."""
    return list((folder / "InBox").glob(f"{name}.acknowledgement-*.edi"))


@pytest.mark.slow
async def test_answers_and_reasons_go_by_the_files_names(tmp_path: Path):
    """Of two files in one folder each is answered under its name; the refused one's reason names what answers it."""
    place = tmp_path / "acme"
    (tmp_path / "gateway.toml").write_text(
        f'[transports.folder]\npoll_seconds = 0.05\n[[transports.folder.watched]]\npath = "{place}"\npartner = "acme"\n'
    )
    known = agreements("folder", f', folder = "{place}"')
    gateway = GatewayProcess(tmp_path, known, {"GATEWAY_CONFIG": str(tmp_path / "gateway.toml")})
    await asyncio.to_thread(gateway.start)
    await until((place / "OutBox").exists)
    for name, body in (("decl-17.edi", BROKEN), ("decl-18.edi", declaration(1))):
        (place / name).write_bytes(body)
        (place / name).rename(place / "OutBox" / name)
    await until(lambda: answered(place, "decl-17") and answered(place, "decl-18"))
    assert await asyncio.to_thread(gateway.stop) == 0
    check(place)


@pytest.mark.slow
async def test_it_is_the_same_over_sftp(tmp_path: Path):
    """What a partner uploads to our server is answered in its InBox there under the same names."""
    port, root = free_port(), tmp_path / "boxes"
    environment = {
        "GATEWAY_TRANSPORTS__SFTP__LISTEN_PORT": str(port),
        "GATEWAY_TRANSPORTS__SFTP__FOLDER": str(root),
        "GATEWAY_TRANSPORTS__SFTP__HOST_KEY_FILE": str(tmp_path / "host.key"),
        "GATEWAY_TRANSPORTS__SFTP__POLL_SECONDS": "0.05",
    }
    gateway = GatewayProcess(tmp_path, agreements("sftp", ""), environment)
    await asyncio.to_thread(gateway.start)
    async with (
        asyncssh.connect(
            "127.0.0.1", port, username="acme", password=key_of("acme"), known_hosts=None, config=None, client_keys=None
        ) as connection,
        connection.start_sftp_client() as client,
    ):
        for name, body in (("decl-17.edi", BROKEN), ("decl-18.edi", declaration(1))):
            async with client.open(f"/OutBox/{name}", "wb") as file:
                await file.write(body)
        place = root / "live" / "p-acme"
        await until(lambda: answered(place, "decl-17") and answered(place, "decl-18"))
    assert await asyncio.to_thread(gateway.stop) == 0
    check(place)


def check(place: Path) -> None:
    """Both files were taken; one of them has a reason, which leads to its answer."""
    assert {path.name for path in (place / "SentBox").iterdir()} == {
        "decl-17.edi", "decl-17.edi.receipt.json", "decl-18.edi", "decl-18.edi.receipt.json",
    }  # fmt: skip
    assert [path.name for path in (place / "FailBox").iterdir()] == ["decl-17.edi.reason.json"]
    said = json.loads((place / "FailBox" / "decl-17.edi.reason.json").read_bytes())
    (answer,) = answered(place, "decl-17")
    assert (said["refused"], said["answer"]) == ("ContentRefused", answer.name)
    assert "CUSDEC" in said["reason"]
    assert b"UCI+" in answer.read_bytes()


async def until(there: Callable[[], object]) -> None:
    """Wait for something that the gateway does; the test fails where it does not come."""
    for _ in range(600):
        if there():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it has not come")
