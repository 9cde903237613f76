"""A small world to decide in: partners, the shipped rules, and what messages came to laid over an empty store."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, get_args

from pydantic import BaseModel

from gateway import findings
from gateway.catalogue_folders import shipped
from gateway.check import rulebook
from gateway.check.modes import ListedEnterprise
from gateway.decide import engine
from gateway.decide.apply import Applied
from gateway.decide.desk import Act, Actor, Alarm, MessageIn, Occasion
from gateway.decide.effects import Effect
from gateway.decide.facts import (
    ActsOn,
    Answer,
    CaseById,
    CasesByKeys,
    DrawOf,
    ExhibitById,
    Facts,
    FiguresIn,
    LastFigure,
    LastReport,
    Ledger,
    LedgerEntry,
    LinkedCases,
    NextNumber,
    OwnCases,
    PartnerById,
    PartnerByIdentifier,
    PersonById,
    Query,
    Subject,
    SubscriptionsOf,
    TallyOf,
    TaskById,
    TasksOf,
    Told,
    Unknown,
    Waiting,
)
from gateway.decide.figures import sums_of
from gateway.decide.flow import Flows
from gateway.decide.ground import Ground
from gateway.discovery import find_flows
from gateway.documents import (
    ClearanceNotice,
    CustomsEntry,
    Decision,
    Declaration,
    Document,
    Manifest,
    Response,
    Transfer,
)
from gateway.model import (
    AuditEntry,
    Case,
    Deadline,
    Exhibit,
    Figure,
    HeldRole,
    Identifier,
    MadeReport,
    Partner,
    Person,
    Registered,
    Role,
)

FLOWS = find_flows()
NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
RULES = rulebook.load(shipped(), FLOWS.rules).at(NOW.date())
ORIGIN, PORT_BUREAU, OFFICE = "370100", "370200", "4200"


def partner(id_: str, role: Role, *identifiers: tuple[str, str], **more: object) -> Partner:
    return Partner(id_, id_, frozenset({role}), tuple(Identifier(*i) for i in identifiers), **more)


APPROVED = date(2026, 1, 1)
FACTORY = partner(
    "factory", Role.ENTERPRISE, ("ciq-registration", "3701000001"), credit_grade="A", direct_through=APPROVED
)
NEWCOMER = partner(
    "newcomer", Role.ENTERPRISE, ("ciq-registration", "3701000002"), credit_grade="B", direct_through=APPROVED
)
AGENT = partner("agent", Role.AGENT, ("ciq-registration", "3701000003"), acts_for=frozenset({"factory"}), language="zh")
BUREAU = partner("origin-bureau", Role.BUREAU, ("ciq-org", ORIGIN))
PORT_SIDE = partner("port-bureau", Role.BUREAU, ("ciq-org", PORT_BUREAU))
STRANGER = partner("far-bureau", Role.BUREAU, ("ciq-org", "440100"))
CUSTOMS = partner("customs", Role.CUSTOMS, ("customs-office", OFFICE))
FAR_CUSTOMS = partner("far-customs", Role.CUSTOMS, ("customs-office", "4300"))
PORT = partner("port", Role.PORT)
OTHER_PORT = partner("other-port", Role.PORT)
PERSONS = (
    Person("wang", BUREAU.id, "Wang Fang", (HeldRole("reviewer"),)),
    Person("li", BUREAU.id, "Li Na", (HeldRole("reviewer"),)),
    Person("chief", BUREAU.id, "Zhao Gang", (HeldRole("reviewer"), HeldRole("supervisor"))),
    Person("inspector", BUREAU.id, "Sun Wu", (HeldRole("inspector"),)),
    Person("retired", BUREAU.id, "Qian Jin", (HeldRole("reviewer", valid_until=NOW),)),
    Person("elsewhere", BUREAU.id, "Zhou Yi", (HeldRole("reviewer", "370900"),)),
    Person("gone", BUREAU.id, "Wu Ming", (HeldRole("reviewer"),), active=False),
    Person("port-inspector", "port-bureau", "Zhu Rong", (HeldRole("inspector"),)),
    Person("far", "far-bureau", "Zheng He", (HeldRole("reviewer"),)),
)
EXHIBITS = (
    Exhibit("photo", BUREAU.id, "0" * 64, 7, "image/jpeg", NOW),
    Exhibit("foreign-photo", STRANGER.id, "1" * 64, 7, "image/jpeg", NOW),
)
ALL = (FACTORY, NEWCOMER, AGENT, BUREAU, PORT_SIDE, STRANGER, CUSTOMS, FAR_CUSTOMS, PORT, OTHER_PORT)


def blacklisting(code: str) -> rulebook.Rules:
    """The shipped rules with this enterprise on the blacklist."""
    listed = ListedEnterprise(code=code, source="made for the test", valid_from=NOW.date())
    return replace(RULES, modes=replace(RULES.modes, enterprises=(listed,)))


@dataclass
class World:
    """Decides messages one after another, each upon what the earlier ones came to."""

    rules: rulebook.Rules = RULES
    flows: Flows = FLOWS
    ground: Ground = field(default_factory=Ground)
    counters: Counter[tuple[str, bool]] = field(default_factory=Counter)
    deadlines: dict[str, Deadline] = field(default_factory=dict)
    messages: int = 0
    asked: list[Query] = field(default_factory=list)
    audit: list[AuditEntry] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    reports: list[MadeReport] = field(default_factory=list)
    parts: set[tuple[str, str]] = field(default_factory=set)
    """Who takes part in which case, beside those who opened theirs."""

    def send(
        self,
        document: Document,
        sender: Partner,
        *,
        test: bool = False,
        now: datetime = NOW,
        received_at: datetime | None = None,
    ) -> list[Effect]:
        self.messages += 1
        occasion = MessageIn(
            document.document_type, document, Actor(sender), f"message-{self.messages}", received_at or now, test
        )
        return self.decide(occasion, now)

    def act(self, task: str, option: str, office: Partner, person: str, *, now: datetime = NOW) -> list[Effect]:
        """A person of that office decides the task as it stands."""
        self.messages += 1
        found = self.ground.tasks[task]
        document = Decision.model_validate(
            {"task": task, "option": option, "task_version": found.version, "office": found.office or None}
        )
        actor = Actor(office, person)
        return self.decide(Act("decision", document, actor, f"message-{self.messages}", now), now)

    def decide(self, occasion: Occasion, now: datetime = NOW) -> list[Effect]:
        """What any occasion comes to."""
        desk = self.flows.desk(occasion, Facts(), self.rules, now)
        self.asked = []
        while queries := engine.needs(desk, self.flows):
            self.asked += queries
            facts = desk.facts.plus({query: Answer(self._answer(query)) for query in queries})
            desk = replace(desk, facts=self.ground.over(facts))
        parts = engine.decide(desk, self.flows)
        assert engine.decide(desk, self.flows) == parts
        check_reasons(occasion, engine.effects_of(parts))
        return self._take(parts, engine.apply_all(desk, parts))

    def _take(self, parts: Sequence[engine.Part], applied: Applied) -> list[Effect]:
        """Let what was decided be so; its effects."""
        self.ground.take(applied)
        self._set(applied)
        self.audit += applied.audit
        self.figures += [replace(one, number=len(self.figures) + n) for n, one in enumerate(applied.figures, 1)]
        self.reports += applied.reports
        return engine.effects_of(parts)

    def _set(self, applied: Applied) -> None:
        for id_, deadline in applied.deadlines.items():
            self.deadlines.pop(id_, None)
            if deadline is not None:
                self.deadlines[id_] = deadline

    def let_pass(self, kind: str) -> list[Effect]:
        """The only deadline of `kind` is over, and decided."""
        (deadline,) = (one for one in self.deadlines.values() if one.kind == kind)
        del self.deadlines[deadline.id]
        return self.decide(Alarm(deadline, f"alarm {deadline.id} {deadline.at}"), deadline.at)

    def _answer(self, query: Query) -> object:
        match query:
            case OwnCases():
                return tuple(
                    case
                    for case in self.ground.cases.values()
                    if (case.id, query.partner) in self.parts and query.key in {case.id, *dict(case.keys).values()}
                )
            case Subject():
                return Registered()  # what is registered is laid over it
            case ExhibitById():
                return next((one for one in EXHIBITS if one.id == query.id and one.test == query.test), None)
            case CasesByKeys() | Waiting() | LinkedCases() | TasksOf() | ActsOn() | Told() | SubscriptionsOf():
                return ()
            case CaseById() | TaskById() | Ledger() | LedgerEntry() | TallyOf() | DrawOf():
                return None
            case LastFigure():
                return len(self.figures)
            case FiguresIn():
                return sums_of(self.figures, query)
            case LastReport():
                return next((one for one in reversed(self.reports) if one.name == query.name), None)
            case PersonById():
                return next((p for p in PERSONS if p.id == query.id), None)
            case NextNumber():
                self.counters[query.counter, query.test] += 1
                return self.counters[query.counter, query.test]
            case PartnerById():
                return next((p for p in ALL if p.id == query.id), None)
            case PartnerByIdentifier():
                wanted = Identifier(query.scheme, query.value)
                return next((p for p in ALL if wanted in p.identifiers), None)

    @property
    def case(self) -> Case:
        """The only case there is."""
        (case,) = self.ground.cases.values()
        return case

    @property
    def waiting(self) -> list[str]:
        return sorted(set(self.ground.waits) - self.ground.attached)


@dataclass
class Watched(World):
    """The same, with the watcher over every decision."""

    def decide(self, occasion: Occasion, now: datetime = NOW) -> list[Effect]:
        """What any occasion comes to, once it has passed the watcher."""
        known = Facts()
        while True:
            desk = self.flows.desk(occasion, self.ground.over(known), self.rules, now)
            try:
                decision = engine.conclude(desk, self.flows)
            except Unknown as unknown:
                known = known.plus({query: Answer(self._answer(query)) for query in unknown.queries})
                continue
            check_reasons(occasion, engine.effects_of(decision.parts))
            return self._take(decision.parts, decision.applied)

    @property
    def records(self) -> list[Case]:
        """All risk records, in the order of their ids."""
        return [case for id_, case in sorted(self.ground.cases.items()) if case.kind == "risk"]

    @property
    def consignment(self) -> Case:
        """The only consignment there is."""
        (case,) = (case for case in self.ground.cases.values() if case.kind == "consignment")
        return case


def check_reasons(occasion: Occasion, effects: list[Effect]) -> None:
    """Every reason can be said in both languages, and is at a field of the document that is decided."""
    for reason in (reason for effect in effects for reason in getattr(effect, "reasons", ())):
        for language in ("en", "zh"):
            assert "{" not in findings.text(reason, language)
        if not isinstance(occasion, Alarm) and reason.place.path:
            assert has_field(type(occasion.document), reason.place.path), reason


def has_field(model: Any, path: str) -> bool:
    """Whether documents of that model have a field at `path`, such as `goods[0].hs_code`."""
    for name in re.sub(r"\[[0-9]+\]", "", path).split("."):
        parts = [part for part in _parts_of(model) if name in part.model_fields]
        if not parts:
            return False
        model = parts[0].model_fields[name].annotation
    return True


def _parts_of(annotation: Any) -> list[type[BaseModel]]:
    """The models in an annotation, such as `tuple[Goods, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [part for inside in get_args(annotation) for part in _parts_of(inside)]


def outbound(**changes: object) -> Declaration:
    values: dict[str, object] = {
        "direction": "outbound",
        "function": "9",
        "client_reference": "E-1",
        "kind": "24",
        "declared_at": "2026-11-20T15:00:00+08:00",
        "declaration_organisation": ORIGIN,
        "inspection_organisation": ORIGIN,
        "purpose_organisation": PORT_BUREAU,
        "declarant": {"registration_number": "3701000001"},
        "consignor": {"code": "3701000001", "name": "齐鲁食品有限公司"},
        "contract_number": "C-77",
        "goods": [
            {
                "sequence_number": 1,
                "hs_code": "2008199990",
                "ciq_code": "2008199990101",
                "name": "花生仁",
                "standard_quantity": {"value": "1000", "unit": "KGM"},
                "value": {"value": "5000", "currency": "USD"},
            }
        ],
        "container_groups": [{"numbers": ["CSQU3054383"]}],
    }
    return Declaration.model_validate(values | changes)


def inbound(**changes: object) -> Declaration:
    values: dict[str, object] = {
        "direction": "inbound",
        "kind": "13",
        "consignee": {"code": "3701000001", "name": "齐鲁食品有限公司"},
        "consignor": None,
        "inspection_organisation": PORT_BUREAU,
        "declaration_organisation": PORT_BUREAU,
        "purpose_organisation": ORIGIN,
        "bill_of_lading": "BL-1",
        "departure_country": "DE",
    }
    return outbound(**(values | changes))


def answer(outcome: str, id_: str = "R-1", **more: object) -> Response:
    values = {"id": id_, "document": "declaration", "outcome": outcome, "reference": "E-1"} | more
    return Response.model_validate(values)


def transfer(declaration: str, **changes: object) -> Transfer:
    values: dict[str, object] = {
        "number": "T-1",
        "function": "9",
        "direction": "outbound",
        "declaration_number": declaration,
        "from_organisation": ORIGIN,
        "to_organisation": PORT_BUREAU,
        "goods": [
            {
                "sequence_number": 1,
                "hs_code": "2008199990",
                "quantity": {"value": "1000", "unit": "KGM"},
                "value": {"value": "5000", "currency": "USD"},
                "is_qualified": True,
            }
        ],
        "containers": [{"number": "CSQU3054383"}],
        "transport": {"conveyance_name": "HAI FENG", "voyage": "012E"},
    }
    return Transfer.model_validate(values | changes)


def notice(declaration: str, **changes: object) -> ClearanceNotice:
    values: dict[str, object] = {
        "number": f"{declaration}000",
        "function": "9",
        "direction": "outbound",
        "declaration_number": declaration,
        "status": "issued",
        "issuing_organisation": PORT_BUREAU,
        "customs_office": OFFICE,
        "containers": ["CSQU3054383"],
        "goods": [
            {
                "sequence_number": 1,
                "hs_code": "2008199990",
                "quantity": {"value": "1000", "unit": "KGM"},
                "value": {"value": "5000", "currency": "USD"},
                "weight": {"value": "1000", "unit": "KGM"},
                "origin_country": "CN",
            }
        ],
    }
    return ClearanceNotice.model_validate(values | changes)


def entry(declaration: str, *, goods: dict[str, object] | None = None, **changes: object) -> CustomsEntry:
    values: dict[str, object] = {
        "number": "420020260000000001",
        "function": "9",
        "notice_number": f"{declaration}000",
        "direction": "outbound",
        "status": "released",
        "containers": ["CSQU3054383"],
        "goods": [
            {
                "sequence_number": 1,
                "hs_code": "2008199990",
                "quantity": {"value": "1000", "unit": "KGM"},
                "value": {"value": "5000", "currency": "USD"},
                "weight": {"value": "1000", "unit": "KGM"},
                "origin_country": "CN",
            }
            | (goods or {})
        ],
    }
    return CustomsEntry.model_validate(values | changes)


def manifest(*bills: dict[str, object], **changes: object) -> Manifest:
    if not bills:
        bills = ({"number": "BL-1", "loading_port": "DEHAM", "containers": [{"number": "CSQU3054383"}]},)
    values: dict[str, object] = {"number": "M-1", "function": "9", "bills": list(bills)}
    return Manifest.model_validate(values | changes)


def of(effects: list[Effect], kind: type) -> list:
    return [effect for effect in effects if isinstance(effect, kind)]


def codes(reasons: object) -> list[str]:
    return [finding.code for finding in reasons]
