"""What authorities set about consignments: the kinds of declarations, and what may be changed, handed on and cleared."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gateway.check.calendars import Term
from gateway.check.rulebook import Code, RuleSet
from gateway.decide.subjects import CLOSED, SUSPENDED
from gateway.documents.declaration import Declaration


def _read_term(value: object) -> object:
    return Term.read(value) if isinstance(value, str) else value


TermText = Annotated[Term, BeforeValidator(_read_term)]
"""A term as rules write it: "30 days"."""


class DeclarationKind(BaseModel):
    """One kind of declarations (报检类别), and what it means for the consignment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Code
    zh: str
    direction: Literal["inbound", "outbound"]
    transfer: Literal["may", "never", "must"] = "may"
    """Whether the consignment is handed on; one that must be is inspected by whom it is handed to."""
    notice: Literal["may", "never"] = "may"
    """Whether customs may get a clearance notice of it."""
    inspection: Literal["needed", "waived"] = "needed"
    """Whether the goods must pass an inspection."""
    names_transfer: bool = False
    """Whether it follows a transfer, whose declaration it names (关联报检号)."""


class DeclarationKinds(RuleSet):
    """报检类别: the kinds of declarations there are."""

    kind = "declaration_kinds"

    declaration: tuple[DeclarationKind, ...] = Field(min_length=1)

    def find(self, code: str | None) -> DeclarationKind | None:
        """The kind of that code; None where there is none, of which nothing is known."""
        return self._by_code.get(code or "")

    @cached_property
    def _by_code(self) -> dict[str, DeclarationKind]:
        return {one.code: one for one in self.declaration}


class ConsignmentRules(RuleSet):
    """What may be changed once the goods were released, and how long is waited for what is missing."""

    kind = "consignment"
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    fixed_with_number: tuple[str, ...]
    """Fields of the declaration that no amendment changes once it has its number."""
    hs_digits_fixed: int = Field(ge=0, le=10)
    """So many digits of the goods' HS codes no amendment changes once the goods have passed."""
    undeclared_term: TermText
    """How long a transfer or a notice waits for its declaration."""
    may_while: Mapping[str, frozenset[Literal["declare", "change", "cancel"]]]
    """By state of an enterprise's registration in which it is not registered, what it may do about declarations."""
    untaken_term: TermText
    """After which both offices are told that a transfer was not taken."""

    @model_validator(mode="after")
    def _states_told(self) -> ConsignmentRules:
        if self.may_while.keys() != {SUSPENDED, CLOSED}:
            raise ValueError(f"may_while says what enterprises may do that are {SUSPENDED}, and that are {CLOSED}")
        return self

    @model_validator(mode="after")
    def _fields_exist(self) -> ConsignmentRules:
        if unknown := sorted(set(self.fixed_with_number) - Declaration.model_fields.keys()):
            raise ValueError(f"Declaration has no field {unknown[0]}")
        return self
