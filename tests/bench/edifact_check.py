"""Figure edifact_check_vs_pydifact: a CUSDEC D.96B interchange of 5 MB, our parse and full check against a parse alone.

Ours reads, and checks structure, types, lengths and codes; pydifact's parser is drained and its segments are dropped,
which is the least it can do. In segments a second of processor time, so that others on the machine weigh on
neither. Each measurement is a fresh process: imports are done, the file is in memory, nothing is read or compiled.

Every message is drawn anew from one seeded generator; no value repeats but codes and dates.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.catalogue_folders import shipped
from gateway.check import structure, tables
from gateway.parse import edifact
from gateway.parse.segments import MessageRead
from tests.bench.figures import ROOT, Figure, peer_python

SIZE = 5_000_000
SEED = 96
_ITEMS = 9

# Run by the peers' interpreter; pydifact warns once for each tag it has no description of.
_PEER = """
import sys, time, warnings
warnings.simplefilter("ignore")
from pydifact.parser import Parser
text = open(sys.argv[1], encoding="latin-1", newline="").read()
began = time.process_time()
count = sum(1 for _ in Parser().parse(text))
print(count / (time.process_time() - began))
"""


def measure(runs: int = 5) -> dict[str, Figure]:
    """The ratio over `runs` pairs, and our own rate."""
    with tempfile.TemporaryDirectory() as folder:
        wire = Path(folder) / "declarations.edi"
        write(wire, SIZE)
        pairs = [(_ours(wire), _peer(wire)) for _ in range(runs)]
    return {
        "edifact_check_segments_per_s": Figure.of([ours for ours, _ in pairs], "segments/s"),
        "edifact_check_vs_pydifact": Figure.of([ours / peer for ours, peer in pairs]),
    }


def write(path: Path, size: int) -> None:
    """An interchange of declarations of at least `size` bytes to `path`, a message at a time."""
    draw, count = random.Random(SEED), 0
    with path.open("wb") as out:
        out.write(b"UNB+UNOC:3+ENTERPRISE:ZZ+BUREAU:ZZ+260301:0930+BENCH1'")
        while out.tell() < size:
            count += 1
            out.write("".join(f"{raw}'" for raw in _declaration(draw, count)).encode("latin-1"))
        out.write(f"UNZ+{count}+BENCH1'".encode())


def _declaration(draw: random.Random, number: int) -> Iterator[str]:
    """A declaration of 80 segments or so, good throughout."""

    def digits(length: int) -> str:
        return str(draw.randrange(10 ** (length - 1), 10**length))

    def amount() -> str:
        return f"{draw.randrange(1, 10**6)}.{draw.randrange(100):02}"

    segments = [
        f"UNH+{number}+CUSDEC:D:96B:UN",
        f"BGM+830+{digits(15)}+9",
        f"LOC+5+CN{digits(6)}:139:6",
        f"LOC+8+DE{digits(4)}:139:6",
        f"DTM+137:2026{draw.randint(1, 12):02}{draw.randint(1, 28):02}{draw.randint(0, 23):02}30:203",
        f"GIS+{draw.choice('1234589')}",
        f"MEA+WT+AAD+KGM:{amount()}",
        f"EQD+CN+CSQU{digits(7)}+45G1:102:5",
        f"FTX+AAA+++REMARK {digits(9)}",
        f"RFF+ABT:{digits(15)}",
        f"TDT+20+V{digits(4)}+1++CARR{digits(4)}:172:20",
        f"DOC+380+INV{digits(8)}",
        f"NAD+CZ+{digits(10)}:160:ZZZ++TRADING COMPANY {digits(5)}+ROAD {digits(4)}+CITY {digits(3)}++{digits(6)}+CN",
        f"NAD+CN+{digits(10)}:160:ZZZ++IMPORT HOUSE {digits(5)}+STREET {digits(4)}+TOWN {digits(3)}++{digits(5)}+DE",
        f"MOA+39:{amount()}:USD",
        "UNS+D",
    ]
    for item in range(1, _ITEMS + 1):
        segments += [
            f"CST+{item}+{digits(10)}:122+{digits(4)}:117",
            f"FTX+AAA+++GOODS {digits(8)}:QUALITY {digits(4)}",
            "LOC+27+CN:162:5",
            f"MEA+AAE+AAF+KGM:{amount()}",
            f"MEA+AAE+AAB+NMB:{digits(5)}",
            f"PAC+{digits(3)}++CT:64:6",
            f"MOA+38:{amount()}:USD",
        ]
    segments += ["UNS+S", f"CNT+5:{_ITEMS}", f"CNT+11:{digits(5)}"]
    yield from segments
    yield f"UNT+{len(segments) + 1}+{number}"


def _ours(path: Path) -> float:
    command = [sys.executable, "-m", "tests.bench.edifact_check", str(path)]
    return float(json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout))


def _peer(path: Path) -> float:
    command = [str(peer_python()), "-c", _PEER, str(path)]
    return float(subprocess.run(command, capture_output=True, check=True).stdout)


def checked_per_second(path: Path) -> float:
    """Read, find the table, check: segments a second."""
    body = path.read_bytes()
    began, count = time.process_time(), 2
    for event in edifact.read(body):
        assert not event.findings, event.findings
        if isinstance(event, MessageRead):
            table = tables.find(shipped(), event.message.type)
            assert table is not None
            checked = structure.check(event.message, table)
            assert not checked.findings, checked.findings
            count += len(checked.nodes)
    return count / (time.process_time() - began)


if __name__ == "__main__":
    print(json.dumps(checked_per_second(Path(sys.argv[1]))))
