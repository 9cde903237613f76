"""Ledgers: what a posting makes of an account, and what may not be posted, said here, once, and purely.

    reserve   -        -> reserved
    use       -, reserved -> used       of a reservation, whose rest is freed, or at once
    free      reserved -> freed
    reverse   used     -> reversed      the entry is kept, marked

An entry goes by the business reference that is drawn for, so that a repeat draws nothing twice; what is freed or reversed
is drawn again under another one.

What is never: that more is reserved and used together than was granted, the tolerance included; a draw before or after
the account is valid, by the time at which its occasion was received; more draws than its terms have; an amount in another
unit than the account's, but of a mass, which is converted. What was reserved in time may be used after that.

The tolerance is measured where the terms say: on what was `granted`, or, with several draws, on what is left at the
`last`, which alone may exceed it, and after which nothing is drawn. So it never adds to a balance that earlier tolerance
has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_UP, Context, Decimal

from gateway.decide.effects import CloseAccount, Free, Grant, Posting, Reserve, Reverse, Use
from gateway.decide.facts import Facts, Ledger, LedgerEntry
from gateway.decide.tracks import Row, Step, make_row, step, to
from gateway.documents.values import MAX_PLACES
from gateway.findings import make_finding
from gateway.model import Account, Entry, EntryState, Finding, Place, Terms, ToleranceOf

_ENTRY: dict[type[Reserve | Use | Free | Reverse], Row] = {
    # A reservation that comes again after it was used is the same one, late.
    Reserve: make_row(to("reserved", "none"), late=("reserved", "used")),
    Use: make_row(to("used", "none", "reserved"), late=("used",)),
    Free: make_row(to("freed", "reserved"), late=("freed",)),
    Reverse: make_row(to("reversed", "used"), late=("reversed",)),
}
"""What becomes of an entry; what comes late changes nothing."""

_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""Sums of numbers with 24 digits, however many, are exact."""
_SMALLEST = Decimal(1).scaleb(-MAX_PLACES)

Masses = Callable[[str], "Decimal | None"]
"""How many kilograms a unit is; None for what is no unit of mass."""


@dataclass(slots=True)
class Books:
    """Accounts as they are at a desk, to which postings are made one after the other."""

    facts: Facts
    by: str
    """Id of the occasion that posts."""
    at: datetime
    """When that was received, by which terms are judged."""
    masses: Masses
    test: bool = False
    accounts: dict[str, Account] = field(default_factory=dict)
    """Those that postings have changed, as they are then, by name: each has the version after the facts'."""
    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    """Those that postings have made or changed, by account and id."""

    def account(self, name: str) -> Account | None:
        """The account as it is by now; Unknown where the facts do not say."""
        return self.accounts.get(name) or self.facts[Ledger(name, self.test)]

    def entry(self, account: str, entry: str) -> Entry | None:
        """An entry as it is by now; Unknown where the facts do not say."""
        return self.entries.get((account, entry)) or self.facts[LedgerEntry(account, entry, self.test)]

    def require(self, postings: Iterable[Posting]) -> None:
        """Ask for all that `postings` are judged by at once."""
        wanted = list(postings)
        accounts = [Ledger(one.account, self.test) for one in wanted]
        entries = [
            LedgerEntry(one.account, one.entry, self.test) for one in wanted if not isinstance(one, CloseAccount)
        ]
        self.facts.require([*accounts, *entries])

    def post(self, posting: Posting) -> tuple[Finding, ...]:
        """Make a posting; nothing is returned where it stands by now, or stood already.

        Where it may not be: why not, and nothing has changed. Unknown where the facts do not say yet.
        """
        self.require([posting])
        account = self.account(posting.account)
        if isinstance(posting, CloseAccount):
            return self._close(posting, account)
        entry = self.entry(posting.account, posting.entry)
        if isinstance(posting, Grant):
            return self._grant(posting, account, entry)
        if account is None:
            return (_fault("unknown", posting.account),)
        known = entry or Entry(account.name, posting.entry, EntryState.NONE, test=self.test)
        taken = step(_ENTRY[type(posting)], known.state)
        if taken is None:
            return (_fault("entry", posting.entry, account=account.name, state=known.state.value),)
        if isinstance(posting, Reserve | Use):
            return self._draw(posting, account, known, taken)
        if not taken.late:
            self._keep(account, known, replace(known, state=EntryState(taken.state)), posting.case)
        return ()

    def _close(self, posting: CloseAccount, account: Account | None) -> tuple[Finding, ...]:
        if account is None:
            return (_fault("unknown", posting.account),)
        if account.reserved:
            return (_fault("reserved", account.name, amount=_plain(account.reserved), unit=account.unit),)
        if not account.closed:
            self._change(replace(account, closed=True))
        return ()

    def _grant(self, posting: Grant, account: Account | None, entry: Entry | None) -> tuple[Finding, ...]:
        known = account or Account(
            posting.account, 0, posting.unit, posting.holder, posting.terms or Terms(), test=self.test
        )
        amount = self._convert(posting.amount, posting.unit, known.unit, ROUND_FLOOR)
        if amount is None:
            return (_fault("unit", posting.unit, account=known.name, unit=known.unit),)
        if entry is not None:
            if entry.state is EntryState.GRANTED and entry.granted == amount:
                return ()
            return (_fault("entry", posting.entry, account=known.name, state=entry.state.value),)
        if known.closed:
            return (_fault("closed", known.name),)
        changed = replace(known, holder=posting.holder or known.holder, terms=posting.terms or known.terms)
        after = _add(known.granted, amount)
        if amount < 0 and after < _add(known.reserved, known.used):
            return (_fault("short", _plain(-amount), **_left(known)),)
        made = Entry(known.name, posting.entry, EntryState.GRANTED, granted=amount, test=self.test)
        self._keep(changed, Entry(known.name, posting.entry, EntryState.NONE), made, posting.case)
        return ()

    def _draw(self, posting: Reserve | Use, account: Account, entry: Entry, taken: Step) -> tuple[Finding, ...]:
        amount = self._convert(posting.amount, posting.unit, account.unit, ROUND_UP)
        if amount is None:
            return (_fault("unit", posting.unit, account=account.name, unit=account.unit),)
        before = entry.reserved if isinstance(posting, Reserve) else entry.used
        if taken.late:
            if before == amount:
                return ()
            return (_fault("amount", _plain(amount), entry=entry.id, account=account.name, earlier=_plain(before)),)
        if amount <= 0:
            return (_fault("nothing", _plain(amount), account=account.name),)
        final = posting.final or entry.final
        held = entry.state is EntryState.RESERVED
        faults = [] if held and amount <= entry.reserved else list(self._barred(account, entry, amount, final=final))
        if (final or not held) and account.last not in ("", entry.id):
            faults.append(_fault("final", account.name, entry=account.last))
        places = account.terms.places
        if places and posting.place not in places:
            faults.append(_fault("place", posting.place, account=account.name, places=", ".join(sorted(places))))
        if faults:
            return tuple(faults)
        after = replace(entry, state=EntryState(taken.state), final=final)
        drawn = replace(after, reserved=amount) if isinstance(posting, Reserve) else replace(after, used=amount)
        self._keep(account, entry, drawn, posting.case)
        return ()

    def _barred(self, account: Account, entry: Entry, amount: Decimal, *, final: bool) -> Iterable[Finding]:
        """Why `amount` may not be drawn for `entry`, which may have a reservation."""
        terms = account.terms
        if account.closed:
            yield _fault("closed", account.name)
        if terms.valid_from is not None and self.at < terms.valid_from:
            yield _fault("early", account.name, since=terms.valid_from.isoformat())
        if terms.valid_until is not None and self.at > terms.valid_until:
            yield _fault("expired", account.name, until=terms.valid_until.isoformat())
        others = account.draws - (entry.state is EntryState.RESERVED)
        if terms.most_draws is not None and others >= terms.most_draws:
            yield _fault("draws", account.name, most=str(terms.most_draws))
        held = entry.reserved if entry.state is EntryState.RESERVED else Decimal(0)
        drawn = _EXACT.subtract(_add(account.reserved, account.used), held)
        if _add(drawn, amount) > _limit(account, drawn, final=final):
            yield _fault("short", _plain(amount), **_left(account))

    def _convert(self, amount: Decimal, unit: str, wanted: str, rounding: str) -> Decimal | None:
        """`amount` in the unit `wanted`, to the last digit that a document has; None where it cannot be converted."""
        if unit == wanted:
            return amount
        one, other = self.masses(unit), self.masses(wanted)
        if one is None or other is None:
            return None
        exact = _EXACT.divide(_EXACT.multiply(amount, one), other)
        return exact.quantize(_SMALLEST, rounding=rounding, context=_EXACT)

    def _keep(self, account: Account, before: Entry, after: Entry, case_id: str) -> None:
        """The entry is `after` now, and the account's sums are with it."""
        after = replace(after, by=self.by, at=self.at, case_id=case_id or before.case_id)
        self.entries[account.name, after.id] = after
        self._change(_summed(account, before, after))

    def _change(self, account: Account) -> None:
        """The account is so now; however many postings have changed it, its version is the one after the facts'."""
        known = self.facts[Ledger(account.name, self.test)]
        self.accounts[account.name] = replace(account, version=known.version + 1 if known is not None else 1)


def _limit(account: Account, drawn: Decimal, *, final: bool) -> Decimal:
    """How much may be reserved and used together, a draw included that meets what is `drawn` already."""
    share = _EXACT.divide(account.terms.tolerance_percent, Decimal(100))
    if account.terms.tolerance_of is ToleranceOf.GRANTED:
        return _add(account.granted, _EXACT.multiply(account.granted, share))
    if not final:
        return account.granted
    left = max(_EXACT.subtract(account.granted, drawn), Decimal(0))
    return _add(account.granted, _EXACT.multiply(left, share))


def _summed(account: Account, before: Entry, after: Entry) -> Account:
    """`account` with what one of its entries counts for `after` in place of `before`."""
    was, is_ = _counts(before), _counts(after)
    last = account.last
    if after.final and is_.draws:
        last = after.id
    elif last == after.id:
        last = ""
    return replace(
        account,
        granted=_add(account.granted, _EXACT.subtract(is_.granted, was.granted)),
        reserved=_add(account.reserved, _EXACT.subtract(is_.reserved, was.reserved)),
        used=_add(account.used, _EXACT.subtract(is_.used, was.used)),
        draws=account.draws + is_.draws - was.draws,
        last=last,
    )


@dataclass(frozen=True, slots=True)
class _Counted:
    """What an entry counts for in its account's sums."""

    granted: Decimal
    reserved: Decimal
    used: Decimal
    draws: int


def _counts(entry: Entry) -> _Counted:
    nothing = Decimal(0)
    reserved = entry.state is EntryState.RESERVED
    used = entry.state is EntryState.USED
    return _Counted(
        entry.granted if entry.state is EntryState.GRANTED else nothing,
        entry.reserved if reserved else nothing,
        entry.used if used else nothing,
        int(reserved or used),
    )


def _add(one: Decimal, other: Decimal) -> Decimal:
    return _EXACT.add(one, other)


def _left(account: Account) -> dict[str, str]:
    return {"account": account.name, "available": _plain(account.available), "unit": account.unit}


def _plain(amount: Decimal) -> str:
    return format(amount, "f")


def _fault(code: str, value: str, **args: str) -> Finding:
    """A finding about a ledger."""
    return make_finding(f"ledger.{code}", Place(), value, **args)
