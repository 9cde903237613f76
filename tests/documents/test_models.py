from __future__ import annotations

import json
import pickle
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from gateway import findings
from gateway.documents import MODELS, Declaration, Document, faults
from gateway.documents.base import Text, item, without_version


def models() -> Iterator[type[BaseModel]]:
    """Every model within the documents, once."""
    seen: set[type[BaseModel]] = set()
    todo: list[type[BaseModel]] = list(MODELS.values())
    while todo:
        model = todo.pop()
        if model in seen:
            continue
        seen.add(model)
        yield model
        for info in model.model_fields.values():
            todo.extend(_models(info.annotation))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


@pytest.mark.parametrize("model", sorted(models(), key=str), ids=lambda model: model.__name__)
def test_models_are_values(model: type[BaseModel]):
    """Every model is frozen and refuses what it does not know; every field has a Chinese title and a description."""
    assert model.model_config["frozen"]
    assert model.model_config["extra"] == "forbid"
    for name, info in model.model_fields.items():
        assert info.title, name
        assert any("一" <= letter <= "鿿" for letter in info.title), name
        assert info.description, name
        # Absent is None or an empty tuple: nothing else may be left out of the JSON.
        assert info.is_required() or info.default in (None, ()), name


def declaration(**values: Any) -> Declaration:
    return Declaration.model_validate({"direction": "inbound", "function": "9", **values})


def fault_of(**values: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        declaration(**values)
    found = faults.findings(caught.value)
    for finding in found:
        assert finding.code in findings.catalogue()
        assert "–" not in findings.text(finding, "en") + findings.text(finding, "zh")
    return [(finding.code, finding.place.path) for finding in found]


@pytest.mark.parametrize(
    ("values", "code", "pointer"),
    [
        ({"direction": "up"}, "document.choice", "/direction"),
        ({"captain": "x"}, "document.unknown", "/captain"),
        ({"marks": ""}, "document.empty", "/marks"),
        ({"marks": "   "}, "document.empty", "/marks"),  # blanks around a text are no part of it
        ({"marks": "x" * 4001}, "document.too_long", "/marks"),
        ({"marks": "a\x00b"}, "document.pattern", "/marks"),  # XML could not carry it
        ({"marks": 7}, "document.type.text", "/marks"),
        ({"number": "12"}, "document.pattern", "/number"),
        ({"trade_country": "CHN"}, "document.pattern", "/trade_country"),
        ({"arrival_date": "20260305"}, "document.date", "/arrival_date"),  # pydantic would read seconds since 1970
        ({"arrival_date": "2026-02-30"}, "document.date", "/arrival_date"),
        ({"arrival_date": 1772668800}, "document.date", "/arrival_date"),
        ({"declared_at": "2026-03-05T09:30:00"}, "document.moment", "/declared_at"),  # no offset
        ({"declared_at": "1772668800"}, "document.moment", "/declared_at"),
        ({"declared_at": datetime(2026, 3, 5)}, "document.moment", "/declared_at"),  # noqa: DTZ001
        (
            {"total_value_usd": 0.1},
            "document.type.number",
            "/total_value_usd",
        ),  # a binary fraction is not what was meant
        ({"total_value_usd": True}, "document.type.number", "/total_value_usd"),
        ({"total_value_usd": "1e999999"}, "document.number.range", "/total_value_usd"),
        ({"total_value_usd": "0.123456789"}, "document.number.places", "/total_value_usd"),
        ({"total_value_usd": "-1"}, "document.number.minimum", "/total_value_usd"),
        ({"total_value_usd": "NaN"}, "document.type.number", "/total_value_usd"),
        ({"certificate_copies": "2"}, "document.type.whole", "/certificate_copies"),
        ({"certificate_copies": 10**10}, "document.number.maximum", "/certificate_copies"),
        ({"uses_original_containers": 1}, "document.type.flag", "/uses_original_containers"),
        ({"certificates": "97"}, "document.type.list", "/certificates"),
        ({"declarant": []}, "document.type.object", "/declarant"),
        ({"goods": [{}, {"value": {"currency": "USD"}}]}, "document.missing", "/goods/1/value/value"),
        ({"container_groups": [{"numbers": ["a b", "C"]}]}, "document.pattern", "/container_groups/0/numbers/0"),
        ({"container_groups": "none"}, "document.type.list", "/container_groups"),
    ],
)
def test_unfit_values_are_findings(values: dict[str, Any], code: str, pointer: str):
    """What a field cannot hold is told by its code and JSON pointer, in both languages."""
    assert fault_of(**values) == [(code, pointer)]


def test_json_says_each_thing_once():
    """JSON leaves out what is absent and writes numbers as plain digits, so that none is rounded."""
    document = declaration(
        total_value_usd=Decimal("1E+3"), declared_at=datetime(2026, 3, 5, tzinfo=UTC), marks=" N/M ", goods=[{}]
    )
    assert document.to_json() == {
        "direction": "inbound",
        "function": "9",
        "marks": "N/M",
        "total_value_usd": "1000",
        "declared_at": "2026-03-05T00:00:00Z",
        "goods": [{}],
    }
    assert declaration(**document.to_json()) == document


def test_a_copy_counts_its_own_items():
    """What a document's lists hold is counted once; a copy with other lists has another count, and stays equal otherwise."""
    one = declaration(goods=[{}, {}])
    assert one.extent == 2
    assert one.model_copy(update={"goods": one.goods[:1]}).extent == 1
    assert pickle.loads(pickle.dumps(one)) == one == declaration(goods=[{}, {}])


@pytest.mark.parametrize("name", MODELS)
def test_each_document_has_a_json_schema(name: str):
    """Every document describes itself as JSON Schema, with the source of its items."""
    schema = json.dumps(MODELS[name].model_json_schema(), ensure_ascii=False)
    assert "x-source" in schema


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.decimals(allow_nan=True),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(Declaration.model_fields)), _JSON, max_size=8))
def test_any_values_give_a_document_or_findings(values: dict[str, Any]):
    """Whatever stands in the fields, the outcome is a document or findings of the catalogue, never another error."""
    try:
        Declaration.model_validate(values)
    except ValidationError as error:
        found = faults.findings(error)
        assert found
        assert all(finding.code in findings.catalogue() for finding in found)


class Weighing(Document):
    """A slip of a weighbridge, whose field `mass` was once called `weight`, and before that held kilograms as a number."""

    shape = 3

    mass: Text | None = item("重量", "What it weighs.")
    lorry: Text | None = item("车辆", "Came with version 3.")

    @classmethod
    def grow(cls, values: Mapping[str, Any], version: int) -> Mapping[str, Any]:
        if version == 1:
            return {"weight": f"{values['kilograms']} kg"}
        return {"mass": values["weight"]}


@pytest.mark.parametrize(
    "kept",
    [
        {"kilograms": 40},
        {"$version": 2, "weight": "40 kg"},
        {"$version": 3, "mass": "40 kg"},
        Weighing(mass="40 kg").to_kept(),
    ],
)
def test_a_kept_document_is_read_by_every_later_version_of_its_model(kept: dict[str, Any]):
    """What was kept under an older version grows step by step; the version shows in no JSON but the store's."""
    assert Weighing.from_kept(kept) == Weighing(mass="40 kg")
    assert Weighing.from_kept(kept).to_json() == {"mass": "40 kg"}
    assert without_version(Weighing.from_kept(kept).to_kept()) == {"mass": "40 kg"}


def test_a_first_version_is_kept_as_it_is():
    """A document whose model never changed takes no room for saying so."""
    assert declaration().to_kept() == declaration().to_json()
    assert Declaration.from_kept(declaration().to_kept()) == declaration()
