"""Restores a backup where nothing is: large bodies and the anchor first, and then all rows in one transaction.

What the backup does not know was sent and signed all the same. So the log goes on under a name that was never used: where
the anchor is there and is further on, by that; where it is lost too, by a claim of the next name. Either way the first
opening holds what waits until an operator has reconciled it (`breaks`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from gateway import durable
from gateway.errors import BackupInvalid, ConfigurationInvalid, RestoreRefused
from gateway.receipt.anchor import base_name, generation, next_origin
from gateway.receipt.signed import Signer, Verifier
from gateway.store import migrations, tables
from gateway.store.anchor_copy import is_there, put_anchor
from gateway.store.anchor_file import AnchorFile
from gateway.store.backup import ANCHOR, BODIES, Place, Tell
from gateway.store.bodies import BodyFiles
from gateway.store.dump import Shape, go_on_counting, insert_all, read_rows, table_of
from gateway.store.examination import LARGEST_PART, Examined
from gateway.store.log import read_state
from gateway.store.parts import BACKUP, Manifest, read_parts

LARGEST_ANCHOR = 1 << 20
"""Bytes of one of the anchor's files."""
_VERSIONS = "alembic_version"


@dataclass(slots=True)
class Restored:
    """What a restore came to."""

    rows: int = 0
    bodies: int = 0
    lost: list[str] = field(default_factory=list)
    anchor_was_there: bool = False
    claimed: str = ""
    """The log's name that was claimed, so that it takes a later one; empty where the anchor decides, or nothing was after."""
    origin: str = ""


def check_signer(manifest: Manifest, signer: Signer) -> None:
    """RestoreRefused unless the log of a backup is signed by the key of `signer`."""
    log = base_name(manifest.origin)
    if base_name(signer.name) != log or signer.renamed(log).vkey != Verifier(manifest.key).renamed(log).vkey:
        raise RestoreRefused(f"the signing key here is not the one of {log} in the backup")


def check_nothing_there(place: Place) -> None:
    """RestoreRefused where a store is that holds something."""
    if not migrations.version(place.url):
        file = migrations.file_of(place.url)
        if (file is None or file.exists()) and migrations.read(place.url, _names):
            raise RestoreRefused(f"{migrations.without_password(place.url)} holds tables that are none of a gateway's")
        return
    held = migrations.read(place.url, _filled)
    if held:
        raise RestoreRefused(
            f"the store at {migrations.without_password(place.url)} holds something ({', '.join(held)}): "
            "a restore replaces nothing"
        )


def restore(
    place: Place,
    signer: Signer,
    path: Path,
    examined: Examined,
    *,
    nothing_since: bool = False,
    tell: Tell = lambda _what, _count: None,
) -> Restored:
    """Restore the backup at `path`, which was `examined` and found whole.

    With `nothing_since` the caller vouches that nothing was done after the backup was made, so that the log may go on
    under its name. RestoreRefused where a store is that holds something, or its log has another key.
    """
    manifest = examined.manifest
    if manifest is None or examined.faults or manifest.kind != BACKUP:
        raise BackupInvalid("only a backup that is whole can be restored")
    check_signer(manifest, signer)
    check_nothing_there(place)
    done = Restored(lost=examined.lost)
    done.anchor_was_there = is_there(place.anchor_file)
    if not nothing_since and not done.anchor_was_there:
        # Before anything that a second try would take for the anchor of a gateway that went on.
        done.claimed = _claim(place, signer, manifest)
    _restore_files(place, path, done, tell)
    database = migrations.file_of(place.url)
    if database is not None:
        durable.make_folder(database.parent)
    migrations.write(place.url, lambda connection: _restore_rows(connection, path, manifest, done, tell))
    if database is not None:
        durable.sync_folder(database.parent)
    return done


def _restore_files(place: Place, path: Path, done: Restored, tell: Tell) -> None:
    """Put large bodies and the anchor where they belong, each durable."""
    files, lost = BodyFiles(place.payload_folder), set(done.lost)
    anchor: dict[str, bytes] = {}
    with path.open("rb") as source:
        for part in read_parts(source):
            folder, _, name = part.name.partition("/")
            if folder == ANCHOR:
                anchor[name] = part.content(LARGEST_ANCHOR)
            sha256 = name.rpartition("/")[2]
            if folder == BODIES and sha256 not in lost:
                target = files.path(sha256)
                durable.make_folder(target.parent)
                with durable.opened_folder(target.parent) as opened, durable.writing(opened, target.name) as copy:
                    for piece in part.pieces():
                        copy.write(piece)
                done.bodies += 1
    if done.bodies:
        tell(BODIES, done.bodies)
    if not done.anchor_was_there:
        put_anchor(place.anchor_file, anchor)


def _restore_rows(connection: Connection, path: Path, manifest: Manifest, done: Restored, tell: Tell) -> None:
    """Make the tables as they were, fill them, and bring them to this version."""
    if _filled(connection):  # somebody was faster
        raise RestoreRefused("the store holds something by now")
    if migrations.current(connection) != manifest.schema:
        _drop_all(connection)
        migrations.make_tables(connection, manifest.schema)
    shapes = {name: Shape.read(name, said) for name, said in manifest.said["tables"].items()}
    told, counted = "", 0
    with path.open("rb") as source:
        for part in read_parts(source):
            name = table_of(part.name)
            if not name:
                continue
            if told and told != name:
                tell(told, counted)
                counted = 0
            told = name
            count = insert_all(connection, shapes[name], read_rows(shapes[name], part.content(LARGEST_PART)))
            done.rows, counted = done.rows + count, counted + count
    if told:
        tell(told, counted)
    for one in tables.metadata.sorted_tables:
        if one.name in shapes:
            go_on_counting(connection, one)
    migrations.migrate_connection(connection)
    state = read_state(connection)
    done.origin = state.origin if state is not None else manifest.origin


def _claim(place: Place, signer: Signer, manifest: Manifest) -> str:
    """Claim the next name of the log beside the anchor, by which the one it goes by is given up; empty before the first."""
    note = str(manifest.said.get("checkpoint", ""))
    if not note:
        return ""
    tree = signer.renamed(manifest.origin).verifier.checkpoint(note)
    name = next_origin(manifest.origin)
    AnchorFile(place.anchor_file).claim(generation(name), signer.renamed(name).checkpoint(tree.size, tree.root))
    return name


def _names(connection: Connection) -> list[str]:
    return [name for name in inspect(connection).get_table_names() if name != _VERSIONS]


def _filled(connection: Connection) -> list[str]:
    """The tables that have rows."""
    looked = ((name, text(f'SELECT 1 FROM "{name}" LIMIT 1')) for name in _names(connection))  # noqa: S608 - tables' names
    return [name for name, query in looked if connection.execute(query).first() is not None]


def _drop_all(connection: Connection) -> None:
    """Drop all tables, none of which has a row."""
    every = inspect(connection).get_sorted_table_and_fkc_names()
    for name, _ in reversed(every):
        if name is not None:
            connection.execute(text(f'DROP TABLE "{name}"'))


def put_secret(path: Path, content: bytes) -> None:
    """Put a secret that a backup holds where it belongs, readable by its owner alone. ConfigurationInvalid where one is."""
    try:
        durable.write_file(path, content, mode=0o600, replace=False)
    except FileExistsError:
        raise ConfigurationInvalid(f"{path} is there already") from None
    except OSError as error:
        raise ConfigurationInvalid(f"{path}: {error.strerror or os.strerror(error.errno or 0)}") from error
