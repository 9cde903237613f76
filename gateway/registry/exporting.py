"""The registry as a partner file that the import reads."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from gateway.model import Agreement, Credential, CredentialKind, HeldRole, Identifier, Partner, Person
from gateway.registry.partner_rows import Form, write_cell
from gateway.store.contract import ANY_PARTNERS, PartnersWanted
from gateway.store.ports import Store

PAGE = 500
"""Partners read at once."""
COLUMNS = (
    *(one.name for one in fields(Partner)),
    "agreements",
    "keys",
    "credentials",
    "persons",
)
"""Headings of a table."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A partner with all that the registry holds of it."""

    partner: Partner
    agreements: Sequence[Agreement] = ()
    credentials: Sequence[Credential] = ()
    persons: Sequence[Person] = ()


def write_partner(partner: Partner) -> dict[str, Any]:
    """A partner itself, by the names of partner files; what is not known is left out."""
    value = _fields(partner)
    value["identifiers"] = [{"scheme": one.scheme, "value": one.value} for one in partner.identifiers]
    if partner.direct_through is not None:
        value["direct_through"] = partner.direct_through.isoformat()
    return value


def write_whole(whole: Whole, *, credentials: bool) -> dict[str, Any]:
    """A partner with its agreements and persons, as partner files have it; with the hashes of its keys if `credentials`."""
    value = write_partner(whole.partner)
    value["agreements"] = [_fields(one, "partner_id") for one in whole.agreements]
    value["persons"] = [
        {**_fields(one, "partner_id"), "roles": [_fields(role) for role in one.roles]} for one in whole.persons
    ]
    if credentials:
        keys = [one for one in whole.credentials if one.kind is CredentialKind.API_KEY]
        others = [one for one in whole.credentials if one.kind is not CredentialKind.API_KEY]
        value["keys"] = [_fields(one, "partner_id", "kind", "use", "material", "reference") for one in keys]
        value["credentials"] = [_fields(one, "partner_id", "hash") for one in others]
    return value


def _fields(value: Any, *apart: str) -> dict[str, Any]:
    """The fields of an entry that are known, as JSON has them."""
    said = {one.name: _plain(getattr(value, one.name)) for one in fields(value) if one.name not in apart}
    return {name: one for name, one in said.items() if one is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return [_fields(one) if isinstance(one, Identifier | HeldRole) else one for one in value]
    return value


async def read_registry(store: Store, wanted: PartnersWanted = ANY_PARTNERS) -> AsyncIterator[Whole]:
    """Every partner that is wanted, by id, a page at a time."""
    after = ""
    while page := await store.partners(after, PAGE, wanted):
        for whole in await complete(store, page):
            yield whole
        after = page[-1].id


async def complete(store: Store, partners: Sequence[Partner]) -> list[Whole]:
    """Partners with all that the registry holds of them."""
    ids = [one.id for one in partners]
    agreements, credentials = await store.agreements_of(ids), await store.credentials_of(ids)
    persons = await store.persons_of_partners(ids)
    return [
        Whole(one, agreements.get(one.id, ()), credentials.get(one.id, ()), persons.get(one.id, ())) for one in partners
    ]


async def export(
    store: Store, form: Form, *, credentials: bool = False, wanted: PartnersWanted = ANY_PARTNERS
) -> AsyncIterator[bytes]:
    """The registry as a file, partner by partner. `form` is JSON, JSON Lines or CSV."""
    begin, write, end = _WRITERS[form]
    yield begin.encode()
    first = True
    async for whole in read_registry(store, wanted):
        text = write(write_whole(whole, credentials=credentials))
        yield (text if first or form is not Form.JSON else f",\n{text}").encode()
        first = False
    yield end.encode()


def _as_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _as_line(value: Mapping[str, Any]) -> str:
    return f"{_as_json(value)}\n"


def _as_cells(value: Mapping[str, Any]) -> str:
    return _line([write_cell(name, value.get(name)) for name in COLUMNS])


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


_WRITERS: Mapping[Form, tuple[str, Callable[[Mapping[str, Any]], str], str]] = {
    Form.JSON: ("[\n", _as_json, "\n]\n"),
    Form.JSON_LINES: ("", _as_line, ""),
    Form.CSV: (_line(COLUMNS), _as_cells, ""),
}
"""How a file begins, how a partner is written, how it ends."""
WRITTEN = tuple(_WRITERS)
"""Forms that are written; TOML is for people, who write it themselves."""
