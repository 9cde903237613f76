"""A 309 file of 1 MB: our parse and full check against pyx12's validation.

    x12_check_vs_pyx12         times pyx12, of a process that has checked such a file before
    x12_check_cold_vs_pyx12    the same of the first file of a process: tables and shapes are new to it

pyx12 runs through its own entry point, `x12n_document`, with maps made from our tables, so that both judge by the
same facts. Each measurement is a fresh process of the same interpreter, started alike: imports are done, nothing has
been read or compiled. The figures are ratios of segments a second of processor time, pair by pair. Values are of varied
lengths; what a process is warmed with is drawn from another seed. pyx12 reads its maps on every call: it has no warm run.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement

from gateway.catalogue_folders import shipped
from gateway.check import second_opinion, structure, tables
from gateway.model import Syntax
from gateway.parse import x12
from gateway.parse.segments import MessageRead, MessageType
from gateway.parse.x12_writer import Body, GroupHeader, InterchangeHeader, segment, write
from tests.bench.figures import ROOT, Figure

KEY = "x12_check_vs_pyx12"
SIZE = 1_000_000
SEED, SEED_BEFORE = 309, 903
_WORDS = ("TRUCK", "TIRES", "COFFEE", "GREEN", "ORANGE", "JUICE", "FROZEN", "STEEL", "COILS", "PAPER", "PULP", "WOOD")


def measure() -> dict[str, Figure]:
    """The ratios ours to pyx12's, pair by pair, and the rates."""
    found = rates()
    return {
        KEY: Figure.of([each.warm / each.peer for each in found], "times"),
        "x12_check_cold_vs_pyx12": Figure.of([each.cold / each.peer for each in found], "times"),
        "x12_check_per_s": Figure.of([each.warm for each in found], "segments/s"),
        "pyx12_check_per_s": Figure.of([each.peer for each in found], "segments/s"),
    }


@dataclass(frozen=True, slots=True)
class Rates:
    """Segments a second: our first file, our second, and pyx12's."""

    cold: float
    warm: float
    peer: float


def rates(runs: int = 5) -> list[Rates]:
    """Ours and pyx12's, alternately measured."""
    with tempfile.TemporaryDirectory() as folder:
        before, wire = Path(folder) / "before.x12", Path(folder) / "manifest.x12"
        before.write_bytes(manifest(SIZE, SEED_BEFORE))
        wire.write_bytes(manifest(SIZE))
        maps = Path(folder) / "maps"
        maps.mkdir()
        write_maps(maps)
        return [Rates(*_run("ours", before, wire), *_run("pyx12", wire, maps)) for _ in range(runs)]


def manifest(size: int, seed: int = SEED) -> bytes:
    """A good interchange of at least `size` bytes of 309 messages, every value drawn anew."""
    draw = random.Random(seed)
    bodies: list[Body] = []
    total = 0
    while total < size:
        rows = _message(draw)
        total += sum(map(len, rows)) + len(rows) + 30
        bodies.append(Body("309", f"{len(bodies) + 1:04}", rows))
    header = InterchangeHeader("CARRIER", "CUSTOMS", "1", datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
    return write(header, [(GroupHeader("AQ", "CARRIER", "CUSTOMS", "1", "004010"), bodies)])


def _message(draw: random.Random) -> list[str]:
    def digits(shortest: int, longest: int = 0) -> str:
        length = draw.randint(shortest, longest or shortest)
        return str(draw.randrange(10 ** (length - 1), 10**length))

    def words(most: int) -> str:
        return f"{' '.join(draw.choices(_WORDS, k=draw.randint(1, most)))} {digits(1, 5)}"

    carrier = "".join(draw.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=4))
    date = f"2026{draw.randint(1, 12):02}{draw.randint(1, 28):02}"
    rows = [
        segment("M10", carrier, "O", "SG", digits(7), f"{words(1)}", f"{digits(3)}N", digits(1, 5), digits(1, 3), "Y"),
        segment("P4", digits(4), date, digits(1, 3), f"M{digits(3)}"),
    ]
    for line in range(1, 11):
        quantity, weight = digits(1, 5), digits(1, 6)
        bill = (
            "M11",
            f"{carrier}{digits(6, 8)}",
            digits(5),
            quantity,
            "PKG",
            weight,
            "K",
            digits(1, 4),
            "X",
            "00",
            "SANTOS",
            "",
        )
        rows += [segment("LX", str(line)), segment(*bill, carrier)]
        for party in ("SH", "CN", "N1"):
            rows.append(segment("N1", party, words(3)))
            rows.append(segment("N3", f"{words(1)} STREET {digits(1, 4)}"))
            rows.append(segment("N4", words(1), "SP", digits(5), "BR"))
        rows.append(segment("N1", "FS", words(1), "93", digits(6)))
        for _ in range(2):
            rows.append(segment("VID", "4B", carrier, digits(7), digits(4, 8), "", "", "", "", "45G1", "L", "PP"))
            for _ in range(6):
                goods = (words(3), digits(6), "J", digits(6), digits(3, 5), "K", digits(2, 4))
                rows.append(segment("N10", digits(1, 4), *goods))
    return rows


def write_maps(folder: Path) -> None:
    """The 309 and the control segments as map files in the layout that pyx12 reads."""
    table = tables.find(shipped(), MessageType(Syntax.X12, "309", "004010"))
    control = tables.find(shipped(), MessageType(Syntax.X12, "ISA"))
    assert table is not None
    assert control is not None
    tree = ElementTree(second_opinion.map_tree(table, control))
    tree.write(folder / "309.xml", encoding="utf-8")
    tree.write(folder / "x12.control.00401.xml", encoding="utf-8")
    index = Element("maps")
    version = SubElement(index, "version", icvn="00401")
    SubElement(version, "map", vriic="004010", fic="AQ", abbr="309").text = "309.xml"
    ElementTree(index).write(folder / "maps.xml", encoding="utf-8")
    ElementTree(Element("codes")).write(folder / "codes.xml", encoding="utf-8")
    elements = Element("data_elements")
    for name, facts in second_opinion.data_elements(table, control).items():
        SubElement(elements, "data_ele", ele_num=name, **{key: str(value) for key, value in facts.items()})
    ElementTree(elements).write(folder / "dataele.xml", encoding="utf-8")


def _run(which: str, *paths: Path) -> list[float]:
    command = [sys.executable, "-m", "tests.bench.x12_check", which, *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [float(rate) for rate in json.loads(done.stdout)]


def ours(path: Path) -> float:
    """Read, find the table, check: segments a second."""
    body = path.read_bytes()
    began = time.process_time()
    count = 2  # ISA and GS; GE and IEA below
    for event in x12.read(body):
        assert not event.findings
        if isinstance(event, MessageRead):
            table = tables.find(shipped(), event.message.type)
            assert table is not None
            checked = structure.check(event.message, table)
            assert not checked.findings, checked.findings
            count += len(event.message.segments)
    return (count + 2) / (time.process_time() - began)


def pyx12(path: Path, maps: Path) -> float:
    """pyx12's validation of the whole file: segments a second."""
    import logging

    from pyx12.params import ParamsBase
    from pyx12.x12n_document import x12n_document

    logging.disable()
    began = time.process_time()
    with path.open(encoding="ascii") as file:
        assert x12n_document(ParamsBase(), file, None, None, map_path=str(maps))
    took = time.process_time() - began
    return path.read_bytes().count(b"~") / took


def main() -> None:
    """Measure, or be one side of the measurement."""
    match sys.argv[1:]:
        case ["ours", before, path]:
            json.dump([ours(Path(before)), ours(Path(path))], sys.stdout)
        case ["pyx12", path, maps]:
            json.dump([pyx12(Path(path), Path(maps))], sys.stdout)
        case _:
            for each in rates():
                said = f"ours {each.warm:,.0f} segments/s, cold {each.cold:,.0f}, pyx12 {each.peer:,.0f}"
                sys.stdout.write(f"{said}, ratio {each.warm / each.peer:.1f}\n")


if __name__ == "__main__":
    main()
