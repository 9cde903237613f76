"""Gates: what must hold on a case's tracks before an act on it, as data in schemas/rules/gates, merged from files.

"Unpaid fees hold the certificate" or "the notice only after the port's check" is a row here and no condition in a flow.
A gate is about an act, and about the cases of one kind; it may be about some modes of supervision only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.catalogue import Catalogue, compiled
from gateway.check.rule_files import RuleTable, read_files, read_list

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z_]+$")]


class Need(RuleTable):
    """That a track stands in one of some states, unless that is waived."""

    track: _Name
    states: tuple[_Name, ...] = Field(min_length=1)
    kind: str = ""
    """The kind of case whose track it is, of those that the gate is asked about; empty for the gate's own."""
    en: str = Field(min_length=1)
    zh: str = Field(min_length=1)
    """What is still wanted, in the words of whoever waits for the act."""
    waived_when: Mapping[_Name, tuple[_Name, ...]] = Field(default_factory=dict)
    """By track of the gate's case, states in all of which this is not wanted."""
    waived_by: frozenset[_Name] = frozenset()
    """What whoever asks may say that waives it, such as an officer's order."""


class Gate(RuleTable):
    """What is wanted before an act on a case."""

    act: _Name
    kind: str = Field(min_length=1)
    """The kind of case that the act is on."""
    modes: frozenset[_Name] = frozenset()
    """The modes of supervision under which it is wanted; empty for every one, and for a case that has none."""
    source: str = Field(min_length=1)
    need: tuple[Need, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class GateRules:
    """All gates, by act and kind of case, in the order of their files."""

    gates: Mapping[tuple[str, str], tuple[Gate, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def find(self, act: str, kind: str, mode: str) -> tuple[Gate, ...]:
        """The gates before `act` on a case of `kind` under `mode`; a case without a mode has those of every mode only."""
        return tuple(gate for gate in self.gates.get((act, kind), ()) if not gate.modes or mode in gate.modes)


@compiled
def load(catalogue: Catalogue) -> GateRules:
    """The gates of every file; RulesInvalid names the file and what is wrong with it."""
    found: defaultdict[tuple[str, str], list[Gate]] = defaultdict(list)
    for file, told in read_files(catalogue, "rules/gates", {"gate"}):
        for gate in read_list(Gate, told, "gate", file):
            found[gate.act, gate.kind].append(gate)
    return GateRules(MappingProxyType({key: tuple(gates) for key, gates in found.items()}))
