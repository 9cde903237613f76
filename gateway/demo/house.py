"""The processes of the demo: one gateway, one for each simulated partner, all over one folder.

Only processes started here are ended here, each by its own handle, whatever ends the demo.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from gateway.demo.guard import Guard
from gateway.demo.keys import OURS, DemoKeys, make_keys
from gateway.simulators.partner import said
from gateway.simulators.readers import summary

MARK = ".gateway-demo"
"""Stands in a folder that the demo may empty."""
START_SECONDS = 60.0
STOP_SECONDS = 15.0
DAY_SECONDS = 86_400

SIMULATED: Mapping[str, Mapping[str, Any]] = {
    "exporter": {"way": "as2"},
    "factory": {"way": "mail"},
    "agent": {"way": "folders"},
    "importer": {"way": "fetching"},
    "origin-bureau": {},
    "port-bureau": {"way": "sftp", "options": {"customs_office": "4227"}},
    "customs": {"way": "webhook", "trouble": ["refuse", "hang", "refuse"]},
    "port": {"way": "folders"},
    "strict-port": {"way": "fetching"},
}
"""How each simulated partner exchanges, and what it makes trouble with; the rest is in the partner file."""

_TOLERANCE = 7 * DAY_SECONDS
"""How far the clock that webhooks are signed by may be from a partner's: the gateway's is put on by days, theirs is not."""
_MAILBOX, _AS2_NAME = "edi@gateway.example", "GATEWAY"
"""Who the gateway is in mail and in AS2."""
_CODES = ("ciq-org", "customs-office")
"""Identifier schemes of the codes that a partner goes by."""


class DemoFailed(Exception):
    """The demo could not be run, with the reason."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Something a partner without an address fetched from its inbox feed."""

    partner: str
    at: datetime
    document: str
    kind: str
    """What the partner's own reader found it to be."""
    says: str
    names: frozenset[str]
    """What it answers, and every number and reference in it."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the simulated partners hold, as their own readers read it."""

    got: Mapping[str, Mapping[str, Any]]
    """By delivery: the line of the recipient's inbox."""
    sent: Mapping[str, str]
    """By payload: what it says in one word."""
    fetched: Sequence[Fetched]


class House:
    """A gateway and its partners."""

    def __init__(self, folder: Path, partners: Sequence[dict[str, Any]]) -> None:
        """`folder` is emptied first; `partners` are those of the partner file."""
        self.folder = folder.resolve()
        self.url = ""
        self._partners = partners
        self._stack = AsyncExitStack()
        self._processes: dict[str, Process] = {}
        self._keys: DemoKeys

    @property
    def config(self) -> Path:
        """The gateway's configuration file."""
        return self.folder / "gateway.toml"

    @property
    def ways(self) -> list[str]:
        """The transports that partners have agreed to be sent to over."""
        agreed = [a for partner in self._partners for a in partner.get("agreements", ()) if a["direction"] == "out"]
        return sorted({agreement.get("transport", "http") for agreement in agreed})

    def partner_folder(self, name: str) -> Path:
        """Where a simulated partner keeps what it sends and gets."""
        return self.folder / "partners" / name

    def key_of(self, name: str) -> str:
        """A partner's API key; empty where it has none."""
        partner = next(p for p in self._partners if p["id"] == name)
        return str(partner["keys"][0]["key"]) if partner.get("keys") else ""

    async def __aenter__(self) -> Self:
        """Start everything; DemoFailed where something does not come up."""
        self._guard = Guard()
        self._stack.callback(self._guard.dismiss)
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """End everything that was started."""
        await self._stack.aclose()

    async def _start(self) -> None:
        self._empty()
        self._keys = await asyncio.to_thread(make_keys, self.folder / "keys")
        self._configure(port=0, days=0)
        self.url = await self._run("gateway", "gateway", "serve", "--config", str(self.config))
        addresses = dict(zip(SIMULATED, await asyncio.gather(*map(self._simulate, SIMULATED)), strict=True))
        file = self.folder / "partners.jsonl"
        lines = [json.dumps(self._placed(partner, addresses), ensure_ascii=False) for partner in self._partners]
        file.write_text("\n".join(lines) + "\n", "utf-8")
        await self.command("partner", "import", str(file))

    async def put_clock_on(self, days: int) -> None:
        """Start the gateway anew at its address, with a clock that is so many days ahead of the machine's.

        The partners keep running, on the machine's time: what they cannot send or fetch meanwhile they try again.
        """
        await _end(self._processes["gateway"])
        port = urlsplit(self.url).port
        assert port is not None, "the gateway tells its port"
        self._configure(port=port, days=days)
        await self._run("gateway", "gateway", "serve", "--config", str(self.config))

    def _configure(self, *, port: int, days: int) -> None:
        """Write the gateway's configuration."""
        keys = self._keys
        words = _CONFIG.format(
            folder=self.folder,
            port=port,
            ahead=days * DAY_SECONDS,
            keys=keys.folder,
            sftp_port=keys.sftp_port,
            smtp_port=keys.smtp_port,
            mailbox=_MAILBOX,
            as2_name=_AS2_NAME,
        )
        self.config.write_text(words, "utf-8")

    def _empty(self) -> None:
        """Begin anew; DemoFailed rather than empty a folder in which no demo has been."""
        mark = self.folder / MARK
        if self.folder.exists() and any(self.folder.iterdir()):
            if not mark.is_file():
                raise DemoFailed(f"{self.folder} holds other things than a demo; please name another folder")
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        mark.touch()

    async def _simulate(self, name: str) -> str:
        """Start one simulated partner; its address."""
        partner = next(p for p in self._partners if p["id"] == name)
        folder = self.partner_folder(name)
        folder.mkdir(parents=True)
        settings = {
            "name": name,
            "role": partner["roles"][0],
            "folder": str(folder),
            "gateway": self.url,
            "key": self.key_of(name),
            "officer_key": next((key["key"] for key in partner.get("keys", ()) if key.get("person_id")), ""),
            "exchange": str(self.folder / "exchange" / name),
            "organisations": [i["value"] for i in partner.get("identifiers", ()) if i["scheme"] in _CODES],
            "means": self._means(name),
            **SIMULATED[name],
        }
        file = folder / "settings.json"
        file.write_text(json.dumps(settings, indent=2, ensure_ascii=False), "utf-8")
        return await self._run(name, "gateway.simulators", str(file))

    def _means(self, name: str) -> dict[str, Any]:
        """What a partner's way goes by."""
        keys = self._keys
        match SIMULATED[name].get("way"):
            case "webhook":
                return {"keys": [keys.webhook], "tolerance": _TOLERANCE}
            case "sftp":
                return {"port": keys.sftp_port, "host_key": keys.sftp}
            case "mail":
                return {"port": keys.smtp_port, "to": _MAILBOX, "sender": self._option(name, "to")}
            case "as2":
                return {
                    "name": self._option(name, "to"),
                    "gateway": _AS2_NAME,
                    "key": str(keys.certificate(name).with_suffix(".key")),
                    "certificate": str(keys.certificate(name)),
                    "gateway_certificate": str(keys.certificate(OURS)),
                }
        return {}

    def _option(self, name: str, option: str) -> str:
        """What a partner's agreements say for its way."""
        partner = next(p for p in self._partners if p["id"] == name)
        return next(str(a["options"][option]) for a in partner["agreements"] if option in a.get("options", {}))

    async def _run(self, name: str, module: str, *arguments: str) -> str:
        """Start a process that says on its first line where it is; it is ended with the house."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *self._guard.guarded([sys.executable, "-m", module, *arguments], group=True),
                stdin=self._guard.handle,
                cwd=self.folder,
                env={k: v for k, v in os.environ.items() if not k.startswith("GATEWAY_")},
                stdout=PIPE,
                stderr=errors,
                # Ctrl-C reaches the demo alone, which then ends what it started in good order.
                start_new_session=True,
            )
        self._stack.push_async_callback(_end, process)
        self._processes[name] = process
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                line = await process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line:
            raise DemoFailed(f"{name} did not start; its log ends:\n{_tail(log)}")
        return line.decode().strip()

    def check_alive(self) -> None:
        """DemoFailed where a process has ended by itself."""
        for name, process in self._processes.items():
            if process.returncode is not None:
                raise DemoFailed(f"{name} ended by itself; its log ends:\n{_tail(self.folder / f'{name}.log')}")

    async def command(self, *arguments: str) -> str:
        """Run a verb of the command line over the demo's store; its output."""
        process = await asyncio.create_subprocess_exec(
            *self._guard.guarded(
                [sys.executable, "-m", "gateway", *arguments, "--config", str(self.config)], group=True
            ),
            stdin=self._guard.handle,
            cwd=self.folder,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
        )
        try:
            output, words = await process.communicate()
        finally:
            await _end(process)
        if process.returncode:
            raise DemoFailed(f"gateway {' '.join(arguments)}: {words.decode().strip()}")
        return output.decode()

    def drop(self, name: str, file: str, body: bytes) -> None:
        """Give a simulated partner a message to send."""
        unfinished = self.partner_folder(name) / "outgoing" / f"{file}.tmp"
        unfinished.write_bytes(body)
        unfinished.rename(unfinished.with_suffix(""))

    def sent(self, name: str, file: str) -> str:
        """The id of the payload that a simulated partner sent; empty while it has not; DemoFailed if refused."""
        receipt = self.partner_folder(name) / "receipts" / f"{file}.json"
        if not receipt.exists():
            return ""
        said = json.loads(receipt.read_bytes())
        if "refused" in said:
            raise DemoFailed(f"the gateway did not take {file} from {name}: {said['refused']}")
        return str(said["id"])

    def got(self, name: str) -> dict[str, dict[str, Any]]:
        """What a simulated partner has received, by delivery."""
        index = self.partner_folder(name) / "inbox.jsonl"
        if not index.exists():
            return {}
        lines = [json.loads(line) for line in index.read_text("utf-8").splitlines()]
        return {line["delivery"]: line for line in lines}

    def held(self) -> Held:
        """What all simulated partners hold by now."""
        inboxes = {name: self.got(name) for name in SIMULATED}
        fetching = [name for name, values in SIMULATED.items() if values.get("way") == "fetching"]
        return Held(
            got={delivery: line for inbox in inboxes.values() for delivery, line in inbox.items()},
            sent={id_: said for name in SIMULATED for id_, said in self._said(name)},
            fetched=[self._fetched(name, line) for name in fetching for line in inboxes[name].values()],
        )

    def fetched(self, name: str) -> list[Fetched]:
        """What a simulated partner fetched from its inbox feed, in order; nothing where it is delivered to."""
        fetches = SIMULATED[name].get("way") == "fetching"
        return [self._fetched(name, line) for line in self.got(name).values()] if fetches else []

    def _said(self, name: str) -> Iterator[tuple[str, str]]:
        """What each message that a partner sent says in one word, by payload."""
        folder = self.partner_folder(name)
        for receipt in (folder / "receipts").glob("*.json"):
            id_ = json.loads(receipt.read_bytes()).get("id", "")
            try:
                yield id_, said(summary((folder / "sent" / receipt.stem).read_bytes()))
            except (OSError, ValueError, KeyError, IndexError, TypeError):
                continue  # a sample that nobody can read

    def _fetched(self, name: str, line: Mapping[str, Any]) -> Fetched:
        file = self.partner_folder(name) / "inbox" / line["file"]
        words = re.findall(r"[\w.-]+", file.read_text("utf-8", "replace"))
        at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        return Fetched(name, at, line["document"], line["kind"], line["says"], frozenset([*line["answers"], *words]))

    def _placed(self, partner: dict[str, Any], addresses: Mapping[str, str]) -> dict[str, Any]:
        """The partner with its agreements pointing to where its simulator is."""
        agreements = []
        for agreement in partner.get("agreements", ()):
            options = dict(agreement.get("options", {}))
            if "url" in options:
                options["url"] = addresses[partner["id"]]
            if "folder" in options:
                options["folder"] = str(self.folder / "exchange" / partner["id"])
            if "host" in options:
                options["port"] = str(urlsplit(addresses[partner["id"]]).port)
            agreements.append({**agreement, "options": options})
        credentials = []
        if SIMULATED.get(partner["id"], {}).get("way") == "as2":
            material = self._keys.certificate(partner["id"]).read_text("utf-8")
            credentials = [{"kind": "certificate", "use": use, "material": material} for use in ("sign", "encrypt")]
        return {**partner, "agreements": agreements, **({"credentials": credentials} if credentials else {})}


async def _end(process: Process) -> None:
    """End one process: asked first, then killed."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _tail(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-2000:] if log.exists() else ""


_CONFIG = """\
our_id = "ZZ:CIQ"

[store]
url = "sqlite+aiosqlite:///{folder}/gateway.db"
payload_folder = "{folder}/payloads"
anchor_file = "{folder}/anchor"
node_file = "{folder}/node"
free_bytes = 10000000

[catalogue]
snapshots = "{folder}/catalogues"

[receipts]
origin = "demo.example/log"
signing_key_file = "{folder}/signing.key"

[http]
port = {port}

[clock]
ahead_seconds = {ahead}

[pipeline]
workers = 0                             # the samples are small

[deliver]
first_delay = 0.3                       # a demo has no hour to wait
longest_delay = 2.0
allow_private_addresses = true          # the simulated partners listen on loopback

[transports.folder]
poll_seconds = 0.1

[[transports.folder.watched]]
path = "{folder}/exchange/agent"
partner = "agent"

[[transports.folder.watched]]
path = "{folder}/exchange/port"
partner = "port"

[transports.sftp]
listen_port = {sftp_port}
folder = "{folder}/sftp"
host_key_file = "{keys}/sftp.key"
poll_seconds = 0.1

[transports.smtp]
sender = "{mailbox}"
mailbox = "{mailbox}"
listen_port = {smtp_port}
plain_login = true                      # the mails do not leave this machine

[transports.as2]
name = "{as2_name}"

[[transports.as2.keys]]
certificate = "{keys}/gateway.pem"
key = "{keys}/gateway.key"

[transports.webhook]
keys = ["file:{keys}/webhook.key"]
"""
