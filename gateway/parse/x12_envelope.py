"""Opens X12 interchanges and groups: finds the separators, reads ISA and GS, and checks their fields (X12.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from gateway.findings import make_finding
from gateway.model import Finding, Place, Syntax
from gateway.parse.segments import Delimiters, Envelope, Group, GroupBegun, InterchangeBegun

GROUPS: Mapping[str, frozenset[str]] = {
    "309": frozenset({"AQ", "SO"}),
    "310": frozenset({"IO"}),
    "315": frozenset({"QO"}),
    "322": frozenset({"SO"}),
    "810": frozenset({"IN"}),
    "824": frozenset({"AG"}),
    "850": frozenset({"PO"}),
    "856": frozenset({"SH"}),
    "997": frozenset({"FA"}),
    "999": frozenset({"FA"}),
}
"""The functional groups (479) that a transaction set may stand in; of other sets no open source says it. The manifest
travels under both, by partner."""

HEAD = 512
"""Bytes to look at: an ISA that is not padded, or what stands in place of one."""
_ISA_WIDTHS = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)
_ISA_LENGTH = 106
_ISA_SEPARATORS = tuple(3 + sum(_ISA_WIDTHS[:n]) + n for n in range(16))
_ISA_START = re.compile(rb"ISA[^A-Za-z0-9\s]")
_WRAPPED = re.compile(rb"ISA[^A-Za-z0-9\s][^\r\n]{76}(?=\r?\n)")
_UNREAD = Delimiters(terminator="", element="", component="")
_NO_COMPONENT = "\x1f"
"""Stands for a component separator that is not known: a character that text does not hold."""

_HEADLESS = (
    re.compile(rb"GS(?P<e>[^\w\s])[^\r\n]{10,160}?(?P<t>[^\w ])\s*ST(?P=e)"),
    re.compile(rb"ST(?P<e>[^\w\s])\w{3}(?P=e)\w{1,9}(?:(?P=e)\w{1,35})?(?P<t>[^\w ])\s*[A-Z][A-Z0-9]{1,2}(?P=e)"),
)
"""A group or transaction set that came without ISA gives its separators away by what follows it."""

QUALIFIER = re.compile(r"0[1-47-9]|[12][0-9]|3[0-8]|AM|NR|SA|SN|ZZ")
"""I05. The values of I01, I03, I05 and I11 are those of xlate/staedi 06ea7f73, X12/common.xml."""

# X12.5: what each ISA element may hold; ISA09, ISA11 and the separators are looked at by hand. A version is known by its
# form, since X12 publishes one a year.
_ISA_FIELDS = (
    (1, "authorization_qualifier", re.compile(r"0[0-6]")),
    (2, "authorization", re.compile(r".{0,10}", re.DOTALL)),
    (3, "security_qualifier", re.compile(r"0[01]")),
    (4, "security", re.compile(r".{0,10}", re.DOTALL)),
    (5, "sender_qualifier", QUALIFIER),
    (6, "sender", re.compile(r"(?=.*\S).{1,15}", re.DOTALL)),
    (7, "recipient_qualifier", QUALIFIER),
    (8, "recipient", re.compile(r"(?=.*\S).{1,15}", re.DOTALL)),
    (10, "time", re.compile(r"([01][0-9]|2[0-3])[0-5][0-9]")),
    (12, "version", re.compile(r"00[2-9][0-9]{2}")),
    (13, "reference", re.compile(r"[0-9]{9}")),
    (14, "acknowledgement", re.compile(r"[01]")),
    (15, "usage", re.compile(r"[PTI]")),
)
_GS_FIELDS = (
    (1, "identifier", re.compile(r"[0-9A-Z]{2}")),
    (2, "field", re.compile(r"(?=.*\S).{2,15}", re.DOTALL)),
    (3, "field", re.compile(r"(?=.*\S).{2,15}", re.DOTALL)),
    (5, "field", re.compile(r"([01][0-9]|2[0-3])[0-5][0-9]([0-5][0-9][0-9]{0,2})?")),
    (6, "reference", re.compile(r"[0-9]{1,9}")),
    (7, "field", re.compile(r"[XT]")),  # 455: X12 or the Transportation Data Coordinating Committee
    (8, "version", re.compile(r"[0-9A-Z]{1,12}")),
)


def open_interchange(head: bytes, charset: str) -> tuple[InterchangeBegun, int]:
    """The event that `head` (the first HEAD bytes) begins an interchange with, and how many bytes it takes.

    Without terminator among its delimiters, the interchange cannot be read.
    """
    if _ISA_START.match(head) or _is_lettered(head):
        return _isa(head, charset)
    for pattern in _HEADLESS:
        if found := pattern.match(head):
            element, terminator = found["e"].decode("latin-1"), found["t"].decode("latin-1")
            delimiters = Delimiters(terminator=terminator, element=element, component=_NO_COMPONENT)
            finding = make_finding("x12.isa.missing", Place(tag=head[:2].decode()))
            return InterchangeBegun(Envelope(Syntax.X12, delimiters, [], charset=charset), [finding]), 0
    return _unreadable("x12.interchange.unreadable", head, charset), 0


def is_wrapped(head: bytes) -> bool:
    """Whether `head` is an ISA in lines of 80 characters, as mainframes send them: the first ends before it does."""
    line = _WRAPPED.match(head)
    return line is not None and line[0].count(head[3:4]) < len(_ISA_SEPARATORS)


def _is_lettered(head: bytes) -> bool:
    """Whether `head` is an ISA whose separator is a letter or digit, which its fixed places show."""
    return (
        head.startswith(b"ISA")
        and head[3:4].isalnum()
        and all(head[at : at + 1] == head[3:4] for at in _ISA_SEPARATORS)
    )


def _unreadable(code: str, head: bytes, charset: str) -> InterchangeBegun:
    value = head[:40].decode("utf-8", "replace")
    envelope = Envelope(Syntax.X12, _UNREAD, [], charset=charset)
    return InterchangeBegun(envelope, [make_finding(code, place=Place(tag="ISA"), value=value)])


def _isa(head: bytes, charset: str) -> tuple[InterchangeBegun, int]:
    """ISA by position, 106 bytes; where it is not padded, the sixteenth separator tells."""
    separator = head[3:4]
    found: list[Finding] = []
    parts = head[:_ISA_LENGTH].split(separator)
    padded = len(parts) == 17 and all(head[at : at + 1] == separator for at in _ISA_SEPARATORS)
    if head[3:4].isalnum():
        # A separator that values may hold: only the ISA itself, whose places are fixed, can still be read.
        parts = [
            head[:3],
            *(head[at + 1 : at + 1 + width] for at, width in zip(_ISA_SEPARATORS, _ISA_WIDTHS, strict=True)),
        ]
        parts[16] += head[_ISA_LENGTH - 1 : _ISA_LENGTH]
        found.append(make_finding("x12.isa.separator", Place(tag="ISA"), separator.decode("latin-1")))
    elif not padded:
        parts = head.split(separator, 16)
        # ISA09, ISA10, ISA12 and ISA13 are digits; where half of them are, this is an ISA, and what is wrong is told.
        digits = sum(
            re.fullmatch(rb"\s*[0-9]{%d}\s*" % width, part) is not None
            for part, width in zip(parts[9:14], (6, 4, 0, 5, 9), strict=False)
            if width
        )
        if len(parts) < 17 or digits < 2 or not parts[16]:
            return _unreadable("x12.isa.unreadable", head, charset), len(b"ISA")
        found.append(make_finding("x12.isa.unpadded", Place(tag="ISA")))
    if len(parts[16]) == 2:
        parts[16] += head[_ISA_LENGTH : _ISA_LENGTH + 3]
    component, terminator = parts[16][:1], _character(parts[16][1:5])
    end = sum(map(len, parts[:16])) + 16 + 1 + len(terminator)
    if terminator.isalnum() or not terminator:  # ISA16 was left out
        component, terminator, end = b"", component, end - len(terminator)

    fields = [part.decode("latin-1") for part in (*parts[:16], component)]
    version = fields[12].strip()
    repeats = version >= "00402" and not (fields[11].isalnum() or fields[11] == " ")
    delimiters = Delimiters(
        terminator=terminator.decode() if len(terminator) > 1 else terminator.decode("latin-1"),
        element=separator.decode("latin-1"),
        component=_NO_COMPONENT if component.isalnum() or not component else fields[16],
        repetition=fields[11] if repeats else "",
    )
    found += _isa_findings(fields, delimiters)
    if separator.isalnum():
        delimiters = _UNREAD
    envelope = Envelope(
        Syntax.X12,
        delimiters,
        [[field] for field in fields],
        sender=fields[6].strip(),
        sender_qualifier=fields[5].strip(),
        recipient=fields[8].strip(),
        recipient_qualifier=fields[7].strip(),
        reference=fields[13].strip(),
        version=version,
        charset=charset,
        date=fields[9],
        time=fields[10],
        acknowledgement_requested=fields[14] == "1",
        test=fields[15] == "T",
    )
    return InterchangeBegun(envelope, found), end


def _character(raw: bytes) -> bytes:
    """The bytes of the first character of `raw`: several where they are one in UTF-8."""
    for length in (2, 3, 4):
        try:
            if raw[0] >= 0x80 and len(raw[:length].decode()) == 1:
                return raw[:length]
        except (UnicodeDecodeError, IndexError):
            continue
    return raw[:1]


def _isa_findings(fields: list[str], delimiters: Delimiters) -> list[Finding]:
    def finding(name: str, number: int) -> Finding:
        return make_finding(f"x12.isa.{name}", place=Place(tag="ISA", element=number), value=fields[number].strip())

    found = [finding(name, number) for number, name, pattern in _ISA_FIELDS if not pattern.fullmatch(fields[number])]
    if not is_date(fields[9], 6):
        found.append(finding("date", 9))
    # X12.5: the standards identifier U up to version 00401, the repetition separator from 00402 on
    old = fields[12] < "00402"
    if fields[11] != "U" and (old or fields[11].isalnum() or fields[11] in {"", " "}):
        found.append(finding("standard", 11))
    if len(fields[16]) != 1 or fields[16].isalnum() or fields[16] in {delimiters.element, delimiters.terminator}:
        found.append(finding("component", 16))
    if delimiters.terminator in {"", delimiters.element, delimiters.repetition}:
        found.append(make_finding("x12.isa.terminator", place=Place(tag="ISA"), value=delimiters.terminator))
    return found


def open_group(elements: list[str]) -> GroupBegun:
    """The group that a GS segment, split into `elements`, begins."""
    fields = elements + [""] * (9 - len(elements))
    group = Group(
        [[element] for element in elements],
        identifier=fields[1],
        sender=fields[2].strip(),
        recipient=fields[3].strip(),
        reference=fields[6],
        version=fields[8],
    )
    found = [
        _gs_finding(name, number, fields) for number, name, form in _GS_FIELDS if not form.fullmatch(fields[number])
    ]
    # GS04 has a century from version 004 on
    if not is_date(fields[4], 6 if fields[8] < "004" else 8):
        found.append(_gs_finding("field", 4, fields))
    if any(elements[9:]):
        found.append(_gs_finding("field", 9, fields))
    return GroupBegun(group, found)


def _gs_finding(name: str, number: int, fields: list[str]) -> Finding:
    place = Place(tag="GS", element=number)
    return make_finding(f"x12.gs.{name}", place=place, value=fields[number], number=f"GS{number:02}")


def number(text: str) -> int | None:
    """A count or control number as written, or None where it is none."""
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else None


def same_number(one: str, other: str) -> bool:
    """Whether two control numbers are the same; leading zeros do not count (X12.6, type N0)."""
    return one == other or (number(one) is not None and number(one) == number(other))


def is_date(text: str, width: int) -> bool:
    """Whether `text` is YYMMDD or CCYYMMDD and in the calendar."""
    if not re.fullmatch(rf"[0-9]{{{width}}}", text):
        return False
    century = text if width == 8 else "20" + text
    try:
        date(int(century[:4]), int(century[4:6]), int(century[6:]))
    except ValueError:
        return False
    return True
