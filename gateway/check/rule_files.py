"""Rules as files: a folder a mechanism, below schemas/, merged from one TOML file a flow, so that no flow edits another's."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.catalogue import SCHEMAS, Catalogue
from gateway.errors import RulesInvalid, SchemaInvalid


class RuleTable(BaseModel):
    """A table of such a file; what it does not know is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)


TableT = TypeVar("TableT", bound=RuleTable)


def read_files(
    catalogue: Catalogue, folder: str, known: Collection[str] = ()
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each file of a folder with what it tells, by name; RulesInvalid for one that is no TOML, or tells of other things.

    `known` are the names that tables of a file may have, where not any.
    """
    for file in catalogue.names(f"{SCHEMAS}/{folder}", ".toml"):
        yield file, read_file(catalogue, file, known)


def read_file(catalogue: Catalogue, file: str, known: Collection[str] = ()) -> Mapping[str, Any]:
    """What one file tells; RulesInvalid as `read_files`."""
    try:
        told = tomllib.loads(catalogue.text(file))
    except (SchemaInvalid, tomllib.TOMLDecodeError) as error:
        raise RulesInvalid(f"{file}: {error}") from error
    if known and (strangers := sorted(told.keys() - set(known))):
        raise RulesInvalid(f"{file}: expected tables of {', '.join(sorted(known))} only, found {strangers[0]}")
    return told


def read_table(model: type[TableT], table: Any, where: str) -> TableT:
    """A table as `model` has it; RulesInvalid says `where` it stands and what is wrong with it."""
    try:
        return model.model_validate(table)
    except ValidationError as error:
        raise RulesInvalid(f"{where}: {error}") from error


def read_list(model: type[TableT], told: Mapping[str, Any], name: str, file: str) -> list[TableT]:
    """The tables that a file lists as `[[name]]`, none where it has none; RulesInvalid where it writes them otherwise."""
    tables = told.get(name, [])
    if not isinstance(tables, list):
        raise RulesInvalid(f"{file}: {name} is written [[{name}]]")
    return [read_table(model, table, f"{file}: {name}") for table in tables]
