"""The canonical documents, one file each: every model of this package that says its document type is one.

An integrator's package brings its own by the entry point group `edi_gateway.documents`, each entry naming a model.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points

from gateway.documents.base import Document, Part
from gateway.documents.clearance import ClearanceNotice
from gateway.documents.customs_entry import CustomsEntry
from gateway.documents.decision import Decision
from gateway.documents.declaration import Declaration
from gateway.documents.enquiry import Enquiry
from gateway.documents.inspection_result import InspectionResult
from gateway.documents.manifest import Manifest
from gateway.documents.movement import MovementReport
from gateway.documents.registration import Registration
from gateway.documents.release import ReleaseNotice
from gateway.documents.response import Response
from gateway.documents.subscription import FeedSubscription
from gateway.documents.transfer import Transfer

ENTRY_POINTS = "edi_gateway.documents"


def _find_models() -> Iterator[type[Document]]:
    """The models of this package's modules, and those that installed packages name."""
    for module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        for model in vars(import_module(f"{__name__}.{module}")).values():
            if isinstance(model, type) and issubclass(model, Document) and model.document_type:
                yield model
    for entry in sorted(entry_points(group=ENTRY_POINTS)):
        yield entry.load()


class _Models(Mapping[str, type[Document]]):
    """Models by their document type, found when the first is asked for: an installed package's own may import this room."""

    @cached_property
    def _found(self) -> dict[str, type[Document]]:
        models: dict[str, type[Document]] = {}
        for model in _find_models():
            if models.setdefault(model.document_type, model) is not model:
                raise ImportError(f"{models[model.document_type]} and {model} have one document type")
        return models

    def __getitem__(self, document_type: str) -> type[Document]:
        return self._found[document_type]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


MODELS: Mapping[str, type[Document]] = _Models()
"""Every document type, by the name that agreements, mappings and feeds use."""

__all__ = [
    "MODELS",
    "ClearanceNotice",
    "CustomsEntry",
    "Decision",
    "Declaration",
    "Document",
    "Enquiry",
    "FeedSubscription",
    "InspectionResult",
    "Manifest",
    "MovementReport",
    "Part",
    "Registration",
    "ReleaseNotice",
    "Response",
    "Transfer",
]
