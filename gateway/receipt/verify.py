"""The offline verifier: judges evidence bundles, proof files, exported logs and pairs of checkpoints by a public key alone.

Whatever is wrong is named, as problems; nothing is raised for it. Evidence is good when `valid` says
so: warnings and notes do not count against it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.errors import PayloadTooLarge, ReceiptInvalid
from gateway.receipt import bundle as packing
from gateway.receipt import chain
from gateway.receipt.audit import log_line, split_notes, verify_log
from gateway.receipt.covered import Covered
from gateway.receipt.problems import (
    Problem,
    canonical_list,
    canonical_object,
    check_checkpoint,
    check_receipt,
    valid,
)
from gateway.receipt.proof import Proof
from gateway.receipt.signed import VERSION, Checkpoint, Verifier, recipient_commitment

__all__ = [
    "Covered",
    "Problem",
    "log_line",
    "split_notes",
    "valid",
    "verify",
    "verify_extension",
    "verify_log",
    "verify_proof",
]


def verify(bundle: bytes, vkey: str, max_size: int = packing.MAX_SIZE, covered: Covered | None = None) -> list[Problem]:
    """Everything wrong with an evidence bundle, judged by the log's public key alone; `covered` takes what it shows."""
    covered = Covered() if covered is None else covered
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
    indexes = packing.numbered(files, packing.receipt_name)
    receipts: dict[int, dict[str, Any]] = {}
    for index in indexes:
        name = packing.receipt_name(index)
        receipt, found = check_receipt(files[name], index, name, verifier.name)
        found += _check_proof(files, index, note, head)
        problems += found
        if head is not None and receipt is not None and not found:
            receipts[index] = receipt
            covered.take(receipt)
    if head is not None:
        covered.take_head(head)
    if not indexes:
        problems.append(Problem("receipt.bundle.empty"))
    problems += [
        Problem("receipt.proof.stray", index, packing.proof_name(index))
        for index in packing.numbered(files, packing.proof_name)
        if packing.receipt_name(index) not in files
    ]
    problems += _check_files(files, receipts, covered)
    problems += _check_present(files, receipts)
    problems += _check_recipients(recipients, receipts, covered)
    return problems


def verify_proof(content: bytes, vkey: str, receipt: bytes = b"", covered: Covered | None = None) -> list[Problem]:
    """Everything wrong with a proof file and its receipt, which the file carries unless it is given beside it.

    `covered` takes what it shows.
    """
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
    fields, found = check_receipt(body, proof.index, "", verifier.name)
    problems += found
    leaf = chain.leaf_hash(body)
    # A file that carries one receipt and lies beside another would show each reader its own.
    other = proof.receipt not in {b"", body}
    if other or (
        head is not None and not chain.verify_inclusion(leaf, proof.index, head.size, proof.hashes, head.root)
    ):
        problems.append(Problem("receipt.proof.wrong", proof.index))
    if covered is not None and head is not None and fields is not None and not problems:
        covered.take(fields)
        covered.take_head(head)
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


def _check_files(
    files: Mapping[str, bytes], receipts: Mapping[int, Mapping[str, Any]], covered: Covered
) -> list[Problem]:
    """That each file is one that a bundle has, and that a receipt vouches for what looks as if one did."""
    problems: list[Problem] = []
    vouched = {r.get(key) for r in receipts.values() for key in ("sha256", "payload_sha256", "answer_sha256")}
    listed = {r.get("findings_sha256") for r in receipts.values()}
    numbered = {name(index) for name in _NUMBERED for index in packing.numbered(files, name)}
    for name, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        if name in numbered or name in {packing.MANIFEST, packing.CHECKPOINT}:
            continue
        if name == packing.README:
            if content != packing.README_TEXT.encode():
                problems.append(Problem("receipt.bundle.readme", name=name))
                covered.uncovered.append(name)
        elif name.startswith("attachments/"):
            if digest in vouched:
                covered.files += 1
            else:
                problems.append(Problem("receipt.attachment.unproven", name=name))
                covered.uncovered.append(name)
        elif name.startswith(("payloads/", "findings/")):
            if (name == packing.payload_name(content) and digest in vouched) or (
                name == packing.findings_name(content) and digest in listed
            ):
                covered.files += 1
            else:
                problems.append(Problem("receipt.payload.unproven", name=name))
        else:
            problems.append(Problem("receipt.bundle.unknown", name=name))
    return problems


_NUMBERED: Final = (packing.receipt_name, packing.proof_name)


def _check_present(files: Mapping[str, bytes], receipts: Mapping[int, Mapping[str, Any]]) -> list[Problem]:
    """What the receipts are about and the bundle does not hold, and whether what it holds has the size they give."""
    problems: list[Problem] = []
    for index, receipt in receipts.items():
        name = packing.receipt_name(index)
        payload = files.get(f"payloads/{receipt.get('sha256', receipt.get('payload_sha256'))}")
        if payload is None:
            problems.append(Problem("receipt.payload.absent", index, name))
        elif "sha256" in receipt and receipt["size"] != len(payload):
            problems.append(Problem("receipt.payload.size", index, name))
        if "findings" not in receipt:
            continue
        total, some = receipt["findings_total"], receipt["findings"]
        listed = files.get(f"findings/{receipt['findings_sha256']}.json")
        if listed is not None:
            whole = canonical_list(listed)
            if whole is None or len(whole) != total or whole[: len(some)] != some:
                problems.append(Problem("receipt.findings.wrong", index, name))
        elif total != len(some):
            args = {"listed": str(len(some)), "total": str(total)}
            problems.append(Problem("receipt.findings.absent", index, name, args))
    return problems


def _check_recipients(
    recipients: Sequence[Any], receipts: Mapping[int, Mapping[str, Any]], covered: Covered
) -> list[Problem]:
    """That the recipients the manifest names are those the receipts commit to."""
    problems: list[Problem] = []
    for opened in recipients:
        match opened:
            case {"index": int(index), "partner": str(partner), "salt": str(salt)} if (
                len(opened) == 3 and type(index) is int and re.fullmatch("[0-9a-f]{64}", salt)
            ):
                if receipts.get(index, {}).get("recipient") == recipient_commitment(partner, bytes.fromhex(salt)):
                    covered.recipients[index] = partner
                else:
                    problems.append(Problem("receipt.recipient.wrong", index, packing.MANIFEST))
            case _:
                problems.append(Problem("receipt.bundle.manifest", name=packing.MANIFEST))
    return problems


def _check_manifest(files: Mapping[str, bytes]) -> tuple[list[Problem], Sequence[Any]]:
    """What differs between manifest and files, which are warnings, since it is no evidence; and the recipients it names."""
    found = canonical_object(files.get(packing.MANIFEST, b""))
    listed = found.get("files") if found else None
    recipients = found.get("recipients") if found else None
    if (
        found is None
        or set(found) != {"files", "recipients", "version"}
        or found["version"] != VERSION
        or not isinstance(listed, dict)
        or not isinstance(recipients, list)
        or not all(packing.FILE_NAME.fullmatch(name) for name in listed)
    ):
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


def _text(content: bytes) -> str:
    """`content` as UTF-8; of bytes that are none, a sign that is no part of any note or proof."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return "\ufffd"
