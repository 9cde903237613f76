"""Partner files in every form: what is written is read as the same, and what cannot be read is told row by row."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigurationInvalid
from gateway.model import (
    Agreement,
    Credential,
    CredentialKind,
    CredentialUse,
    Direction,
    HeldRole,
    Identifier,
    Level,
    Partner,
    Person,
    Role,
)
from gateway.registry import partner_rows
from gateway.registry.exporting import WRITTEN, Whole, export
from gateway.registry.numbers import judge_number
from gateway.registry.partner_file import Known, PartnerEntry, judge
from gateway.registry.partner_rows import Form, Row, read_rows

KNOWN = Known.of(type("Nothing", (), {"context": None})())
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
IDS = st.from_regex(r"[a-z][a-z0-9._:-]{0,10}", fullmatch=True)
MOMENTS = st.none() | st.integers(1_577_836_800, 1_893_456_000).map(lambda at: datetime.fromtimestamp(at, UTC))
IDENTIFIERS = st.tuples(WORDS.map(lambda word: f"x-{word}"), WORDS).map(lambda pair: Identifier(*pair))
KEYS = st.builds(
    Credential,
    IDS,
    st.just("p"),
    st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    st.sets(st.sampled_from(["send", "read", "admin"])).map(frozenset),
    st.booleans(),
    label=WORDS,
    revoked_at=MOMENTS,
)
TOKENS = st.builds(
    Credential,
    IDS,
    st.just("p"),
    kind=st.just(CredentialKind.TOKEN),
    use=st.just(CredentialUse.OUT),
    reference=st.just("env:TOKEN"),
    valid_until=MOMENTS,
)
PERSONS = st.builds(Person, IDS, st.just("p"), WORDS, active=st.booleans())
PARTNERS = st.builds(
    Partner,
    st.just("p"),
    WORDS,
    st.sets(st.sampled_from([Role.ENTERPRISE, Role.AGENT, Role.PORT])).map(frozenset),
    st.lists(IDENTIFIERS, max_size=3).map(tuple),
    st.sampled_from(["en", "zh"]),
    credit_grade=st.sampled_from(["", "AA", "D"]),
    acts_for=st.sets(IDS, max_size=3).map(frozenset),
    active=st.booleans(),
    direct_through=st.none() | st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    supervision_classes=st.dictionaries(st.sampled_from(["2008", "04"]), st.sampled_from(["I", "III"])),
)
WHOLES = st.builds(
    Whole,
    PARTNERS,
    st.just(()),
    st.lists(KEYS | TOKENS, max_size=3, unique_by=lambda one: one.id),
    st.lists(PERSONS, max_size=2, unique_by=lambda one: one.id),
)


class Holding:
    """A registry that holds these partners, as far as an export reads it."""

    def __init__(self, *wholes: Whole) -> None:
        self._wholes = {one.partner.id: one for one in wholes}

    async def partners(self, after: str, *_: object) -> list[Partner]:
        return [one.partner for id_, one in sorted(self._wholes.items()) if id_ > after]

    async def agreements_of(self, _ids: list[str]) -> dict[str, object]:
        return {id_: one.agreements for id_, one in self._wholes.items()}

    async def credentials_of(self, _ids: list[str]) -> dict[str, object]:
        return {id_: one.credentials for id_, one in self._wholes.items()}

    async def persons_of_partners(self, _ids: list[str]) -> dict[str, object]:
        return {id_: one.persons for id_, one in self._wholes.items()}


def exported(form: Form, *wholes: Whole) -> bytes:
    """The file that an export writes of them."""
    pieces = export(Holding(*wholes), form, credentials=True)  # type: ignore[arg-type]
    written: list[bytes] = []

    async def collect() -> None:
        written.extend([piece async for piece in pieces])

    steps = collect().__await__()
    with pytest.raises(StopIteration):
        next(steps)  # nothing in it waits for anything
    return b"".join(written)


def entries(body: bytes, form: Form) -> Iterator[PartnerEntry]:
    """The partners of a file, all of which are good."""
    for row in read_rows(io.BytesIO(body), "file", form):
        entry, faults = judge(row, KNOWN)
        assert not faults, (faults, row.value)
        assert entry is not None
        yield entry


@pytest.mark.parametrize("form", WRITTEN)
@given(whole=WHOLES)
def test_what_is_exported_is_read_as_the_same(form: Form, whole: Whole) -> None:
    """A partner with its credentials and persons, whatever is in it, comes back from each form as it was."""
    (entry,) = entries(exported(form, whole), form)
    assert entry.partner() == whole.partner
    assert sorted(entry.model_credentials(), key=lambda one: one.id) == sorted(
        whole.credentials, key=lambda one: one.id
    )
    assert list(entry.model_persons()) == list(whole.persons)


@pytest.mark.parametrize("form", WRITTEN)
def test_offices_and_roles_of_persons_come_back(form: Form) -> None:
    """Levels, regions, the office above, and the terms of a person's role."""
    office = Partner("p", "Port office", frozenset({Role.BUREAU}), regions=frozenset({"rim"}), level=Level.HQ)
    term = datetime(2027, 1, 1, tzinfo=UTC)
    person = Person("li", "p", "Li", (HeldRole("reviewer", "370200", term, term + timedelta(days=1)),))
    (entry,) = entries(exported(form, Whole(office, persons=[person])), form)
    assert (entry.partner(), list(entry.model_persons())) == (office, [person])


def test_a_version_of_an_agreement_comes_back() -> None:
    """With what the parties call it, and when it is in force."""
    begin = datetime(2027, 1, 1, tzinfo=UTC)
    agreement = Agreement("p-2", "p", Direction.IN, "*", "*", version="2", valid_from=begin, transport="http")
    body = exported(Form.JSON, Whole(Partner("p", "P"), [agreement]))
    (row,) = read_rows(io.BytesIO(body), "file", Form.JSON)
    known = Known({"http": None}, KNOWN.catalogue)
    entry, _ = judge(row, known)
    assert entry is not None
    assert list(entry.model_agreements()) == [agreement]


ARRAYS = [
    # A file, the ids in it, and whether it ends as an array does.
    ("[]", [], True),
    (' [ {"id": "a"} ] ', ["a"], True),
    ('\ufeff[{"id":"a"},\n{"id":"中文"}]', ["a", "中文"], True),
    ('{"id": "a"}', [], False),
    ('[{"id": "a"} {"id": "b"}]', ["a"], False),
    ('[{"id": "a"},]', ["a"], False),
    ('[{"id": "a"}', ["a"], False),
    ('[{"id": "a"}] x', ["a"], False),
    ("", [], False),
]


@pytest.mark.parametrize("piece", [1, 3, 1 << 18])
@pytest.mark.parametrize(("text", "ids", "good"), ARRAYS)
def test_an_array_is_read_partner_by_partner(
    monkeypatch: pytest.MonkeyPatch, text: str, ids: list[str], good: bool, piece: int
) -> None:
    """Whatever pieces the file comes in; what is no array is told after what could be read of it."""
    monkeypatch.setattr(partner_rows, "_PIECE", piece)
    found: list[str] = []
    try:
        found.extend(row.partner for row in read_rows(io.BytesIO(text.encode()), "f.json", Form.JSON))
    except ConfigurationInvalid:
        assert not good
    else:
        assert good
    assert found == ids


@given(st.lists(st.recursive(st.none() | st.booleans() | st.integers() | WORDS, st.lists, max_leaves=5), max_size=5))
def test_any_array_is_read_as_json_reads_it(values: list[object]) -> None:
    """Item by item what `json` reads as a whole."""
    body = json.dumps(values).encode()
    assert [row.value for row in read_rows(io.BytesIO(body), "f", Form.JSON)] == values


TABLES = [
    # A short form of each list, and the same as JSON has it.
    ("roles", "enterprise agent", ["enterprise", "agent"]),
    ("identifiers", "unb:A; uscc:9:1", [{"scheme": "unb", "value": "A"}, {"scheme": "uscc", "value": "9:1"}]),
    ("identifiers", '"[{""scheme"": ""unb"", ""value"": ""A; B""}]"', [{"scheme": "unb", "value": "A; B"}]),
    ("supervision_classes", "2008=III 04=II", {"2008": "III", "04": "II"}),
    ("name", '"A, ""B"""', 'A, "B"'),
    ("active", "false", "false"),
    ("persons", '"[{""id"": ""li""}]"', [{"id": "li"}]),
]


@pytest.mark.parametrize(("column", "cell", "value"), TABLES)
def test_a_cell_is_short_or_json(column: str, cell: str, value: object) -> None:
    """Each kind of column says what people type, and what JSON says; a heading may stand anywhere."""
    (row,) = read_rows(io.BytesIO(f"{column},id,level\r\n{cell},p,\r\n".encode()), "f.csv", Form.CSV)
    assert (row.value, row.place) == ({column: value, "id": "p"}, "f.csv: line 2")


def test_rows_after_one_that_cannot_be_read_are_read() -> None:
    """A row with a cell too many, or with JSON that is none, is told with its line."""
    rows = list(read_rows(io.BytesIO(b"id,persons\na,,x\nb,[\nc,\n"), "f", Form.CSV))
    assert [(row.place, row.partner, bool(row.unreadable)) for row in rows] == [
        ("f: line 2", "", True),
        ("f: line 3", "", True),
        ("f: line 4", "c", False),
    ]
    lines = list(read_rows(io.BytesIO(b'{\n{"id": "a"}\n'), "f", Form.JSON_LINES))
    assert [(row.partner, bool(row.unreadable)) for row in lines] == [("", True), ("a", False)]


NUMBERS = [
    # Numbers from the standards' own texts and public registers, and the same with one sign changed.
    ("uscc", "91110000600037341L", True),
    ("uscc", "91110000600037341M", False),
    ("gln", "4006381333931", True),
    ("gln", "4006381333932", False),
    ("lei", "213800KUD8LAJWSQ9D15", True),
    ("lei", "213800KUD8LAJWSQ9D16", False),
    ("imo", "9074729", True),
    ("imo", "9074728", False),
    ("imo", "IMO 9074729", False),
    ("duns", "150483782", True),
    ("duns", "15048378", False),
    ("unb", "anything", True),
]


@pytest.mark.parametrize(("scheme", "value", "good"), NUMBERS)
def test_check_digits_hold(scheme: str, value: str, good: bool) -> None:
    """A number of a scheme with a check digit is one, written as it is registered; of others nothing is asked."""
    assert bool(judge_number(scheme, value)) != good
    _, faults = judge(Row("f", {"id": "p", "name": "P", "identifiers": [{"scheme": scheme, "value": value}]}), KNOWN)
    assert bool(faults) != good
