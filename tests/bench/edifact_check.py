"""A CUSDEC D.96B interchange of 5 MB: our parse and full check against a parse alone, and against a bare split.

    edifact_check_vs_pydifact         times pydifact's parser, of a process that has checked such messages before
    edifact_check_cold_vs_pydifact    the same of the first interchange of a process: tables and shapes are new to it
    edifact_check_vs_split            of the rate at which `str.split` alone cuts the same text into segments, elements
                                      and components, warm

Ours reads, and checks structure, types, lengths and codes; pydifact's parser is drained and its segments are dropped,
which is the least it can do. In segments a second of processor time, so that others on the machine weigh on
neither. Each measurement is a fresh process: imports are done, the file is in memory, nothing is read or compiled.

Every message is drawn anew from one seeded generator; no value repeats but codes and dates, and names, remarks, numbers
and amounts are of varied lengths. What a process is warmed with is drawn from another seed.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.catalogue_folders import shipped
from gateway.check import structure, tables
from gateway.parse import edifact
from gateway.parse.segments import MessageRead
from tests.bench.figures import ROOT, Figure, peer_python

SIZE = 5_000_000
SEED, SEED_BEFORE = 96, 69
_ITEMS = 9
_WORDS = (
    "ORIENT",
    "STEEL",
    "TRADING",
    "GREEN",
    "CO",
    "IMPORT",
    "HOUSE",
    "OF",
    "COTTON",
    "AND",
    "FROZEN",
    "FISH",
    "VALVES",
)

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
    """The ratios over `runs` pairs, and our own rates."""
    with tempfile.TemporaryDirectory() as folder:
        before, wire = Path(folder) / "before.edi", Path(folder) / "declarations.edi"
        write(before, SIZE, SEED_BEFORE)
        write(wire, SIZE)
        pairs = [(_ours(before, wire), _peer(wire)) for _ in range(runs)]
    return {
        "edifact_check_segments_per_s": Figure.of([ours.warm for ours, _ in pairs], "segments/s"),
        "edifact_check_vs_pydifact": Figure.of([ours.warm / peer for ours, peer in pairs]),
        "edifact_check_cold_vs_pydifact": Figure.of([ours.cold / peer for ours, peer in pairs]),
        "edifact_check_vs_split": Figure.of([ours.warm / ours.split for ours, _ in pairs]),
    }


@dataclass(frozen=True, slots=True)
class Rates:
    """Segments a second of one process: its first interchange, its second, and the second one only split."""

    cold: float
    warm: float
    split: float


def write(path: Path, size: int, seed: int = SEED) -> None:
    """An interchange of declarations of at least `size` bytes to `path`, a message at a time."""
    draw, count = random.Random(seed), 0
    with path.open("wb") as out:
        out.write(b"UNB+UNOC:3+ENTERPRISE:ZZ+BUREAU:ZZ+260301:0930+BENCH1'")
        while out.tell() < size:
            count += 1
            out.write("".join(f"{raw}'" for raw in _declaration(draw, count)).encode("latin-1"))
        out.write(f"UNZ+{count}+BENCH1'".encode())


def _declaration(draw: random.Random, number: int) -> Iterator[str]:
    """A declaration of 80 segments or so, good throughout."""

    def digits(shortest: int, longest: int = 0) -> str:
        length = draw.randint(shortest, longest or shortest)
        return str(draw.randrange(10 ** (length - 1), 10**length))

    def amount() -> str:
        return f"{digits(1, 7)}.{draw.randrange(100):02}" if draw.random() < 0.7 else digits(1, 7)

    def words(most: int) -> str:
        return f"{' '.join(draw.choices(_WORDS, k=draw.randint(1, most)))} {digits(1, 5)}"[-35:].strip()

    def party(role: str, country: str) -> str:
        address = f"ROAD {digits(1, 4)}+{draw.choice(_WORDS)}"
        return f"NAD+{role}+{digits(8, 12)}:160:ZZZ++{words(4)}+{address}++{digits(5, 6)}+{country}"

    segments = [
        f"UNH+{number}+CUSDEC:D:96B:UN",
        f"BGM+830+{digits(12, 18)}+9",
        f"LOC+5+CN{digits(6)}:139:6",
        f"LOC+8+DE{digits(4)}:139:6",
        f"DTM+137:2026{draw.randint(1, 12):02}{draw.randint(1, 28):02}{draw.randint(0, 23):02}30:203",
        f"GIS+{draw.choice('1234589')}",
        f"MEA+WT+AAD+KGM:{amount()}",
        f"EQD+CN+CSQU{digits(7)}+45G1:102:5",
        f"FTX+AAA+++REMARK {words(6)}",
        f"RFF+ABT:{digits(10, 18)}",
        f"TDT+20+V{digits(2, 5)}+1++CARR{digits(4)}:172:20",
        f"DOC+380+INV{digits(4, 9)}",
        party("CZ", "CN"),
        party("CN", "DE"),
        f"MOA+39:{amount()}:USD",
        "UNS+D",
    ]
    for item in range(1, _ITEMS + 1):
        segments += [
            f"CST+{item}+{digits(8, 10)}:122+{digits(4)}:117",
            f"FTX+AAA+++GOODS {words(6)}:QUALITY {words(3)}",
            "LOC+27+CN:162:5",
            f"MEA+AAE+AAF+KGM:{amount()}",
            f"MEA+AAE+AAB+NMB:{digits(1, 6)}",
            f"PAC+{digits(1, 4)}++CT:64:6",
            f"MOA+38:{amount()}:USD",
        ]
    segments += ["UNS+S", f"CNT+5:{_ITEMS}", f"CNT+11:{digits(1, 6)}"]
    yield from segments
    yield f"UNT+{len(segments) + 1}+{number}"


def _ours(before: Path, path: Path) -> Rates:
    command = [sys.executable, "-m", "tests.bench.edifact_check", str(before), str(path)]
    return Rates(**json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout))


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


def split_per_second(path: Path) -> float:
    """Cut into segments, each a list of elements, each a list of components, and drop them: segments a second."""
    body = path.read_bytes()
    began, count, elements = time.process_time(), 0, 0
    for raw in body.decode("latin-1").split("'"):
        elements += len([element.split(":") for element in raw.split("+")])
        count += 1
    assert elements > count
    return count / (time.process_time() - began)


if __name__ == "__main__":
    first, second = map(Path, sys.argv[1:])
    print(json.dumps(asdict(Rates(checked_per_second(first), checked_per_second(second), split_per_second(second)))))
