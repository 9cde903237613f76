"""What views and gates cost a decision, in microseconds of CPU on a consignment that was transferred.

views_us    which views a recipient has of the case, and the declaration cut by them: a bureau's, which sees all, and a
            port's, which sees little, each once
gates_us    the mode of supervision of what was declared, and what is wanted before its notice
"""

from __future__ import annotations

import time
from collections.abc import Callable

from gateway.decide.gates import find_missing
from gateway.decide.modes import choose_mode
from gateway.decide.views import find_views
from gateway.flows.declared import declaration_of, enterprises_of
from tests.bench.figures import Figure
from tests.flows.world import BUREAU, FACTORY, PORT, PORT_SIDE, RULES, World, outbound, transfer

RUNS, ROUNDS = 7, 2_000


def measure() -> dict[str, Figure]:
    """Each figure over several runs."""
    world = World()
    world.send(outbound(), FACTORY)
    world.send(transfer(next(value for kind, value in world.case.keys if kind == "declaration")), BUREAU)
    case, declaration = world.case, declaration_of(world.case)

    def views() -> None:
        for reader in (PORT_SIDE, PORT):
            RULES.views.cut(declaration, find_views(RULES.views, reader, case, case))

    def gates() -> None:
        codes = [goods.hs_code for goods in declaration.goods]
        excluded = RULES.modes.is_blacklisted(enterprises_of(declaration))
        mode = choose_mode(RULES.modes, declaration.direction.value, codes, excluded=excluded)
        find_missing(RULES.gates, "notify", case, mode.id)

    return {"views_us": measure_microseconds(views, each=2), "gates_us": measure_microseconds(gates)}


def measure_microseconds(work: Callable[[], None], each: int = 1) -> Figure:
    """CPU microseconds of one, where `work` does `each` of them."""
    taken = []
    for _ in range(RUNS):
        began = time.process_time()
        for _ in range(ROUNDS):
            work()
        taken.append((time.process_time() - began) / ROUNDS / each * 1e6)
    return Figure.of(taken)
