from __future__ import annotations

import gc
import random
import weakref
from datetime import date

import pytest

from gateway.catalogue import Catalogue, compiled
from gateway.catalogue_folders import shipped
from gateway.check import codes, tables
from gateway.discovery import find_flows
from gateway.errors import SchemaInvalid
from gateway.model import Syntax
from gateway.parse.segments import MessageType
from gateway.translate import table
from gateway.trip.judging import judge
from tests.catalogues import with_files

CUSRES = "edifact:CUSRES:D:96B:UN"
UNITS = "schemas/codes/unit.csv"


def contents(catalogue: Catalogue) -> dict[str, bytes]:
    return {name: catalogue.read(name) for name in catalogue.files}


def test_the_digest_is_that_of_names_and_contents_alone() -> None:
    """In whatever order files are found, the same ones have the same digest; another name or content has another."""
    files = [(name, content) for name, content in contents(shipped()).items()]
    for seed in range(5):
        random.Random(seed).shuffle(files)
        assert Catalogue(dict(files)).digest == shipped().digest
    name, content = files[0]
    assert Catalogue({**dict(files), name: content + b" "}).digest != shipped().digest
    assert Catalogue({**dict(files), f"{name}x": content}).digest != shipped().digest
    assert Catalogue(dict(files[1:])).digest != shipped().digest
    # What stands in one file is not taken for what stands in two.
    assert Catalogue({"a": b"b", "c": b""}).digest != Catalogue({"a": b"", "c": b"b"}).digest


def test_a_catalogue_says_what_it_does_not_have() -> None:
    """A file that is missing, or is no text, is told by its name."""
    catalogue = Catalogue({"schemas/a.toml": b"\xff"})
    assert catalogue.find("schemas/b.toml") is None
    with pytest.raises(SchemaInvalid, match=r"schemas/b\.toml"):
        catalogue.read("schemas/b.toml")
    with pytest.raises(SchemaInvalid, match=r"schemas/a\.toml: is not in UTF-8"):
        catalogue.text("schemas/a.toml")


MADE: list[tuple[str, ...]] = []


@compiled
def words(catalogue: Catalogue, name: str) -> tuple[str, ...]:
    """The words of a file."""
    made = tuple(catalogue.text(name).split())
    MADE.append(made)
    return made


@compiled
def all_words(catalogue: Catalogue) -> tuple[str, ...]:
    """The words of all files of texts, and of another one that may be there."""
    found = [words(catalogue, name) for name in catalogue.names("texts", ".txt")]
    more = catalogue.find("more.txt")
    made = (*(word for each in found for word in each), *(() if more is None else ("more",)))
    MADE.append(made)
    return made


TEXTS = {"texts/a.txt": b"one two", "texts/b.txt": b"three", "other.txt": b"x"}


def made_anew(change: dict[str, bytes | None]) -> list[tuple[str, ...]]:
    """What is compiled for a catalogue with these changes, after all was for the one before it."""
    former = Catalogue(TEXTS)
    all_words(former)
    later = Catalogue({name: content for name, content in {**TEXTS, **change}.items() if content is not None})
    later.succeed(former)
    MADE.clear()
    all_words(later)
    return list(MADE)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        # What nothing was made of counts for nothing.
        ({"other.txt": b"y"}, []),
        ({"texts/c.toml": b"z"}, []),
        # What changed is made again, and all that was made of it; what it stands beside is not.
        ({"texts/a.txt": b"four"}, [("four",), ("four", "three")]),
        ({"texts/a.txt": None}, [("three",)]),
        ({"texts/c.txt": b"five"}, [("five",), ("one", "two", "three", "five")]),
        # A file that was looked for and was not there.
        ({"more.txt": b""}, [("one", "two", "three", "more")]),
    ],
)
def test_what_is_made_of_the_same_files_is_taken_over(
    change: dict[str, bytes | None], expected: list[tuple[str, ...]]
) -> None:
    """The next catalogue compiles what it reads anew, and nothing else."""
    assert made_anew(change) == expected


def test_it_is_made_once_and_what_fails_fails_again() -> None:
    """A second look finds the same; a fault is told to whoever looks."""
    MADE.clear()
    catalogue = Catalogue(TEXTS)
    assert words(catalogue, "other.txt") is words(catalogue, "other.txt")
    assert MADE == [("x",)]
    for _ in range(2):
        with pytest.raises(SchemaInvalid):
            words(catalogue, "none.txt")


def test_an_unchanged_table_is_not_compiled_again() -> None:
    """With one code list changed, the tables stay those they were, and only mappings that go by the list are new."""
    text = shipped().text(UNITS)
    former = with_files({})
    type_ = MessageType(Syntax.EDIFACT, "CUSRES", "D", "96B", "UN")
    pairs = table.available(former)
    before = {pair: table.load(former, *pair) for pair in pairs}
    later = with_files({UNITS: f"{text.rstrip()}\nZZY,,,Some,某\n"})
    later.succeed(former)
    assert tables.find(later, type_) is tables.find(former, type_)
    changed = {pair for pair in pairs if table.load(later, *pair) is not before[pair]}
    unit = {pair for pair in pairs if any(row.converter.startswith("code:unit") for row in before[pair].rows)}
    assert changed == unit != set()


def judged(catalogue: Catalogue) -> Catalogue:
    judge(catalogue, find_flows(), date(2026, 3, 5), least=shipped())
    return catalogue


def test_nothing_that_is_compiled_holds_on_to_its_catalogue() -> None:
    """Of twenty that follow one another only the last is left, with what it was made of once."""
    current = judged(with_files({}))
    everything = len(current._made)
    gone: list[weakref.ref[Catalogue]] = []
    for turn in range(20):
        later = with_files({"schemas/labels.toml": shipped().text("schemas/labels.toml") + f"# {turn}\n"})
        later.succeed(current)
        judged(later)
        gone.append(weakref.ref(current))
        current = later
        assert len(current._made) == everything
    gc.collect()
    assert [one() for one in gone] == [None] * 20


def test_a_list_of_the_operators_own_is_found_beside_those_that_ship() -> None:
    """A catalogue has every list that lies in its folder."""
    own = "# source: ours\nun,en,zh\nA,Alpha,甲\n"
    catalogue = with_files({"schemas/codes/own.csv": own})
    assert codes.available(catalogue) == tuple(sorted((*codes.available(shipped()), "own")))
    found = codes.find(catalogue, "own")
    assert found is not None
    assert found.words("A") == "Alpha"
