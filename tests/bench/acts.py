"""What is decided at once, beside other traffic: an officer's decision is answered while declarations come in.

    act_p99_ms     from a decision's first byte to the answer that says what came of it, beside 100 exchanges a second

The tasks are those of the system of docs/adding.md: firms ask for fumigations, of which the office is asked; then the
office decides one after the other, ten a second, while an enterprise sends declarations that go to its bureau. Gateway,
both senders and the bureau are processes of their own on the same two cores.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from tests.bench.exchange import running_bureau
from tests.bench.figures import ROOT, Figure
from tests.faults.material import partners
from tests.harness import GatewayProcess, key_of
from tests.test_adding_system import PARTNERS, asked, lay_out

EXCHANGES = 100.0
"""A second, beside the decisions."""
DECISIONS = 100
"""Of each run, ten a second: as long as the sender of declarations sends."""
RUNS = 5
OFFICE = "379900"
"""The office that is asked: another one than the bureau that has the declarations."""


async def decide(gateway: str, run: int) -> list[float]:
    """Have the office decide everything it is asked, and give milliseconds for each answer."""
    headers = {"Authorization": f"Bearer {key_of('office')}", "Content-Type": "application/json"}
    took: list[float] = []
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.get(f"{gateway}/v1/tasks?limit=500") as answer:
            tasks = (await answer.json())["items"]
        assert len(tasks) == DECISIONS, len(tasks)

        async def one(number: int, task: dict[str, object]) -> None:
            await asyncio.sleep(number / 10)
            decision = {"task": task["id"], "option": "approve", "task_version": task["version"]}
            body = {"format": "json:decision:1", "reference": f"B{run}-{number}", "document": decision}
            began = time.monotonic()
            async with session.post(f"{gateway}/v1/messages?document=decision", data=json.dumps(body)) as answer:
                said = await answer.json()
            took.append(1000 * (time.monotonic() - began))
            assert (answer.status, said["state"]) == (200, "accepted"), said

        await asyncio.gather(*(one(number, task) for number, task in enumerate(tasks)))
    return took


def _run(bureau: str, run: int) -> list[float]:
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as name:
        folder = Path(name)
        system = PARTNERS.format(firm=key_of("firm"), office=key_of("office")).replace("370200", OFFICE)
        everybody = partners(f"{bureau}/inbox") + system
        environment = {"GATEWAY_PIPELINE__WORKERS": "1", **lay_out(folder)}
        gateway = GatewayProcess(folder, everybody, environment)
        gateway.start()
        try:
            needed_by = datetime.now(UTC) + timedelta(hours=2)
            for number in range(DECISIONS):
                assert (
                    gateway.post("firm", asked(f"F-{number}", needed_by).replace(b"370200", OFFICE.encode()))[0] == 202
                )
            waiting = 0
            while waiting < DECISIONS:
                time.sleep(0.2)
                waiting = len(gateway.get("office", "/v1/tasks?limit=500")[1]["items"])
            command = [sys.executable, "-m", "tests.bench.exchange", "sender", gateway.url, bureau, str(run * 100_000)]
            sender = subprocess.Popen([*command, str(EXCHANGES)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
            time.sleep(1)
            took = asyncio.run(decide(gateway.url, run))
            said, _ = sender.communicate(timeout=120)
            assert json.loads(said)["count"] > 0
        finally:
            gateway.kill()
    return took


def measure() -> dict[str, Figure]:
    """A fresh gateway for every run."""
    (ROOT / "var").mkdir(exist_ok=True)
    with running_bureau() as bureau:
        runs = [_run(bureau, 50 + run) for run in range(RUNS)]
    p99 = [statistics.quantiles(took, n=100)[98] for took in runs]
    return {"act_p99_ms": Figure.of(p99, f"{DECISIONS} decisions a run, beside {EXCHANGES:.0f} exchanges a second")}
