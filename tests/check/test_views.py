"""Views as data: every field of every document through every view, against what each party may know at most."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from gateway.check import views
from gateway.check.views import ViewRules, part_in
from gateway.documents import MODELS
from gateway.documents.base import Document
from gateway.errors import FlowsInvalid, RulesInvalid
from tests.catalogues import with_files
from tests.flows.world import FLOWS, RULES

VIEWS = RULES.views
SAMPLES = Path(__file__).parents[2] / "samples"


def leaves(model: type[BaseModel], at: str = "") -> Iterator[str]:
    """Every field of a document, those of its parts included: `goods.quantity.value`."""
    for name, field in model.model_fields.items():
        path = f"{at}.{name}" if at else name
        inside = part_in(field.annotation)
        if inside is None:
            yield path
        else:
            yield from leaves(inside, path)


def filled(values: Any, at: str = "") -> set[str]:
    """Every field of a document's JSON that has a value."""
    if isinstance(values, dict):
        return set().union(*(filled(value, f"{at}.{name}" if at else name) for name, value in values.items()))
    if isinstance(values, list) and values and isinstance(values[0], dict):
        return set().union(*(filled(value, at) for value in values))
    return {at} if values != [] else set()


def whole(document_type: str) -> Document:
    """The sample of a document that has most of its fields."""
    return MODELS[document_type].model_validate(
        json.loads((SAMPLES / document_type / "full" / "document.json").read_text("utf-8"))
    )


# What each party must never learn, written from the domain's own words: a port no values, no parties' codes and no contract;
# an enterprise no officer's name; nobody but those in charge the declarer's bank account.
MONEY = {"value", "unit_price", "total_value_usd", "total_value_cny"}
NEVER = [
    # view, document, fields (by the name of any step of their path)
    ("port", "declaration", {"consignor", "consignee", "declarant", "users", "contract_number", "goods", *MONEY}),
    ("port", "declaration", {"account_name", "account_method", "account_certificate", "client_reference"}),
    ("bureau", "declaration", {"consignor", "consignee", "declarant", "contract_number", "account_name", *MONEY}),
    ("bureau", "transfer", {"consignor", "consignee", "goods", "contract_number", "inspection"}),
    ("bureau", "clearance", {"consignor", "consignee", "goods", "contract_number", "total_value_usd"}),
    ("owner", "transfer", {"inspector", "signatory"}),
    ("declarer", "transfer", {"inspector", "signatory"}),
    ("owner", "release", {"officer"}),
    ("declarer", "release", {"officer"}),
]
NOTHING = [
    # view, documents of which it sees nothing
    ("customs", {"declaration", "transfer", "decision", "subscription", "enquiry", "amendment"}),
    ("port", {"transfer", "clearance", "customs_entry", "decision", "subscription"}),
    ("owner", {"decision", "subscription"}),
    ("bureau", {"customs_entry", "decision", "subscription"}),
]


def seen_by(view: str, document_type: str) -> set[str]:
    """The fields of the whole sample that a view shows; the same of the document and of its JSON."""
    document = whole(document_type)
    cut = VIEWS.cut(document, frozenset({view}))
    values = VIEWS.cut_values(document_type, document.to_json(), frozenset({view}))
    assert (cut is None) == (values is None)
    if cut is None or values is None:
        return set()
    assert cut.to_json() == values
    return filled(values)


@pytest.mark.parametrize(("view", "document_type", "never"), NEVER)
def test_nobody_learns_what_is_not_theirs(view: str, document_type: str, never: set[str]) -> None:
    """Of a document in which everything is filled in, no forbidden field is left."""
    everything = filled(whole(document_type).to_json())
    assert any(never & set(path.split(".")) for path in everything), "the sample has nothing to hide"
    assert not [path for path in seen_by(view, document_type) if never & set(path.split("."))]


@pytest.mark.parametrize(("view", "documents"), NOTHING)
def test_some_documents_are_not_there_for_some(view: str, documents: set[str]) -> None:
    """A view of which a document says nothing sees nothing of it."""
    for name in documents:
        assert VIEWS.cut_values(name, {"number": "1"}, frozenset({view})) is None


@pytest.mark.parametrize("document_type", sorted(MODELS))
def test_every_field_of_every_document_goes_through_every_view(document_type: str) -> None:
    """Each field is seen by some view, or goes nowhere; each view gives a document that still is one, and adds nothing."""
    document, model = whole(document_type), MODELS[document_type]
    everything, by_view = filled(document.to_json()), {view: seen_by(view, document_type) for view in VIEWS.views}
    assert set().union(*by_view.values()) == everything
    for view, seen in by_view.items():
        assert seen <= everything, view
        cut = VIEWS.cut(document, frozenset({view}))
        if cut is not None:
            assert model.from_kept(cut.to_kept()) == cut
    named = set().union(*(_paths(model, tree) for tree in VIEWS.documents[document_type].values()))
    assert named == set(leaves(model))


def _paths(model: type[BaseModel], tree: Any, at: str = "") -> set[str]:
    """Every leaf that a view's tree shows."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        if tree is not None and name not in tree:
            continue
        path, inside = f"{at}.{name}" if at else name, part_in(field.annotation)
        found |= {path} if inside is None else _paths(inside, tree[name] if tree is not None else None, path)
    return found


def test_the_party_in_charge_sees_all() -> None:
    """The office in charge sees each document as it is, and so does whoever declared, but officers' names: the same object."""
    for name in ("declaration", "transfer", "clearance", "customs_entry", "manifest", "release", "response"):
        document = whole(name)
        assert VIEWS.cut(document, frozenset({"office"})) is document
        # Whoever has several views sees what any of them sees.
        assert VIEWS.cut(document, frozenset({"bureau", "office", "port"})) is document
    for name in ("declaration", "clearance", "customs_entry", "response"):
        assert VIEWS.cut(document := whole(name), frozenset({"declarer"})) is document


def test_two_views_together_see_what_either_sees() -> None:
    """And nothing more."""
    for document_type in MODELS:
        document = whole(document_type)
        for one in VIEWS.views:
            for other in VIEWS.views:
                both = VIEWS.cut(document, frozenset({one, other}))
                expected = seen_by(one, document_type) | seen_by(other, document_type)
                assert (filled(both.to_json()) if both is not None else set()) == expected


def test_a_case_is_seen_by_its_views() -> None:
    """A port learns no reference, contract or transfer of a case; an enterprise no digest of answers."""
    port = VIEWS.shown("consignment", frozenset({"port"}))
    assert port.keys == {"declaration", "bill", "container"}
    assert "transfer" not in port.tracks
    assert "response" not in VIEWS.shown("consignment", frozenset(VIEWS.views)).keys
    assert not VIEWS.shown("consignment", frozenset()).keys
    assert not VIEWS.shown("house", frozenset(VIEWS.views)).keys


def load(text: str) -> ViewRules:
    return views.load(with_files({"schemas/rules/views/more.toml": text}))


WRONG = [
    # what a further file says, what is wrong with it
    ('[document.release]\nviews.newcomer = ["colour"]', "no field colour"),
    ('[document.release]\nviews.newcomer = ["manifest_number"]', "without number there is no ReleaseNotice"),
    ('[document.release]\nviews.newcomer = ["number", "containers.number"]', "there is no ContainerDecision"),
    ('[document.release]\nviews.newcomer = ["number", "officer.name"]', "has no fields"),
    ('[document.release]\nviews.newcomer = ["@heads"]', "no group @heads"),
    ('[document.release]\nviews.stranger = ["number"]', "which no file declares"),
    ('[document.release]\nviews.port = ["number"]', "another file's already"),
    ('[document.house]\nviews.port = ["number"]', "no document house"),
    ('[document.house]\nlike = "castle"', "like castle"),
    ('[view.port]\nen = "x"\nzh = "x"', "another file's already"),
    ('[view.tax]\nen = "x"', "zh"),
    ('[case.consignment]\nport = { keys = ["bill"] }', "another file's already"),
    ("[views.port]\n", "found views"),
    ("view = 1\n", "[view.NAME]"),
    ("[view\n", "views/more.toml"),
]


@pytest.mark.parametrize(("text", "fault"), WRONG)
def test_what_is_wrong_with_a_file_is_told(text: str, fault: str) -> None:
    """A view that would show what is not there, or cut what a document cannot do without, is refused at load."""
    with pytest.raises(RulesInvalid) as refused:
        load(text)
    assert fault in str(refused.value)


def test_a_further_file_adds_a_view() -> None:
    """An operator's own view of a document stands beside those that ship, and changes none."""
    added = load(
        '[view.tax]\nen = "tax"\nzh = "税务"\n[document.clearance]\nviews.tax = ["@head", "total_value_usd"]\n'
    )
    cut = added.cut(whole("clearance"), frozenset({"tax"}))
    assert cut is not None
    assert "total_value_usd" in cut.to_json()
    assert "goods" not in cut.to_json()


UNSEEN = [
    ('[case.house]\nport = { keys = ["door"] }', "cases of the kind house"),
    ('[view.tax]\nen = "x"\nzh = "x"\n[case.consignment]\ntax = { keys = ["door"] }', "keys called door"),
    ('[view.tax]\nen = "x"\nzh = "x"\n[case.consignment]\ntax = { tracks = ["fee"] }', "fee, which is no track"),
]


@pytest.mark.parametrize(("text", "fault"), UNSEEN)
def test_views_go_with_the_flows(text: str, fault: str) -> None:
    """A view of a case or track that no flow brings is found at load; so is a document that nobody would see."""
    FLOWS.check_views(VIEWS)
    with pytest.raises(FlowsInvalid) as refused:
        FLOWS.check_views(load(text))
    assert fault in str(refused.value)
    with pytest.raises(FlowsInvalid, match="who sees a"):
        FLOWS.check_views(ViewRules())
