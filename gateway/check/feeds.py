"""Who reads which feed: schemas/rules/feeds, merged from files.

A flow says which roles may read a feed of its at most; a line here narrows that, and never widens it. Which entries a reader
sees of a feed that it reads, the audience of each entry says (`decide.audience`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import Field

from gateway.catalogue import Catalogue, compiled
from gateway.check.rule_files import RuleTable, read_files, read_table
from gateway.errors import RulesInvalid
from gateway.model import Role


class FeedRule(RuleTable):
    """Who reads one feed."""

    source: str = Field(min_length=1)
    readers: frozenset[Role]
    """Roles; nobody but the operator where it is empty."""


FeedRules = Mapping[str, FeedRule]
"""By the name of the feed; of one that is not here the flow's own word holds."""


@compiled
def load(catalogue: Catalogue) -> FeedRules:
    """The rules of every file; RulesInvalid names the file and what is wrong with it."""
    found: dict[str, FeedRule] = {}
    for file, told in read_files(catalogue, "rules/feeds"):
        rules = {name: read_table(FeedRule, table, f"{file}: {name}") for name, table in told.items()}
        if both := found.keys() & rules.keys():
            raise RulesInvalid(f"{file}: the feed {min(both)} is another file's already")
        found |= rules
    return MappingProxyType(found)
