"""What a transport declares of itself: one `Transport` a file, from which everything else that names transports derives.

`discovery` finds the declarations, in this folder and in installed packages; `process` opens the senders and runs the
receivers; `web` adds the routes; the partner import judges agreements by `options`, and the configuration by `settings`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.config import Section, Settings
from gateway.errors import ConfigurationInvalid, TransportsInvalid
from gateway.registry.directory import Directory
from gateway.registry.keys import SEND
from gateway.spelling import near
from gateway.transports.base import (
    Confirm,
    FindAwaited,
    FindOrigin,
    Intake,
    Receiver,
    Replies,
    Sender,
    find_no_origin,
    find_nothing_awaited,
)
from gateway.transports.spool import Spool

_NAME = re.compile(r"[a-z][a-z0-9]*")
"""A name stands in agreements, receipts, TOML tables and environment variables, which part names by underscores."""


class Options(BaseModel):
    """What an outbound agreement may say for a transport; each value is text, as the registry keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class Means:
    """What the gateway gives a transport to work with."""

    settings: Settings
    own: Any
    """What `[transports.NAME]` says, as the transport's own model."""
    intake: Intake
    """The one way in: keeps an arrival and gives its receipt."""
    spool: Spool
    """Takes in bodies, large ones on disk."""
    registry: Directory
    """Partners, and their credentials by what is shown and by what is to be shown."""
    confirm: Confirm
    """Tells that a partner has confirmed, or refused, what its sender came back from with `Awaiting`."""
    replies: Replies
    """Keeps what a repeat of a sending must be answered again."""
    find_origin: FindOrigin = find_no_origin
    """Finds the file that an answer answers, where files go by names."""
    find_awaited: FindAwaited = find_nothing_awaited
    """Finds the delivery that a confirmation is about, for whoever must know whose and which it is before it counts."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The authenticated partner at the other end."""

    partner_id: str
    test: bool = False
    """Whether what it sends is test traffic."""


@dataclass(frozen=True, slots=True)
class Route:
    """An HTTP route on which a transport receives."""

    path: str
    operation: str
    """The OpenAPI operationId."""
    receive: Callable[[web.Request, Peer, Means], Awaitable[web.StreamResponse]]
    """Its docstring's first sentence is the summary in the OpenAPI description."""
    method: str = "POST"
    status: int = 202
    """Of an answer where all is well."""
    media_type: str = "text/plain"
    """Of that answer."""
    answers: type[BaseModel] | None = None
    """What the answer holds, where it is JSON that a model describes."""
    takes: type[BaseModel] | None = None
    """What is taken as JSON, where that is no message."""
    bodiless: bool = False
    """Whether nothing is taken."""
    queries: Mapping[str, str] = field(default_factory=dict)
    """Query parameters by name, each with what it is."""
    scope: str = SEND
    """What a key must open, where the API keys tell who calls."""
    also: Mapping[int, type[BaseModel]] = field(default_factory=dict)
    """Other statuses, each with what is answered under it."""


@dataclass(frozen=True, slots=True)
class Transport:
    """A way in which bytes come or go."""

    name: str
    """As agreements name it."""
    options: type[Options] = Options
    settings: type[Section] = Section
    """The table `[transports.NAME]` of gateway.toml; each field has a default, since the table may be absent."""
    open_sender: Callable[[Means], Sender] | None = None
    """None where nothing is sent over it. Called once, in the running event loop."""
    open_receivers: Callable[[Means], Mapping[str, Receiver]] | None = None
    """What receives in the background, each under a name for the log; all run as long as the gateway does."""
    routes: tuple[Route, ...] = ()
    authenticate: Callable[[web.Request, Means], Awaitable[Peer | web.StreamResponse]] | None = None
    """Tells who calls one of the routes, or raises NotAuthenticated; where None, the API keys of the registry do.

    An answer in place of a peer goes to whoever is not let in, where the transport's protocol has words for that."""
    find_faults: Callable[[Any], Iterable[str]] = field(default=lambda _own: ())
    """What only this machine shows about its settings, each fault beginning with the setting's name in its table."""


class Transports:
    """All transports there are, found once and handed on."""

    def __init__(self, transports: Iterable[Transport]) -> None:
        """TransportsInvalid where two do not go together, or one is called what cannot be written everywhere."""
        self._by_name: dict[str, Transport] = {}
        paths: dict[tuple[str, str], str] = {}
        for transport in sorted(transports, key=lambda one: one.name):
            if not _NAME.fullmatch(transport.name):
                raise TransportsInvalid(f"a transport's name is small letters and digits, not {transport.name!r}")
            if self._by_name.setdefault(transport.name, transport) is not transport:
                raise TransportsInvalid(f"two transports are called {transport.name}")
            for route in transport.routes:
                other = paths.setdefault((route.method, route.path), transport.name)
                if other != transport.name:
                    raise TransportsInvalid(f"{other} and {transport.name} both answer {route.method} {route.path}")

    def __iter__(self) -> Iterator[Transport]:
        """All of them, by name."""
        return iter(self._by_name.values())

    @property
    def options(self) -> dict[str, type[Options] | None]:
        """By name, what an outbound agreement may say; None where nothing is sent over that transport."""
        return {one.name: one.options if one.open_sender is not None else None for one in self}

    def read_settings(self, settings: Settings) -> dict[str, Section]:
        """Each transport's own settings, by name. ConfigurationInvalid with every fault, by the setting's full name."""
        faults = [
            f"transports.{name}: no transport is called that{near(name, self._by_name)}"
            for name in settings.transports
            if name not in self._by_name
        ]
        own: dict[str, Section] = {}
        for transport in self:
            try:
                own[transport.name] = transport.settings.model_validate(settings.transports.get(transport.name, {}))
            except ValidationError as error:
                for fault in error.errors(include_input=False):
                    place = ".".join(map(str, ("transports", transport.name, *fault["loc"])))
                    faults.append(f"{place}: {fault['msg'].removeprefix('Value error, ')}")
        if faults:
            raise ConfigurationInvalid("; ".join(faults), faults=tuple(faults))
        return own

    def find_faults(self, settings: Settings) -> Iterator[str]:
        """What is wrong with the transports' settings on this machine, each fault by the setting's full name."""
        try:
            own = self.read_settings(settings)
        except ConfigurationInvalid as error:
            told = error.details["faults"]
            assert isinstance(told, tuple)
            yield from told
            return
        for transport in self:
            yield from (f"transports.{transport.name}.{fault}" for fault in transport.find_faults(own[transport.name]))
