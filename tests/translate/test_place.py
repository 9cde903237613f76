from __future__ import annotations

import pytest

from gateway.errors import MappingInvalid
from gateway.translate import place
from gateway.translate.place import ElementStep, Step
from gateway.translate.place import Test as Needs


@pytest.mark.parametrize(
    ("text", "steps", "elements"),
    [
        ("BGM/1004", (Step("BGM"),), (ElementStep("1004"),)),
        (
            "DTM[2005=137]/C507.2380",
            (Step("DTM", tests=(Needs(("2005",), ("137",)),)),),
            (ElementStep("C507"), ElementStep("2380")),
        ),
        (
            "SG6[3035=CZ].NAD/C080.3036[1..5]",
            (Step("SG6", tests=(Needs(("3035",), ("CZ",)),)), Step("NAD")),
            (ElementStep("C080"), ElementStep("3036", (1, 5))),
        ),
        (
            "SG30.CST/C246[2].7361",
            (Step("SG30"), Step("CST")),
            (ElementStep("C246", (2, 2)), ElementStep("7361")),
        ),
        (
            "GIS[7365=22|23,C529.1131=ZZZ]/C529.7365",
            (Step("GIS", tests=(Needs(("7365",), ("22", "23")), Needs(("C529", "1131"), ("ZZZ",)))),),
            (ElementStep("C529"), ElementStep("7365")),
        ),
        ("UNS#2/0081", (Step("UNS", 2),), (ElementStep("0081"),)),
        ("P4.LX.N10[1..99]/02", (Step("P4"), Step("LX"), Step("N10", repeats=(1, 99))), (ElementStep("02"),)),
        ("VID/04..05", (Step("VID"),), (ElementStep("04", last="05"),)),
        ("SG30", (Step("SG30"),), ()),
    ],
)
def test_place_is_read(text: str, steps: tuple[Step, ...], elements: tuple[ElementStep, ...]) -> None:
    """Groups, tags, tests, ordinals, repeats and elements are told apart."""
    parsed = place.parse(text)
    assert (parsed.steps, parsed.elements) == (steps, elements)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/1004",
        "BGM/",
        "BGM/10x",
        "bgm/1004",
        "SG6..NAD/3035",
        "NAD[3035=]/1",
        "DTM[0]/1",
        "FTX[3..2]/1",
    ],
)
def test_broken_place_is_refused(text: str) -> None:
    """What breaks the grammar is refused at loading, by the place's own words."""
    with pytest.raises(MappingInvalid, match="place"):
        place.parse(text)
