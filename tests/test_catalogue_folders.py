from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.catalogue import Catalogue
from gateway.catalogue_folders import Shelf, read_laid_out, read_layers, shipped
from gateway.errors import CatalogueInvalid

UNITS = "schemas/codes/unit.csv"


def put(folder: Path, name: str, text: str = "x = 1") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    return file


def test_the_operators_files_lie_over_those_that_ship(tmp_path: Path) -> None:
    """A file takes the place of the one of its name, or stands beside the others; all else ships."""
    put(tmp_path, UNITS, "own")
    put(tmp_path, "mappings/clearance/acme.toml", "new")
    put(tmp_path, "README.txt", "notes")
    layers = read_layers(tmp_path)
    catalogue = layers.catalogue()
    assert catalogue.text(UNITS) == "own"
    assert catalogue.text("mappings/clearance/acme.toml") == "new"
    assert set(catalogue.files) == {*shipped().files, "mappings/clearance/acme.toml"}
    same = [name for name in shipped().files if catalogue.read(name) == shipped().read(name)]
    assert set(shipped().files) - set(same) == {UNITS}
    origins = {name: layers.origin(name) for name in catalogue.files}
    assert {name for name, origin in origins.items() if origin != "shipped"} == {UNITS, "mappings/clearance/acme.toml"}
    assert origins[UNITS] == "overrides"
    assert origins["mappings/clearance/acme.toml"] == "own"


def test_when_files_were_written_says_nothing(tmp_path: Path) -> None:
    """Touched, or written again with the same content, a folder makes the same catalogue."""
    file = put(tmp_path, UNITS, "own")
    before = read_layers(tmp_path).catalogue().digest
    os.utime(file, (0, 0))
    assert read_layers(tmp_path).catalogue().digest == before
    file.unlink()
    put(tmp_path, UNITS, "own")
    assert read_layers(tmp_path).catalogue().digest == before


@pytest.mark.parametrize("name", ["schemas/.hidden.toml", "mappings/clearance/x.toml~", "schemas/.git/config.toml"])
def test_files_of_editors_and_the_like_are_passed_over(tmp_path: Path, name: str) -> None:
    """What is hidden, or is an editor's copy, is no table."""
    put(tmp_path, name)
    assert read_layers(tmp_path).catalogue().digest == shipped().digest


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "mapping/clearance/x.toml",
            "mapping: a catalogue has the folders schemas, mappings and samples, and no other",
        ),
        ("schemas/codes/unit.xls", r"unit\.xls: is none of \.csv, \.json, \.toml, \.xsd"),
    ],
)
def test_what_has_no_place_is_refused(tmp_path: Path, name: str, words: str) -> None:
    """A file that nobody would read is told by its name, rather than left unread."""
    put(tmp_path, name)
    with pytest.raises(CatalogueInvalid, match=words):
        read_layers(tmp_path)


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    """A misspelt folder is no empty one."""
    with pytest.raises(CatalogueInvalid, match="nowhere is no folder"):
        read_layers(tmp_path / "nowhere")


SMALL = Catalogue({UNITS: b"a", "mappings/x/y.toml": b"b"})
OTHER = Catalogue({UNITS: b"c"})


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    one = Shelf(tmp_path / "var/catalogues")
    yield one
    one.close()


def laid_out(shelf: Shelf) -> set[str]:
    return {path.name for path in shelf.folder.iterdir() if path.is_dir()}


def test_what_is_laid_out_is_the_catalogue(shelf: Shelf) -> None:
    """It is read again by its digest, whole, and nothing else lies beside it."""
    shelf.put(SMALL)
    shelf.put(SMALL)
    again = read_laid_out(shelf.folder, SMALL.digest)
    assert again.files == SMALL.files
    assert laid_out(shelf) == {SMALL.digest}
    with pytest.raises(CatalogueInvalid, match="whole"):
        read_laid_out(shelf.folder, OTHER.digest)


@pytest.mark.parametrize("damage", ["changed", "missing", "added"])
def test_what_is_not_whole_is_not_read_and_laid_out_anew(shelf: Shelf, damage: str) -> None:
    """After a disk's fault, or somebody's edit, the digest no longer fits; the next start mends it."""
    shelf.put(SMALL)
    shelf.close()
    place = shelf.folder / SMALL.digest
    match damage:
        case "changed":
            (place / UNITS).write_bytes(b"")
        case "missing":
            (place / UNITS).unlink()
        case _:
            put(place, "schemas/codes/z.csv")
    with pytest.raises(CatalogueInvalid):
        read_laid_out(shelf.folder, SMALL.digest)
    shelf.put(SMALL)
    assert read_laid_out(shelf.folder, SMALL.digest).files == SMALL.files


HOLDER = """
import sys
from pathlib import Path
from gateway.catalogue import Catalogue
from gateway.catalogue_folders import Shelf
shelf = Shelf(Path(sys.argv[1]))
shelf.put(Catalogue({"schemas/codes/unit.csv": b"c"}))
print("held", flush=True)
sys.stdin.read()
"""


def test_what_nobody_holds_is_removed(shelf: Shelf) -> None:
    """Those that are kept stay, and those of another process that shares the folder, as long as it lives."""
    shelf.put(SMALL)
    (shelf.folder / ".0123456789abcdef.part").mkdir()  # what a crash has left
    command = [sys.executable, "-c", HOLDER, str(shelf.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        shelf.clear(frozenset({SMALL.digest}))
        assert laid_out(shelf) == {SMALL.digest, OTHER.digest}
        other.stdin.close()
        other.wait(20)
    shelf.clear(frozenset({SMALL.digest}))
    assert laid_out(shelf) == {SMALL.digest}
    shelf.clear(frozenset())
    assert laid_out(shelf) == set()


def test_the_one_in_force_is_marked(shelf: Shelf) -> None:
    """Whoever looks finds the digest; where there is none, or something else, it is empty."""
    assert shelf.marked() == ""
    shelf.mark(SMALL.digest)
    assert shelf.marked() == SMALL.digest
    (shelf.folder / "in_force").write_text("nonsense")
    assert shelf.marked() == ""
