"""Which declaration covers which containers of a manifest: by bill of lading, else by container."""

from __future__ import annotations

from gateway.decide.effects import Wait
from gateway.decide.facts import Key
from gateway.documents.declaration import Declaration
from gateway.documents.manifest import BillOfLading, Manifest


def covers(declaration: Declaration, number: str | None) -> bool:
    """Whether the declaration covers a container of its bill; one that names no containers covers them all."""
    named = declaration.container_numbers
    return not named or number in named


def is_covered(declaration: Declaration, bill: BillOfLading, number: str) -> bool:
    """Whether the declaration, as it stands now, still covers the container under its bill."""
    declared = {value for kind, value in keys_of_declared(declaration) if kind == "bill"}
    under = {bill.number, bill.master_number} - {None}
    return covers(declaration, number) and not (declared and under and declared.isdisjoint(under))


def keys_of_declared(declaration: Declaration) -> tuple[Key, ...]:
    """What a manifest finds the declaration by: its bills of lading, or its containers where it names no bill."""
    numbers = (declaration.bill_of_lading, declaration.house_bill)
    bills = tuple(dict.fromkeys(("bill", number) for number in numbers if number))
    return bills or tuple(("container", number) for number in declaration.container_numbers)


def ordered_keys(bill: BillOfLading) -> tuple[Key, ...]:
    """What a bill is matched by: its numbers first, then its containers."""
    bills = (("bill", number) for number in (bill.number, bill.master_number) if number)
    return (*bills, *(("container", unit.number) for unit in bill.containers if unit.number))


def keys_of_bill(bill: BillOfLading) -> frozenset[Key]:
    """The same, in no order."""
    return frozenset(ordered_keys(bill))


def manifest_key(manifest: Manifest) -> Key:
    """By which what waits of a manifest is found again."""
    return ("manifest", manifest.number)


def wait_for(id_: str, part: Manifest, partner_id: str = "") -> Wait:
    """The effect by which a bill waits for its declaration; `partner_id` is the port, where that is not the sender."""
    return Wait(id_, "manifest", part, keys_of_bill(part.bills[0]) | {manifest_key(part)}, partner_id)
