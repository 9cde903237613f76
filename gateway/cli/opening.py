"""Opens the store for the operator's commands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gateway.cli import output

if TYPE_CHECKING:
    from gateway.config import Settings
    from gateway.receipt.signed import Signer
    from gateway.store.ports import Store

T = TypeVar("T")


def with_store(config: Path | None, work: Callable[[Store], Awaitable[T]], *, make: bool = False) -> T:
    """What `work` makes of the configured store, which is opened before and closed after it.

    Only with `make` a store, or a signing key, that is not there is made.
    """
    from gateway.config import load

    return with_store_of(load(config), work, make=make)


def with_closed_store(config: Path | None, work: Callable[[Store], Awaitable[T]]) -> T:
    """What `work` reads in the configured store, which is not opened for it: a damaged one would not open."""
    from gateway import store
    from gateway.config import load
    from gateway.errors import ConfigurationInvalid, StoreUnavailable

    settings = load(config)
    url = settings.store.url
    if not has_store(settings):
        raise ConfigurationInvalid(f"there is no store at {store.without_password(url)}; `gateway migrate` makes one")

    async def run() -> T:
        closed = store.open_store(url, signer=_reader(settings), payload_folder=settings.store.payload_folder)
        try:
            return await work(closed)
        finally:
            await closed.close()

    with store.explained(url):
        try:
            return asyncio.run(run())
        except StoreUnavailable as error:
            output.stop(f"the store {store.without_password(url)} does not answer: {error}", output.NO)


def with_store_of(settings: Settings, work: Callable[[Store], Awaitable[T]], *, make: bool = False) -> T:
    """What `work` makes of the store of these settings, as `with_store` has it of a configuration file."""
    from gateway import opening, store
    from gateway.errors import ConfigurationInvalid, StoreUnavailable

    _log_to_stderr()
    url = settings.store.url
    if not make and not has_store(settings):
        raise ConfigurationInvalid(f"there is no store at {store.without_password(url)}; `gateway migrate` makes one")
    signer = opening.signer(settings.receipts) if make else _reader(settings)

    async def run() -> T:
        async with opening.opened(settings, signer) as opened:
            return await work(opened)

    with store.explained(url):
        try:
            return asyncio.run(run())
        except StoreUnavailable as error:
            output.stop(f"the store {store.without_password(url)} does not answer: {error}", output.NO)


def _log_to_stderr() -> None:
    """Let events go where words go: stdout is for data."""
    import sys

    import structlog

    from gateway.web import logs

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.dev.set_exc_info,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            logs.withhold,
            *logs.for_people(),
        ],
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def has_store(settings: Settings) -> bool:
    """Whether a store is there; none is made."""
    from gateway import store
    from gateway.errors import StoreUnavailable

    url = settings.store.url
    try:
        return bool(store.version(url))
    except StoreUnavailable as error:
        output.stop(f"the store {store.without_password(url)} does not answer: {error}", output.NO)


def _reader(settings: Settings) -> Signer:
    """The log's signer; before the first start, when nothing is signed yet, one whose key nobody keeps."""
    import secrets

    from gateway import opening
    from gateway.receipt.signed import Signer

    if settings.receipts.signing_key_file.exists():
        return opening.signer(settings.receipts)
    return Signer(settings.receipts.origin, secrets.token_bytes(32))
