"""Malformed, cut, oversized, nested, disguised and random input: findings or a clear refusal, and flat memory."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import time
import zipfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import data
from gateway import findings as catalogue
from gateway.catalogue_folders import shipped
from gateway.model import Agreement, Direction, Strictness, Syntax
from gateway.receipt import edifact as contrl
from gateway.receipt import x12 as functional
from gateway.trip.examine import examine
from gateway.trip.examined import Interchange, Message
from tests.faults.material import partners
from tests.harness import GatewayProcess, Recipient
from tests.trip.rig import RULES, START

LIMIT = 1 << 22
"""Bytes that may come out of a compressed payload here."""
AGREEMENT = Agreement("a", "acme", Direction.IN, "*", "*")
X12 = (
    b"ISA*00*          *00*          *ZZ*SENDER         *ZZ*GATEWAY        *260305*0130*U*00401*000000001*0*P*>~\n"
    b"GS*SO*SENDER*GATEWAY*20260305*0130*1*X*004010~\nST*309*0001~\nM10*XXXX*O*SG*1*SHIP*1*2*1*Y~\n"
    b"P4*1803*230620**M029~\nLX*1~\nM11*B1*35177*390*PKG*14404*K~\nVID*4B*HASU*5044950~\nN10*1*TYRES~\n"
    b"SE*8*0001~\nGE*1*1~\nIEA*1*000000001~\n"
)


@cache
def samples() -> dict[str, bytes]:
    """One good message of each syntax, by name."""
    folder = data.samples() / "declaration"
    return {
        "edifact": (folder / "import_sea_container" / "in.edi").read_bytes(),
        "xml": (folder / "export_producing_area" / "in.xml").read_bytes(),
        "json": (folder / "cancellation" / "in.json").read_bytes(),
        "x12": X12,
    }


def judged(body: bytes, strictness: Strictness = Strictness.STRICT) -> list[Message | Interchange]:
    """What the examiner makes of `body`; each finding is worded, and each interchange can be acknowledged."""
    agreement = (
        AGREEMENT
        if strictness is Strictness.STRICT
        else Agreement("a", "acme", Direction.IN, "*", "*", strictness=strictness)
    )
    found = list(examine(shipped(), body, [agreement], RULES.at(START.date()), unpacked_limit=LIMIT))
    assert any(isinstance(item, Interchange) for item in found), "nobody would be answered"
    for item in found:
        for finding in [*item.findings, *(item.refusals if isinstance(item, Message) else ())]:
            assert finding.code in catalogue.catalogue()
            assert catalogue.text(finding, "en") != catalogue.text(finding, "zh")
        if isinstance(item, Interchange) and item.envelope is not None and item.envelope.header:
            _acknowledged(item)
    return found


def _acknowledged(item: Interchange) -> None:
    """Its acknowledgement can be written."""
    assert item.envelope is not None
    if item.syntax is Syntax.EDIFACT:
        contrl.acknowledge(shipped(), item.envelope, item.findings, item.verdicts, item.groups, reference="R", at=START)
    else:
        functional.interchange_acknowledgement(item.envelope, item.findings, START)


def rejected(found: list[Message | Interchange]) -> bool:
    """Whether everything in it is rejected."""
    wholes = [item for item in found if isinstance(item, Interchange)]
    return all(
        item.rejected or any(w.first <= item.number <= w.last and w.rejects(item.number) for w in wholes)
        for item in found
        if isinstance(item, Message)
    ) and (any(isinstance(item, Message) for item in found) or all(w.rejected for w in wholes))


# Cut short.


@pytest.mark.parametrize("name", ["edifact", "xml", "json", "x12"])
def test_whatever_is_cut_short_is_refused(name: str) -> None:
    """A message that ends too early, wherever that is, is rejected with findings."""
    body = samples()[name].rstrip()
    # EDIFACT without its very last terminator has lost nothing, and may be taken.
    end = len(body) - (name == "edifact")
    places = {*range(1, end, max(1, len(body) // 97)), *range(1, 120), *range(end - 20, end)}
    for place in sorted(p for p in places if 0 < p < end):
        assert rejected(judged(body[:place])), body[:place][-60:]


def test_a_utf16_message_cut_within_a_character_is_refused() -> None:
    """Half a character at the end is no traceback."""
    body = samples()["xml"].decode("gb18030").rstrip().replace("GB18030", "UTF-16").encode("utf-16")
    for cut in (1, 2, 3, 4, 5, 101):
        assert rejected(judged(body[:-cut]))


# Built to harm.

DEEP = 200_000
HARMFUL: dict[str, tuple[bytes, str]] = {
    "nested XML": (b"<a>" * DEEP + b"</a>" * DEEP, "xml."),
    "nested JSON": (b'{"a":' * DEEP + b"1" + b"}" * DEEP, "json."),
    "nested arrays": (b'{"a":' + b"[" * DEEP + b"]" * DEEP + b"}", "json."),
    "unclosed arrays": (b"{" + b'"a":[' * DEEP, "json."),
    "billion laughs": (
        b'<!DOCTYPE l [<!ENTITY a "lol">'
        + b"".join(
            f'<!ENTITY {chr(98 + n)} "{"&" + chr(97 + n) + ";"}{("&" + chr(97 + n) + ";") * 9}">'.encode()
            for n in range(9)
        )
        + b"]><l>&j;</l>",
        "xml.",
    ),
    "quadratic entity": (b'<!DOCTYPE l [<!ENTITY a "' + b"x" * 50_000 + b'">]><l>' + b"&a;" * 50_000 + b"</l>", "xml."),
    "external entity": (b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><l>&a;</l>', "xml."),
    "parameter entity": (b'<!DOCTYPE l [<!ENTITY % a SYSTEM "http://127.0.0.1:1/x"> %a;]><l/>', "xml."),
    "entity in UTF-16": ('<!DOCTYPE l [<!ENTITY a "b">]><l>&a;</l>'.encode("utf-16"), "xml."),
    "many attributes": (b"<a " + b" ".join(b'b%d="1"' % n for n in range(50_000)) + b"/>", "xml."),
    "long name": (b"<" + b"a" * 1_000_000 + b"/>", "xml."),
    "long number": (b'{"format": ' + b"9" * 1_000_000 + b"}", ""),
    "exponent": (b'{"format": "json:declaration:1", "document": {"goods": [{"quantity": 1e999999999}]}}', ""),
    "lone surrogate": (b'{"format": "\\ud800"}', "json."),
    "wrong charset": ('<?xml version="1.0" encoding="UTF-8"?><a>报检</a>'.encode("gb18030"), "xml."),
    "unknown charset": (b'<?xml version="1.0" encoding="EBCDIC-9"?><a/>', "xml."),
    "EDIFACT in a wrong charset": (
        b"UNB+UNOA:3+A+B+260305:0930+1'UNH+1+CUSDEC:D:96B:UN'BGM+855+\xb1\xa8\xbc\xec+9'UNT+3+1'UNZ+1+1'",
        "",
    ),
    "one endless segment": (b"UNB+UNOA:3+A+B+260305:0930+1'UNH+1+CUSDEC:D:96B:UN'BGM+" + b"x" * 3_000_000, ""),
    "very many separators": (
        b"UNB+UNOA:3+A+B+260305:0930+1'UNH+1+CUSDEC:D:96B:UN'BGM" + b"+" * 200_000 + b"'UNT+3+1'UNZ+1+1'",
        "",
    ),
    "release characters": (b"UNB+UNOA:3+A+B+260305:0930+1'UNH+1+CUSDEC:D:96B:UN'BGM+" + b"?" * 500_001 + b"'", ""),
    "empty segments": (b"UNB+UNOA:3+A+B+260305:0930+1'" + b"'" * 100_000, ""),
    "separators all the same": (b"UNA++++++UNB+UNOA:3+A+B+260305:0930+1+", ""),
    "X12 separators all the same": (X12[:103] + b"****" + X12[106:], ""),
    "a package longer than the file": (b"UNB+UNOA:4+A+B+260305:0930+1'UNO+1++1+999999999999'abc", ""),
    "a binary segment longer than the file": (X12.replace(b"LX*1~", b"BIN*999999999999*abc~"), ""),
    "a binary segment of negative length": (X12.replace(b"LX*1~", b"BIN*-5*abc~"), ""),
}


@pytest.mark.parametrize("name", HARMFUL)
def test_what_is_built_to_harm_is_refused(name: str) -> None:
    """Nesting, entities, lengths and separators that would hurt a careless reader are findings, quickly."""
    body, prefix = HARMFUL[name]
    found = judged(body)
    assert rejected(found)
    every = [f.code for item in found for f in item.findings]
    assert any(code.startswith(prefix) for code in every), every


def _zip(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return buffer.getvalue()


BOMB = bytes(LIMIT + 1)
COMPRESSED = {
    "gzip bomb": (gzip.compress(BOMB), "payload.too_large"),
    "zip bomb": (_zip(a=BOMB), "payload.too_large"),
    "zip of many": (_zip(**{str(n): bytes(LIMIT // 8) for n in range(9)}), "payload.too_large"),
    "too many files": (_zip(**{str(n): b"" for n in range(1001)}), "payload.too_large"),
    "zip in zip": (_zip(a=_zip(b=b"UNB")), "payload.unreadable"),
    "gzip in zip": (_zip(a=gzip.compress(b"UNB")), "payload.unreadable"),
    "gzip in gzip": (gzip.compress(gzip.compress(b"UNB")), "payload.unknown_syntax"),
    "cut gzip": (gzip.compress(X12)[:-9], "payload.unreadable"),
    "cut zip": (_zip(a=X12)[:-9], "payload.unreadable"),
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_bombs_are_refused_before_they_burst(name: str) -> None:
    """What unpacks to more than the limit, or to another archive, is refused with its reason."""
    body, code = COMPRESSED[name]
    found = judged(body)
    assert code in [f.code for item in found for f in item.findings]
    assert rejected(found)


# Random.

BOUNDED = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@BOUNDED
@given(
    st.sampled_from(
        [b"", b"UNA", b"UNB+", b"UNB+UNOA:3+", b"ISA*00*", b"<", b"<?xml ", b"{", b"\x1f\x8b", b"PK\x03\x04"]
    ),
    st.binary(max_size=400),
)
def test_random_bytes_are_answered(start: bytes, rest: bytes) -> None:
    """Whatever comes, something can be answered, in words."""
    judged(start + rest)


@BOUNDED
@given(st.data())
def test_mutated_messages_are_answered(given_: st.DataObject) -> None:
    """Good messages with bytes changed, dropped, doubled or moved are judged without a fault of ours."""
    name = given_.draw(st.sampled_from(sorted(samples())))
    strictness = given_.draw(st.sampled_from(Strictness))
    body = bytearray(samples()[name])
    for _ in range(given_.draw(st.integers(1, 6))):
        at = given_.draw(st.integers(0, len(body) - 1))
        length = given_.draw(st.integers(0, 12))
        piece = body[at : at + length]
        match given_.draw(st.integers(0, 3)):
            case 0:
                body[at : at + length] = given_.draw(st.binary(max_size=12))
            case 1:
                del body[at : at + length]
            case 2:
                body[at:at] = piece
            case _:
                del body[at : at + length]
                to = given_.draw(st.integers(0, max(0, len(body) - 1)))
                body[to:to] = piece
        if not body:
            return
    judged(bytes(body), strictness)


# Through a server, and by its memory.


@pytest.mark.slow
def test_a_server_survives_it_all(tmp_path: Path) -> None:
    """Over HTTP each gets a refusal or a rejected state, never a failure; then a good message goes through, in flat memory."""
    bureau = Recipient()
    limits = {"GATEWAY_LIMITS__PAYLOAD_BYTES": str(4 << 20), "GATEWAY_LIMITS__UNPACKED_BYTES": str(8 << 20)}
    gateway = GatewayProcess(tmp_path, partners(bureau.url), limits)
    gateway.start()
    try:
        assert _through(gateway, samples()["edifact"]) == "accepted"
        before = gateway.memory()
        assert gateway.post("acme", b"")[0] == 415
        assert gateway.post("acme", bytes((4 << 20) + 1))[0] == 413
        bodies = [body for body, _ in (*HARMFUL.values(), *COMPRESSED.values())]
        bodies += [body[: len(body) // 2] for body in samples().values()]
        for body in bodies:
            assert _through(gateway, body) == "rejected", body[:80]
        assert "work_failed" not in gateway.log()
        assert "Traceback" not in gateway.log()
        bureau.wait_for(1)
        assert gateway.memory() - before < 120 << 20
    finally:
        gateway.kill()
        bureau.close()


def _through(gateway: GatewayProcess, body: bytes) -> str:
    """The state that a payload ends in."""
    status, answer = gateway.post("acme", body)
    assert status == 202, answer
    deadline = time.monotonic() + 60
    while True:
        view = gateway.get("acme", f"/v1/messages/{answer['id']}")[1]
        if view["state"] != "received":
            return str(view["state"])
        assert time.monotonic() < deadline, body[:80]
        time.sleep(0.01)


MEASURE = """
import json, resource, sys
from tests.faults.test_malformed import *
judged(samples()["edifact"]); judged(samples()["xml"]); judged(samples()["json"]); judged(X12)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for body, _ in (*HARMFUL.values(), *COMPRESSED.values()):
    judged(body)
print(json.dumps([before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


@pytest.mark.slow
def test_memory_stays_flat() -> None:
    """All that is built to harm, examined in one process, takes less than 100 MB beyond what good messages take."""
    root = Path(__file__).resolve().parents[2]
    run = subprocess.run(
        [sys.executable, "-c", MEASURE], cwd=root, capture_output=True, text=True, check=False, timeout=300
    )
    assert run.returncode == 0, run.stderr[-3000:]
    before, after = json.loads(run.stdout)
    assert after - before < 100 << 10, f"{before} -> {after} KiB"
