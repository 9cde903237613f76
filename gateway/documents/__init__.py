"""The canonical documents, one file each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.documents.base import Document, Part
from gateway.documents.clearance import ClearanceNotice
from gateway.documents.customs_entry import CustomsEntry
from gateway.documents.declaration import Declaration
from gateway.documents.manifest import Manifest
from gateway.documents.release import ReleaseNotice
from gateway.documents.response import Response
from gateway.documents.transfer import Transfer

MODELS: Mapping[str, type[Document]] = MappingProxyType(
    {
        "declaration": Declaration,
        "transfer": Transfer,
        "clearance": ClearanceNotice,
        "customs_entry": CustomsEntry,
        "manifest": Manifest,
        "release": ReleaseNotice,
        "response": Response,
    }
)
"""Every document type, by the name that agreements, mappings and feeds use."""

__all__ = [
    "MODELS",
    "ClearanceNotice",
    "CustomsEntry",
    "Declaration",
    "Document",
    "Manifest",
    "Part",
    "ReleaseNotice",
    "Response",
    "Transfer",
]
