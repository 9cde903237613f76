"""Whether a log may go on under its name, judged by a checkpoint of it that is known from elsewhere.

Somebody outside may hold any checkpoint that was signed. A tree that does not extend what is known
of it (a database set back to an older copy, or tampered with) would soon sign what contradicts it,
so it never signs again under that name: it goes on under `next_origin`, and an operator is told.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from gateway.receipt import chain
from gateway.receipt.signed import Checkpoint

_NUMBERED = re.compile(r"(.+)~([1-9][0-9]{0,8})")


class Judgement(StrEnum):
    """What a known checkpoint says about a tree; only the first two let it sign on."""

    EXTENDS = "extends"
    EARLIER_NAME = "earlier_name"
    """The checkpoint is of a name that the log had before, and binds nobody under the present one."""
    SHORTER = "shorter"
    CONTRADICTS = "contradicts"
    GIVEN_UP = "given_up"
    """The log has had a later name since: the one the tree goes by must not be used again."""
    OTHER_LOG = "other_log"

    @property
    def lets_sign(self) -> bool:
        """Whether the tree may go on under its name."""
        return self in {Judgement.EXTENDS, Judgement.EARLIER_NAME}


def compare(anchor: Checkpoint, tree: Checkpoint, proof: Sequence[bytes] = ()) -> Judgement:
    """Judge `tree` (name, size and root as they now stand) by a verified `anchor`.

    `proof` is the consistency proof from `anchor.size` to `tree.size`, empty where the tree is shorter.
    """
    if base_name(anchor.origin) != base_name(tree.origin):
        return Judgement.OTHER_LOG
    if generation(anchor.origin) > generation(tree.origin):
        return Judgement.GIVEN_UP
    if generation(anchor.origin) < generation(tree.origin):
        return Judgement.EARLIER_NAME
    if tree.size < anchor.size:
        return Judgement.SHORTER
    if chain.verify_consistency(anchor.size, tree.size, proof, anchor.root, tree.root):
        return Judgement.EXTENDS
    return Judgement.CONTRADICTS


def base_name(origin: str) -> str:
    """The first name of a log: `name` of `name~2`."""
    match = _NUMBERED.fullmatch(origin)
    return match[1] if match else origin


def audit_name(origin: str) -> str:
    """The name of the audit's log beside a log of receipts: `name/audit~2` beside `name~2`."""
    numbered = origin[len(base_name(origin)) :]
    return f"{base_name(origin)}/audit{numbered}"


def generation(origin: str) -> int:
    """How many names the log has had: 1 for `name`, 2 for `name~2`."""
    match = _NUMBERED.fullmatch(origin)
    return int(match[2]) if match else 1


def next_origin(origin: str, *others: str) -> str:
    """The name a log takes after `origin` when it must not use that again: `name~2` after `name`.

    It is later than every one of `others` that are names of the same log: a name never comes back.
    """
    base = base_name(origin)
    latest = max(generation(one) for one in (origin, *others) if base_name(one) == base)
    return f"{base}~{latest + 1}"


def names_before(origin: str) -> list[str]:
    """The names a log had, or may have had, before `origin`, the latest first."""
    base = base_name(origin)
    numbered = [f"{base}~{number}" for number in range(generation(origin) - 1, 1, -1)]
    return [*numbered, base] if generation(origin) > 1 else []


def is_name_of(earlier: str, origin: str) -> bool:
    """Whether `earlier` is `origin` or a name the same log had before; its older receipts still say it."""
    return base_name(earlier) == base_name(origin) and generation(earlier) <= generation(origin)
