"""What holds for every verb."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from gateway import __version__
from gateway.cli import COMMANDS, build

ROOT = Path(__file__).resolve().parents[2]
VERBS = (
    *(f"{noun} {verb}" for noun, verbs in {
        "message": ("list", "show", "retry", "reprocess"),
        "partner": ("import", "list"),
        "schema": ("import", "list", "show"),
        "mapping": ("lint", "test"),
        "receipt": ("show", "verify"),
        "config": ("check", "show"),
    }.items() for verb in verbs),
    "serve", "send", "validate", "translate", "migrate",
)  # fmt: skip
"""The verbs that must be there."""


def verbs() -> list[str]:
    """Every verb that is there, such as `message list`."""
    found = []
    for name, command in typer.main.get_command(build()).commands.items():
        inner = getattr(command, "commands", None)
        found += [f"{name} {verb}" for verb in inner] if inner else [name]
    return found


@pytest.mark.parametrize("verb", VERBS)
def test_the_verb_is_there_and_explains_itself(run, verb):
    """Each promised verb has a help text."""
    done = run(*verb.split(), "--help")
    assert done.code == 0
    assert "Usage: gateway" in done.out
    assert len(done.out.splitlines()) > 5


def test_the_documentation_knows_every_verb_and_option():
    """docs/cli.md holds each verb, and each of its options."""
    text = (ROOT / "docs" / "cli.md").read_text("utf-8")
    for verb in verbs():
        assert f"`gateway {verb}" in text, verb
    for name, command in typer.main.get_command(build()).commands.items():
        for inner in getattr(command, "commands", {"": command}).values():
            for parameter in inner.params:
                for option in parameter.opts:
                    if option.startswith("--") and option not in ("--help", "--json", "--lang", "--config"):
                        assert f"`{option}" in text, (name, inner.name, option)


def test_the_readme_names_only_verbs_that_are_there():
    """Whatever `gateway ...` the README shows exists."""
    known = set(verbs()) | {verb.split()[0] for verb in verbs()}
    shown = re.findall(
        r"^\s*(?:\$ )?(?:\.venv/bin/)?gateway ([a-z]+(?: [a-z]+)?)",
        (ROOT / "README.md").read_text("utf-8"),
        re.MULTILINE,
    )
    for words in shown:
        assert words in known or words.split()[0] in known, words


def test_every_file_of_commands_registers_some():
    """Each name in COMMANDS is a command or a noun."""
    assert set(COMMANDS) >= {verb.split()[0] for verb in verbs()}


def test_help_carries_nothing_heavy():
    """`gateway --help` imports neither database nor web nor schema libraries."""
    code = "import sys; sys.argv = ['gateway', '--help']\nimport gateway.cli\ntry:\n    gateway.cli.main()\nexcept SystemExit:\n    pass\n"
    code += "print([m for m in ('sqlalchemy', 'aiohttp', 'lxml', 'pydantic', 'rich', 'xmlschema') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_validate_carries_no_database_and_no_web(tmp_path):
    """`gateway validate` imports neither the store's nor the web's libraries."""
    (tmp_path / "x.edi").write_bytes(b"UNB+UNOA:3+A+B+260101:0900+1'UNH+1+CUSDEC:D:96B:UN'UNT+2+1'UNZ+1+1'")
    code = "import sys; sys.argv = ['gateway', 'validate', 'x.edi']\nimport gateway.cli\ntry:\n    gateway.cli.main()\nexcept SystemExit:\n    pass\n"
    code += "print([m for m in ('sqlalchemy', 'aiohttp', 'aiosqlite', 'asyncpg') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_told(run):
    """`--version` prints the version, and nothing else."""
    done = run("--version")
    assert (done.code, done.out) == (0, f"{__version__}\n")


def test_it_runs_as_a_module(tmp_path):
    """`python -m gateway` is the same command."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "--version"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout == f"{__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("message", "nonsense"),
        ("validate",),  # no file
        ("validate", "missing.edi"),
        ("validate", "."),  # a folder
        ("validate", "gateway.toml", "--lang", "fr"),
        ("message", "list", "--state", "lost"),
        ("message", "list", "--limit", "0"),
        ("receipt", "show", "first"),
        ("translate", "gateway.toml"),  # no --to
        ("config", "check", "--config", "missing.toml"),
        ("send", "gateway.toml"),  # no key
        ("send", "gateway.toml", "--key", "x", "--url", "file:///etc/passwd"),
        ("partner", "import", "gateway.toml"),  # no partners in it
        ("schema", "show"),
    ],
)
def test_wrong_usage_is_2_and_told_in_words(run, arguments):
    """What cannot be asked like that ends with 2 and a line on stderr, without traceback and without output."""
    done = run(*arguments)
    assert done.code == 2
    assert done.err.strip()
    assert "Traceback" not in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("message", "show", "0" * 32),
        ("message", "retry", "0" * 32),
        ("message", "reprocess", "0" * 32),
        ("receipt", "show", "99"),
        ("schema", "show", "edifact:NOSUCH:D:96B:UN"),
        ("send", "gateway.toml", "--key", "x", "--url", "http://127.0.0.1:1"),
    ],
)
def test_what_is_not_there_is_1_and_told_in_words(run, arguments):
    """What was asked rightly and is not there ends with 1 and a line on stderr."""
    done = run(*arguments)
    assert done.code == 1
    assert done.err.startswith("gateway: ")
    assert "Traceback" not in done.err


def test_a_reader_that_leaves_is_no_error(tmp_path):
    """`gateway ... | head -1` ends quietly."""
    done = subprocess.run(
        f"{sys.executable} -m gateway schema list --json | head -1", shell=True, capture_output=True, text=True, check=True,
        cwd=tmp_path,
    )  # fmt: skip
    assert done.stderr == ""
