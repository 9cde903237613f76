"""What a long-lived process does beside its work: a worker ends with its parent, and what stands is not collected."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection, parent_process, resource_tracker

_SET_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of prctl(2), from <linux/prctl.h>."""
GARBAGE_AFTER = 50_000
"""Allocations, less releases, after which cycles are looked for (Python's own: 700): reading a message makes many
objects and hardly a cycle, and each look walks all the young ones."""


def begin_worker(parent: int, module: str, *arguments: object) -> None:
    """In a worker process: see to its end first, and then let `module`, in which its work stands, `prepare` it.

    This module is all that a new worker reads until here: the rest takes a second, in which its parent may be killed.
    """
    end_with_parent(parent)
    prepare: Callable[..., object] = importlib.import_module(module).prepare
    prepare(*arguments)
    freeze_loaded()


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Processes started meanwhile are deaf to Ctrl-C from the start: it reaches the whole group, and the parent ends them.

    The system hands the blocked signal on to what is started; in this thread it is only late by the time that takes.
    """
    resource_tracker.ensure_running()  # it lifts the block when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_workers(pool: ProcessPoolExecutor) -> None:
    """End a pool at once, whatever its processes are at: left alone, they would finish that before we could end."""
    processes = list((pool._processes or {}).values())  # noqa: SLF001 -- public as `kill_workers` from Python 3.14 on
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.kill()


def end_with_parent(parent: int) -> None:
    """In a worker process: end when `parent` does, the process that started this one, however it ends.

    A worker that outlived its gateway would hold its memory for ever: whoever was killed ends nobody. On Linux the
    system ends it; elsewhere, and where the system was told too late, the pipe that the parent holds tells its end.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    threading.Thread(target=_wait_for_parent, name="parent", daemon=True).start()


def _wait_for_parent() -> None:
    """End once the parent has ended."""
    if (parent := parent_process()) is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def freeze_loaded() -> None:
    """Leave what is loaded by now out of each look for garbage, and look less often.

    Modules, tables and rules are hundreds of thousands of objects that stand for the life of the process: a full look
    walks them all, and stops everything for a tenth of a second. What comes later is collected as ever.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER, 20, 50)
