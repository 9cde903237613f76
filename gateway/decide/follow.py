"""What follows for open tasks from a case that has moved: see `tasks`."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.decide.apply import Applied, Moved
from gateway.decide.desk import Desk
from gateway.decide.effects import Close, Effect
from gateway.decide.facts import TasksOf
from gateway.model import Case, Task


def close_tasks(desk: Desk, applied: Applied) -> list[Effect]:
    """What becomes of the open tasks about the cases that `applied` moved: decided by what moved them, or withdrawn.

    Unknown where the tasks of such a case were not asked for yet.
    """
    cases = {
        case_id: step.after
        for case_id, step in applied.cases.items()
        if any(moved.took_place and _may_have_asked(desk, moved) for moved in step.moves)
    }
    desk.facts.require(TasksOf(case_id, desk.test) for case_id in cases)
    effects: list[Effect] = []
    for case_id, case in cases.items():
        open_ = [task for task in desk.facts[TasksOf(case_id, desk.test)] if task.id not in applied.tasks]
        events = [(m.track, m.event) for m in applied.cases[case_id].moves if m.took_place]
        effects += _closings(desk, case, open_, events)
    return effects


def _may_have_asked(desk: Desk, moved: Moved) -> bool:
    """Whether a task may be open on the track where it stood before: one of which an option could happen there.

    Most moves are from where nothing was asked, and need not ask the store for tasks.
    """
    rows = [
        desk.tracks.find(kind.track).rows[event]
        for kind in desk.tasks.values()
        if kind.track == moved.track
        for event in kind.options.values()
    ]
    return any(moved.before in row.moves or moved.before in row.returns for row in rows)


def _closings(desk: Desk, case: Case, tasks: Iterable[Task], events: Iterable[tuple[str, str]]) -> Iterable[Effect]:
    happened = set(events)
    for task in tasks:
        chosen = [option for option, event in task.options.items() if (task.track, event) in happened]
        if chosen:
            yield Close(task.id, chosen[0])
        elif not any(_may_happen(desk, case, task.track, event) for event in task.options.values()):
            yield Close(task.id)


def _may_happen(desk: Desk, case: Case, track: str, event: str) -> bool:
    step = desk.step(case, track, event)
    return step is not None and not step.late
