"""Evidence bundles: one zip file with payloads, receipts, proofs and the checkpoint, to be verified anywhere.

    README.txt                       what this is, in English and Chinese
    manifest.json                    every other file with its size and SHA-256; canonical JSON
    checkpoint                       the signed checkpoint all proofs lead to
    receipts/000000000017.json       the receipt at index 17 of the log, as it was hashed
    proofs/000000000017.tlog-proof   its proof
    payloads/<sha256>                bytes a receipt vouches for: what was received, delivered, answered
    findings/<sha256>.json           all findings of a `checked` receipt that lists only the first of them
    attachments/<name>               what helps to read the rest, such as certificates; vouched for by nobody

The manifest is no evidence: it only lets a damaged or missing file be named. The evidence is the
checkpoint's signature, the proofs, and the digests in the receipts. The same parts always make the
same bytes.
"""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from gateway.errors import PayloadTooLarge
from gateway.model import Receipt
from gateway.receipt import archive
from gateway.receipt.proof import Proof
from gateway.receipt.signed import VERSION, canonical

MANIFEST: Final = "manifest.json"
CHECKPOINT: Final = "checkpoint"
README: Final = "README.txt"

MAX_SIZE: Final = 512 * 1024 * 1024
"""Bytes of a bundle, and of all that is packed in it: more than a 200 MB interchange and its renderings."""

MAX_FILES: Final = 100_000
"""Files of a bundle: the receipts and proofs of a case with tens of thousands of messages."""

FILE_NAME: Final = re.compile(r"([a-z]+/)?[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
"""What a file of a bundle may be called, so that a name is safe to print and to unpack."""

_PIECE: Final = 256 * 1024
"""Bytes of a payload that are copied at once."""

README_TEXT: Final = """\
Evidence bundle of an EDI gateway. Verify it with the log's public key, which you hold from the
gateway's operator and which is deliberately not in here:

    gateway receipt verify BUNDLE --key VKEY

docs/receipts.md of the gateway describes every byte, so that you can also verify it with tools of your own.

电子数据交换网关的证据包。请使用网关运营方事先交付的日志公钥进行验证；公钥有意不放入本包内：

    gateway receipt verify BUNDLE --key VKEY

各文件的逐字节格式见网关文档 docs/receipts.md，也可据此自行编写验证程序。
"""


def receipt_name(index: int) -> str:
    """The file of the receipt at `index`."""
    return f"receipts/{index:012d}.json"


def proof_name(index: int) -> str:
    """The file of its proof."""
    return f"proofs/{index:012d}.tlog-proof"


def numbered(files: Iterable[str], name_of: Callable[[int], str]) -> list[int]:
    """The indexes of the files that `name_of` names, each index under the one name it has."""
    digits = {name: re.search("[0-9]{12,18}", name) for name in files}
    found = ((int(match[0]), name) for name, match in digits.items() if match)
    return sorted(index for index, name in found if name == name_of(index))


def payload_name(body: bytes) -> str:
    """The file of a payload."""
    return f"payloads/{hashlib.sha256(body).hexdigest()}"


def findings_name(findings: bytes) -> str:
    """The file of the list of all findings that a receipt digests."""
    return f"findings/{hashlib.sha256(findings).hexdigest()}.json"


def make_bundle(
    checkpoint: str,
    receipts: Iterable[tuple[Receipt, Sequence[bytes]]],
    payloads: Iterable[bytes | Path] = (),
    attachments: Mapping[str, bytes] | None = None,
    recipients: Mapping[int, tuple[str, bytes]] | None = None,
    findings: Iterable[bytes] = (),
) -> bytes:
    """The bundle of `receipts`, each with its inclusion hashes in the tree of `checkpoint`.

    `findings` are the lists of all findings that receipts digest (`signed.whole_findings`). `recipients` names, by
    index of a receipt, the partner and the salt its commitment was made with: for the recipient's own bundle, never
    for the sender's. ValueError for an attachment's name that is not
    letters, digits, dots, dashes and underscores; PayloadTooLarge for more than a verifier reads.
    """
    target = io.BytesIO()
    write_bundle(target, checkpoint, receipts, payloads, attachments, recipients, findings)
    return target.getvalue()


def write_bundle(
    target: BinaryIO,
    checkpoint: str,
    receipts: Iterable[tuple[Receipt, Sequence[bytes]]],
    payloads: Iterable[bytes | Path] = (),
    attachments: Mapping[str, bytes] | None = None,
    recipients: Mapping[int, tuple[str, bytes]] | None = None,
    findings: Iterable[bytes] = (),
) -> None:
    """As `make_bundle`, into an empty file; a payload that is a file is copied into it piece by piece."""
    files: dict[str, bytes | Path] = {README: README_TEXT.encode(), CHECKPOINT: checkpoint.encode()}
    for receipt, hashes in receipts:
        files[receipt_name(receipt.index)] = receipt.body
        files[proof_name(receipt.index)] = Proof(receipt.index, tuple(hashes), checkpoint).text().encode()
    files |= {f"payloads/{_digest(payload)}": payload for payload in payloads}
    files |= {findings_name(listed): listed for listed in findings}
    for name, content in (attachments or {}).items():
        if "/" in name or not FILE_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for an attachment")
        files[f"attachments/{name}"] = content
    opened = [
        {"index": index, "partner": partner, "salt": salt.hex()}
        for index, (partner, salt) in sorted((recipients or {}).items())
    ]
    files[MANIFEST] = manifest(files, opened)
    pack_into(target, files)
    if target.tell() > MAX_SIZE or len(files) > MAX_FILES:
        raise PayloadTooLarge(f"a bundle holds {MAX_SIZE} bytes and {MAX_FILES} files at most; export the log instead")


def manifest(files: Mapping[str, bytes | Path], recipients: Sequence[Mapping[str, object]] = ()) -> bytes:
    """The manifest of `files`."""
    listed = {name: {"sha256": _digest(content), "size": _size(content)} for name, content in files.items()}
    return canonical({"files": listed, "recipients": list(recipients), "version": VERSION})


def _size(content: bytes | Path) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _digest(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pack(files: Mapping[str, bytes]) -> bytes:
    """A zip file of `files` in the order of their names, uncompressed and undated, so that equal parts make equal bytes."""
    target = io.BytesIO()
    pack_into(target, files)
    return target.getvalue()


def pack_into(target: BinaryIO, files: Mapping[str, bytes | Path]) -> None:
    """As `pack`, into an empty file that can be sought in, which is left at its end."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as file:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            content = files[name]
            if isinstance(content, bytes):
                file.writestr(info, content)
                continue
            info.file_size = _size(content)
            with content.open("rb") as source, file.open(info, "w") as entry:
                shutil.copyfileobj(source, entry, _PIECE)
    target.seek(0, io.SEEK_END)


def unpack(bundle: bytes, max_size: int = MAX_SIZE) -> dict[str, bytes]:
    """The files of a bundle, compressed or not.

    ReceiptInvalid where it is no zip file that every program reads alike, PayloadTooLarge beyond `max_size` bytes.
    """
    if len(bundle) > max_size:
        raise PayloadTooLarge("the bundle is larger than allowed")
    return archive.read(bundle, archive.Limits(max_size, MAX_FILES, FILE_NAME))
