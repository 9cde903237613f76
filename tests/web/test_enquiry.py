"""Enquiries over REST and on the command line: answered in the same exchange, and others' cases not even hinted at."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.cli import build
from gateway.model import Agreement, Direction, Stage
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
    again = await run("evidence", "send", str(picture), "--device", "CAM-7")
    assert sent.exit_code == again.exit_code == 0
    assert sent.stdout == again.stdout
    await run("evidence", "send", str(picture), "--device", "CAM-8")  # the same picture, said to be of another camera
    first, second = await client.services.store.exhibits_of("acme", "", 9)
    assert (first.id, first.media_type, first.device) == (sent.stdout.strip(), "image/png", "CAM-7")
    assert second.device == "CAM-8"


async def test_the_command_line_answers_in_the_language_asked_for(quiet: Quiet) -> None:
    """`--lang zh` words the answer, its headings and a refusal in Chinese, whatever the partner's own language is."""
    client = quiet.client
    await open_case(client)

    async def run(*words: str) -> Any:
        runner = CliRunner(env={"GATEWAY_KEY": key_of("acme")})
        return await asyncio.to_thread(runner.invoke, build(), [*words, "--url", client.url])

    for lang, words in (("en", "accepted"), ("zh", "已受理")):
        shown = await run("enquiry", NUMBER, "--lang", lang)
        assert f"{NUMBER}\tstatus\taccepted\t{words}" in shown.stdout
    refused = await run("enquiry", "370200126999999", "--lang", "zh")
    assert refused.exit_code == 1
    # The gateway, which runs in this process too, may log meanwhile to what is standard output then.
    assert not [line for line in refused.stdout.splitlines() if "payload_" not in line and "_judged" not in line]
    assert "370200126999999" in refused.stderr
    assert "Nothing to tell" not in refused.stderr
    assert any("\u4e00" <= letter <= "\u9fff" for letter in refused.stderr)


@pytest.mark.parametrize(
    ("path", "asks", "pushed"),
    [
        ("/v1/messages?document=enquiry", False, 0),
        ("/v1/messages?document=enquiry", True, 1),
        ("/v1/messages", False, 1),  # whoever does not wait is answered as agreed
    ],
)
async def test_what_was_answered_is_pushed_only_where_that_is_agreed(
    client: Client, path: str, asks: bool, pushed: int
) -> None:
    """Whoever has the answer from the exchange is not pushed it: nobody need listen there, and no delivery can die."""
    await open_case(client)
    agreement = Agreement(
        "acme-answers",
        "acme",
        Direction.OUT,
        "response",
        "xml:Response:1",
        options={"url": "http://127.0.0.1:9/inbox"},
        push_answers=asks,
    )
    await client.services.store.import_partners((), (agreement,), ())
    await asyncio.sleep(1)  # directories look twice a second
    document = {"reference": "E-1", "about": "progress", "key": NUMBER}
    body = json.dumps({"format": "json:enquiry:1", "reference": "E-1", "document": document}).encode()
    answer = await client.ask("POST", path, headers={"Content-Type": "application/json"}, data=body)
    view = await client.processed(answer.json["id"])
    told = [one for one in (*view["acknowledgements"], *view["offered"]) if one["document"] == "response"]
    assert [one["format"] for one in told] == ["xml:Response:1"]
    assert len(view["acknowledgements"]) == pushed
