"""What must hold of every target, whatever comes in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from gateway import findings
from gateway.model import Finding

SECONDS = 10.0
"""Processor time for one input: a few kilobytes take milliseconds, a hundred times more where all is instrumented."""
BYTES, PER_BYTE = 4 << 20, 2000
"""What may come out of one input in all: a finding of some hundred characters, in every format, for each of its bytes."""


class Budget:
    """Bounds the time and the output of one input."""

    def __init__(self, body: bytes) -> None:
        self._left = BYTES + PER_BYTE * len(body)
        self._began = time.process_time()

    def __enter__(self) -> Self:
        return self

    def gives(self, out: str | bytes) -> None:
        """Something that comes out."""
        self._left -= len(out)
        assert self._left >= 0, "more comes out than may"

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is None:
            took = time.process_time() - self._began
            assert took < SECONDS, f"it took {took:.1f} s"


def worded(found: Iterable[Finding]) -> str:
    """All findings in words of both languages; each is in the catalogue."""
    words = []
    for finding in found:
        assert finding.code in findings.catalogue(), finding.code
        words += [findings.text(finding, language) for language in ("en", "zh")]
        words.append(str(finding.place))
    return "\n".join(words)


def same_events(read: Callable[..., Iterator[Any]], body: bytes) -> str:
    """What a streaming reader says, which must not depend on how the bytes come."""
    whole = [repr(event) for event in read(body)]
    pieces = [repr(event) for event in read(body[start : start + 7] for start in range(0, len(body), 7))]
    assert whole == pieces
    return "".join(whole)
