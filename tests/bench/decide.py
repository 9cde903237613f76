"""What a decision costs, in microseconds of CPU, with all facts at hand: no store is asked.

decide_us   a declaration that is reviewed, a transfer and a clearance notice, each once, watched: the mean of the three
watch_us    the watcher alone, over what the same three come to
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from gateway.decide import engine
from gateway.decide.desk import Actor, Desk, MessageIn
from gateway.decide.facts import Answer, Facts, Unknown
from gateway.decide.watch import watch
from gateway.documents import Document
from gateway.model import Partner
from tests.bench.figures import Figure
from tests.bench.views import measure_microseconds
from tests.flows.world import BUREAU, FACTORY, NOW, Watched, notice, outbound, transfer


@dataclass
class Observed(Watched):
    """A world that keeps the desk, with all facts, at which the next message would be decided."""

    def desk_for(self, document: Document, sender: Partner) -> Desk:
        """That desk; what stands in this world stays as it is."""
        occasion = MessageIn(document.document_type, document, Actor(sender), "message", NOW, False)
        known = Facts()
        while True:
            desk = self.flows.desk(occasion, self.ground.over(known), self.rules, NOW)
            try:
                engine.conclude(desk, self.flows)
            except Unknown as unknown:
                known = known.plus({query: Answer(self._answer(query)) for query in unknown.queries})
                continue
            return desk


def measure() -> dict[str, Figure]:
    """Each figure over several runs."""
    world = Observed()
    declared = outbound()
    desks = [world.desk_for(declared, FACTORY)]
    world.send(declared, FACTORY)
    number = next(value for kind, value in world.case.keys if kind == "declaration")
    for document in (transfer(number), notice(number)):
        desks.append(world.desk_for(document, BUREAU))
        world.send(document, BUREAU)
    flows = world.flows
    decisions = [(desk, engine.decide(desk, flows)) for desk in desks]
    watched = [(desk, engine.effects_of(parts), engine.apply_all(desk, parts)) for desk, parts in decisions]

    def decide() -> None:
        for desk in desks:
            engine.conclude(desk, flows)

    def look() -> None:
        for each in watched:
            watch(*each)

    measured = partial(measure_microseconds, each=len(desks))
    return {"decide_us": measured(decide), "watch_us": measured(look)}
