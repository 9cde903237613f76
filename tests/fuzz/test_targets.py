"""The fuzz targets in plain Python: what they begin with holds, and so does everything that was once found."""

from __future__ import annotations

import pytest

from tests.fuzz import seeds

FOUND = [(name, path) for name in seeds.names() for path in seeds.regressions(name)]


@pytest.mark.parametrize(("name", "path"), FOUND, ids=[f"{name}-{path.name}" for name, path in FOUND])
def test_what_was_found_is_mended(name: str, path: object) -> None:
    """An input that once broke a target breaks it no more."""
    seeds.target(name).one(path.read_bytes())


@pytest.mark.parametrize("name", seeds.names())
def test_what_the_fuzzing_begins_with_holds(name: str) -> None:
    """Every target has something to begin with, and takes all of it."""
    bodies = list(seeds.seeds(name))
    assert bodies
    for body in bodies:
        seeds.target(name).one(body)
