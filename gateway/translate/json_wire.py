"""The JSON side of a mapping. `rows = "document"` is the document's own JSON, as its JSON Schema describes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gateway.documents import Document
from gateway.documents.faults import pointer_step
from gateway.model import LONGEST_STEP, Finding, Place, cut
from gateway.translate.context import Context
from gateway.translate.fault import Fault
from gateway.translate.outcome import Raw


class DocumentJson:
    """The document's own JSON: nothing to map, nothing to lose; unknown items are the document's to refuse."""

    faults: tuple[Fault, ...] = ()
    linked: tuple[str, ...] = ()

    def read(self, wire: Any, context: Context, trace: dict[str, Place] | None = None) -> Raw:  # noqa: ARG002 - a Wire
        """The values are the JSON itself."""
        if trace is not None:
            trace.update(_places(wire, "", ""))
        return Raw(dict(wire) if isinstance(wire, Mapping) else {})

    def field_finder(self, wire: Any) -> Callable[[Place], str]:  # noqa: ARG002 - a Wire
        """Finds nothing: what is wrong with a document's own JSON names its field already."""
        return lambda _place: ""

    def write(
        self,
        document: Document,
        values: Mapping[str, Any],  # noqa: ARG002 - a Wire
        context: Context,  # noqa: ARG002 - a Wire
    ) -> tuple[dict[str, Any], list[Finding]]:
        """JSON values: numbers, dates and codes as text, absent items left out."""
        return document.to_json(), []


def _places(value: Any, path: str, pointer: str) -> Iterator[tuple[str, Place]]:
    """(canonical path, JSON pointer) of everything below."""
    if path:
        yield path, Place(path=pointer)
    if isinstance(value, Mapping):
        for name, inner in value.items():
            step = cut(str(name), LONGEST_STEP)
            yield from _places(inner, f"{path}.{step}" if path else step, f"{pointer}/{pointer_step(str(name))}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _places(inner, f"{path}[{index}]", f"{pointer}/{index}")
