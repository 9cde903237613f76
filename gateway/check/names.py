"""What the directories call things: the names of segments, composites, elements and codes, for people to read.

They lie in `names.json` beside a folder's `directory.json`, as an import writes them; what nearly all directories call
the same is in the one beside their folders. No check goes by them.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gateway.catalogue import SCHEMAS, Catalogue, compiled
from gateway.check import tables
from gateway.check.nodes import Table

_FILE = "names.json"
_KINDS = ("segments", "composites", "elements")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one directory; an empty one for what nobody named."""

    things: Mapping[str, str] = field(default_factory=dict)
    """By tag, composite or element number: no two kinds share any."""
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By element, then by value."""

    def of(self, thing: str) -> str:
        """The name of a segment, composite or element."""
        return self.things.get(thing, "")

    def of_code(self, element: str, code: str) -> str:
        """The name of a code of an element."""
        return self.codes.get(element, {}).get(code, "")


def files(catalogue: Catalogue) -> tuple[str, ...]:
    """The files of names."""
    return tuple(name for name in catalogue.names(SCHEMAS, _FILE) if posixpath.basename(name) == _FILE)


@compiled
def load(catalogue: Catalogue, file: str) -> Names:
    """The names in one file; SchemaInvalid where it is no JSON object."""
    value = tables.read_json(catalogue, file)
    things = {key: name for kind in _KINDS for key, name in value.get(kind, {}).items()}
    return Names(things, value.get("codes", {}))


def find(catalogue: Catalogue, table: Table) -> Names:
    """The names of the directory that `table` is of, and behind them those of the directories that it extends."""
    folders = [*tables.folders_of(catalogue, (table.base or table).format), f"{SCHEMAS}/{table.syntax.value}"]
    return _merged([load(catalogue, f"{folder}/{_FILE}") for folder in folders if _is_there(catalogue, folder)])


def _is_there(catalogue: Catalogue, folder: str) -> bool:
    return catalogue.find(f"{folder}/{_FILE}") is not None


def _merged(layers: Sequence[Names]) -> Names:
    things: dict[str, str] = {}
    codes: dict[str, Mapping[str, str]] = {}
    for layer in reversed(layers):
        things.update(layer.things)
        for element, listed in layer.codes.items():
            codes[element] = {**codes.get(element, {}), **listed}
    return Names(things, codes)
