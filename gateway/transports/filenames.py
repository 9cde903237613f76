"""What files are called in partners' folders, and what is said of them there.

A file of the partner's was taken when its bytes were kept. What is wrong inside it is told by an answer of ours, which names
the interchange; for software that goes by names of files the answer's is called by the file that it answers.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

from gateway.media import find_medium
from gateway.model import Delivery
from gateway.store.contract import storable
from gateway.transports.base import Origin

Names: TypeAlias = Literal["id", "file"]
NAMES = (
    "How answers are called: by the delivery's id alone, or, with file, after the file that they answer, whose refusal "
    "stands in FailBox then"
)
"""What the option says, in folders and SFTP alike."""
UNFINISHED = (".tmp", ".part", ".filepart", ".swp")
"""How the names of files end that are being written."""
_LONGEST_NAME = 255
"""Bytes in a file's name (NAME_MAX of the file systems in use)."""


def name_beside(name: str, suffix: str) -> str:
    """`name` with `suffix`; of a name that is too long for both, the beginning and a digest."""
    if len(os.fsencode(name + suffix)) <= _LONGEST_NAME:
        return name + suffix
    whole = os.fsencode(name)
    end = f"~{hashlib.sha256(whole).hexdigest()[:16]}{suffix}"
    return whole[: _LONGEST_NAME - len(end)].decode("utf-8", "ignore") + end


def name_file(delivery: Delivery, origin: Origin | None) -> str:
    """What the file of a delivery is called, the same each time: by its id, after the name of the file that it answers."""
    suffix = f"{delivery.document_type or delivery.kind}-{delivery.id}.{find_medium(delivery.format).extension}"
    return suffix if origin is None else name_beside(PurePosixPath(origin.filename).stem, f".{suffix}")


def name_reason(origin: Origin) -> str:
    """What the file is called that says why another was refused."""
    return name_beside(origin.filename, ".reason.json")


def write_reason(origin: Origin, answer: str) -> bytes:
    """Why a file was refused by what is in it, and which file of InBox answers it."""
    said = {"refused": "ContentRefused", "reason": storable(" ".join(origin.reasons)), "answer": answer}
    return json.dumps(said, ensure_ascii=False).encode()
