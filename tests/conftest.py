"""What holds for all tests."""

from __future__ import annotations

import signal

import structlog
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, and nothing about the claim.
settings.register_profile("gateway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gateway")

# A shell starts what runs in its background with interrupts ignored, and whatever that starts inherits it; the tests
# interrupt processes that they start, as people do with Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Out of the box structlog draws an exception with rich, and with what every frame has in its hands: the catalogue and
# whole messages, which took most of a minute for one line that a test provoked.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)
