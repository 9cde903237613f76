"""The rules of both dialects: a table of cases, each a change to a sound interchange, its clause and what must come of it.

The expectations were written from the standards and from code lists, not from what the gateway says.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conformance import rig

HERE = Path(__file__).parent
FRAMES: dict[str, str] = tomllib.loads((HERE / "frames.toml").read_text("utf-8"))


class Rule(NamedTuple):
    """One line of a table."""

    frame: str
    changes: str
    expected: str
    clause: str

    def body(self) -> bytes:
        """The frame with its changes; each must find what it changes."""
        text = FRAMES[self.frame]
        for change in filter(str.strip, self.changes.split(" ;; ")):
            old, _, new = (part.removeprefix(" ") for part in change.partition(" =>"))
            assert old in text, f"{old!r} does not stand in {self.frame}"
            text = text.replace(old, "" if new == " " else new)
        return text.encode().decode("unicode_escape").encode("latin-1")


def rules(name: str) -> list[Rule]:
    """The rules of one table."""
    lines = (HERE / f"{name}.tsv").read_text("utf-8").splitlines()[1:]
    return [Rule(*line.split("\t")) for line in lines if not line.startswith("#")]


RULES = [*rules("edifact"), *rules("x12")]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.clause)
def test_rule(rule: Rule) -> None:
    """What the clause asks for comes of it, and its acknowledgement passes our own check and says why it rejects."""
    came = rig.outcome(rule.body())
    told = [(f.code, str(f.place), f.value) for f in came.findings()]
    assert rig.misses(rule.expected, came) == [], (told, came.acknowledged)


@pytest.mark.parametrize("frame", [name for name in FRAMES if name not in ("package", "inter")])
def test_frames_are_sound(frame: str) -> None:
    """Nothing is wrong with what the rules change."""
    came = rig.outcome(FRAMES[frame].encode())
    assert rig.misses("clean", came) == [], [(f.code, str(f.place)) for f in came.findings()]


def test_rules_are_many() -> None:
    """Each says something of its own."""
    assert len({(rule.frame, rule.changes) for rule in RULES}) == len(RULES) >= 350
