"""The offline verifier: judges evidence bundles, proof files, exported logs and pairs of checkpoints by a public key alone.

Whatever is wrong is named, as problems; nothing is raised for it. Evidence is good when `valid` says
so: warnings and notes do not count against it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.errors import PayloadTooLarge, ReceiptInvalid
from gateway.receipt import bundle as packing
from gateway.receipt import chain
from gateway.receipt.audit import log_line, split_notes, verify_log
from gateway.receipt.problems import Problem, canonical_object, check_checkpoint, check_receipt, valid
from gateway.receipt.proof import Proof
from gateway.receipt.signed import Checkpoint, Verifier, recipient_commitment

__all__ = ["Problem", "log_line", "split_notes", "valid", "verify", "verify_extension", "verify_log", "verify_proof"]


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
    head, found = check_checkpoint(note, verifier, packing.CHECKPOINT)
    problems += found
    receipts: dict[int, dict[str, Any]] = {}
    for index, name in _numbered(files, "receipts/", ".json"):
        receipt, found = check_receipt(files[name], index, name, verifier.name)
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
    head, problems = check_checkpoint(proof.checkpoint, verifier)
    _, found = check_receipt(body, proof.index, "", verifier.name)
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
    old, problems = check_checkpoint(older, verifier)
    new, found = check_checkpoint(newer, verifier)
    problems += found
    if old is None or new is None:
        return problems
    sizes = {"size": str(new.size), "before": str(old.size)}
    if new.size < old.size:
        return [Problem("receipt.checkpoint.shrunk", args=sizes)]
    if not chain.verify_consistency(old.size, new.size, proof, old.root, new.root):
        return [Problem("receipt.checkpoint.forked", args=sizes)]
    return []


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
    found = canonical_object(files.get(packing.MANIFEST, b""))
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


def _numbered(files: Mapping[str, bytes], folder: str, suffix: str) -> list[tuple[int, str]]:
    """(index, name) of the files in a folder that are named by an index."""
    pattern = re.compile(re.escape(folder) + "([0-9]{12,18})" + re.escape(suffix), re.ASCII)
    return sorted((int(match[1]), name) for name in files if (match := pattern.fullmatch(name)))


def _text(content: bytes) -> str:
    """`content` as UTF-8; bytes that are none become U+FFFD, which no signature covers."""
    return content.decode("utf-8", errors="replace")
