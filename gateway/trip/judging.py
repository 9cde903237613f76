"""Judges a catalogue as a whole before it is put in force: everything in it is loaded, and every fault is told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date

from gateway import explanations, findings
from gateway.catalogue import SCHEMAS, Catalogue
from gateway.check import codes, names, rulebook, tables, xsd
from gateway.decide.flow import Flows
from gateway.errors import CatalogueInvalid, FlowsInvalid, MappingInvalid, PermanentError, RulesInvalid, SchemaInvalid
from gateway.translate import table as mappings

MOST_TOLD = 50
"""Faults told of one catalogue: with more, it is mostly another thing than it was taken for."""


def judge(catalogue: Catalogue, flows: Flows, day: date, *, least: Catalogue, own: Iterable[str] = ()) -> None:
    """Load everything in `catalogue`; CatalogueInvalid tells every fault that keeps it from being put in force.

    What `least` has formats, mappings, findings and rules for, on `day`, it must have as well: the gateway's own code
    counts on that. Of the operator's files, `own`, each must be one that something reads; and none may be of findings or
    labels, since these words are said by what reads no catalogue: acknowledgements, the web, the offline verifier.
    """
    own = frozenset(own)
    faults = [f"{name}: the words of findings ship with the gateway" for name in sorted(own) if _is_worded(name)]
    for fault in _faults(catalogue, flows, day, least):
        # A list that does not load is told once, and not with each mapping that goes by it.
        if not any(fault.endswith(told) for told in faults):
            faults.append(fault)
    if not faults:
        unread = set(catalogue.unread())
        faults += [f"{name}: nothing reads a file of that name" for name in sorted(own & unread)]
    if faults:
        told = faults[:MOST_TOLD]
        if len(faults) > len(told):
            told.append(f"and {len(faults) - len(told)} more")
        raise CatalogueInvalid("; ".join(told), faults=tuple(told))


def _is_worded(name: str) -> bool:
    return name == f"{SCHEMAS}/labels.toml" or name.startswith(f"{SCHEMAS}/findings/")


def _faults(catalogue: Catalogue, flows: Flows, day: date, least: Catalogue) -> Iterator[str]:
    def rules() -> None:
        book = rulebook.load(catalogue, flows.rules)
        book.at(day)
        flows.check_headlines(book.headlines)
        flows.check_acts(book.acts)
        flows.check_numbers(book.numbers)
        flows.check_gates(book.gates, book.modes)
        flows.check_views(book.views)
        flows.check_feeds(book.feeds)
        flows.check_competence(book.competence, book.modes)
        flows.check_reports(book.reports)
        flows.check_sampling(book.sampling)
        flows.check_risks(book.risks)

    yield from _told(lambda: findings.entries(catalogue))
    yield from _told(lambda: findings.read_labels(catalogue))
    yield from _told(lambda: explanations.read(catalogue))
    # What is as it ships was loaded by the suite; a start does not load a hundred tables that few messages need.
    yield from _each(_own_tables(catalogue, least), lambda name: _load_table(catalogue, name))
    yield from _each(tables.guide_files(catalogue), lambda name: tables.load_guide(catalogue, name))
    yield from _each(_changed(names.files(catalogue), catalogue, least), lambda name: names.load(catalogue, name))
    yield from _each(("3", "4"), lambda version: tables.service(catalogue, version))
    yield from _each(codes.available(catalogue), lambda name: codes.load(catalogue, name))
    for fault in _told(lambda: xsd.entries(catalogue)):
        yield fault
        return
    yield from _each(xsd.entries(catalogue), lambda format_: xsd.load(catalogue, format_))
    yield from _told(lambda: mappings.available(catalogue))
    yield from _each(mappings.files(catalogue), lambda file: mappings.load_file(catalogue, file))
    yield from _told(rules)
    yield from _missing(catalogue, least)


def _own_tables(catalogue: Catalogue, least: Catalogue) -> Iterator[str]:
    """The message files that say anything else than those of `least`, by themselves or by a directory behind them."""
    for name in tables.available(catalogue):
        try:
            files = tables.files_of(catalogue, name)
        except SchemaInvalid:
            files = (name,)
        if name not in least.files or [*_changed(files, catalogue, least)]:
            yield name


def _changed(names: Iterable[str], catalogue: Catalogue, least: Catalogue) -> Iterator[str]:
    """Those of the files that `least` does not have, or not with the same content."""
    return (name for name in names if catalogue.files.get(name) != least.files.get(name))


def _load_table(catalogue: Catalogue, name: str) -> None:
    for format_ in tables.load(catalogue, name).formats:
        tables.load_as(catalogue, name, format_)


def _each(names: Iterable[str], load: Callable[[str], object]) -> Iterator[str]:
    for name in names:
        yield from _told(lambda: load(name))  # noqa: B023 -- it is called before the next name comes


def _told(load: Callable[[], object]) -> Iterator[str]:
    """What is wrong with what `load` loads; nothing where it is good."""
    try:
        load()
    except (SchemaInvalid, MappingInvalid, RulesInvalid, FlowsInvalid) as error:
        yield str(error)


def _missing(catalogue: Catalogue, least: Catalogue) -> Iterator[str]:
    """What `least` has and `catalogue` does not, of what the code goes by."""
    try:
        for format_ in sorted(tables.formats(least) - tables.formats(catalogue)):
            yield f"{format_}: no table is for it any more"
        for format_ in sorted(xsd.entries(least).keys() - xsd.entries(catalogue).keys()):
            yield f"{format_}: no index in schemas/xml has a schema for it any more"
        for document, format_ in sorted({*mappings.available(least)} - {*mappings.available(catalogue)}):
            yield f"{format_}: no table maps it to the document {document} any more"
        ours, theirs = findings.entries(catalogue), findings.entries(least)
        for code in sorted(theirs):
            if code not in ours:
                yield f"schemas/findings: {code} stands in no file any more"
            elif ours[code].severity is not theirs[code].severity:
                yield f"schemas/findings: {code} is a matter of {theirs[code].severity}, which is the code's own to say"
    except PermanentError:
        return  # that it cannot be read is told already
