"""What a partner is to a case, and so which views of it and of its documents the partner has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from gateway.check.views import NamedBy, View, ViewRules
from gateway.model import Partner


class Viewed(Protocol):
    """A case, as far as it tells who is concerned."""

    @property
    def kind(self) -> str:
        """What it is about."""

    @property
    def partner_id(self) -> str:
        """Whose it is."""

    @property
    def documents(self) -> Mapping[str, Mapping[str, object]]:
        """Its documents by the names it keeps them under."""


def find_views(rules: ViewRules, partner: Partner, *cases: Viewed) -> frozenset[str]:
    """The names of the views that `partner` has of what concerns `cases`: the case as it was, and as it is, say.

    Without a case, those that follow from the partner's roles alone.
    """
    return frozenset(name for name, view in rules.views.items() if _has(view, partner, cases))


def _has(view: View, partner: Partner, cases: Iterable[Viewed]) -> bool:
    """Whether all holds that is said of the view."""
    if view.shared or (view.roles and view.roles.isdisjoint(partner.roles)):
        return False
    if view.declares and not any(case.partner_id == partner.id for case in cases):
        return False
    if not view.scheme:
        return True
    own = {identifier.value for identifier in partner.identifiers if identifier.scheme == view.scheme}
    return bool(own) and any(
        value in own for case in cases for named in view.named_by for value in _values_of(case, named)
    )


def _values_of(case: Viewed, named: NamedBy) -> Iterable[object]:
    """What stands in the field of the case's document, where it names the party."""
    if all(set(values) & set(_read(case, path)) for path, values in named.when.items()):
        yield from _read(case, named.path)


def _read(case: Viewed, path: str) -> list[object]:
    """Every value at a path into the case's documents."""
    found: list[object] = [case.documents]
    for name in path.split("."):
        inner = [one[name] for one in found if isinstance(one, Mapping) and name in one]
        found = [item for one in inner for item in (one if isinstance(one, list | tuple) else (one,))]
    return found
