"""README's "Run it", line by line as it stands there, in an empty folder beside the samples."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = {"README.md": "## Run it", "README.zh.md": "## 运行"}
ADDRESS = "http://127.0.0.1:8080"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("curl") is None, reason="README sends with curl"),
]


def commands(page: str) -> list[str]:
    """The commands of the section, each on one line."""
    section = (ROOT / page).read_text("utf-8").partition(SECTIONS[page] + "\n")[2].partition("\n## ")[0]
    shown = "\n".join(line[4:] for line in section.splitlines() if line.startswith(" " * 4))
    return [line.strip() for line in shown.replace("\\\n", " ").splitlines()]


def serving(makefile: str) -> str:
    """What `make serve` runs."""
    found = re.search(r"^serve: .*\n\t\$\(BIN\)/(.+)$", makefile, re.MULTILINE)
    assert found is not None
    return f".venv/bin/{found[1]}"


@pytest.fixture(params=sorted(SECTIONS))
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Any]]:
    """What each `curl` of the page answers, where all before it was done as the page says."""
    (tmp_path / ".venv").mkdir()
    # What `make setup` makes is there already: the environment that runs this test.
    (tmp_path / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    lines = [line for line in commands(request.param) if line != "make setup"]
    at = lines.index("make serve")
    preparing = "\n".join(["set -e", *lines[:at]])
    # A free port instead of 8080, which may be taken here.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GATEWAY_")} | {"GATEWAY_HTTP__PORT": "0"}
    log = tmp_path / "gateway.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            ["bash", "-c", f"{preparing}\nexec {serving((ROOT / 'Makefile').read_text('utf-8'))}"],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    try:
        # What was prepared may say something too.
        url = next((line.strip() for line in process.stdout if line.startswith("http")), "")
        assert url, log.read_text("utf-8")
        asked = [n for n, line in enumerate(lines) if line.startswith("curl")]
        yield [_answer(lines[at + 1 : n + 1], url, tmp_path) for n in asked]
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def _answer(lines: list[str], url: str, folder: Path) -> Any:
    """The answer to the last of `lines`, once the payload is decided and each delivery was tried."""
    *before, last = [line.replace(ADDRESS, url) for line in lines]
    script = "\n".join(["set -e", *(line for line in before if not line.startswith("curl")), f"{last} -fsS"])
    for _ in range(100):
        done = subprocess.run(
            ["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=20, check=False
        )
        if done.returncode == 0 and '"state":"received"' not in done.stdout and '"attempts":0' not in done.stdout:
            return json.loads(done.stdout)
        time.sleep(0.1)
    raise AssertionError(done.stdout + done.stderr)


def test_the_readme_ends_in_an_accepted_declaration(told: list[Any]) -> None:
    """Done as README says, in either language, a declaration is accepted and found, and what is for others waits."""
    sent, listed, found = told
    assert [item["id"] for item in listed["items"]] == [sent["id"]]
    assert [item["state"] for item in listed["items"]] == ["accepted"]
    (case,) = found["items"]
    assert case["status"] == "accepted"
    assert re.fullmatch(r"[0-9]{15}", case["keys"]["declaration"][0])

    # An address that is refused as private would be given up at once.
    assert case["deliveries"]
    assert {d["state"] for d in case["deliveries"]} <= {"pending", "sending"}
