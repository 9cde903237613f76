"""Partner files: TOML for people, JSON Lines for bulk; one form of a partner in both.

    [[partners]]
    id = "acme"
    name = "Acme Exporting"
    roles = ["enterprise"]
    language = "zh"
    identifiers = [{ scheme = "unb", value = "ACME" }]

    [[partners.agreements]]
    direction = "in"
    document = "declaration"
    format = "edifact:CUSDEC:D:96B:UN"

    [[partners.keys]]
    key = "gwk_..."                      # or hash = its SHA-256; only the hash is kept
    scopes = ["send", "read"]

In JSON Lines each line is one partner with the same names.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gateway import model
from gateway.errors import ConfigurationInvalid
from gateway.web.keys import SCOPES, hash_key

_HASH = r"^[0-9a-f]{64}$"
_ID = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$"


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class IdentifierEntry(_Entry):
    """One name the partner goes by."""

    scheme: str = Field(min_length=1, description="unb, isa, ciq-org, ciq-registration, customs-office, uscc, ...")
    value: str = Field(min_length=1, description="The identifier itself")


class AgreementEntry(_Entry):
    """What the partner may send (`in`) or gets (`out`), and how."""

    id: str = Field("", description="Partner, direction and document where absent")
    direction: model.Direction = Field(description="in or out")
    document: str = Field("*", description="Type of the document, or * for any")
    format: str = Field(
        "*",
        description="Wire format; * for any, inbound only; responses also as edifact:APERAK:D:96B:UN or x12:824:004010",
    )
    transport: str = Field("http", description="http or folder")
    options: dict[str, str] = Field(default_factory=dict, description="url, token_file; folder")
    our_id: str = Field("", description="Envelope identifier we use (qualifier:id or id)")
    their_id: str = Field("", description="Envelope identifier the partner uses")
    strictness: model.Strictness = Field(model.Strictness.STRICT, description="strict or lenient")
    acknowledge: model.Acknowledge = Field(
        model.Acknowledge.ALWAYS, description="always, on_error, on_request or never"
    )
    duplicate_window_days: int = Field(90, ge=0, description="Days in which a control reference may not come again")
    time_zone: str = Field("UTC", description="Of times without offset")
    code_tables: str = Field("un", pattern="^(un|ciq|customs)$", description="un, ciq or customs")
    charset: str = Field("", description="Character set, where another than the envelope says is agreed")
    envelope: str = Field("", description="XML transport envelope to write, such as OBORMessage")
    second_opinion: bool = Field(False, description="Whether pyx12 checks X12 as well")
    attempts: int = Field(12, gt=0, description="How often a delivery is tried")
    attempt_timeout: float = Field(30.0, gt=0, description="Seconds one attempt may take")

    @model_validator(mode="after")
    def _format_outbound(self) -> AgreementEntry:
        if self.direction is model.Direction.OUT and self.format == "*":
            raise ValueError("an outbound agreement names its format")
        return self


class KeyEntry(_Entry):
    """An API key, itself or its hash."""

    id: str = Field("", description="Name of the key in the registry; from its hash where absent")
    key: str = Field("", description="The key itself; only its hash is kept", repr=False)
    hash: str = Field("", pattern=f"{_HASH}|^$", description="SHA-256 of the key, hex")
    scopes: frozenset[str] = Field(frozenset({"send", "read"}), description="send, read, admin")
    test: bool = Field(False, description="Whether all it sends is test traffic")
    expires_at: datetime | None = Field(None, description="When it ends; with offset")

    @field_validator("scopes")
    @classmethod
    def _known(cls, scopes: frozenset[str]) -> frozenset[str]:
        if unknown := scopes - SCOPES:
            raise ValueError(f"no such scope: {', '.join(sorted(unknown))}")
        return scopes

    @field_validator("expires_at")
    @classmethod
    def _aware(cls, at: datetime | None) -> datetime | None:
        if at is not None and at.tzinfo is None:
            raise ValueError("needs an offset, such as Z")
        return at

    @model_validator(mode="after")
    def _one_of_two(self) -> KeyEntry:
        if bool(self.key) == bool(self.hash):
            raise ValueError("give either key or hash")
        if self.key and len(self.key) < 32:
            raise ValueError("a key has at least 32 characters, since it is kept as a plain hash")
        return self


class PartnerEntry(_Entry):
    """One partner with its agreements and keys."""

    id: str = Field(pattern=_ID, description="Ours; stays the same for good")
    name: str = Field(min_length=1, description="For people")
    roles: frozenset[model.Role] = Field(frozenset(), description="enterprise, agent, bureau, customs, port, yard")
    identifiers: tuple[IdentifierEntry, ...] = Field((), description="Names it goes by on the wire")
    language: str = Field("en", pattern="^(en|zh)$", description="en or zh")
    time_zone: str = Field("UTC", description="IANA name")
    credit_grade: str = Field("", description="AA, A, B, C or D")
    acts_for: frozenset[str] = Field(frozenset(), description="Ids of the enterprises that appointed this agent")
    active: bool = Field(True, description="Whether it may do anything")
    agreements: tuple[AgreementEntry, ...] = Field((), description="What it sends and gets")
    keys: tuple[KeyEntry, ...] = Field((), description="API keys of its software")

    def partner(self) -> model.Partner:
        """The partner itself."""
        identifiers = tuple(model.Identifier(i.scheme, i.value) for i in self.identifiers)
        values = {name: getattr(self, name) for name in PartnerEntry.model_fields if name not in ("agreements", "keys")}
        return model.Partner(**{**values, "identifiers": identifiers})

    def model_agreements(self) -> Iterator[model.Agreement]:
        """Its agreements."""
        for entry in self.agreements:
            values = {name: getattr(entry, name) for name in AgreementEntry.model_fields}
            document = "any" if entry.document == "*" else entry.document
            id_ = entry.id or f"{self.id}-{entry.direction}-{document}"
            yield model.Agreement(**{**values, "id": id_}, partner_id=self.id)

    def model_keys(self) -> Iterator[model.ApiKey]:
        """Its keys, as hashes."""
        for entry in self.keys:
            hash_ = entry.hash or hash_key(entry.key)
            yield model.ApiKey(
                id=entry.id or f"{self.id}-{hash_[:8]}",
                partner_id=self.id,
                hash=hash_,
                scopes=entry.scopes,
                test=entry.test,
                expires_at=entry.expires_at.astimezone(UTC) if entry.expires_at else None,
            )


def read(path: Path) -> Iterator[tuple[PartnerEntry, int]]:
    """The partners of a file, each with the bytes read for it; a `.jsonl` file in bounded memory.

    ConfigurationInvalid names the line (or the partner) and every fault of the first bad one.
    """
    if path.suffix in (".jsonl", ".ndjson"):
        yield from _lines(path)
        return
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationInvalid(f"{path}: {error}") from error
    partners = values.pop("partners", None)
    if not isinstance(partners, list) or values:
        raise ConfigurationInvalid(f"{path}: holds [[partners]] and nothing else")
    for position, value in enumerate(partners, 1):
        name = value.get("id", position) if isinstance(value, dict) else position
        yield _entry(value, f"{path}: partner {name}"), 0


def _lines(path: Path) -> Iterator[tuple[PartnerEntry, int]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except ValueError as error:
                raise ConfigurationInvalid(f"{path}: line {number}: {error}") from error
            yield _entry(value, f"{path}: line {number}"), len(line)


def _entry(value: object, place: str) -> PartnerEntry:
    try:
        return PartnerEntry.model_validate(value)
    except ValidationError as error:
        # The faulty input is not repeated: it may be a key.
        faults = "; ".join(
            f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors(include_input=False)
        )
        raise ConfigurationInvalid(f"{place}: {faults}") from error
