"""`gateway receipt` shows receipts, exports them, and verifies them on a machine that knows nothing but a public key."""

from __future__ import annotations

import json as codec
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import output, problems
from gateway.cli.words import state, word

if TYPE_CHECKING:
    from gateway.model import Finding, Payload
    from gateway.receipt.stored import StoredLog
    from gateway.receipt.verify import Covered, Problem
    from gateway.store.contract import Proven
    from gateway.store.ports import Store

_EARLIER_KEYS = 100
"""Keys of earlier names that are told at most, the latest first: it is the same key under each."""
_CHECKPOINT = ".checkpoint"
"""Beside an exported log stands the checkpoint it was exported under."""

_LONGEST_LINE = 1024 * 1024
"""Bytes of a line that is read: the largest receipts ever written had some 200 KB."""


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    noun = typer.Typer(help="Receipts: proof that stands up later, without the gateway.", no_args_is_help=True)
    noun.command()(show)
    noun.command()(verify)
    noun.command()(bundle)
    noun.command()(export)
    noun.command()(audit)
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
    for line in found.checkpoint.splitlines():
        output.say(line)


def bundle(
    payload: Annotated[str, typer.Argument(help="Id of a payload.", metavar="ID")],
    into: Annotated[Path, typer.Argument(help="Zip file to write.", metavar="FILE")],
    config: output.ConfigOption = None,
) -> None:
    """Write an evidence bundle for the sender of a payload: its bytes, all its receipts, their proofs."""
    from gateway.cli.message import original_of, payload_of
    from gateway.cli.opening import with_store
    from gateway.errors import PayloadTooLarge
    from gateway.model import Stage
    from gateway.receipt.bundle import make_bundle
    from gateway.receipt.signed import whole_findings
    from gateway.store.bodies import content

    async def work(store: Store) -> tuple[Payload, list[Proven], dict[str, Sequence[Finding]]]:
        stored = await original_of(store, payload)
        proven: list[Proven] = []
        findings: dict[str, Sequence[Finding]] = {}
        after: int | None = None
        while True:
            view = await payload_of(store, payload, after)
            proven += [await store.proven(r.index) for r in view.receipts]
            findings |= {message.id: message.findings for message in view.messages}
            if (after := view.next) is None:
                return stored, proven, findings

    stored, proven, findings = with_store(config, work)
    checkpoints = {p.checkpoint for p in proven}
    if len(checkpoints) != 1:
        output.stop("the log grew meanwhile; please try again", output.NO)
    receipts = [(p.receipt, p.proof) for p in proven]
    listed = [whole_findings(r.body, findings.get(r.subject_id, ())) for r, _ in receipts if r.stage is Stage.CHECKED]
    try:
        packed = make_bundle(checkpoints.pop(), receipts, [content(stored)], findings=filter(None, listed))
    except PayloadTooLarge as error:
        output.stop(str(error), output.NO)
    with output.new_file(into) as file:
        file.write(packed)
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
        with output.new_file(into) as file:
            async for receipt in store.log():
                if receipt.index >= size:
                    break
                file.write(log_line(receipt.index, receipt.body))
        with output.new_file(into.with_name(into.name + _CHECKPOINT)) as file:
            file.write(note.encode())
        return size

    output.say(f"{output.many(with_store(config, work), 'receipt')} in {into}")


def audit(
    config: output.ConfigOption = None,
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Look at every entry of the stored log, for gaps and changed rows. Exit code 1 where there are any."""
    from gateway.cli.opening import with_closed_store

    output.language(lang)

    async def work(store: Store) -> StoredLog:
        seen = await store.audit_from(0)
        with output.progress("Auditing", await store.log_size()) as step:
            done = False
            while not done and not seen.full:
                before = seen.size
                done = await store.audit_on(seen, problems.AT_ONCE)
                step(seen.size - before)
        return seen

    problems.tell_audited(with_closed_store(config, work), lang, json=json)


def key(config: output.ConfigOption = None) -> None:
    """Print the log's public key, which partners verify by. Give it to them by a way they trust.

    It is the key of the name the log goes by now. Keys of names it had before, for evidence exported under them, are
    told beside it.
    """
    from gateway.cli.opening import has_store, with_store_of
    from gateway.config import load
    from gateway.opening import read_signer
    from gateway.receipt.anchor import names_before

    settings = load(config)
    if not settings.receipts.signing_key_file.exists():
        output.stop(f"there is no signing key at {settings.receipts.signing_key_file}; the first start makes one")
    first = read_signer(settings.receipts)

    async def work(store: Store) -> str:
        await store.log_key()
        return store.origin

    origin = with_store_of(settings, work) if has_store(settings) else first.name
    output.data(first.renamed(origin).vkey)
    earlier = names_before(origin)[:_EARLIER_KEYS]
    if earlier:
        output.say("the log had other names before; evidence exported then verifies by their keys:")
    for name in earlier:
        output.say(first.renamed(name).vkey)


def verify(
    file: Annotated[
        Path,
        typer.Argument(help="An evidence bundle (zip), a proof file, or an exported log (JSON Lines).", metavar="FILE"),
    ],
    key: Annotated[str, typer.Option(help="The log's public key, or a file that holds it.", metavar="VKEY|FILE")],
    lang: output.LanguageOption = "",
    json: output.JsonOption = False,
) -> None:
    """Verify evidence offline, by the log's public key alone. Exit code 1 where it does not hold."""
    from gateway.receipt.verify import Covered, valid

    output.existing_file(file)
    output.language(lang)
    vkey = public_key(key)
    covered = Covered()
    found = _problems(file, vkey, covered)
    good = valid(found)
    if json:
        proven = _proven(covered) if good else None
        output.as_json({"valid": good, "proven": proven, "problems": [problems.as_dict(one, lang) for one in found]})
    else:
        problems.tell(found, lang)
        if good:
            for line in _proven_lines(covered, lang):
                output.data(line)
        output.say(word("holds" if good else "holds_not", lang))
    if not good:
        raise typer.Exit(output.NO)


def public_key(key: str) -> str:
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


def _problems(file: Path, vkey: str, covered: Covered) -> list[Problem]:
    """Everything wrong with the evidence in `file`, whose kind shows in its first bytes; `covered` takes what it shows."""
    from gateway.receipt import bundle as packing
    from gateway.receipt import proof, verify

    with file.open("rb") as stream:
        head = stream.read(64)
        if head.startswith(proof.HEADER.encode()):
            content = head + stream.read(proof.MAX_SIZE + 1)
            return verify.verify_proof(content, vkey, covered=covered)
        if head.startswith(b"PK"):
            # One byte more than a bundle may have is told from the whole of it.
            return verify.verify(head + stream.read(packing.MAX_SIZE), vkey, covered=covered)
    beside = file.with_name(file.name + _CHECKPOINT)
    if not head.startswith(b'{"hash":') and (head or not beside.is_file()):
        output.stop(f"{file} is no evidence: no bundle (zip), no proof file, no exported log")
    with output.progress("Verifying", file.stat().st_size) as step:
        return verify.verify_log(_lines(file, step), _notes(beside), vkey, covered)


def _notes(file: Path) -> Iterator[str]:
    """The checkpoints beside an exported log; none where there are none."""
    from gateway.receipt.verify import split_notes

    if file.is_file():
        with file.open(encoding="utf-8", errors="replace", newline="\n") as stream:
            yield from split_notes(iter(lambda: stream.readline(_LONGEST_LINE), ""))


def _lines(file: Path, step: Any) -> Iterator[bytes]:
    """The lines of an exported log; one longer than any has is cut, and so is none."""
    with file.open("rb") as stream:
        while line := stream.readline(_LONGEST_LINE):
            step(len(line))
            yield line


def _proven(covered: Covered) -> dict[str, Any]:
    """What was verified, for programs."""
    return {
        "origin": covered.origin,
        "receipts": dict(sorted(covered.stages.items())),
        "test_receipts": covered.tests,
        "first_at": covered.first or None,
        "last_at": covered.last or None,
        "checkpoint_size": covered.size,
        "files": covered.files,
        "uncovered": sorted(covered.uncovered),
        "recipients": {str(index): partner for index, partner in sorted(covered.recipients.items())},
    }


def _proven_lines(covered: Covered, language: str) -> Iterator[str]:
    """What was verified, for people."""
    count = covered.stages.total()
    stages = ", ".join(f"{state(name, language)} {n}" for name, n in sorted(covered.stages.items())) or "-"
    yield word("log", language, origin=covered.origin)
    yield word("one_receipt" if count == 1 else "receipts", language, count=count, stages=stages)
    if covered.tests:
        yield word("test_receipts", language, count=covered.tests)
    if covered.first:
        # A checkpoint has no time of its own (C2SP tlog-checkpoint); its receipts have.
        yield word("span", language, first=covered.first, last=covered.last)
    for index, partner in sorted(covered.recipients.items()):
        yield word("recipient", language, index=index, partner=partner)
    if covered.files:
        yield word("vouched", language, count=covered.files)
    for name in sorted(covered.uncovered):
        yield word("uncovered", language, file=name)
    yield word("checkpoint", language, size=covered.size)
