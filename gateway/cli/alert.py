"""`gateway alert` shows what somebody must look at: the newest of the feed `alerts`, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import output
from gateway.cli.words import headings, word

if TYPE_CHECKING:
    from gateway.alerting.words import Told
    from gateway.model import FeedEntry
    from gateway.store.ports import Store

_TestOption = Annotated[bool, typer.Option("--test", help="Alerts of test traffic.")]
_WINDOW = 1000
"""Entries that are looked through for those of one kind, newest first."""


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="What somebody must look at.", no_args_is_help=True)
    noun.command("list")(list_)
    noun.command()(show)
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
    from gateway.store.alerts import ALERTS

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


async def _find(store: Store, kind: str, partner: str, before: int, limit: int, *, test: bool) -> list[Told]:
    """The newest alerts that are asked for; of one kind or partner, those among the newest `_WINDOW`."""
    from gateway.alerting.words import read_alert
    from gateway.store.alerts import ALERTS

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
