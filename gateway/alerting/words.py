"""Alerts as a notice says them: several in one text, those of one kind together, so that a storm is a few lines.

What partners wrote stands in it as signs, as wherever a person reads it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway import findings
from gateway.languages import CHINESE, choose_language
from gateway.model import FeedEntry
from gateway.reasons import maybe_read_reasons, say_reasons
from gateway.signs import shown
from gateway.store.standing_alerts import CAUSE

SHOWN = 3
"""Alerts of one kind that are told one by one; the others are counted, and stand on the feed."""


@dataclass(frozen=True, slots=True)
class Told:
    """An alert to be told."""

    sequence: int
    """Its place on the feed."""
    kind: str
    at: str
    partner_id: str
    case_id: str
    body: Mapping[str, Any]
    """The alert as it is kept."""
    cause: str = ""
    """What it is about, by which alerts of its kind are counted together."""


def read_alert(entry: FeedEntry) -> Told:
    """The alert that an entry of the feed, with its body, is."""
    body = json.loads(entry.body)
    at = entry.at.isoformat(timespec="seconds") if entry.at is not None else ""
    return Told(
        entry.sequence,
        str(body.get("alert", "")),
        at,
        str(body.get("partner", "")),
        entry.case_id,
        body,
        entry.keys.get(CAUSE, ""),
    )


def say_subject(alerts: Sequence[Told], language: str) -> str:
    """One line that says how many there are, and of what kind."""
    kinds = list(dict.fromkeys(alert.kind for alert in alerts))
    named = ", ".join(shown(kind) for kind in kinds[:SHOWN]) + (", ..." if len(kinds) > SHOWN else "")
    if choose_language(language) == CHINESE:
        return f"网关告警 {len(alerts)} 条：{named}"
    return f"Gateway: {len(alerts)} alert{'s' if len(alerts) > 1 else ''}: {named}"


def say_alerts(alerts: Iterable[Told], language: str) -> str:
    """All of them, kind by kind, each with its time, partner, case and reasons; at most `SHOWN` of a kind in full."""
    chinese = choose_language(language) == CHINESE
    by_kind: dict[str, list[Told]] = defaultdict(list)
    for alert in alerts:
        by_kind[alert.kind].append(alert)
    lines: list[str] = []
    for kind, of_kind in by_kind.items():
        lines.append(f"{shown(kind)} × {len(of_kind)}")
        lines += [f"  {_say(alert, language)}" for alert in of_kind[:SHOWN]]
        if (more := len(of_kind) - SHOWN) > 0:
            lines.append(
                f"  另有 {more} 条，见 alerts 数据流。" if chinese else f"  {more} more are on the feed `alerts`."
            )
    return "\n".join(lines)


def _say(alert: Told, language: str) -> str:
    """One alert in one line."""
    chinese = choose_language(language) == CHINESE
    named = [
        (("伙伴 " if chinese else "partner ") + alert.partner_id) if alert.partner_id else "",
        (("业务 " if chinese else "case ") + alert.case_id) if alert.case_id else "",
    ]
    reasons = maybe_read_reasons(alert.body.get("reasons"))
    said = say_reasons(reasons, language) if reasons is not None else ""
    return shown(" · ".join(part for part in (alert.at, *named, said) if part))


def write_json(alerts: Sequence[Told], language: str) -> bytes:
    """The same for a program: each alert as the feed has it, each reason with its text."""
    items = []
    for alert in alerts:
        reasons = maybe_read_reasons(alert.body.get("reasons")) or ()
        texts = [findings.text(reason, language) for reason in reasons]
        items.append({"sequence": alert.sequence, "at": alert.at, **alert.body, "texts": texts})
    return json.dumps({"type": "alerts", "data": items}, ensure_ascii=False).encode("utf-8", "replace")
