"""What is right of values that are no document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway import data
from gateway.documents import MODELS
from gateway.documents.partial import part_of

STORED = sorted(data.samples().glob("*/*/document.json"))


@pytest.mark.parametrize("path", STORED, ids=lambda path: f"{path.parent.parent.name}-{path.parent.name}")
def test_of_right_values_the_part_is_the_whole(path: Path) -> None:
    """Where nothing is wrong, the part is the document itself, to every field."""
    values, model = json.loads(path.read_text("utf-8")), MODELS[path.parent.parent.name]
    assert part_of(model, values) == model.model_validate(values)


def test_what_is_wrong_is_left_out_alone() -> None:
    """Beside a wrong value all right ones stay, in the same item of the same list too."""
    values = json.loads((data.samples() / "declaration/import_sea_container/document.json").read_text("utf-8"))
    values["declared_at"], values["goods"][0]["hs_code"], values["consignor"] = "soon", 5, "nobody"
    part = part_of(MODELS["declaration"], values)
    read = vars(part)
    assert (read["declared_at"], read["consignor"], read["kind"]) == (None, None, "13")
    goods = vars(read["goods"][0])
    assert (goods["hs_code"], goods["ciq_code"]) == (None, "2204210000101")
