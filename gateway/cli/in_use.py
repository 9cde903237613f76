"""The catalogue that a command works by: what ships, and the operator's own folder over it where one is configured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.catalogue import Catalogue
    from gateway.config import Settings


def find_catalogue(config: Path | None) -> Catalogue:
    """The catalogue of a configuration, of gateway.toml where none is named, or of what ships alone.

    It is not judged as a whole: what a command needs of it is, when it is loaded.
    """
    from gateway.config import load

    return catalogue_of(load(config))


def find_samples(config: Path | None) -> Path | None:
    """The operator's own samples; None where there are none."""
    from gateway.catalogue_folders import SAMPLES
    from gateway.config import load

    folder = load(config).catalogue.folder
    return folder / SAMPLES if folder is not None else None


def catalogue_of(settings: Settings) -> Catalogue:
    """The catalogue of these settings; CatalogueInvalid where the operator's folder cannot be read."""
    from gateway.catalogue_folders import read_layers, shipped

    if settings.catalogue.folder is None:
        return shipped()
    return read_layers(settings.catalogue.folder).catalogue()
