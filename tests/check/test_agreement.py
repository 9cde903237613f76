"""The fast reader and the thorough one agree: on every table, on guides, and on mutated messages of others.

The short form runs with the suite. GATEWAY_TEST_MUTATIONS=100000 is the long one.
"""

import os
import random
from dataclasses import fields, replace
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.catalogue_folders import shipped
from gateway.check import guides, structure, tables
from gateway.check.graph import REPEAT, graph_of
from gateway.check.segment import Reader
from gateway.check.walk import Walk
from gateway.model import Syntax
from gateway.parse.edifact import DEFAULT
from gateway.parse.segments import Delimiters
from tests.check.test_guides import LOADING, MANIFEST
from tests.check.test_shapes import messages
from tests.check.test_structure import message, random_segment

MUTATIONS = int(os.environ.get("GATEWAY_TEST_MUTATIONS", "150"))
X12 = Delimiters("~", "*", ":")
ODD = [
    "",
    " ",
    "'",
    "+",
    ":",
    "?",
    "?'",
    "*",
    "~",
    "0",
    "00",
    "9",
    "-",
    ",",
    ".",
    "E",
    "A",
    "a",
    "\u4e2d",
    "\x07",
    "ZZZ",
    "X" * 80,
]


class Slow(Reader):
    """A reader that takes nothing by a look, so that every segment is read fault by fault."""

    __slots__ = ()

    def accepts(self, raw):
        return False

    def accepts_padded(self, raw):
        return False


def slow(read):
    return Slow(**{field.name: getattr(read, field.name) for field in fields(read)})


def mutated(rng, segments):
    """`segments` with a few of them dropped, doubled, moved, or changed in an element or a character."""
    segments = list(segments)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(segments))
        match rng.randrange(6):
            case 0 if len(segments) > 1:
                del segments[at]
            case 1:
                segments.insert(at, segments[at])
            case 2:
                segments.insert(at, segments.pop(rng.randrange(len(segments))))
            case 3:
                other = segments[rng.randrange(len(segments))]
                cut = rng.randrange(len(segments[at]) + 1)
                segments[at] = segments[at][:cut] + other[rng.randrange(len(other) + 1) :]
            case _:
                cut = rng.randrange(len(segments[at]) + 1)
                segments[at] = segments[at][:cut] + rng.choice(ODD) + segments[at][cut + rng.randrange(3) :]
    return segments


@cache
def compiled_of(table, delimiters, version):
    """A walk that stays warm over all examples: what it has learned must never change a verdict."""
    return structure._compiled(table, delimiters, version)


def agree(read, table):
    """What the fast walk finds and places is what the thorough one does, each segment read fault by fault."""
    compiled = compiled_of(table, read.delimiters, read.envelope.version)
    if read.segments[1:2] and read.segments[1].startswith("USH"):
        return
    fast = compiled._checked(read)
    thorough = Walk(compiled.graph, lambda node: slow(compiled.reader(node)), read).run()
    assert fast == thorough, read.segments


@cache
def material():
    return list(messages())


@settings(max_examples=MUTATIONS, deadline=None)
@given(st.integers(0, 2**48))
def test_on_mutated_messages(seed):
    """Samples, other people's messages where there are some, and the fuzz corpus, each with a few faults."""
    rng = random.Random(seed)
    read, table = rng.choice(material())
    agree(replace(read, segments=mutated(rng, read.segments)), table)


@cache
def narrowed():
    """Tables of guides, of both dialects."""
    base = {name: tables.load(shipped(), f"schemas/{name}.json") for name in ("edifact/d99b/CODECO", "x12/004010/309")}
    return [
        guides.apply(base["edifact/d99b/CODECO"], LOADING, "loading"),
        guides.apply(base["x12/004010/309"], MANIFEST, "manifest"),
    ]


@settings(max_examples=MUTATIONS, deadline=None)
@given(st.integers(0, 2**48), st.booleans())
def test_on_messages_of_every_table(seed, by_guide):
    """Messages that a walk through a table gives, with values that are right, nearly right or wrong."""
    rng = random.Random(seed)
    names = tables.available(shipped())
    table = rng.choice(narrowed()) if by_guide else tables.load(shipped(), rng.choice(names))
    delimiters = X12 if table.syntax is Syntax.X12 else rng.choice([DEFAULT, replace(DEFAULT, repetition="*")])
    segments = walked(rng, table, delimiters)
    if rng.random() < 0.5:
        segments = mutated(rng, segments)
    agree(message(segments, delimiters), table)


def walked(rng, table, delimiters):
    """Segments along a table, at most a hundred."""
    graph, state = graph_of(table), -1
    segments: list[str] = []
    while len(segments) < 100:
        choices = [c for c in graph.candidates(state) if not c.skipped and (c.how != REPEAT or rng.random() < 0.3)]
        if not choices:
            break
        chosen = rng.choice(choices[:6])
        segments.append(random_segment(rng, table.nodes[chosen.node], delimiters))
        state = chosen.node
        if state == len(table.nodes) - 1:
            break
    return segments or ["UNH"]
