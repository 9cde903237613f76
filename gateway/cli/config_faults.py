"""What only this machine shows about a configuration: files that are missing, folders that cannot be made.

Nothing is made or changed by asking.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from gateway.config import Http, Settings
from gateway.errors import ConfigurationInvalid, TemporaryError


def faults(settings: Settings) -> Iterator[str]:
    """Every fault, each beginning with the name of its setting."""
    yield from _store(settings)
    yield from _signing_key(settings)
    yield from tls(settings.http)
    yield from _folders(settings)


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
        if not found and file is not None and (fault := _makeable(file.parent)):
            yield f"store.url {store.without_password(settings.store.url)}: {fault}"
    if fault := _makeable(settings.store.payload_folder):
        yield f"store.payload_folder {settings.store.payload_folder}: {fault}"
    if fault := _fileable(settings.store.anchor_file):
        yield f"store.anchor_file {settings.store.anchor_file}: {fault}"


def _signing_key(settings: Settings) -> Iterator[str]:
    from gateway.web.opening import read_signer

    path = settings.receipts.signing_key_file
    if _there(path):
        try:
            read_signer(settings.receipts)
        except ConfigurationInvalid as error:
            yield str(error)
    elif fault := _makeable(path.parent):
        yield f"receipts.signing_key_file {path}: {fault}"


def _folders(settings: Settings) -> Iterator[str]:
    seen: dict[Path, int] = {}
    for number, folder in enumerate(settings.folders):
        place = f"folders.{number}.path {folder.path}"
        if fault := _makeable(folder.path):
            yield f"{place}: {fault}"
        if (other := seen.setdefault(folder.path.absolute(), number)) != number:
            yield f"{place}: is watched already, for {settings.folders[other].partner}"


def _there(path: Path) -> bool:
    return _asked(path, Path.exists)


def _asked(path: Path, question: Callable[[Path], bool]) -> bool:
    """The answer to `question`; no where even asking is not allowed."""
    try:
        return question(path)
    except OSError:
        return False


def _fileable(path: Path) -> str:
    """Why no file can be written at `path`; empty where one can."""
    return "is a folder" if _asked(path, Path.is_dir) else _makeable(path.parent)


def _makeable(folder: Path) -> str:
    """Why `folder` is not there, cannot be made, or cannot be written into; empty where it can."""
    missing = nearest = folder.absolute()
    while not _there(nearest) and nearest.parent != nearest:
        missing, nearest = nearest, nearest.parent
    if nearest != missing and nearest == nearest.parent:
        # Root could make it, but it is a misspelt path or a disk that is not mounted.
        return f"there is no {missing}"
    if not nearest.is_dir():
        return f"{nearest} is no folder"
    if not os.access(nearest, os.W_OK | os.X_OK) or _virtual(nearest):
        return f"nothing can be made in {nearest}"
    return ""


def _virtual(folder: Path) -> bool:
    """Whether the kernel makes up what stands in `folder`: it grants root the right to write, and refuses the file."""
    return folder.parts[:2] in (("/", "proc"), ("/", "sys"))
