"""`gateway receipt` shows receipts, exports them, and verifies them on a machine that knows nothing but a public key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import output

if TYPE_CHECKING:
    from gateway.receipt.verify import Problem
    from gateway.store.contract import PayloadView, Proven, Store

_CHECKPOINT = ".checkpoint"
"""Beside an exported log stands the checkpoint it was exported under."""


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Receipts: proof that stands up later, without the gateway.", no_args_is_help=True)
    noun.command()(show)
    noun.command()(verify)
    noun.command()(bundle)
    noun.command()(export)
    noun.command()(key)
    cli.add_typer(noun, name="receipt")


def show(
    index: Annotated[int, typer.Argument(help="Its number in the log.", min=0)],
    proof: Annotated[
        bool, typer.Option("--proof", help="Print a proof file (C2SP tlog-proof) that holds the receipt.")
    ] = False,
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Show a receipt, and where the log proves it."""
    import base64
    import json as codec

    from gateway.cli.opening import with_store
    from gateway.receipt.proof import Proof

    async def work(store: Store) -> Proven:
        return await store.proven(index)

    found = with_store(config, work)
    if proof:
        print(Proof(index, found.proof, found.checkpoint, found.receipt.body).text(), end="")
        return
    said = codec.loads(found.receipt.body)
    if json:
        output.as_json(
            {
                "index": index,
                "receipt": said,
                "size": found.size,
                "inclusion": [base64.b64encode(h).decode() for h in found.proof],
                "checkpoint": found.checkpoint,
            }
        )
        return
    for name, value in said.items():
        output.data(
            f"{name}: {value if not isinstance(value, list | dict) else codec.dumps(value, ensure_ascii=False)}"
        )
    output.say(f"leaf {index} of {found.size}, under this checkpoint:")
    output.say(found.checkpoint)


def bundle(
    payload: Annotated[str, typer.Argument(help="Id of a payload.", metavar="ID")],
    into: Annotated[Path, typer.Argument(help="Zip file to write.", metavar="FILE")],
    config: output.ConfigOption = None,
) -> None:
    """Write an evidence bundle for the sender of a payload: its bytes, all its receipts, their proofs."""
    from gateway.cli.opening import with_store
    from gateway.receipt.bundle import make_bundle

    async def work(store: Store) -> tuple[PayloadView, list[Proven]]:
        view = await store.payload(payload)
        return view, [await store.proven(r.index) for r in view.receipts]

    view, proven = with_store(config, work)
    checkpoints = {p.checkpoint for p in proven}
    if len(checkpoints) != 1:
        output.stop("the log grew meanwhile; please try again", output.NO)
    receipts = [(p.receipt, p.proof) for p in proven]
    into.write_bytes(make_bundle(checkpoints.pop(), receipts, [view.payload.body]))
    output.say(f"{len(receipts)} receipts in {into}")


def export(
    into: Annotated[
        Path, typer.Argument(help="JSON Lines file to write; the checkpoint goes beside it.", metavar="FILE")
    ],
    config: output.ConfigOption = None,
) -> None:
    """Export the whole receipt log, for `receipt verify` on another machine."""
    from gateway.cli.opening import with_store
    from gateway.receipt.verify import log_line

    async def work(store: Store) -> int:
        # The checkpoint first: the log may grow while it is read, and is written as far as this one vouches.
        note = await store.checkpoint()
        size = int(note.split("\n")[1]) if note else 0
        with into.open("wb") as file:
            async for receipt in store.log():
                if receipt.index >= size:
                    break
                file.write(log_line(receipt.index, receipt.body))
        into.with_name(into.name + _CHECKPOINT).write_text(note, "utf-8")
        return size

    output.say(f"{with_store(config, work)} receipts in {into}")


def key(config: output.ConfigOption = None) -> None:
    """Print the log's public key, which partners verify by. Give it to them by a way they trust."""
    from gateway.config import load
    from gateway.web.opening import signer

    output.data(signer(load(config).receipts).vkey)


def verify(
    file: Annotated[
        Path, typer.Argument(help="An evidence bundle (zip), a proof file, or an exported log (JSON Lines).")
    ],
    key: Annotated[str, typer.Option(help="The log's public key, or a file that holds it.", metavar="VKEY|FILE")],
    lang: output.LanguageOption = "en",
    json: output.JsonOption = False,
) -> None:
    """Verify evidence offline, by the log's public key alone. Exit code 1 where it does not hold."""
    from gateway.receipt.verify import valid

    output.existing_file(file)
    output.language(lang)
    vkey = Path(key).read_text("utf-8").strip() if "+" not in key and Path(key).is_file() else key
    problems = _problems(file, vkey)
    good = valid(problems)
    if json:
        output.as_json({"valid": good, "problems": [_as_dict(p, lang) for p in problems]})
    else:
        for problem in problems:
            output.data(f"{problem.severity}  {problem.code}  {problem.text(lang)}")
        output.say("It holds." if good else "It does NOT hold.")
    if not good:
        raise typer.Exit(output.NO)


def _problems(file: Path, vkey: str) -> list[Problem]:
    """Everything wrong with the evidence in `file`, whose kind shows in its first bytes."""
    from gateway.receipt import proof, verify

    with file.open("rb") as stream:
        head = stream.read(64)
    if head.startswith(proof.HEADER.encode()):
        return verify.verify_proof(file.read_bytes(), vkey)
    if head.startswith(b"{") or not head:
        beside = file.with_name(file.name + _CHECKPOINT)
        notes = [beside.read_text("utf-8")] if beside.is_file() else []
        with output.progress("Verifying", file.stat().st_size) as step:
            return verify.verify_log(_lines(file, step), notes, vkey)
    return verify.verify(file.read_bytes(), vkey)


def _lines(file: Path, step: Any) -> Iterator[bytes]:
    with file.open("rb") as stream:
        for line in stream:
            step(len(line))
            yield line


def _as_dict(problem: Problem, language: str) -> dict[str, Any]:
    return {
        "code": problem.code,
        "severity": problem.severity,
        "index": problem.index,
        "file": problem.name or None,
        "text": problem.text(language),
    }
