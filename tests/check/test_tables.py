"""Finding and resolving wire tables."""

import pytest

from gateway.catalogue_folders import shipped
from gateway.check import definitions, tables
from gateway.check.nodes import UNBOUNDED
from gateway.errors import SchemaInvalid
from gateway.model import Syntax
from gateway.parse.segments import MessageType


def edifact(name, version="D", release="96B", agency="UN", association=""):
    return MessageType(Syntax.EDIFACT, name, version, release, agency, association)


@pytest.mark.parametrize(
    "type_",
    [
        edifact("CUSDEC"),
        edifact("CUSDEC", association="EAN003"),
        edifact("CUSRES"),
        edifact("CUSCAR", release="95B"),
        edifact("APERAK"),
        # CONTRL has gone by several versions
        edifact("CONTRL", "D", "3"),
        edifact("CONTRL", "2", "1"),
        edifact("CONTRL", "3", "1"),
        edifact("CONTRL", "4", "1"),
        MessageType(Syntax.X12, "309", "004010"),
        MessageType(Syntax.X12, "309", "004010VICS"),
        MessageType(Syntax.X12, "999", "005010X231A1"),
    ],
)
def test_tables_are_found_by_type(type_):
    """By name and version; an association code or an industry suffix does not matter."""
    table = tables.find(shipped(), type_)
    assert table is not None
    assert tables.find(shipped(), type_) is table


@pytest.mark.parametrize(
    "type_",
    [
        edifact("CUSDEC", release="95B"),
        edifact("ORDERS"),
        edifact(""),
        edifact("../d96b/CUSDEC"),
        edifact("*"),
        edifact("directory"),
        edifact("A" * 1000),
        MessageType(Syntax.XML, "CUSDEC", "D", "96B", "UN"),
        MessageType(Syntax.X12, "309", "006050"),
    ],
)
def test_no_table(type_):
    """Another version, an unknown message, or a name made up to reach other files: there is none."""
    assert tables.find(shipped(), type_) is None


def test_contrl_has_its_groups_side_by_side():
    """UCF's group stands beside UCM's, not inside it."""
    for release, maximum in (("3", 999_999), ("4", 99_999)):
        type_ = edifact("CONTRL", "D", "3") if release == "3" else edifact("CONTRL", "4", "1")
        groups = {group.name: group for group in tables.find(shipped(), type_).groups}
        assert [groups[name].parent for name in ("SG1", "SG2", "SG3", "SG4", "SG5")] == [0, 1, 0, 3, 4]
        assert groups["SG1"].maximum == maximum


def test_service_segments_of_both_versions():
    """Version 4 dropped UNA, added packages, and made longer what was short."""
    old, new = tables.service(shipped(), "3"), tables.service(shipped(), "4")
    assert "UNO" in new
    assert "UNO" not in old
    assert [len(v["UNB"].elements[3].components) for v in (old, new)] == [2, 2]
    assert [v["UNB"].elements[3].components[0].max_length for v in (old, new)] == [6, 8]
    assert tables.service(shipped(), "2") == old or tables.service(shipped(), "2").keys() == old.keys()


FACTS = {
    "formats": ["edifact:TEST:D:96B:UN"],
    "source": "test",
    "structure": ["UNH M 1", ["SG1 C >1", "AAA M 1", "BBB C 9"]],
    "segments": {"UNH": [], "AAA": ["1 M", "C1 C", "2 C 3"], "BBB": ["9 C a3"]},
    "composites": {"C1": ["1 M", "- ?"]},
    "elements": {"1": "an..35", "2": "n5"},
    "codes": {"1": "A B C"},
    "notes": {"AAA": ["P0102"]},
}


def resolve(syntax=Syntax.EDIFACT, **changes):
    return definitions.resolve(syntax, {**FACTS, **changes}, [], "TEST")


def test_the_form():
    """Uses, types, codes, notes, groups and repetitions, as the module describes them."""
    table = resolve()
    first, composite, repeated = table.nodes[1].elements
    assert (first.number, first.kind, first.min_length, first.max_length, first.mandatory) == ("1", "an", 1, 35, True)
    assert first.codes == {"A", "B", "C"}
    assert [c.mandatory for c in composite.components] == [True, None]
    assert (repeated.kind, repeated.min_length, repeated.max_length, repeated.repeat) == ("n", 5, 5, 3)
    assert (table.nodes[2].elements[0].kind, table.nodes[2].elements[0].max_length) == ("a", 3)
    assert (table.groups[1].name, table.groups[1].trigger, table.groups[1].maximum) == ("SG1", 1, UNBOUNDED)
    assert [str(note) for note in table.nodes[1].notes] == ["P0102"]
    assert table.unchecked == 1


def test_x12_elements_are_numbered_by_position():
    """The directory number is kept beside the position."""
    table = resolve(Syntax.X12, elements={"1": "AN 1..35", "2": "N0 5"})
    assert [(use.number, use.item) for use in table.nodes[1].elements] == [("01", "1"), ("02", "C1"), ("03", "2")]


def test_a_messages_own_definitions_go_first():
    """What a message file defines overrides its directory."""
    directory = {"segments": {"UNH": ["1 M"], "CCC": ["1 C"]}, "elements": {"1": "an..3"}}
    message = {"formats": ["x"], "source": "test", "structure": ["UNH M 1", "CCC C 1"], "segments": {"UNH": []}}
    table = definitions.resolve(Syntax.EDIFACT, message, [directory], "TEST")
    assert [len(node.elements) for node in table.nodes] == [0, 1]


@pytest.mark.parametrize(
    "changes",
    [
        {"structure": ["UNH M 1", "XXX C 1"]},
        {"structure": ["UNH M"]},
        {"structure": ["UNH Q 1"]},
        {"structure": ["UNH M 1", ["SG1 C 1", ["SG2 C 1", "AAA M 1"]]]},
        {"structure": ["UNH M 1", ["SG1 C 1"]]},
        {"segments": {**FACTS["segments"], "AAA": ["7 M"]}},
        {"elements": {"1": "an..x", "2": "n5"}},
        {"notes": {"AAA": ["P1"]}},
        {"formats": []},
    ],
)
def test_tables_that_do_not_hold_together(changes):
    """A table that says something impossible is refused when it is loaded, with its name."""
    with pytest.raises(SchemaInvalid, match="TEST"):
        resolve(**changes)


def test_the_digest_covers_everything_that_is_checked():
    """Any other fact gives another digest; the order of facts on disk does not."""
    digests = {resolve().digest}
    changes = [
        {"structure": ["UNH M 1", ["SG1 C >1", "AAA M 1", "BBB C 8"]]},
        {"structure": ["UNH M 1", ["SG1 M >1", "AAA M 1", "BBB C 9"]]},
        {"elements": {"1": "an..34", "2": "n5"}},
        {"elements": {"1": "a..35", "2": "n5"}},
        {"codes": {"1": "A B"}},
        {"codes": {}},
        {"notes": {}},
        {"composites": {"C1": ["1 C", "- ?"]}},
    ]
    digests |= {resolve(**change).digest for change in changes}
    assert len(digests) == len(changes) + 1
    assert resolve(codes={"1": "C B A"}).digest == resolve().digest


def test_files_that_are_no_tables(tmp_path):
    """A file that is missing, no JSON or no object is refused with its path."""
    for name, content in (("a.json", "{"), ("b.json", "[]")):
        (tmp_path / name).write_text(content, "utf-8")
        with pytest.raises(SchemaInvalid, match=name):
            tables.read_json(shipped(), tmp_path / name)
    with pytest.raises(SchemaInvalid, match="missing"):
        tables.read_json(shipped(), tmp_path / "missing.json")


def test_every_shipped_table_loads():
    """All message files of both dialects, each with its source."""
    assert len(tables.available(shipped())) >= 12
    for path in tables.available(shipped()):
        table = tables.load(shipped(), path)
        assert table.nodes
        assert table.source
        assert tables.find(shipped(), MessageType(table.syntax, *_parts(table.formats[0]))) is table


def _parts(format_):
    return format_.split(":")[1:]
