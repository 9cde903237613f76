"""What only this machine shows about a configuration: files that are missing, folders that cannot be made.

Nothing is made or changed by asking.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gateway.config import Http, Settings
from gateway.discovery import find_transports
from gateway.errors import ConfigurationInvalid, TemporaryError
from gateway.makeable import ask, explain_unmakeable, is_there


def faults(settings: Settings) -> Iterator[str]:
    """Every fault, each beginning with the name of its setting."""
    yield from _store(settings)
    yield from _catalogue(settings)
    yield from _signing_key(settings)
    yield from _retention(settings)
    yield from tls(settings.http)
    yield from find_transports().find_faults(settings)


def tls(http: Http) -> Iterator[str]:
    """What keeps HTTPS from working, by setting and file."""
    from gateway.web.tls import server_context

    told = False
    for name, word in (
        ("tls_certificate", "CERTIFICATE"),
        ("tls_key", "PRIVATE KEY"),
        ("tls_client_ca", "CERTIFICATE"),
    ):
        path = getattr(http, name)
        fault = "" if path is None else _pem(path, word)
        if fault:
            told = True
            yield f"http.{name} {path}: {fault}"
    if not told:
        try:
            server_context(http)
        except ConfigurationInvalid as error:
            yield str(error)


def _pem(path: Path, word: str) -> str:
    try:
        text = path.read_bytes()
    except OSError as error:
        return error.strerror or str(error)
    return "" if f"{word}-----".encode() in text else f"holds no PEM {word.lower()}"


def _store(settings: Settings) -> Iterator[str]:
    from gateway import store

    try:
        found = store.version(settings.store.url)
    except ConfigurationInvalid as error:
        yield str(error)
    except TemporaryError as error:
        yield f"store.url {store.without_password(settings.store.url)}: {error}"
    else:
        file = store.file_of(settings.store.url)
        if not found and file is not None and (fault := explain_unmakeable(file.parent)):
            yield f"store.url {store.without_password(settings.store.url)}: {fault}"
    if fault := explain_unmakeable(settings.store.payload_folder):
        yield f"store.payload_folder {settings.store.payload_folder}: {fault}"
    if fault := _fileable(settings.store.anchor_file):
        yield f"store.anchor_file {settings.store.anchor_file}: {fault}"


def _catalogue(settings: Settings) -> Iterator[str]:
    """What keeps the operator's own folder from being put in force."""
    from gateway.discovery import find_flows
    from gateway.errors import CatalogueInvalid
    from gateway.process import read_catalogue

    try:
        read_catalogue(settings, find_flows())
    except CatalogueInvalid as error:
        told = error.details.get("faults")
        for fault in told if isinstance(told, tuple) else (error,):
            yield f"catalogue.folder {settings.catalogue.folder}: {fault}"
    if fault := explain_unmakeable(settings.catalogue.snapshots):
        yield f"catalogue.snapshots {settings.catalogue.snapshots}: {fault}"


def _signing_key(settings: Settings) -> Iterator[str]:
    from gateway.opening import read_signer

    path = settings.receipts.signing_key_file
    if is_there(path):
        try:
            read_signer(settings.receipts)
        except ConfigurationInvalid as error:
            yield str(error)
    elif fault := explain_unmakeable(path.parent):
        yield f"receipts.signing_key_file {path}: {fault}"


def _retention(settings: Settings) -> Iterator[str]:
    from gateway.opening import plan

    folder = settings.retention.folder
    if plan(settings.retention).days and (fault := explain_unmakeable(folder)):
        yield f"retention.folder {folder}: {fault}"


def _fileable(path: Path) -> str:
    """Why no file can be written at `path`; empty where one can."""
    return "is a folder" if ask(path, Path.is_dir) else explain_unmakeable(path.parent)
