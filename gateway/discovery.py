"""Finds the flows: those of the package, and those that installed packages bring, each once.

Whoever composes the gateway asks once, and hands on what was found as a value; nothing is registered by being imported.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from gateway import flows
from gateway.decide.flow import Flow, Flows

FLOWS = "edi_gateway.flows"
"""The group of entry points by which an integrator's package brings flows: each names a `Flow`."""


@cache
def find_flows() -> Flows:
    """Every flow there is. FlowsInvalid where two do not go together, ImportError where one cannot be loaded."""
    return Flows([*_shipped(), *(entry.load() for entry in sorted(entry_points(group=FLOWS)))])


def _shipped() -> Iterator[Flow]:
    """The flows that the modules of gateway/flows declare."""
    for module in sorted(found.name for found in pkgutil.walk_packages(flows.__path__, f"{flows.__name__}.")):
        for value in vars(import_module(module)).values():
            if isinstance(value, Flow):
                yield value
