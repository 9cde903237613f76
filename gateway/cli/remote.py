"""Asks a running gateway over HTTP: what verbs share that are its partners' and not its operator's."""

from __future__ import annotations

import json as codec
from typing import Annotated, Any

import typer

from gateway.cli import output

UrlOption = Annotated[str, typer.Option(help="The gateway.", metavar="URL")]
KeyOption = Annotated[
    str, typer.Option(help="API key; better in the variable, where no process list shows it.", envvar="GATEWAY_KEY")
]
LOCAL = "http://127.0.0.1:8080"
LONGEST_ID = 255
"""Characters of an Idempotency-Key that a gateway takes."""


class Refused(Exception):
    """The gateway does not take it, or does not answer; `problem` says so for programs (RFC 9457)."""

    def __init__(self, words: str, problem: dict[str, Any]) -> None:
        super().__init__(words)
        self.problem = problem

    def stop(self, *, json: bool) -> None:
        """Say so, and leave."""
        if json:
            output.as_json(self.problem)
        output.stop(str(self), output.NO)


def require_address(url: str, key: str) -> None:
    """Leave with words of what is wrong with an address or a key; the key is not repeated."""
    if not key:
        output.stop("an API key is needed: --key or GATEWAY_KEY")
    if not fits_header(key) or " " in key:
        output.stop("the API key (--key or GATEWAY_KEY) is printable ASCII without blanks, on one line")
    if not url.startswith(("http://", "https://")):
        output.stop(f"{url} is no http or https address")


def fits_header(text: str) -> bool:
    """Whether `text` can stand in a header of HTTP and mean the same to everybody."""
    return text.isascii() and (text.isprintable() or not text)


def ask(url: str, headers: dict[str, str], body: bytes | None = None) -> dict[str, Any]:
    """One request and its JSON answer. Refused where there is none, or it says no."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    try:
        # The scheme was checked before; whoever runs this command names the address.
        with urlopen(Request(url, body, headers), timeout=60) as response:  # noqa: S310
            content = response.read()
    except HTTPError as error:
        said = error.read()
        words = f"{error.code} {_words(said, error.reason)}"
        again = error.headers.get("Retry-After")
        raise Refused(words + (f" (again in {again} s)" if again else ""), _problem(said, error.code, words)) from error
    except (OSError, HTTPException, ValueError) as error:
        # ValueError: an address that is none, such as one with an unknown port.
        words = f"{url} does not answer: {getattr(error, 'reason', error)}"
        raise Refused(words, {"title": words, "status": None}) from error
    try:
        answer = codec.loads(content)
    except ValueError as error:
        words = f"{url} does not answer like a gateway"
        raise Refused(words, {"title": words, "status": None}) from error
    return answer if isinstance(answer, dict) else {}


def _problem(body: bytes, status: int, otherwise: str) -> dict[str, Any]:
    """The problem in an answer, or one made of its status."""
    try:
        problem = codec.loads(body)
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) else {"title": otherwise, "status": status}


def _words(body: bytes, otherwise: str) -> str:
    """Title and detail of a problem."""
    problem = _problem(body, 0, otherwise)
    return " ".join(str(problem[name]) for name in ("title", "detail") if problem.get(name)) or otherwise
