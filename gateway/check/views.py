"""Views: which fields of a document, and which numbers and tracks of a case, somebody sees. schemas/rules/views, merged.

A view is what a party is to a case (its owner, the office in charge, customs ...), with the fields that such a party sees
of each type of document. Whatever is sent, put on a feed or shown is cut by `ViewRules.cut` or `cut_values`, and by nothing
else. A field that no view names goes nowhere.

Fields are written `goods.hs_code`; one that holds parts (`goods`) stands for all of them. What a file lists under `groups`
is used in its views by name, as `@parties`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, Field, StringConstraints

from gateway.catalogue import Catalogue, compiled
from gateway.check.rule_files import RuleTable, read_files, read_table
from gateway.documents import MODELS
from gateway.documents.base import Document, Part, without_version
from gateway.errors import RulesInvalid
from gateway.model import Role

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z_]+$")]
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z_0-9]+(\.[a-z_0-9]+)*$")]

PartT = TypeVar("PartT", bound=BaseModel)
Tree = Mapping[str, "Tree | None"]
"""Fields that are seen, each with those that are seen inside it; None for all."""


class NamedBy(RuleTable):
    """A field of one of a case's documents that names a party."""

    path: FieldName
    """The document and the field in it: `declaration.consignee.code`."""
    when: Mapping[FieldName, tuple[str, ...]] = Field(default_factory=dict)
    """By such a field, the values with which this one names the party."""


class View(RuleTable):
    """What a party is to a case; one has the view where all holds that is said of it."""

    en: str = Field(min_length=1)
    zh: str = Field(min_length=1)
    shared: bool = False
    """Nobody has it for what it is to the case: it is what a decision shows to those with whom it shares the case."""
    roles: frozenset[Role] = frozenset()
    """It has one of these roles."""
    declares: bool = False
    """The case is its own: it declared, or asked."""
    scheme: str = ""
    """It goes by a value, in this scheme, that one of `named_by` holds."""
    named_by: tuple[NamedBy, ...] = ()


class _DocumentTable(RuleTable):
    like: _Name | Annotated[str, StringConstraints(max_length=0)] = ""
    """Another name of what has the views: a case keeps an amendment as it keeps a declaration."""
    groups: Mapping[_Name, tuple[FieldName, ...]] = Field(default_factory=dict)
    views: Mapping[_Name, tuple[str, ...]] = Field(default_factory=dict)


class Shown(RuleTable):
    """What a view sees of a case beside its documents."""

    keys: frozenset[str] = frozenset()
    """Kinds of business keys."""
    tracks: frozenset[str] = frozenset()


_NOTHING = Shown()


@dataclass(frozen=True, slots=True)
class ViewRules:
    """All views, and what each sees."""

    views: Mapping[str, View] = field(default_factory=lambda: MappingProxyType({}))
    documents: Mapping[str, Mapping[str, Tree | None]] = field(default_factory=lambda: MappingProxyType({}))
    """By type of document (or the name that a case keeps one under) and view, the fields; None for all."""
    cases: Mapping[str, Mapping[str, Shown]] = field(default_factory=lambda: MappingProxyType({}))
    """By kind of case and view."""
    _unions: dict[tuple[str, frozenset[str]], Tree | bool] = field(default_factory=dict, compare=False, repr=False)

    def cut(self, document: Document, names: frozenset[str]) -> Document | None:
        """`document` with the fields that these views see; itself where they see all, None where they see nothing."""
        tree = self._union(type(document).document_type, names)
        if isinstance(tree, bool):
            return document if tree else None
        return _cut(document, tree)

    def cut_values(self, name: str, values: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any] | None:
        """The same for a document as a case keeps it under `name`."""
        tree = self._union(name, names)
        values = without_version(values)
        if isinstance(tree, bool):
            return dict(values) if tree else None
        return _cut_values(values, tree)

    def sees(self, name: str, names: frozenset[str]) -> bool:
        """Whether these views see anything of a document that a case keeps under `name`."""
        return self._union(name, names) is not False

    def shown(self, kind: str, names: frozenset[str]) -> Shown:
        """What these views see of a case of `kind` beside its documents."""
        seen = [shown for name, shown in self.cases.get(kind, {}).items() if name in names]
        if len(seen) == 1:
            return seen[0]
        return Shown(
            keys=frozenset().union(*(one.keys for one in seen)), tracks=frozenset().union(*(one.tracks for one in seen))
        )

    def cut_keys(self, kind: str, keys: Mapping[str, str], names: frozenset[str]) -> dict[str, str]:
        """Of numbers told with something of a case of `kind` those that these views see; what is no number of it is told."""
        known = frozenset().union(*(shown.keys for shown in self.cases.get(kind, {}).values()))
        hidden = known - self.shown(kind, names).keys
        return {name: value for name, value in keys.items() if name not in hidden}

    def _union(self, name: str, names: frozenset[str]) -> Tree | bool:
        """The fields that any of these views sees; True for all, False for none."""
        known = self._unions.get((name, names))
        if known is None:
            seen = [tree for view, tree in self.documents.get(name, {}).items() if view in names]
            known = self._unions[name, names] = _merge(seen) if seen and None not in seen else bool(seen)
        return known


def _merge(trees: Iterable[Tree | None]) -> Tree:
    """The fields of all of some trees."""
    merged: dict[str, Tree | None] = {}
    for tree in trees:
        for name, inner in (tree or {}).items():
            before = merged.get(name, {})
            merged[name] = None if inner is None or before is None else _merge([before, inner])
    return merged


def _cut(part: PartT, tree: Tree) -> PartT:
    """A document, or a part of one, with the fields of `tree`; absent ones are as if they had never been there."""
    update: dict[str, Any] = {}
    for name, declared in type(part).model_fields.items():
        value = getattr(part, name)
        if name not in tree:
            if value is not None and value != ():
                update[name] = declared.get_default()
        elif (inner := tree[name]) is not None and value is not None:
            update[name] = tuple(_cut(one, inner) for one in value) if isinstance(value, tuple) else _cut(value, inner)
    return part.model_copy(update=update) if update else part


def _cut_values(values: Mapping[str, Any], tree: Tree) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, inner in tree.items():
        if name not in values:
            continue
        value = values[name]
        if inner is None:
            found[name] = value
        elif isinstance(value, list):
            found[name] = [_cut_values(one, inner) for one in value if isinstance(one, Mapping)]
        elif isinstance(value, Mapping):
            found[name] = _cut_values(value, inner)
    return found


@compiled
def load(catalogue: Catalogue) -> ViewRules:
    """The views of every file; RulesInvalid names the file and what is wrong with it."""
    views: dict[str, View] = {}
    tables: dict[str, _DocumentTable] = {}
    cases: dict[str, dict[str, Shown]] = {}
    for file, kind, name, table in _tables(catalogue):
        if kind == "view":
            if views.setdefault(name, view := read_table(View, table, f"{file}: {name}")) is not view:
                raise RulesInvalid(f"{file}: the view {name} is another file's already")
        elif kind == "document":
            told = read_table(_DocumentTable, table, f"{file}: {name}")
            tables[name] = _joined(tables.get(name), told, file, name)
        else:
            of_kind = cases.setdefault(name, {})
            for view_name, shown in table.items():
                if view_name in of_kind:
                    raise RulesInvalid(f"{file}: what {view_name} sees of a {name} is another file's already")
                of_kind[view_name] = read_table(Shown, shown, f"{file}: {name}.{view_name}")
    documents = {name: _trees(name, table) for name, table in tables.items() if not table.like}
    for name, table in tables.items():
        if table.like:
            if table.like not in documents:
                raise RulesInvalid(f"views: {name} is like {table.like}, which has no views of its own")
            documents[name] = documents[table.like]
    _require(views, [(name, view) for name, seen in (*documents.items(), *cases.items()) for view in seen])
    return ViewRules(MappingProxyType(views), MappingProxyType(documents), MappingProxyType(cases))


def _tables(catalogue: Catalogue) -> Iterator[tuple[str, str, str, Any]]:
    """(file, kind, name, table) of every table in the folder."""
    for file, told in read_files(catalogue, "rules/views", {"view", "document", "case"}):
        for kind, tables in told.items():
            if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
                raise RulesInvalid(f"{file}: {kind} is written [{kind}.NAME]")
            yield from ((file, kind, name, table) for name, table in tables.items())


def _joined(before: _DocumentTable | None, told: _DocumentTable, file: str, name: str) -> _DocumentTable:
    """What two files say of one document: a later file may add views, and change none."""
    if before is None:
        return told
    if before.like or told.like or before.views.keys() & told.views.keys() or before.groups.keys() & told.groups.keys():
        raise RulesInvalid(f"{file}: what is seen of {name} is another file's already")
    return _DocumentTable(groups={**before.groups, **told.groups}, views={**before.views, **told.views})


def _require(views: Mapping[str, View], used: Iterable[tuple[str, str]]) -> None:
    for name, view in used:
        if view not in views:
            raise RulesInvalid(f"views: {name} names the view {view}, which no file declares")


def _trees(name: str, table: _DocumentTable) -> Mapping[str, Tree | None]:
    """The fields of a document that each view sees. RulesInvalid for a field it has not, or needs and would lack."""
    model = MODELS.get(name)
    if model is None:
        raise RulesInvalid(f"views: there is no document {name}")
    return MappingProxyType({view: _tree(model, view, table, fields) for view, fields in table.views.items()})


def _tree(model: type[Document], view: str, table: _DocumentTable, fields: Iterable[str]) -> Tree | None:
    paths: list[str] = []
    for one in fields:
        if not one.startswith("@"):
            paths.append(one)
        elif one[1:] in table.groups:
            paths += table.groups[one[1:]]
        else:
            raise RulesInvalid(f"views: {model.document_type} has no group {one}")
    tree: dict[str, Any] = {}
    for path in paths:
        _plant(tree, path.split("."))
    try:
        return _judged(model, tree)
    except ValueError as error:
        raise RulesInvalid(f"views: the view {view} of {model.document_type}: {error}") from error


def _plant(tree: dict[str, Any], steps: list[str]) -> None:
    """Add a field to a tree; the whole of something takes the place of what is seen inside it."""
    name, *rest = steps
    if not rest:
        tree[name] = None
    elif tree.get(name, {}) is not None:
        _plant(tree.setdefault(name, {}), rest)


def _judged(model: type[BaseModel], tree: dict[str, Any]) -> Tree | None:
    """`tree` where documents of that model can be cut by it, None where it cuts nothing; ValueError where it cannot be."""
    if unknown := tree.keys() - model.model_fields.keys():
        raise ValueError(f"{model.__name__} has no field {min(unknown)}")
    if wanting := {name for name, one in model.model_fields.items() if one.is_required()} - tree.keys():
        raise ValueError(f"without {min(wanting)} there is no {model.__name__}")
    judged: dict[str, Tree | None] = {}
    for name, inner in tree.items():
        if inner is not None:
            part = part_in(model.model_fields[name].annotation)
            if part is None:
                raise ValueError(f"{name} of {model.__name__} has no fields")
            inner = _judged(part, inner)  # noqa: PLW2901 - the same, judged
        judged[name] = inner
    whole = judged.keys() == model.model_fields.keys() and not any(judged.values())
    return None if whole else judged


def part_in(annotation: Any) -> type[Part] | None:
    """The model of the parts that a field holds, alone or in a list; None where it holds none."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    return next((found for inner in get_args(annotation) if (found := part_in(inner)) is not None), None)
