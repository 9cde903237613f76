"""Partners and messages for the fault runs: enterprises declare in CUSDEC, one bureau gets EEntDeclIo XML."""

from __future__ import annotations

import re

from stdnum import iso6346

from gateway import data
from tests.harness import key_of

SAMPLE = data.samples() / "declaration" / "import_sea_container" / "in.edi"


def partners(bureau_url: str, attempts: int = 1000) -> str:
    """An enterprise whose declarations go to review at a bureau that listens on `bureau_url`."""
    return f"""
[[partners]]
id = "acme"
name = "Acme"
roles = ["enterprise"]
credit_grade = "A"
direct_through = "2020-01-01"
identifiers = [
    {{ scheme = "ciq-registration", value = "3702000002" }},
    {{ scheme = "ciq-registration", value = "3702000001" }},
]
agreements = [{{ direction = "in" }}]
keys = [{{ key = "{key_of("acme")}", scopes = ["send", "read", "admin"] }}]

[[partners]]
id = "bureau"
name = "Bureau"
roles = ["bureau"]
identifiers = [{{ scheme = "ciq-org", value = "370200" }}, {{ scheme = "ciq-org", value = "370210" }}]
keys = [{{ key = "{key_of("bureau")}" }}]

[[partners.agreements]]
direction = "out"
document = "declaration"
format = "xml:EEntDeclIo:1"
code_tables = "ciq"
envelope = "OBORMessage"
attempts = {attempts}
attempt_timeout = 2.0
options = {{ url = "{bureau_url}" }}
"""


def declaration(serial: int, revision: int = 0) -> bytes:
    """The sample declaration as another consignment: every number that finds a case is its own.

    A `revision` above 0 replaces the declaration (1225 = 5) within the same case.
    """
    text = SAMPLE.read_text("utf-8")
    for old, new in (
        ("IMP0001", f"F{revision:03}{serial:09}"),
        ("SD-2026-0001+9'", f"SD-2026-0001+{5 if revision else 9}'"),
        ("SAMPLE WINES LOT 7", f"REVISION {revision}"),
        ("SD-2026-0001", f"FD-{serial:08}"),
        ("SMPL26010077", f"FB{serial:010}"),
        ("CL-2026/07", f"FC-{serial:08}"),
        ("DO77-01", f"FO-{serial:08}"),
        ("CSQU3054383", container("FAA", serial)),
        ("MSKU0000011", container("FBB", serial)),
    ):
        text = text.replace(old, new)
    return text.encode()


def container(owner: str, serial: int) -> str:
    """A container number with its check digit (ISO 6346); a million serials for an owner, then the next owner."""
    code = f"{owner[:2]}{chr(ord(owner[2]) + serial // 1_000_000)}U{serial % 1_000_000:06}"
    return f"{code}{iso6346.calc_check_digit(code)}"


def serial_of(body: bytes) -> int:
    """Which declaration a delivered EEntDeclIo is."""
    found = re.search(rb"<EntDeclNo>FD-(\d{8})</EntDeclNo>", body)
    assert found is not None, "the bureau got something else"
    return int(found[1])


def revision_of(body: bytes) -> int:
    """Which revision of its declaration a delivered EEntDeclIo is."""
    found = re.search(rb"REVISION (\d+)", body)
    assert found is not None, "the bureau got something else"
    return int(found[1])
