"""`gateway store archive`, `archives`, `hold`, `release` and `holds`: what is old goes to files, but for what is held back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import output
from gateway.cli.words import headings, word

if TYPE_CHECKING:
    from gateway.store.ports import Store
    from gateway.store.retained import Hold, Run, Written


def register(noun: typer.Typer) -> None:
    """Add the commands to `gateway store`."""
    noun.command()(archive)
    noun.command()(archives)
    noun.command()(hold)
    noun.command()(release)
    noun.command()(holds)


def archive(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Move what is older than `[retention]` says to archives, as a running gateway does daily.

    Exit code 1 where nothing was done: a break of the log is not reconciled, or another node is at it.
    """
    from gateway.cli.opening import with_store_of
    from gateway.config import load
    from gateway.opening import plan

    settings = load(config)
    wanted = plan(settings.retention)
    if not wanted.days:
        output.stop(word("nothing_is_archived", lang))

    async def work(store: Store) -> Run:
        return await store.archive(wanted, settings.clock.now, dry_run=dry_run)

    done = with_store_of(settings, work)
    if json:
        output.as_json(_as_dict(done, dry_run=dry_run))
    else:
        for line in _lines(done, lang, dry_run=dry_run):
            output.data(line)
    if done.put_off:
        raise typer.Exit(output.NO)


def archives(
    limit: Annotated[int, typer.Option(help="How many at most.", min=1, max=100_000)] = 1000,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """List the archives that were written. Where their files are now, whoever moved them knows."""
    from gateway.cli.opening import with_store

    async def work(store: Store) -> Sequence[Written]:
        return await store.archives(limit)

    found = with_store(config, work)
    if json:
        names = ("name", "kind", "at", "things", "size")
        output.as_json([{name: getattr(one, name) for name in names} for one in found])
        return
    rows = [(one.name, one.kind, output.moment(one.at), one.things, one.size) for one in found]
    columns = headings(("archive", "kind", "at", "things", "size"), lang)
    output.table(columns, rows, empty=word("no_archives", lang))


def hold(
    case: Annotated[str, typer.Argument(help="A case's id, or any of its numbers.", metavar="NUMBER")],
    reason: Annotated[str, typer.Option(help="Why, for whoever lists what is held.", metavar="TEXT")] = "",
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
) -> None:
    """Let nothing of a case be archived until it is released (legal hold). Exit code 1 where there is none."""
    from gateway.cli.opening import with_store

    async def work(store: Store) -> Sequence[str]:
        return await store.hold_cases(case, reason, datetime.now(UTC))

    for one in with_store(config, work):
        output.data(word("now_kept", lang, id=one))


def release(
    case: Annotated[str, typer.Argument(help="A case's id, or any of its numbers.", metavar="NUMBER")],
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
) -> None:
    """Let a case that was held be archived when it is old enough. Exit code 1 where none is held."""
    from gateway.cli.opening import with_store

    async def work(store: Store) -> Sequence[str]:
        return await store.release_cases(case)

    for one in with_store(config, work):
        output.data(word("kept_no_more", lang, id=one))


def holds(
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """List the cases that are held back from archives."""
    from gateway.cli.opening import with_store

    async def work(store: Store) -> Sequence[Hold]:
        return await store.holds()

    found = with_store(config, work)
    if json:
        output.as_json([{"case": one.case_id, "reason": one.reason, "at": one.at} for one in found])
        return
    rows = [(one.case_id, output.moment(one.at), one.reason) for one in found]
    output.table(headings(("case", "since", "reason"), lang), rows, empty=word("no_holds", lang))


def _lines(done: Run, lang: str, *, dry_run: bool) -> Iterator[str]:
    if done.put_off:
        yield word(f"put_off_{done.put_off}", lang)
    for one in done.kinds:
        said = {"kind": word(f"kind_{one.kind}", lang), "things": one.things, "size": one.size, "kept": one.kept}
        yield word("would_go" if dry_run else "went", lang, rows=one.rows, **said)
        yield from (word("in_archive", lang, archive=name) for name in one.archives)


def _as_dict(done: Run, *, dry_run: bool) -> dict[str, Any]:
    names = ("kind", "things", "rows", "size", "kept", "archives")
    kinds = [{name: getattr(one, name) for name in names} for one in done.kinds]
    return {"dry_run": dry_run, "put_off": done.put_off, "kinds": kinds}
