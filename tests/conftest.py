"""What holds for all tests."""

from __future__ import annotations

import signal

# A shell starts what runs in its background with interrupts ignored, and whatever that starts inherits it; the tests
# interrupt processes that they start, as people do with Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
