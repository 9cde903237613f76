"""Long text over several slots of the wire: cut where it can be joined again without loss.

Trailing blanks do not survive a wire of variable lengths, so no piece but the last may end in one. The
rule that reader and writer share: a piece shorter than its slot ended at a single blank, which the
reader puts back; a piece that fills its slot runs on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

End = Callable[[str, int], int]
"""Where a piece of a text may end within a width."""


def join(parts: Sequence[str], widths: Sequence[int]) -> str:
    """The text that `parts` hold; `widths` are the slots' lengths, 0 where unknown (then pieces are words)."""
    text = ""
    for part, width in zip(parts, widths, strict=False):
        piece = part.rstrip(" ")
        if piece:
            text += piece if len(piece) == width else f"{piece} "
    return text.strip(" ")


def split(text: str, widths: Sequence[int]) -> tuple[list[str], str]:
    """`text` over slots of `widths`, and what did not fit. Between words where all fits so, else anywhere."""
    cells, rest = _split(text, widths, _word_end)
    if rest:
        cells, rest = _split(text, widths, _any_end)
    return cells, rest


def _split(text: str, widths: Sequence[int], end: End) -> tuple[list[str], str]:
    cells: list[str] = []
    rest = text.strip(" ")
    for width in widths:
        if not rest:
            break
        if not width or len(rest) <= width:
            cells.append(rest)
            return cells, ""
        at = end(rest, width)
        cells.append(rest[:at])
        # A piece that fills its slot runs on; a shorter one stands for the blank it ended at.
        rest = rest[at:] if at == width else rest[at + 1 :]
    return cells, rest


def _any_end(text: str, width: int) -> int:
    """Where a piece may end at the latest: not behind a blank."""
    at = width
    while at > 1 and text[at - 1] == " ":
        at -= 1
    # A run of blanks wider than the slot cannot be carried whole; it is cut through.
    return at if text[at - 1] != " " else width


def _word_end(text: str, width: int) -> int:
    """The end of the last whole word that fits and does not fill the slot; anywhere where no word ends."""
    at = text.rfind(" ", 0, width)
    while at > 0 and text[at - 1] == " ":
        at -= 1
    return at if at > 0 else _any_end(text, width)
