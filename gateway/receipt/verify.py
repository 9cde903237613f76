"""The offline verifier: judges evidence bundles, exported logs and pairs of checkpoints by a public key alone.

Whatever is wrong is named, as problems; nothing is raised for it. A bundle or log is good when `valid`
says so: warnings and notes do not count against it.

An exported log is JSON Lines, one canonical object {"hash", "index", "receipt"} for each entry, and its
checkpoints from the oldest to the newest. The hash is the entry's leaf hash, so that a damaged entry
can be told from a rewritten history: the checkpoints vouch for the hashes, the hashes for the entries.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import rfc8785

from gateway import findings
from gateway.errors import PayloadTooLarge, ReceiptInvalid
from gateway.model import Finding, Place, Severity, Stage
from gateway.receipt import bundle as packing
from gateway.receipt import chain
from gateway.receipt.anchor import is_name_of
from gateway.receipt.proof import Proof
from gateway.receipt.signed import VERSION, Checkpoint, Verifier, recipient_commitment

MAX_PROBLEMS: Final = 1000
"""An exported log with more problems than this is not read to its end."""

_COMMON: Final = {"at": str, "environment": str, "log": str, "stage": str, "version": int}
_HANDED_OVER: Final = _COMMON | {
    "answer_sha256": str,
    "case": str,
    "delivery": str,
    "document": str,
    "kind": str,
    "message": str,
    "recipient": str,
    "recipient_role": str,
    "sha256": str,
    "size": int,
}
_FIELDS: Final[Mapping[str, Mapping[str, type]]] = {
    Stage.RECEIVED: _COMMON
    | {"payload": str, "sender": str, "sha256": str, "size": int, "transport": str, "transport_id": str},
    Stage.CHECKED: _COMMON
    | {"findings": list, "findings_sha256": str, "findings_total": int, "format": str, "mapping": str, "message": str}
    | {"payload": str, "payload_sha256": str, "reference": str, "schema": str, "verdict": str},
    Stage.RELAYED: _HANDED_OVER | {"evidence": str},
    Stage.DELIVERED: _HANDED_OVER | {"evidence": str},
    Stage.ANSWERED: _HANDED_OVER | {"answer_message": str, "verdict": str},
}
"""The fields of each stage's receipts, all of them required and no other allowed, in version 1."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with evidence. `index` is the place in the log, `name` the file of the bundle it is about."""

    code: str
    index: int | None = None
    name: str = ""
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def severity(self) -> Severity:
        """How grave it is, as the catalogue says."""
        return findings.catalogue()[self.code].severity

    def text(self, language: str = "en") -> str:
        """The problem in words, in `language` (`en` or `zh`)."""
        index = {} if self.index is None else {"index": str(self.index)}
        return findings.text(
            Finding(self.code, place=Place(path=self.name), args={"name": self.name, **index, **self.args}), language
        )


def valid(problems: Iterable[Problem]) -> bool:
    """Whether what was verified stands: none of its problems is an error."""
    return all(problem.severity is not Severity.ERROR for problem in problems)


def verify(bundle: bytes, vkey: str, max_size: int = packing.MAX_SIZE) -> list[Problem]:
    """Everything wrong with an evidence bundle, judged by the log's public key alone."""
    try:
        verifier = Verifier(vkey)
    except ReceiptInvalid:
        return [Problem("receipt.key.invalid")]
    try:
        files = packing.unpack(bundle, max_size)
    except PayloadTooLarge:
        return [Problem("receipt.bundle.too_large")]
    except ReceiptInvalid:
        return [Problem("receipt.bundle.unreadable")]
    problems, recipients = _check_manifest(files)
    if packing.pack(files) != bundle:
        problems.append(Problem("receipt.bundle.repacked"))
    note = _text(files.get(packing.CHECKPOINT, b""))
    head, found = _checkpoint(note, verifier, packing.CHECKPOINT)
    problems += found
    receipts: dict[int, dict[str, Any]] = {}
    for index, name in _numbered(files, "receipts/", ".json"):
        receipt, found = _check_receipt(files[name], index, name, verifier.name)
        problems += found
        if receipt is not None:
            receipts[index] = receipt
        problems += _check_proof(files, index, note, head)
    if not receipts:
        problems.append(Problem("receipt.bundle.empty"))
    problems += [
        Problem("receipt.proof.stray", index, name)
        for index, name in _numbered(files, "proofs/", ".tlog-proof")
        if packing.receipt_name(index) not in files
    ]
    problems += _check_payloads(files, receipts)
    problems += _check_recipients(recipients, receipts)
    return problems


def verify_proof(content: bytes, vkey: str, receipt: bytes = b"") -> list[Problem]:
    """Everything wrong with a proof file and its receipt, which the file carries unless it is given beside it."""
    try:
        verifier = Verifier(vkey)
    except ReceiptInvalid:
        return [Problem("receipt.key.invalid")]
    try:
        proof = Proof.parse(_text(content))
    except ReceiptInvalid:
        return [Problem("receipt.proof.unreadable")]
    body = receipt or proof.receipt
    if not body:
        return [Problem("receipt.proof.stray", proof.index)]
    head, problems = _checkpoint(proof.checkpoint, verifier)
    _, found = _check_receipt(body, proof.index, "", verifier.name)
    problems += found
    leaf = chain.leaf_hash(body)
    if head is not None and not chain.verify_inclusion(leaf, proof.index, head.size, proof.hashes, head.root):
        problems.append(Problem("receipt.proof.wrong", proof.index))
    return problems


def verify_extension(older: str, newer: str, proof: Sequence[bytes], vkey: str) -> list[Problem]:
    """What is wrong with the claim that the log of checkpoint `newer` begins with that of `older`."""
    try:
        verifier = Verifier(vkey)
    except ReceiptInvalid:
        return [Problem("receipt.key.invalid")]
    old, problems = _checkpoint(older, verifier)
    new, found = _checkpoint(newer, verifier)
    problems += found
    if old is None or new is None:
        return problems
    sizes = {"size": str(new.size), "before": str(old.size)}
    if new.size < old.size:
        return [Problem("receipt.checkpoint.shrunk", args=sizes)]
    if not chain.verify_consistency(old.size, new.size, proof, old.root, new.root):
        return [Problem("receipt.checkpoint.forked", args=sizes)]
    return []


def log_line(index: int, body: bytes) -> bytes:
    """One line of an exported log: the receipt `body` at `index`."""
    return b'{"hash":"%s","index":%d,"receipt":%s}\n' % (chain.leaf_hash(body).hex().encode(), index, body)


def split_notes(lines: Iterable[str]) -> Iterator[str]:
    """The checkpoints in a file that holds one after the other, from its lines with their newlines."""
    note: list[str] = []
    for line in lines:
        # No origin begins like a signature line: the name of a key has no blanks.
        if note and note[-1].startswith("— ") and not line.startswith("— "):
            yield "".join(note)
            note = []
        note.append(line)
    if note:
        yield "".join(note)


def verify_log(lines: Iterable[bytes], checkpoints: Iterable[str], vkey: str) -> list[Problem]:
    """Everything wrong with a whole exported log, in bounded memory.

    `checkpoints` go from the oldest to the newest. Those signed under an earlier name of the log (see
    `anchor`) with the same key count as well.
    """
    try:
        verifier = Verifier(vkey)
    except ReceiptInvalid:
        return [Problem("receipt.key.invalid")]
    audit = _LogAudit(verifier)
    heads = _heads(checkpoints, verifier, audit.problems)
    head = next(heads, None)
    if head is None and not audit.problems:
        audit.problems.append(Problem("receipt.checkpoint.missing"))
    for line in lines:
        # A log signed while it was empty has a checkpoint over no entries.
        while head is not None and head.size <= audit.size:
            audit.judge(head)
            head = next(heads, None)
        audit.read(line)
        if len(audit.problems) >= MAX_PROBLEMS:
            return [*audit.problems, Problem("receipt.log.too_many")]
    while head is not None:
        audit.judge(head)
        head = next(heads, None)
    audit.close()
    return audit.problems


class _LogAudit:
    """What an exported log has shown so far.

    Two trees grow side by side, one of the hashes the lines give and one of the hashes their receipts
    have. The checkpoint says which of the two was signed, so that a damaged hash is told from a damaged
    receipt; both trees go on from there.
    """

    def __init__(self, verifier: Verifier) -> None:
        self.problems: list[Problem] = []
        self.size = 0
        self._verifier = verifier
        self._given = chain.Frontier()
        self._computed = chain.Frontier()
        self._judged = 0
        self._gaps: list[tuple[int, int]] = []
        self._whole = True
        self._cut = False
        self._line = 0

    def read(self, line: bytes) -> None:
        """Take the next line."""
        self._line += 1
        entry = _entry(line)
        if entry is None:
            self._add("receipt.log.malformed", self.size, line=str(self._line))
            self._whole = False
            self.size += 1
            return
        index, given, body = entry
        if index < self.size:
            again = self._fill_gap(index)
            self._add("receipt.log.misplaced" if again else "receipt.log.repeated", index, line=str(self._line))
            self._whole = False
            return
        if index > self.size:
            self._gaps.append((self.size, index - 1))
            self._whole = False
        self.size = index + 1
        computed = chain.leaf_hash(body)
        if computed != given:
            self._add("receipt.log.changed", index)
        else:
            _, found = _check_receipt(body, index, "", self._verifier.name)
            self.problems += found
        if self._whole:
            self._given.append([given])
            self._computed.append([computed])

    def judge(self, head: Checkpoint) -> None:
        """Compare what was read with the checkpoint over exactly that, or find that the log ends too early."""
        if head.size > self.size and not self._cut:
            self._add("receipt.log.cut", self.size, size=str(head.size))
            self._whole, self._cut = False, True
        if not self._whole:
            return
        if head.root == self._given.root():
            self._computed = self._given.copy()
        elif head.root == self._computed.root():
            self._given = self._computed.copy()
        elif head.size == self._judged:
            sizes = {"size": str(head.size), "before": str(self._judged)}
            self.problems.append(Problem("receipt.checkpoint.forked", args=sizes))
            self._whole = False
        else:
            self._add("receipt.log.rewritten", self._judged, last=str(head.size - 1))
            self._whole = False
        self._judged = head.size

    def close(self) -> None:
        """Say what only the end shows."""
        for first, last in self._gaps:
            self._add("receipt.log.missing", first, last=str(last))
        if self._whole and self.size > self._judged:
            self._add("receipt.log.unsigned", self._judged)

    def _fill_gap(self, index: int) -> bool:
        """Whether `index` was missing until now; it is not any more."""
        for at, (first, last) in enumerate(self._gaps):
            if first <= index <= last:
                parts = [(first, index - 1), (index + 1, last)]
                self._gaps[at : at + 1] = [(begin, end) for begin, end in parts if begin <= end]
                return True
        return False

    def _add(self, code: str, index: int, **args: str) -> None:
        self.problems.append(Problem(code, index, args=args))


def _heads(checkpoints: Iterable[str], verifier: Verifier, problems: list[Problem]) -> Iterator[Checkpoint]:
    """The good checkpoints, in order; what is wrong with the others goes to `problems`."""
    before = 0
    for note in checkpoints:
        name = note.partition("\n")[0]
        earlier = is_name_of(name, verifier.name) and name != verifier.name
        head, found = _checkpoint(note, verifier.renamed(name) if earlier else verifier)
        problems += found
        if head is None:
            continue
        if head.size < before:
            problems.append(Problem("receipt.checkpoint.shrunk", args={"size": str(head.size), "before": str(before)}))
            continue
        before = head.size
        yield head


def _entry(line: bytes) -> tuple[int, bytes, bytes] | None:
    """(index, hash given, receipt) of a line, or None where it is not exactly as `log_line` writes one."""
    match = re.fullmatch(
        rb'\{"hash":"([0-9a-f]{64})","index":(0|[1-9][0-9]{0,18}),"receipt":(\{.*\})\}\n?', line, re.DOTALL
    )
    if match is None:
        return None
    return int(match[2]), bytes.fromhex(match[1].decode()), match[3]


def _check_receipt(body: bytes, index: int, name: str, origin: str) -> tuple[dict[str, Any] | None, list[Problem]]:
    """The fields of a receipt, None where it is none."""
    fields = _canonical_object(body)
    if fields is not None and isinstance(fields.get("version"), int) and fields["version"] != VERSION:
        return None, [Problem("receipt.version", index, name, {"version": str(fields["version"])})]
    stage = fields.get("stage") if fields else None
    shape = _FIELDS.get(stage) if isinstance(stage, str) else None
    if fields is None or shape is None or {key: type(value) for key, value in fields.items()} != shape:
        return None, [Problem("receipt.malformed", index, name)]
    if not is_name_of(fields["log"], origin):
        return fields, [Problem("receipt.other_log", index, name)]
    return fields, []


def _check_proof(files: Mapping[str, bytes], index: int, note: str, head: Checkpoint | None) -> list[Problem]:
    name = packing.proof_name(index)
    if name not in files:
        return [Problem("receipt.proof.missing", index, name)]
    try:
        proof = Proof.parse(_text(files[name]))
    except ReceiptInvalid:
        return [Problem("receipt.proof.malformed", index, name)]
    if proof.index != index or proof.checkpoint != note:
        return [Problem("receipt.proof.other_place", index, name)]
    leaf = chain.leaf_hash(files[packing.receipt_name(index)])
    if head is not None and not chain.verify_inclusion(leaf, index, head.size, proof.hashes, head.root):
        return [Problem("receipt.proof.wrong", index, packing.receipt_name(index))]
    return []


def _check_payloads(files: Mapping[str, bytes], receipts: Mapping[int, Mapping[str, Any]]) -> list[Problem]:
    """That a receipt vouches for each payload, and which payloads are not there."""
    problems: list[Problem] = []
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    vouched = {r.get(key) for r in receipts.values() for key in ("sha256", "payload_sha256", "answer_sha256")}
    sizes: dict[str, int] = {}
    for name, digest in digests.items():
        if name.startswith("payloads/"):
            sizes[digest] = len(files[name])
            if digest not in vouched or name != f"payloads/{digest}":
                problems.append(Problem("receipt.payload.unproven", name=name))
        elif name.startswith("attachments/") and digest not in vouched:
            problems.append(Problem("receipt.attachment.unproven", name=name))
    for index, receipt in receipts.items():
        digest = receipt.get("sha256", receipt.get("payload_sha256"))
        if digest not in sizes:
            problems.append(Problem("receipt.payload.absent", index, packing.receipt_name(index)))
        elif "sha256" in receipt and receipt.get("size") != sizes[digest]:
            problems.append(Problem("receipt.payload.size", index, packing.receipt_name(index)))
    return problems


def _check_recipients(recipients: Sequence[Any], receipts: Mapping[int, Mapping[str, Any]]) -> list[Problem]:
    """That the recipients the manifest names are those the receipts commit to."""
    problems: list[Problem] = []
    for opened in recipients:
        match opened:
            case {"index": int(index), "partner": str(partner), "salt": str(salt)} if re.fullmatch(
                "[0-9a-f]{64}", salt
            ):
                if receipts.get(index, {}).get("recipient") != recipient_commitment(partner, bytes.fromhex(salt)):
                    problems.append(Problem("receipt.recipient.wrong", index, packing.MANIFEST))
            case _:
                problems.append(Problem("receipt.bundle.manifest", name=packing.MANIFEST))
    return problems


def _check_manifest(files: Mapping[str, bytes]) -> tuple[list[Problem], Sequence[Any]]:
    """What differs between manifest and files; and the recipients it names."""
    found = _canonical_object(files.get(packing.MANIFEST, b""))
    listed = found.get("files") if found else None
    recipients = found.get("recipients") if found else None
    if not isinstance(listed, dict) or not isinstance(recipients, list):
        return [Problem("receipt.bundle.manifest", name=packing.MANIFEST)], []
    if not all(packing.FILE_NAME.fullmatch(name) for name in listed):
        return [Problem("receipt.bundle.manifest", name=packing.MANIFEST)], []
    problems = [Problem("receipt.bundle.file_missing", name=name) for name in listed if name not in files]
    for name, content in files.items():
        if name == packing.MANIFEST:
            continue
        if name not in listed:
            problems.append(Problem("receipt.bundle.file_unlisted", name=name))
        elif listed[name] != {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}:
            problems.append(Problem("receipt.bundle.file_changed", name=name))
    return problems, recipients


def _checkpoint(note: str, verifier: Verifier, name: str = "") -> tuple[Checkpoint | None, list[Problem]]:
    """The checkpoint in a note, None where the key does not vouch for it."""
    if not note:
        return None, [Problem("receipt.checkpoint.missing", name=name)]
    try:
        return verifier.checkpoint(note), []
    except ReceiptInvalid:
        origin = note.partition("\n")[0]
        if origin == verifier.name:
            return None, [Problem("receipt.checkpoint.invalid", name=name)]
        args = {"found": origin[:200] if origin.isprintable() else "?", "expected": verifier.name}
        return None, [Problem("receipt.checkpoint.other_log", name=name, args=args)]


def _numbered(files: Mapping[str, bytes], folder: str, suffix: str) -> list[tuple[int, str]]:
    """(index, name) of the files in a folder that are named by an index."""
    pattern = re.compile(re.escape(folder) + "([0-9]{12,18})" + re.escape(suffix), re.ASCII)
    return sorted((int(match[1]), name) for name in files if (match := pattern.fullmatch(name)))


def _canonical_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in `body`, or None unless it is written in the one way RFC 8785 allows."""
    try:
        value = json.loads(body)
        canonical = rfc8785.dumps(value)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and canonical == body else None


def _text(content: bytes) -> str:
    """`content` as UTF-8; bytes that are none become U+FFFD, which no signature covers."""
    return content.decode("utf-8", errors="replace")
