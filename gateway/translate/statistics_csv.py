"""A report as CSV (RFC 4180), a line a figure, for spreadsheets and for offices that read no JSON.

part,period,<dimensions down the side>,<dimensions across>,value
figure,2026-02-01,370100,outbound,17
correction,2026-01-01,370100,outbound,-1
"""

from __future__ import annotations

import csv
import io

from gateway.documents.statistics import Statistics

FORMAT = "csv:statistics:1"
"""The format under which an agreement asks for it, for the document type `statistics`."""
_MARK = "\ufeff"
"""By which spreadsheets tell UTF-8 from a code page of their own."""


def write_csv(statistics: Statistics) -> str:
    """The report as text, without a mark; its lines and corrections stand in the order of the document."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("part", "period", *statistics.rows, *statistics.columns, "value"))
    first = statistics.first_day.isoformat()
    for line in statistics.lines:
        writer.writerow(("figure", first, *line.row, *line.column, format(line.value, "f")))
    for one in statistics.corrections:
        writer.writerow(("correction", one.period.isoformat(), *one.row, *one.column, format(one.value, "f")))
    return text.getvalue()


def write_file(statistics: Statistics) -> bytes:
    """The same as the bytes of a file."""
    return f"{_MARK}{write_csv(statistics)}".encode()
