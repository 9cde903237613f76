"""A fault of ours in one message is that message's state: it is caught at one of the trip's few seams, by `caught`.

    examine    a part's reader fails: what it read so far, and its interchange, are answered as not processed
    examine    a message's check, translation or rules fail
    carry      its decision, its addressing or its rendering fail
    carry      the store refuses its rows
    carry      the acknowledgement of an interchange cannot be written
    pipeline   a payload ends every process that examines it, or cannot be taken through the trip at all

The sender is told that the message was not processed and that the fault is ours (`gateway.fault`), without a word
of what it was; the operator gets an alert, and the log the traceback. Neighbours go on.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.errors import TemporaryError
from gateway.findings import make_finding
from gateway.model import Finding, Place

CODE = "gateway.fault"
PASSES = (TemporaryError, MemoryError)
"""What is no fault in a message: it concerns the store or the process, and trying again may succeed."""


@dataclass(slots=True)
class Fault:
    """What was caught; `text` is its traceback, for the log and never for a partner, and empty where all went well."""

    text: str = ""

    def __bool__(self) -> bool:
        """Whether anything was caught."""
        return bool(self.text)


@contextmanager
def caught() -> Iterator[Fault]:
    """Holds what is raised within for the message in hand, but for what concerns more than one message."""
    fault = Fault()
    try:
        yield fault
    except PASSES:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is one message's, and its neighbours go on
        fault.text = "".join(traceback.format_exception(error))


def finding(tag: str = "") -> Finding:
    """What everybody is told; at the message's header `tag`, where its syntax has one."""
    return make_finding(CODE, place=Place(segment=1, tag=tag) if tag else Place())
