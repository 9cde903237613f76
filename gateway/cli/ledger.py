"""`gateway ledger` looks at accounts: what was granted, reserved and used, and by which entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import output
from gateway.cli.words import headings, state, word

if TYPE_CHECKING:
    from gateway.model import Account, Entry
    from gateway.store.ports import Store

_TestOption = Annotated[bool, typer.Option("--test", help="Accounts of test traffic.")]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Accounts that are granted and drawn on: licences, quotas, lots.", no_args_is_help=True)
    noun.command("list")(list_)
    noun.command()(show)
    cli.add_typer(noun, name="ledger")


def list_(
    holder: Annotated[str, typer.Option(help="Only accounts of this partner.", metavar="PARTNER")] = "",
    after: Annotated[str, typer.Option(help="Begin after this name.")] = "",
    limit: Annotated[int, typer.Option(help="How many.", min=1)] = 100,
    test: _TestOption = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """List accounts by name, with their sums."""
    from gateway.cli.opening import with_store

    async def work(store: Store) -> list[Account]:
        return list(await store.accounts(holder, after, limit, test=test))

    found = with_store(config, work)
    if json:
        for one in found:
            output.as_json_line(_account_dict(one))
        return
    output.table(
        headings(("name", "holder", "granted", "reserved", "used", "available", "unit"), lang),
        (
            (
                one.name,
                one.holder,
                f"{one.granted:f}",
                f"{one.reserved:f}",
                f"{one.used:f}",
                f"{one.available:f}",
                one.unit,
            )
            for one in found
        ),
        empty=word("no_accounts", lang),
    )


def show(
    name: Annotated[str, typer.Argument(help="Name of an account.", metavar="NAME")],
    after: Annotated[str, typer.Option(help="Begin after this entry.")] = "",
    limit: Annotated[int, typer.Option(help="How many entries.", min=1)] = 100,
    test: _TestOption = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Show an account with its terms, and its entries by id."""
    from gateway.cli.opening import with_store

    async def work(store: Store) -> tuple[Account | None, list[Entry]]:
        account = await store.account(name, test=test)
        return account, [] if account is None else list(await store.entries(name, after, limit, test=test))

    account, entries = with_store(config, work)
    if account is None:
        output.stop(f"there is no account {name}", output.NO)
    if json:
        output.as_json({**_account_dict(account), "entries": [_entry_dict(one) for one in entries]})
        return
    told = {key: value for key, value in _account_dict(account).items() if value not in (None, "", [], False)}
    for key, value in told.items():
        output.data(f"{headings((key,), lang)[0]}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
    output.table(
        headings(("entry", "state", "amount", "case", "at"), lang),
        (
            (
                one.id,
                state(one.state.value, lang),
                f"{one.amount:f}",
                one.case_id,
                f"{one.at:%Y-%m-%d %H:%M:%S}" if one.at else "",
            )
            for one in entries
        ),
        empty=word("no_entries", lang),
    )


def _account_dict(account: Account) -> dict[str, object]:
    """An account as a program reads it."""
    terms = account.terms
    return {
        "name": account.name,
        "unit": account.unit,
        "holder": account.holder,
        "granted": f"{account.granted:f}",
        "reserved": f"{account.reserved:f}",
        "used": f"{account.used:f}",
        "available": f"{account.available:f}",
        "draws": account.draws,
        "closed": account.closed,
        "version": account.version,
        "valid_from": terms.valid_from.isoformat() if terms.valid_from else None,
        "valid_until": terms.valid_until.isoformat() if terms.valid_until else None,
        "draws_max": terms.most_draws,
        "tolerance_percent": f"{terms.tolerance_percent:f}" if terms.tolerance_percent else None,
        "tolerance_of": terms.tolerance_of.value if terms.tolerance_percent else None,
        "places": sorted(terms.places),
    }


def _entry_dict(entry: Entry) -> dict[str, object]:
    """An entry as a program reads it."""
    return {
        "entry": entry.id,
        "state": entry.state.value,
        "amount": f"{entry.amount:f}",
        "final": entry.final,
        "case": entry.case_id,
        "by": entry.by,
        "at": entry.at.isoformat() if entry.at else None,
    }
