"""Docs and data keep up with the code: commands that are shown exist, every finding has its words."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from gateway import findings
from gateway.cli import build

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").glob("*.md")])

NO_CODES = {"document.json", "gateway.toml", "gateway.simulators", "gateway.parse.stream"}
"""Names in the code that look like codes of findings and are files and modules."""


def shown() -> Iterator[tuple[str, str]]:
    """Every command that a page shows on a line of its own, as (page, command)."""
    for page in PAGES:
        for line in page.read_text("utf-8").splitlines():
            found = re.match(r"(?: {4}|\$ )(?:\.venv/bin/)?((?:gateway|make)(?: .*|$))", line)
            if found:
                # Words two or more blanks away explain the command.
                yield page.name, re.split(r" {2,}|\s#\s", found[1])[0]


COMMANDS = sorted(set(shown()))


def test_commands_are_shown() -> None:
    """The README shows how to make the demo and how to validate."""
    readme = [command for page, command in COMMANDS if page == "README.md"]
    assert "make demo" in readme
    assert any(command.startswith("gateway validate") for command in readme)


@pytest.mark.parametrize(("page", "command"), [c for c in COMMANDS if c[1].startswith("make")])
def test_make_targets_exist(page: str, command: str) -> None:
    """Each `make` command that a page shows is a target."""
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert [word for word in command.split()[1:] if "=" not in word and word not in targets] == []


@pytest.mark.parametrize(("page", "command"), [c for c in COMMANDS if c[1].startswith("gateway")])
def test_verbs_and_options_exist(page: str, command: str) -> None:
    """Each `gateway` command that a page shows can be parsed, and the samples it names are there."""
    words = shlex.split(command)[1:]
    verb: Any = get_command(build())
    while hasattr(verb, "commands") and words:
        assert words[0] in verb.commands, f"{command}: no {words[0]}"
        verb, words = verb.commands[words[0]], words[1:]
    options = {option for parameter in verb.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert [word for word in words if word.startswith("--") and word.partition("=")[0] not in options] == []
    assert [word for word in words if word.startswith("samples/") and not (ROOT / word).exists()] == []


# Findings.


@cache
def written() -> tuple[frozenset[str], frozenset[str]]:
    """All dotted names in the code: those written out, and patterns of those put together."""
    whole, patterns = set(), set()
    for path in (ROOT / "gateway").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                whole.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [re.escape(str(v.value)) if isinstance(v, ast.Constant) else "[a-z0-9_.]+" for v in node.values]
                patterns.add("".join(parts))
    roots = {code.partition(".")[0] for code in findings.catalogue()}
    dotted = {w for w in whole if re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", w) and w.partition(".")[0] in roots}
    begun = {p for p in patterns if p.partition("\\.")[0] in roots and "\\." in p}
    return frozenset(dotted - NO_CODES), frozenset(begun)


def test_every_code_in_the_code_has_its_words() -> None:
    """A finding that the code makes stands in the catalogue."""
    assert sorted(written()[0] - findings.catalogue().keys()) == []


def test_every_code_in_the_catalogue_is_made() -> None:
    """A code of the catalogue is made somewhere in the code, or named by a rule set or a schema."""
    whole, patterns = written()
    named = "".join(p.read_text("utf-8") for d in ("rules", "xml") for p in (ROOT / "schemas" / d).glob("*.toml"))
    unused = [
        code
        for code in findings.catalogue()
        if code not in whole and f'"{code}"' not in named and not any(re.fullmatch(p, code) for p in patterns)
    ]
    assert unused == []


def test_every_code_is_worded_in_both_languages() -> None:
    """English and Chinese say something of their own, with the same arguments."""
    for code, entry in findings.catalogue().items():
        assert entry.en, code
        assert entry.zh, code
        assert re.search("[\u4e00-\u9fff]", entry.zh) or entry.en == entry.zh, code


# Lock files.


def locked(name: str) -> dict[str, str]:
    """Packages of a lock file, each with its version."""
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / name).read_text("utf-8"), re.MULTILINE))


def test_the_image_runs_what_was_tested() -> None:
    """What the image installs is part of what the developers' lock file names, in the same versions."""
    runtime, whole = locked("requirements.runtime.lock"), locked("requirements.lock")
    assert runtime.items() <= whole.items()
    assert "aiohttp" in runtime
    assert runtime.keys().isdisjoint({"pytest", "hypothesis", "ruff", "mypy", "import-linter", "hatchling"})


@pytest.mark.parametrize("name", ["requirements.lock", "requirements.runtime.lock"])
def test_lock_files_name_no_address(name: str) -> None:
    """A lock file holds names, versions and hashes only, so that it serves behind any mirror."""
    assert "://" not in (ROOT / name).read_text("utf-8")


def test_every_phony_target_has_a_rule() -> None:
    """Whatever the Makefile calls a target can be made."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    phony = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[0].split()
    assert sorted(set(phony) - set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))) == []


def test_the_tests_that_show_a_defence_are_there() -> None:
    """docs/security.md names no test that does not exist; a bare name stands in the folder of the one before it."""
    for line in (ROOT / "docs" / "security.md").read_text("utf-8").splitlines():
        folder = ROOT
        for name in re.findall(r"tests/[\w/]+(?:\.py)?|test_\w+\.py", line):
            path = ROOT / name if name.startswith("tests/") else folder / name
            assert path.exists(), (line, name)
            folder = path.parent
