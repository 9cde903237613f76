"""The demo as a person runs it: one command, processes of its own, sockets and folders."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from gateway.demo import plan

pytestmark = pytest.mark.slow

STARTED = "The gateway is at "
WAYS = {
    "exporter": "as2_mdn",
    "factory": "smtp_250",
    "agent": "folder_rename",
    "origin-bureau": "http_digest",
    "port-bureau": "sftp_fetched",
    "customs": "webhook_2xx",
    "port": "folder_rename",
}
"""The proof that each partner's way gives."""


def demo(folder: Path, *options: str, **streams: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gateway", "demo", "--folder", str(folder / "demo"), *options]
    return subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def processes_over(folder: Path) -> list[str]:
    """Command lines of processes that were started over `folder`."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it has ended meanwhile
        if str(folder) in line:
            lines.append(line)
    return lines


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any], Path, str]:
    """The demo, run once in an empty folder: exit status, its report, where it ran, and its words."""
    folder = tmp_path_factory.mktemp("demo")
    process = demo(folder, "--json")
    output, words = process.communicate(timeout=170)
    return process.returncode, json.loads(output or "{}"), folder, words


def test_nothing_is_missing(ran: tuple[int, dict[str, Any], Path, str]) -> None:
    """Every document reaches every partner it must reach, in the partner's format, with all its receipts."""
    status, report, _, words = ran
    assert report.get("problems") == [], words
    assert status == 0, words


def test_every_sample_is_sent(ran: tuple[int, dict[str, Any], Path, str]) -> None:
    """No sample that a partner would send is left out, and each ends as its case says."""
    _, report, _, _ = ran
    cases = plan.load()
    assert [outcome["name"] for outcome in report["outcomes"]] == [case.name for case in cases]
    for case, outcome in zip(cases, report["outcomes"], strict=True):
        assert [p["state"] for p in outcome["payloads"]] == [step.verdict for step in case.steps], case.name
        assert (outcome["status"] or "") == case.status, case.name


def test_retries_are_seen(ran: tuple[int, dict[str, Any], Path, str]) -> None:
    """Customs refuses and hangs at first, and gets everything all the same."""
    _, report, _, _ = ran
    tried_again = [d for o in report["outcomes"] for d in o["deliveries"] if d["attempts"] > 1]
    assert tried_again
    assert {d["recipient"] for d in tried_again} == {"customs"}
    assert {d["state"] for d in tried_again} <= {"delivered", "answered"}


def test_everything_is_left_to_look_at(ran: tuple[int, dict[str, Any], Path, str]) -> None:
    """What each partner sent and got, the log, its checkpoint and an evidence bundle stay in the folder."""
    _, report, folder, _ = ran
    evidence = folder / "demo" / "evidence"
    assert len((evidence / "log.jsonl").read_bytes().splitlines()) == report["receipts"]
    assert {path.name.partition("-")[0] for path in evidence.glob("*.zip")} == report["received_by"].keys()
    for name in (
        "exporter",
        "factory",
        "agent",
        "importer",
        "origin-bureau",
        "port-bureau",
        "customs",
        "port",
        "strict-port",
    ):
        assert list((folder / "demo" / "partners" / name / "inbox").iterdir()), name


def test_every_transport_carries_something_with_its_own_proof(ran: tuple[int, dict[str, Any], Path, str]) -> None:
    """Each partner gets what is for it by its own way alone, and each kind of proof stands in receipts of the log."""
    _, report, folder, _ = ran
    lines = (folder / "demo" / "evidence" / "log.jsonl").read_text("utf-8").splitlines()
    leaves = [json.loads(line)["receipt"] for line in lines]
    kinds = Counter(leaf["evidence"] for leaf in leaves if leaf["stage"] == "delivered")
    assert kinds == report["delivered_by"]
    assert kinds.keys() == {"http_digest", "as2_mdn", "smtp_250", "sftp_fetched", "folder_rename", "webhook_2xx"}
    by_way = {leaf["delivery"]: leaf["evidence"] for leaf in leaves if leaf["stage"] == "delivered"}
    inboxes = {
        name: (folder / "demo" / "partners" / name / "inbox.jsonl").read_text("utf-8").splitlines() for name in WAYS
    }
    for name, evidence in WAYS.items():
        assert {by_way[json.loads(line)["delivery"]] for line in inboxes[name]} == {evidence}, name
    came = Counter(leaf["transport"] for leaf in leaves if leaf["stage"] == "received")
    assert came == report["received_by"]
    assert came.keys() == {"http", "as2", "smtp", "sftp", "folder"}


def test_no_key_outlives_its_demo(ran: tuple[int, dict[str, Any], Path, str]) -> None:
    """Keys lie in the demo's own folder, and no private one in what a partner or the gateway wrote down elsewhere."""
    folder = ran[2] / "demo"
    private = [path for path in folder.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    assert {path.parent.name for path in private} == {"keys"}


def test_the_folder_says_what_lies_where(ran: tuple[int, dict[str, Any], Path, str]) -> None:
    """An index names every file and folder that is left, and every case with its number."""
    _, report, folder, _ = ran
    index = (folder / "demo" / "README.md").read_text("utf-8")
    named = [name.partition("/")[0] for name in re.findall(r"`([^`]+)`", index)]
    left = [p.name for p in (folder / "demo").iterdir() if not p.name.startswith(".") and p.name != "README.md"]
    assert [name for name in left if not any(fnmatch(name, pattern) for pattern in named)] == []
    for outcome in report["outcomes"]:
        assert f"| {outcome['name']} | {outcome['number'] or '–'} |" in index


def test_progress_is_told_without_a_terminal(ran: tuple[int, dict[str, Any], Path, str]) -> None:
    """In a log, which shows no bar, lines say what is being done and how far it has come."""
    words = ran[3]
    assert words.index("Starting") < words.index(STARTED) < words.index("Playing") < words.index("Verifying")
    assert "cases played" in words


def test_the_timelines_show_what_was_said(ran: tuple[int, dict[str, Any], Path, str]) -> None:
    """Answers are shown with what they say, those fetched from an inbox too, and rejections with their findings."""
    _, _, folder, _ = ran
    text = (folder / "demo" / "timelines.txt").read_text("utf-8")
    assert "acknowledgement: rejected" in text.partition("strict-port")[2]
    for words in (
        *("response: released", "acknowledgement: accepted", "gateway → factory", "gateway → strict-port"),
        *("AS2: received", "mail: received", "SFTP: received", "folders: received", "HTTP: received"),
        *("AS2 (signed MDN): delivered", "mail (250 of its server): delivered", "webhook (2xx): delivered"),
        *("SFTP (fetched whole): delivered", "folders (put into InBox): delivered", "HTTP: fetched from its inbox"),
    ):
        assert words in text, words
    assert "was received before." in text
    assert re.search(r"\b1 findings", text) is None


def test_a_notice_expires_once_its_term_is_over(ran: tuple[int, dict[str, Any], Path, str]) -> None:
    """Customs, the bureau and the declarer are told days later, by receipts; every other case was over before."""
    _, report, folder, _ = ran
    (outcome,) = [one for one in report["outcomes"] if one["name"] == "export-notice-expires"]
    assert outcome["tracks"]["clearance"] == "expired"
    leaves = [json.loads(line) for line in (folder / "demo" / "evidence" / "log.jsonl").read_text("utf-8").splitlines()]
    days = sorted({datetime.fromisoformat(leaf["receipt"]["at"]).date() for leaf in leaves})
    assert (days[-1] - days[0]).days >= 2
    _, _, text = (folder / "demo" / "timelines.txt").read_text("utf-8").partition("two days later")
    rows = [line for line in text.partition("\n\n")[0].splitlines() if "response: held" in line]
    assert {recipient for row in rows for recipient in re.findall(r"gateway → (\S+)", row)} == {
        "customs", "exporter", "port-bureau",
    }  # fmt: skip
    assert all(row.startswith("  +2 d ") for row in rows)


def test_nothing_is_left_running(ran: tuple[int, dict[str, Any], Path, str]) -> None:
    """All that the demo started has ended with it."""
    assert processes_over(ran[2]) == []


def test_other_things_are_not_emptied(tmp_path: Path) -> None:
    """A folder in which no demo has been is left alone, and the demo says so."""
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "diary.txt").write_text("mine")
    process = demo(tmp_path)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "another folder" in words
    assert (tmp_path / "demo" / "diary.txt").read_text() == "mine"


def test_ctrl_c_ends_everything(tmp_path: Path) -> None:
    """Interrupted in the middle, the demo ends what it started, and nothing else."""
    process = demo(tmp_path)
    assert process.stderr is not None
    assert process.stdout is not None
    said = ""
    deadline = time.monotonic() + 60
    while STARTED not in said and time.monotonic() < deadline:
        said += process.stderr.readline()
    assert len(processes_over(tmp_path)) > 5
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=30)
    assert process.returncode not in (0, None), words
    assert "Traceback" not in words
    assert processes_over(tmp_path) == []
