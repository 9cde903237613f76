"""Mutation testing of the pure rooms: `make mutants`, or `python -m tests.mutants [how many] [which sample]`.

A sample of mutants is drawn by the commit's hash and the sample's number, so that nobody picks them and everybody draws
the same. Each is run in a copy of the project, with the tests that mirror its room, first those of its own module's
name. Killed, survived and timed out are counted apart; survivors are shown, to be looked at. var/mutants/ has all, a file
a sample, and what the samples of the same commit come to together is told at the end.

Before that, every row of every mapping table is deleted in turn, and those that nobody misses are shown.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from gateway.catalogue_folders import shipped
from gateway.errors import MappingInvalid
from gateway.translate import table
from tests.mappings import oracle
from tests.mutants import mutations

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {
    "decide": ("tests/decide", "tests/flows"),
    "flows": ("tests/flows", "tests/decide"),
    "translate": ("tests/translate", "tests/mappings"),
    "receipt": ("tests/receipt",),
}
"""The rooms that are mutated, and the tests that cover each, quick ones first."""

COPIED = ("gateway", "tests", "schemas", "mappings", "samples", "docs", "pyproject.toml", "README.md", "Makefile")


def main(arguments: Sequence[str]) -> int:
    """Delete rows, draw the sample, run it, and say what came of it; 1 where a row is not missed."""
    size = int(arguments[0]) if arguments else 150
    number = int(arguments[1]) if len(arguments) > 1 else 1
    unnoticed = list(unnoticed_rows())
    for line in unnoticed:
        print("row not missed:", line)
    print(f"rows of mapping tables that nobody misses: {len(unnoticed)}", flush=True)
    commit = _git("rev-parse", "HEAD")
    drawn = sample(size, f"{commit}:{number}")
    results = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copied = _copied(Path(folder))
        patience = {room: 10 + 4 * _seconds(copied, room) for room in {_room(path) for path, _ in drawn}}
        for done, (path, position) in enumerate(drawn, 1):
            one = mutations.mutant((ROOT / path).read_text("utf-8"), position)
            verdict = _verdict(copied, path, one.source, patience[_room(path)])
            results.append({"verdict": verdict, "path": path, "line": one.line, "was": one.was, "now": one.now})
            shown = f"{path}:{one.line}: {_short(one.was)} -> {_short(one.now)}"
            print(f"{done:4} {verdict:9} {shown}", flush=True)
    kept = ROOT / "var/mutants"
    kept.mkdir(parents=True, exist_ok=True)
    summary = {"commit": commit, "sample": number, "mutants": results}
    (kept / f"{number}.json").write_text(json.dumps(summary, ensure_ascii=False, indent=1), "utf-8")
    print(f"commit {commit[:12]}, sample {number}: {told(results)}")
    samples = pooled(kept, commit)
    print(f"commit {commit[:12]}, samples {', '.join(map(str, samples))}: {told(chain(*samples.values()))}")
    return 1 if unnoticed else 0


def pooled(folder: Path, commit: str) -> dict[int, list[dict[str, Any]]]:
    """The mutants of every sample of `commit` that is kept in `folder`, by the sample's number."""
    kept = (json.loads(path.read_text("utf-8")) for path in folder.glob("*.json"))
    return {one["sample"]: one["mutants"] for one in sorted(kept, key=itemgetter("sample")) if one["commit"] == commit}


def told(mutants: Iterable[dict[str, Any]]) -> str:
    """How many of `mutants` were killed, survived and timed out; the rate leaves out those that timed out."""
    counts = Counter(one["verdict"] for one in mutants)
    judged = counts["killed"] + counts["survived"]
    rate = 100 * counts["killed"] / judged if judged else 0.0
    return (
        f"{counts['killed']} killed, {counts['survived']} survived, {counts['timed out']} timed out; "
        f"{rate:.1f}% killed of those judged"
    )


def unnoticed_rows() -> Iterator[str]:
    """The rows of every table without which it loads and nothing contradicts it."""
    for document, format_ in table.available(shipped()):
        for position, row in enumerate(table.load(shipped(), document, format_).rows):
            try:
                lessened = table.parse(shipped(), oracle.without_row(document, format_, position), "lessened.toml")
            except MappingInvalid:
                continue
            if next(oracle.complaints(lessened), None) is None:
                yield f"{document} as {format_}: {row.field} {row.place} {row.converter}"


def sample(size: int, seed: str) -> list[tuple[str, int]]:
    """(module, position) of as many mutants, the same for the same seed and source."""
    modules = sorted(path for room in ROOMS for path in (ROOT / "gateway" / room).rglob("*.py"))
    every = [
        (str(path.relative_to(ROOT)), position)
        for path in modules
        for position in range(mutations.count(path.read_text("utf-8")))
    ]
    return random.Random(seed).sample(every, min(size, len(every)))


def _room(path: str) -> str:
    return path.split("/")[1]


def _copied(folder: Path) -> Path:
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def _tests(copied: Path, path: str) -> list[str]:
    """The tests of a module's room, those that bear its name first."""
    folders = ROOMS[_room(path)]
    stem = Path(path).stem.split("_")[0]
    named = sorted(str(p.relative_to(copied)) for f in folders for p in (copied / f).rglob(f"test_{stem}*.py"))
    return [*named, *folders]


def _run(copied: Path, tests: Sequence[str], patience: float | None) -> int | None:
    """pytest's exit code; None where its time was up."""
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-o", "addopts=", "-p", "no:cacheprovider", *tests]
    # Deleting rows tests the tables, not the code.
    command += ["--deselect", "tests/mappings/test_carried.py::test_no_row_can_be_deleted"]
    try:
        done = subprocess.run(
            command,
            cwd=copied,
            # Of two versions of one second and one length, bytecode does not know which it was made of.
            env={**os.environ, "PYTHONPATH": str(copied), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return done.returncode


def _seconds(copied: Path, room: str) -> float:
    """How long the room's tests take on the code as it is, which they must pass."""
    start = time.monotonic()
    code = _run(copied, ROOMS[room], None)
    if code != 0:
        raise SystemExit(f"the tests of {room} fail without any mutant (pytest ends with {code})")
    return time.monotonic() - start


def _verdict(copied: Path, path: str, source: str, patience: float) -> str:
    module = copied / path
    whole = module.read_text("utf-8")
    module.write_text(source, "utf-8")
    try:
        code = _run(copied, _tests(copied, path), patience)
    finally:
        module.write_text(whole, "utf-8")
    if code is None:
        return "timed out"
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise SystemExit(f"no test of {path} was found")
    # Any other ending is one that somebody notices, be it that pytest itself does not survive the mutant.
    return "survived" if code == pytest.ExitCode.OK else "killed"


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:79]}…"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
