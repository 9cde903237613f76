"""Runs the demo: starts the house, plays every case at once, waits, judges, proves and shows."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.demo import plan, show
from gateway.demo.house import SIMULATED, DemoFailed, House
from gateway.demo.judge import judge
from gateway.demo.plan import Case, Step
from gateway.demo.proof import prove
from gateway.demo.show import plural
from gateway.demo.watch import Evidence, Watcher, evidence
from gateway.signs import visible

CASE_SECONDS = 45.0
"""How long one case may take; what is not there by then is missing."""
QUIET_SECONDS = 12.0
"""A case in which nothing more happens for so long is over: longer than any pause between two attempts."""
LOOK_SECONDS = 0.3
TELL_SECONDS = 3.0
"""How often a log, which shows no bar, is told how far it has come."""

TIMELINES = "timelines.txt"
INDEX = "README.md"


@dataclass(slots=True)
class Played:
    """A case and what became of it."""

    case: Case
    found: Evidence
    payload_ids: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


async def run(folder: Path, *, keep: bool, as_json: bool) -> list[str]:
    """Run the whole demo; everything that is wrong, in words."""
    started = time.monotonic()
    words = Console(stderr=True)
    cases = plan.load()
    try:
        house = House(folder, plan.partners())
        async with AsyncExitStack() as stack:
            with _doing(words, "Starting the gateway and its partners"):
                await stack.enter_async_context(house)
            watcher = await stack.enter_async_context(Watcher(house.url, house.key_of("operator")))
            words.print(f"The gateway is at {house.url}, with {len(SIMULATED)} simulated partners.", highlight=False)
            played = await _play_all(cases, house, watcher, words)
            await _let_days_pass([one for one in played if one.case.days], house, watcher, words)
            problems = [f"{p.case.name}: {problem}" for p in played for problem in p.problems]
            with _doing(words, "Verifying the receipts"):
                proof = await prove(house)
            problems += proof.problems
            figures = show.counts([p.found for p in played], proof, time.monotonic() - started)
            if not figures["retries"]:
                problems.append("no delivery had to be tried again, though customs refused at first")
            if as_json:
                sys.stdout.write(
                    f"{json.dumps(_report(played, figures, problems, house), ensure_ascii=False, indent=2)}\n"
                )
            held = house.held()
            with (house.folder / TIMELINES).open("w", encoding="utf-8") as file:
                consoles = [Console(file=file, width=show.WIDE), *([] if as_json else [Console()])]
                for console in consoles:
                    for one in played:
                        show.timeline(console, one.case, one.found, one.problems, held)
                    show.summary(console, figures, proof, problems, str(folder))
            _write_index(house, played)
            if keep:
                await _keep(house, words)
    except (DemoFailed, aiohttp.ClientError) as error:
        words.print(visible(f"gateway demo: {error or type(error).__name__}"), style="bold red", markup=False)
        if as_json:
            sys.stdout.write(json.dumps({"problems": [str(error)]}) + "\n")
        return [str(error) or type(error).__name__]
    return problems


@contextmanager
def _doing(words: Console, what: str) -> Iterator[None]:
    """Say what is being done: while it lasts on a terminal, once elsewhere."""
    if words.is_terminal:
        with words.status(what):
            yield
    else:
        words.print(what)
        yield


async def _play_all(cases: Sequence[Case], house: House, watcher: Watcher, words: Console) -> list[Played]:
    """Play every case at once; the bar moves as they end, or, without a terminal, a line says how many have."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=words,
        transient=True,
        disable=not words.is_terminal,
    )
    if not words.is_terminal:
        words.print(f"Playing {plural(len(cases), 'case')}", highlight=False)
    with bar:
        task = bar.add_task(f"Playing {len(cases)} cases", total=len(cases))

        async def play(case: Case) -> Played:
            one = await _play(case, house, watcher)
            bar.advance(task)
            return one

        async def tell() -> None:
            while True:
                await asyncio.sleep(TELL_SECONDS)
                words.print(f"{bar.tasks[0].completed:.0f} of {plural(len(cases), 'case')} played", highlight=False)

        telling = None if words.is_terminal else asyncio.create_task(tell())
        try:
            return list(await asyncio.gather(*map(play, cases)))
        finally:
            if telling is not None:
                telling.cancel()


async def _play(case: Case, house: House, watcher: Watcher) -> Played:
    """Send a case's messages, each when its time has come, and wait for what must come of them."""
    one = Played(case, Evidence(None, []))
    deadline = time.monotonic() + CASE_SECONDS
    for position, step in enumerate(case.steps):
        await _until(one, watcher, house, deadline, step)
        name = f"{case.name}-{position + 1}{step.file.suffix}"
        house.drop(step.sender, name, plan.body_of(step, case, one.found.number))
        while not (payload_id := house.sent(step.sender, name)) and time.monotonic() < deadline:
            house.check_alive()
            await asyncio.sleep(LOOK_SECONDS)
        if not payload_id:
            one.problems.append(f"{step.sender} could not send {name}")
            return one
        one.payload_ids.append(payload_id)
    if case.days:
        # What is still under way when the days pass would be given up for its age.
        for when in (case.days_from, "delivered"):
            await _until(one, watcher, house, deadline, replace(case.steps[-1], when=when))
        return one
    await _until(one, watcher, house, deadline)
    one.problems += judge(case, one.found, house)
    return one


async def _let_days_pass(waiting: Sequence[Played], house: House, watcher: Watcher, words: Console) -> None:
    """Put the gateway's clock on for the cases that wait for it, once all others are over, and judge these."""
    if not waiting:
        return
    days = max(one.case.days for one in waiting)
    with _doing(words, f"Letting {plural(days, 'day')} pass"):
        await house.put_clock_on(days)
        deadline = time.monotonic() + CASE_SECONDS
        for one in waiting:
            await _until(one, watcher, house, deadline)
            one.problems += judge(one.case, one.found, house)


async def _until(one: Played, watcher: Watcher, house: House, deadline: float, step: Step | None = None) -> None:
    """Wait until the case stands where `step` wants it, or, without one, until nothing is missing; or too long."""
    if step is not None and not step.when:
        return
    owner_key = house.key_of(one.case.owner) if one.case.owner else ""
    seen, seen_at = -1, 0.0
    while True:
        one.found = await evidence(
            watcher,
            one.case.key,
            one.payload_ids,
            alerted=bool(one.case.alerts),
            owner=one.case.owner,
            owner_key=owner_key,
        )
        if len(one.found.receipts) != seen:
            seen, seen_at = len(one.found.receipts), time.monotonic()
        if step is None and not any(judge(one.case, one.found, house)):
            return
        if step is not None and _ready(one, step):
            return
        if time.monotonic() > min(deadline, seen_at + QUIET_SECONDS):
            return
        house.check_alive()
        await asyncio.sleep(LOOK_SECONDS)


def _write_index(house: House, played: Sequence[Played]) -> None:
    """Say in the folder itself what lies where."""
    cases = [
        f"| {one.case.name} | {one.found.number or '–'} | "
        f"{one.found.status or ', '.join(p['state'] for p in one.found.payloads)} | {one.case.title} {one.case.zh} |"
        for one in played
    ]
    (house.folder / INDEX).write_text(_INDEX.format(folder=house.folder, cases="\n".join(cases)), "utf-8")


def _ready(one: Played, step: Step) -> bool:
    """Whether the time for `step` has come."""
    if step.when == "delivered":
        return one.found.complete and all(p["state"] != "received" for p in one.found.payloads)
    track, _, state = step.when.rpartition("=")
    return (one.found.tracks.get(track) if track else one.found.status) == state


def _report(played: Sequence[Played], figures: dict[str, Any], problems: list[str], house: House) -> dict[str, Any]:
    """The demo for a program."""
    return {
        **figures,
        "problems": problems,
        "folder": str(house.folder),
        "outcomes": [
            {
                "name": one.case.name,
                "title": one.case.title,
                "title_zh": one.case.zh,
                "number": one.found.number or None,
                "status": one.found.status or None,
                "tracks": one.found.tracks,
                "alerts": [alert["alert"] for alert in one.found.alerts],
                "payloads": [{"id": p["id"], "state": p["state"]} for p in one.found.payloads],
                "deliveries": [
                    {name: d[name] for name in ("recipient", "document", "format", "state", "attempts")}
                    for d in one.found.deliveries.values()
                ],
                "problems": one.problems,
            }
            for one in played
        ],
    }


async def _keep(house: House, words: Console) -> None:
    """Keep everything running until Ctrl-C, and say how to explore it."""
    words.print(f"\nThe gateway is at {house.url}. For example:")
    key = house.key_of("operator")
    words.print(f"  curl -H 'Authorization: Bearer {key}' {house.url}/v1/messages", markup=False, soft_wrap=True)
    words.print("Keys of the partners: samples/partners/demo.toml. Ctrl-C ends it all.")
    while True:
        house.check_alive()
        await asyncio.sleep(1)


_INDEX = """\
# What the demo left here

| | |
|---|---|
| `timelines.txt` | every case as a timeline, and the summary |
| `partners/<name>/sent`, `receipts` | what a partner sent, and what the gateway answered at once |
| `partners/<name>/inbox` | what it got, one file for each delivery, in order of arrival |
| `partners/<name>/inbox.jsonl` | what its own reader made of each of them |
| `exchange/agent`, `exchange/port` | the folders that these exchange by: OutBox, SentBox, FailBox, InBox |
| `sftp` | the same folders of the port's bureau, which comes to them over SFTP |
| `keys` | the gateway's keys and certificates and a partner's, made for this demo alone |
| `evidence/log.jsonl`, `log.jsonl.checkpoint` | the whole receipt log, and the signed checkpoints over it |
| `evidence/*.zip`, `log.vkey` | an evidence bundle for each way something came, and the public key that verifies it |
| `gateway.toml`, `gateway.db*`, `payloads` | the gateway's configuration and store |
| `signing.key*`, `anchor*` | what signs the receipt log, and its newest checkpoint outside the store |
| `node` | the gateway's name for itself, by which it takes its own leases back |
| `catalogues` | the tables, mappings, codes and rules in force, as its processes read them |
| `partners.jsonl` | the partners, agreements and keys, as they were imported |
| `*.log` | what each process said |

To go on from here, where the checkout is:

    .venv/bin/gateway message list --config {folder}/gateway.toml
    .venv/bin/gateway receipt verify {folder}/evidence/log.jsonl --key {folder}/evidence/log.vkey

## Cases

| case | declaration number | ended as | |
|---|---|---|---|
{cases}
"""
