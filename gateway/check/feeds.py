"""Who reads which feed: schemas/rules/feeds, merged from files.

A flow says which roles may read a feed of its at most; a line here narrows that, and never widens it. Which entries a reader
sees of a feed that it reads, the audience of each entry says (`decide.audience`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.catalogue import SCHEMAS, Catalogue, compiled
from gateway.errors import RulesInvalid, SchemaInvalid
from gateway.model import Role


class FeedRule(BaseModel):
    """Who reads one feed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(min_length=1)
    readers: frozenset[Role]
    """Roles; nobody but the operator where it is empty."""


FeedRules = Mapping[str, FeedRule]
"""By the name of the feed; of one that is not here the flow's own word holds."""


@compiled
def load(catalogue: Catalogue) -> FeedRules:
    """The rules of every file; RulesInvalid names the file and what is wrong with it."""
    found: dict[str, FeedRule] = {}
    for file in catalogue.names(f"{SCHEMAS}/rules/feeds", ".toml"):
        try:
            rules = {
                name: FeedRule.model_validate(table) for name, table in tomllib.loads(catalogue.text(file)).items()
            }
        except (SchemaInvalid, tomllib.TOMLDecodeError, ValidationError) as error:
            raise RulesInvalid(f"{file}: {error}") from error
        if both := found.keys() & rules.keys():
            raise RulesInvalid(f"{file}: the feed {min(both)} is another file's already")
        found |= rules
    return MappingProxyType(found)
