"""stream_rss_mb: peak resident memory of `gateway validate` on one interchange of 200 MB and many messages.

Each message is a whole declaration with numbers of its own, so that what is kept per message would show. The
speed of the same run is given beside it. STREAM_MB makes the file smaller for a first look.
"""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gateway import data
from tests.bench.figures import ROOT, Figure

MEGABYTES = int(os.environ.get("STREAM_MB", "200"))
SEED = 20260305

_HEADER = "UNA:+.?*'UNB+UNOY:4+SAMPLETRADER:ZZ+CIQ:ZZ+20260305:0930+STREAM1'"


def message(number: int, template: str, chance: random.Random) -> str:
    """A declaration like the sample's, with its own numbers, weights and values."""
    return (
        template.replace("UNH+1+", f"UNH+{number}+")
        .replace("+1'END", f"+{number}'")
        .replace("SD-2026-0001", f"SD-{chance.randrange(10**6):06}-{number:07}")
        .replace("CL-2026/07", f"CL-{number:07}/{chance.randrange(100):02}")
        .replace("SMPL26010077", f"SMPL{chance.randrange(10**8):08}")
        .replace("SAMPLE WINES LOT 7", f"SAMPLE WINES LOT {chance.randrange(10**6)}")
    )


def write(path: Path, size: int) -> int:
    """Write an interchange of at least `size` bytes; how many messages it holds."""
    text = (data.samples() / "declaration/import_sea_container/in.edi").read_text("utf-8").replace("\n", "")
    begin, end = text.index("UNH+"), text.index("UNZ+")
    template = text[begin:end].removesuffix("+1'") + "+1'END"
    chance = random.Random(SEED)
    count = written = 0
    with path.open("w", encoding="utf-8") as file:
        file.write(_HEADER)
        while written < size:
            count += 1
            written += file.write(message(count, template, chance))
        file.write(f"UNZ+{count}+STREAM1'")
    return count


def measure() -> dict[str, Figure]:
    """One run over the whole file: the figure hardly varies, and the file is long."""
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as folder:
        path = Path(folder) / "stream.edi"
        count = write(path, MEGABYTES * 1_000_000)
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.stream", str(path)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        elapsed = time.perf_counter() - began
    peak, code, last = done.stdout.splitlines()
    if f'"messages": {count}' not in last or code != "0":
        raise RuntimeError(f"the file of {count} messages was not judged good: {last}")
    return {
        "stream_rss_mb": Figure.of([float(peak)]),
        "stream_messages_per_s": Figure.of([count / elapsed]),
    }


def _validate(path: str) -> None:
    """Run `gateway validate` as a child, and print its peak memory in MB, its exit code and its last line."""
    command = [sys.executable, "-m", "gateway", "validate", path, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        last = ""
        for line in child.stdout:
            last = line
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
    print(child.returncode)
    print(last.strip())


if __name__ == "__main__":
    _validate(sys.argv[1])
