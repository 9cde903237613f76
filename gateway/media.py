"""What each family of wire formats is called where bytes are named from outside: media type and file extension."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message

from gateway.model import Syntax


@dataclass(frozen=True, slots=True)
class Medium:
    """The media type of an HTTP header, and the extension of a file's name, without its dot."""

    type: str
    extension: str


MEDIA: Mapping[Syntax, Medium] = {
    Syntax.EDIFACT: Medium("application/EDIFACT", "edi"),  # RFC 1767
    Syntax.X12: Medium("application/EDI-X12", "x12"),  # RFC 1767
    Syntax.XML: Medium("application/xml", "xml"),  # RFC 7303
    Syntax.JSON: Medium("application/json", "json"),  # RFC 8259
    Syntax.UNKNOWN: Medium("application/octet-stream", "bin"),
}


_SYNTAXES = {syntax.value: syntax for syntax in Syntax}


def find_medium(format_: str) -> Medium:
    """The medium of a wire format such as `edifact:CUSDEC:D:96B:UN`; plain bytes where it names no syntax of ours."""
    name = format_.partition(":")[0]
    return MEDIA[_SYNTAXES.get(name, Syntax.UNKNOWN)]


def filename_of(headers: Message) -> str:
    """The file name in headers; none where it is written in a character set that there is not (RFC 2231)."""
    try:
        return headers.get_filename() or ""
    except ValueError:
        return ""
