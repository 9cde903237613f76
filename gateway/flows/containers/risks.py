"""Why a container must be looked at: where it comes from, what is in it, and whose it is.

Places tell a country where they are UN/LOCODEs. Counted are the ports of loading, receipt and departure, the origin of
the goods, the ports of transit, and those at which the conveyance called before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.check.rulebook import Epidemic, EpidemicArea, PortInspection
from gateway.decide import china
from gateway.decide.answers import fault
from gateway.decide.desk import Desk
from gateway.decide.parties import identified
from gateway.documents.declaration import Declaration
from gateway.documents.manifest import BillOfLading, Manifest, ManifestContainer
from gateway.flows.declared import owner_code
from gateway.flows.standing import find_standing_of
from gateway.model import Finding, Partner

PLACE = "un-locode"
"""Identifier scheme of ports: the UN/LOCODEs that they go by."""
_LOCODE = re.compile(r"[A-Z]{2}[A-Z0-9]{3}")


@dataclass(frozen=True, slots=True, order=True)
class Whence:
    """Somewhere that goods or a container come from."""

    country: str
    place: str = ""
    """The UN/LOCODE or the region in the country; empty where nobody says."""


def is_discharged_here(bill: BillOfLading, port: Partner, rules: PortInspection) -> bool:
    """Whether what stands under the bill leaves the conveyance at `port`; where nobody says otherwise, it does."""
    to = bill.discharge_port
    if not to or not _LOCODE.fullmatch(to):
        return True
    own = identified(port, PLACE)
    return to in own if own else to.startswith(rules.home_country)


def stays_aboard(unit: ManifestContainer, rules: PortInspection) -> bool:
    """Whether the container is not put ashore, as the manifest says."""
    return unit.equipment_status in rules.aboard_codes


def is_empty(unit: ManifestContainer, rules: PortInspection) -> bool:
    """Whether nothing is in the container."""
    return unit.load_status in rules.empty_codes and not unit.goods


def find_risks(
    desk: Desk, declaration: Declaration, part: Manifest, unit: ManifestContainer, at: str = ""
) -> tuple[Finding, ...]:
    """Why a declared container must be looked at; `part` has its bill alone, `at` is that bill's place in the message."""
    setting, listed = desk.rules.of(PortInspection), desk.rules.modes
    bill = part.bills[0]
    own = _own_whences(declaration, part, bill)
    found: list[Finding] = []
    if not own and setting.unknown_origin == "lock":
        found.append(fault("decide.port.origin_unknown", f"{at}.number" if at else "", bill.number))
    codes = None if is_empty(unit, setting) else _codes_in(declaration, bill, unit)
    found += _epidemics(desk, own | _passed_whences(declaration, part, setting), codes, at)
    if setting.lock_negative_list:
        found += [
            fault("decide.port.negative_list", value=goods.hs_code)
            for goods in declaration.goods
            if listed.find_listed(goods.hs_code, declaration.direction.value)
        ]
    standing = find_standing_of(desk, declaration)
    if standing.is_listed or standing.by_grade in setting.lock_treatments:
        found.append(fault("decide.port.enterprise", value=owner_code(declaration)[1]))
    return tuple(found)


def find_risks_of_empty(desk: Desk, part: Manifest, at: str) -> tuple[Finding, ...]:
    """Why an empty container that nobody declared must be looked at: only where it comes from counts."""
    setting = desk.rules.of(PortInspection)
    whences = _own_whences(None, part, part.bills[0]) | _passed_whences(None, part, setting)
    return tuple(_epidemics(desk, whences, None, at))


def _epidemics(desk: Desk, whences: frozenset[Whence], codes: Sequence[str] | None, at: str) -> Iterator[Finding]:
    """The epidemic areas among `whences` whose disease comes with goods of `codes`; None for an empty container."""
    rules = desk.rules.of(Epidemic)
    for area in sorted(rules.announced(china.day(desk.now)), key=lambda area: (area.country, area.disease)):
        place = _place_in(area, whences, unknown_counts=rules.unknown_place == "lock")
        if place and _carries(area, codes):
            yield fault("decide.port.epidemic", f"{at}.loading_port" if at else "", place, disease=area.disease)


def _place_in(area: EpidemicArea, whences: frozenset[Whence], *, unknown_counts: bool) -> str:
    """Which of `whences` lies in the area; empty where none does."""
    there = sorted(whence for whence in whences if whence.country == area.country)
    if not there:
        return ""
    if not area.places:
        return area.country
    named = [whence.place for whence in there if whence.place in area.places]
    if named:
        return named[0]
    nowhere = all(not whence.place for whence in there)
    return area.country if nowhere and unknown_counts else ""


def _carries(area: EpidemicArea, codes: Sequence[str] | None) -> bool:
    """Whether the disease may be in the container: goods of which nobody says what they are may be any."""
    if not area.goods:
        return True
    return codes is not None and (not codes or any(code.startswith(area.goods) for code in codes))


def _codes_in(declaration: Declaration, bill: BillOfLading, unit: ManifestContainer) -> list[str]:
    """The HS codes of what is in the container: of the items declared to be in it, else of all."""
    placed = [goods for goods in declaration.goods if any(held.number == unit.number for held in goods.containers)]
    items = (*(placed or declaration.goods), *unit.goods, *bill.goods)
    return [item.hs_code for item in items if item.hs_code]


def _own_whences(declaration: Declaration | None, part: Manifest, bill: BillOfLading) -> frozenset[Whence]:
    """Where goods and containers are said to come from."""
    ports = [bill.loading_port, bill.receipt_place, part.loading_port]
    found: list[Whence] = []
    if declaration is not None:
        ports.append(declaration.departure_port)
        found += [
            Whence(goods.origin_country, goods.origin_place or "")
            for goods in declaration.goods
            if goods.origin_country
        ]
        if declaration.departure_country:
            found.append(Whence(declaration.departure_country))
    items = (*(goods for unit in bill.containers for goods in unit.goods), *bill.goods)
    found += [Whence(goods.origin_country) for goods in items if goods.origin_country]
    return frozenset((*found, *_of_ports(ports)))


def _passed_whences(declaration: Declaration | None, part: Manifest, rules: PortInspection) -> frozenset[Whence]:
    """Where they have been on the way: in transit, and at the calls before the first port of this country."""
    called: list[str | None] = []
    for call in part.calls:
        if call.port and call.port.startswith(rules.home_country):
            break
        called.append(call.port)
    return frozenset(_of_ports([declaration.transit_port if declaration else None, *called]))


def _of_ports(ports: Sequence[str | None]) -> Iterator[Whence]:
    return (Whence(port[:2], port) for port in ports if port and _LOCODE.fullmatch(port))
