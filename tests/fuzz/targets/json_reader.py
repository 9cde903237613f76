"""The JSON reader: an object that every later stage can take, or findings."""

import json
from decimal import Decimal
from typing import Any

from gateway.parse import json as json_reader
from tests.fuzz.invariants import Budget, worded

SEEDS = ("*.json",)


def one(body: bytes) -> None:
    """What is read is JSON by the standard library's judgement too, and can be written again in bounded room."""
    with Budget(body) as budget:
        read = json_reader.read(body)
        assert (read.value is None) == bool(read.findings)
        budget.gives(worded(read.findings))
        if read.value is not None:
            budget.gives(json.dumps(read.value, default=_plain))


def _plain(value: Any) -> str:
    assert isinstance(value, Decimal)
    return format(value, "f")
