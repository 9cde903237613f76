"""What a case's timeline says of tasks and of entries of accounts."""

from __future__ import annotations

from gateway.model import Draw, Entry, Task


def tell_task(task: Task) -> dict[str, object]:
    """What a timeline says of a task."""
    told = {
        "task": task.id,
        "kind": task.kind,
        "version": task.version,
        "state": task.state,
        "option": task.option,
        "office": task.office,
        "act": task.act,
        "person": task.person_id,
    }
    return {name: value for name, value in told.items() if value}


def tell_entry(entry: Entry) -> dict[str, object]:
    """What a timeline says of an account's entry; what is left in the account is its holder's to know."""
    return {
        "account": entry.account,
        "entry": entry.id,
        "state": entry.state.value,
        "amount": format(entry.amount, "f"),
    }


def tell_draw(draw: Draw) -> dict[str, object]:
    """What a timeline says of a draw; from which tally it came is in the draw itself, for whoever audits it."""
    return {"plan": draw.plan, "chosen": draw.chosen, "window": draw.window, "number": draw.number}
