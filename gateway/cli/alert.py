"""`gateway alert` shows what somebody must look at: what stands, by cause and counted, and each entry of the feed, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import output
from gateway.cli.words import headings, word
from gateway.signs import shown

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.alerting.words import Told
    from gateway.model import FeedEntry, StandingAlert
    from gateway.store.ports import Store

_TestOption = Annotated[bool, typer.Option("--test", help="Alerts of test traffic.")]
_WINDOW = 1000
"""Entries that are looked through for those of one kind, newest first."""


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="What somebody must look at.", no_args_is_help=True)
    noun.command("list")(list_)
    noun.command()(show)
    noun.command()(standing)
    noun.command()(take)
    noun.command()(settle)
    noun.command()(silence)
    cli.add_typer(noun, name="alert")


def list_(
    kind: Annotated[str, typer.Option(help="Only alerts of this kind.", metavar="KIND")] = "",
    partner: Annotated[str, typer.Option(help="Only alerts about this partner.", metavar="PARTNER")] = "",
    before: Annotated[int, typer.Option(help="Begin before this number.", min=0)] = 0,
    limit: Annotated[int, typer.Option(help="How many.", min=1, max=500)] = 50,
    test: _TestOption = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """List alerts, the newest first, with their reasons."""
    from gateway.cli.opening import with_store

    found = with_store(config, lambda store: _find(store, kind, partner, before, limit, test=test))
    if json:
        for alert in found:
            output.as_json_line(_json_of(alert, lang))
        return
    output.table(
        headings(("number", "at", "alert", "partner", "case", "reason"), lang),
        (
            (
                str(alert.sequence),
                alert.at.replace("T", " ")[:19],
                alert.kind,
                alert.partner_id,
                alert.case_id,
                _reason(alert, lang),
            )
            for alert in found
        ),
        empty=word("no_alerts", lang),
    )


def show(
    number: Annotated[int, typer.Argument(help="Number of an alert, as the list has it.", metavar="NUMBER", min=1)],
    test: _TestOption = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Show all that is known of one alert."""
    from gateway.alerting.words import read_alert
    from gateway.cli.opening import with_store
    from gateway.errors import NotFound
    from gateway.store.feeds import ALERTS

    async def work(store: Store) -> FeedEntry | None:
        try:
            return await store.feed_entry(ALERTS, "", number, test=test)
        except NotFound:
            return None

    entry = with_store(config, work)
    if entry is None:
        output.stop(f"there is no alert {number}", output.NO)
    alert = read_alert(entry)
    if json:
        output.as_json(_json_of(alert, lang))
        return
    told = {name: value for name, value in alert.body.items() if name != "reasons" and value not in ("", None)}
    output.data(f"{alert.at} {alert.kind}")
    for name, value in told.items():
        if name != "alert":
            output.data(f"{headings((name,), lang)[0]}: {value}")
    output.data(_reason(alert, lang))


_IdArgument = Annotated[str, typer.Argument(help="Id of a standing alert.", metavar="ID")]
_WordsOption = Annotated[str, typer.Option(help="What was found and done, for whoever looks.", metavar="TEXT")]


def standing(
    state: Annotated[str, typer.Option(help="Only those: open, taken or settled.")] = "",
    kind: Annotated[str, typer.Option(help="Only alerts of this kind.", metavar="KIND")] = "",
    partner: Annotated[str, typer.Option(help="Only alerts about this partner.", metavar="PARTNER")] = "",
    after: Annotated[str, typer.Option(help="Begin after this one.", metavar="ID")] = "",
    limit: Annotated[int, typer.Option(help="How many.", min=1, max=500)] = 50,
    test: _TestOption = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """List what stands, one for each kind and cause with how often it rang; what began last first."""
    from gateway.cli.opening import with_store
    from gateway.model import AlertState
    from gateway.store.contract import StandingWanted

    if state and state not in tuple(AlertState):
        output.stop(f"--state is one of {', '.join(AlertState)}, not {state}")
    wanted = StandingWanted(state, kind, partner, test)

    async def work(store: Store) -> list[StandingAlert]:
        return list(await store.standing_alerts(wanted, limit, after))

    found = with_store(config, work)
    if json:
        for one in found:
            output.as_json_line({name: getattr(one, name) for name in _STANDING})
        return
    output.table(
        headings(("id", "alert", "cause", "times", "since", "last", "state", "by"), lang),
        (
            (
                one.id,
                one.kind,
                shown(one.cause),
                one.times,
                output.moment(one.first_at),
                output.moment(one.last_at),
                word(f"alert_{one.state.value}", lang),
                one.by,
            )
            for one in found
        ),
        empty=word("no_alerts", lang),
    )


_STANDING = (
    "id", "kind", "cause", "partner_id", "case_id", "test", "times", "first_at", "last_at", "last", "state", "by", "said",
    "settled_at", "silent_until",
)  # fmt: skip


def take(alert: _IdArgument, config: output.ConfigOption = None, lang: output.LanguageOption = "") -> None:
    """Say that you deal with it; who took it last has it."""
    _order(config, alert, lang, state="taken")


def settle(
    alert: _IdArgument,
    words: _WordsOption = "",
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
) -> None:
    """Say that it is dealt with, and how; the next alert of its cause begins another."""
    _order(config, alert, lang, state="settled", words=words)


def silence(
    alert: _IdArgument,
    hours: Annotated[int, typer.Option(help="For so many hours.", min=1, max=168)] = 24,
    reason: Annotated[str, typer.Option(help="Why, for the audit.", metavar="TEXT")] = "",
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
) -> None:
    """Notify nobody of its kind and cause for a while; it is counted all the same."""
    _order(config, alert, lang, words=reason, hours=hours)


def _order(config: Path | None, alert: str, lang: str, *, state: str = "", words: str = "", hours: int = 0) -> None:
    from datetime import UTC, datetime, timedelta

    from gateway.cli.opening import with_store
    from gateway.errors import NotFound, TransitionRefused
    from gateway.model import OPERATOR, AlertState
    from gateway.store.contract import AlertOrder

    now = datetime.now(UTC)
    until = now + timedelta(hours=hours) if hours else None
    order = AlertOrder(alert, now, OPERATOR, words, AlertState(state) if state else None, until)

    async def work(store: Store) -> str:
        try:
            await store.order_alert(order)
        except NotFound:
            return f"there is no standing alert {alert}"
        except TransitionRefused as error:
            return str(error)
        return ""

    if refused := with_store(config, work):
        output.stop(refused, output.NO)
    if until is not None:
        output.say(word("alert_silent", lang, id=alert, until=output.moment(until)))
    else:
        output.say(f"{alert}: {word(f'alert_{state}', lang)}")


async def _find(store: Store, kind: str, partner: str, before: int, limit: int, *, test: bool) -> list[Told]:
    """The newest alerts that are asked for; of one kind or partner, those among the newest `_WINDOW`."""
    from gateway.alerting.words import read_alert
    from gateway.store.feeds import ALERTS

    end = await store.feed_end(ALERTS, test=test)
    if before:
        end = min(end, before - 1)
    window = _WINDOW if kind or partner else limit
    entries = [
        one for one in await store.feed(ALERTS, "", max(0, end - window), window, test=test) if one.sequence <= end
    ]
    found: list[Told] = []
    for entry in reversed(entries):
        alert = read_alert(await store.feed_entry(ALERTS, "", entry.sequence, test=test))
        if (not kind or alert.kind == kind) and (not partner or alert.partner_id == partner):
            found.append(alert)
            if len(found) == limit:
                break
    return found


def _reason(alert: Told, lang: str) -> str:
    from gateway.reasons import maybe_read_reasons, say_reasons

    reasons = maybe_read_reasons(alert.body.get("reasons"))
    return say_reasons(reasons, lang) if reasons is not None else "; ".join(map(str, alert.body.get("reasons", ())))


def _json_of(alert: Told, lang: str) -> dict[str, object]:
    return {"number": alert.sequence, "at": alert.at, **alert.body, "text": _reason(alert, lang)}
