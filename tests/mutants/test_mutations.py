from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tests.mutants import __main__ as mutants
from tests.mutants import mutations


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a = b == c", ["a = b != c"]),
        ("a = b < c", ["a = b <= c"]),
        ("a = b and c", ["a = b or c"]),
        ("a = not b", ["a = b"]),
        ("a = b + c", ["a = b - c"]),
        ("a = True", ["a = False"]),
        ("a = 1", ["a = 2"]),
        ("a = 'b'", ["a = 'b?'"]),
        ("def f():\n    return a", ["def f():\n    return None"]),
        ("a()", ["pass"]),
        ("if a:\n    b", ["if not a:\n    b"]),
        ("for a in b:\n    break", ["for a in b:\n    continue"]),
        # What decides nothing has no mutants.
        ("'''Words.'''", []),
        ("def f(a: 'b') -> 'c':\n    '''Words.'''\n    return None", []),
        ("@d(True)\nclass A:\n    pass", []),
        ("from a import b", []),
    ],
)
def test_every_kind_of_fault(source: str, expected: list[str]) -> None:
    """Each construct is mutated as this table says, one fault at a time, and nothing else is."""
    found = [mutations.mutant(source, position) for position in range(mutations.count(source))]
    assert [one.source for one in found] == expected


def test_every_mutant_of_a_module_is_another_program() -> None:
    """Each mutant of a real module can be parsed and differs from the module and from the others."""
    source = Path(mutations.__file__).read_text("utf-8")
    found = [mutations.mutant(source, position).source for position in range(mutations.count(source))]
    assert len({ast.unparse(ast.parse(source)), *found}) == len(found) + 1


def test_the_same_seed_draws_the_same_sample() -> None:
    """A sample follows from its seed and the source alone, so that nobody can pick it."""
    drawn = mutants.sample(20, "seed:1")
    assert drawn == mutants.sample(20, "seed:1")
    assert drawn != mutants.sample(20, "seed:2")
    assert {path.split("/")[1] for path, _ in mutants.sample(10**6, "")} == mutants.ROOMS.keys()


def test_samples_of_one_commit_are_told_together(tmp_path: Path) -> None:
    """Those of other commits are left out, and so are time-outs from the rate."""
    verdicts = {1: ["killed", "timed out"], 2: ["killed", "survived", "killed"], 3: ["survived"]}
    for number, found in verdicts.items():
        summary = {
            "commit": "abc" if number < 3 else "old",
            "sample": number,
            "mutants": [{"verdict": v} for v in found],
        }
        (tmp_path / f"{number}.json").write_text(json.dumps(summary), "utf-8")
    samples = mutants.pooled(tmp_path, "abc")
    assert list(samples) == [1, 2]
    assert mutants.told(samples[1]) == "1 killed, 0 survived, 1 timed out; 100.0% killed of those judged"
    together = mutants.told([*samples[1], *samples[2]])
    assert together == "3 killed, 1 survived, 1 timed out; 75.0% killed of those judged"
    assert mutants.told([]) == "0 killed, 0 survived, 0 timed out; 0.0% killed of those judged"
