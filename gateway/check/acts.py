"""Acts, the roles that bundle them, and who may do a task's act: data that authorities maintain.

    schemas/rules/acts/<flow>.toml    the acts there are, each with its words
    schemas/rules/roles/<flow>.toml   roles, each with its words and its acts; another flow's file may add acts to one
    schemas/rules/tasks/<flow>.toml   rules of kinds of tasks: who is excluded, the term, and who is asked once it is over

The files of each folder are merged, so that a new flow edits nobody's file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from gateway.catalogue import Catalogue, compiled
from gateway.check.calendars import Term
from gateway.check.rule_files import RuleTable, read_files, read_table
from gateway.errors import RulesInvalid

_NAME = r"^[a-z][a-z0-9_]{0,49}$"

CLAIM_MINUTES = 20
"""How long a claim keeps others away unless a task's rule says otherwise: a coffee is shorter, a working day is not."""


class Act(RuleTable):
    """Something that a person does about a case."""

    en: str = Field(min_length=1)
    zh: str = Field(min_length=1)


class RoleTable(RuleTable):
    """What one file says of a role: its words where it is the role's own file, and acts."""

    en: str = ""
    zh: str = ""
    acts: frozenset[str] = frozenset()
    alone: bool = False


def _read_term(value: object) -> object:
    return Term.read(value) if isinstance(value, str) else value


class TaskRule(RuleTable):
    """Who may decide tasks of a kind, and until when."""

    not_by: tuple[str, ...] = ()
    """Acts; who did one of them on the case may not decide."""
    done_by: tuple[str, ...] = ()
    """Acts; who did none of them on the case may not decide."""
    same_office_as: str = ""
    """An act; it is decided in the office in which that was done on the case."""
    due: Annotated[Term | None, BeforeValidator(_read_term)] = None
    """The term, from when it is asked, where whoever asks says none."""
    escalate: str = Field("", pattern="^(up|[0-9]{6})?$")
    """Who is asked once the term is over: `up` for the office above, or an office's code; nobody where empty."""
    claim_minutes: int = Field(CLAIM_MINUTES, ge=1, le=60 * 24 * 7)


@dataclass(frozen=True, slots=True)
class Role:
    """A bundle of acts."""

    en: str
    zh: str
    acts: frozenset[str]
    alone: bool
    """Whether who holds it may hold no other."""


_PLAIN = TaskRule()


@dataclass(frozen=True, slots=True)
class ActRules:
    """Acts, roles and the rules of kinds of tasks, each by name."""

    acts: Mapping[str, Act] = field(default_factory=lambda: MappingProxyType({}))
    roles: Mapping[str, Role] = field(default_factory=lambda: MappingProxyType({}))
    tasks: Mapping[str, TaskRule] = field(default_factory=lambda: MappingProxyType({}))

    def gives(self, role: str, act: str) -> bool:
        """Whether the role bundles the act; a role that no file names bundles none."""
        found = self.roles.get(role)
        return found is not None and act in found.acts

    def task(self, kind: str) -> TaskRule:
        """The rule of a kind of tasks; one that excludes nobody and has no term where no file has any."""
        return self.tasks.get(kind, _PLAIN)


@compiled
def load(catalogue: Catalogue) -> ActRules:
    """All acts, roles and rules of tasks. RulesInvalid names the file and what is wrong with it."""
    acts: dict[str, Act] = {}
    for file, name, table in _tables(catalogue, "acts"):
        if name in acts:
            raise RulesInvalid(f"{file}: the act {name} is another file's already")
        acts[name] = read_table(Act, table, f"{file}: {name}")
    roles: dict[str, RoleTable] = {}
    for file, name, table in _tables(catalogue, "roles"):
        told = read_table(RoleTable, table, f"{file}: {name}")
        _require(acts, told.acts, file, name)
        before = roles.get(name, RoleTable())
        if before.en and told.en:
            raise RulesInvalid(f"{file}: the role {name} is another file's already")
        roles[name] = RoleTable(
            en=before.en or told.en,
            zh=before.zh or told.zh,
            acts=before.acts | told.acts,
            alone=before.alone or told.alone,
        )
    tasks: dict[str, TaskRule] = {}
    for file, name, table in _tables(catalogue, "tasks"):
        if name in tasks:
            raise RulesInvalid(f"{file}: tasks of the kind {name} are another file's already")
        rule = tasks[name] = read_table(TaskRule, table, f"{file}: {name}")
        _require(
            acts, {*rule.not_by, *rule.done_by, *([rule.same_office_as] if rule.same_office_as else [])}, file, name
        )
    if wordless := [name for name, role in roles.items() if not (role.en and role.zh)]:
        raise RulesInvalid(f"schemas/rules/roles: no file has the words of the role {wordless[0]}")
    made = {name: Role(role.en, role.zh, role.acts, role.alone) for name, role in roles.items()}
    return ActRules(MappingProxyType(acts), MappingProxyType(made), MappingProxyType(tasks))


def _tables(catalogue: Catalogue, folder: str) -> Iterator[tuple[str, str, Any]]:
    """(file, name, table) of every table in the files of a folder."""
    for file, told in read_files(catalogue, f"rules/{folder}"):
        yield from ((file, name, table) for name, table in told.items())


def _require(acts: Mapping[str, Act], named: frozenset[str] | set[str], file: str, name: str) -> None:
    if unknown := sorted(named - acts.keys()):
        raise RulesInvalid(f"{file}: {name}: there is no act {unknown[0]}")
