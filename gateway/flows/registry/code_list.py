"""The code list flow: versions of code lists and of rule sets are proposed, examined by another person, and in force on their day.

    – -> proposed              the version can be read, and follows the one before it; a task asks the office to approve it
    proposed -> approved       registered under the list's name from its day on, and told to all offices on the feed `codes`
    proposed -> rejected       nothing comes of it
    approved -> lapsed         approved after its day or after a newer one: what was decided by then stands, and nothing changes

A partner that has taken a version over says so by a response to it (`LIST@VERSION`), and which version each partner runs
is registered under the scheme `codes-at`.

A version holds from a day that is to come, so that whatever was received before it is judged by the one before. What is
registered of a list (scheme `code-list`) is what every node's catalogue is made of.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import date

from gateway.check import codes, rulebook
from gateway.check.rulebook import RuleSet
from gateway.decide import china
from gateway.decide.answers import Subject as About
from gateway.decide.answers import fault, refuse, response
from gateway.decide.cases import kept
from gateway.decide.desk import Desk
from gateway.decide.effects import AddKeys, Alert, Ask, Effect, Keep, Move, NewCase, Publish, Refuse, Register, Respond
from gateway.decide.facts import CasesByKeys, PersonById, Subject
from gateway.decide.flow import Feed, Flow, On, Takes
from gateway.decide.kinds import CaseKind
from gateway.decide.parties import BUREAU, identified
from gateway.decide.persons import judge_act
from gateway.decide.subjects import CODE_LIST, CODES_AT, name_copy
from gateway.decide.tasks import TaskKind
from gateway.decide.tracks import Track, make_row, to
from gateway.documents.code_list import RULES, CodeListVersion
from gateway.documents.response import Outcome, Response
from gateway.errors import RulesInvalid, SchemaInvalid
from gateway.model import Case, Finding, Registered, Role, SubjectVersion

NAME = "code_list"
APPROVAL = "list_approval"
"""The kind of the task by which a proposed version is examined."""
FEED = "codes"
TRACK = Track(
    NAME,
    {
        "propose": make_row(to("proposed", "none")),
        "approve": make_row(to("approved", "proposed"), ("approved", "rejected", "lapsed")),
        "reject": make_row(to("rejected", "proposed"), ("approved", "rejected", "lapsed")),
        "lapse": make_row(to("lapsed", "approved"), ("lapsed",)),
    },
)
_ANY = "*"
_READERS = frozenset({Role.BUREAU, Role.CUSTOMS, Role.PORT})
_NUMBERS = re.compile(r"\d+|\D+")


class CodeListRules(RuleSet):
    """代码表与规则: who may propose which, and which office examines it."""

    kind = NAME

    approving_office: str
    """The office that is asked to approve; where empty, the proposer's own."""
    propose: Mapping[str, frozenset[Role]]
    """By list, who may propose it; `rules/*` stands for all rule sets, `*` for all lists, that are not named."""

    def may_propose(self, name: str) -> frozenset[Role]:
        """Who may propose a version of that list."""
        common = f"{RULES}{_ANY}" if name.startswith(RULES) else _ANY
        return self.propose.get(name, self.propose.get(common, frozenset()))


def decide(desk: Desk) -> list[Effect]:
    """What becomes of a version that is proposed, or of what a partner says of one."""
    document = desk.document
    if isinstance(document, Response):
        return _take_over(desk, document)
    assert isinstance(document, CodeListVersion)
    return _propose(desk, document)


def codes_at(partner_id: str, name: str, day: date, *, test: bool = False) -> Subject:
    """The question which version of a list a partner runs on `day`: the name of what is registered says it."""
    return Subject(CODES_AT, name_copy(partner_id, name), day, test)


def _take_over(desk: Desk, answer: Response) -> list[Effect]:
    """A partner has taken a version over, or not; what it says is never itself answered."""
    name, _, version = (answer.number or "").rpartition("@")
    today = china.day(desk.occasion.at)
    known = desk.facts[Subject(CODE_LIST, name, today, desk.test)]
    approved = {one.name for one in (known.version, *known.later) if one is not None}
    if desk.sender.roles.isdisjoint(_READERS) or version not in approved:
        why = (fault("decide.code_list.not_approved", "number", answer.number),)
        return [Refuse(why), Alert("contradiction", why)]
    if answer.outcome is not Outcome.ACCEPTED:
        why = (fault("decide.code_list.declined", "number", answer.number),)
        return [Alert("declined", why)]
    running = desk.facts[codes_at(desk.sender.id, name, today, test=desk.test)].version
    if running is not None and running.name == version:
        return []
    return [Register(CODES_AT, name_copy(desk.sender.id, name), today, "running", version)]


def _propose(desk: Desk, proposed: CodeListVersion) -> list[Effect]:
    """A version that may be proposed becomes a case, about which the office is asked."""
    about = About(NAME, number=f"{proposed.list}@{proposed.version}")
    if why := list(_faults(desk, proposed)):
        return refuse(desk, about, why)
    case, office = desk.derive("case"), _office(desk)
    return [
        NewCase(case, desk.sender.id, NAME),
        Move(case, NAME, "propose"),
        AddKeys(case, frozenset({_key(proposed)})),
        Keep(case, NAME, proposed),
        Ask(desk.derive("task"), APPROVAL, case, office, barred=_proposer(desk)),
        Respond(case, response(desk, about, Outcome.RECEIVED, desk.sender.language)),
    ]


def _proposer(desk: Desk) -> tuple[str, ...]:
    person = desk.occasion.actor.person
    return (person,) if person else ()


def _office(desk: Desk) -> str:
    """Which office is asked; empty where the proposer has none and no rule names one."""
    rules = desk.rules.of(CodeListRules)
    return rules.approving_office or min(identified(desk.sender, BUREAU), default="")


def _key(proposed: CodeListVersion) -> tuple[str, str]:
    return NAME, f"{proposed.list}@{proposed.version}"


def _faults(desk: Desk, proposed: CodeListVersion) -> Iterator[Finding]:
    """Why the version may not be proposed."""
    rules = desk.rules.of(CodeListRules)
    if desk.sender.roles.isdisjoint(rules.may_propose(proposed.list)) or not _office(desk):
        yield fault("decide.code_list.not_yours", "list", proposed.list)
        return
    yield from _person_faults(desk, proposed)
    known = desk.facts[Subject(CODE_LIST, proposed.list, proposed.valid_from, desk.test)]
    # A rejected version was never in force, and may be proposed anew once it is mended.
    there = desk.facts[CasesByKeys(frozenset({_key(proposed)}), desk.test)]
    if any(case.tracks.get(NAME) in ("proposed", "approved") for case in there):
        yield fault("decide.code_list.known", "version", proposed.version)
    yield from _order_faults(desk, proposed, known)
    yield from _rule_faults(desk, proposed) if proposed.rule_kind else _list_faults(desk, proposed)


def _person_faults(desk: Desk, proposed: CodeListVersion) -> Iterator[Finding]:
    """Rules are proposed by a person who may; lists by a person who may, or by an authority's own system."""
    actor = desk.occasion.actor
    if not actor.person:
        if proposed.rule_kind:
            yield fault("decide.person.none", "", desk.sender.id)
        return
    person = desk.facts[PersonById(actor.person)]
    # The office that examines may be another than the proposer's own: the role counts wherever it is held.
    permit = judge_act(person, desk.sender, actor.role, "propose", "", desk.rules.acts, desk.occasion.at)
    yield from permit.faults


def _order_faults(desk: Desk, proposed: CodeListVersion, known: Registered) -> Iterator[Finding]:
    """A version begins on a day to come, and follows what is in force then."""
    if proposed.valid_from <= china.day(desk.occasion.at):
        yield fault("decide.code_list.retroactive", "valid_from", proposed.valid_from)
    before = known.version
    if before is not None and _order(proposed.version) <= _order(before.name):
        yield fault("decide.code_list.older", "version", proposed.version, version=before.name)
    elif before is not None and proposed.replaces and proposed.replaces != before.name:
        yield fault("decide.code_list.replaces", "replaces", proposed.replaces, version=before.name)
    if _contradicting(known, proposed.valid_from) is not None:
        yield fault("decide.code_list.contradicts", "valid_from", proposed.valid_from)


def _contradicting(known: Registered, day: date) -> SubjectVersion | None:
    """An approved version for the same day, or for a later one: it would be replaced by one that is older."""
    before = known.version
    if before is not None and before.valid_from == day:
        return before
    return known.later[0] if known.later else None


def _order(version: str) -> tuple[tuple[int, int, str], ...]:
    """By what versions follow one another: numbers in them count as numbers, `2.10` after `2.9`."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in _NUMBERS.findall(version))


def _rule_faults(desk: Desk, proposed: CodeListVersion) -> Iterator[Finding]:
    """The set must be one that the model of its kind has, for the same days."""
    model = next((model for model in desk.rules.sets if model.kind == proposed.rule_kind), None)
    if model is None:
        yield fault("decide.code_list.unknown", "list", proposed.list)
        return
    try:
        one = rulebook.read_set(model, proposed.rules or "", proposed.list)
    except RulesInvalid as error:
        yield fault("decide.code_list.unreadable", "rules", proposed.list, reason=_said(error))
        return
    if one.valid_from != proposed.valid_from:
        yield fault("decide.code_list.days", "valid_from", proposed.valid_from, day=one.valid_from)


def _list_faults(desk: Desk, proposed: CodeListVersion) -> Iterator[Finding]:
    """The list must be one that is read here, and lose no code that it does not say it withdraws."""
    before = desk.rules.lists.get(proposed.list)
    if before is None:
        yield fault("decide.code_list.unknown", "list", proposed.list)
        return
    try:
        after = codes.read(proposed.list, write_list(proposed))
    except SchemaInvalid as error:
        yield fault("decide.code_list.unreadable", "codes", proposed.list, reason=str(error))
        return
    if not _is_as_proposed(after, proposed):
        yield fault("decide.code_list.unreadable", "codes", proposed.list, reason="")
        return
    for column in before.columns:
        there = before.codes_of(column)
        if lost := sorted(there - after.codes_of(column) - set(proposed.withdrawn)):
            shown = ", ".join(lost[:10])
            yield fault("decide.code_list.loses", "codes", shown, table=column, count=len(lost))


def _said(error: RulesInvalid) -> str:
    """What is wrong with a set, without the checker's own references."""
    return "\n".join(line for line in str(error).splitlines() if "https://" not in line)


def _is_as_proposed(read: codes.CodeList, proposed: CodeListVersion) -> bool:
    """Whether a list that was written and read again says what was proposed: no text in it is taken for a list's own marks."""
    if not proposed.codes or (read.source, read.version) != (proposed.origin or proposed.list, proposed.version):
        return False
    if any(other.table in (codes.CANONICAL, "en", "zh") for one in proposed.codes for other in one.others):
        return False
    columns = {(other.table, other.code) for one in proposed.codes for other in one.others}
    there = {(column, code) for column in read.columns[1:] for code in read.codes_of(column)}
    said = [(one.code, one.en or "", one.zh or "") for one in proposed.codes]
    rows = [(row[codes.CANONICAL], row["en"], row["zh"]) for row in read.rows]
    return said == rows and columns == there and read.codes_of(codes.CANONICAL) == {one.code for one in proposed.codes}


def write_list(proposed: CodeListVersion) -> str:
    """The version of a list of codes as its file in a catalogue."""
    columns = sorted({other.table for one in proposed.codes for other in one.others})
    rows = []
    for one in proposed.codes:
        row = {codes.CANONICAL: one.code, "en": one.en or "", "zh": one.zh or ""}
        for other in one.others:
            row[other.table] = f"{row[other.table]}|{other.code}" if other.table in row else other.code
        rows.append(row)
    origin = proposed.origin or proposed.list
    return codes.write(origin, proposed.version, proposed.complete, columns, rows)


def _approved(desk: Desk, case: Case) -> list[Effect]:
    """The version holds from its day on, and all offices learn of it; one that comes too late changes nothing."""
    proposed = kept(case, NAME, CodeListVersion)
    assert proposed is not None, "such a case begins with its version"
    known = desk.facts[Subject(CODE_LIST, proposed.list, proposed.valid_from, desk.test)]
    if why := list(_order_faults(desk, proposed, known)):
        return [Move(case.id, NAME, "lapse", tuple(why)), Alert("list_lapsed", tuple(why), case.id)]
    content = proposed.rules if proposed.rule_kind else write_list(proposed)
    said = {"content": content, "digest": hashlib.sha256((content or "").encode()).hexdigest(), "case": case.id}
    keys = {"list": proposed.list, "version": proposed.version}
    return [
        Register(CODE_LIST, proposed.list, proposed.valid_from, "approved", proposed.version, said),
        Publish(FEED, case.id, NAME, proposed, keys),
    ]


FLOW = Flow(
    NAME,
    takes=(Takes(CodeListVersion), Takes(Response, when={"document": (NAME,)})),
    decide=decide,
    case_kind=CaseKind(NAME, frozenset({NAME})),
    tracks=(TRACK,),
    tasks=(TaskKind(APPROVAL, NAME, "approve", {"approve": "approve", "reject": "reject"}),),
    feeds=(Feed(FEED, _READERS),),
    rules=(CodeListRules,),
    reacts=(On(NAME, "approve", _approved),),
)
