"""What the operator reads: structured events on stderr, without secrets and without partners' payloads."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from gateway.config import Logging
from gateway.signs import escaped_json, shown, visible_lines

_SECRET = frozenset({"authorization", "key", "api_key", "password", "secret", "token", "seed"})
_CONTENT = frozenset({"body", "payload_body", "document", "content"})
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(settings: Logging) -> None:
    """Set up structlog, and let what the standard library logs go the same way."""
    level = _LEVELS.get(settings.level.lower(), logging.INFO)
    # Tracebacks show no local variables: those are the payload in hand.
    last: Any
    if settings.json_lines:
        tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        formatted: list[Any] = [structlog.processors.ExceptionRenderer(tracebacks)]
        last = structlog.processors.JSONRenderer(_json_line, ensure_ascii=False)
    else:
        *formatted, last = for_people()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        withhold,
    ]
    structlog.configure(
        processors=[*shared, *formatted, last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *formatted, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries tell at info what only their authors need.
    root.setLevel(max(level, logging.WARNING))


def for_people() -> list[Any]:
    """The last processors of a log that is read on a terminal: one line an event, then its traceback, set in."""
    return [
        show,
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_traceback),
    ]


_AS_THEY_ARE = frozenset({"exc_info", "exception", "stack"})
"""What a renderer takes to draw a traceback of."""


def show(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace every text by what a person can be shown of it: a value's newline would forge the next event."""
    for name, value in event.items():
        if name not in _AS_THEY_ARE:
            event[name] = shown(value if isinstance(value, str) else repr(value))
    return event


def _traceback(file: TextIO, exc_info: Any) -> None:
    """Write a traceback; set in, so that no line of an exception's words looks like an event."""
    drawn = io.StringIO()
    structlog.dev.plain_traceback(drawn, exc_info)
    file.write("\n".join(f"    {line}" for line in visible_lines(drawn.getvalue()).strip("\n").split("\n")))


def _json_line(value: Any, **options: Any) -> str:
    """`value` to the letter, with nothing in it that acts on a terminal."""
    return escaped_json(json.dumps(value, **options))


def withhold(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace what must not stand in a log by a word for it, whoever put it there."""
    for name, value in event.items():
        if name.lower() in _SECRET:
            event[name] = "(secret)"
        elif name.lower() in _CONTENT or isinstance(value, bytes):
            event[name] = f"({len(value)} bytes)" if isinstance(value, bytes | str) else "(content)"
    return event
