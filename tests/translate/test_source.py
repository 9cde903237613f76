"""What a table takes from elsewhere: the rows it includes, and the table that it is a variation of."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from gateway import data
from gateway.catalogue_folders import shipped
from gateway.errors import MappingInvalid
from gateway.translate import source, table
from gateway.translate.rows import Row
from tests.catalogues import over_shipped

HEAD = 'document = "clearance"\nformat = "edifact:CUSRES:D:96B:UN"\n'
BASE = "clearance/edifact_cusres_d96b"
MAIN = ("clearance", "edifact:CUSRES:D:96B:UN")
PARTY = 'rows = [["code", ".NAD/C082.3039", "text"], ["city", ".NAD/3164", "cut:35"], ["", ".NAD/3207", "constant:CN"]]'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped tables to write more into."""
    copied = tmp_path / "mappings"
    shutil.copytree(data.mappings(), copied)
    (copied / "parts/tried.toml").write_text(PARTY)
    return copied


def rows(text: str, folder: Path) -> tuple[Row, ...]:
    """The rows that a table's text comes to; it has no faults."""
    read = source.read(over_shipped(folder.parent), text.encode(), "tried.toml")
    assert read.faults == ()
    assert read.rows is not None
    return read.rows


def faults(text: str, folder: Path) -> str:
    """What is wrong with a table's text, in one line."""
    try:
        return "; ".join(source.read(over_shipped(folder.parent), text.encode(), "tried.toml").faults)
    except MappingInvalid as error:
        return str(error)


@pytest.mark.parametrize(
    ("include", "written"),
    [
        # A part's places go directly behind `at`, its fields behind the field and a dot.
        (
            '{ include = "tried", field = "consignor", at = "SG1[3035=CZ]" }',
            """["consignor.code", "SG1[3035=CZ].NAD/C082.3039", "text"],
            ["consignor.city", "SG1[3035=CZ].NAD/3164", "cut:35"],
            ["", "SG1[3035=CZ].NAD/3207", "constant:CN"]""",
        ),
        # What is left out goes by its name within the part.
        (
            '{ include = "tried", field = "goods[].maker", at = "SG6.SG7", without = ["city", ".NAD/3207"] }',
            '["goods[].maker.code", "SG6.SG7.NAD/C082.3039", "text"]',
        ),
        # Without a field, the part's own are the document's.
        (
            '{ include = "tried", field = "", at = "SG1", without = ["code", ".NAD/3207"] }',
            '["city", "SG1.NAD/3164", "cut:35"]',
        ),
    ],
)
def test_an_include_is_what_it_stands_for(folder: Path, include: str, written: str) -> None:
    """A table that includes comes to the same rows as one in which they are written out."""
    assert rows(f"{HEAD}rows = [{include}]", folder) == rows(f"{HEAD}rows = [{written}]", folder)


def test_a_notice_with_its_parties_written_out_is_the_same_table() -> None:
    """The rows of a shipped table, by hand: its includes stand for exactly these."""
    party = {
        "code": ".NAD/C082.3039 text",
        "foreign_name": ".NAD/C058.3124[1..5] joined:35",
        "name": ".NAD/C080.3036[1..5] joined:35",
        "address": ".NAD/C059.3042[1..3] joined:35",
        "city": ".NAD/3164 cut:35",
        "subdivision": ".NAD/3229 text",
        "postcode": ".NAD/3251 text",
        "country": ".NAD/3207 code:country",
        "contact": ".SG2[3139=IC].CTA/C056.3412 cut:35",
        "telephone": ".SG2[3139=IC].COM[3155=TE]/C076.3148 text",
    }
    expected = {
        Row(f"{who}.{field}", f"SG1[3035={qualifier}]{by.split()[0]}", by.split()[1])
        for who, qualifier in (("consignor", "CZ"), ("consignee", "CN"))
        for field, by in party.items()
    }
    assert {row for row in table.load(shipped(), *MAIN).rows if row.field.startswith("consign")} == expected


def test_every_part_is_included_somewhere() -> None:
    """No part has lost its tables."""
    parts = {path.stem for path in (data.mappings() / source.PARTS).glob("*.toml")}
    texts = "".join(shipped().text(name) for name in table.files(shipped()))
    assert parts == set(re.findall(r'include = "(\w+)"', texts))


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ('{ include = "nothing", field = "x", at = "y" }', "include 'nothing': there is no parts/nothing.toml"),
        ('{ include = "../clearance/x", field = "x", at = "y" }', "there is no parts/../clearance/x.toml"),
        ('{ include = "tried", field = "x" }', "takes include, field, at"),
        ('{ include = "tried", field = "x", at = "y", colour = "red" }', "takes include, field, at"),
        (
            '{ include = "tried", field = "x", at = "y", without = ["name"] }',
            "include 'tried' for 'x': without: 'name' names no row",
        ),
        ('{ include = "tried", field = "x", at = "y", without = "code" }', "without: is a list"),
        ('{ include = "broken", field = "x", at = "y" }', "include 'broken': row ['code', 'NAD']: a row is"),
        ('{ include = "table", field = "x", at = "y" }', "parts/table.toml holds a list of rows and nothing else"),
        (
            '{ include = "tried", field = "x", at = "y" }, { include = "tried", field = "x", at = "y" }',
            "row ['x.code', 'y.NAD/C082.3039', 'text']: stands twice (row ['code'",
        ),
    ],
)
def test_an_include_that_is_none_is_told(folder: Path, entry: str, fault: str) -> None:
    """What is wrong with an entry or with its part is told with the part's name."""
    (folder / "parts/broken.toml").write_text('rows = [["code", "NAD"]]')
    (folder / "parts/table.toml").write_text(f"{HEAD}rows = []")
    assert fault in faults(f"{HEAD}rows = [{entry}]", folder)


def test_a_fault_of_an_included_row_names_table_include_and_row(folder: Path) -> None:
    """Whoever reads it finds the table, the entry in it and the row in the part."""
    text = f'{HEAD}rows = [{{ include = "tried", field = "consignor", at = "SG99" }}]'
    with pytest.raises(MappingInvalid) as caught:
        table.parse(over_shipped(folder.parent), text.encode(), "tried.toml")
    assert "tried.toml: " in str(caught.value)
    assert (
        "place 'SG99.NAD/3164': edifact:CUSRES:D:96B:UN has no group SG99 "
        "(row ['city', '.NAD/3164', 'cut:35'] of include 'tried' for 'consignor' at 'SG99')"
    ) in str(caught.value)


def test_the_digest_covers_what_is_included(folder: Path) -> None:
    """A part that changes gives every table that includes it another digest, and no other table."""
    including = f'{HEAD}rows = [{{ include = "tried", field = "consignor", at = "SG1" }}]'.encode()
    plain = f"{HEAD}rows = []".encode()

    def digests() -> tuple[str, str]:
        return tuple(source.read(over_shipped(folder.parent), body, "t").digest for body in (including, plain))  # type: ignore[return-value]

    before = digests()
    part = hashlib.sha256(PARTY.encode()).hexdigest()
    assert before[0] == hashlib.sha256(including + f"\nparts/tried {part}".encode()).hexdigest()
    assert before[1] == hashlib.sha256(plain).hexdigest()
    (folder / "parts/tried.toml").write_text(PARTY + "\n")
    after = digests()
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_the_order_of_rows_and_includes_means_nothing(folder: Path) -> None:
    """Backwards, the table is the same."""
    lines = [
        '["number", "BGM/C106.1004", "text"]',
        '{ include = "tried", field = "consignor", at = "SG1[3035=CZ]" }',
        '["function", "BGM/1225", "text"]',
    ]
    forth, back = (rows(f"{HEAD}rows = [{', '.join(each)}]", folder) for each in (lines, lines[::-1]))
    assert sorted(map(str, forth)) == sorted(map(str, back))


def varied(rows_: str, folder: Path, more: str = "") -> tuple[set[Row], set[Row]]:
    """(the base's rows that a variation has not, the rows that it has instead)."""
    base = set(table.load(over_shipped(folder.parent), *MAIN).rows)
    own = set(rows(f'extends = "{BASE}"\n{more}\nrows = [{rows_}]', folder))
    return base - own, own - base


@pytest.mark.parametrize(
    ("row", "more", "gone", "new"),
    [
        # The row of a field replaces the base's, wherever that stands.
        (
            '["number", "BGM/C106.1004", "digits:18"]',
            "",
            {Row("number", "BGM/C106.1004", "text")},
            {Row("number", "BGM/C106.1004", "digits:18")},
        ),
        # A field without a row in the base gets one.
        ('["tried", "BGM/C106.1056", "text"]', "", set(), {Row("tried", "BGM/C106.1056", "text")}),
        # A row without a field goes by its place.
        (
            '["", "BGM/C002.1000", "constant:NOTICE"]',
            "",
            {Row("", "BGM/C002.1000", "constant:CLEARANCE NOTICE")},
            {Row("", "BGM/C002.1000", "constant:NOTICE")},
        ),
        # A list's count is another row than where it repeats.
        (
            '["goods[]", "CNT[6069=11]/C270.6066", "count"]',
            "",
            {Row("goods[]", "CNT[6069=5]/C270.6066", "count")},
            {Row("goods[]", "CNT[6069=11]/C270.6066", "count")},
        ),
        # What is implied stands beside what is written.
        ('["function", "", "default:9"]', "", set(), {Row("function", "", "default:9")}),
        # A row that the base includes is replaced like any other.
        (
            '["consignor.city", "SG1[3035=CZ].NAD/3164", "cut:17"]',
            "",
            {Row("consignor.city", "SG1[3035=CZ].NAD/3164", "cut:35")},
            {Row("consignor.city", "SG1[3035=CZ].NAD/3164", "cut:17")},
        ),
        # Rows are dropped by field, by field with all below it, and by place.
        ("", 'without = ["remarks"]', {Row("remarks", "FTX[4451=AAI][1..9]/C108.4440[1..5]", "joined:70")}, set()),
        (
            "",
            'without = ["goods[].quantity", "BGM/C002.1000"]',
            {
                Row("goods[].quantity.value", "SG6[1001=929].SG10.SG11[5283=9].MEA[6311=AAE]/C174.6314", "number"),
                Row("goods[].quantity.unit", "SG6[1001=929].SG10.SG11[5283=9].MEA[6311=AAE]/C174.6411", "code:unit"),
                Row("", "BGM/C002.1000", "constant:CLEARANCE NOTICE"),
            },
            set(),
        ),
    ],
)
def test_a_variation_says_what_differs(folder: Path, row: str, more: str, gone: set[Row], new: set[Row]) -> None:
    """Its rows replace their like, add what the base has not, and drop what it names; all else is the base's."""
    assert varied(row, folder, more) == (gone, new)


def test_a_variation_has_the_bases_header_but_for_the_unmapped(folder: Path) -> None:
    """Document, format and conditions are not said again; what becomes of the unmapped may be."""
    base = source.read(over_shipped(folder.parent), (folder / f"{BASE}.toml").read_bytes(), BASE)
    own = source.read(over_shipped(folder.parent), f'extends = "{BASE}"\nunmapped = "ignore"'.encode(), "own")
    assert (own.document, own.format, own.when, own.reshape) == (base.document, base.format, base.when, base.reshape)
    assert (base.unmapped, own.unmapped, own.extends) == ("report", "ignore", BASE)
    assert own.digest != base.digest


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('extends = "clearance/nothing"', "extends: there is no table 'clearance/nothing'"),
        ('extends = "parts/tried"', "extends: there is no table 'parts/tried'"),
        ('extends = "../mappings/clearance"', "extends: there is no table"),
        ('extends = "clearance/json_clearance_1"', "the document's own JSON has no variations"),
        ('extends = "clearance/acme"', "clearance/acme is a variation itself"),
        (f'extends = "{BASE}"\ndocument = "clearance"', "document: unknown in a variation"),
        (f'extends = "{BASE}"\nwhen = {{ "BGM/1225" = "9" }}', "when: unknown in a variation"),
        (f'extends = "{BASE}"\nwithout = ["nothing"]', "without: 'nothing' names no row"),
        (
            f'extends = "{BASE}"\nrows = [["contract_number", "SG3[1153=BM].RFF/C506.1154", "text"]]',
            "'text']: bill_of_lading stands there in the table it extends",
        ),
        (f'extends = "{BASE}"\nrows = "document"', "the document's own JSON has no variations"),
    ],
)
def test_a_variation_that_is_none_is_told(folder: Path, text: str, fault: str) -> None:
    """What it extends and what it may say is judged at loading."""
    (folder / "clearance/acme.toml").write_text(f'extends = "{BASE}"')
    assert fault in faults(text, folder)


def test_a_variation_is_found_by_its_name_and_for_what_its_base_maps(folder: Path) -> None:
    """It is no table of its own: only whoever names it gets it, and only for its document and format."""
    (folder / "clearance/acme.toml").write_text(f'extends = "{BASE}"\nwithout = ["remarks"]')
    (variation,) = table.variations(over_shipped(folder.parent))
    assert variation == table.Variation("clearance/acme", BASE, *MAIN)
    found = table.find(over_shipped(folder.parent), *MAIN, "clearance/acme")
    assert found is not None
    assert "remarks" not in found.carried
    assert "remarks" in table.load(over_shipped(folder.parent), *MAIN).carried
    assert table.available(over_shipped(folder.parent)).count(MAIN) == 1
    assert table.find(over_shipped(folder.parent), *MAIN, "clearance/nobody") is None
    assert table.find(over_shipped(folder.parent), "transfer", "xml:Transfer:1", "clearance/acme") is None
    with pytest.raises(MappingInvalid, match=r"no mapping of clearance as .* by the name clearance/nobody"):
        table.load(over_shipped(folder.parent), *MAIN, "clearance/nobody")


def test_a_variation_is_judged_as_a_whole(folder: Path) -> None:
    """Without a required field, or with a row that fits nothing, it does not load."""
    for more, fault in (
        ('without = ["number"]', "number: is required and no row reads it"),
        ('rows = [["remarks", "SG99.FTX/C108.4440", "text"]]', "has no group SG99"),
    ):
        with pytest.raises(MappingInvalid, match=fault):
            table.parse(over_shipped(folder.parent), f'extends = "{BASE}"\n{more}'.encode(), "tried.toml")
