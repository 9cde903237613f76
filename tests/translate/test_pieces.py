from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.translate import pieces

_TEXTS = st.text("AB c,.", max_size=120).map(lambda text: text.strip(" "))
_WIDTHS = st.lists(st.integers(1, 20), min_size=1, max_size=12)


@given(_TEXTS, _WIDTHS)
def test_what_fits_is_joined_again_unchanged(text: str, widths: list[int]) -> None:
    """Splitting and joining gives the same text, blanks within it included, wherever no run of blanks is cut through."""
    cells, rest = pieces.split(text, widths)
    assert all(len(cell) <= width for cell, width in zip(cells, widths, strict=False))
    if not rest and not any(cell.endswith(" ") for cell in cells):
        assert pieces.join(cells, widths) == text


@given(_TEXTS, _WIDTHS)
def test_nothing_is_lost_in_silence(text: str, widths: list[int]) -> None:
    """All that is neither in a cell nor told as rest are blanks at which a piece ends."""
    cells, rest = pieces.split(text, widths)
    assert ("".join(cells) + rest).replace(" ", "") == text.replace(" ", "")


def test_words_are_kept_whole_where_there_is_room() -> None:
    """Between words if everything fits so, anywhere if not."""
    assert pieces.split("RED WINE IN BOTTLES", [10, 10, 10]) == (["RED WINE", "IN BOTTLES"], "")
    assert pieces.split("RED WINE IN BOTTLES", [10, 9]) == (["RED WINE I", "N BOTTLES"], "")
    assert pieces.split("RED WINE IN BOTTLES", [10]) == (["RED WINE I"], "N BOTTLES")


def test_senders_who_cut_through_words_are_understood() -> None:
    """A piece that fills its slot runs on into the next; a shorter one ended at a blank, which comes back."""
    assert pieces.join(["N.O.S.) IMO 3 UN", "2319"], [16, 16]) == "N.O.S.) IMO 3 UN2319"
    assert pieces.join(["SAMPLE TRADING", "", "CO."], [35, 35, 35]) == "SAMPLE TRADING CO."
