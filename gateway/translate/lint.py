"""What a sound mapping still leaves open: facts that no source gave, and fields that the format cannot carry."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.catalogue import Catalogue
from gateway.check import tables
from gateway.model import Syntax
from gateway.translate import fields
from gateway.translate.engine import Mapping
from gateway.translate.table import message_type


def lint(catalogue: Catalogue, mapping: Mapping) -> list[str]:
    """Remarks about `mapping`, one a line; faults are told at loading already (MappingInvalid)."""
    return [*_unchecked(catalogue, mapping), *_dropped(mapping.dropped, "")]


def _unchecked(catalogue: Catalogue, mapping: Mapping) -> Iterator[str]:
    """Elements of the segments it uses whose length, kind or requirement is not checked."""
    if mapping.format.partition(":")[0] not in (Syntax.EDIFACT, Syntax.X12):
        return
    table = tables.find(catalogue, message_type(mapping.format))
    used = {row.place.partition("/")[0].rpartition(".")[2].partition("[")[0].partition("#")[0] for row in mapping.rows}
    seen: set[tuple[str, str]] = set()
    for node in table.nodes if table is not None else ():
        for use in node.elements:
            if node.tag in used and use.unchecked and (node.tag, use.number) not in seen:
                seen.add((node.tag, use.number))
                yield f"{node.tag} {use.number}: a length or a requirement is known from no source and not checked"


def _dropped(tree: fields.Unmapped, prefix: str) -> Iterator[str]:
    """Fields of the document that have no place in the format."""
    for name, below in tree.items():
        if below is None:
            yield f"{prefix}{name}: has no place in the format and is reported where it is dropped"
        else:
            yield from _dropped(below, f"{prefix}{name}.")
