"""`gateway store backup`, `restore` and `verify`: the whole store in one file, and what is wrong with such a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import output
from gateway.cli.words import word

if TYPE_CHECKING:
    from gateway.config import Settings
    from gateway.receipt.signed import Signer
    from gateway.store.backup import BackedUp, Place, Tell
    from gateway.store.examination import Examined, Fault
    from gateway.store.restore import Restored

_OWN = {"store", "http", "logging", "catalogue"}
"""Sections that say where a gateway is, and not what it does: a restored one may have others."""


def register(noun: typer.Typer) -> None:
    """Add the commands to `gateway store`."""
    noun.command()(backup)
    noun.command()(restore)
    noun.command()(verify)


def backup(
    to: Annotated[Path, typer.Argument(help="File to write; nothing may be there.", metavar="TO")],
    with_: Annotated[
        list[str] | None,
        typer.Option(
            "--with", help="A secret to take along: signing-key or sampling-key; may be repeated.", metavar="NAME"
        ),
    ] = None,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Back the store up while gateways run: all rows as of one moment, the files they mention, the anchor, public keys.

    Exit code 1 where the file of a body is missing or damaged: the backup has all else.
    """
    from gateway import __version__
    from gateway.config import load
    from gateway.opening import read_signer
    from gateway.store.backup import back_up

    settings = load(config)
    secrets = {name: _secret_file(settings, name).read_bytes() for name in dict.fromkeys(with_ or ())}
    said = {
        "at": output.moment(datetime.now(UTC)),
        "gateway": __version__,
        "settings_sha256": fingerprint(settings),
        "secrets": sorted(secrets),
    }
    signer = read_signer(settings.receipts)
    done = back_up(_place(settings), signer, to, said=said, secrets=secrets, tell=_tell(lang))
    if json:
        output.as_json(_backed_up(done))
    else:
        output.data(
            word("backed_up", lang, file=to, size=done.size, rows=done.rows, bodies=done.bodies, entries=done.entries)
        )
        for sha256 in done.lost:
            output.data(word("body_lost", lang, sha256=sha256))
    if done.lost:
        raise typer.Exit(output.NO)


def restore(
    source: Annotated[Path, typer.Argument(help="The backup.", metavar="FROM")],
    nothing_since: Annotated[
        bool,
        typer.Option(
            "--nothing-since",
            help="The gateway was stopped before the backup was made and has not run since, so that nothing need be held.",
        ),
    ] = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Restore a backup where no store is, after it was verified. What waits is held until it is reconciled.

    The signing key must be there, or in the backup. Exit code 1 where the backup does not hold, or a store is there.
    """
    from gateway.config import load
    from gateway.errors import ConfigurationInvalid
    from gateway.store.examination import examine
    from gateway.store.restore import check_nothing_there
    from gateway.store.restore import restore as put_back

    output.existing_file(source)
    settings = load(config)
    place = _place(settings)
    check_nothing_there(place)
    key = _vkey_here(settings)
    with output.progress("Verifying", 2 * source.stat().st_size) as step:
        examined = examine(source, key, step)
    if examined.faults:
        for line in _fault_lines(examined, lang):
            output.say(line)
        output.stop(word("not_restored", lang, file=source), output.NO)
    signer = _signer_of(settings, source)
    if signer is None:
        raise ConfigurationInvalid(
            f"there is no signing key at {settings.receipts.signing_key_file}, and none in the backup: put it there first"
        )
    done = put_back(place, signer, source, examined, nothing_since=nothing_since, tell=_tell(lang))
    said = examined.manifest.said if examined.manifest is not None else {}
    same = said.get("settings_sha256") == fingerprint(settings)
    if json:
        output.as_json(_restored(done, same=same))
    else:
        for line in _restored_lines(done, lang, same=same):
            output.data(line)


def verify(
    source: Annotated[Path, typer.Argument(help="A backup, or an archive.", metavar="FROM")],
    key: Annotated[
        str,
        typer.Option(
            help="The log's public key, or a file that holds it. Without it only damage is found, and no forgery.",
            metavar="VKEY|FILE",
        ),
    ] = "",
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Verify a backup or an archive by itself: every part, every receipt, the log's tree. Exit code 1 where it does not hold."""
    from gateway.cli.receipt import public_key
    from gateway.store.examination import examine

    output.existing_file(source)
    vkey = public_key(key) if key else ""
    with output.progress("Verifying", 2 * source.stat().st_size) as step:
        examined = examine(source, vkey, step)
    if json:
        output.as_json(_examined(examined, known_key=bool(vkey)))
    else:
        for line in _fault_lines(examined, lang):
            output.data(line)
        if examined.manifest is not None and not examined.faults:
            output.data(word(f"is_{examined.manifest.kind}", lang, **_described(examined)))
            for sha256 in examined.lost:
                output.data(word("body_lost", lang, sha256=sha256))
        if not vkey:
            output.say(word("own_key", lang))
        output.say(word("holds_not" if examined.faults else "holds", lang))
    if examined.faults:
        raise typer.Exit(output.NO)


def fingerprint(settings: Settings) -> str:
    """A digest of what the settings make a gateway do, wherever it is."""
    from gateway.receipt.signed import canonical

    said = settings.model_dump(mode="json", exclude=_OWN)
    # Canonical JSON has whole numbers only; what a setting is, its text tells as well.
    return hashlib.sha256(canonical(_texts(said))).hexdigest()


def _texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _texts(one) for key, one in value.items()}
    return [_texts(one) for one in value] if isinstance(value, list) else str(value)


def _place(settings: Settings) -> Place:
    from gateway.store.backup import Place

    return Place(settings.store.url, settings.store.payload_folder, settings.store.anchor_file)


def _secret_file(settings: Settings, name: str) -> Path:
    """Where a secret that may be asked for is kept; the end where there is none of that name."""
    from gateway.opening import sampling_key_file
    from gateway.store.backup import SAMPLING_KEY, SIGNING_KEY

    files = {SIGNING_KEY: settings.receipts.signing_key_file, SAMPLING_KEY: sampling_key_file(settings)}
    if name not in files:
        output.stop(f"--with is {' or '.join(files)}, not {name}")
    return output.existing_file(files[name])


def _vkey_here(settings: Settings) -> str:
    """The public key of the signing key that is here; empty where there is none."""
    from gateway.opening import read_signer

    return read_signer(settings.receipts).vkey if settings.receipts.signing_key_file.exists() else ""


def _signer_of(settings: Settings, source: Path) -> Signer | None:
    """The log's signer: by the key that is here, else by the one in the backup, which is put here with other secrets."""
    from gateway.opening import read_signer, sampling_key_file
    from gateway.store.backup import SAMPLING_KEY, SECRETS, SIGNING_KEY
    from gateway.store.parts import read_parts
    from gateway.store.restore import put_secret

    files = {
        f"{SECRETS}/{SIGNING_KEY}": settings.receipts.signing_key_file,
        f"{SECRETS}/{SAMPLING_KEY}": sampling_key_file(settings),
    }
    with source.open("rb") as file:
        for part in read_parts(file):
            path = files.get(part.name)
            if path is not None and not path.exists():
                put_secret(path, part.content(_LARGEST_SECRET))
    return read_signer(settings.receipts) if settings.receipts.signing_key_file.exists() else None


_LARGEST_SECRET = 1 << 16


def _tell(lang: str) -> Tell:
    """Says on stderr what was done, as it is done."""

    def tell(what: str, count: int) -> None:
        if count:
            output.say(word("done_so_far", lang, what=what, count=count))

    return tell


def _fault_lines(examined: Examined, lang: str) -> Iterator[str]:
    for fault in examined.faults:
        yield _fault_line(fault, lang)


def _fault_line(fault: Fault, lang: str) -> str:
    return word(f"fault_{fault.code}", lang, part=fault.part or "-", detail=fault.detail)


def _described(examined: Examined) -> Mapping[str, Any]:
    assert examined.manifest is not None
    said = examined.manifest.said
    return {
        "at": said.get("at", "-"),
        "origin": examined.manifest.origin,
        "schema": examined.manifest.schema,
        "rows": examined.rows.total(),
        "bodies": examined.bodies,
        "entries": examined.entries,
    }


def _backed_up(done: BackedUp) -> dict[str, Any]:
    names = ("size", "rows", "bodies", "lost", "origin", "entries")
    return {"file": str(done.path), **{name: getattr(done, name) for name in names}}


def _restored(done: Restored, *, same: bool) -> dict[str, Any]:
    names = ("rows", "bodies", "lost", "anchor_was_there", "claimed", "origin")
    return {**{name: getattr(done, name) for name in names}, "same_settings": same}


def _restored_lines(done: Restored, lang: str, *, same: bool) -> Iterator[str]:
    yield word("restored", lang, rows=done.rows, bodies=done.bodies)
    yield from (word("body_lost", lang, sha256=sha256) for sha256 in done.lost)
    if done.anchor_was_there:
        yield word("anchor_decides", lang)
    elif done.claimed:
        yield word("name_given_up", lang, origin=done.origin)
    if not same:
        yield word("other_settings", lang)
    yield word("reconcile_next", lang)


def _examined(examined: Examined, *, known_key: bool) -> dict[str, Any]:
    manifest = examined.manifest
    said = manifest.said if manifest is not None else {}
    return {
        "valid": not examined.faults,
        "known_key": known_key,
        "kind": said.get("kind"),
        "at": said.get("at"),
        "origin": said.get("origin"),
        "schema": said.get("schema"),
        "gateway": said.get("gateway"),
        "settings_sha256": said.get("settings_sha256"),
        "parts": examined.parts,
        "rows": dict(sorted(examined.rows.items())),
        "bodies": examined.bodies,
        "lost": examined.lost,
        "receipts": examined.entries,
        "faults": [{"code": one.code, "part": one.part, "detail": one.detail} for one in examined.faults],
    }
