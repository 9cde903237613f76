"""Catalogues for tests: what ships, with other files in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.catalogue import Catalogue
from gateway.catalogue_folders import read_layers, shipped


def with_files(files: Mapping[str, str]) -> Catalogue:
    """What ships, with these texts by their names in the catalogue."""
    contents = {name: shipped().read(name) for name in shipped().files}
    return Catalogue(contents | {name: text.encode() for name, text in files.items()})


def over_shipped(own: Path) -> Catalogue:
    """What ships, with an operator's folder laid over it as it is now."""
    return read_layers(own).catalogue()
