"""Documents that decisions raise, as occasions of their own: each with its parent, and no deeper than a chain may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.decide.desk import Actor, Occasion, Raised
from gateway.decide.effects import Raise
from gateway.decide.engine import Part
from gateway.model import derive_id

DEEPEST = 4
"""Decisions from what was received to the last document that is raised: a submission raises a declaration, that its
release, and that a bill; nothing in the trade leads further."""
MOST_RAISED = 1000
"""Documents that one message raises in all: a flow that raises more works against another one."""


def raises_in(parts: Iterable[Part]) -> Iterator[tuple[str, Raise]]:
    """What a decision raises, in order, each with its place in the decision."""
    return ((place, effect) for part in parts for place, effect in part.placed() if isinstance(effect, Raise))


def make_raised(parent: Occasion, place: str, effect: Raise, actor: Actor) -> Raised:
    """The occasion that is raised at that place of what `parent` came to: the same however often that is decided."""
    return Raised(
        effect.document_type,
        effect.document,
        actor,
        derive_id(parent.id, "raised", place),
        parent.at,
        parent.id,
        parent.depth + 1 if isinstance(parent, Raised) else 1,
        parent.test,
    )
