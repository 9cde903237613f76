"""What holds for every verb."""

from __future__ import annotations

import os
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
        "schema": ("import", "list", "show", "diff"),
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
        ("validate", "empty_folder"),
        ("validate", "gateway.toml", "--lang", "fr"),
        ("message", "list", "--state", "lost"),
        ("message", "list", "--limit", "0"),
        ("receipt", "show", "first"),
        ("translate", "gateway.toml"),  # no --to
        ("config", "check", "--config", "missing.toml"),
        ("send", "gateway.toml"),  # no key
        ("send", "gateway.toml", "--key", "x", "--url", "file:///etc/passwd"),
        ("send", "gateway.toml", "--key", "密钥"),
        ("send", "gateway.toml", "--key", "one\ntwo"),
        ("send", "gateway.toml", "--key", "x", "--id", "编号"),
        ("send", "gateway.toml", "--key", "x", "--id", "a\nb"),
        ("send", "gateway.toml", "--key", "x", "--id", "x" * 256),
        ("validate", "gateway.toml", "--format", "foo"),
        ("mapping", "test", "--document", "nosuch"),
        ("mapping", "test", "--format", "nosuch"),
        ("mapping", "test", "--document", "release", "--format", "x12:309:004010"),
        ("translate", "gateway.toml", "--to", "json", "--time-zone", "Nowhere/At_all"),
        ("schema", "import", "gateway.toml", "CUSDEC"),  # no archive
        ("schema", "import", "nosuch.zip", "CUSDEC"),
        ("schema", "diff", "d96b"),
        ("receipt", "verify", "gateway.toml", "--key", "foo"),
        ("receipt", "export", "/proc/x/log"),
        ("message", "list"),  # no store
        ("message", "show", "0" * 32),  # no store
        ("partner", "list"),
        ("receipt", "show", "0"),
        ("receipt", "bundle", "0" * 32, "b.zip"),
        ("receipt", "key"),
        ("demo", "--folder", "/proc/x"),
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
        ("message", "skip", "0" * 32),
        ("message", "reprocess", "0" * 32),
        ("receipt", "show", "99"),
        ("receipt", "bundle", "0" * 32, "b.zip"),
        ("schema", "show", "edifact:NOSUCH:D:96B:UN"),
        ("schema", "diff", "edifact:NOSUCH:D:96B:UN", "edifact:CUSDEC:D:96B:UN"),
        ("send", "gateway.toml", "--key", "x", "--url", "http://127.0.0.1:1"),
    ],
)
def test_what_is_not_there_is_1_and_told_in_words(run, arguments):
    """What was asked rightly and is not there ends with 1 and a line on stderr, which names it."""
    run("migrate")
    done = run(*arguments)
    assert done.code == 1
    assert done.err.startswith("gateway: ")
    assert arguments[2] in done.err or "http://127.0.0.1:1" in done.err or "no such receipt" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "verb",
    [
        ("message", "list"),
        ("message", "show", "x"),
        ("message", "dead"),
        ("message", "retry", "x"),
        ("message", "skip", "x"),
        ("message", "reprocess", "x"),
        ("partner", "list"),
        ("receipt", "show", "0"),
        ("receipt", "bundle", "x", "b.zip"),
        ("receipt", "export", "log.jsonl"),
        ("receipt", "key"),
        ("config", "check"),
    ],
)
def test_who_only_reads_makes_nothing(run, tmp_path, verb):
    """Where no store is, a verb that reads says so with 2, and leaves the folder as it was."""
    before = sorted(tmp_path.rglob("*"))
    done = run(*verb)
    assert done.code == (0 if verb[0] == "config" else 2)
    assert "makes one" in done.err or verb[0] == "config"
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nonsense", "SQLite or PostgreSQL"),
        ("mysql://x", "SQLite or PostgreSQL"),
        ("postgresql://user:s3cret@host:port/x", "no URL"),
        ("sqlite:////proc/x/g.db", "/proc/x"),
        ("sqlite:////etc/hostname", "not a database"),
        ("sqlite:////tmp", "/tmp is a folder"),
    ],
)
@pytest.mark.parametrize(
    "verb", [("migrate",), ("message", "list"), ("config", "check"), ("partner", "import", "p.toml")]
)
def test_a_store_that_cannot_be_is_told(run, tmp_path, monkeypatch, verb, url, told):
    """A store's URL under which none can be ends every verb with 2 and a sentence, without its password."""
    (tmp_path / "p.toml").write_text('[[partners]]\nid = "x"\nname = "X"\n', "utf-8")
    monkeypatch.setenv("GATEWAY_STORE__URL", url)
    done = run(*verb)
    assert done.code == 2
    assert told in done.err
    assert "s3cret" not in done.err
    assert "Traceback" not in done.err


def test_a_lost_file_is_told_by_name(run, tmp_path, monkeypatch):
    """GATEWAY_CONFIG that names a missing file is an error of every verb that reads the configuration."""
    monkeypatch.setenv("GATEWAY_CONFIG", "/nonexist/gateway.toml")
    for verb in (("config", "check"), ("config", "show"), ("migrate",), ("serve",), ("message", "list")):
        done = run(*verb)
        assert (done.code, done.out) == (2, "")
        assert "GATEWAY_CONFIG: /nonexist/gateway.toml does not exist" in done.err


def test_the_usage_names_lists_plainly(run):
    """What may be given more than once has its dots once."""
    for verb, shown in (
        (("validate",), " {FILE}..."),
        (("mapping", "lint"), " [FILE]..."),
        (("schema", "import"), " {SOURCE} [MESSAGE]..."),
        (("partner", "import"), " {FILE}"),
    ):
        assert run(*verb, "--help").out.splitlines()[0].endswith(shown)


def test_a_reader_that_leaves_is_no_error(tmp_path):
    """`gateway ... | head -1` ends quietly."""
    done = subprocess.run(
        f"{sys.executable} -m gateway schema list --json | head -1", shell=True, capture_output=True, text=True, check=True,
        cwd=tmp_path,
    )  # fmt: skip
    assert done.stderr == ""


@pytest.mark.parametrize("verb", [("serve",), ("migrate",), ("message", "list")])
def test_a_database_that_does_not_answer_is_named(tmp_path, verb):
    """A server that is down ends a verb with 1, since trying again may help; which store it is, without its password."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *verb],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "GATEWAY_STORE__URL": "postgresql://gate:s3cret@127.0.0.1:1/gate"},
    )
    assert done.returncode == 1
    assert "the store postgresql://gate:***@127.0.0.1:1/gate does not answer" in done.stderr


NOT_UTF8 = "\udcff"
THIRTY_NINES = "9" * 30


@pytest.mark.parametrize(
    "asked",
    [
        *(("message", "list", option, THIRTY_NINES) for option in ("--limit",)),
        *(("message", "show", "x", option, THIRTY_NINES) for option in ("--limit", "--after")),
        ("message", "show", "x", "--after", f"-{THIRTY_NINES}"),
        ("message", "dead", "--limit", THIRTY_NINES),
        ("message", "list", "--limit", str(2**31 - 1)),
        ("receipt", "show", THIRTY_NINES),
        ("partner", "list", "--limit", THIRTY_NINES),
        ("store", "reconcile", "--limit", THIRTY_NINES),
        ("store", "reconcile", "--skip-numbers", THIRTY_NINES),
        *(("message", verb, NOT_UTF8) for verb in ("show", "retry", "skip", "reprocess")),
        ("message", "show", NOT_UTF8, "--original"),
        *(("message", verb, option, NOT_UTF8) for verb in ("list", "dead") for option in ("--partner", "--after")),
        ("receipt", "bundle", NOT_UTF8, "out.zip"),
        ("partner", "list", "--after", NOT_UTF8),
        ("store", "reconcile", "--partner", NOT_UTF8),
        ("store", "reconcile", "--id", NOT_UTF8),
        ("send", "gateway.toml", "--key", NOT_UTF8),
    ],
)
def test_what_can_name_or_count_nothing_is_a_usage_error(run, asked):
    """A number that no store holds, and bytes that are no text, are refused in one line, before anything is opened."""
    run("migrate")
    done = run(*asked)
    assert done.code == 2, done.err
    assert "Traceback" not in done.err
    assert "Invalid value" in done.err


@pytest.mark.parametrize("name", ["message list", "message show x", "receipt show"])
def test_the_largest_number_that_is_taken_finds_nothing(run, name):
    """A number within the bound is asked for, and there is nothing."""
    run("partner", "import", "--help")
    run("migrate")
    option = () if name == "receipt show" else ("--limit",)
    done = run(*name.split(), *option, str(2**31 - 2))
    assert done.code in (0, 1), done.err
    assert "Traceback" not in done.err
