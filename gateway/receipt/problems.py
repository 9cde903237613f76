"""What the offline verifiers share: the problems they name, and how one receipt or checkpoint is judged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import rfc8785

from gateway import findings
from gateway.errors import ReceiptInvalid
from gateway.findings import make_finding
from gateway.model import Finding, Place, Severity, Stage
from gateway.receipt.anchor import is_name_of
from gateway.receipt.signed import VERSION, Checkpoint, Verifier

_COMMON: Final = {"at": str, "environment": str, "log": str, "stage": str, "version": int}
_HANDED_OVER: Final = _COMMON | {
    "answer_sha256": str,
    "case": str,
    "delivery": str,
    "document": str,
    "kind": str,
    "message": str,
    "recipient": str,
    "recipient_role": str,
    "sha256": str,
    "size": int,
}
FIELDS: Final[Mapping[str, Mapping[str, type]]] = {
    Stage.RECEIVED: _COMMON
    | {"payload": str, "sender": str, "sha256": str, "size": int, "transport": str, "transport_id": str},
    Stage.CHECKED: _COMMON
    | {"findings": list, "findings_sha256": str, "findings_total": int, "format": str, "mapping": str, "message": str}
    | {"payload": str, "payload_sha256": str, "reference": str, "schema": str, "verdict": str},
    Stage.RELAYED: _HANDED_OVER | {"evidence": str},
    Stage.DELIVERED: _HANDED_OVER | {"evidence": str},
    Stage.ANSWERED: _HANDED_OVER | {"answer_message": str, "verdict": str},
}
"""The fields of each stage's receipts, all of them required and no other allowed but `OPTIONAL`, in version 1."""
OPTIONAL: Final[Mapping[str, Mapping[str, type]]] = {
    Stage.RECEIVED: {"person": str, "role": str, "device": str, "media_type": str, "taken_at": str},
    Stage.CHECKED: {"parent": str},
}
"""Fields that stand only in the receipts of what a person sent, of evidence, and of what a decision raised."""


_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with evidence. `index` is the place in the log, `name` the file of the bundle it is about."""

    code: str
    index: int | None = None
    name: str = ""
    args: Mapping[str, str] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.code, self.index, self.name))

    @property
    def severity(self) -> Severity:
        """How grave it is, as the catalogue says."""
        return findings.catalogue()[self.code].severity

    def text(self, language: str = "en") -> str:
        """The problem in words, in `language` (`en` or `zh`)."""
        return findings.text(self.finding, language)

    @property
    def finding(self) -> Finding:
        """The problem as a finding of the catalogue."""
        index = {} if self.index is None else {"index": str(self.index)}
        return make_finding(self.code, Place(path=self.name), "", **{"name": self.name, **index, **self.args})


def valid(problems: Iterable[Problem]) -> bool:
    """Whether what was verified stands: none of its problems is an error."""
    return all(problem.severity is not Severity.ERROR for problem in problems)


def check_receipt(body: bytes, index: int, name: str, origin: str) -> tuple[dict[str, Any] | None, list[Problem]]:
    """The fields of a receipt, None where it is none."""
    fields = canonical_object(body)
    if fields is not None and isinstance(fields.get("version"), int) and fields["version"] != VERSION:
        return None, [Problem("receipt.version", index, name, {"version": str(fields["version"])})]
    stage = fields.get("stage") if fields else None
    shape = FIELDS.get(stage) if isinstance(stage, str) else None
    if fields is None or shape is None or not _is_shaped(fields, shape, OPTIONAL.get(str(stage), {})):
        return None, [Problem("receipt.malformed", index, name)]
    if not _TIME.fullmatch(fields["at"]) or fields["environment"] not in {"production", "test"}:
        return None, [Problem("receipt.malformed", index, name)]
    if not is_name_of(fields["log"], origin):
        return fields, [Problem("receipt.other_log", index, name)]
    return fields, []


def _is_shaped(fields: Mapping[str, Any], shape: Mapping[str, type], optional: Mapping[str, type]) -> bool:
    """Whether there are all fields of `shape`, and further ones only of `optional`."""
    there = {key: type(value) for key, value in fields.items()}
    return there == {**shape, **{key: type_ for key, type_ in optional.items() if key in there}}


def check_checkpoint(note: str, verifier: Verifier, name: str = "") -> tuple[Checkpoint | None, list[Problem]]:
    """The checkpoint in a note, None where the key does not vouch for it."""
    if not note:
        return None, [Problem("receipt.checkpoint.missing", name=name)]
    try:
        return verifier.checkpoint(note), []
    except ReceiptInvalid:
        origin = note.partition("\n")[0]
        if origin == verifier.name:
            return None, [Problem("receipt.checkpoint.invalid", name=name)]
        args = {"found": origin[:200] if origin.isprintable() else "?", "expected": verifier.name}
        return None, [Problem("receipt.checkpoint.other_log", name=name, args=args)]


def canonical_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object in `body`, or None unless it is written in the one way RFC 8785 allows."""
    value = _canonical(body)
    return value if isinstance(value, dict) else None


def canonical_list(body: bytes) -> list[Any] | None:
    """The JSON array in `body`, or None unless it is written in the one way RFC 8785 allows."""
    value = _canonical(body)
    return value if isinstance(value, list) else None


def _canonical(body: bytes) -> object:
    try:
        value: object = json.loads(body)
        return value if rfc8785.dumps(value) == body else None  # type: ignore[arg-type]
    except (ValueError, RecursionError):
        return None
