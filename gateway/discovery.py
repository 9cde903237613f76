"""Finds flows and transports: those of the package, and those that installed packages bring, each once.

Whoever composes the gateway asks once, and hands on what was found as a value; nothing is registered by being imported.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType
from typing import TypeVar

from gateway import flows, transports
from gateway.decide.flow import Flow, Flows
from gateway.transports.plugin import Transport, Transports

FLOWS = "edi_gateway.flows"
"""The group of entry points by which an integrator's package brings flows: each names a `Flow`."""
TRANSPORTS = "edi_gateway.transports"
"""The same for transports: each names a `Transport`."""

T = TypeVar("T")


@cache
def find_flows() -> Flows:
    """Every flow there is. FlowsInvalid where two do not go together, ImportError where one cannot be loaded."""
    return Flows([*_shipped(flows, Flow), *(entry.load() for entry in sorted(entry_points(group=FLOWS)))])


@cache
def find_transports() -> Transports:
    """Every transport there is. TransportsInvalid where two do not go together, ImportError where one cannot be loaded."""
    found = [*_shipped(transports, Transport), *(entry.load() for entry in sorted(entry_points(group=TRANSPORTS)))]
    return Transports(found)


def _shipped(package: ModuleType, kind: type[T]) -> Iterator[T]:
    """What the modules of a package declare of a kind."""
    for module in sorted(found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")):
        for value in vars(import_module(module)).values():
            if isinstance(value, kind):
                yield value
