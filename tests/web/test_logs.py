from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gateway.web.logs import withhold


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", "Bearer gwk_x"),
        ("api_key", "gwk_x"),
        ("Password", "x" * 9),
        ("body", b"UNB+gwk_x"),
        ("document", {"consignor": "gwk_x"}),
        ("anything", b"gwk_x"),  # bytes are never meant for a log
    ],
)
def test_secrets_and_payloads_are_withheld(name, value):
    """A key, a password or a payload that reaches the log by mistake does not stand in it."""
    event = withhold(None, "info", {"event": "x", name: value})
    assert "gwk_x" not in repr(event)
    assert event["event"] == "x"


@pytest.mark.parametrize("json_lines", [True, False])
def test_logs_go_to_stderr(json_lines):
    """Events go to stderr, as JSON lines or as text, and tracebacks with them, but no local variables."""
    code = f"""
import structlog
from gateway.config import Logging
from gateway.web.logs import configure
configure(Logging(level="info", json_lines={json_lines}))
log = structlog.get_logger("x")
log.debug("unseen")
log.info("seen", partner="acme", token="gwk_x")
payload = "UNB+gwk_x"
try:
    1 / len(payload[:0])
except ZeroDivisionError:
    log.exception("crashed")
import logging
logging.getLogger("other").warning("from elsewhere")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "unseen" not in done.stderr
    assert "gwk_x" not in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert "from elsewhere" in done.stderr
    if json_lines:
        lines = [json.loads(line) for line in done.stderr.splitlines()]
        assert [line["event"] for line in lines] == ["seen", "crashed", "from elsewhere"]


@pytest.mark.parametrize("json_lines", [True, False])
def test_a_value_forges_no_event(json_lines):
    """One event is one line, without controls, whatever a partner wrote; a traceback is set in; JSON is exact."""
    code = f"""
import structlog
from gateway.config import Logging
from gateway.web.logs import configure
configure(Logging(level="info", json_lines={json_lines}))
hostile = "x\\x1b[2J\\nforged\\u202e\\x9b\\u2028y"
structlog.get_logger("x").info("seen", reference=hostile)
import logging
logging.getLogger("other").warning("from %s", hostile)
try:
    raise ValueError(hostile)
except ValueError:
    structlog.get_logger("x").exception("crashed")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert not set("\x1b\u202e\x9b\u2028") & set(done.stderr)
    assert not any(line.startswith("forged") for line in done.stderr.split("\n"))
    if json_lines:
        first = json.loads(done.stderr.split("\n")[0])
        assert first["reference"] == "x\x1b[2J\nforged\u202e\x9b\u2028y"
    else:
        assert "reference=x\\u001b[2J\\u000aforged\\u202e\\u009b\\u2028y" in done.stderr
