"""Backups that were tampered with, and what a database holds, read past the store."""

from __future__ import annotations

import io
import sqlite3
import tarfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from gateway.receipt.signed import Signer
from gateway.store.leaves import unpack_leaf
from gateway.store.parts import MANIFEST, NOTE, read_manifest, read_parts, writing_parts
from tests.store.setting_back import fetch

LEAVES = {"receipts", "audit_entries"}
"""Tables whose bodies each engine packs as it writes them."""


async def everything(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, as the driver gives them, in an order of their own."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(parsed.database))) as connection:
            every = connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
            found: dict[str, list[dict[str, Any]]] = {}
            for (name,) in every.fetchall():
                rows = connection.execute(f'SELECT * FROM "{name}"')
                columns = [one[0] for one in rows.description]
                found[name] = [dict(zip(columns, row, strict=True)) for row in rows]
    else:
        database = str(parsed.database)
        listed = await fetch(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found = {name: [dict(row) for row in await fetch(database, f'SELECT * FROM "{name}"')] for (name,) in listed}
    return {name: sorted((_plain(name, row) for row in rows), key=repr) for name, rows in found.items()}


def _plain(table: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    """A row by the names of its columns, alike from both engines: SQLite has no truth values."""
    plain = {name: int(value) if isinstance(value, bool) else value for name, value in sorted(row.items())}
    if table in LEAVES:
        plain["body"] = unpack_leaf(bytes(plain["body"]))
    return tuple((name, bytes(value) if isinstance(value, memoryview) else value) for name, value in plain.items())


def parts_of(path: Path) -> dict[str, bytes]:
    """The parts of a file, by a reader that is not the gateway's."""
    with tarfile.open(path) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar.getmembers()}  # type: ignore[union-attr]


def repacked(path: Path, into: Path, change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> Path:
    """A copy whose parts were changed by hand, under the manifest that it had."""
    parts = change(parts_of(path))
    with tarfile.open(into, "w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in parts.items():
            _add(tar, name, content)
    return into


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def resigned(
    path: Path,
    into: Path,
    signer: Signer,
    change: Callable[[dict[str, bytes], dict[str, Any]], None],
) -> Path:
    """A copy whose parts and manifest were changed, with a manifest that lists them, signed by `signer`."""
    parts = parts_of(path)
    said = dict(read_manifest(parts.pop(MANIFEST)).said)
    parts.pop(NOTE)
    change(parts, said)
    with writing_parts(into) as writer:
        for name, content in parts.items():
            writer.add(name, content)
        writer.finish(said, signer)
    return into


def names_in(path: Path) -> list[str]:
    """The names of the parts, as the gateway reads them."""
    with path.open("rb") as file:
        return [part.name for part in read_parts(file)]
