"""When the keys of sampling are told: a digest before a window begins, the key once it is over.

The audit has the SHA-256 of a window's key a whole window before anything is drawn under it (but of the first two, when
sampling begins), so that the key cannot be chosen after the cases are known. Once a window is over it has the key, by
which an auditor repeats each draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from gateway.check.rulebook import Rules
from gateway.check.sampling_rules import Window, window_of
from gateway.decide import china
from gateway.decide.desk import Desk
from gateway.decide.effects import Disclose, Due, Effect
from gateway.decide.sampling import key_digest, window_key
from gateway.model import Deadline, derive_id

DEADLINE = "sampling"
"""The kind of deadlines at which windows begin."""
_BEGUN = "begun"


def first_deadlines(rules: Rules, now: datetime) -> Iterator[Deadline]:
    """For windows of each length that plans have, the deadline by which sampling begins: now."""
    for days in sorted({plan.window_days for plan in rules.sampling.values()}):
        window = window_of(china.day(now), days)
        yield Deadline(_name(days), DEADLINE, "", now, _args(window))


def begin_window(desk: Desk) -> list[Effect]:
    """What is told when a window begins: the key of the one before it, and the digest of the one after it.

    Nothing where no plan has such windows any more, or there is no secret; the last key is told all the same.
    """
    args = desk.deadline.args
    window = Window(date.fromisoformat(args["first"]), int(args["days"]))
    goes_on = any(plan.window_days == window.days for plan in desk.rules.sampling.values())
    effects: list[Effect] = []
    if not desk.secret:
        return []
    if args.get(_BEGUN):
        key = window_key(desk.secret, window.before.name)
        effects.append(Disclose(window.before.name, key_digest(key), key.hex()))
    elif goes_on:
        effects.append(_commit(desk, window))
    if goes_on:
        effects.append(_commit(desk, window.next))
        at = desk.rules.calendar.end_of(window.next.first - timedelta(days=1))
        effects.append(Due(_name(window.days), at, DEADLINE, "", {**_args(window.next), _BEGUN: "1"}))
    return effects


def _commit(desk: Desk, window: Window) -> Disclose:
    return Disclose(window.name, key_digest(window_key(desk.secret, window.name)))


def _name(days: int) -> str:
    return derive_id(DEADLINE, days)


def _args(window: Window) -> dict[str, str]:
    return {"days": str(window.days), "first": window.first.isoformat()}
