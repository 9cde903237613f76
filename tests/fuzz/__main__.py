"""`python -m tests.fuzz` fuzzes every target, guided by coverage, each for FUZZ_SECONDS (an hour), or those named.

Each run draws another seed, which is printed; with FUZZ_SEED it goes the way that seed went, as far as its time allows.

What is found lies in tests/fuzz/regressions/TARGET/ from then on, where `tests/fuzz/test_targets.py` replays it; what
led to new paths is kept in var/fuzz/TARGET/ for the next run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import random
import subprocess
import sys
from pathlib import Path

from tests.fuzz import seeds

CORPUS = Path("var/fuzz")
LONGEST = 4096
"""Bytes of an input at most: longer than most samples' messages."""


def main(arguments: list[str]) -> int:
    """Fuzz the targets named, or all; 1 where something was found."""
    if importlib.util.find_spec("atheris") is None:
        print("not fuzzed: atheris has no wheel for this platform and version of Python", file=sys.stderr)
        return 0
    seconds = int(os.environ.get("FUZZ_SECONDS", "3600"))
    wanted = arguments or seeds.names()
    share = max(1, int(os.environ["FUZZ_TOTAL"]) // len(wanted)) if "FUZZ_TOTAL" in os.environ else seconds
    return max(run(name, share) for name in wanted)


def run(name: str, seconds: int) -> int:
    """Fuzz one target in a process of its own, for so many seconds at most."""
    grown, first = CORPUS / name, CORPUS / "seeds" / name
    found = seeds.REGRESSIONS / name
    for folder in (grown, first, found):
        folder.mkdir(parents=True, exist_ok=True)
    for body in seeds.seeds(name):
        (first / hashlib.sha256(body).hexdigest()[:16]).write_bytes(body)
    before = set(seeds.regressions(name))
    seed = int(os.environ.get("FUZZ_SEED", random.randrange(1, 2**31)))
    print(f"{name}: {seconds} s, seed {seed}", flush=True)
    options = (
        f"-max_total_time={seconds}",
        f"-seed={seed}",
        f"-max_len={LONGEST}",
        f"-artifact_prefix={found}/",
        "-timeout=30",
        "-rss_limit_mb=2048",
        "-verbosity=0",
        "-print_final_stats=1",
        "-use_value_profile=0",
    )
    command = [sys.executable, "-m", "tests.fuzz.fuzzer", name, *options, str(grown), str(first)]
    # The reading of the seeds is not counted by the fuzzer; a target that hangs is ended all the same.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    status = subprocess.run(command, check=False, timeout=seconds * 2 + 300, env=environment).returncode
    new = set(seeds.regressions(name)) - before
    for path in new:
        print(f"found: {path}", file=sys.stderr)
    if not any(found.iterdir()):
        found.rmdir()
    return int(bool(new) or status != 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
