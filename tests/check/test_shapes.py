"""Verdicts from shapes are those of the reader, whatever digits and letters stand in a segment, and memory is bounded."""

import random
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.catalogue_folders import shipped
from gateway.check import definitions, shapes, structure, tables
from gateway.check.segment import reader
from gateway.model import Syntax
from gateway.parse import edifact, x12
from gateway.parse.edifact import DEFAULT
from gateway.parse.segments import Delimiters, MessageRead
from tests.check.test_structure import message, random_segment, table_of
from tests.fuzz import seeds

X12 = Delimiters("~", "*", ":")
CUSDEC = tables.load(shipped(), "schemas/edifact/d96b/CUSDEC.json")
MANIFEST = tables.load(shipped(), "schemas/x12/004010/309.json")
TABLES = [tables.load(shipped(), name) for name in tables.available(shipped())]


@cache
def read_of(node, delimiters):
    return reader(node, delimiters)


def alike(rng, raw, delimiters=DEFAULT):
    """`raw` with other digits for its digits, other letters for its letters, the tag apart."""
    tag, separator, rest = raw.partition(delimiters.element)

    def other(character):
        for among in ("0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"):
            if character in among and rng.random() < 0.5:
                return rng.choice(among)
        return "\u6d77" if character == "\u4e2d" and rng.random() < 0.5 else character

    return tag + separator + "".join(map(other, rest))


def verdict(known, raw, shape):
    """What the walk says by shape alone: True, or None where the reader is to judge."""
    return True if all(raw[piece] in allowed for piece, allowed in known.get(shape, shapes.UNKNOWN)) else None


@settings(max_examples=600, deadline=None)
@given(
    st.integers(0, 2**48),
    st.sampled_from([DEFAULT, X12, replace(DEFAULT, decimal=","), Delimiters("'", "+", "", "?")]),
)
def test_a_verdict_by_shape_is_the_readers(seed, delimiters):
    """Of two segments of one shape, what was learned from one never accepts the other where the reader does not."""
    rng = random.Random(seed)
    table = rng.choice(TABLES)
    node = rng.choice(table.nodes)
    read = read_of(node, delimiters)
    memory = shapes.Shapes(delimiters)
    raw = random_segment(rng, node, delimiters)
    if not read.accepts(raw):
        return
    for _ in range(2):
        memory.learn(memory.known(node.tag), read, raw, memory.of([raw])[0])
    for other in [raw] + [alike(rng, raw, delimiters) for _ in range(20)]:
        if verdict(memory.known(node.tag), other, memory.of([other])[0]):
            assert read.accepts(other), (raw, other)


# What depends on values and not on their shape, in tables made for it: a segment learned, one of its shape, the verdict.
_EDIFACT = {
    "AAA": ["2380 C", "2379 C"],
    "BBB": ["C1 C"],
    "CCC": ["C2 C"],
    "DDD": ["2 C", "4 C"],
    "EEE": ["0017 C", "0314 C"],
}


@pytest.mark.parametrize(
    ("learned", "other", "right"),
    [
        # a period beside its form, inside a composite: a day that is none, another form, a form that nobody knows
        ("BBB+20240229:102", "BBB+20250229:102", False),
        ("BBB+20240229:102", "BBB+20241231:102", True),
        ("BBB+240229:101", "BBB+245959:101", False),
        ("BBB+999999:999", "BBB+999999:101", False),
        ("BBB+999999:999", "BBB+000000:998", True),
        # a code; the same where a qualifier says that it is from another list, where it may be anything
        ("CCC+AB", "CCC+AC", False),
        ("CCC+AB", "CCC+CD", True),
        ("CCC+XX:1", "CCC+YY:2", True),
        ("CCC+XX::1", "CCC+YY::2", True),
        # zeros before other digits, never before a mark
        ("DDD+12", "DDD+02", False),
        ("DDD+-12", "DDD+-02", False),
        ("DDD+1.2", "DDD+0.2", True),
        ("DDD+5", "DDD+0", True),
        ("DDD++A1B", "DDD++B0C", True),
        # days and times by what the element is
        ("EEE+240229", "EEE+240230", False),
        ("EEE++2359", "EEE++2360", False),
    ],
)
def test_what_depends_on_values(learned, other, right):
    """Days, codes and leading zeros are looked at; nothing else of a known shape is."""
    table = table_of(
        [f"{tag} C 1" for tag in _EDIFACT],
        _EDIFACT,
        composites={"C1": ["2380 M", "2379 C"], "C2": ["5 C", "1131 C", "3055 C"]},
        elements={
            "2380": "an..35",
            "2379": "an..3",
            "5": "an..3",
            "1131": "an..3",
            "3055": "an..3",
            "0017": "n6",
            "0314": "an..15",
        },
        codes={"5": "AB CD"},
    )
    node = next(node for node in table.nodes if node.tag == learned[:3])
    read, memory = reader(node, DEFAULT), shapes.Shapes(DEFAULT)
    assert read.accepts(learned)
    for _ in range(2):
        memory.learn(memory.known(node.tag), read, learned, memory.of([learned])[0])
    assert memory.of([learned]) == memory.of([other])
    assert read.accepts(other) is right
    assert verdict(memory.known(node.tag), learned, memory.of([learned])[0]) is True
    assert verdict(memory.known(node.tag), other, memory.of([other])[0]) is (right or None)


def test_periods_of_x12():
    """The form of an X12 period stands in the element before it; both are looked at."""
    facts = {
        "formats": ["x12:000:004010"],
        "source": "test",
        "structure": ["DTP M 1"],
        "segments": {"DTP": ["1250 C", "1251 C"]},
        "elements": {"1250": "ID 2..3", "1251": "AN 1..35"},
    }
    (node,) = definitions.resolve(Syntax.X12, facts, [], "test").nodes
    read, memory = reader(node, X12), shapes.Shapes(X12)
    for _ in range(2):
        memory.learn(memory.known("DTP"), read, "DTP*D8*20240229", memory.of(["DTP*D8*20240229"])[0])
    for raw, right in (("DTP*D8*20250101", True), ("DTP*D8*20250229", None), ("DTP*D6*20250101", None)):
        assert verdict(memory.known("DTP"), raw, memory.of([raw])[0]) is right


def messages():
    """Every message of the samples, the other material where there is some, and the fuzz corpus."""
    for module, target in ((edifact, "edifact_reader"), (x12, "x12_reader")):
        for body in seeds.seeds(target):
            for event in module.read(body):
                if isinstance(event, MessageRead) and (table := tables.find(shipped(), event.message.type)):
                    yield event.message, table


def test_a_message_is_judged_alike_with_and_without_known_shapes():
    """Samples, regressions and random changes of them: a warm walk finds and places what the reader alone does."""
    rng = random.Random(9)
    judged = known = 0
    for read, table in messages():
        plain = structure.check(read, table)
        compiled = structure._compiled(table, read.delimiters, read.envelope.version)
        for _ in range(4):
            segments = list(read.segments)
            for at in rng.sample(range(len(segments)), min(len(segments), 3)):
                segments[at] = alike(rng, segments[at], read.delimiters)
            changed = replace(read, segments=segments)
            warm = structure.check(changed, table)
            known += sum(map(len, compiled.shapes._by_tag.values()))
            cold = structure._Compiled(compiled.table, read.delimiters, exponents=compiled.exponents).check(changed)
            if not any(raw.startswith("USH") for raw in segments):
                assert warm == cold, segments
            judged += 1
        assert structure.check(read, table) == plain
    assert judged > 50
    assert known > 1000


def test_memory_is_bounded_against_senders_who_vary_on_purpose():
    """Ten times more shapes than are kept, each sent thrice, leave no more than are kept; other tags keep theirs."""
    rng = random.Random(1)
    compiled = structure._Compiled(CUSDEC, DEFAULT, exponents=False)
    memory = compiled.shapes
    fullest = 0
    for _ in range(10 * shapes.MOST // 20):
        text = ["FTX+AAA+++" + "".join(rng.choice("A1a-") for _ in range(60)) for _ in range(20)]
        compiled.check(message(["UNH+1+CUSDEC:D:96B:UN", "BGM+929+N1+9", *text * 3, "UNS+D", "UNS+S", "UNT+65+1"]))
        assert max(map(len, memory._by_tag.values())) <= shapes.MOST
        assert len(memory._once) <= shapes.MOST_ONCE
        fullest = max(fullest, len(memory.known("FTX")))
    assert fullest == shapes.MOST
    assert memory.known("UNS")


def test_a_full_memory_begins_anew_after_many_misses():
    """Who filled a tag's memory with shapes that nobody else sends keeps it from others for a while only."""
    memory = shapes.Shapes(DEFAULT)
    node = next(node for node in CUSDEC.nodes if node.tag == "FTX")
    read, known = read_of(node, DEFAULT), memory.known("FTX")

    def send(text):
        raw = f"FTX+AAA+++{text}"
        (shape,) = memory.of([raw])
        if shape not in known:
            memory.learn(known, read, raw, shape)
        return shape

    for length in range(1, shapes.MOST + 1):
        send("-" * length), send("-" * length)
    wanted = send("GOODS")
    for _ in range(shapes.REST):
        assert wanted not in known
        send("GOODS")
    send("GOODS"), send("GOODS")
    assert set(known) == {wanted}
    for length in range(1, shapes.MOST):
        send("-" * length), send("-" * length)
    other = send("STEEL?-")
    assert known.left == 2 * shapes.REST - 1  # what fills it again is free text, and rests for longer
    assert other not in known


def test_a_tag_of_free_text_is_not_learned_from_for_ever():
    """Where no segment comes in the shape of another, its tag is read at once after so many tries."""
    compiled = structure._Compiled(CUSDEC, DEFAULT, exponents=False)
    read = compiled.reader(next(i for i, node in enumerate(CUSDEC.nodes) if node.tag == "FTX"))
    known = compiled.shapes.known("FTX")
    rng = random.Random(4)
    for tried in range(shapes.MOST_TRIES):
        assert known.accepts is None, tried
        raw = "FTX+AAA+++" + "".join(rng.choice("A1a-") for _ in range(60))
        compiled.shapes.learn(known, read, raw, compiled.shapes.of([raw])[0])
    assert known.accepts is not None
    assert len(known) < shapes.MOST


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**48))
def test_what_is_read_at_once_is_what_the_reader_accepts(seed):
    """Of every segment of every table, right or wrong, the quick word is the reader's own."""
    rng = random.Random(seed)
    table = tables.load(shipped(), rng.choice(tables.available(shipped())))
    delimiters = DEFAULT if table.syntax is Syntax.EDIFACT else Delimiters("~", "*", ":")
    for node in rng.sample(table.nodes, min(6, len(table.nodes))):
        read = reader(node, delimiters)
        at_once = read.at_once
        for _ in range(4):
            raw = random_segment(rng, node, delimiters)
            assert bool(at_once(raw)) is read.accepts(raw), raw


@pytest.mark.parametrize("faulty", ["N10*X*STEEL", "N10*4*STEEL*Y\x07", "N10*1*STEEL*", "N1Z*4*STEEL"])
def test_a_full_memory_lets_nothing_wrong_pass(faulty):
    """Once a tag's memory is full, the reader alone says what is right of it, and a fault is told as ever."""
    table = tables.load(shipped(), "schemas/x12/004010/309.json")
    compiled = structure._Compiled(table, Delimiters("~", "*", ">"), exponents=False)
    read = compiled.reader(next(i for i, node in enumerate(table.nodes) if node.tag == "N10"))
    known = compiled.shapes.known("N10")
    for length in range(1, 2 * shapes.MOST):
        for raw in [f"N10*{4 * 10 ** (length % 9)}*{'STEEL ' * (length // 9)}COILS"] * 2:
            compiled.shapes.learn(known, read, raw, compiled.shapes.of([raw])[0])
    assert known.accepts is not None
    assert known.accepts("N10*4*STEEL")
    assert not known.accepts(faulty)


@pytest.mark.parametrize(
    "raw",
    [
        "FTX+AAA+++IT?'S",  # a released character: lengths and places are not those of the text
        "FTX+AAA+++" + "X" * 300,  # longer than is worth keeping
        "FTX+AAA+++A\u0085B",  # a control character of C1 shares its first byte with others
    ],
)
def test_what_no_shape_is_kept_of(raw):
    """Such segments go to the reader each time."""
    compiled = structure._Compiled(CUSDEC, DEFAULT, exponents=False)
    read = compiled.reader(next(i for i, node in enumerate(CUSDEC.nodes) if node.tag == "FTX"))
    for _ in range(3):
        compiled.shapes.learn(compiled.shapes.known("FTX"), read, raw, compiled.shapes.of([raw])[0])
    assert compiled.shapes.known("FTX") == {}


def test_a_released_terminator_does_not_shift_shapes():
    """Each segment keeps a shape of its own where one holds a terminator."""
    memory = shapes.Shapes(DEFAULT)
    assert memory.of(["FTX+AAA+++IT?'S", "UNS+S"]) == [b"AAA+AAA+++AA?'A", b"AAA+A"]


@pytest.mark.parametrize(
    "delimiters", [Delimiters("Z", "*", ":"), Delimiters("~", "5", ":"), Delimiters("~", "é", ":")]
)
def test_delimiters_that_shapes_cannot_tell_from_values(delimiters):
    """With a letter, a digit or a character beyond ASCII as a delimiter, no shape is made."""
    memory = shapes.Shapes(delimiters)
    assert shapes.signs(delimiters) is None
    assert memory.of(["A", "B"]) == [b"", b""]
    read = reader(MANIFEST.nodes[0], delimiters)
    for _ in range(3):
        memory.learn(memory.known("ST"), read, "ST", b"")
    assert memory.known("ST") == {}
