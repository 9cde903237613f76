"""`gateway store` keeps a store, and lets an operator settle what one that was set back does not know."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import output, store_archive, store_backup
from gateway.cli.words import word

if TYPE_CHECKING:
    from gateway.store.contract import LogBreak, Reconciliation
    from gateway.store.ports import Store

_AT_ONCE = 500
"""Deliveries ordered at once: as many as one transaction takes."""


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="The store: backups, archives, and what to do after it was set back.", no_args_is_help=True)
    store_backup.register(noun)
    store_archive.register(noun)
    noun.command()(reconcile)
    cli.add_typer(noun, name="store")


@dataclass(frozen=True, slots=True)
class _Orders:
    """What the operator wants done."""

    send: bool
    skip: bool
    every: bool
    partner: str
    ids: tuple[str, ...]
    release: bool
    numbers: int


@dataclass(slots=True)
class _Done:
    """What was done."""

    ordered: int
    not_held: list[str]
    released: int
    reconciled: bool
    left: Reconciliation


def reconcile(
    send: Annotated[bool, typer.Option("--send", help="Send the deliveries selected, under the ids they had.")] = False,
    skip: Annotated[
        bool, typer.Option("--skip", help="Skip the deliveries selected: their recipients have them.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="Select all that are held.")] = False,
    partner: Annotated[str, typer.Option(help="Select, or show, those to this partner.", metavar="ID")] = "",
    id_: Annotated[
        list[str] | None, typer.Option("--id", help="Select this delivery; may be repeated.", metavar="ID")
    ] = None,
    ids: Annotated[
        Path | None, typer.Option(help="Select the deliveries whose ids stand in FILE, one a line.", metavar="FILE")
    ] = None,
    release_payloads: Annotated[bool, typer.Option("--release-payloads", help="Let held payloads be decided.")] = False,
    skip_numbers: Annotated[int, typer.Option(help="Move all counters of document numbers on by so many.", min=0)] = 0,
    limit: Annotated[int, typer.Option(help="How many to show of each kind.", min=1)] = 100,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Show what is held since the store was set back, and let it go. Exit code 1 where an id is none that is held."""
    from gateway.cli.opening import with_store

    output.language(lang)
    chosen = tuple(dict.fromkeys([*(id_ or ()), *(_ids_in(ids) if ids else ())]))
    orders = _Orders(send, skip, every, partner, chosen, release_payloads, skip_numbers)
    _refuse_nonsense(orders)

    async def work(store: Store) -> _Done:
        return await _carry_out(store, orders, limit)

    done = with_store(config, work)
    if json:
        output.as_json(_as_dict(orders, done))
    else:
        for line in _lines(orders, done, lang):
            output.data(line)
    if done.not_held:
        raise typer.Exit(output.NO)


def _ids_in(file: Path) -> list[str]:
    lines = output.existing_file(file).read_text("utf-8", "replace").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _refuse_nonsense(orders: _Orders) -> None:
    if orders.send and orders.skip:
        output.stop("either --send or --skip")
    selected = orders.every or orders.partner or orders.ids
    if (orders.send or orders.skip) and not selected:
        output.stop("--send and --skip want --all, --partner, --id or --ids: say which deliveries")
    if (orders.every or orders.ids) and not (orders.send or orders.skip):
        output.stop("what shall become of those selected: --send or --skip?")


async def _carry_out(store: Store, orders: _Orders, limit: int) -> _Done:
    ordered, not_held = 0, list[str]()
    if orders.send or orders.skip:
        held = await store.held_deliveries(orders.partner)
        known, chosen = frozenset(held), frozenset(orders.ids)
        wanted = [one for one in held if one in chosen] if chosen else held
        refused = await _order(store, wanted, skip=orders.skip)
        ordered = len(wanted) - len(refused)
        not_held = [one for one in orders.ids if one not in known] + refused
    if orders.numbers:
        await store.skip_numbers(orders.numbers)
    released = await store.release_payloads() if orders.release else 0
    reconciled = await store.close_breaks(datetime.now(UTC))
    return _Done(ordered, not_held, released, reconciled, await store.reconciliation(orders.partner, limit))


async def _order(store: Store, ids: Sequence[str], *, skip: bool) -> list[str]:
    """Send or skip deliveries; the ids of those that have moved meanwhile."""
    from gateway.errors import PermanentError

    now = datetime.now(UTC)
    act = store.skip_delivery if skip else store.retry_delivery
    refused: list[str] = []
    with output.progress("Reconciling", len(ids)) as step:
        for start in range(0, len(ids), _AT_ONCE):
            page = ids[start : start + _AT_ONCE]
            answers = await asyncio.gather(*(act(one, now) for one in page), return_exceptions=True)
            for one, answer in zip(page, answers, strict=True):
                if isinstance(answer, PermanentError):
                    refused.append(one)
                elif answer is not None:
                    raise answer
            step(len(page))
    return refused


def _lines(orders: _Orders, done: _Done, lang: str) -> Iterator[str]:
    """For people."""
    if orders.send or orders.skip:
        yield word("now_skipped" if orders.skip else "now_sent", lang, count=done.ordered)
    yield from (word("not_held", lang, id=one) for one in done.not_held)
    if orders.release:
        yield word("now_released", lang, count=done.released)
    if orders.numbers:
        yield word("now_moved", lang, count=orders.numbers)
    left = done.left
    for broken in left.breaks:
        yield from break_lines(broken, lang)
    if not left.breaks:
        yield word("no_breaks", lang)
    if left.deliveries_held:
        yield word("held_deliveries", lang, count=left.deliveries_held)
        for one in left.deliveries:
            since = output.moment(one.next_at) if one.next_at else "-"
            names = {"case": one.case_id or "-", "reference": one.reference or "-", "since": since}
            yield word("held_line", lang, id=one.id, partner=one.partner_id, document=one.document_type, **names)
        yield from _further(left.deliveries_held - len(left.deliveries), lang)
    if left.payloads_held:
        yield word("held_payloads", lang, count=left.payloads_held)
        for payload in left.payloads:
            at = output.moment(payload.received_at)
            yield word("payload_line", lang, id=payload.id, partner=payload.partner_id, at=at)
        yield from _further(left.payloads_held - len(left.payloads), lang)
    if done.reconciled:
        yield word("nothing_held", lang)


def _further(count: int, lang: str) -> Iterable[str]:
    return (word("further", lang, count=count),) if count else ()


def break_lines(broken: LogBreak, lang: str) -> Iterator[str]:
    """What a break of the log was, and what is known to be lost, for people."""
    from gateway import findings

    yield word("broken", lang, at=output.moment(broken.at), text=findings.text(broken.finding, lang))
    if broken.lost:
        first = output.moment(broken.lost_from) if broken.lost_from else "?"
        last = output.moment(broken.lost_until) if broken.lost_until else "?"
        yield word("lost", lang, count=broken.lost, first=first, last=last)
    else:
        yield word("lost_none", lang)
    more = word("skip_more", lang) if broken.lost > broken.skipped else ""
    yield word("skipped_numbers", lang, count=broken.skipped, enough=more)
    if broken.reconciled_at:
        yield word("reconciled", lang, at=output.moment(broken.reconciled_at))


def _as_dict(orders: _Orders, done: _Done) -> dict[str, Any]:
    """For programs."""
    left = done.left
    return {
        "sent": done.ordered if orders.send else 0,
        "skipped": done.ordered if orders.skip else 0,
        "not_held": done.not_held,
        "payloads_released": done.released,
        "numbers_skipped": orders.numbers,
        "reconciled": done.reconciled,
        "breaks": [break_as_dict(one) for one in left.breaks],
        "deliveries_held": left.deliveries_held,
        "deliveries": [
            {
                "id": one.id,
                "partner": one.partner_id,
                "kind": one.kind,
                "document_type": one.document_type,
                "case": one.case_id,
                "reference": one.reference,
                "attempts": one.attempts,
                "since": one.next_at,
            }
            for one in left.deliveries
        ],
        "payloads_held": left.payloads_held,
        "payloads": [
            {"id": one.id, "partner": one.partner_id, "received_at": one.received_at} for one in left.payloads
        ],
    }


def break_as_dict(broken: LogBreak) -> dict[str, Any]:
    """A break of the log for programs."""
    names = ("origin", "earlier", "at", "why", "size", "known_origin", "known_size", "lost", "lost_from", "lost_until")
    return {name: getattr(broken, name) for name in (*names, "skipped", "reconciled_at")}
