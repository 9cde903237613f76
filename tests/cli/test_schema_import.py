"""`schema import` writes below its folder alone, refuses what it cannot read in words, and places only what loads."""

import io
import zipfile
from pathlib import Path

import pytest
import pyx12

from gateway.cli import schema_import
from gateway.errors import DirectoryUnreadable, SchemaInvalid

MAPS = Path(pyx12.__file__).parent / "map"
XSD = b'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"%s><xs:element name="Foo" type="xs:string"/></xs:schema>'
MAP = """<transaction xid="999"><loop xid="ISA_LOOP"><loop xid="GS_LOOP">
<segment xid="GS"><element xid="GS08"><valid_codes><code>{version}</code></valid_codes></element></segment>
<loop xid="ST_LOOP" usage="R"><segment xid="ST" usage="R" pos="{pos}"><element xid="ST01" data_ele="143" usage="R"
 seq="{seq}"><valid_codes><code>{set}</code></valid_codes></element></segment>
<segment xid="SE" usage="R" pos="9999"><element xid="SE01" data_ele="96" usage="R" seq="01"/></segment></loop>
</loop></loop></transaction>"""


def zipped(*names):
    """An archive with the XSD under each of these names."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, XSD % b"")
    return out.getvalue()


def below(folder):
    """Every file there, by its name."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name", ["../evil.xsd", "a/../../evil.xsd", "/tmp/evil.xsd", "..\\evil.xsd", "C:evil.xsd", "a/.."]
)
def test_names_that_lead_out_of_an_archive_are_refused(run, tmp_path, name):
    """A step up, a root, a backslash or a drive in an archive's name ends the import, and nothing is written."""
    (tmp_path / "slip.zip").write_bytes(zipped("foo.xsd", name))
    before = below(tmp_path)
    done = run("schema", "import", "slip.zip", "--root", "Foo", "--into", "out")
    assert done.code == 2
    assert "may lead out of a folder" in done.err
    assert below(tmp_path) == before


@pytest.mark.parametrize("name", ["../x.json", "/tmp/x.json", "a/../../x.json", ".", "link/x.json"])
def test_nothing_is_written_outside_of_the_folder(tmp_path, name):
    """Whatever a source calls its files, and wherever links lead, all that is written lies below the folder."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out/link").symlink_to(tmp_path)
    with pytest.raises(DirectoryUnreadable, match="outside"):
        schema_import._put_in_place({"fine.json": b"{}", name: b"{}"}, tmp_path / "out", "x12")
    assert below(tmp_path) == set()


def mapped(run, tmp_path, **said):
    """The import of a small map that says these things."""
    facts = {"version": "005010X231", "set": "999", "pos": "100", "seq": "01", **said}
    (tmp_path / "map.xml").write_text(MAP.format(**facts))
    (tmp_path / "dataele.xml").write_bytes((MAPS / "dataele.xml").read_bytes())
    return run("schema", "import", "map.xml", "--into", "out")


def test_a_small_map_is_imported(run, tmp_path):
    """The map that the other tests spoil is sound."""
    assert mapped(run, tmp_path).code == 0
    assert below(tmp_path / "out") == {"005010X231/999.json", "005010X231/directory.json"}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"set": "/tmp/x/evil"}, "no format of X12"),
        ({"set": "9:9"}, "no format of X12"),
        ({"version": "../../../x"}, "no format of X12"),
        ({"version": "005010\n"}, ""),
        ({"pos": "ten"}, "The pos of ST is 'ten'"),
        ({"pos": "0"}, "The pos of ST"),
        ({"seq": "x"}, "The seq of ST01"),
        ({"seq": "300000000"}, "The seq of ST01"),
        ({"seq": "1000"}, "The seq of ST01"),
    ],
)
def test_what_a_map_says_of_itself_is_judged(run, tmp_path, said, why):
    """A map neither chooses where it is written nor how long its import takes; what is wrong in it is told."""
    done = mapped(run, tmp_path, **said)
    if why:
        assert (done.code, done.out) == (2, "")
        assert why in done.err
        assert not (tmp_path / "out").exists()
    else:
        assert below(tmp_path / "out") == {"005010/999.json", "005010/directory.json"}


def test_a_format_that_is_none_is_refused(run, tmp_path):
    """`--format` of a map is held to the same form as what the map says."""
    mapped(run, tmp_path)
    for format_ in ("x12:999", "../x", "x12:../x:1"):
        done = run("schema", "import", "map.xml", "--format", format_, "--into", "other")
        assert done.code == 2
        assert "no format of X12" in done.err


def test_archives_that_cannot_be_read_are_told(run, tmp_path):
    """A file that is no zip and an encrypted zip end with the gateway's own words."""
    (tmp_path / "not.zip").write_bytes(b"no zip")
    body = bytearray(zipped("foo.xsd"))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        body[body.index(signature) + flags] |= 1
    (tmp_path / "secret.zip").write_bytes(body)
    for name in ("not.zip", "secret.zip"):
        done = run("schema", "import", name, "--root", "Foo", "--into", "out")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"gateway: {name}: The archive cannot be unpacked")


def test_a_single_xsd_is_imported(run, tmp_path):
    """An XSD that takes in no other needs no folder around it."""
    (tmp_path / "single.xsd").write_bytes(XSD % b"")
    assert run("schema", "import", "single.xsd", "--root", "Foo", "--into", "out").code == 0
    assert below(tmp_path / "out") == {"Foo-1/single.xsd", "Foo-1.toml"}


@pytest.mark.parametrize("namespace", ["urn:a&#10;b", "urn:a&#9;b", "urn:a&#127;b", "urn:a\\b"])
def test_an_import_leaves_the_catalogue_whole(run, tmp_path, monkeypatch, namespace):
    """Whatever a namespace holds, the index that is made of it can be read, or nothing is put in place."""
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("GATEWAY_CATALOGUE__FOLDER", str(own))
    (tmp_path / "single.xsd").write_bytes(XSD % f' targetNamespace="{namespace}"'.encode())
    done = run("schema", "import", "single.xsd", "--root", "Foo")
    assert done.code == 0 or below(own) == set()
    assert run("catalogue", "check").code == 0


def test_what_does_not_load_is_not_put_in_place(run, tmp_path):
    """An XSD whose root has a type that is not there, or a table of nothing, leaves its folder as it was."""
    (tmp_path / "single.xsd").write_bytes((XSD % b"").replace(b"xs:string", b"Missing"))
    done = run("schema", "import", "single.xsd", "--root", "Foo", "--into", "out")
    assert (done.code, done.out) == (2, "")
    assert "Missing" in done.err
    for kind in ("x12", "edifact"):
        with pytest.raises(SchemaInvalid):
            schema_import._put_in_place({"a/directory.json": b"{}", "a/X.json": b"{}"}, tmp_path / "out", kind)
    assert not (tmp_path / "out").exists()
