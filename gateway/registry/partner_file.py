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

    [[partners.persons]]
    id = "wang.fang"
    name = "Wang Fang"
    roles = [{ name = "reviewer", office = "370100", valid_until = 2027-01-01T00:00:00Z }]

    [[partners.credentials]]
    kind = "token"
    use = "out"
    label = "inbox"                      # as agreements name it
    reference = "file:/run/secrets/acme" # or env: and a variable; the secret itself stands in no partner file

In JSON Lines each line is one partner with the same names, in JSON they are an array, and in CSV the names are headings
(`partner_rows`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import ErrorDetails

from gateway import model
from gateway.catalogue import Catalogue, compiled
from gateway.catalogue_folders import shipped
from gateway.check import acts, tables
from gateway.errors import ConfigurationInvalid
from gateway.receipt import advice
from gateway.registry.credential_entry import ID, CredentialEntry, Entry, KeyEntry
from gateway.registry.numbers import judge_number
from gateway.registry.partner_rows import Fault, Row, form_of, read_rows
from gateway.registry.person_entry import Language, Moment, PersonEntry, judge_roles
from gateway.registry.quiet import read_quiet
from gateway.spelling import near
from gateway.translate import statistics_csv, table

_ANY = "*"
_RESPONSE = "response"
_STATISTICS = "statistics"
_ACKNOWLEDGEMENT = model.DeliveryKind.ACKNOWLEDGEMENT.value
_ACKNOWLEDGEMENTS = ("edifact:CONTRL", "x12:997", "x12:999", "x12:TA1")
"""Formats of syntax acknowledgements, with or without a version: which one is sent follows what is acknowledged."""


Transports: TypeAlias = Mapping[str, type[BaseModel] | None]
"""The transports there are: by name, the model of what an outbound agreement may say; None where none is sent over it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What agreements may name."""

    transports: Transports
    catalogue: Catalogue

    @classmethod
    def of(cls, info: ValidationInfo) -> Known:
        """What whoever validates knows; without it, what ships and no transport."""
        return info.context if isinstance(info.context, Known) else cls({}, shipped())


@compiled
def _pairs(catalogue: Catalogue) -> frozenset[tuple[str, str]]:
    """Every (document, format) that can be read or written; those of acknowledgements apart."""
    return frozenset(
        {
            *table.available(catalogue),
            *((_RESPONSE, format_) for format_ in advice.WRITERS),
            (_STATISTICS, statistics_csv.FORMAT),
        }
    )


def _document(name: str, info: ValidationInfo) -> str:
    known = {document for document, _ in _pairs(Known.of(info).catalogue)} | {_ACKNOWLEDGEMENT}
    if name != _ANY and name not in known:
        raise ValueError(f"there is no document {name}{near(name, known)}; `gateway mapping list` names them")
    return name


def _acknowledges(format_: str) -> bool:
    return any(format_ == known or format_.startswith(f"{known}:") for known in _ACKNOWLEDGEMENTS)


def _format(name: str, info: ValidationInfo) -> str:
    known = {format_ for _, format_ in _pairs(Known.of(info).catalogue)}
    if name != _ANY and name not in known and not _acknowledges(name):
        raise ValueError(f"there is no format {name}{near(name, known)}; `gateway mapping list` names them")
    return name


def _guide(name: str, info: ValidationInfo) -> str:
    known = tables.guide_names(Known.of(info).catalogue)
    if name and name not in known:
        raise ValueError(f"there is no guide {name}{near(name, known)}; `gateway schema list` names them")
    return name


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name}") from None
    return name


def _charset(name: str) -> str:
    """A codec of text. LookupError is what Python raises for a name it does not know, or one of another kind."""
    try:
        "A".encode(name or "ascii")
    except (LookupError, ValueError):
        raise ValueError(f"there is no character set {name}") from None
    return name


def _transport(name: str, info: ValidationInfo) -> str:
    known = Known.of(info).transports
    if name not in known:
        raise ValueError(f"no transport is called {name}{near(name, known)}; there are: {', '.join(known)}")
    return name


def _quiet(period: str) -> str:
    if period:
        read_quiet(period)
    return period


Zone = Annotated[str, AfterValidator(_zone)]
RegionName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}$")]
HsGroup = Annotated[str, StringConstraints(pattern=r"^[0-9]{2,10}$")]


class IdentifierEntry(Entry):
    """One name the partner goes by."""

    scheme: str = Field(min_length=1, description="unb, isa, ciq-org, ciq-registration, customs-office, uscc, ...")
    value: str = Field(min_length=1, description="The identifier itself")

    @model_validator(mode="after")
    def _checked(self) -> IdentifierEntry:
        """That its check digit holds, where its scheme has one."""
        if fault := judge_number(self.scheme, self.value):
            raise ValueError(fault)
        return self


class AgreementEntry(Entry):
    """What the partner may send (`in`) or gets (`out`), and how."""

    id: str = Field("", description="Partner, direction and document where absent")
    direction: model.Direction = Field(description="in or out")
    document: Annotated[str, AfterValidator(_document)] = Field("*", description="Type of the document, or * for any")
    format: Annotated[str, AfterValidator(_format)] = Field(
        "*",
        description="Wire format; * for any, inbound only; responses also as edifact:APERAK:D:96B:UN or x12:824:004010",
    )
    mapping: str = Field("", description="Name of the partner's variation of the mapping, such as clearance/acme")
    guide: Annotated[str, AfterValidator(_guide)] = Field(
        "", description="Name of the implementation guide that its EDIFACT or X12 messages are checked by"
    )
    transport: Annotated[str, AfterValidator(_transport)] = Field("http", description="Name of the transport")
    options: dict[str, str] = Field(
        default_factory=dict, description="What the transport lets an outbound agreement say"
    )
    our_id: str = Field("", description="Envelope identifier we use (qualifier:id or id)")
    their_id: str = Field("", description="Envelope identifier the partner uses")
    strictness: model.Strictness = Field(model.Strictness.STRICT, description="strict or lenient")
    acknowledge: model.Acknowledge = Field(
        model.Acknowledge.ALWAYS,
        description="always, on_error, on_request or never; of what we send, on_request asks for one and awaits it",
    )
    duplicate_window_days: int = Field(
        90, ge=0, le=36500, description="Days in which a control reference may not come again"
    )
    time_zone: Zone = Field("UTC", description="Of times without offset")
    code_tables: str = Field("un", pattern="^(un|ciq|customs)$", description="un, ciq or customs")
    charset: Annotated[str, AfterValidator(_charset)] = Field(
        "", description="Character set, where another than the envelope says is agreed"
    )
    envelope: Literal["", "OBORMessage"] = Field("", description="XML transport envelope to write: OBORMessage")
    second_opinion: bool = Field(False, description="Whether pyx12 checks X12 as well")
    without_declaration: bool = Field(
        False, description="Whether its transfers and notices open cases of their own where no declaration is here"
    )
    push_answers: bool = Field(
        False, description="Whether answers that went back in the exchange which asked are pushed as well"
    )
    via: str = Field(
        "", pattern=f"{ID}|^$", description="Id of the partner whose system carries it, by an agreement of its own"
    )
    version: str = Field("", max_length=40, description="What the parties call this version of it")
    valid_from: Moment = Field(None, description="When it comes into force; with offset")
    valid_until: Moment = Field(None, description="When it ends, and what was made by then still goes; with offset")
    attempts: int = Field(12, gt=0, le=1000, description="How often a delivery is tried")
    attempt_timeout: float = Field(30.0, ge=0.1, le=600, description="Seconds one attempt may take")
    first_delay: float = Field(
        0, ge=0, le=86400, description="Seconds to the second attempt, doubled from there; 0 for deliver.first_delay"
    )
    longest_delay: float = Field(
        0, ge=0, le=30 * 86400, description="Seconds between attempts at most; 0 for deliver.longest_delay"
    )
    quiet: Annotated[str, AfterValidator(_quiet)] = Field(
        "", description="When nothing is sent, such as 22:00-06:00 in the agreement's time_zone; empty for never"
    )
    at_once: int = Field(
        0, ge=0, le=1000, description="Sendings to its endpoint under way at once at most, a node; 0 for deliver.share"
    )
    per_minute: int = Field(
        0, ge=0, le=100_000, description="Sendings to its endpoint begun a minute at most, a node; 0 for no bound"
    )
    hold: bool = Field(False, description="Whether what is made under it waits for a person's word before it goes")
    hold_hours: float = Field(0, ge=0, le=30 * 24, description="Hours after which it goes without one; 0 for never")

    @model_validator(mode="after")
    def _fitting(self, info: ValidationInfo) -> AgreementEntry:
        """That what is named one by one also fits together."""
        if self.valid_from is not None and self.valid_until is not None and self.valid_from >= self.valid_until:
            raise ValueError("it ends before it begins")
        if self.format != _ANY and not self._format_fits(Known.of(info).catalogue):
            raise ValueError(
                f"no {self.document} can be exchanged as {self.format}; `gateway mapping list` says what can"
            )
        if self.mapping:
            self._judge_variation(Known.of(info).catalogue)
        # Separators are found as single bytes, before anything is decoded.
        if self.charset and not self.format.startswith("xml:") and "UNB+ISA*'~".encode(self.charset) != b"UNB+ISA*'~":
            raise ValueError(f"the character set {self.charset} does not hold ASCII as it stands")
        if self.via and (self.direction is not model.Direction.OUT or self.options):
            raise ValueError("via: an outbound agreement names it, and has no options: those of the other one's count")
        if self.direction is model.Direction.OUT and not self.via:
            self._judge_outbound(Known.of(info).transports)
        elif self.via and self.format == _ANY:
            raise ValueError("an outbound agreement names its format")
        return self

    def _format_fits(self, catalogue: Catalogue) -> bool:
        if self.document == _ACKNOWLEDGEMENT:
            return _acknowledges(self.format)
        if self.document == _ANY:
            return True
        return (self.document, self.format) in _pairs(catalogue)

    def _judge_variation(self, catalogue: Catalogue) -> None:
        known = {variation.name: variation for variation in table.variations(catalogue)}
        chosen = known.get(self.mapping)
        if chosen is None:
            raise ValueError(
                f"mapping: there is no variation {self.mapping}{near(self.mapping, known.keys())}; "
                "`gateway mapping list` names them"
            )
        if (self.document, self.format) != (chosen.document, chosen.format):
            raise ValueError(
                f"mapping: {self.mapping} is for {chosen.document} as {chosen.format}; the agreement must name both"
            )

    def _judge_outbound(self, transports: Transports) -> None:
        if self.format == _ANY:
            raise ValueError("an outbound agreement names its format")
        options = transports.get(self.transport)
        if options is None:
            raise ValueError(f"nothing is sent over {self.transport}")
        try:
            options.model_validate(self.options)
        except ValidationError as error:
            raise ValueError("; ".join(self._word(fault) for fault in error.errors(include_input=False))) from None

    def _word(self, fault: ErrorDetails) -> str:
        """A fault of an option. Its value is not repeated: it may hold a password."""
        name = ".".join(map(str, fault["loc"]))
        if fault["type"] == "missing":
            return f"options: an outbound agreement over {self.transport} names its {name}"
        if fault["type"] == "extra_forbidden":
            return f"options: {name} is no option of {self.transport}"
        return f"options.{name}: {fault['msg'].removeprefix('Value error, ')}"


_APART = ("agreements", "keys", "credentials", "persons")
"""What a partner's entry holds that is no part of the partner itself."""


class PartnerEntry(Entry):
    """One partner with its agreements and credentials."""

    id: str = Field(pattern=ID, description="Ours; stays the same for good")
    name: str = Field(min_length=1, description="For people")
    roles: frozenset[model.Role] = Field(frozenset(), description="enterprise, agent, bureau, customs, port, yard")
    identifiers: tuple[IdentifierEntry, ...] = Field((), description="Names it goes by on the wire")
    language: Language = Field("en", description="en or zh; zh-CN and the like too")
    time_zone: Zone = Field("UTC", description="IANA name")
    credit_grade: Literal["", "AA", "A", "B", "C", "D"] = Field("", description="AA, A, B, C or D")
    acts_for: frozenset[str] = Field(frozenset(), description="Ids of the enterprises that appointed this agent")
    active: bool = Field(True, description="Whether it may do anything")
    direct_through: date | None = Field(
        None, description="Day from which its declarations may go straight through; not approved where absent"
    )
    supervision_classes: dict[HsGroup, Literal["I", "II", "III"]] = Field(
        default_factory=dict, description="Class of e-supervision by group of goods, the digits HS codes begin with"
    )
    regions: frozenset[RegionName] = Field(frozenset(), description="Regions that the office is a member of")
    level: model.Level | None = Field(None, description="Of an inspection office: hq, bureau or branch")
    parent: str = Field(
        "", pattern=f"{ID}|^$", description="Id of the office above: headquarters of a bureau, its bureau of a branch"
    )
    agreements: tuple[AgreementEntry, ...] = Field((), description="What it sends and gets")
    keys: tuple[KeyEntry, ...] = Field((), description="API keys of its software")
    credentials: tuple[CredentialEntry, ...] = Field((), description="Its certificates and keys, and what we show it")
    persons: tuple[PersonEntry, ...] = Field((), description="Who acts for it")

    @model_validator(mode="after")
    def _held(self, info: ValidationInfo) -> PartnerEntry:
        """That persons hold roles there are, and no other beside one that is held alone."""
        roles = acts.load(Known.of(info).catalogue).roles if self.persons else {}
        for person in self.persons:
            if fault := judge_roles({role.name for role in person.roles}, roles):
                raise ValueError(f"persons: {person.id}: {fault}")
        return self

    @model_validator(mode="after")
    def _placed(self) -> PartnerEntry:
        """That an office says where it stands, that nobody is served via itself, and names an office above it where its level has one."""
        if any(agreement.via == self.id for agreement in self.agreements):
            raise ValueError("via: a partner is served via another's system, not via its own")
        if (self.level is not None or self.regions) and model.Role.BUREAU not in self.roles:
            raise ValueError("level and regions are an inspection office's: its roles hold bureau")
        if self.parent and self.level is None:
            raise ValueError("parent: an office that has one above it says its level")
        if self.parent and self.level is model.Level.HQ:
            raise ValueError("parent: nothing is above headquarters")
        if self.level is model.Level.BRANCH and not self.parent:
            raise ValueError("parent: a branch names its bureau")
        return self

    def partner(self) -> model.Partner:
        """The partner itself."""
        identifiers = tuple(model.Identifier(i.scheme, i.value) for i in self.identifiers)
        values = {name: getattr(self, name) for name in PartnerEntry.model_fields if name not in _APART}
        return model.Partner(**{**values, "identifiers": identifiers})

    def model_agreements(self) -> Iterator[model.Agreement]:
        """Its agreements."""
        for entry in self.agreements:
            values = {name: getattr(entry, name) for name in AgreementEntry.model_fields}
            document = "any" if entry.document == "*" else entry.document
            id_ = entry.id or f"{self.id}-{entry.direction}-{document}"
            yield model.Agreement(**{**values, "id": id_}, partner_id=self.id)

    def model_persons(self) -> Iterator[model.Person]:
        """Who acts for it."""
        return (entry.person(self.id) for entry in self.persons)

    def model_credentials(self) -> Iterator[model.Credential]:
        """Its keys, as hashes, and its other credentials."""
        given: tuple[KeyEntry | CredentialEntry, ...] = (*self.keys, *self.credentials)
        yield from (one.credential(self.id) for one in given)


def read(path: Path, known: Known) -> Iterator[tuple[PartnerEntry, int]]:
    """The partners of a file, each with the bytes read for it; of a `.jsonl` file only the names are held.

    `known` is what agreements may name.

    ConfigurationInvalid names the line (or the partner) and every fault of the first bad one, and says where
    two of the file have one name. `importing.check` tells the faults of all.
    """
    taken = Taken()
    found = False
    with path.open("rb") as file:
        for row in read_rows(file, str(path), form_of(path.name)):
            found = True
            entry, faults = judge(row, known)
            if entry is not None:
                faults = list(taken.add(entry, row.place))
            if entry is None or faults:
                told = "; ".join(f"{one.field}: {one.text}" if one.field else one.text for one in faults)
                raise ConfigurationInvalid(f"{row.place}: {told}")
            yield entry, row.size
    if not found:
        raise ConfigurationInvalid(f"{path}: holds no partners")


class Taken:
    """The names that a file has used so far: a second use would silently replace the first."""

    def __init__(self) -> None:
        self._owners: defaultdict[str, dict[str, str]] = defaultdict(dict)

    @property
    def partners(self) -> Mapping[str, str]:
        """The partners of the file, by id."""
        return self._owners["partner"]

    def add(self, entry: PartnerEntry, place: str) -> Iterator[Fault]:
        """Take the names of `entry`; a fault for each that is taken already."""
        yield from self._take("partner", entry.id, entry.id, place)
        defaults: set[str] = set()
        for agreement, named in zip(entry.model_agreements(), entry.agreements, strict=True):
            # What an agreement is called by default holds its partner's id, so it need only be kept within the partner.
            if named.id:
                yield from self._take("agreement", agreement.id, entry.id, place)
            elif agreement.id in defaults:
                yield Fault(place, entry.id, "", f"agreement of {entry.id} {agreement.id} is there twice")
            defaults.add(agreement.id)
        for person in entry.persons:
            yield from self._take("person", person.id, entry.id, place)
        given: tuple[KeyEntry | CredentialEntry, ...] = (*entry.keys, *entry.credentials)
        for credential, written in zip(entry.model_credentials(), given, strict=True):
            if credential.use is model.CredentialUse.IN:
                yield from self._take("key with the hash", credential.hash, entry.id, place)
            # What one that is shown is called by default holds its hash, so that need not be kept twice.
            if written.id or credential.use is not model.CredentialUse.IN:
                yield from self._take("key", credential.id, entry.id, place)

    def _take(self, kind: str, name: str, owner: str, place: str) -> Iterator[Fault]:
        owners = self._owners[kind]
        if name in owners:
            by = f", first with partner {owners[name]}" if owners[name] != owner else ""
            yield Fault(place, owner, "", f"{kind} {name} is there twice{by}")
            return
        owners[name] = owner


def judge(row: Row, known: Known) -> tuple[PartnerEntry | None, list[Fault]]:
    """The partner of a row, or every fault that keeps it from being one."""
    if row.unreadable:
        return None, [Fault(row.place, "", "", row.unreadable)]
    try:
        return PartnerEntry.model_validate(row.value, context=known), []
    except ValidationError as error:
        # The faulty input is not repeated: it may be a key.
        return None, [
            Fault(
                row.place,
                row.partner,
                ".".join(str(part) for part in one["loc"]),
                one["msg"].removeprefix("Value error, "),
            )
            for one in error.errors(include_input=False)
        ]
