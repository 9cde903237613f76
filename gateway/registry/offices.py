"""Whether inspection offices stand above one another as their levels say: headquarters, bureaus, branches.

An office is below its parent by its level, so that nobody can stand above itself by however many others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gateway.model import Level, Partner

_ABOVE = {Level.BUREAU: Level.HQ, Level.BRANCH: Level.BUREAU}
"""By level, the level of the office above it."""


def find_misplaced(offices: Iterable[Partner], known: Mapping[str, Partner]) -> Iterator[tuple[str, str]]:
    """(id, what is wrong) of each of `offices` whose parent is none, or not on the level above; `known` are all by id."""
    for office in offices:
        if not office.parent or office.level is None:
            continue
        parent, wanted = known.get(office.parent), _ABOVE.get(office.level)
        if parent is None:
            yield office.id, f"parent: there is no partner {office.parent}"
        elif wanted is None or parent.level is not wanted:
            stands = parent.level.value if parent.level is not None else "no office with a level"
            yield (
                office.id,
                f"parent: {parent.id} is {stands}; above a {office.level.value} stands {wanted or 'nothing'}",
            )
