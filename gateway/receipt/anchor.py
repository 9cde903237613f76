"""Whether a log may go on under its name, judged by a checkpoint of it that was kept elsewhere.

Somebody outside may hold any checkpoint that was signed. A tree that does not extend its anchor (a
database set back to an older copy, or tampered with) would soon sign what contradicts it, so it
never signs again under that name: it goes on under `next_origin`, and an operator is told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from gateway.receipt import chain
from gateway.receipt.signed import Checkpoint

_NUMBERED = re.compile(r"(.+)~([1-9][0-9]{0,8})")


class Judgement(StrEnum):
    """What an anchor says about a tree; only `extends` lets it sign on."""

    EXTENDS = "extends"
    SHORTER = "shorter"
    CONTRADICTS = "contradicts"
    OTHER_LOG = "other_log"


def compare(anchor: Checkpoint, tree: Checkpoint, proof: Sequence[bytes] = ()) -> Judgement:
    """Judge `tree` (name, size and root as they now stand) by a verified `anchor`.

    `proof` is the consistency proof from `anchor.size` to `tree.size`, empty where the tree is shorter.
    """
    if anchor.origin != tree.origin:
        return Judgement.OTHER_LOG
    if tree.size < anchor.size:
        return Judgement.SHORTER
    if chain.verify_consistency(anchor.size, tree.size, proof, anchor.root, tree.root):
        return Judgement.EXTENDS
    return Judgement.CONTRADICTS


def base_name(origin: str) -> str:
    """The first name of a log: `name` of `name~2`."""
    match = _NUMBERED.fullmatch(origin)
    return match[1] if match else origin


def generation(origin: str) -> int:
    """How many names the log has had: 1 for `name`, 2 for `name~2`."""
    match = _NUMBERED.fullmatch(origin)
    return int(match[2]) if match else 1


def next_origin(origin: str) -> str:
    """The name a log takes after one that it must not use again: `name~2` after `name`."""
    return f"{base_name(origin)}~{generation(origin) + 1}"


def is_name_of(earlier: str, origin: str) -> bool:
    """Whether `earlier` is `origin` or a name the same log had before; its older receipts still say it."""
    return base_name(earlier) == base_name(origin) and generation(earlier) <= generation(origin)
