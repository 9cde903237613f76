"""The command line: nouns and verbs, one file each. Data goes to stdout, words to stderr.

Exit codes: 0 it went well; 1 it was done, and the answer is no (findings, a refusal, a receipt that does
not verify); 2 it could not be asked like that (usage, configuration, an unreadable file).

Each file imports at its top only what is quick; what a command needs beyond that it imports when it
runs, so that `--help` is there at once and `validate` carries no database.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec

import typer
from typer.main import get_command

from gateway import __version__
from gateway.cli import output
from gateway.cli.arguments import bounded
from gateway.errors import CatalogueInvalid, ConfigurationInvalid, GatewayError

COMMANDS = (
    "serve",
    "ready",
    "demo",
    "send",
    "enquiry",
    "evidence",
    "validate",
    "translate",
    "message",
    "delivery",
    "endpoint",
    "alert",
    "deadline",
    "ledger",
    "reports",
    "sample",
    "risk",
    "partner",
    "credential",
    "person",
    "subject",
    "task",
    "subscription",
    "audit",
    "schema",
    "mapping",
    "codes",
    "catalogue",
    "receipt",
    "store",
    "config",
    "migrate",
)
"""The files of this folder that hold commands, in the order of `--help`; each has `register(cli)`."""


def build() -> typer.Typer:
    """The whole command line."""
    cli = typer.Typer(
        name="gateway",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # drawing boxes would double the time that --help takes
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    cli.callback()(_root)
    for name in COMMANDS:
        if find_spec(f"gateway.cli.{name}"):
            import_module(f"gateway.cli.{name}").register(cli)
    return cli


def _tell_version(asked: bool) -> None:
    if asked:
        output.data(__version__)
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", help="Print the version and leave.", is_eager=True, callback=_tell_version
    ),
) -> None:
    """Exchange EDI messages: receive, check, translate, decide, deliver, and prove it."""


def main() -> None:
    """Run the command line; every error becomes one line on stderr and an exit code, never a traceback."""
    try:
        bounded(get_command(build()))(prog_name="gateway")
    except (ConfigurationInvalid, CatalogueInvalid) as error:
        output.say(f"gateway: {error}")
        sys.exit(output.USAGE)
    except GatewayError as error:
        output.say(f"gateway: {error}")
        sys.exit(output.NO)
    except BrokenPipeError:
        # The reader of our output has left (`| head`). Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(output.NO)
    except OSError as error:
        # A file or folder that was named and cannot be read, written or made.
        output.say(f"gateway: {output.reason(error)}")
        sys.exit(output.USAGE)
    except KeyboardInterrupt:
        sys.exit(130)
