"""Payloads that are small, or look so, and cost whoever reads them carelessly far more; `size` scales each.

Every kind is a function of one whole number: how many of what it repeats. The numbers beside the names in
KINDS are those of an attack; the suite uses a fraction.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from gateway.catalogue_folders import shipped

ISA = "ISA*00*          *00*          *ZZ*SENDER         *ZZ*GATEWAY        *260305*0130*U*00401*{0:09}*1*P*>~"
MIB = 1 << 20


def _x12(body: str, groups: int, number: int = 1) -> bytes:
    return f"{ISA.format(number)}{body}IEA*{groups}*{number:09}~".encode()


def _edifact(body: str, messages: int, reference: str = "HEAVY", head: str = "") -> bytes:
    return f"{head}UNB+UNOC:3+SENDER+GATEWAY+260305:0130+{reference}'{body}UNZ+{messages}+{reference}'".encode()


def empty_groups(size: int) -> bytes:
    """X12 groups without a transaction set, compressed."""
    group = "GS*SO*SENDER*GATEWAY*20260305*0130*{0}*X*004010~GE*0*{0}~"
    return gzip.compress(_x12("".join(group.format(n) for n in range(1, size + 1)), size), 6)


def full_groups(size: int) -> bytes:
    """X12 groups of one transaction set each."""
    group = "GS*SO*SENDER*GATEWAY*20260305*0130*{0}*X*004010~ST*309*{0:04}~SE*2*{0:04}~GE*1*{0}~"
    return _x12("".join(group.format(n) for n in range(1, size + 1)), size)


def sets(size: int) -> bytes:
    """One X12 group of very many transaction sets, each refused."""
    body = "".join(f"ST*309*{n:04}~SE*2*{n:04}~" for n in range(1, size + 1))
    return _x12(f"GS*SO*SENDER*GATEWAY*20260305*0130*1*X*004010~{body}GE*{size}*1~", 1)


def interchanges(size: int) -> bytes:
    """EDIFACT interchanges, each with one message that is refused."""
    return b"".join(_edifact("UNH+1+CUSDEC:D:96B:UN'UNT+2+1'", 1, f"H{n}") for n in range(size))


def empty_interchanges(size: int) -> bytes:
    """EDIFACT interchanges without a message."""
    return b"".join(_edifact("", 0, f"E{n}") for n in range(size))


def messages(size: int) -> bytes:
    """One EDIFACT interchange of very many messages, each refused."""
    return _edifact("".join(f"UNH+{n}+CUSDEC:D:96B:UN'UNT+2+{n}'" for n in range(1, size + 1)), size)


def segments(size: int) -> bytes:
    """One EDIFACT message of very many tiny segments."""
    tiny = "A'" * size
    return _edifact(f"UNH+1+CUSDEC:D:96B:UN'{tiny}UNT+{size + 2}+1'", 1)


def errors(size: int) -> bytes:
    """Messages with two thousand faults each: `size` faults in all."""
    faults = 2000
    wrong = "LOC+?+'" * faults
    one = f"UNH+{{0}}+CUSDEC:D:96B:UN'BGM+929+X+9'{wrong}UNT+{faults + 3}+{{0}}'"
    count = max(1, size // faults)
    return _edifact("".join(one.format(n) for n in range(1, count + 1)), count)


def long_segment(size: int) -> bytes:
    """One segment, and one element of it, of so many bytes."""
    return _edifact(f"UNH+1+CUSDEC:D:96B:UN'FTX+AAI+++{'X' * size}'UNT+3+1'", 1)


def components(size: int) -> bytes:
    """One segment of very many empty components, and one of very many released characters."""
    return _edifact(f"UNH+1+CUSDEC:D:96B:UN'FTX+{':' * size}'FTX+{'??' * size}'UNT+4+1'", 1)


def repetitions(size: int) -> bytes:
    """One element that repeats very often, under separators of the sender's own."""
    body = f"UNH#1#CUSDEC|D|96B|UN~FTX#AAI#{'A*' * size}~UNT#3#1~"
    return f"UNA|#.?*~UNB#UNOC|4#SENDER#GATEWAY#20260305|0130#R1~{body}UNZ#1#R1~".encode()


def zeros(size: int) -> bytes:
    """So many bytes of zeros, compressed a thousandfold."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as file:
        for start in range(0, size, MIB):
            file.write(bytes(min(MIB, size - start)))
    return packed.getvalue()


def members(size: int) -> bytes:
    """A gzip file of very many empty members."""
    return gzip.compress(b"", mtime=0) * size


def archive(size: int) -> bytes:
    """A zip of very many empty files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for n in range(size):
            file.writestr(f"{n}", b"")
    return packed.getvalue()


def large_parts(size: int) -> bytes:
    """A zip of so many files, each unpacking to a mebibyte of blanks."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for n in range(size):
            file.writestr(f"{n}.edi", b"UNB+" + b" " * MIB)
    return packed.getvalue()


def attributes(size: int) -> bytes:
    """One XML element with very many attributes."""
    return b"<a " + b" ".join(b'a%d=""' % n for n in range(size)) + b"/>"


def namespaces(size: int) -> bytes:
    """One XML element with very many namespace declarations."""
    return b"<a " + b" ".join(b'xmlns:n%d="u"' % n for n in range(size)) + b"/>"


def nested(size: int) -> bytes:
    """XML that nests very deep."""
    return b"<a>" * size + b"</a>" * size


def siblings(size: int) -> bytes:
    """A known XML message whose record repeats very often, each time with faults."""
    one = "<EntDeclGoodsIo><GNo>X</GNo><Nonsense/></EntDeclGoodsIo>"
    return f'<EEntDeclIo xmlns="{_namespace()}">{one * size}</EEntDeclIo>'.encode()


@cache
def _namespace() -> str:
    from gateway.check import xsd

    return xsd.entries(shipped())["xml:EEntDeclIo:1"].namespace


def entities(size: int) -> bytes:
    """XML that declares entities which multiply (a billion laughs), `size` levels."""
    levels = "".join(f'<!ENTITY a{n} "' + f"&a{n - 1};" * 10 + '">' for n in range(1, size + 1))
    return f'<!DOCTYPE a [<!ENTITY a0 "ha">{levels}]><a>&a{size};</a>'.encode()


def json_nested(size: int) -> bytes:
    """JSON that nests very deep."""
    return b'{"a":' * size + b"1" + b"}" * size


def json_names(size: int) -> bytes:
    """One JSON object of very many names."""
    return b'{"document": {' + b",".join(b'"k%d":1' % n for n in range(size)) + b"}}"


def json_repeated(size: int) -> bytes:
    """One JSON object of very many names that each stand twice."""
    return b"{" + b",".join(b'"k%d":1,"k%d":2' % (n, n) for n in range(size)) + b"}"


def empty_goods(size: int) -> bytes:
    """A JSON declaration of very many goods that say nothing, compressed: each lacks every mandatory item."""
    goods = b"[" + b",".join([b"{}"] * size) + b"]"
    return gzip.compress(
        b'{"format":"json:declaration:1","document":{"function":"9","direction":"inbound","goods":%s}}' % goods
    )


def empty_lines(size: int) -> bytes:
    """The same as EDIFACT, uncompressed."""
    message = (samples() / "declaration" / "import_sea_container" / "in.edi").read_text("utf-8").replace("'\n", "'")
    lines = "".join(f"CST+{n}'" for n in range(1, size + 1))
    message = message[: message.index("CST+1+")] + lines + message[message.index("UNS+S'") :]
    message = re.sub(r"CNT\+5:\d+", f"CNT+5:{size}", message)
    body = message[message.index("UNH+") : message.index("UNT+")]
    return re.sub(r"UNT\+\d+", f"UNT+{body.count(chr(39)) + 1}", message).encode()


def many_containers(size: int) -> bytes:
    """An XML transfer with very many containers, each with a wrong check digit."""
    body = (samples() / "transfer" / "inbound" / "in.xml").read_text("utf-8")
    at = body.rfind("</t:Transfer>")
    one = "<t:Container><t:Number>CSQU3054384</t:Number></t:Container>"
    return f"{body[:at]}{one * size}{body[at:]}".encode()


def wrong_goods(size: int) -> bytes:
    """A JSON transfer of very many goods, each with a name that no goods have, compressed."""
    values = json.loads((samples() / "transfer" / "outbound" / "in.json").read_text("utf-8"))
    values["goods"] = [{"x": 1}] * size
    return gzip.compress(json.dumps(values).encode())


def long_names(size: int) -> bytes:
    """A JSON object under a name of so many characters, in which five hundred names stand twice."""
    return b'{"%s":{%s}}' % (b"A" * size, b",".join(b'"k%d":1,"k%d":2' % (n, n) for n in range(500)))


def many_values(size: int) -> bytes:
    """A JSON list of very many values, compressed."""
    return gzip.compress(b'{"a":[' + b"1," * size + b"1]}")


def many_bills(size: int) -> bytes:
    """A JSON manifest of so many bills, each with a container, compressed."""
    values = json.loads((samples() / "manifest" / "ocean" / "document.json").read_text("utf-8"))
    values.pop("id", None)
    one = values["bills"][0]
    one["containers"] = one["containers"][:1]
    values["bills"] = [{**one, "number": f"BX{n:010}"} for n in range(size)]
    values["bill_count"] = size
    return gzip.compress(json.dumps({"format": "json:manifest:1", "document": values}).encode())


def samples() -> Path:
    """Where the example messages lie."""
    return Path(__file__).parents[2] / "samples"


KINDS: dict[Callable[[int], bytes], int] = {
    empty_groups: 500_000,
    full_groups: 100_000,
    sets: 300_000,
    interchanges: 50_000,
    empty_interchanges: 100_000,
    messages: 300_000,
    segments: 1_000_000,
    errors: 1_000_000,
    long_segment: 60 * MIB,
    components: 5_000_000,
    repetitions: 5_000_000,
    zeros: 600 * MIB,
    members: 3_000_000,
    archive: 60_000,
    large_parts: 1000,
    attributes: 1_000_000,
    namespaces: 1_000_000,
    nested: 1_000_000,
    siblings: 100_000,
    entities: 12,
    json_nested: 100_000,
    json_names: 1_000_000,
    json_repeated: 1_000_000,
    empty_goods: 400_000,
    empty_lines: 9_000,
    many_containers: 100_000,
    wrong_goods: 300_000,
    long_names: 400_000,
    many_values: 10_000_000,
    many_bills: 3_000,
}
"""Each kind with the size of an attack."""
