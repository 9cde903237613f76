"""`gateway message` looks at what came and what was made of it, and sends or processes it again."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import output
from gateway.cli.words import state as state_word
from gateway.cli.words import word
from gateway.signs import shown

if TYPE_CHECKING:
    from gateway.model import Delivery, Payload
    from gateway.store.contract import MessageRecord, PayloadLine, PayloadView
    from gateway.store.ports import Store

_TIME = "%Y-%m-%d %H:%M:%S"


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="What came, and what became of it.", no_args_is_help=True)
    noun.command("list")(list_)
    noun.command()(show)
    noun.command()(dead)
    noun.command()(retry)
    noun.command()(skip)
    noun.command()(reprocess)
    cli.add_typer(noun, name="message")


def list_(
    partner: Annotated[str, typer.Option(help="Only this partner's.", metavar="ID")] = "",
    state: Annotated[
        str,
        typer.Option(
            help="received, failed, processed, or which of these: accepted, partly_accepted, rejected, held.",
        ),
    ] = "",
    after: Annotated[str, typer.Option(help="Begin after this payload.", metavar="ID")] = "",
    limit: Annotated[int, typer.Option(help="How many.", min=1)] = 50,
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """List payloads, newest first, with the first messages of each."""
    from gateway.cli.opening import with_store
    from gateway.store.contract import Standing

    if state != "processed" and state not in tuple(Standing):
        output.stop(f"--state is processed, {', '.join(filter(None, Standing))}, not {state}")

    async def work(store: Store) -> list[PayloadLine]:
        return list(await store.payloads(partner, state, after, limit))

    found = with_store(config, work)
    if json:
        for line in found:
            output.as_json_line(_line(line))
        return
    output.table(
        ("id", "received", "partner", "transport", "size", "state", "messages"),
        (
            (
                v.payload.id,
                v.payload.received_at.strftime(_TIME),
                v.payload.partner_id,
                v.payload.transport,
                v.payload.size,
                v.standing,
                " ".join(f"{m.reference or m.number}:{m.state}" for m in v.messages),
            )
            for v in found
        ),
        empty="No payloads.",
    )


def show(
    payload: Annotated[str, typer.Argument(help="Id of a payload.", metavar="ID")],
    original: Annotated[
        bool, typer.Option("--original", help="Print the bytes as they came, and nothing else.")
    ] = False,
    after: Annotated[int | None, typer.Option(help="Begin after the message of this number.", min=0)] = None,
    limit: Annotated[int, typer.Option(help="How many messages.", min=1)] = 100,
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Show a payload: its messages with all findings, its deliveries, its receipts."""
    import sys

    from gateway import findings
    from gateway.cli.opening import with_store
    from gateway.store.bodies import content

    output.language(lang)

    if original:
        stored = with_store(config, lambda store: original_of(store, payload))
        sys.stdout.buffer.write(content(stored))
        return
    view = with_store(config, lambda store: payload_of(store, payload, after, limit))
    if json:
        output.as_json(_payload(view, lang))
        return
    stored = view.payload
    output.data(f"{stored.id}  {state_word(view.state, lang)}{f'  ({view.failed})' if view.failed else ''}")
    at = f"{stored.received_at:{_TIME}} UTC"
    origin = word("origin", lang, partner=stored.partner_id, transport=stored.transport, size=stored.size, at=at)
    output.data(f"  {origin}")
    output.data(f"  sha256 {stored.sha256}")
    if view.progress is not None:
        output.data(f"  {word('progress', lang, staged=view.progress.staged, decided=view.progress.decided)}")
    for message in view.messages:
        case = f"  {word('case', lang, case=message.case_id)}" if message.case_id else ""
        name = f"{word('message', lang)} {message.number}"
        output.data(f"{name}  {message.format}  {shown(message.reference)}  {state_word(message.state, lang)}{case}")
        for found in message.findings:
            severity = state_word(found.severity, lang)
            output.data(f"  {severity}  {found.code}  {found.place}  {shown(findings.text(found, lang))}")
    for delivery in view.deliveries:
        output.data(_delivery_line(delivery, lang))
    for receipt in view.receipts:
        stage = state_word(receipt.stage, lang)
        output.data(f"{word('receipt', lang)} {receipt.index}  {stage}  {receipt.subject_id}")
    if view.next is not None:
        output.say(word("more_messages", lang, after=view.next))


def _delivery_line(delivery: Delivery, lang: str) -> str:
    """A delivery and where it stands, for people."""
    kind = state_word(delivery.kind, lang)
    document = delivery.document_type if delivery.document_type != delivery.kind else ""
    handed = word("handed", lang, kind=kind, document=document, format=delivery.format, partner=delivery.partner_id)
    attempts = word("one_attempt" if delivery.attempts == 1 else "attempts", lang, count=delivery.attempts)
    error = f"  {shown(delivery.last_error)}" if delivery.last_error else ""
    handed = handed.replace("  ", " ").replace(" ，", "，")
    standing = f"{state_word(delivery.state, lang)}, {attempts}{error}"
    return f"{word('delivery', lang)} {delivery.id}  {handed}  {standing}"


async def payload_of(store: Store, id_: str, after: int | None = None, limit: int = 100) -> PayloadView:
    """The payload asked for, with messages of it; the end where there is none."""
    from gateway.errors import NotFound

    try:
        return await store.payload(id_, after, limit, bodies=False)
    except NotFound:
        output.stop(f"there is no payload {id_}", output.NO)


async def original_of(store: Store, id_: str) -> Payload:
    """The payload asked for as it came; the end where there is none."""
    from gateway.errors import NotFound

    try:
        return await store.original(id_)
    except NotFound:
        output.stop(f"there is no payload {id_}", output.NO)


async def _delivery_that_is(store: Store, id_: str, *states: str) -> Delivery:
    """The delivery asked for; the end where there is none, or it stands otherwise."""
    from gateway.errors import NotFound

    try:
        delivery = await store.delivery(id_)
    except NotFound:
        output.stop(f"there is no delivery {id_}{await _instead(store, id_)}", output.NO)
    if delivery.state not in states:
        output.stop(f"delivery {id_} is {delivery.state}, not {' or '.join(states)}", output.NO)
    return delivery


async def _instead(store: Store, id_: str) -> str:
    """What `id_` is where it is no delivery's: a payload, with the deliveries made of it; as a further clause."""
    from gateway.errors import NotFound

    try:
        view = await store.payload(id_, bodies=False)
    except NotFound:
        return ""
    made = ", ".join(f"{d.id} ({d.state})" for d in view.deliveries) or "none"
    return f": it is a payload, and its deliveries are: {made}"


def dead(
    partner: Annotated[str, typer.Option(help="Only to this partner.", metavar="ID")] = "",
    after: Annotated[str, typer.Option(help="Begin after this delivery.", metavar="ID")] = "",
    limit: Annotated[int, typer.Option(help="How many.", min=1)] = 100,
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """List deliveries that were given up, newest first; each holds its lane until it is retried or skipped."""
    from gateway.cli.opening import with_store

    async def work(store: Store) -> list[Delivery]:
        return list(await store.deliveries(partner, "dead", limit, after))

    found = with_store(config, work)
    if json:
        for delivery in found:
            output.as_json_line(_delivery(delivery))
        return
    output.table(
        ("id", "to", "kind", "document", "attempts", "last error"),
        ((d.id, d.partner_id, d.kind, d.document_type, d.attempts, d.last_error) for d in found),
        empty="No dead deliveries.",
    )


def retry(
    delivery: Annotated[str, typer.Argument(help="Id of a dead delivery, or of one that is awaiting.", metavar="ID")],
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Send a dead delivery again, or one that awaits its confirmation: the same bytes under the same id."""
    from gateway.cli.opening import with_store

    async def work(store: Store) -> None:
        await _delivery_that_is(store, delivery, "dead", "awaiting")
        await store.retry_delivery(delivery, datetime.now(UTC))

    with_store(config, work)
    _done(delivery, "pending", f"{delivery} is due; a running gateway sends it.", json=json)


def skip(
    delivery: Annotated[str, typer.Argument(help="Id of a dead delivery.", metavar="ID")],
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Take a dead delivery out of its lane, so that the next one goes."""
    from gateway.cli.opening import with_store

    async def work(store: Store) -> None:
        await _delivery_that_is(store, delivery, "dead")
        await store.skip_delivery(delivery, datetime.now(UTC))

    with_store(config, work)
    _done(delivery, "skipped", f"{delivery} is skipped.", json=json)


def reprocess(
    payload: Annotated[str, typer.Argument(help="Id of a payload.", metavar="ID")],
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Run a stored payload through today's tables; what it makes anew has the ids it had."""
    from gateway.cli.opening import with_store

    async def work(store: Store) -> None:
        await payload_of(store, payload)
        await store.reopen_payload(payload)

    with_store(config, work)
    _done(payload, "received", f"{payload} is waiting; a running gateway processes it.", json=json)


def _done(id_: str, state: str, words: str, *, json: bool) -> None:
    """Say in which state something is now."""
    if json:
        output.as_json({"id": id_, "state": state})
    else:
        output.say(words)


def _payload(view: PayloadView, language: str = "en") -> dict[str, Any]:
    return {
        **_head(view, [_message(m, language) for m in view.messages]),
        "deliveries": [_delivery(d) for d in view.deliveries],
        "receipts": [{"index": r.index, "stage": r.stage, "subject": r.subject_id} for r in view.receipts],
        "next": view.next,
        "progress": asdict(view.progress) if view.progress is not None else None,
    }


def _line(line: PayloadLine) -> dict[str, Any]:
    return _head(line, [_message(m, "en") for m in line.messages])


def _head(view: PayloadView | PayloadLine, messages: list[dict[str, Any]]) -> dict[str, Any]:
    from gateway.store.contract import VERDICTS

    stored = view.payload
    return {
        "id": stored.id,
        "state": view.state,
        "verdict": view.standing if view.standing in VERDICTS else "",
        "failed": view.failed,
        "partner": stored.partner_id,
        "transport": stored.transport,
        "transport_id": stored.transport_id,
        "received_at": stored.received_at,
        "size": stored.size,
        "sha256": stored.sha256,
        "test": stored.test,
        "messages": messages,
    }


def _message(message: MessageRecord, language: str) -> dict[str, Any]:
    from gateway import findings

    return {
        "id": message.id,
        "number": message.number,
        "format": message.format,
        "reference": message.reference,
        "interchange": message.interchange,
        "state": message.state,
        "document_type": message.document_type,
        "case": message.case_id,
        "findings": [
            {
                "code": f.code,
                "severity": f.severity,
                "place": str(f.place),
                "value": f.value,
                "text": findings.text(f, language),
            }
            for f in message.findings
        ],
    }


def _delivery(delivery: Any) -> dict[str, Any]:
    names = ("id", "partner_id", "kind", "document_type", "format", "state", "attempts", "reference", "last_error")
    return {name: getattr(delivery, name) for name in names}
