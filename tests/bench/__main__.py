"""Runs the benchmarks one after the other, prints a table, and writes var/bench.json.

    python -m tests.bench [name ...]

Each module of this folder that has `measure()` is a benchmark; it returns {key: Figure}.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests import bench
from tests.bench.figures import ROOT, Figure, fsyncs_per_second

FLOORS = {
    "edifact_check_vs_pydifact": 20,
    "edifact_check_cold_vs_pydifact": 15,
    "edifact_check_vs_split": 0.6,
    "x12_check_vs_pyx12": 60,
    "x12_check_cold_vs_pyx12": 50,
    "translate_per_s_core": 850,
    "accept_vs_bare": 0.25,
    "exchange_per_s": 265,
    "exchange_at_1m": 0.9,
    "registration_lines_per_s": 1000,
    "as2_vs_pyas2lib_10k": 4,
    "as2_vs_pyas2lib_10m": 8,
    "as2_exchanges_per_s": 60,
}
CEILINGS = {
    "gateway_cpu_us_per_exchange": 2950,
    "latency_p99_ms": 150,
    "act_p99_ms": 300,
    "decide_us": 900,
    "watch_us": 100,
    "views_us": 60,
    "gates_us": 60,
    "size_kb_per_message": 14,
    "stream_rss_mb": 80,
    "gateway_stream_rss_mb": 100,
    "gateway_stream_worker_mb": 250,
    "proof_ms_at_1m": 3,
    "list_ms_at_1m": 20,
    "hostile_accept_p99_ms": 250,
    "hostile_growth_mb": 200,
    "registry_import_rss_mb": 400,
    "registry_import_s": 120,
    "registry_lookup_us": 400,
    "registry_queries_per_edit": 4.5,
    "registry_cache_mb": 20,
    "registration_rss_mb": 700,
}
"""Whoever raises or lowers one says why in the commit that does."""


def main(chosen: list[str]) -> int:
    """Measure; 1 where a figure misses its bound."""
    var = ROOT / "var"
    var.mkdir(exist_ok=True)
    words = Console(stderr=True)
    figures: dict[str, Figure] = {"fsyncs_per_s": Figure.of([fsyncs_per_second(var) for _ in range(3)])}
    for module in pkgutil.iter_modules(bench.__path__):
        if module.name.startswith("_") or (chosen and module.name not in chosen):
            continue
        measure = getattr(importlib.import_module(f"tests.bench.{module.name}"), "measure", None)
        if measure is not None:
            words.print(f"measuring {module.name} ...")
            figures.update(measure())
    path = Path(var / "bench.json")
    known = json.loads(path.read_text("utf-8")) if chosen and path.exists() else {}
    path.write_text(json.dumps({**known, **{k: asdict(f) for k, f in figures.items()}}, indent=1), "utf-8")
    return _show(figures)


def _show(figures: dict[str, Figure]) -> int:
    table = Table("figure", "median", "min", "max", "bound", "")
    missed = 0
    for key, figure in figures.items():
        floor, ceiling = FLOORS.get(key), CEILINGS.get(key)
        bound = f"≥ {floor}" if floor is not None else f"< {ceiling}" if ceiling is not None else ""
        good = (floor is None or figure.median >= floor) and (ceiling is None or figure.median < ceiling)
        missed += not good
        row = [f"{value:,.2f}" for value in (figure.median, figure.min, figure.max)]
        table.add_row(key, *row, bound, "" if not bound else "ok" if good else "missed")
    Console().print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
