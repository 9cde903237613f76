from __future__ import annotations

from pathlib import Path

import pytest

from gateway.discovery import find_flows
from gateway.web.api.feeds import readers
from gateway.web.problems import BAD_REQUEST, INTERNAL, KINDS, METHOD
from gateway.web.routes import ROUTES

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text("utf-8")


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: r.operation)
def test_the_documentation_names_every_route(route):
    """docs/api.md speaks of each path."""
    assert route.path in TEXT or (route.path == "/v1/feeds/{name}/{sequence}" and "`link`" in TEXT)


def test_the_documentation_names_every_problem_and_feed():
    """docs/api.md lists each kind of problem with its status, and each feed."""
    for kind in (BAD_REQUEST, METHOD, INTERNAL, *(kind for _, kind in KINDS)):
        row = next(line for line in TEXT.splitlines() if line.startswith(f"| {kind.status} "))
        assert f"`{kind.name}`" in row
    for feed in readers(find_flows(), {}):
        assert f"| `{feed}` |" in TEXT
