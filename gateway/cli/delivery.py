"""`gateway delivery` looks at what recipients are sent, attempt by attempt, and sends, holds or skips it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import output
from gateway.cli.words import headings, word
from gateway.cli.words import state as state_word
from gateway.model import DeliveryState
from gateway.signs import shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from gateway.model import Attempt, Delivery
    from gateway.store.ports import Store

_IdsArgument = Annotated[list[str], typer.Argument(help="Ids of deliveries.", metavar="ID...")]
_ReasonOption = Annotated[str, typer.Option(help="Why, for the audit.", metavar="TEXT")]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="What recipients are sent, and how that went.", no_args_is_help=True)
    noun.command("list")(list_)
    noun.command()(show)
    noun.command()(retry)
    noun.command()(resend)
    noun.command()(hold)
    noun.command()(skip)
    cli.add_typer(noun, name="delivery")


def list_(
    partner: Annotated[str, typer.Option(help="Only those to this partner.", metavar="ID")] = "",
    state: Annotated[str, typer.Option(help=f"Only those in this state: {', '.join(DeliveryState)}.")] = "",
    after: Annotated[str, typer.Option(help="Begin after this delivery.", metavar="ID")] = "",
    limit: Annotated[int, typer.Option(help="How many.", min=1)] = 50,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """List deliveries, the newest first."""
    from gateway.cli.opening import with_store

    if state and state not in tuple(DeliveryState):
        output.stop(f"--state is one of {', '.join(DeliveryState)}, not {state}")

    async def work(store: Store) -> list[Delivery]:
        return list(await store.deliveries(partner, state, limit, after))

    found = with_store(config, work)
    if json:
        for one in found:
            output.as_json_line(_json(one))
        return
    output.table(
        headings(("id", "partner", "document", "state", "attempts", "next", "last_error"), lang),
        (
            (
                one.id,
                one.partner_id,
                one.document_type,
                state_word(one.state, lang),
                one.attempts,
                output.moment(one.next_at) if one.next_at else "",
                shown(one.last_error),
            )
            for one in found
        ),
        empty=word("no_deliveries", lang),
    )


def show(
    delivery: Annotated[str, typer.Argument(help="Id of a delivery.", metavar="ID")],
    body: Annotated[bool, typer.Option("--body", help="Print the bytes that are sent, and nothing else.")] = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Show a delivery with all that was tried: where each attempt went, what was said, what was answered."""
    import sys

    from gateway.cli.opening import with_store
    from gateway.errors import NotFound

    async def work(store: Store) -> tuple[Delivery, list[Attempt]] | None:
        try:
            return await store.delivery(delivery), list(await store.attempts(delivery))
        except NotFound:
            return None

    found = with_store(config, work)
    if found is None:
        output.stop(f"there is no delivery {delivery}", output.NO)
    one, attempts = found
    if body:
        sys.stdout.buffer.write(one.body)
        return
    if json:
        output.as_json({**_json(one), "attempts": [_attempt_json(attempt) for attempt in attempts]})
        return
    held = f" ({word(f'held_{one.held_for.value}', lang)})" if one.held_for else ""
    output.data(f"{one.id}  {state_word(one.state, lang)}{held}  {one.document_type}  {one.format}  {one.partner_id}")
    output.data(f"  sha256 {one.sha256}")
    if one.case_id:
        output.data(f"  {word('case', lang, case=one.case_id)}")
    if one.next_at:
        output.data(f"  {headings(('next',), lang)[0]}: {output.moment(one.next_at)}")
    for attempt in attempts:
        for line in _attempt_lines(attempt, lang):
            output.data(line)


def _attempt_lines(attempt: Attempt, lang: str) -> list[str]:
    """An attempt for people: when and how it ended, then what went over the wire."""
    told = attempt.transcript
    took = f"  {told.seconds:.3f} s" if told is not None else ""
    ended = state_word(attempt.outcome, lang) if attempt.outcome else "…"
    lines = [f"{attempt.number}  {output.moment(attempt.started_at)}  {ended}{took}  {shown(attempt.detail)}"]
    if told is None:
        return lines
    size = f"  ({told.size} B, sha256 {told.sha256})" if told.size is not None else ""
    lines.append(f"  > {shown(told.address)}{size}")
    lines += [f"  > {shown(name)}: {shown(value)}" for name, value in told.sent]
    if told.status:
        lines.append(f"  < {shown(told.status)}")
        lines += [f"  < {shown(name)}: {shown(value)}" for name, value in told.answered]
        if told.answer:
            lines.append(f"  < {shown(told.answer.decode('utf-8', 'replace'))}")
    return lines


def retry(
    deliveries: _IdsArgument,
    reason: _ReasonOption = "",
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Send deliveries now that are dead or held, or wait for their next attempt or their confirmation."""
    _order(
        config, deliveries, "pending", json=json, act=lambda store, id_, at: store.retry_delivery(id_, at, why=reason)
    )


def resend(
    deliveries: _IdsArgument,
    reason: _ReasonOption = "",
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Send deliveries once more that are over: the same bytes under the same id."""
    _order(
        config, deliveries, "pending", json=json, act=lambda store, id_, at: store.resend_delivery(id_, at, why=reason)
    )


def hold(
    deliveries: _IdsArgument,
    reason: _ReasonOption = "",
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Keep deliveries that wait, and those behind them in their lanes, from going before they are retried."""
    _order(config, deliveries, "held", json=json, act=lambda store, id_, at: store.hold_delivery(id_, at, why=reason))


def skip(
    deliveries: _IdsArgument,
    reason: _ReasonOption = "",
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Never send deliveries that are dead or held, so that the next ones of their lanes go."""
    _order(
        config, deliveries, "skipped", json=json, act=lambda store, id_, at: store.skip_delivery(id_, at, why=reason)
    )


def _order(
    config: Path | None,
    ids: list[str],
    state: str,
    *,
    json: bool,
    act: Callable[[Store, str, datetime], Awaitable[None]],
) -> None:
    """Order the same about each; the exit code is 1 where one of them was refused, and the others are done."""
    from gateway.cli.opening import with_store
    from gateway.errors import NotFound, TransitionRefused

    async def work(store: Store) -> dict[str, str]:
        refused: dict[str, str] = {}
        for id_ in ids:
            try:
                await act(store, id_, datetime.now(UTC))
            except NotFound:
                refused[id_] = f"there is no delivery {id_}"
            except TransitionRefused as error:
                refused[id_] = str(error)
        return refused

    refused = with_store(config, work)
    for id_ in ids:
        if json:
            output.as_json_line({"id": id_, "refused": refused[id_]} if id_ in refused else {"id": id_, "state": state})
        elif id_ not in refused:
            output.say(f"{id_}: {state}")
        else:
            output.say(f"{id_}: {refused[id_]}")
    if refused:
        raise typer.Exit(output.NO)


def _json(one: Delivery) -> dict[str, Any]:
    names = ("id", "partner_id", "kind", "document_type", "format", "state", "held_for", "attempts", "next_at")
    more = ("last_error", "reference", "case_id", "message_id", "sha256", "test")
    return {name: getattr(one, name) for name in (*names, *more)}


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    told = attempt.transcript
    made: dict[str, Any] = {
        name: getattr(attempt, name) for name in ("number", "started_at", "ended_at", "outcome", "detail")
    }
    if told is not None:
        made["seconds"], made["address"] = told.seconds, told.address
        made["request"] = {"headers": told.sent, "size": told.size, "sha256": told.sha256}
        answer = {"status": told.status, "headers": told.answered, "body": told.answer.decode("utf-8", "replace")}
        made["answer"] = answer if told.status else None
    return made
