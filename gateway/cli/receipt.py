"""`gateway receipt` shows receipts, exports them, and verifies them on a machine that knows nothing but a public key."""

from __future__ import annotations

import json as codec
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import output
from gateway.cli.words import state, word

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
    index: Annotated[int, typer.Argument(help="Its number in the log.", min=0, metavar="INDEX")],
    proof: Annotated[
        bool, typer.Option("--proof", help="Print a proof file (C2SP tlog-proof) that holds the receipt.")
    ] = False,
    config: output.ConfigOption = None,
    json: output.JsonOption = False,
) -> None:
    """Show a receipt, and where the log proves it."""
    import base64

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
    from gateway.cli.message import payload_of
    from gateway.cli.opening import with_store
    from gateway.receipt.bundle import make_bundle
    from gateway.store.bodies import content

    async def work(store: Store) -> tuple[PayloadView, list[Proven]]:
        view = await payload_of(store, payload)
        return view, [await store.proven(r.index) for r in view.receipts]

    view, proven = with_store(config, work)
    checkpoints = {p.checkpoint for p in proven}
    if len(checkpoints) != 1:
        output.stop("the log grew meanwhile; please try again", output.NO)
    receipts = [(p.receipt, p.proof) for p in proven]
    into.write_bytes(make_bundle(checkpoints.pop(), receipts, [content(view.payload)]))
    output.say(f"{output.many(len(receipts), 'receipt')} in {into}")


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

    output.say(f"{output.many(with_store(config, work), 'receipt')} in {into}")


def key(config: output.ConfigOption = None) -> None:
    """Print the log's public key, which partners verify by. Give it to them by a way they trust."""
    from gateway.config import load
    from gateway.web.opening import signer

    receipts = load(config).receipts
    if not receipts.signing_key_file.exists():
        output.stop(f"there is no signing key at {receipts.signing_key_file}; the first start makes one")
    output.data(signer(receipts).vkey)


def verify(
    file: Annotated[
        Path,
        typer.Argument(help="An evidence bundle (zip), a proof file, or an exported log (JSON Lines).", metavar="FILE"),
    ],
    key: Annotated[str, typer.Option(help="The log's public key, or a file that holds it.", metavar="VKEY|FILE")],
    lang: output.LanguageOption = "en",
    json: output.JsonOption = False,
) -> None:
    """Verify evidence offline, by the log's public key alone. Exit code 1 where it does not hold."""
    from gateway.receipt.verify import valid

    output.existing_file(file)
    output.language(lang)
    vkey = _public_key(key)
    shown = Shown()
    problems = _problems(file, vkey, shown)
    good = valid(problems)
    if json:
        proven = shown.as_dict() if good else None
        output.as_json({"valid": good, "proven": proven, "problems": [_as_dict(p, lang) for p in problems]})
    else:
        for problem in problems:
            output.data(f"{state(problem.severity, lang)}  {problem.code}  {problem.text(lang)}")
        if good:
            for line in shown.lines(lang):
                output.data(line)
        output.say(word("holds" if good else "holds_not", lang))
    if not good:
        raise typer.Exit(output.NO)


def _public_key(key: str) -> str:
    """The public key that is, or stands in the file, `key`; the end where there is none."""
    from gateway.errors import ReceiptInvalid
    from gateway.receipt.signed import Verifier

    text = key
    if "+" not in key:
        text = output.existing_file(Path(key)).read_text("utf-8", "replace") if Path(key).exists() else key
    try:
        return Verifier(text.strip()).vkey
    except ReceiptInvalid as error:
        output.stop(f"--key {key} is no public key of a log, nor a file that holds one: {error}")


def _problems(file: Path, vkey: str, shown: Shown) -> list[Problem]:
    """Everything wrong with the evidence in `file`, whose kind shows in its first bytes; `shown` takes what it shows."""
    from gateway.errors import GatewayError
    from gateway.receipt import bundle as packing
    from gateway.receipt import proof, verify

    with file.open("rb") as stream:
        head = stream.read(64)
    if head.startswith(proof.HEADER.encode()):
        content = file.read_bytes()
        problems = verify.verify_proof(content, vkey)
        if verify.valid(problems):
            read = proof.Proof.parse(content.decode())
            shown.receipt(read.receipt)
            shown.checkpoint(read.checkpoint)
        return problems
    beside = file.with_name(file.name + _CHECKPOINT)
    if head.startswith(b'{"hash":') or (not head and beside.is_file()):
        notes = [beside.read_text("utf-8", "replace")] if beside.is_file() else []
        for note in notes:
            shown.checkpoint(note)
        with output.progress("Verifying", file.stat().st_size) as step:
            return verify.verify_log(_lines(file, step, shown), notes, vkey)
    if not head.startswith(b"PK"):
        output.stop(f"{file} is no evidence: no bundle (zip), no proof file, no exported log")
    content = file.read_bytes()
    problems = verify.verify(content, vkey)
    if verify.valid(problems):
        try:
            files = packing.unpack(content)
        except GatewayError:  # it has just been unpacked
            return problems
        shown.checkpoint(files[packing.CHECKPOINT].decode())
        for name, body in files.items():
            if name.startswith("receipts/"):
                shown.receipt(body)
    return problems


class Shown:
    """What verified evidence shows: which log, how many receipts of which stage, from when, under which checkpoint."""

    def __init__(self) -> None:
        self._origin = ""
        self._size = 0
        self._stages: Counter[str] = Counter()
        self._first = self._last = ""

    def receipt(self, body: bytes) -> None:
        """Count a receipt; one that cannot be read is a problem already."""
        try:
            said = codec.loads(body)
            stage, at = str(said["stage"]), str(said["at"])
        except (ValueError, KeyError, TypeError):
            return
        self._stages[stage] += 1
        self._first = min(self._first or at, at)
        self._last = max(self._last, at)

    def checkpoint(self, note: str) -> None:
        """Take origin and size of a checkpoint."""
        origin, size, *_ = [*note.split("\n"), "", ""]
        self._origin, self._size = origin, int(size) if size.isascii() and size.isdigit() else 0

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "origin": self._origin,
            "receipts": dict(sorted(self._stages.items())),
            "first_at": self._first or None,
            "last_at": self._last or None,
            "checkpoint_size": self._size,
        }

    def lines(self, language: str) -> Iterator[str]:
        """For people."""
        count = self._stages.total()
        stages = ", ".join(f"{state(name, language)} {n}" for name, n in sorted(self._stages.items())) or "-"
        yield word("log", language, origin=self._origin)
        yield word("one_receipt" if count == 1 else "receipts", language, count=count, stages=stages)
        if self._first:
            # A checkpoint has no time of its own (C2SP tlog-checkpoint); its receipts have.
            yield word("span", language, first=self._first, last=self._last)
        yield word("checkpoint", language, size=self._size)


def _lines(file: Path, step: Any, shown: Shown) -> Iterator[bytes]:
    with file.open("rb") as stream:
        for line in stream:
            step(len(line))
            shown.receipt(line[line.find(b'"receipt":') + len(b'"receipt":') : line.rfind(b"}")])
            yield line


def _as_dict(problem: Problem, language: str) -> dict[str, Any]:
    return {
        "code": problem.code,
        "severity": problem.severity,
        "index": problem.index,
        "file": problem.name or None,
        "text": problem.text(language),
    }
