"""One interchange of very many declarations, each a consignment of its own."""

from __future__ import annotations

from pathlib import Path

from tests.faults.material import declaration

HEADER = "UNB+UNOY:4+SAMPLETRADER:ZZ+CIQ:ZZ+20260305:0930+{reference}'"


_MARKS = ":".join(["示例葡萄酒第七批" * 7] * 3)
"""Shipping marks as long as they often are; a declaration has two kilobytes with them."""


def message_of(serial: int) -> str:
    """The declaration of that serial as one message of an interchange, under its serial as reference."""
    text = declaration(serial).decode()
    text = text[text.index("UNH+") : text.index("UNZ+")].replace("'\n", "'").replace("REVISION 0", _MARKS)
    return text.replace("UNH+1+", f"UNH+{serial}+").removesuffix("+1'") + f"+{serial}'"


def write_interchange(path: Path, size: int, messages: int, reference: str = "STREAM1", *, first: int = 1) -> int:
    """Write an interchange of at least `size` bytes and so many messages; how many it holds, with serials from `first`."""
    count = written = 0
    with path.open("wb") as file:
        file.write(f"UNA:+.?*'{HEADER.format(reference=reference)}".encode())
        while written < size or count < messages:
            written += file.write(message_of(first + count).encode())
            count += 1
        file.write(f"UNZ+{count}+{reference}'".encode())
    return count
