"""Feeds: who finds which entry, over both engines, and who takes part in a case by fetching."""

from __future__ import annotations

import pytest

from gateway.decide.audience import name_audiences
from gateway.errors import NotFound
from gateway.model import MessageState, Partner, Role
from gateway.store.contract import CaseChange
from gateway.store.sql_store import SqlStore
from tests.store.made import claim, feed_entry, message, outcome


def opened(case_id: str) -> CaseChange:
    return CaseChange(case_id, 0, "accepted", "firm", False, kind="consignment", tracks={"declaration": "accepted"})


async def test_a_reader_finds_what_is_addressed_to_it(store: SqlStore) -> None:
    """Everyone's entries, its own and those of its audiences, in one order; nobody else's; all of them without a reader."""
    entries = [
        feed_entry(f"e{number}", partner_id=name)
        for number, name in enumerate(("", "customs", "@role:customs", "@customs_office:42", "other", "@office:37"))
    ]
    await store.commit(outcome(await claim(store), feed=tuple(entries)))
    audiences = ("@role:customs", "@customs_office:4", "@customs_office:42")

    async def found(partner_id: str, audiences: tuple[str, ...] = ()) -> list[str]:
        page = await store.feed("clearance", partner_id, 0, 100, audiences=audiences)
        return [entry.document_id for entry in page]

    assert await found("customs", audiences) == ["e0", "e1", "e2", "e3"]
    assert await found("customs") == ["e0", "e1"]
    assert await found("") == ["e0", "e1", "e2", "e3", "e4", "e5"]
    page = await store.feed("clearance", "customs", 1, 2, audiences=audiences)
    assert [entry.document_id for entry in page] == ["e1", "e2"]


async def test_an_entry_is_opened_by_whom_it_is_addressed_to(store: SqlStore) -> None:
    """For others it is not there."""
    await store.commit(outcome(await claim(store), feed=(feed_entry("e", partner_id="@office:37"),)))
    entry = await store.feed_entry("clearance", "bureau", 1, audiences=("@office:37",))
    assert entry.body == b"body of e"
    kept, _ = await store.feed_entry_kept("clearance", "bureau", 1, audiences=("@office:37",))
    assert kept.document_id == "e"
    for audiences in ((), ("@office:3",), ("@office:370",)):
        with pytest.raises(NotFound):
            await store.feed_entry("clearance", "bureau", 1, audiences=audiences)


async def test_a_document_for_two_audiences_is_told_once(store: SqlStore) -> None:
    """Whoever is of both finds it once on a page, under the first number; what a role sees of it is another text."""
    same = [feed_entry("e", partner_id=name) for name in ("@office:37", "@office:3701")]
    cut = feed_entry("e", partner_id="@role:port", body=b"less")
    await store.commit(outcome(await claim(store), feed=(*same, cut)))
    both = ("@office:37", "@office:3701")
    assert [one.sequence for one in await store.feed("clearance", "bureau", 0, 100, audiences=both)] == [1]
    assert [one.sequence for one in await store.feed("clearance", "bureau", 1, 100, audiences=both)] == [2]
    (port,) = await store.feed("clearance", "port", 0, 100, audiences=("@role:port",))
    assert (await store.feed_entry("clearance", "port", port.sequence, audiences=("@role:port",))).body == b"less"


async def test_whoever_is_offered_something_takes_part(store: SqlStore) -> None:
    """An entry for one partner gives it a part in the case as a delivery does; one for an audience, or refused, does not."""
    claimed = await claim(store)
    refused = message(claimed, 2, state=MessageState.REJECTED)
    entries = (
        feed_entry("a", "inbox", partner_id="fetcher", case_id="c-1"),
        feed_entry("b", partner_id="@role:customs", case_id="c-1"),
        feed_entry("c", partner_id="", case_id="c-1"),
        feed_entry("d", "alerts", partner_id="@operator", case_id="c-1"),
        feed_entry("e", "inbox", partner_id="guesser", case_id="c-1", message_id=refused.id),
    )
    await store.commit(outcome(claimed, cases=(opened("c-1"),), messages=(message(claimed), refused), feed=entries))
    partners = ("firm", "fetcher", "@role:customs", "@operator", "guesser", "reader")
    seen = [bool(await store.case("c-1", one)) for one in partners]
    assert seen == [True, True, False, False, False, False]


async def test_whoever_fetches_takes_part(store: SqlStore) -> None:
    """From then on it finds the case; again changes nothing, and of a case that is gone nothing is kept."""
    await store.commit(outcome(await claim(store), cases=(opened("c-1"),)))
    assert not await store.case("c-1", "reader")
    for _ in range(2):
        await store.take_part("c-1", "reader")
    await store.take_part("c-2", "reader")
    assert [view.id for view in await store.case("c-1", "reader")] == ["c-1"]
    assert not await store.case("c-1", "another")
    assert not await store.case("c-2", "reader")


@pytest.mark.parametrize(
    ("reader", "found"),
    [
        (Partner("north", "North", frozenset({Role.BUREAU}), regions=frozenset({"bohai"})), ["a", "b", "d"]),
        (Partner("south", "South", frozenset({Role.BUREAU}), regions=frozenset({"zhujiang"})), ["b", "c"]),
        (
            Partner("both", "Both", frozenset({Role.BUREAU}), regions=frozenset({"bohai", "zhujiang"})),
            ["a", "b", "c", "d"],
        ),
        (Partner("alone", "Alone", frozenset({Role.BUREAU})), []),
        # A region's name that begins like another's is another region; a firm is in none, whatever is written of it.
        (Partner("near", "Near", frozenset({Role.BUREAU}), regions=frozenset({"bohai-rim"})), []),
        (Partner("firm", "Firm", frozenset({Role.ENTERPRISE}), regions=frozenset({"bohai"})), []),
    ],
    ids=["north", "south", "both", "alone", "near", "firm"],
)
async def test_a_summary_is_read_by_the_members_of_its_regions(
    store: SqlStore, reader: Partner, found: list[str]
) -> None:
    """As the registry gives an office back, it finds what its regions share, in order and once, and opens that alone."""
    regions = {"a": ["bohai"], "b": ["bohai", "zhujiang"], "c": ["zhujiang"], "d": ["bohai"]}
    shared = [feed_entry(name, "region", partner_id=f"@region:{of}") for name, all_ in regions.items() for of in all_]
    other = feed_entry("e", "clearance", partner_id="@region:bohai")
    await store.import_partners([reader], [], [])
    await store.commit(outcome(await claim(store), feed=(*shared, other)))
    audiences = name_audiences(await store.partner(reader.id))
    page = await store.feed("region", reader.id, 0, 100, audiences=audiences)
    assert [entry.document_id for entry in page] == found
    for entry in page:
        opened = await store.feed_entry("region", reader.id, entry.sequence, audiences=audiences)
        assert opened.body == f"body of {entry.document_id}".encode()
    others = [entry for entry in await store.feed("region", "", 0, 100) if entry.document_id not in found]
    assert {entry.document_id for entry in others} == regions.keys() - set(found)
    for entry in others:
        with pytest.raises(NotFound):
            await store.feed_entry("region", reader.id, entry.sequence, audiences=audiences)
