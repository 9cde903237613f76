"""Media types and file extensions: one table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway import media
from gateway.media import MEDIA, find_medium
from gateway.model import Syntax


@pytest.mark.parametrize(
    ("format_", "type_", "extension"),
    [
        ("edifact:CUSDEC:D:96B:UN", "application/EDIFACT", "edi"),
        ("x12:309:004010", "application/EDI-X12", "x12"),
        ("xml:EEntDeclIo:1", "application/xml", "xml"),
        ("json", "application/json", "json"),
        ("pdf:1", "application/octet-stream", "bin"),
        ("", "application/octet-stream", "bin"),
    ],
)
def test_a_format_has_one_type_and_one_extension(format_: str, type_: str, extension: str) -> None:
    """Whoever names bytes from outside calls them the same; what is none of ours is plain bytes."""
    found = find_medium(format_)
    assert (found.type, found.extension) == (type_, extension)


def test_there_is_one_table() -> None:
    """Each syntax is in it, and no other module has the types of EDI."""
    assert set(MEDIA) == set(Syntax)
    root = Path(media.__file__).parent
    named = re.compile("application/edi", re.IGNORECASE)
    own = {"media.py"} | {str(p.relative_to(root)) for p in (root / "simulators").glob("*.py")}
    holders = {str(p.relative_to(root)) for p in root.rglob("*.py") if named.search(p.read_text("utf-8"))}
    assert holders <= own
