"""What is wrong with a document that was read: each fault once, and at the place of the sender's own message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from gateway import findings
from gateway.catalogue import Catalogue
from gateway.check import rules as rule_check
from gateway.check import tables
from gateway.check.rulebook import Rules
from gateway.check.walk import Checked
from gateway.documents import Document
from gateway.model import Finding, Place, Severity
from gateway.parse.segments import SegmentMessage
from gateway.translate.outcome import Read


def without_echoes(found: Iterable[Finding], read: Read) -> list[Finding]:
    """`found` in reading a message, without what the document says of a value that its converter has refused already.

    A code that nothing converts is none of the document's either, and a number that cannot be read is missing there.
    """
    listed = list(found)
    errors = {f.place: f.value for f in listed if f.severity is Severity.ERROR and not f.code.startswith(_DOCUMENT)}
    return [one for one in listed if not (one.code.startswith(_DOCUMENT) and _is_echo(one, errors, read))]


_DOCUMENT = "document."


def _is_echo(one: Finding, errors: dict[Place, str], read: Read) -> bool:
    if not errors:
        return False
    if one.code == "document.missing":
        return read.origins.get(one.args.get("field", "")) in errors
    return errors.get(one.place) == one.value


def numbered(catalogue: Catalogue, finding: Finding, wire: SegmentMessage, checked: Checked) -> Finding:
    """`finding` with the directory's number of the element it stands at, which AK402 names."""
    place, table = finding.place, tables.find(catalogue, wire.type)
    if finding.severity is Severity.NOTE or not (place.segment and place.element) or table is None:
        return finding
    node = checked.nodes[place.segment - 1] if place.segment <= len(checked.nodes) else -1
    uses = (table.base or table).nodes[node].elements[place.element - 1 : place.element] if node >= 0 else ()
    if not uses or "number" in finding.args:
        return finding
    parts = uses[0].components[place.component - 1 : place.component] if place.component else ()
    return replace(finding, args={**finding.args, "number": (parts or uses)[0].item})


def ruled(partial: Document, read: Read, rules: Rules) -> Iterator[Finding]:
    """What the rules have against what is right of a document, so that its sender hears of all its faults at once.

    Nothing of what is wrong already: that it is missing, too, is no fault of its own.
    """
    wrong = {finding.args["field"] for finding in read.findings if "field" in finding.args}
    # A rule may ask for what is not there; what it would have said waits for the next sending.
    with suppress(AttributeError, TypeError):
        for finding in rule_check.check(partial, rules):
            path = finding.place.path
            if not any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in wrong):
                yield traced(finding, read)


def traced(finding: Finding, read: Read) -> Finding:
    """A finding at a canonical path, at the sender's own segment and element, where the value came from one."""
    nearest = read.origins.nearest(finding.place.path)
    place = nearest if nearest != Place() else finding.place
    return replace(findings.about(finding, finding.place.path), place=place)
