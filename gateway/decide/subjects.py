"""What the registry says of subjects: which version holds on a day, and what it means there.

A version holds from its day on, until another one's day: of those whose day has come, the one with the latest day holds,
and of several with one day the one that was registered last. A supervision class belongs to a group of products, and says
nothing of the enterprise's credit grade, nor the grade of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from gateway.documents.registration import Attributes
from gateway.model import Registered, SubjectVersion

REGISTERED, SUSPENDED, CLOSED = "registered", "suspended", "closed"
CODE_LIST = "code-list"
"""The scheme in which code lists and rule sets go by their names; only what was approved is registered in it."""
CODES_AT = "codes-at"
"""The scheme in which a partner's copies of lists are registered, each by `name_copy`: which version it runs."""


def name_copy(partner_id: str, name: str) -> str:
    """What a partner's copy of a list goes by."""
    return f"{partner_id} {name}"


def choose_version(versions: Iterable[SubjectVersion], day: date) -> SubjectVersion | None:
    """The version that holds on `day`; None where none does."""
    begun = (version for version in versions if version.valid_from <= day)
    return max(begun, key=lambda version: (version.valid_from, version.version), default=None)


def choose_later(versions: Iterable[SubjectVersion], day: date) -> tuple[SubjectVersion, ...]:
    """The versions that will hold from a day after `day` on, each from its own."""
    newest: dict[date, SubjectVersion] = {}
    for version in versions:
        if version.valid_from > day:
            known = newest.setdefault(version.valid_from, version)
            newest[version.valid_from] = max(known, version, key=lambda one: one.version)
    return tuple(newest[begins] for begins in sorted(newest))


def lay_over(known: Registered, pending: Iterable[SubjectVersion], day: date) -> Registered:
    """What is registered on `day` with versions that are not committed yet; these are newer than all that is known."""
    made = list(pending)
    there = [*([known.version] if known.version is not None else ()), *known.later, *made]
    newest = max((known.newest, *(one.version for one in made)))
    return Registered(choose_version(there, day), newest, choose_later(there, day))


def attributes_of(registered: Registered) -> Attributes:
    """What is registered; nothing where there is no version."""
    return Attributes.model_validate(registered.version.attributes if registered.version is not None else {})


def is_direct_through(attributes: Attributes, day: date) -> bool:
    """Whether direct-through is approved by `day`."""
    approval = attributes.direct_through
    return approval is not None and approval.approved and (approval.since is None or approval.since <= day)


def is_blacklisted(attributes: Attributes, day: date) -> bool:
    """Whether the subject is excluded on `day`."""
    return any(one.since <= day and (one.until is None or day <= one.until) for one in attributes.blacklist)
