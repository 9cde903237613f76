"""gateway.toml and the environment become Settings; every field says what it does and why its default.

Each setting can be overridden by an environment variable `GATEWAY_<SECTION>__<NAME>`, for example
`GATEWAY_STORE__URL`. Secrets come from files only (`signing_key_file`), never from gateway.toml.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.errors import ConfigurationInvalid

ENVIRONMENT_PREFIX = "GATEWAY_"
KIB = 1024
MIB = 1024 * KIB


class Section(BaseModel):
    """A table of gateway.toml: frozen, and strict about names, so that a misspelt setting is told."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Store(Section):
    """Where what must last is kept."""

    url: str = Field("sqlite:///var/gateway.db", description="SQLAlchemy URL: SQLite or PostgreSQL (asyncpg)")
    payload_folder: Path = Field(Path("var/payloads"), description="Content-addressed files of large payloads")
    anchor_file: Path = Field(Path("var/anchor"), description="Newest checkpoint, kept outside the database")
    free_bytes: int = Field(256 * MIB, description="Below this free disk space senders are answered 503", ge=0)


class Receipts(Section):
    """Who signs the receipt log."""

    origin: str = Field("gateway.example/log", description="The log's name in every checkpoint")
    signing_key_file: Path = Field(
        Path("var/signing.key"), description="Ed25519 key (signed-note form); made at first start where absent"
    )


class Http(Section):
    """The HTTP side: REST and the way in."""

    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8080, description="Port to listen on; 0 takes a free one", ge=0, le=65535)
    tls_certificate: Path | None = Field(None, description="PEM certificate chain; TLS is off where absent")
    tls_key: Path | None = Field(None, description="PEM key of the certificate")
    tls_client_ca: Path | None = Field(None, description="PEM of authorities for client certificates (mutual TLS)")


class Limits(Section):
    """Bounds on what is taken in, each with its reason."""

    payload_bytes: int = Field(
        64 * MIB, description="Largest HTTP payload: it is held in memory once while it is stored", gt=0
    )
    unpacked_bytes: int = Field(512 * MIB, description="Largest payload after decompression (bombs)", gt=0)
    payloads_waiting: int = Field(
        200_000, description="More unprocessed payloads than this are answered 429: a day's peak must fit", gt=0
    )
    requests_per_second: float = Field(
        0, description="Per partner; 0 for no limit. Above it, 429 with Retry-After", ge=0
    )


class Pipeline(Section):
    """The trip between the two commits."""

    workers: int = Field(
        1, description="Processes for parsing and translating large payloads; 0 keeps all in one", ge=0
    )
    concurrency: int = Field(32, description="Payloads decided at once: they share the store's commits", gt=0)
    lease_seconds: float = Field(60, description="A crashed worker's payloads are taken over after this", gt=0)
    chunk: int = Field(500, description="Messages of one interchange per transaction", gt=0, le=500)


class Deliver(Section):
    """Sending out."""

    concurrency: int = Field(64, description="Sendings under way at once", gt=0)
    lease_seconds: float = Field(90, description="A crashed worker's sendings are tried again after this", gt=0)
    first_delay: float = Field(1.0, description="Seconds to the second attempt; doubled from there", gt=0)
    longest_delay: float = Field(3600.0, description="Seconds between attempts at most", gt=0)
    allow_private_addresses: bool = Field(
        False, description="Let partners' URLs point to loopback and private networks (SSRF guard off)"
    )


class Folder(Section):
    """A folder in which a partner leaves files."""

    path: Path = Field(description="Folder that is watched")
    partner: str = Field(description="Id of the partner whose folder it is")
    test: bool = Field(False, description="Whether its traffic is test traffic")


class Logging(Section):
    """What the operator reads."""

    level: str = Field("info", description="debug, info, warning or error")
    json_lines: Annotated[bool, Field(description="JSON lines instead of coloured text")] = True


class Settings(Section):
    """The whole configuration."""

    our_id: str = Field("GATEWAY", description="Our interchange id where an agreement gives none")
    language: str = Field("en", description="Language of words for people without a preference: en or zh")
    store: Store = Store()
    receipts: Receipts = Receipts()
    http: Http = Http()
    limits: Limits = Limits()
    pipeline: Pipeline = Pipeline()
    deliver: Deliver = Deliver()
    folders: tuple[Folder, ...] = ()
    folder_poll_seconds: float = Field(0.5, description="How often folders are looked at", gt=0)
    logging: Logging = Logging()


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from `path` (default: gateway.toml where it exists) overlaid by the environment.

    Raises ConfigurationInvalid with every fault named.
    """
    environment = os.environ if environment is None else environment
    chosen = path or Path(environment.get(f"{ENVIRONMENT_PREFIX}CONFIG", "gateway.toml"))
    values: dict[str, object] = {}
    if chosen.is_file():
        try:
            values = tomllib.loads(chosen.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationInvalid(f"{chosen}: {error}") from error
    elif path is not None:
        raise ConfigurationInvalid(f"{path} does not exist")
    for name, value in environment.items():
        if name.startswith(ENVIRONMENT_PREFIX) and "__" in name:
            section, _, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("__")
            table = values.setdefault(section, {})
            if isinstance(table, dict):
                table[key] = value
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors())
        raise ConfigurationInvalid(f"{chosen}: {faults}") from error
