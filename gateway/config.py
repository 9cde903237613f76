"""gateway.toml and the environment become Settings; every field says what it does and why its default.

Each setting can be overridden by an environment variable `GATEWAY_<SECTION>__<NAME>`, for example
`GATEWAY_STORE__URL`. Secrets come from files only (`signing_key_file`), never from gateway.toml.

What a value alone shows is judged here, for every verb, but for the tables of transports (`[transports.NAME]`): each
transport says what may stand in its own, which is judged when the gateway starts. What only the machine shows (whether
a file is there, whether a folder can be made) is judged by `gateway config check`, which judges the tables as well.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gateway.errors import ConfigurationInvalid
from gateway.languages import maybe_language

ENVIRONMENT_PREFIX = "GATEWAY_"
KIB = 1024
MIB = 1024 * KIB
DAY = 24 * 3600
LEAST_DAYS = 30
"""Days before which nothing is archived: an answer may take weeks."""

_TRIAL_DOMAINS = frozenset({"example", "test", "invalid", "localhost"})

_STORES = re.compile(r"(sqlite|postgresql)(\+[a-z0-9_]+)?://")


def _store_url(url: str) -> str:
    # The URL is not repeated: it may hold a password.
    if not _STORES.match(url):
        raise ValueError("the store is SQLite or PostgreSQL: sqlite:///FILE or postgresql://HOST/DATABASE")
    return url


def _named(path: Path) -> Path:
    if not path.name:
        raise ValueError("a path is needed")
    return path


StoreUrl = Annotated[str, AfterValidator(_store_url)]
NamedPath = Annotated[Path, AfterValidator(_named)]
"""A path that may not be empty, since an empty one would mean the folder one happens to be in."""
MaybePath = Annotated[NamedPath | None, BeforeValidator(lambda value: None if value == "" else value)]
"""A path, or an empty text for none."""


def _no_young(days: int) -> int:
    if 0 < days < LEAST_DAYS:
        raise ValueError(
            f"0 for never, or {LEAST_DAYS} and more: what is younger may still be asked for, sent or answered"
        )
    return days


Days = Annotated[int, Field(ge=0, le=36_500), AfterValidator(_no_young)]
Lower = BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value)


class Section(BaseModel):
    """A table of gateway.toml: frozen, and strict about names, so that a misspelt setting is told."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is not bool:
            raise ValueError("true and false are no value for this")
        return value


class Store(Section):
    """Where what must last is kept."""

    url: StoreUrl = Field("sqlite:///var/gateway.db", description="SQLAlchemy URL: SQLite or PostgreSQL (asyncpg)")
    payload_folder: NamedPath = Field(Path("var/payloads"), description="Content-addressed files of large payloads")
    anchor_file: NamedPath = Field(Path("var/anchor"), description="Newest checkpoint, kept outside the database")
    node_file: NamedPath = Field(
        Path("var/node"),
        description="Name of this node, made at first start: by it a restart takes its own work back at once",
    )
    free_bytes: int = Field(256 * MIB, description="Below this free disk space senders are answered 503", ge=0)


class Catalogue(Section):
    """Tables, schemas, code lists, mappings, rule sets and findings."""

    folder: MaybePath = Field(
        None,
        description="Your own ones, laid over what ships: a folder with schemas/ and mappings/; what ships alone where absent",
    )
    snapshots: NamedPath = Field(
        Path("var/catalogues"),
        description="Where each node lays out what is in force, for the processes that examine payloads",
    )


class Receipts(Section):
    """Who signs the receipt log."""

    origin: str = Field(
        "gateway.example/log",
        description="The log's name in every checkpoint and receipt, at most 255 characters",
        pattern=r"^[^\s+\x00-\x1f]+$",
        max_length=255,
    )
    signing_key_file: NamedPath = Field(
        Path("var/signing.key"), description="Ed25519 key (signed-note form); made at first start where absent"
    )
    audit_per_second: int = Field(
        200,
        description="Entries of its own log that the gateway looks at a second, for changes: a million in 90 minutes, "
        "at some hundredths of a processor; 0 looks at the newest alone, at the start",
        ge=0,
        le=100_000,
    )


class Clock(Section):
    """What time it is for the gateway."""

    ahead_seconds: float = Field(
        0,
        description="For rehearsals: seconds by which the gateway's clock is ahead of the machine's, so that a day ends when "
        "you want to see it. Refused unless receipts.origin ends in .example, .test, .invalid or localhost",
        ge=0,
        le=3660 * DAY,
    )

    def now(self) -> datetime:
        """The time in UTC, as this gateway has it."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead_seconds)


class Sampling(Section):
    """What is drawn to be looked at."""

    key_file: MaybePath = Field(
        None,
        description="Secret by which samples are drawn, the same on all nodes: who knows it foresees what is drawn. Made "
        "once something is drawn; sampling.key beside the signing key where absent",
    )


class Http(Section):
    """The HTTP side: REST and the way in."""

    host: str = Field("127.0.0.1", description="Address to listen on", min_length=1)
    port: int = Field(8080, description="Port to listen on; 0 takes a free one", ge=0, le=65535)
    tls_certificate: MaybePath = Field(None, description="PEM certificate chain; TLS is off where absent")
    tls_key: MaybePath = Field(None, description="PEM key of the certificate")
    tls_client_ca: MaybePath = Field(None, description="PEM of authorities for client certificates (mutual TLS)")


class Limits(Section):
    """Bounds on what is taken in, each with its reason."""

    payload_bytes: int = Field(
        64 * MIB,
        description="Largest payload: a manifest of 3,000 bills of lading has 2 MB, and a day's batch twenty times that",
        gt=0,
    )
    partner_bytes_under_way: int = Field(
        128 * MIB,
        description="Bytes one partner may have on their way in or out at once: two of the largest payloads",
        gt=0,
    )
    bytes_under_way: int = Field(
        1024 * MIB,
        description="Bytes on their way in at once, of all partners; they lie on the payload folder's disk",
        gt=0,
    )
    unpacked_bytes: int = Field(512 * MIB, description="Largest payload after decompression (bombs)", gt=0)
    unpacked_ratio: int = Field(
        200,
        description="How many times its size a payload may unpack to, above 16 MiB: EDI text packs 10 to 100 times",
        gt=0,
    )
    interchanges: int = Field(
        1000,
        description="Interchanges of one payload, each of which is acknowledged: a day's batch holds hundreds",
        gt=0,
    )
    groups: int = Field(
        1000, description="Groups (GS, UNG) of one payload: there is one for each kind of message, so mostly one", gt=0
    )
    payloads_waiting: int = Field(
        200_000, description="More unprocessed payloads than this are answered 429: a day's peak must fit", gt=0
    )
    connections: int = Field(
        4000,
        description="Connections at once; fewer where the system allows fewer open files, of which 256 are kept free",
        gt=0,
    )
    connections_per_address: int = Field(
        256, description="Connections of one address; behind a reverse proxy, which has one, as many as of all", gt=0
    )
    header_seconds: float = Field(
        10,
        description="A connection whose request is not there whole after this is closed, TLS handshake and all",
        gt=0,
        le=DAY,
    )
    bytes_per_second: int = Field(
        16 * KIB,
        description="Slowest rate of a body in or out, after its first 30 s: the largest payload takes an hour",
        gt=0,
    )
    waiting_readers: int = Field(
        20,
        description="Event streams and long polls one partner may hold open: one for each feed, on a few machines",
        gt=0,
    )
    requests_per_second: float = Field(
        0, description="Per partner; 0 for no limit. Above it, 429 with Retry-After", ge=0
    )


class Pipeline(Section):
    """The trip between the two commits."""

    workers: int = Field(
        1,
        description="Large payloads of one sender examined at once, each in a process; others' have one more. 0 keeps all in one",
        ge=0,
    )
    worker_bytes: int = Field(
        2048 * MIB,
        description="Memory of one such process: XML of 32 MiB takes a quarter of it. It ends before the machine does",
        gt=0,
    )
    concurrency: int = Field(32, description="Payloads decided at once: they share the store's commits", gt=0)
    lease_seconds: float = Field(
        10, description="A lost node's payloads are taken over after this; renewed while one works", gt=0, le=DAY
    )
    chunk: int = Field(500, description="Messages of one interchange per transaction", gt=0, le=500)


class Deliver(Section):
    """Sending out."""

    concurrency: int = Field(64, description="Sendings under way at once", gt=0)
    lease_seconds: float = Field(
        10, description="A lost node's sendings are made again after this; renewed while one sends", gt=0, le=DAY
    )
    share: int = Field(
        16, description="Sendings to one partner at once: one that hangs holds these, and no others", gt=0
    )
    first_delay: float = Field(1.0, description="Seconds to the second attempt; doubled from there", gt=0, le=30 * DAY)
    longest_delay: float = Field(3600.0, description="Seconds between attempts at most", gt=0, le=30 * DAY)
    trip_after: int = Field(
        5,
        description="Failures one after the other after which an endpoint is spared, and one sending at a time tries it",
        gt=0,
    )
    acknowledged_hours: float = Field(
        24.0,
        description="Hours in which a recipient that is asked to acknowledges what it gets; then the operator is told",
        gt=0,
        le=365 * 24,
    )
    allow_private_addresses: bool = Field(
        False, description="Let partners' URLs point to loopback and private networks (SSRF guard off)"
    )


Reference = Annotated[str, Field(pattern=r"^(file:.+|env:[A-Za-z_][A-Za-z0-9_]*)?$")]
"""Where a secret is read from: `file:` and a path, or `env:` and the name of a variable; empty for none."""


class Mail(Section):
    """The mail server by which notices go."""

    host: str = Field("", description="Its name; notices by mail need it")
    port: int = Field(587, description="Its port: 587 with STARTTLS, 465 with TLS from the start", gt=0, le=65535)
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="starttls, tls, or none: for a relay on this machine alone"
    )
    user: str = Field("", description="Name to log in with; no login where empty")
    password: Reference = Field(
        "", description="Where its password is read from: file: and a path, or env: and a variable"
    )
    sender: str = Field("", description="Address that notices come from; notices by mail need it")


class Notice(Section):
    """Who is told of which alerts, and how."""

    name: str = Field(
        description="Its own name, by which it is remembered how far it has told", pattern=r"^[a-z0-9-]{1,40}$"
    )
    by: Literal["mail", "webhook", "wecom"] = Field(description="mail, webhook, or wecom (a group robot of WeCom)")
    to: str = Field(
        description="Mail addresses with commas between them, or the address that is posted to", min_length=1
    )
    kinds: tuple[str, ...] = Field((), description="Kinds of alerts that are told; all where there are none")
    language: Annotated[Literal["en", "zh"], BeforeValidator(lambda tag: maybe_language(str(tag)) or tag)] = Field(
        "en", description="Language of its words: en or zh"
    )
    secret: Reference = Field(
        "",
        description="Of a webhook: where the secret is read from by which it is signed (Standard Webhooks, whsec_...)",
    )

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.by == "mail" and not all(_MAIL_ADDRESS.fullmatch(one.strip()) for one in self.to.split(",")):
            raise ValueError("a notice by mail goes to mail addresses, with commas between them")
        if self.by != "mail" and not self.to.startswith(("https://", "http://")):
            raise ValueError("a notice by webhook or WeCom goes to an address that begins with https:// or http://")
        return self


def _listed(value: object) -> object:
    """A variable of the environment gives a list with commas between its values."""
    return value.split(",") if isinstance(value, str) else value


_MAIL_ADDRESS = re.compile(r"[^@\s,<>]+@[^@\s,<>]+")


class Alerts(Section):
    """What is looked for that no message tells, and who is told of alerts."""

    look_seconds: float = Field(60.0, description="How often disk and certificates are looked at", gt=0, le=DAY)
    ending_days: Annotated[tuple[Annotated[int, Field(gt=0, le=365)], ...], BeforeValidator(_listed)] = Field(
        (30, 14, 7, 1), description="Days before the end of a certificate or key at which each of them is an alert"
    )
    disk_bytes: int = Field(
        1024 * MIB, description="Free disk space below which an alert says so, well before senders are refused", ge=0
    )
    notices: tuple[Notice, ...] = Field((), description="Who is told")

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        if len({notice.name for notice in self.notices}) < len(self.notices):
            raise ValueError("each notice has a name of its own")
        return self


class Retention(Section):
    """What is moved to archives by age, daily. The receipt log never is."""

    folder: NamedPath = Field(Path("var/archives"), description="Where archives are written; yours to copy and keep")
    timelines_days: Days = Field(0, description="Age of the last event from which a closed case's timeline goes")
    deliveries_days: Days = Field(0, description="Age from which deliveries that are over go, with their attempts")
    feeds_days: Days = Field(0, description="Age from which entries of feeds go")
    bodies_days: Days = Field(0, description="Age from which bytes go, of what came, was sent, or stands on feeds")
    closed: tuple[str, ...] = Field(
        ("cancelled", "refused", "cleared", "closed", "list_approved", "list_rejected", "list_lapsed"),
        description="Words of cases that are closed; what belongs to any other case stays",
    )
    rows: int = Field(500, description="Things that one transaction removes: some ten milliseconds", gt=0, le=5000)
    archive_bytes: int = Field(256 * MIB, description="About what one archive holds, before it is packed", gt=0)


class Logging(Section):
    """What the operator reads."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Lower] = Field(
        "info", description="debug, info, warning or error"
    )
    json_lines: Annotated[bool, Field(description="JSON lines instead of coloured text")] = True


class Settings(Section):
    """The whole configuration."""

    our_id: str = Field("GATEWAY", description="Our interchange id where an agreement gives none", min_length=1)
    language: Annotated[Literal["en", "zh"], BeforeValidator(lambda tag: maybe_language(str(tag)) or tag)] = Field(
        "en", description="Language of words for people without a preference: en or zh"
    )
    store: Store = Store()
    catalogue: Catalogue = Catalogue()
    receipts: Receipts = Receipts()
    clock: Clock = Clock()
    sampling: Sampling = Sampling()
    http: Http = Http()
    limits: Limits = Limits()
    pipeline: Pipeline = Pipeline()
    deliver: Deliver = Deliver()
    alerts: Alerts = Alerts()
    mail: Mail = Mail()
    retention: Retention = Retention()
    logging: Logging = Logging()
    transports: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="A table for each transport, which says what stands there"
    )

    @model_validator(mode="after")
    def _can_mail(self) -> Self:
        """What goes by mail has a server to go by."""
        if any(notice.by == "mail" for notice in self.alerts.notices) and not (self.mail.host and self.mail.sender):
            raise ValueError("notices by mail need mail.host and mail.sender")
        return self

    @model_validator(mode="after")
    def _keep_true_time(self) -> Self:
        """No log that anybody may rely on holds receipts of another time than it was."""
        if self.clock.ahead_seconds and not is_rehearsal(self.receipts.origin):
            raise ValueError(
                f"clock.ahead_seconds would put a false time into every receipt of {self.receipts.origin}: leave it out, or, "
                "for a rehearsal, give receipts.origin a name in .example, .test, .invalid or localhost"
            )
        return self


def is_rehearsal(origin: str) -> bool:
    """Whether a log's name is in a domain that is kept for trials (RFC 6761, 6), so that no real log can have it."""
    host = origin.partition("/")[0].partition(":")[0]
    return host.rstrip(".").rpartition(".")[2].lower() in _TRIAL_DOMAINS


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from `path` (default: gateway.toml where it exists) overlaid by the environment.

    Raises ConfigurationInvalid with every fault named, each where it stands: in the file, or in a variable.
    """
    environment = os.environ if environment is None else environment
    named = environment.get(f"{ENVIRONMENT_PREFIX}CONFIG", "")
    chosen = path or Path(named or "gateway.toml")
    values: dict[str, Any] = {}
    if chosen.exists():
        values = _toml(chosen)
    elif path is not None or named:
        by = "" if path is not None else f"{ENVIRONMENT_PREFIX}CONFIG: "
        raise ConfigurationInvalid(f"{by}{chosen} does not exist")
    variables, faults = _overlay(values, environment)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        faults += [_worded(fault, chosen, variables) for fault in error.errors(include_input=False)]
    else:
        if not faults:
            return settings
    raise ConfigurationInvalid("; ".join(faults), faults=tuple(faults))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationInvalid(f"{path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationInvalid(f"{path}: {error}") from error


def _overlay(values: dict[str, Any], environment: Mapping[str, str]) -> tuple[dict[tuple[str, str], str], list[str]]:
    """Lay the environment over `values`: which variable gave which setting, and the variables that mean none."""
    variables: dict[tuple[str, str], str] = {}
    faults: list[str] = []
    for name, value in environment.items():
        if not name.startswith(ENVIRONMENT_PREFIX) or "__" not in name:
            continue
        section, _, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("__")
        if section == "transports":  # whether there is such a setting, the transport says
            transport, _, key = key.partition("__")
            table = values.setdefault(section, {})
            own = table.setdefault(transport, {}) if isinstance(table, dict) else None
            if isinstance(own, dict):
                own[key] = value
            continue
        known = Settings.model_fields.get(section)
        model = known.annotation if known is not None else None
        if not (isinstance(model, type) and issubclass(model, Section) and key in model.model_fields):
            faults.append(f"{name}: there is no such setting")
            continue
        table = values.setdefault(section, {})
        if isinstance(table, dict):  # where it is none, that is told of the file
            table[key] = value
            variables[section, key] = name
    return variables, faults


def _worded(fault: Any, file: Path, variables: Mapping[tuple[str, str], str]) -> str:
    """A fault with where it stands. The faulty value is not repeated: it may hold a password."""
    place = tuple(str(part) for part in fault["loc"])
    words = fault["msg"].removeprefix("Value error, ")
    variable = variables.get(place[:2]) if len(place) > 1 else None  # type: ignore[arg-type]
    # What two settings are together has no place of its own.
    return ": ".join(part for part in (variable or str(file), "" if variable else ".".join(place), words) if part)
