"""`gateway sample` looks at what was drawn, and repeats it, as an auditor does."""

from __future__ import annotations

import json as codec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import output
from gateway.cli.words import headings, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from gateway.model import Draw
    from gateway.store.ports import Store

_AT_ONCE = 500
_Plan = Annotated[str, typer.Argument(help="Name of a sampling plan.", metavar="PLAN")]
_Window = Annotated[str, typer.Argument(help="Name of a window, such as 2026-11-13/30.", metavar="WINDOW")]
_TestOption = Annotated[bool, typer.Option("--test", help="What was drawn of test traffic.")]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Samples: what was drawn to be looked at, and whether it was drawn rightly.")
    noun.command("list")(list_)
    noun.command()(check)
    cli.add_typer(noun, name="sample", no_args_is_help=True)


def list_(
    plan: _Plan,
    window: _Window,
    test: _TestOption = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """List what was drawn by a plan in a window, by stratum and number; as lines of JSON it can be checked elsewhere."""
    from gateway.cli.opening import with_store

    async def work(store: Store) -> list[Draw]:
        return await _read(store, plan, window, test=test)

    found = with_store(config, work)
    if json:
        for draw in found:
            output.as_json_line(_draw_dict(draw))
        return
    output.table(
        headings(("stratum", "number", "item", "chosen", "reason", "chosen before", "fraction"), lang),
        (
            (
                d.stratum,
                d.number,
                d.item,
                word("yes" if d.chosen else "no", lang),
                d.reason,
                d.chosen_before,
                d.fraction[:12],
            )
            for d in found
        ),
        empty=word("nothing_drawn", lang),
    )


def check(
    plan: _Plan,
    window: _Window,
    key: Annotated[
        str, typer.Option(help="The window's key, in hex; the one that the audit tells where absent.", metavar="HEX")
    ] = "",
    file: Annotated[
        Path | None, typer.Option(help="Draws as `sample list --json` wrote them; those of the store where absent.")
    ] = None,
    test: _TestOption = False,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Repeat each draw by the window's key, and name those that came out otherwise. Exit code 1 where there are any."""
    from gateway.cli.opening import with_store
    from gateway.decide.sampling import key_digest, redraw

    if file is not None:
        if not key:
            output.stop("draws of a file are repeated by a key that is given: --key HEX")
        draws = [one for one in _read_file(file) if (one.plan, one.window) == (plan, window)]
        told: dict[str, str] = {}
    else:

        async def work(store: Store) -> tuple[list[Draw], dict[str, str]]:
            return await _read(store, plan, window, test=test), await _told_key(store, window, test=test)

        draws, told = with_store(config, work)
    chosen = key or told.get("key", "")
    if not chosen:
        output.stop(f"the audit does not tell the key of {window} yet: its window is not over", output.NO)
    try:
        secret = bytes.fromhex(chosen)
    except ValueError:
        output.stop("a key is hex digits")
    if told.get("sha256") and key_digest(secret) != told["sha256"]:
        output.stop(f"the key is not the one whose digest the audit told before {window} began", output.NO)
    wrong = [
        (draw, why)
        for stratum in sorted({draw.stratum for draw in draws})
        for draw, why in redraw(secret, [one for one in draws if one.stratum == stratum])
    ]
    if json:
        output.as_json(
            {"draws": len(draws), "wrong": [{"item": d.item, "stratum": d.stratum, "what": why} for d, why in wrong]}
        )
    else:
        output.table(
            headings(("item", "stratum", "what is wrong"), lang),
            [(d.item, d.stratum, why) for d, why in wrong],
            empty="",
        )
        output.say(word("redrawn_one" if len(draws) == 1 else "redrawn", lang, count=len(draws), wrong=len(wrong)))
    if wrong:
        raise typer.Exit(output.NO)


async def _read(store: Store, plan: str, window: str, *, test: bool) -> list[Draw]:
    """All that was drawn by a plan in a window."""
    found: list[Draw] = []
    while True:
        after = (found[-1].stratum, found[-1].number) if found else ("", 0)
        page = await store.draws(plan, window, after, _AT_ONCE, test=test)
        found += page
        if len(page) < _AT_ONCE:
            return found


async def _told_key(store: Store, window: str, *, test: bool) -> dict[str, str]:
    """What the audit tells of a window's key: its digest from before, and the key once the window is over."""
    from gateway.store.contract import AuditWanted

    told: dict[str, str] = {}
    before = -1
    while page := await store.audit_lines(AuditWanted("", "", ""), before, _AT_ONCE):
        for said in _of_window((line.body for line in page), window, test=test):
            if said["action"] == "sampling.key":
                told["sha256"] = said["after"]["sha256"]
            else:
                told.setdefault("key", said["after"]["key"])
        if "sha256" in told:  # it is older than the key
            break
        before = page[-1].index
        if before <= 0:
            break
    return told


def _of_window(bodies: Iterable[bytes], window: str, *, test: bool) -> Sequence[Mapping[str, Any]]:
    environment = "test" if test else "production"
    return [
        said
        for said in map(codec.loads, bodies)
        if said["action"].startswith("sampling.")
        and said["after"].get("window") == window
        and said["environment"] == environment
    ]


def _read_file(file: Path) -> list[Draw]:
    from gateway.model import Draw

    found: list[Draw] = []
    try:
        for line in output.existing_file(file).read_text("utf-8").splitlines():
            told = codec.loads(line)
            found.append(
                Draw(
                    told["plan"],
                    told["stratum"],
                    told["window"],
                    told["item"],
                    told["number"],
                    told["fraction"],
                    told["chosen"],
                    told["reason"],
                    told["chosen_before"],
                    told["terms"],
                    told["case"],
                )
            )
    except (ValueError, KeyError, TypeError) as error:
        output.stop(f"{file}: no draws as `sample list --json` writes them: {error}")
    return found


def _draw_dict(draw: Draw) -> dict[str, object]:
    """A draw as a program reads it, with all that it is repeated from but the key."""
    return {
        "plan": draw.plan,
        "stratum": draw.stratum,
        "window": draw.window,
        "item": draw.item,
        "number": draw.number,
        "fraction": draw.fraction,
        "chosen": draw.chosen,
        "reason": draw.reason,
        "chosen_before": draw.chosen_before,
        "terms": dict(draw.terms),
        "case": draw.case_id,
        "by": draw.by,
        "at": draw.at.isoformat() if draw.at else None,
    }
