"""Names of what a decision rests on and of what it changes: where two have none in common, they may stand side by side.

Every query and every effect tells its own (`touches`). The trip, the store's conflict check and its locks go by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Name = tuple[object, ...]
"""A kind, and what tells one thing of that kind from another."""


def case_name(case_id: str) -> Name:
    """A case with all that it holds."""
    return ("case", case_id)


def key_names(keys: Iterable[tuple[str, str]], *, test: bool) -> Iterator[Name]:
    """Business keys of cases, those included that no case has yet."""
    return (("key", kind, value, test) for kind, value in keys)


def links_name(case_id: str) -> Name:
    """What a case is linked to, those included that it is not linked to yet."""
    return ("links", case_id)


def subject_name(scheme: str, value: str, *, test: bool) -> Name:
    """A subject of the registry with all its versions, whether there are any or not."""
    return ("subject", scheme, value, test)


def exhibit_name(exhibit_id: str) -> Name:
    """A piece of evidence, whether it has come or not."""
    return ("exhibit", exhibit_id)


def task_name(task_id: str) -> Name:
    """A task, whether it is asked yet or not."""
    return ("task", task_id)


def tasks_name(case_id: str) -> Name:
    """The tasks about a case, those included that are not asked yet."""
    return ("tasks", case_id)


def work_name(kind: str, work_id: str) -> Name:
    """A claimed piece of work: a payload, a deadline."""
    return (kind, work_id)


def wait_name(waiting_id: str) -> Name:
    """A waiting document."""
    return ("wait", waiting_id)


def wait_key_names(keys: Iterable[tuple[str, str]], *, test: bool) -> Iterator[Name]:
    """Keys that documents wait under, those included that none waits under yet."""
    return (("wait key", kind, value, test) for kind, value in keys)


def subscriptions_name(partner_id: str, *, test: bool) -> Name:
    """All subscriptions of a partner, those included that it has not made yet."""
    return ("subscriptions", partner_id, test)


def figures_name(subject: str, *, test: bool) -> Name:
    """All that was told of a subject of statistics, whether anything was or not."""
    return ("figures", subject, test)


def tally_name(plan: str, stratum: str, window: str, *, test: bool) -> Name:
    """A tally of draws, whether anything was drawn or not."""
    return ("tally", plan, stratum, window, test)


def draw_name(plan: str, item: str, *, test: bool) -> Name:
    """The draw of one item, whether it was drawn or not."""
    return ("draw", plan, item, test)


def report_name(name: str, *, test: bool) -> Name:
    """The reports of one name, those included that are not made yet."""
    return ("report", name, test)


def ledger_name(ledger: str, *, test: bool) -> Name:
    """An account with all its entries, whether it is there or not."""
    return ("ledger", ledger, test)
