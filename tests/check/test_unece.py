"""Importing UN/EDIFACT directories."""

import io
import json
import zipfile

import pytest

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.check import definitions, structure, tables, unece
from gateway.errors import DirectoryUnreadable
from gateway.model import Syntax
from gateway.parse import edifact
from gateway.parse.segments import MessageRead
from tests import foreign
from tests.catalogues import over_shipped

REFERENCE = foreign.material("reference/unece")
SAMPLES = foreign.material("samples/edifact")
RELEASES = ["d95b", "d96b", "d99b", "d01b", "d03b", "d13b", "d21b"]
RULE = "-" * 70

# An archive in the layout of the directories before 1998: box characters of code page 437, marks, wrapped names, a
# change table after the table proper.
OLD_MESSAGE = """
   Message Type : TESTER
   Version      : D
   Release      : 94Z
   Contr. Agency: UN

4.3.1  Segment table

Pos    Tag Name                                      S   R

0010   UNH Message header                            M   1
0020 + BGM Beginning of message                      M   1
0030   LOC Place/location of something with
           a long name                               C   99

0040       ───── Segment group 1  ────────────────── C   9───────────┐
0050   DTM Date/time/period                          M   1           │
                                                                     │
0060 *     ───── Segment group 2  ────────────────── M   5──────────┐│
0070   LOC Place/location                            M   1          ││
0080   DTM Date/time/period                          C   2──────────┴┘
0090   UNT Message trailer                           M   1

   Change table

0010   UNH Message header                            M   1
     - BGM Beginning of message                      M   1
0090   UNT Message trailer                           M   1
"""
OLD_SEGMENTS = f"""
{RULE}

      BGM    BEGINNING OF MESSAGE

      Function: To begin.

010   C002  DOCUMENT NAME                                  C
      1001   Document name, coded                          C  an..3

020   1225  A FUNCTION WITH A NAME SO LONG THAT IT GOES
            ON HERE                                        M  an..3

{RULE}

    + DTM    DATE/TIME/PERIOD

010 * C507  DATE/TIME/PERIOD                               M
      2005   Qualifier                                     M  an..3

{RULE}

      LOC    PLACE/LOCATION IDENTIFICATION

010   3227  QUALIFIER                                      M  an..3
020   6060  QUANTITY                                       C  n..15
"""
OLD_COMPOSITES = f"""
{RULE}

      C002  DOCUMENT NAME

010   1001   Document name, coded                          C  an..3

{RULE}

    *#|C507  DATE/TIME/PERIOD

010   2005   Qualifier                                     M  an..3
020   2380   Date                                          C  an..35
"""
OLD_ELEMENTS = "".join(
    f"\n{RULE}\n\n   {number}  Name\n\n   Desc: Words.\n\n   Repr: {type_}\n"
    for number, type_ in [
        ("1001", "an..3"),
        ("1225", "an..3"),
        ("2005", "an..3"),
        ("2380", "an..35"),
        ("3227", "an..3"),
        ("6060", "n..15"),
    ]
)
OLD_CODES = f"""
{RULE}

* 1001  Document name, coded

  Desc: Words that begin
        a line as codes do.

  Repr: an..3

        1 Certificate
             Words 5 more words.
       12 Mill certificate that has a
          name of two lines
+  ZZZ    Mutually defined
             Self explanatory.

  Note:
        9 is no code here.

{RULE}

  3227  Place qualifier

  Repr: an..3

      998 Goods declaration
"""
NEW_CODES = f"""
{RULE}

     2005  Date qualifier                                        [C]

     Desc: Code.

     Repr: an..3

     2     Delivery date
              Words.

           Note:
              1. This code value is going away.

#|   137   Document date
X    ZZZ   Mutually defined
"""


def packed(files):
    """A zip of `files`, text as code page 437."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            text = content if isinstance(content, bytes) else content.replace("\n", "\r\n").encode("cp437")
            archive.writestr(name, text)
    return buffer.getvalue()


def archive(**changes):
    files = {
        "EDIFACT/TRMD.ZIP": packed({"TRMD/TESTER_D.94Z": OLD_MESSAGE, "TRMD/TRMDI1.94Z": "An index."}),
        "EDIFACT/TRSD.ZIP": packed({"TRSD.94Z": OLD_SEGMENTS}),
        "EDIFACT/TRCD.ZIP": packed({"TRCD.94Z": OLD_COMPOSITES}),
        "EDIFACT/TRED.ZIP": packed({"TRED.94Z": OLD_ELEMENTS}),
        "EDIFACT/UNCL.ZIP": packed({"UNCL-1.94Z": OLD_CODES, "UNCL-2.94Z": NEW_CODES}),
        "README.TXT": "Read me.",
    }
    return packed({**files, **{f"EDIFACT/{name}.ZIP": content for name, content in changes.items()}})


def test_a_message_table():
    """Groups nest as the box beside them is drawn; wrapped names, marks and what follows the table do not matter."""
    directory = unece.read_directory(archive())
    assert list(directory.messages) == ["TESTER"]
    found = unece.table(directory, "TESTER")
    assert found["formats"] == ["edifact:TESTER:D:94Z:UN"]
    assert found["structure"] == [
        "UNH M 1",
        "BGM M 1",
        "LOC C 99",
        ["SG1 C 9", "DTM M 1", ["SG2 M 5", "LOC M 1", "DTM C 2"]],
        "UNT M 1",
    ]


def test_definitions():
    """Segments, composites, types and codes of both layouts; names that wrap onto the line of the status."""
    directory = unece.read_directory(archive())
    assert directory.segments == {"BGM": ["C002 C", "1225 M"], "DTM": ["C507 M"], "LOC": ["3227 M", "6060 C"]}
    assert directory.composites == {"C002": ["1001 C"], "C507": ["2005 M", "2380 C"]}
    assert directory.elements["6060"] == "n..15"
    assert directory.codes == {"1001": ["1", "12", "ZZZ"], "3227": ["998"], "2005": ["2", "137", "ZZZ"]}


def test_names():
    """Names of both layouts, those that wrap and those in capitals; words that describe are no part of them."""
    names = unece.read_directory(archive()).names
    assert names.segments == {
        "BGM": "Beginning of message",
        "DTM": "Date/time/period",
        "LOC": "Place/location identification",
    }
    assert names.composites == {"C002": "Document name", "C507": "Date/time/period"}
    assert names.elements["1001"] == "Name"
    assert names.codes["1001"] == {
        "1": "Certificate",
        "12": "Mill certificate that has a name of two lines",
        "ZZZ": "Mutually defined",
    }
    assert names.codes["2005"] == {"2": "Delivery date", "137": "Document date", "ZZZ": "Mutually defined"}


def written_by(directory, messages, folder):
    """The paths of the tables of `messages`, made and written below `folder`."""
    made = unece.make_files(directory, messages, folder)
    for name, value in made.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(unece.dump(value), "utf-8")
    return [folder / name for name in made]


def test_writing_keeps_the_tables_that_are_there(tmp_path):
    """A second import adds to the directory file; the tables load, the same facts give the same digest."""
    directory = unece.read_directory(archive())
    folder = tmp_path / "schemas/edifact"
    written = written_by(directory, ["TESTER"], folder)
    names = [f"schemas/edifact/d94z/{name}.json" for name in ("directory", "names", "TESTER")]
    assert [p.relative_to(tmp_path).as_posix() for p in written] == names
    table = tables.load(over_shipped(tmp_path), names[-1])
    assert (table.syntax, table.format) == (Syntax.EDIFACT, "edifact:TESTER:D:94Z:UN")
    directory.messages["SECOND"] = OLD_MESSAGE.replace("TESTER", "SECOND").replace("LOC", "DTM")
    first = json.loads(written[0].read_text("utf-8"))
    (again, _, second) = written_by(directory, ["SECOND"], folder)
    assert json.loads(again.read_text("utf-8")) == first
    catalogue = over_shipped(tmp_path)
    assert tables.load(catalogue, names[-1]).digest == table.digest
    assert tables.load(catalogue, second.relative_to(tmp_path).as_posix()).digest != table.digest


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (b"no zip", "cannot be unpacked"),
        (b"PK\x03\x04 broken", "cannot be unpacked"),
        (packed({"a.txt": "x"}), "holds no messages"),
        (archive(UNCL=packed({})), "holds no codes"),
        (archive(TRSD=packed({"TRSD.94Z": "nothing"})), "holds no segments"),
    ],
)
def test_unreadable_archives(broken, words):
    """What is no directory is refused with the reason."""
    with pytest.raises(DirectoryUnreadable, match=words):
        unece.read_directory(broken)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (("0090   UNT", "0090   XXX"), "to its end"),
        (("2──────────┴┘", "2           │││"), "stands in more groups"),
        (("Release", "Rel."), "no line 'Release'"),
    ],
)
def test_messages_that_cannot_be_followed(damage, words):
    """A table that is not understood is refused, never half imported."""
    directory = unece.read_directory(archive(TRMD=packed({"TESTER_D.94Z": OLD_MESSAGE.replace(*damage)})))
    with pytest.raises(DirectoryUnreadable, match=words):
        unece.table(directory, "TESTER")
    with pytest.raises(DirectoryUnreadable, match="no message ABSENT"):
        unece.table(directory, "ABSENT")


def test_archives_are_unpacked_within_a_budget(monkeypatch):
    """A zip bomb is refused by what it says it holds, before it is unpacked."""
    monkeypatch.setattr(unece, "_MAX_BYTES", 10_000)
    with pytest.raises(DirectoryUnreadable, match="more than 10000"):
        unece.read_directory(packed({"UNCL.94Z": b"\0" * 20_000}))


def test_the_shipped_tables_are_in_the_form_that_the_importer_writes():
    """Every EDIFACT file of schemas/ is as `dump` writes it, loads, and names its source."""
    for name in tables.available(shipped()):
        if name.startswith("schemas/edifact/"):
            assert unece.dump(json.loads(shipped().read(name))) == shipped().text(name), name
            assert tables.load(shipped(), name).source
            # Of one component of S501 no source is sure.
            uses = [use for node in tables.load(shipped(), name).nodes for use in node.elements if use.unchecked]
            assert {use.item for use in uses} <= ({"S501"} if "/service-4/" in name else set())


# The directories themselves.


def directory_of(release):
    return unece.read_directory((REFERENCE / f"{release}.zip").read_bytes())


def resolved(directory, message):
    """The table of a message as `tables` resolves it."""
    found = unece.table(directory, message)
    service = json.loads((data.schemas() / "edifact/service-4/directory.json").read_bytes())
    table = definitions.resolve(Syntax.EDIFACT, found, [unece.directory_file(directory, [found]), service], message)
    return tables.framed(shipped(), table)


@foreign.needed
@pytest.mark.parametrize(
    ("release", "messages", "segments", "elements"),
    [
        ("d95b", 115, 126, 459),
        ("d96b", 136, 136, 496),
        ("d99b", 189, 152, 622),
        ("d01b", 208, 158, 641),
        ("d03b", 207, 155, 648),
        ("d13b", 209, 156, 649),
        ("d21b", 210, 156, 649),
    ],
)
def test_directories_are_complete(release, messages, segments, elements):
    """Everything in a directory is read, and nothing that is used is undefined."""
    directory = directory_of(release)
    assert (len(directory.messages), len(directory.segments), len(directory.elements)) == (messages, segments, elements)
    for defined in (directory.segments, directory.interactive, directory.composites):
        for uses in defined.values():
            assert uses
            for use in uses:
                item = use.split(" ")[0]
                assert item in directory.composites or item in directory.elements
    codes = [code for listed in directory.codes.values() for code in listed]
    assert all(code.isalnum() and code.upper() == code for code in codes)
    for message in sorted(directory.messages)[::40]:
        assert resolved(directory, message).nodes[0].tag in {"UNH", "UIH"}


@foreign.needed
@pytest.mark.slow
@pytest.mark.parametrize("release", RELEASES)
def test_every_message_of_every_directory_is_imported(release):
    """All messages, batch and interactive, give tables that hold together."""
    directory = directory_of(release)
    for message in directory.messages:
        table = resolved(directory, message)
        assert table.nodes[-1].tag in {"UNT", "UIT"}
        assert table.format.startswith(f"edifact:{message}:D:{release[1:].upper()}:UN")


@foreign.needed
@pytest.mark.parametrize("release", ["d95b", "d96b", "d99b", "d01b", "d13b", "d21b"])
def test_the_shipped_tables_say_what_the_directories_say(release):
    """The tables in schemas/ are what an import gives, whichever others the folder holds."""
    directory = directory_of(release)
    names = [name for name in tables.available(shipped()) if name.startswith(f"schemas/edifact/{release}/")]
    assert names
    for name in names:
        message = name.rpartition("/")[2].removesuffix(".json")
        assert tables.load(shipped(), name).digest == resolved(directory, message).digest, name


@foreign.needed
@pytest.mark.parametrize(
    ("name", "release", "expected"),
    [
        # what their writers took from elsewhere than the directory, and one value too long; every segment has its place
        ("edifact_BAPLIE_D04B_apimeister.edi", "d03b", [("too_many_components", "S009")]),  # 0110 in syntax version 2
        ("edifact_IFCSUM_D01B_edinet.edi", "d01b", [("too_long", "7065"), ("unknown_code", "6313")] * 2),
        ("edifact_IFTSTA_D00B_apimeister.edi", "d01b", [("unknown_code", "1153"), ("unknown_code", "3055")]),
        (
            "edifact_COPRAR_D95B_apimeister.edi",
            "d95b",
            [
                ("unknown_code", "1001"),
                ("unknown_code", "1153"),
                # days with the qualifier of days with their times
                ("invalid_period", "2380"),
                ("invalid_period", "2380"),
                ("unknown_code", "6313"),
                ("unknown_code", "6313"),
            ],
        ),
    ],
)
def test_messages_of_other_software_against_their_directories(name, release, expected):
    """Real messages pass the walk through tables that were imported for them just now."""
    (message,) = (e.message for e in edifact.read((SAMPLES / name).read_bytes()) if isinstance(e, MessageRead))
    checked = structure.check(message, resolved(directory_of(release), message.type.name))
    assert -1 not in checked.nodes
    assert [(f.code.removeprefix("edi.element."), f.args["number"]) for f in checked.findings] == expected


@foreign.needed
def test_known_traps_of_the_directories():
    """Dependency notes, a table drawn wrongly, a group number without room, a change table, SANCRT and GIS."""
    latest = directory_of("d21b")
    assert latest.notes == {"TDT": ["C0403"]}
    assert "GOVCBR" in latest.messages
    assert any("SG100" in str(member) for member in unece.table(latest, "GOVCBR")["structure"])
    groups = {group.name: group for group in resolved(directory_of("d99b"), "BOPBNK").groups}
    assert groups["SG4"].parent == list(groups).index("SG3")
    assert "GEI" in {node.tag for node in resolved(latest, "CUSDEC").nodes}
    assert "GIS" in {node.tag for node in tables.load(shipped(), "schemas/edifact/d96b/CUSDEC.json").nodes}
    assert unece.table(directory_of("d95b"), "CUSCAR")["structure"].count("UNH M 1") == 1
