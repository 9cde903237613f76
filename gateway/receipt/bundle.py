"""Evidence bundles: one zip file with payloads, receipts, proofs and the checkpoint, to be verified anywhere.

    README.txt                       what this is, in English and Chinese
    manifest.json                    every other file with its size and SHA-256; canonical JSON
    checkpoint                       the signed checkpoint all proofs lead to
    receipts/000000000017.json       the receipt at index 17 of the log, as it was hashed
    proofs/000000000017.tlog-proof   its proof
    payloads/<sha256>                bytes a receipt vouches for: what was received, delivered, answered
    attachments/<name>               what helps to read the rest, such as certificates; vouched for by nobody

The manifest is no evidence: it only lets a damaged or missing file be named. The evidence is the
checkpoint's signature, the proofs, and the digests in the receipts. The same parts always make the
same bytes.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gateway.errors import PayloadTooLarge, ReceiptInvalid
from gateway.model import Receipt
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

_README_TEXT = """\
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


def payload_name(body: bytes) -> str:
    """The file of a payload."""
    return f"payloads/{hashlib.sha256(body).hexdigest()}"


def make_bundle(
    checkpoint: str,
    receipts: Iterable[tuple[Receipt, Sequence[bytes]]],
    payloads: Iterable[bytes] = (),
    attachments: Mapping[str, bytes] | None = None,
    recipients: Mapping[int, tuple[str, bytes]] | None = None,
) -> bytes:
    """The bundle of `receipts`, each with its inclusion hashes in the tree of `checkpoint`.

    `recipients` names, by index of a receipt, the partner and the salt its commitment was made with: for
    the recipient's own bundle, never for the sender's. ValueError for an attachment's name that is not
    letters, digits, dots, dashes and underscores.
    """
    files: dict[str, bytes] = {README: _README_TEXT.encode(), CHECKPOINT: checkpoint.encode()}
    for receipt, hashes in receipts:
        files[receipt_name(receipt.index)] = receipt.body
        files[proof_name(receipt.index)] = Proof(receipt.index, tuple(hashes), checkpoint).text().encode()
    files |= {payload_name(body): body for body in payloads}
    for name, content in (attachments or {}).items():
        if "/" in name or not FILE_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for an attachment")
        files[f"attachments/{name}"] = content
    opened = [
        {"index": index, "partner": partner, "salt": salt.hex()}
        for index, (partner, salt) in sorted((recipients or {}).items())
    ]
    files[MANIFEST] = manifest(files, opened)
    return pack(files)


def manifest(files: Mapping[str, bytes], recipients: Sequence[Mapping[str, object]] = ()) -> bytes:
    """The manifest of `files`."""
    listed = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)} for name, content in files.items()
    }
    return canonical({"files": listed, "recipients": list(recipients), "version": VERSION})


def pack(files: Mapping[str, bytes]) -> bytes:
    """A zip file of `files` in the order of their names, uncompressed and undated, so that equal parts make equal bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, files[name])
    return target.getvalue()


def unpack(bundle: bytes, max_size: int = MAX_SIZE) -> dict[str, bytes]:
    """The files of a bundle, compressed or not. ReceiptInvalid where it cannot be read, PayloadTooLarge beyond `max_size` bytes."""
    if len(bundle) > max_size:
        raise PayloadTooLarge("the bundle is larger than allowed")
    try:
        with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            if len(set(names)) != len(names) or not all(FILE_NAME.fullmatch(name.rstrip("/")) for name in names):
                raise ReceiptInvalid("the bundle holds two files of one name, or an unusual name")
            # zipfile gives no more bytes than the directory announces, so that this sum bounds a zip bomb.
            if len(entries) > MAX_FILES or sum(entry.file_size for entry in entries) > max_size:
                raise PayloadTooLarge("the bundle unpacks to more than allowed")
            if any(entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} for entry in entries):
                raise ReceiptInvalid("the bundle is compressed in an unusual way")
            return {entry.filename: archive.read(entry) for entry in entries if not entry.is_dir()}
    except (zipfile.BadZipFile, RuntimeError, EOFError, ValueError, OSError, struct.error, zlib.error) as error:
        raise ReceiptInvalid("the bundle is no readable zip file") from error
