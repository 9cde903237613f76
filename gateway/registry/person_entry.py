"""Persons as partner files say them."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from gateway import model
from gateway.check.acts import Role
from gateway.languages import maybe_language
from gateway.registry.credential_entry import ID, Entry
from gateway.spelling import near


def read_moment(at: datetime | None) -> datetime | None:
    """`at` in UTC; ValueError where it has no offset."""
    if at is not None and at.tzinfo is None:
        raise ValueError("needs an offset, such as Z")
    return at.astimezone(UTC) if at is not None else None


def read_language(tag: str) -> str:
    """`en` or `zh`, as `tag` means it: partners and persons are kept with one of the two."""
    found = maybe_language(tag)
    if found is None:
        raise ValueError("must be en or zh")
    return found


Moment = Annotated[datetime | None, AfterValidator(read_moment)]
Language = Annotated[str, AfterValidator(read_language)]


def judge_roles(held: AbstractSet[str], roles: Mapping[str, Role]) -> str:
    """Why nobody may hold these roles of those there are; empty where somebody may."""
    if unknown := sorted(held - roles.keys()):
        return f"there is no role {unknown[0]}{near(unknown[0], roles)}"
    if len(held) > 1 and (alone := sorted(name for name in held if roles[name].alone)):
        return f"{alone[0]} is held alone"
    return ""


class HeldRoleEntry(Entry):
    """A role of a person."""

    name: str = Field(pattern=ID, description="Name of the role; schemas/rules/roles say which acts it bundles")
    office: str = Field("", max_length=100, description="Office it is held in; all of the partner's where absent")
    valid_from: Moment = Field(None, description="When it begins; with offset")
    valid_until: Moment = Field(None, description="When it ends; with offset")

    @model_validator(mode="after")
    def _lasting(self) -> Self:
        if self.valid_from is not None and self.valid_until is not None and self.valid_from >= self.valid_until:
            raise ValueError("it ends before it begins")
        return self

    def role(self) -> model.HeldRole:
        """The role as the registry keeps it."""
        return model.HeldRole(self.name, self.office, self.valid_from, self.valid_until)


class PersonEntry(Entry):
    """Somebody who acts for the partner."""

    id: str = Field(pattern=ID, description="Ours; of one person for good, whoever he or she acts for")
    name: str = Field(min_length=1, max_length=200, description="For people")
    roles: tuple[HeldRoleEntry, ...] = Field((), description="What he or she may do, where, and until when")
    language: Language = Field("en", description="en or zh; zh-CN and the like too")
    active: bool = Field(True, description="Whether he or she may do anything")

    def person(self, partner_id: str) -> model.Person:
        """The person as the registry keeps it."""
        roles = tuple(entry.role() for entry in self.roles)
        return model.Person(self.id, partner_id, self.name, roles, self.language, self.active)
