"""Translation: every document that there may be, in every format, under every sort of agreement."""

import zlib
from collections.abc import Iterator

from pydantic import ValidationError

from gateway import data
from gateway.documents import MODELS
from gateway.model import Agreement, Direction
from tests.fuzz.invariants import Budget
from tests.fuzz.outgoing import rendered_by

ZONES = ("UTC", "Asia/Shanghai", "Africa/Monrovia", "Asia/Kolkata")
CHARSETS = ("", "", "latin-1", "gb18030", "ascii", "utf-16")
TABLES = ("un", "ciq", "customs")


def begin() -> Iterator[bytes]:
    """The samples' documents, each below the name of its type."""
    for path in sorted(data.samples().glob("*/*/document.json")):
        yield f"{path.parts[-3]}\n".encode() + path.read_bytes()


def one(body: bytes) -> None:
    """What a model takes is written so that our own strict check takes it, or it is said why not."""
    name, _, said = body.partition(b"\n")
    model = MODELS.get(name.decode("ascii", "replace"))
    if model is None:
        return
    with Budget(body) as budget:
        try:
            document = model.model_validate_json(said)
        except ValidationError:
            return
        draw = zlib.crc32(body)
        agreement = Agreement(
            "a",
            "acme",
            Direction.OUT,
            "*",
            "*",
            time_zone=ZONES[draw & 3],
            charset=CHARSETS[(draw >> 2) % len(CHARSETS)],
            code_tables=TABLES[(draw >> 5) % len(TABLES)],
        )
        rendered_by(document.document_type, document, agreement, budget)
