"""Figure x12_check_vs_pyx12: a 309 file of 1 MB, our parse and full check against pyx12's validation.

pyx12 runs through its own entry point, `x12n_document`, with maps made from our tables, so that both judge by the
same facts. Each measurement is a fresh process of the same interpreter, started and warmed alike: imports are done,
nothing has been read or compiled. The figure is the ratio of segments a second, pair by pair.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
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
SEED = 309
_WORDS = ("TRUCK", "TIRES", "COFFEE", "GREEN", "ORANGE", "JUICE", "FROZEN", "STEEL", "COILS", "PAPER", "PULP", "WOOD")


def measure() -> dict[str, Figure]:
    """The ratio ours to pyx12's, pair by pair, and the two rates."""
    pairs = rates()
    return {
        KEY: Figure.of([ours / peer for ours, peer in pairs], "times"),
        "x12_check_per_s": Figure.of([ours for ours, _ in pairs], "segments/s"),
        "pyx12_check_per_s": Figure.of([peer for _, peer in pairs], "segments/s"),
    }


def rates(runs: int = 5) -> list[tuple[float, float]]:
    """Segments a second, ours and pyx12's, alternately measured."""
    with tempfile.TemporaryDirectory() as folder:
        wire = Path(folder) / "manifest.x12"
        wire.write_bytes(manifest(SIZE))
        maps = Path(folder) / "maps"
        maps.mkdir()
        write_maps(maps)
        return [(_run("ours", wire), _run("pyx12", wire, maps)) for _ in range(runs)]


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
    def digits(length: int) -> str:
        return str(draw.randrange(10 ** (length - 1), 10**length))

    def words(count: int) -> str:
        return f"{' '.join(draw.choices(_WORDS, k=count))} {digits(5)}"

    carrier = "".join(draw.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=4))
    date = f"2026{draw.randint(1, 12):02}{draw.randint(1, 28):02}"
    rows = [
        segment("M10", carrier, "O", "SG", digits(7), f"{words(1)}", f"{digits(3)}N", digits(7), digits(2), "Y"),
        segment("P4", digits(4), date, digits(2), f"M{digits(3)}"),
    ]
    for line in range(1, 11):
        quantity, weight = digits(3), digits(5)
        bill = (
            "M11",
            f"{carrier}{digits(8)}",
            digits(5),
            quantity,
            "PKG",
            weight,
            "K",
            digits(2),
            "X",
            "00",
            "SANTOS",
            "",
        )
        rows += [segment("LX", str(line)), segment(*bill, carrier)]
        for party in ("SH", "CN", "N1"):
            rows.append(segment("N1", party, words(2)))
            rows.append(segment("N3", f"{words(1)} STREET {digits(3)}"))
            rows.append(segment("N4", words(1), "SP", digits(5), "BR"))
        rows.append(segment("N1", "FS", words(1), "93", digits(6)))
        for _ in range(2):
            rows.append(segment("VID", "4B", carrier, digits(7), digits(8), "", "", "", "", "45G1", "L", "PP"))
            for _ in range(6):
                rows.append(segment("N10", digits(2), words(3), digits(6), "J", digits(6), digits(5), "K", digits(4)))
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


def _run(which: str, *paths: Path) -> float:
    command = [sys.executable, "-m", "tests.bench.x12_check", which, *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout))


def ours(path: Path) -> float:
    """Read, find the table, check: segments a second."""
    started = time.perf_counter()
    count = 2  # ISA and GS; GE and IEA below
    for event in x12.read(path.read_bytes()):
        assert not event.findings
        if isinstance(event, MessageRead):
            table = tables.find(shipped(), event.message.type)
            assert table is not None
            assert not structure.check(event.message, table).findings
            count += len(event.message.segments)
    return (count + 2) / (time.perf_counter() - started)


def pyx12(path: Path, maps: Path) -> float:
    """pyx12's validation of the whole file: segments a second."""
    import logging

    from pyx12.params import ParamsBase
    from pyx12.x12n_document import x12n_document

    logging.disable()
    started = time.perf_counter()
    with path.open(encoding="ascii") as file:
        assert x12n_document(ParamsBase(), file, None, None, map_path=str(maps))
    elapsed = time.perf_counter() - started
    return path.read_bytes().count(b"~") / elapsed


def main() -> None:
    """Measure, or be one side of the measurement."""
    match sys.argv[1:]:
        case ["ours", path]:
            json.dump(ours(Path(path)), sys.stdout)
        case ["pyx12", path, maps]:
            json.dump(pyx12(Path(path), Path(maps)), sys.stdout)
        case _:
            for mine, peer in rates():
                sys.stdout.write(f"ours {mine:,.0f} segments/s, pyx12 {peer:,.0f}, ratio {mine / peer:.1f}\n")


if __name__ == "__main__":
    main()
