"""The writers of answers: CONTRL, TA1, 997, 999, APERAK and 824 about whatever was examined, and found, in any bytes."""

import random
import re
import zlib
from dataclasses import replace

from gateway import findings
from gateway.findings import make_finding
from gateway.model import Agreement, Direction, Finding, Place
from gateway.trip import refusals
from gateway.trip.examined import Failed, Interchange, Message
from gateway.trip.in_hand import InHand
from tests.flows import world
from tests.fuzz.invariants import Budget
from tests.fuzz.outgoing import acknowledged, advised, examined

SEEDS = ("*.edi", "*.x12")
ANY = Agreement("a", "acme", Direction.IN, "*", "*")
CODES = sorted(findings.catalogue())
MOST = 6
"""Findings drawn for each part of an interchange."""


def one(body: bytes) -> None:
    """Whatever the sender's envelope says, and whatever is found at whatever place: each answer passes our own check."""
    with Budget(body) as budget:
        draw = random.Random(zlib.crc32(body))
        words = _words(body)
        for said in (body, _with_strange_header(body, draw)):
            messages: list[Message] = []
            for item in examined(said, ANY):
                if isinstance(item, Message):
                    messages.append(item)
                    continue
                failed = Failed(f"{item.syntax}:ANY", "REFERENCE") if item.syntax else None
                every = dict.fromkeys(range(item.first, item.last + 1), failed) if failed else {}
                for told in (item, item.failing({n: f for n, f in every.items() if f}), _blamed(item, draw, words)):
                    acknowledged(told, budget)
            for message in messages[:3]:
                in_hand = InHand(f"{message.number:032}", world.FACTORY, world.NOW)
                found = [*message.findings, *message.refusals, *_found(draw, words)]
                for language in ("en", "zh"):
                    advised(refusals.refusal(message, found, in_hand, language), budget)
                    advised(refusals.fault_of_ours(message, in_hand, language), budget)


def _words(body: bytes) -> list[str]:
    """Values that a sender may have put anywhere: pieces of what came."""
    text = body.decode("latin-1")
    return ["", *(text[at : at + 1 + at % 40] for at in range(0, len(text), 1 + len(text) // 12))]


def _found(draw: random.Random, words: list[str]) -> list[Finding]:
    """Some findings out of the catalogue, at any place, about any value."""
    return [
        make_finding(
            draw.choice(CODES),
            Place(
                draw.choice(words),
                draw.choice((0, 1, 2, 7, 1_000_000)),
                draw.choice(("", "UNB", "UNH", "UNZ", "ISA", "GS", "ST", "BGM", "p4", "?+", "号")),
                draw.choice((0, 1, 3, 100)),
                draw.choice((0, 1, 120)),
                draw.choice((0, 0, 9)),
            ),
            draw.choice(words),
            number=draw.choice(("", "310", "C507", "99999")),
            claimed=draw.choice(("", "3", "x", "10000000000")),
        )
        for _ in range(draw.randrange(MOST))
    ]


def _blamed(interchange: Interchange, draw: random.Random, words: list[str]) -> Interchange:
    """The interchange with other findings."""
    return replace(
        interchange,
        findings=[*interchange.findings, *_found(draw, words)],
        groups=[replace(group, findings=[*group.findings, *_found(draw, words)]) for group in interchange.groups],
        verdicts=[
            replace(verdict, findings=[*verdict.findings, *_found(draw, words)]) for verdict in interchange.verdicts
        ],
    )


_HEADER = re.compile(rb"(UNB|UNG|UNH|UNE|UNT|UNZ|ISA|GS|ST|SE|GE|IEA)([^\w\s])([^'~]*)")


def _with_strange_header(body: bytes, draw: random.Random) -> bytes:
    """The same with another value in one element of one service segment: a piece of what came."""
    found = list(_HEADER.finditer(body))
    if not found:
        return body
    segment = draw.choice(found)
    elements = segment[3].split(segment[2])
    start = draw.randrange(len(body))
    elements[draw.randrange(len(elements))] = body[start : start + draw.choice((0, 1, 2, 9, 15, 36, 200))]
    return body[: segment.start(3)] + segment[2].join(elements) + body[segment.end(3) :]
