"""Reasons as the store keeps them, on timelines and in alerts: code, arguments, place and value, never a sentence.

They are worded when somebody reads them, in that reader's language. A reason as kept is a JSON object of what is known:

    {"code": "decide.differs", "place": {"path": "direction"}, "value": "outbound", "args": {"ours": "inbound"}}

What earlier versions kept is a list of texts: bare codes on a timeline, English sentences in an alert.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from gateway import findings
from gateway.languages import CHINESE, choose_language
from gateway.model import Finding, Place, Severity

_PLACE = tuple(field.name for field in fields(Place))


def reason_json(reason: Finding) -> dict[str, Any]:
    """`reason` as it is kept, without what is empty; how grave it is stands in the catalogue."""
    kept: dict[str, Any] = {"code": reason.code}
    if reason.place != Place():
        place = {name: getattr(reason.place, name) for name in _PLACE}
        kept["place"] = {name: value for name, value in place.items() if value not in (None, "")}
    if reason.value:
        kept["value"] = reason.value
    if reason.args:
        kept["args"] = dict(reason.args)
    return kept


def read_reason(kept: Mapping[str, Any]) -> Finding:
    """The reason that `reason_json` gave; an error where the catalogue no longer knows its code."""
    code = str(kept["code"])
    entry = findings.catalogue().get(code)
    severity = Severity.ERROR if entry is None else entry.severity
    return Finding(code, severity, Place(**kept.get("place", {})), kept.get("value", ""), kept.get("args", {}))


def maybe_read_reasons(kept: object) -> list[Finding] | None:
    """The reasons kept in a list; None where there are none, or an earlier version kept them otherwise."""
    if not isinstance(kept, list) or not kept or not all(isinstance(one, dict) for one in kept):
        return None
    return [read_reason(one) for one in kept]


def say_reasons(reasons: Iterable[Finding], language: str) -> str:
    """All of `reasons` in one line of words."""
    texts = [findings.text(reason, language) for reason in reasons]
    if choose_language(language) == CHINESE:
        return "；".join(text.removesuffix("。") for text in texts)
    return "; ".join(texts)


def word_alert(body: bytes, language: str) -> bytes:
    """An alert as its reader sees it: each reason has a `text` in `language`; of an old one there is no more than that."""
    alert = json.loads(body)
    alert["reasons"] = [
        {**one, "text": findings.text(read_reason(one), language)} if isinstance(one, dict) else {"text": one}
        for one in alert.get("reasons", ())
    ]
    return json.dumps(alert, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
