"""Ledgers: what a posting makes of an account, and what is never."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decide.apply import apply
from gateway.decide.desk import Actor, Desk, MessageIn
from gateway.decide.effects import CloseAccount, Free, Grant, Posting, Reserve, Reverse, Use
from gateway.decide.facts import Answer, Facts, Ledger, LedgerEntry, Query
from gateway.decide.ground import Ground
from gateway.errors import LedgerRefused
from gateway.model import Account, Entry, EntryState, Terms, ToleranceOf
from tests.flows.world import FACTORY, FLOWS, NOW, RULES, outbound

NAME = "licence:37-1:1"
DAY = timedelta(days=1)


def amount(text: str | int) -> Decimal:
    return Decimal(text)


@dataclass
class Booked:
    """An account, to which postings are made one decision after another."""

    ground: Ground = field(default_factory=Ground)

    def desk(self, postings: Iterable[Posting], at: datetime = NOW) -> Desk:
        """A desk at which all is known that `postings` are judged by."""
        queries: list[Query] = []
        for one in postings:
            queries.append(Ledger(one.account))
            if not isinstance(one, CloseAccount):
                queries.append(LedgerEntry(one.account, one.entry))
        occasion = MessageIn("declaration", outbound(), Actor(FACTORY), "m", at)
        known = self.ground.over(Facts({query: Answer(None, "x") for query in queries}))
        return FLOWS.desk(occasion, known, RULES, at + 99 * DAY)  # the terms are judged by when it was received

    def post(self, posting: Posting, at: datetime = NOW) -> list[str]:
        """Look, and post where that may be; the codes of what speaks against it."""
        desk = self.desk([posting], at)
        faults = desk.open_books().post(posting)
        if faults:
            with pytest.raises(LedgerRefused):
                apply(desk, [posting])
        else:
            self.ground.take(apply(desk, [posting]))
        return [fault.code.removeprefix("ledger.") for fault in faults]

    @property
    def account(self) -> Account:
        return self.ground.accounts[NAME, False]

    @property
    def entries(self) -> list[Entry]:
        return list(self.ground.entries.values())


def granted(**terms: object) -> Booked:
    """An account of 100 kg."""
    booked = Booked()
    grant = Grant(NAME, "G", Decimal(100), "KGM", "firm", Terms(**terms))  # type: ignore[arg-type]
    assert booked.post(grant) == []
    return booked


def use(entry: str, quantity: str | int, unit: str = "KGM", **more: object) -> Use:
    return Use(NAME, entry, amount(quantity), unit, **more)  # type: ignore[arg-type]


def reserve(entry: str, quantity: str | int, unit: str = "KGM", **more: object) -> Reserve:
    return Reserve(NAME, entry, amount(quantity), unit, **more)  # type: ignore[arg-type]


LAST: dict[str, object] = {"tolerance_percent": Decimal(5), "tolerance_of": ToleranceOf.LAST}
CASES: dict[str, tuple[dict[str, object], Sequence[tuple[Posting, str]]]] = {
    # what it is about: terms, and postings with what is said against each
    "all of it and no more": ({}, [(use("1", 99), ""), (use("2", "1.00000001"), "short"), (use("2", 1), "")]),
    "what is reserved is nobody else's": ({}, [(reserve("1", 60), ""), (use("2", 41), "short"), (use("2", 40), "")]),
    "the rest of a reservation is freed": ({}, [(reserve("1", 60), ""), (use("1", 50), ""), (use("2", 50), "")]),
    "more than was reserved, if it is there": (
        {},
        [(reserve("1", 60), ""), (use("1", 101), "short"), (use("1", 100), "")],
    ),
    "freed and reversed is there again": (
        {},
        [
            (reserve("1", 100), ""),
            (Free(NAME, "1"), ""),
            (use("2", 100), ""),
            (Reverse(NAME, "2"), ""),
            (use("3", 100), ""),
        ],
    ),
    "an entry is used up by being freed or reversed": (
        {},
        [
            (reserve("1", 1), ""),
            (Free(NAME, "1"), ""),
            (use("1", 1), "entry"),
            (use("2", 1), ""),
            (Reverse(NAME, "2"), ""),
            (reserve("2", 1), "entry"),
            (Free(NAME, "2"), "entry"),
        ],
    ),
    "what was not done is not undone": ({}, [(Free(NAME, "1"), "entry"), (Reverse(NAME, "1"), "entry")]),
    "what was reserved is freed, not reversed": ({}, [(reserve("1", 1), ""), (Reverse(NAME, "1"), "entry")]),
    "another amount is no repeat": (
        {},
        [(reserve("1", 5), ""), (reserve("1", 6), "amount"), (use("1", 5), ""), (use("1", 4), "amount")],
    ),
    "masses are converted": ({}, [(use("1", "0.04", "TNE"), ""), (use("2", 60_000, "GRM"), "")]),
    "a mass that has no last digit is rounded against the drawer": (
        {},
        [(use("1", "220.46226219", "LBR"), "short"), (use("1", "220.4622621", "LBR"), "")],
    ),
    "nothing else is": ({}, [(use("1", 1, "LTR"), "unit"), (use("1", 1, ""), "unit"), (use("1", 1, "USD"), "unit")]),
    "nothing and less are no amounts": ({}, [(use("1", 0), "nothing"), (reserve("1", -1), "nothing")]),
    "only so many draws": (
        {"draws_max": 2},
        [
            (use("1", 1), ""),
            (reserve("2", 1), ""),
            (use("3", 1), "draws"),
            (use("2", 2), ""),
            (Reverse(NAME, "1"), ""),
            (use("4", 1), ""),
            (use("5", 1), "draws"),
        ],
    ),
    "one use": ({"one_use": True, "draws_max": 9}, [(use("1", 1), ""), (use("2", 1), "draws")]),
    "at its places only": (
        {"places": frozenset({"4200", "4201"})},
        [(use("1", 1), "place"), (use("1", 1, place="4300"), "place"), (use("1", 1, place="4201"), "")],
    ),
    "the tolerance of what was granted": (
        {"tolerance_percent": Decimal(5)},
        [(use("1", "105.01"), "short"), (use("1", 105), ""), (use("2", "0.01"), "short")],
    ),
    "the tolerance of the last draw is of what is left": (
        LAST,
        [
            (use("1", 80), ""),
            (use("2", 21), "short"),
            (use("2", "21.01", final=True), "short"),
            (use("2", 21, final=True), ""),
        ],
    ),
    "after the last draw there is none": (
        LAST,
        [
            (reserve("1", 10), ""),
            (use("2", 50, final=True), ""),
            (use("3", 1), "final"),
            (use("4", 1, final=True), "final"),
            (use("1", 10, final=True), "final"),
            (use("1", 10), ""),
            (Reverse(NAME, "2"), ""),
            (use("5", 90), ""),
        ],
    ),
    "closed": (
        {},
        [
            (reserve("1", 10), ""),
            (CloseAccount(NAME), "reserved"),
            (use("1", 10), ""),
            (CloseAccount(NAME), ""),
            (CloseAccount(NAME), ""),
            (use("2", 1), "closed"),
            (Grant(NAME, "G-2", Decimal(1), "KGM"), "closed"),
            (Reverse(NAME, "1"), ""),
        ],
    ),
    "more is granted, and taken back": (
        {},
        [
            (use("1", 90), ""),
            (Grant(NAME, "G-2", Decimal("0.05"), "TNE"), ""),
            (use("2", 60), ""),
            (Grant(NAME, "G-3", Decimal(-1), "KGM"), "short"),
            (Reverse(NAME, "2"), ""),
            (Grant(NAME, "G-3", Decimal(-60), "KGM"), ""),
            (use("3", "0.01"), "short"),
            (Grant(NAME, "G-2", Decimal(1), "KGM"), "entry"),
            (Grant(NAME, "1", Decimal(1), "KGM"), "entry"),
        ],
    ),
    "no account": ({}, [(Use("other", "1", Decimal(1)), "unknown"), (CloseAccount("other"), "unknown")]),
}


@pytest.mark.parametrize("about", CASES)
def test_what_may_be_posted(about: str) -> None:
    """Each posting is made, or told why not; what may not be and is decided all the same is a fault of ours."""
    terms, postings = CASES[about]
    booked = granted(**terms)
    for posting, against in postings:
        before = dict(booked.ground.accounts)
        assert booked.post(posting) == ([against] if against else []), posting
        if against:
            assert booked.ground.accounts == before


TIMES = [
    # days after NOW at which it is received, what is said against a draw of what is not reserved, of what is
    (-1, "early", ""),
    (0, "", ""),
    (10, "", ""),
    (11, "expired", ""),
]


@pytest.mark.parametrize(("days", "new", "held"), TIMES)
def test_terms_are_judged_by_when_it_was_received(days: int, new: str, held: str) -> None:
    """However late it is decided; what was reserved in time may be used after that, but no more than was reserved."""
    booked = granted(valid_from=NOW, valid_until=NOW + 10 * DAY)
    assert booked.post(reserve("1", 10)) == []
    at = NOW + days * DAY
    for kind in (use, reserve):
        assert booked.post(kind("2", 1), at) == ([new] if new else [])
        booked.ground.entries.pop((NAME, "2", False), None)
    assert booked.post(use("1", 11), at) == ([new] if new else [])
    booked = granted(valid_from=NOW, valid_until=NOW + 10 * DAY)
    assert booked.post(reserve("1", 10)) == []
    assert booked.post(use("1", 10), at) == ([held] if held else [])


def test_what_is_posted_in_one_decision_is_judged_one_after_the_other() -> None:
    """Two draws of one decision do not each see all that there is; the account has the next version, not the one after."""
    booked = granted()
    both = [use("1", 60), use("2", 60)]
    desk = booked.desk(both)
    books = desk.open_books()
    assert books.post(both[0]) == ()
    assert [fault.code for fault in books.post(both[1])] == ["ledger.short"]
    with pytest.raises(LedgerRefused):
        apply(desk, both)
    assert apply(desk, [both[0], use("2", 40)]).accounts[NAME].version == 2


def test_a_final_use_of_a_reservation_ends_an_account() -> None:
    """The final draw may be told when it is used; its tolerance counts then."""
    booked = granted(**LAST)
    assert booked.post(reserve("1", 100)) == []
    assert booked.post(use("1", 105)) == ["short"]
    assert booked.post(use("1", 105, final=True)) == []
    assert (booked.account.last, booked.account.available, booked.account.used) == ("1", Decimal(0), Decimal(105))
    assert booked.post(Reverse(NAME, "1")) == []
    assert (booked.account.last, booked.account.available) == ("", Decimal(100))


# What holds whatever is posted.

QUANTITIES = st.decimals(min_value=0, max_value=60, places=3)
IDS = st.sampled_from([f"E-{n}" for n in range(8)])
POSTINGS = st.one_of(
    st.builds(Reserve, st.just(NAME), IDS, QUANTITIES, st.sampled_from(["KGM", "LBR"]), final=st.booleans()),
    st.builds(Use, st.just(NAME), IDS, QUANTITIES, st.sampled_from(["KGM", "GRM"]), final=st.booleans()),
    st.builds(Free, st.just(NAME), IDS),
    st.builds(Reverse, st.just(NAME), IDS),
    st.builds(
        Grant,
        st.just(NAME),
        st.sampled_from(["G-1", "G-2", "G-3"]),
        st.decimals(min_value=-50, max_value=50, places=2),
        st.just("KGM"),
    ),
)
ALL_TERMS = st.builds(
    Terms,
    draws_max=st.one_of(st.none(), st.integers(1, 5)),
    tolerance_percent=st.sampled_from([Decimal(0), Decimal(3), Decimal("7.5")]),
    tolerance_of=st.sampled_from(ToleranceOf),
    one_use=st.booleans(),
)


def counted_anew(entries: Iterable[Entry]) -> tuple[Fraction, Fraction, Fraction, int]:
    """Granted, reserved, used and draws, by an arithmetic of its own."""
    of = {state: [one for one in entries if one.state is state] for state in EntryState}
    return (
        sum((Fraction(one.granted) for one in of[EntryState.GRANTED]), Fraction()),
        sum((Fraction(one.reserved) for one in of[EntryState.RESERVED]), Fraction()),
        sum((Fraction(one.used) for one in of[EntryState.USED]), Fraction()),
        len(of[EntryState.RESERVED]) + len(of[EntryState.USED]),
    )


@given(ALL_TERMS, st.lists(POSTINGS, max_size=25))
def test_no_account_is_ever_overdrawn(terms: Terms, postings: list[Posting]) -> None:
    """Whatever is posted: sums equal the entries counted anew, and no more is drawn, nor more often, than the terms allow."""
    booked = Booked()
    assert booked.post(Grant(NAME, "G", Decimal(100), "KGM", "firm", terms)) == []
    for posting in postings:
        before, entries = booked.account, dict(booked.ground.entries)
        refused = booked.post(posting)
        account = booked.account
        sums = (account.granted, account.reserved, account.used)
        assert (*map(Fraction, sums), account.draws) == counted_anew(booked.entries)
        if refused:
            assert (account, booked.ground.entries) == (before, entries)
        drawn = Fraction(account.reserved) + Fraction(account.used)
        ceiling = Fraction(account.granted) * (1 + Fraction(terms.tolerance_percent) / 100)
        if drawn > Fraction(before.reserved) + Fraction(before.used):
            assert drawn <= ceiling
            assert drawn <= account.granted or terms.tolerance_percent
        most = terms.most_draws
        assert most is None or account.draws <= most
        assert account.version - before.version in (0, 1)
        assert account.available >= 0
        assert not booked.post(posting) or refused, "what was posted may be posted again"
        assert booked.account == account, "and nothing comes of that"


@given(ALL_TERMS, st.lists(POSTINGS, max_size=12), QUANTITIES)
def test_free_and_reverse_restore_exactly(terms: Terms, postings: list[Posting], quantity: Decimal) -> None:
    """Whatever stands in an account: what is reserved and freed, or used and reversed, leaves it as it was."""
    booked = Booked()
    assert booked.post(Grant(NAME, "G", Decimal(100), "KGM", "firm", terms)) == []
    for posting in postings:
        booked.post(posting)
    before = booked.account
    ways: list[tuple[Posting, Posting]] = [
        (Reserve(NAME, "new 1", quantity, "KGM"), Free(NAME, "new 1")),
        (Use(NAME, "new 2", quantity, "KGM"), Reverse(NAME, "new 2")),
        (Use(NAME, "new 3", quantity, "LBR", final=True), Reverse(NAME, "new 3")),
    ]
    for forth, back in ways:
        if not booked.post(forth):
            assert booked.account.reserved + booked.account.used > before.reserved + before.used
            assert booked.post(back) == []
        assert replace(booked.account, version=0) == replace(before, version=0)


def test_sums_of_the_widest_amounts_are_exact() -> None:
    """A thousand amounts of 24 digits each add up to the last one, and are taken back to the last one."""
    widest = amount("9999999999999999.99999999")
    booked = Booked()
    for n in range(1000):
        assert booked.post(Grant(NAME, f"G-{n}", widest)) == []
    assert Fraction(booked.account.granted) == 1000 * Fraction(widest)
    for n in (1, 2):
        assert booked.post(Use(NAME, f"E-{n}", widest)) == []
        assert Fraction(booked.account.available) == (1000 - n) * Fraction(widest)
