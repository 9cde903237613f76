"""The operator's verbs beside a running gateway, and `send` to it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gateway import config, data, opening
from gateway.model import Account, Entry, EntryState, Stage, Subscription, Terms
from gateway.receipt.signed import Signer
from gateway.store.contract import AccountChange, AttemptResult, Awaits, NewReceipt, Outcome
from gateway.store.leaves import pack_leaf, unpack_leaf
from tests.store.made import payload

KEY = "gwk_" + "0123456789" * 4
PARTNERS = f"""
[[partners]]
id = "acme"
name = "Acme Exporting"
roles = ["enterprise"]
agreements = [
    {{ direction = "in" }},
    {{ direction = "out", document = "acknowledgement", format = "edifact:CONTRL", transport = "folder", options = {{ folder = "exchange" }} }},
]
keys = [{{ key = "{KEY}" }}]
"""
GOOD = data.samples() / "declaration/import_sea_container/in.edi"
BAD = data.samples() / "declaration/rejected_edifact/in.edi"


@pytest.fixture
def gateway(run, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A gateway in a process of its own over this folder: its URL, and the process."""
    (tmp_path / "partners.toml").write_text(PARTNERS, "utf-8")
    assert run("partner", "import", "partners.toml").code == 0
    with serving(tmp_path) as served:
        yield served


@contextmanager
def serving(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`gateway serve` over the store in this folder."""
    environment = {
        **os.environ,
        "GATEWAY_HTTP__PORT": "0",
        "GATEWAY_PIPELINE__WORKERS": "0",
        "GATEWAY_LOGGING__LEVEL": "info",
    }
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve"], env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:"), (tmp_path / "log").read_text("utf-8")
            yield url, process
        finally:
            process.kill()
            process.communicate()


def test_send_and_look_and_prove(run, gateway, tmp_path):
    """A message is sent, listed, shown, its receipts verified offline, and it can be processed again."""
    url, _ = gateway
    done = run("send", GOOD, "--url", url, "--key", KEY, "--wait", "30", "--json")
    view = done.json
    assert view["state"] in ("accepted", "rejected", "held")
    assert done.code == (0 if view["state"] in ("accepted", "held") else 1)
    again = run("send", GOOD, "--url", url, "--key", KEY)
    assert (again.code, again.out.strip()) == (0, view["id"])
    assert "there already" in again.err

    (listed,) = run("message", "list", "--json").lines
    assert listed["id"] == view["id"]
    assert run("message", "list", "--state", "received", "--json").out == ""
    shown = run("message", "show", view["id"]).out
    assert "edifact:CUSDEC:D:96B:UN" in shown
    assert run("message", "show", view["id"], "--original").out == GOOD.read_text("utf-8")
    assert run("message", "dead").code == 0

    vkey = run("receipt", "key").out.strip()
    assert run("receipt", "show", "0", "--json").json["receipt"]["payload"] == view["id"]
    (tmp_path / "p.tlog-proof").write_text(run("receipt", "show", "0", "--proof").out, "utf-8")
    assert run("receipt", "bundle", view["id"], "b.zip").code == 0
    assert run("receipt", "export", "log.jsonl").code == 0
    for evidence in ("p.tlog-proof", "b.zip", "log.jsonl"):
        verified = run("receipt", "verify", evidence, "--key", vkey, "--json")
        assert (verified.code, verified.json["valid"]) == (0, True), (evidence, verified.out)

    assert run("message", "reprocess", view["id"]).code == 0
    for _ in range(200):
        if run("message", "list", "--state", "processed", "--json").out:
            break
        time.sleep(0.05)
    else:
        raise AssertionError("it was not processed again")


def test_damaged_evidence_is_told(run, gateway, tmp_path):
    """A changed byte in any evidence, or another key, makes `receipt verify` end with 1 and say what is wrong."""
    url, _ = gateway
    id_ = run("send", BAD, "--url", url, "--key", KEY, "--wait", "30", "--json").json["id"]
    vkey = run("receipt", "key").out.strip()
    run("receipt", "bundle", id_, "b.zip")
    run("receipt", "export", "log.jsonl")
    (tmp_path / "p.tlog-proof").write_text(run("receipt", "show", "0", "--proof").out, "utf-8")
    for name, old, new in (
        ("b.zip", b'"acme"', b'"acmo"'),
        ("log.jsonl", b'"acme"', b'"acmo"'),
        ("p.tlog-proof", b"index 0", b"index 1"),
    ):
        path = tmp_path / name
        good = path.read_bytes()
        assert old in good
        path.write_bytes(good.replace(old, new))
        for lang, begins, ends in (("en", "error", "It does NOT hold."), ("zh", "错误", "验证不通过。")):
            done = run("receipt", "verify", name, "--key", vkey, "--lang", lang)
            assert done.code == 1
            assert done.out.startswith(begins)
            assert done.err == f"{ends}\n"
        path.write_bytes(good)
        other = Signer(vkey.partition("+")[0], bytes(32)).vkey
        assert run("receipt", "verify", name, "--key", other).code == 1
        for bad in ("foo", vkey[:-10] + ("A" if vkey[-10] != "A" else "B") + vkey[-9:], name):
            done = run("receipt", "verify", name, "--key", bad)
            assert (done.code, done.out) == (2, "")
            assert bad in done.err
    assert run("receipt", "verify", "gateway.toml", "--key", vkey).code == 2


def test_verified_evidence_says_what_it_shows(run, gateway, tmp_path):
    """`receipt verify` names the log, the receipts by stage, when they were written, and the checkpoint's size."""
    url, _ = gateway
    id_ = run("send", BAD, "--url", url, "--key", KEY, "--wait", "30", "--json").json["id"]
    (tmp_path / "key").write_text(run("receipt", "key").out, "utf-8")
    run("receipt", "bundle", id_, "b.zip")
    run("receipt", "export", "log.jsonl")
    (tmp_path / "p.tlog-proof").write_text(run("receipt", "show", "0", "--proof").out, "utf-8")
    for name in ("b.zip", "log.jsonl", "p.tlog-proof"):
        proven = run("receipt", "verify", name, "--key", "key", "--json").json["proven"]
        assert proven["origin"] == "gateway.example/log"
        assert proven["receipts"]["received"] == 1
        assert proven["checkpoint_size"] >= sum(proven["receipts"].values())
        assert proven["first_at"] <= proven["last_at"]
        done = run("receipt", "verify", name, "--key", "key")
        assert done.err == "It holds.\n"
        assert "received 1" in done.out
        assert proven["last_at"] in done.out
        chinese = run("receipt", "verify", name, "--key", "key", "--lang", "zh")
        assert chinese.err == "验证通过。\n"
        assert "已收到 1" in chinese.out


def test_the_stored_log_is_audited(run, gateway, tmp_path):
    """`receipt audit` ends with 0 over a log as it was signed; with a changed row it names it and ends with 1."""
    url, process = gateway
    run("send", GOOD, "--url", url, "--key", KEY, "--wait", "30")
    done = run("receipt", "audit")
    assert (done.code, done.out) == (0, "")
    assert "the log is as it was signed" in done.err
    process.terminate()
    process.wait(20)
    size = run("receipt", "audit", "--json").json["entries"]
    assert size >= 3
    with sqlite3.connect(tmp_path / "var" / "gateway.db") as database:
        (leaf,) = database.execute('SELECT body FROM receipts WHERE "index" = 0').fetchone()
        forged = pack_leaf(unpack_leaf(leaf).replace(b'"acme"', b'"acmo"'))
        database.execute('UPDATE receipts SET body = ? WHERE "index" = 0', (forged,))
        # Damaged at its very end, the store does not open any more, and can be audited yet.
        database.execute('DELETE FROM tree_nodes WHERE "index" = ? AND level = 0', (size - 1,))
        database.execute("UPDATE log_state SET frontier = x'00'")
    database.close()
    done = run("receipt", "audit", "--json")
    assert (done.code, done.json["entries"]) == (1, size)
    assert [(p["code"], p["index"]) for p in done.json["problems"]] == [
        ("receipt.stored.changed", 0),
        ("receipt.stored.node_missing", size - 1),
        ("receipt.stored.state", None),
    ]
    done = run("receipt", "audit", "--lang", "zh")
    assert done.code == 1
    assert done.out.splitlines()[0] == "错误  receipt.stored.changed  存储中的第 0 号回执已被改动，与签名不符。"
    assert done.err.endswith("日志与签名不符。\n")


def test_shown_in_chinese_every_label_is(run, gateway):
    """`message show` and `send` put their own words in the language asked for."""
    url, _ = gateway
    done = run("send", BAD, "--url", url, "--key", KEY, "--wait", "30", "--lang", "zh")
    id_ = done.out.split()[0]
    assert done.out.splitlines()[0].endswith("拒收")
    assert "已接收，编号" in done.err
    for line in run("message", "show", id_, "--lang", "zh").out.splitlines():
        assert any("\u4e00" <= c <= "\u9fff" for c in line) or "sha256" in line, line
    shown = run("message", "show", id_).out
    assert not any("\u4e00" <= c <= "\u9fff" for c in shown)
    assert "1 attempts" not in shown


def test_a_finding_comes_with_its_place(run, gateway):
    """`send --wait` says of each finding where in the message it stands."""
    url, _ = gateway
    done = run("send", BAD, "--url", url, "--key", KEY, "--wait", "30")
    assert "error  edi.element.invalid_period  DTM 4, 1.2  " in done.out


def test_any_file_name_can_be_sent(run, gateway, tmp_path):
    """A Chinese, an overlong or a blank-ridden name becomes an id that a header can hold, the same one each time."""
    url, _ = gateway
    for name in ("出口报检单 一.edi", "x" * 200 + ".edi", "a b.edi", "报" * 80):
        path = tmp_path / name
        path.write_bytes(GOOD.read_bytes())
        first, again = (run("send", path, "--url", url, "--key", KEY, "--json") for _ in range(2))
        assert (first.code, again.code) == (0, 0), (name, first.err)
        assert first.json["id"] == again.json["id"]
        assert again.json["duplicate"]


def test_what_is_not_dead_is_not_retried(run, gateway):
    """`retry` and `skip` of a delivery that is not dead say its state; of a payload, which deliveries it has."""
    url, _ = gateway
    id_ = run("send", BAD, "--url", url, "--key", KEY, "--wait", "30", "--json").json["id"]
    for _ in range(200):
        (delivery,) = run("message", "show", id_, "--json").json["deliveries"]
        if delivery["state"] == "delivered":
            break
        time.sleep(0.05)
    assert "delivered, 1 attempt\n" in run("message", "show", id_).out
    for verb in ("retry", "skip"):
        done = run("message", verb, delivery["id"])
        assert (done.code, done.out) == (1, "")
        assert f"delivery {delivery['id']} is delivered, not dead" in done.err
        done = run("message", verb, id_)
        assert done.code == 1
        assert f"it is a payload, and its deliveries are: {delivery['id']} (delivered)" in done.err
    assert run("message", "reprocess", id_, "--json").json == {"id": id_, "state": "received"}


def test_times_are_rfc_3339(run, gateway):
    """JSON for programs holds times as RFC 3339 in UTC."""
    url, _ = gateway
    run("send", GOOD, "--url", url, "--key", KEY)
    (listed,) = run("message", "list", "--json").lines
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", listed["received_at"])


def test_a_rejected_message_makes_send_fail(run, gateway):
    """`send --wait` ends with 1 on a rejected message and tells its findings in the language asked for."""
    url, _ = gateway
    done = run("send", BAD, "--url", url, "--key", KEY, "--wait", "30", "--lang", "zh")
    assert done.code == 1
    assert "拒收" in done.out
    assert any("\u4e00" <= c <= "\u9fff" for c in done.out)


def test_a_refusal_is_told(run, gateway):
    """A wrong key is told in the gateway's own words."""
    url, _ = gateway
    done = run("send", GOOD, "--url", url, "--key", "wrong")
    assert (done.code, done.out) == (1, "")
    assert "401" in done.err
    as_json = run("send", GOOD, "--url", url, "--key", "wrong", "--json")
    assert (as_json.code, as_json.json["status"]) == (1, 401)
    nobody = run("send", GOOD, "--url", "http://127.0.0.1:1", "--key", "x", "--json")
    assert (nobody.code, nobody.json["status"]) == (1, None)


def test_a_stranger_is_told_from_a_gateway(run):
    """A server that answers, but not as a gateway does, and an address that is none, end `send` with 1 in words."""

    class Stranger(BaseHTTPRequestHandler):
        def do_POST(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = run("send", GOOD, "--url", f"http://127.0.0.1:{server.server_port}", "--key", "x")
        server.shutdown()
    assert (done.code, done.out) == (1, "")
    assert "does not answer like a gateway" in done.err
    for url in ("http://x:port", "http://[::1", "http://a b", "http://"):
        done = run("send", GOOD, "--url", url, "--key", "x")
        assert done.code == 1
        assert "Traceback" not in done.err


def test_sigterm_ends_in_order(run, gateway, tmp_path):
    """SIGTERM ends the process with 0; what it accepted before is there for the next one."""
    url, process = gateway
    assert run("send", GOOD, "--url", url, "--key", KEY).code == 0
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    events = [json.loads(line)["event"] for line in (tmp_path / "log").read_text("utf-8").splitlines()]
    assert events[0] == "serving"
    assert events[-1] == "stopped"
    assert len(run("message", "list", "--json").lines) == 1


def test_a_broken_part_ends_the_process(run, tmp_path):
    """Where a part that must run cannot, the process ends with an error instead of living half a life."""
    (tmp_path / "gateway.toml").write_text("[http]\nport = 0\n[store]\nfree_bytes = 0\n", "utf-8")
    broken = """
import sys
from gateway.cli import main
from gateway.pipeline import Pipeline

async def run(self):
    raise RuntimeError("broken")

Pipeline.run = run
sys.argv = ["gateway", "serve"]
main()
"""
    done = subprocess.run([sys.executable, "-c", broken], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert '"event": "background_ended"' in done.stderr
    assert done.stderr.splitlines()[-1].startswith("gateway: pipeline ended by itself")


def test_a_taken_port_is_told(run, gateway):
    """A port that another process listens on is told in one line."""
    url, _ = gateway
    environment = {**os.environ, "GATEWAY_HTTP__PORT": url.rpartition(":")[2]}
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "serve"],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "address already in use" in done.stderr.lower()


def test_migrating_is_safe_to_repeat(run):
    """`migrate` makes the tables, and does nothing when they are there."""
    assert run("migrate").code == 0
    assert run("migrate").code == 0


def test_a_dead_delivery_is_retried_and_skipped(run, tmp_path):
    """A delivery that was given up is due again after `retry`, and out of its lane after `skip`."""
    (tmp_path / "partners.toml").write_text(
        PARTNERS.replace('folder = "exchange"', 'folder = "/proc/none"').replace(
            'transport = "folder"', 'transport = "folder", attempts = 1'
        ),
        "utf-8",
    )
    assert run("partner", "import", "partners.toml").code == 0
    with serving(tmp_path) as (url, _):
        run("send", BAD, "--url", url, "--key", KEY, "--wait", "30")
        ends = time.monotonic() + 60
        while not (found := run("message", "dead", "--json").lines):
            assert time.monotonic() < ends, (tmp_path / "log").read_text("utf-8")
            time.sleep(0.05)
    (delivery,) = found
    assert run("message", "retry", delivery["id"], "--json").json == {"id": delivery["id"], "state": "pending"}
    assert "is pending, not dead" in run("message", "skip", delivery["id"]).err
    with serving(tmp_path):
        ends = time.monotonic() + 60
        while not run("message", "dead", "--json").lines:
            assert time.monotonic() < ends, (tmp_path / "log").read_text("utf-8")
            time.sleep(0.05)
    assert run("message", "skip", delivery["id"], "--json").json == {"id": delivery["id"], "state": "skipped"}
    assert run("message", "dead", "--json").out == ""


def test_one_that_awaits_its_confirmation_is_retried(run, tmp_path):
    """An operator who knows better need not wait; what was handed over cannot be skipped, as the recipient may have it."""
    (tmp_path / "partners.toml").write_text(PARTNERS.replace('folder = "exchange"', 'folder = "/proc/none"'), "utf-8")
    assert run("partner", "import", "partners.toml").code == 0
    with serving(tmp_path) as (url, _):
        id_ = run("send", BAD, "--url", url, "--key", KEY, "--wait", "30", "--json").json["id"]
    (delivery,) = run("message", "show", id_, "--json").json["deliveries"]

    async def hand_over():
        settings = config.load(tmp_path / "gateway.toml")
        far = datetime.now(UTC) + timedelta(days=1)
        async with opening.opened(settings, opening.signer(settings.receipts)) as store:
            (held,) = await store.claim_deliveries(1, timedelta(days=1), far)
            awaits = Awaits(held.partner_id, "folder", held.id, far)
            await store.finish_attempt(
                AttemptResult(held.id, held.fence, held.attempts, "awaiting", far, lane=held.lane, awaits=awaits)
            )

    asyncio.run(hand_over())
    assert "awaiting confirmation" in run("message", "show", id_).out
    assert "is awaiting, not dead" in run("message", "skip", delivery["id"]).err
    assert run("message", "retry", delivery["id"], "--json").json == {"id": delivery["id"], "state": "pending"}


def test_accounts_are_listed_and_shown(run, tmp_path):
    """By name, of one holder, with terms, sums and entries; one that is not there is said not to be."""
    (tmp_path / "partners.toml").write_text(PARTNERS, "utf-8")
    assert run("partner", "import", "partners.toml").code == 0
    assert "No accounts." in run("ledger", "list").err
    terms = Terms(valid_until=datetime(2027, 1, 1, tzinfo=UTC), draws_max=12)
    accounts = [
        Account(name, 1, "KGM", holder, terms, granted=Decimal("10.50"), used=Decimal(2), draws=1)
        for name, holder in (("licence:1", "acme"), ("licence:2", "other"))
    ]
    entry = Entry("licence:1", "E-1", EntryState.USED, used=Decimal(2), case_id="c-1")

    async def open_accounts():
        settings = config.load(tmp_path / "gateway.toml")
        async with opening.opened(settings, opening.signer(settings.receipts)) as store:
            granting = payload(partner_id="acme")
            await store.accept(granting, NewReceipt(Stage.RECEIVED, granting.id, b"{}"))
            (claimed,) = await store.claim_payloads(1, timedelta(days=1), datetime.now(UTC))
            changes = tuple(AccountChange(one, (entry,) if one.holder == "acme" else ()) for one in accounts)
            await store.commit(Outcome(claimed.work, 1, finished=True, accounts=changes))

    asyncio.run(open_accounts())
    listed = [line["name"] for line in run("ledger", "list", "--json").lines]
    assert listed == ["licence:1", "licence:2"]
    (line,) = run("ledger", "list", "--holder", "acme", "--json").lines
    assert (line["available"], line["draws_max"]) == ("8.50", 12)
    assert "8.50" in run("ledger", "list").out
    shown = run("ledger", "show", "licence:1", "--json").json
    assert (shown["valid_until"], [one["entry"] for one in shown["entries"]]) == ("2027-01-01T00:00:00+00:00", ["E-1"])
    words = run("ledger", "show", "licence:1").out
    assert "available: 8.50" in words
    assert "E-1" in words
    for arguments in (["licence:3"], ["licence:1", "--test"]):
        assert run("ledger", "show", *arguments).code == 1


def test_subscriptions_are_listed(run, tmp_path):
    """A partner's, with what they ask for, those included that it has ended; nobody else's."""
    (tmp_path / "partners.toml").write_text(PARTNERS, "utf-8")
    assert run("partner", "import", "partners.toml").code == 0
    assert "No subscriptions." in run("subscription", "list", "acme").err
    wanted = Subscription("acme", "S-1", 2, "status", {"notice": frozenset({"2", "1"})}, push=True)

    async def subscribe():
        settings = config.load(tmp_path / "gateway.toml")
        async with opening.opened(settings, opening.signer(settings.receipts)) as store:
            asking = payload(partner_id="acme")
            await store.accept(asking, NewReceipt(Stage.RECEIVED, asking.id, b"{}"))
            (claimed,) = await store.claim_payloads(1, timedelta(days=1), datetime.now(UTC))
            versions = (replace(wanted, version=1), wanted, Subscription("acme", "S-2", 1, "inbox", ended=True))
            await store.commit(Outcome(claimed.work, 1, finished=True, subscriptions=versions))

    asyncio.run(subscribe())
    first, second = run("subscription", "list", "acme", "--json").lines
    assert (first["id"], first["version"], first["handing"], first["keys"]) == (
        "S-1",
        2,
        "push",
        {"notice": ["1", "2"]},
    )
    assert (second["id"], second["ended"]) == ("S-2", True)
    assert "notice: 2" in run("subscription", "list", "acme").out
    assert run("subscription", "list", "other", "--json").lines == []
