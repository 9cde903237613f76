"""Enquiries over REST and on the command line: answered in the same exchange, and others' cases not even hinted at."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from gateway.cli import build
from gateway.model import Stage
from gateway.store.contract import CaseChange, NewReceipt, Outcome
from tests.store.made import payload
from tests.web.conftest import Client, Quiet, key_of
from tests.web.test_acts import ask_tasks, told

NUMBER = "370200126000017"


async def open_case(client: Client) -> None:
    """A consignment of acme's, under a number."""
    await ask_tasks(client)
    store = client.services.store
    (claimed,) = await claim(client)
    keys = frozenset({("declaration", NUMBER), ("bill", "B-77")})
    case = CaseChange("c-2", 0, "accepted", "acme", add_keys=keys, tracks={"declaration": "accepted"})
    await store.commit(Outcome(claimed.work, 1, finished=True, cases=(case,)))


async def claim(client: Client) -> Any:
    asking = payload(88, partner_id="acme")
    receipt = NewReceipt(Stage.RECEIVED, asking.id, client.services.notary.received(asking))
    return ((await client.services.store.accept(asking, receipt, timedelta(days=9999))).claimed,)


async def ask(client: Client, key: str, *, as_: str, reference: str) -> Any:
    """The response document that comes back in the same exchange."""
    document = {"reference": reference, "about": "progress", "key": key}
    body = json.dumps({"format": "json:enquiry:1", "reference": reference, "document": document}).encode()
    headers = {"Content-Type": "application/json"}
    answer = await client.ask("POST", "/v1/messages?document=enquiry", as_=as_, headers=headers, data=body)
    assert answer.status == 200, answer.body
    return told(answer)


async def test_an_enquiry_is_answered_in_the_same_exchange(quiet: Quiet) -> None:
    """Its declarer learns status and tracks by any number; a competitor gets for it what it gets for a number of nobody's."""
    client = quiet.client
    await open_case(client)
    for number, key in enumerate((NUMBER, "B-77", "c-2")):
        answer = await ask(client, key, as_="acme", reference=f"E-{number}")
        assert [(one["number"], one["name"], one["value"]) for one in answer["answer"]] == [
            (NUMBER, "status", "accepted"), (NUMBER, "declaration", "accepted"),
        ]  # fmt: skip
    foreign = await ask(client, NUMBER, as_="rival", reference="E-8")
    missing = await ask(client, "370200126999999", as_="rival", reference="E-9")
    plain = [json.dumps({**one, "id": "", "at": "", "reference": ""}) for one in (foreign, missing)]
    assert plain[0].replace(NUMBER, "KEY") == plain[1].replace("370200126999999", "KEY")
    assert foreign["outcome"] == "refused"
    (case,) = await client.services.store.case("c-2")
    assert (case.version, case.events, case.messages) == (1, (), ())  # nothing of it has changed


async def test_the_command_line_asks_and_shows(quiet: Quiet, tmp_path: Path) -> None:
    """`enquiry` prints the answer and says by its exit code whether there was one; `evidence send` prints the id."""
    client = quiet.client
    await open_case(client)
    picture = tmp_path / "seal.png"
    picture.write_bytes(b"\x89PNG picture of a seal")

    async def run(*words: str, as_: str = "acme") -> Any:
        environment = {"GATEWAY_KEY": key_of(as_)}
        runner = CliRunner(env=environment)
        return await asyncio.to_thread(runner.invoke, build(), [*words, "--url", client.url])

    shown = await run("enquiry", NUMBER)
    assert (shown.exit_code, f"{NUMBER}\tstatus\taccepted" in shown.stdout) == (0, True)
    assert (await run("enquiry", NUMBER, as_="rival")).exit_code == 1
    assert (await run("enquiry", NUMBER, "--about", "gossip")).exit_code == 2
    sent = await run("evidence", "send", str(picture), "--device", "CAM-7")
    again = await run("evidence", "send", str(picture))
    assert sent.exit_code == again.exit_code == 0
    assert sent.stdout == again.stdout
    (kept,) = await client.services.store.exhibits_of("acme", "", 9)
    assert (kept.id, kept.media_type, kept.device) == (sent.stdout.strip(), "image/png", "CAM-7")
