"""Real parts for tests: a gateway in a process of its own, and a recipient that listens on loopback."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from gateway import config, opening
from gateway.catalogue_folders import shipped
from gateway.demo.guard import Guard
from gateway.discovery import find_transports
from gateway.registry import partner_file

READY_SECONDS = 30.0


def key_of(partner_id: str) -> str:
    """The API key that the tests give a partner: long enough, and no secret."""
    return f"gwk_test_{partner_id}_".ljust(40, "0")


async def _import_partners(settings: config.Settings, file: Path) -> None:
    """What `gateway partner import` does."""
    async with opening.opened(settings, opening.signer(settings.receipts)) as store:
        entries = [
            entry for entry, _ in partner_file.read(file, partner_file.Known(find_transports().options, shipped()))
        ]
        await store.import_partners(
            [entry.partner() for entry in entries],
            [agreement for entry in entries for agreement in entry.model_agreements()],
            [one for entry in entries for one in entry.model_credentials()],
        )
        await store.import_persons(person for entry in entries for person in entry.model_persons())


class _Patient(ThreadingHTTPServer):
    """A server whose peers may be killed in the middle of a request."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that was broken off is no fault; others are printed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class GatewayProcess:
    """`gateway serve` in a process of its own, over one folder that outlives it."""

    def __init__(self, folder: Path, partners: str, environment: Mapping[str, str] | None = None) -> None:
        """`partners` is a partner file's text, imported once, if it is not empty; `environment` overrides settings."""
        self.folder = folder
        self.url = ""
        self.patience = 20.0
        """Seconds until whoever asks gives up."""
        self._process: subprocess.Popen[str] | None = None
        self._guard: Guard | None = None
        self._environment = {
            **os.environ,
            "GATEWAY_STORE__URL": f"sqlite:///{folder}/gateway.db",
            "GATEWAY_STORE__PAYLOAD_FOLDER": f"{folder}/payloads",
            "GATEWAY_STORE__ANCHOR_FILE": f"{folder}/anchor",
            "GATEWAY_STORE__NODE_FILE": f"{folder}/node",
            "GATEWAY_CATALOGUE__SNAPSHOTS": f"{folder}/catalogues",
            "GATEWAY_RECEIPTS__SIGNING_KEY_FILE": f"{folder}/signing.key",
            "GATEWAY_RECEIPTS__ORIGIN": "test.example/log",
            "GATEWAY_HTTP__PORT": "0",
            "GATEWAY_DELIVER__ALLOW_PRIVATE_ADDRESSES": "true",
            "GATEWAY_DELIVER__FIRST_DELAY": "0.1",
            "GATEWAY_DELIVER__LONGEST_DELAY": "0.5",
            "GATEWAY_DELIVER__LEASE_SECONDS": "2",
            "GATEWAY_PIPELINE__LEASE_SECONDS": "2",
            "GATEWAY_PIPELINE__WORKERS": "0",
            "GATEWAY_STORE__FREE_BYTES": "1000000",
            **(environment or {}),
        }
        if not partners:
            return
        file = folder / "partners.toml"
        file.write_text(partners, "utf-8")
        # In this process, which has everything loaded; in a thread, since a test may be running a loop of its own.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _import_partners(config.load(environment=self._environment), file)).result()

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a verb of the command line over the same folder."""
        return subprocess.run(
            [sys.executable, "-m", "gateway", *arguments],
            env=self._environment,
            cwd=self.folder,
            check=check,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def start(self) -> None:
        """Start, and wait until it is ready."""
        with (self.folder / "gateway.log").open("a") as errors:
            self._guard = Guard()  # whoever runs the tests may be killed
            self._process = subprocess.Popen(
                self._guard.guarded([sys.executable, "-m", "gateway", "serve"]),
                stdin=self._guard.handle,
                env=self._environment,
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError(f"the gateway did not start:\n{self.log()[-3000:]}")
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            try:
                with urlopen(f"{self.url}/readyz", timeout=2):
                    return
            except (URLError, OSError):
                time.sleep(0.05)
        raise RuntimeError(f"the gateway is not ready:\n{self.log()[-3000:]}")

    @property
    def pid(self) -> int:
        """The number of the running process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """kill -9: nothing is flushed, nothing is closed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._ended()

    def pause(self) -> None:
        """SIGSTOP: it holds what it has in its hands, and does nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        if self._process is None:
            return 0
        self._process.terminate()
        return self._ended()

    def wait(self, seconds: float = 30.0) -> int:
        """Wait until it has ended; the exit status."""
        return self._ended(seconds)

    def _ended(self, seconds: float = 30.0) -> int:
        assert self._process is not None
        status = self._process.wait(seconds)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None
        if self._guard is not None:
            self._guard.dismiss()
        return status

    def memory(self) -> int:
        """The most memory the process has held so far, in bytes (0 where the system does not tell)."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status")
        lines = status.read_text().splitlines() if status.exists() else []
        return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM")), 0)

    def log(self) -> str:
        """What the process logged."""
        path = self.folder / "gateway.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def ready(self) -> int:
        """The status that /readyz answers with; 0 where nobody answers."""
        return self._ask(Request(f"{self.url}/readyz"))[0]

    def post(self, partner_id: str, body: bytes, transport_id: str = "") -> tuple[int, dict[str, Any]]:
        """Send a message as `partner_id`: status and answer; status 0 where nobody answered."""
        headers = {"Authorization": f"Bearer {key_of(partner_id)}"}
        if transport_id:
            headers["Idempotency-Key"] = transport_id
        return self._ask(Request(f"{self.url}/v1/messages", body, headers, method="POST"))

    def get(self, partner_id: str, path: str) -> tuple[int, dict[str, Any]]:
        """Read a resource as `partner_id`."""
        return self._ask(Request(f"{self.url}{path}", headers={"Authorization": f"Bearer {key_of(partner_id)}"}))

    def _ask(self, request: Request) -> tuple[int, dict[str, Any]]:
        try:
            with urlopen(request, timeout=self.patience) as answer:
                body = answer.read()
                is_json = answer.headers.get_content_type().endswith("json")
                return answer.status, json.loads(body) if is_json else {"body": body}
        except HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"{}")
        except (URLError, OSError):
            return 0, {}


class Recipient:
    """A partner's HTTP inbox on loopback: remembers every delivery, by id, in the order of arrival."""

    def __init__(self) -> None:
        self.deliveries: dict[str, bytes] = {}
        self.arrivals: list[str] = []
        self.headers: dict[str, Mapping[str, str]] = {}
        self.down = False
        self.judge: Callable[[bytes], int] = lambda _body: 200
        """The status each body is answered with; 0 closes the connection unanswered, -200 after keeping the body."""
        self.refused: Counter[str] = Counter()
        """How often each delivery was answered otherwise than 200."""
        recipient = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                identity = self.headers["Idempotency-Key"]
                status = 503 if recipient.down else recipient.judge(body)
                if abs(status) == 200:
                    recipient.arrivals.append(identity)
                    recipient.deliveries[identity] = body
                    recipient.headers[identity] = dict(self.headers.items())
                if status != 200:
                    recipient.refused[identity] += 1
                if status <= 0:
                    self.close_connection = True
                    return
                if status != 200:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
                self.send_response(200)
                self.send_header("Received-Digest", f"sha-256=:{digest}:")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing is logged."""

        self._server = _Patient(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/inbox"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, count: int, seconds: float = 30.0) -> None:
        """Wait until `count` distinct deliveries have come; AssertionError after `seconds`."""
        deadline = time.monotonic() + seconds
        while len(self.deliveries) < count:
            assert time.monotonic() < deadline, f"{len(self.deliveries)} of {count} deliveries came"
            time.sleep(0.02)
