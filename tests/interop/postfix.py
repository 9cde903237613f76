"""A Postfix of the test's own: its configuration, queue and data in a folder that goes with it, its ports on loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.transports.conformance.kinds import free_port

MASTER = Path("/usr/lib/postfix/sbin/master")
_SERVICES = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
smtp unix - - n - - smtp
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
_SETTINGS = """
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = relay.example
mydestination =
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
disable_dns_lookups = yes
smtp_host_lookup = native
smtp_tls_security_level = none
smtpd_relay_restrictions = permit_mynetworks, reject
default_transport = error:no route
transport_maps = inline:{{ {routes} }}
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
maximal_queue_lifetime = {lifetime}
bounce_queue_lifetime = {lifetime}
maillog_file = {root}/log
maillog_file_prefixes = {root}
"""
_OF_POSTFIX = (
    "active",
    "bounce",
    "corrupt",
    "defer",
    "deferred",
    "flush",
    "hold",
    "incoming",
    "private",
    "saved",
    "trace",
)
_OF_ROOT = ("pid",)
_SHARED = ("maildrop", "public")


def require_postfix() -> None:
    """Skips the test where Postfix cannot run here, which in CI is a failure."""
    reason = ""
    if not MASTER.exists():
        reason = "postfix is not installed"
    elif os.getuid() != 0:
        reason = "postfix gives up root's rights by itself, and is started with them"
    if reason and os.environ.get("CI") == "true":
        raise AssertionError(reason)
    if reason:
        pytest.skip(reason)


@contextmanager
def postfix(routes: Mapping[str, str], *, lifetime: str = "1h") -> Iterator[int]:
    """A relay that sends mail for each domain by its route; its port. `lifetime` is how long it tries."""
    require_postfix()
    # Not below the test's own folder, which nobody but root may enter: Postfix's programs run as its own user.
    root = Path(tempfile.mkdtemp(prefix="postfix-"))
    port = free_port()
    try:
        _lay_out(root, port, routes, lifetime)
        with subprocess.Popen(
            [MASTER, "-c", root / "conf", "-d"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # it ends its programs by their group, which is to be its own
        ) as master:
            try:
                _await_start(root, master)
                yield port
            finally:
                master.send_signal(signal.SIGTERM)
                master.wait(timeout=20)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _lay_out(root: Path, port: int, routes: Mapping[str, str], lifetime: str) -> None:
    root.chmod(0o755)
    user = pwd.getpwnam("postfix")
    for name in ("conf", "data", "queue", *(f"queue/{one}" for one in (*_OF_POSTFIX, *_OF_ROOT, *_SHARED))):
        (root / name).mkdir()
    for name in ("data", *(f"queue/{one}" for one in _OF_POSTFIX)):
        os.chown(root / name, user.pw_uid, -1)
        (root / name).chmod(0o700)
    for name in _SHARED:
        shutil.chown(root / "queue" / name, "postfix", "postdrop")
        (root / "queue" / name).chmod(0o730)
    told = ", ".join(f"{domain}={route}" for domain, route in routes.items())
    (root / "conf" / "main.cf").write_text(_SETTINGS.format(root=root, routes=told, lifetime=lifetime).lstrip())
    (root / "conf" / "master.cf").write_text(_SERVICES.format(port=port).lstrip())


def _await_start(root: Path, master: subprocess.Popen[bytes]) -> None:
    log = root / "log"
    for _ in range(200):
        if log.exists() and "daemon started" in log.read_text():
            return
        if master.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"postfix has not started: {log.read_text() if log.exists() else 'it has said nothing'}")
