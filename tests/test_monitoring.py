from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import Metrics
from gateway.model import Syntax
from gateway.store.contract import Pressure

FOLDER = Path(__file__).parents[1] / "docs" / "operations"
NAME = re.compile(r"\bgateway_[a-z_]+")


def samples() -> dict[str, set[str]]:
    """The names of all series that /metrics has once something has happened, each with its labels."""
    metrics = Metrics()
    metrics.received.labels("http", "kept").inc()
    metrics.judged.labels(Syntax.EDIFACT.value, "accepted").inc()
    metrics.attempts.labels("document", "delivered").inc()
    metrics.requests.labels("postMessage", "done").inc()
    metrics.request_seconds.labels("postMessage").observe(1)
    metrics.observe_stage("accept", 1)
    text = metrics.render(Pressure(0, 0, 0, None)).decode()
    return {one.name: set(one.labels) for family in text_string_to_metric_families(text) for one in family.samples}


def expressions() -> Iterator[str]:
    """What the dashboard and the rules ask Prometheus."""
    dashboard = json.loads((FOLDER / "grafana-dashboard.json").read_text("utf-8"))
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    rules = (FOLDER / "prometheus-alerts.yml").read_text("utf-8")
    found = re.findall(r"expr: (?:>-\n\s+)?(.+(?:\n\s{10}/.+)?)", rules)
    assert len(found) == rules.count("- alert:")
    yield from found


def test_each_series_that_is_asked_for_is_told() -> None:
    """The dashboard and the rules name no series and no label that /metrics has not."""
    known = samples()
    for asked in expressions():
        names = NAME.findall(asked)
        assert names, asked
        for name in names:
            assert name in known, f"{name} in {asked}"
        labels = {one for group in re.findall(r"by \(([^)]*)\)", asked) for one in re.split(r",\s*", group)}
        assert labels <= set().union(*(known[name] for name in names)), asked


def test_every_counter_and_gauge_is_on_the_dashboard() -> None:
    """What is counted is shown to the operator; the log's audit is a number without a bound."""
    shown = set(NAME.findall(" ".join(expressions())))
    told = {name for name in samples() if not re.search(r"_(bucket|sum|count)$", name)}
    assert told - shown == {"gateway_log_audited"}


def test_names_follow_the_conventions() -> None:
    """Counters end in _total, times are in seconds, and no series tells when another was made."""
    for name in samples():
        assert not name.endswith("_created"), name
        assert re.fullmatch(r"gateway_[a-z]+(_[a-z]+)*", name), name


def test_labels_have_few_values() -> None:
    """No label can have as many values as there are partners or messages."""
    labels = set().union(*samples().values())
    assert labels <= {"transport", "outcome", "syntax", "verdict", "kind", "operation", "stage", "le", "version"}
