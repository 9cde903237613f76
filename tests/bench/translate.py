"""Figure translate_per_s_core: a 77-segment CUSDEC to a checked EEntDeclIo XML, whole way, messages a second of one core.

The way: bytes -> interchange -> message -> structure, types, lengths and codes -> canonical document (pydantic) ->
XML tree -> XSD verdict -> bytes. Each message is an interchange of its own, drawn anew from a seed; no two are alike.
Seconds are those of the processor, so that other work on the machine is not counted.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta

from gateway.catalogue_folders import shipped
from gateway.check import structure, tables
from gateway.findings import rejects
from gateway.parse import edifact
from gateway.parse.segments import MessageRead
from gateway.translate import table
from gateway.translate.context import Context
from gateway.translate.envelope import Frame, render
from tests.bench.figures import Figure

KEY = "translate_per_s_core"
MESSAGES = 400
RUNS = 5
SEED = 77
SEGMENTS = 77
_FRAME = Frame("CIQ", "BUREAU", "REF1", datetime(2026, 3, 5, 9, 30, tzinfo=UTC))
_CONTEXT = Context("Asia/Shanghai")
_NAMES = ("示例酒业", "样品贸易", "测试食品", "范例机械", "虚构物流")
_COUNTRIES = ("CL", "FR", "IT", "AU", "US", "ZA", "DE", "BR")


def measure() -> dict[str, Figure]:
    """Messages a second of processor time, several runs over messages that were never seen before."""
    translate(message(random.Random(SEED), 0))  # tables, mappings and the XSD are compiled once per process
    return {KEY: Figure.of([_run(SEED + run) for run in range(RUNS)], "messages/s")}


def _run(seed: int) -> float:
    draw = random.Random(seed)
    bodies = [message(draw, number) for number in range(MESSAGES)]
    began = time.process_time()
    for body in bodies:
        translate(body)
    return MESSAGES / (time.process_time() - began)


def translate(body: bytes) -> bytes:
    """One message, whole way; fails where anything is wrong with it, since then it did not go the whole way."""
    (read,) = (event for event in edifact.read(body) if isinstance(event, MessageRead))
    schema = tables.find(shipped(), read.message.type)
    checked = structure.check(read.message, schema)
    result = table.load(shipped(), "declaration", "edifact:CUSDEC:D:96B:UN").read((read.message, checked), _CONTEXT)
    problems = [*read.findings, *checked.findings, *result.findings]
    if problems or result.document is None:
        raise RuntimeError(f"the message is not good: {problems[:3]}")
    rendered = render(
        shipped(), result.document, table.load(shipped(), "declaration", "xml:EEntDeclIo:1"), _CONTEXT, _FRAME
    )
    if rejects(rendered.findings):
        raise RuntimeError(f"the outcome is not good: {rendered.findings[:3]}")
    return rendered.body


def message(draw: random.Random, number: int) -> bytes:
    """An interchange of one declaration of 77 segments (UNH to UNT), every value drawn anew."""
    declared = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=draw.randrange(500_000))
    digits = lambda count: "".join(draw.choices("0123456789", k=count))  # noqa: E731 - short, and used all over
    country = draw.choice(_COUNTRIES)
    rows = [
        f"BGM+855+SD-{number}-{digits(8)}+9",
        f"CST++13+{draw.randrange(11, 31)}",
        *(f"LOC+{qualifier}+{digits(6)}" for qualifier in (91, 43, 122)),
        f"LOC+22+{digits(4)}",
        *(f"LOC+{qualifier}+{country}" for qualifier in (40, 35)),
        *(f"LOC+{qualifier}+{digits(6)}" for qualifier in (9, 24, 20)),
        f"LOC+14+:::{draw.choice(_NAMES)}{digits(3)}号库",
        f"DTM+137:{declared:%Y%m%d%H%M%S}:204",
        f"DTM+136:{declared - timedelta(days=40):%Y%m%d}:102",
        f"DTM+132:{declared - timedelta(days=1):%Y%m%d}:102",
        "GIS+23:176",
        "GIS+0:109:ZZZ",
        f"EQD+CN+CSQU{digits(7)}+22R1:102:5+++8",
        f"EQD+CN+MSKU{digits(7)}+42G1:102:5+++8",
        "FTX+CUS++0000:118:ZZZ",
        "FTX+CUS++0000:119:ZZZ",
        f"FTX+MKS+++LOT {digits(6)}",
        "FTX+ACA+++合同,发票,装箱单,提单",
        "FTX+ABX+++入境货物检验检疫证明,通关单",
        f"RFF+CT:{country}-{digits(8)}",
        f"RFF+BM:SMPL{digits(8)}",
        f"RFF+AAJ:DO{digits(6)}",
        f"TDT+11+{digits(3)}E+1++SMPL:::SAMPLE LINE+++{digits(7)}:::SAMPLE STAR {digits(2)}:PA",
        "DOC+856:70:ZZZ+21,97++2+1",
        f"DOC+:147:ZZZ:合同+CL-{digits(6)}::101001",
        f"DOC+:147:ZZZ:发票+INV-{digits(6)}::101002",
        f"NAD+MR+{digits(6)}",
        f"NAD+DT+{digits(10)}++{draw.choice(_NAMES)}报检有限公司",
        "CTA+IC+:示例乙",
        f"COM+0000-{digits(8)}:TE",
        f"NAD+AE+{digits(10)}++示例甲",
        f"NAD+CZ++SAMPLE EXPORTER {digits(4)} S.A.++++++{country}",
        f"NAD+CN+{digits(10)}+SAMPLE IMPORT {digits(3)} LTD.+{draw.choice(_NAMES)}有限公司+示例路{digits(2)}号+示例市",
        "UNS+D",
    ]
    rows += [row for item in (1, 2) for row in _goods(draw, item, country, digits(10), declared)]
    rows += ["UNS+S", "CNT+5:2"]
    if len(rows) + 2 != SEGMENTS:
        raise RuntimeError(f"{len(rows) + 2} segments, not {SEGMENTS}")
    head = f"UNA:+.?*'UNB+UNOY:4+TRADER:ZZ+CIQ:ZZ+20260305:0930+R{number}'UNH+1+CUSDEC:D:96B:UN'"
    return (head + "".join(f"{row}'" for row in rows) + f"UNT+{SEGMENTS}+1'UNZ+1+R{number}'").encode()


def _goods(draw: random.Random, item: int, country: str, code: str, declared: datetime) -> list[str]:
    pieces, weight = draw.randrange(10, 9999), draw.randrange(100, 99999) / 10
    rows = [
        f"CST+{item}+{code}+{code}{draw.randrange(101, 999)}+12+R/S+14,17",
        f"FTX+AAA+++{draw.choice(_NAMES)}货物{draw.randrange(999)}",
        f"FTX+IND+++SAMPLE GOODS {draw.randrange(99999)}",
        f"FTX+MKS+++BRAND {draw.randrange(999)}",
        f"FTX+ACF+++{draw.randrange(100, 999)}ML/瓶",
        f"LOC+27+{country}",
        f"DTM+94:{declared - timedelta(days=draw.randrange(60, 400)):%Y%m%d}:102",
        f"MEA+AAF+SQ+XBO:{pieces}",
        f"MEA+AAF+AAL+KGM:{weight}",
        f"MEA+AAR++LTR:{weight}",
        f"MEA+AAS++KGM:{weight}",
        "NAD+MP+++SAMPLE PRODUCER",
        f"PAC+{pieces}+3+1D:::胶合板圆桶",
        f"MOA+38:{pieces * 3}:USD",
        "MOA+146:3",
        f"RFF+BT:L{draw.randrange(99999)}",
    ]
    return [*rows, f"DOC+519::ZZZ+JK-CL-{draw.randrange(9999)}::1", "GIS+1:110:ZZZ"] if item == 1 else rows
