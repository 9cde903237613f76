"""Hypothesis strategies for documents that a mapping can carry whole, read off its own rows.

Each row says which field it carries and by which converter; the wire's table says how long the value
may be. What a partner's table has no word for, or what does not fit, is left out: that it is reported
is tested elsewhere.
"""

from __future__ import annotations

import re
import string
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, get_args

import xmlschema
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.check import codes, tables, xsd
from gateway.documents import MODELS, Document
from gateway.translate import fields, place, table
from gateway.translate.engine import Mapping
from gateway.translate.rows import Row

_LETTERS = string.ascii_uppercase + string.digits
_WORDS = _LETTERS + string.ascii_lowercase + "'+:?*.,/-()&<>\"检验检疫货物示例𠮷é"
_DATES = st.dates(min_value=date(1990, 1, 1), max_value=date(2049, 12, 31))


BRIEFLY = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # a document of 150 fields takes minutes to shrink
)


NEEDED = {
    "edifact:COREOR:D:99B:UN": frozenset({"containers[].bill_of_lading"}),
    "edifact:COHAOR:D:99B:UN": frozenset({"containers[]"}),
}
"""Fields without which a message has nothing to put where it must have something, though the document may lack them."""


@st.composite
def documents(draw: st.DrawFn, document: str, format_: str) -> Document:
    """Documents whose every value has a place in the format."""
    mapping = table.load(shipped(), document, format_)
    model = MODELS[mapping.document]
    # The document's own JSON has no rows and carries everything.
    all_rows = mapping.rows or [Row(path, path, _kind(model, path)) for path in fields.leaves(fields.shape(model))]
    rows = [row for row in all_rows if row.field and row.place and row.kind not in ("each", "count", "total")]
    implied = {row.field: row.argument for row in all_rows if row.kind == "default" and not row.place}
    return model.model_validate({**implied, **draw(_part(model, rows, "", mapping))})


def _part(model: type[BaseModel], rows: list[Row], prefix: str, mapping: Mapping) -> st.SearchStrategy[dict[str, Any]]:
    """Values for `model`, whose fields the `rows` name below `prefix`."""
    by_name: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_name[row.field.removeprefix(prefix).split(".")[0]].append(row)
    required: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for step, own in by_name.items():
        name = step.removesuffix("[]")
        inner = _model_of(model.model_fields[name].annotation)
        if inner is None:
            made = _leaf(own[0], _annotated(model.model_fields[name]), mapping)
        else:
            made = _part(inner, own, f"{prefix}{step}.", mapping).filter(bool)
            if step.endswith("[]"):
                made = st.lists(made, min_size=1, max_size=2)
        # A value without its unit, or an item of a list without its first field, has no meaning on the wire.
        whole = prefix.endswith(("quantity.", "weight.", "value.")) or (prefix.endswith("[].") and not required)
        wanted = f"{prefix}{step}" in NEEDED.get(mapping.format, ())
        # UN/EDIFACT has no measure without its unit (C174.6411 is mandatory).
        needed = model.model_fields[name].is_required() or whole or wanted or name == "unit"
        (required if needed else optional)[name] = made
    return st.fixed_dictionaries(required, optional=optional)


def is_shaped(mapping: Mapping) -> bool:
    """Whether the wire arranges the document otherwise, so that a document must be made to fit it."""
    return mapping.reshape is not None or any("link=" in row.argument for row in mapping.rows)


_KINDS: dict[Any, str] = {
    bool: "flag",
    int: "integer",
    Decimal: "number",
    datetime: "datetime",
    AwareDatetime: "datetime",
    date: "date",
}


def _kind(model: type[BaseModel], path: str) -> str:
    """The converter that a field of `model` would have by its type."""
    *outer, last = [step.removesuffix("[]") for step in path.split(".")]
    for step in outer:
        inner = _model_of(model.model_fields[step].annotation)
        assert inner is not None, path
        model = inner
    types = _types(model.model_fields[last].annotation)
    return next((kind for type_, kind in _KINDS.items() if type_ in types), "text")


def _types(annotation: Any) -> set[Any]:
    return {annotation, *(found for inner in get_args(annotation) for found in _types(inner))}


def _annotated(info: FieldInfo) -> Any:
    """The annotation as written: pydantic takes the constraints of a required field off it."""
    return Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_of(inner))), None)


def _leaf(row: Row, annotation: Any, mapping: Mapping) -> st.SearchStrategy[Any]:
    kind, argument = row.kind, row.argument
    if kind == "code":
        return st.sampled_from(_codes(argument))
    if kind in ("map", "only"):
        return st.sampled_from(sorted({pair.partition("=")[2] for pair in argument.split(",")}))
    if kind == "flag":
        return st.booleans()
    if kind == "digits":
        shortest, _, longest = argument.partition("..")
        digits = st.text(string.digits, min_size=int(shortest), max_size=int(longest or shortest))
        return _shaped(row, mapping, digits)
    width = _width(row, mapping)
    if kind == "integer":
        return st.integers(_constraints(annotation).get("ge", 0), 10 ** min(width, 9) - 1)
    if kind == "number":
        return st.decimals(0, Decimal("999999999.9999"), places=4, allow_nan=False, allow_infinity=False)
    if kind == "date":
        return _DATES
    if kind == "datetime":
        # From 1992 on: China's summer time, which repeated an hour a year, had ended.
        return st.integers(694_224_000, 2_500_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
    if kind == "list":
        # Two characters each: lists stand in slots of 17 characters and more.
        return st.lists(st.text(string.digits, min_size=2, max_size=2), min_size=1, max_size=2)
    if members := _members(annotation):
        return st.sampled_from(members)
    if kind == "cut":
        width = min(width, int(argument))
    if kind == "joined":
        width = 60
    if row.field.endswith("[]"):
        return st.lists(_shaped(row, mapping, _text(annotation, width)), min_size=1, max_size=2)
    return _shaped(row, mapping, _text(annotation, width))


def _codes(argument: str) -> list[str]:
    """The canonical codes that survive the way through a partner's table and back."""
    name, _, column = argument.partition(":")
    known = codes.find(shipped(), name)
    assert known is not None
    column = column or "un"
    canonical = [row["un"] for row in known.rows]
    return [
        code
        for code in canonical
        if (theirs := known.from_canonical(code, column)) and known.to_canonical(theirs, column) == code
    ]


def _members(annotation: Any) -> list[str]:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(member.value) for member in annotation]
    return [member for inner in get_args(annotation) for member in _members(inner)]


def _constraints(annotation: Any) -> dict[str, Any]:
    """The pydantic constraints somewhere within `annotation`."""
    found: dict[str, Any] = {}
    for inner in (
        *get_args(annotation),
        *getattr(annotation, "__metadata__", ()),
        *getattr(annotation, "metadata", ()),
    ):
        found |= _constraints(inner)
    for attribute in ("pattern", "max_length", "ge"):
        if (value := getattr(annotation, attribute, None)) is not None:
            found[attribute] = value
    return found


def _text(annotation: Any, width: int) -> st.SearchStrategy[str]:
    limits = _constraints(annotation)
    longest = min(width, int(limits.get("max_length", width)))
    pattern = str(limits.get("pattern", ""))
    if pattern and not pattern.startswith("^[^") and pattern != r"^\S+$":
        return st.from_regex(re.compile(pattern.replace("$", r"\Z"), re.ASCII)).filter(
            lambda text: len(text) <= longest
        )
    if pattern == r"^\S+$" or pattern.startswith(r"^[^\s"):
        return st.text(_LETTERS, min_size=1, max_size=longest)
    words = st.lists(st.text(_WORDS, min_size=1, max_size=8), min_size=1, max_size=6).map(" ".join)
    return words.map(lambda text: text[:longest].strip(" ")).filter(bool)


def _shaped(row: Row, mapping: Mapping, made: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """`made`, or what the XSD's own form asks for where it has one."""
    if not mapping.format.startswith("xml"):
        return made
    forms = _xsd_type(row, mapping)
    patterns = [re.compile(regexp) for facet in [forms.patterns] if facet is not None for regexp in facet.regexps]
    if not patterns:
        return made
    shaped = st.from_regex(patterns[0], fullmatch=True, alphabet=_LETTERS + "+/=,").filter(bool)
    return st.one_of(shaped, made.filter(lambda text: all(p.fullmatch(text) for p in patterns)))


def _width(row: Row, mapping: Mapping) -> int:
    """How many characters the wire has for the value of `row`."""
    if mapping.format.startswith("json"):
        return 35
    if mapping.format.startswith("xml"):
        facet = _xsd_type(row, mapping).max_length
        return min(facet or 35, 35)
    schema = tables.find(shipped(), table.message_type(mapping.format))
    assert schema is not None
    parsed = place.parse(row.place)
    number = parsed.elements[-1].number
    tag = parsed.steps[-1].name
    uses = [use for node in schema.nodes if node.tag == tag for use in node.elements]
    uses += [inner for use in uses for inner in use.components]
    return min((use.max_length or 35 for use in uses if use.number == number), default=35)


def _xsd_type(row: Row, mapping: Mapping) -> Any:
    """The simple type of the element or attribute that `row` names."""
    entry = xsd.entries(shipped())[mapping.format]
    at: Any = _schema(entry.schema).elements[entry.root]
    path, _, attribute = row.place.partition("@")
    for step in filter(None, path.split("/")):
        at = next(child for child in at.type.content.iter_elements() if child.local_name == step)
    if attribute:
        return at.attributes[attribute].type
    return at.type.content if at.type.is_complex() else at.type


_SCHEMAS: dict[str, Any] = {}


def _schema(name: str) -> Any:
    if name not in _SCHEMAS:
        _SCHEMAS[name] = xmlschema.XMLSchema(data.schemas() / "xml" / name)
    return _SCHEMAS[name]
