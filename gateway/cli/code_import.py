"""Makes a code list of ours (gateway/check/codes.py) from a CSV of somebody else's."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Sequence

from gateway.catalogue import Catalogue
from gateway.check import codes
from gateway.errors import SchemaInvalid

_NAME = re.compile("[a-z][a-z0-9_]*")
_NAMES = ("en", "zh")


class ListInvalid(ValueError):
    """A file that no code list can be made of, in words for whoever named it."""


def make_list(
    body: bytes,
    name: str,
    source: str,
    *,
    version: str = "",
    columns: Sequence[tuple[str, str]] = (),
    complete: Sequence[str] = (),
    separator: str = ",",
) -> str:
    """The text of schemas/codes/NAME.csv; `columns` are pairs of our column and theirs, all of theirs where there are none.

    ListInvalid where it has no column `un`, where a column is not in it, or where it would not load.
    """
    if not _NAME.fullmatch(name):
        raise ListInvalid(f"{name} is no name of a list: small letters, digits and _")
    rows = _rows(body, separator)
    theirs = list(rows[0])
    pairs = list(columns) or [(one, one) for one in theirs]
    if missing := [of for _, of in pairs if of not in theirs]:
        raise ListInvalid(f"it has no column {', '.join(missing)}, but {', '.join(theirs)}")
    pairs.sort(key=lambda pair: (pair[0] != codes.CANONICAL, pair[0] in _NAMES))
    ours = [one for one, _ in pairs]
    if ours[:1] != [codes.CANONICAL] or len(set(ours)) < len(ours):
        raise ListInvalid(f"one column is {codes.CANONICAL}, and no name stands twice: {', '.join(ours)}")
    ours += [key for key in _NAMES if key not in ours]
    lines = [f"# source: {_plain(source)}"]
    if version:
        lines.append(f"# version: {_plain(version)}")
    if complete:
        lines.append(f"# complete: {' '.join(complete)}")
    out = io.StringIO()
    writer = csv.DictWriter(out, ours, lineterminator="\n", restval="")
    writer.writeheader()
    written: dict[str, dict[str, str]] = {}
    for row in rows:
        code = _plain(row[pairs[0][1]] or "")
        if code and code not in written:
            written[code] = dict.fromkeys(ours, "") | {one: _plain(row[of] or "") for one, of in pairs}
    writer.writerows(written.values())
    text = "\n".join([*lines, out.getvalue()])
    try:
        known = codes.load(Catalogue({f"schemas/codes/{name}.csv": text.encode()}), name)
    except SchemaInvalid as error:
        raise ListInvalid(str(error)) from error
    read = {row[codes.CANONICAL]: dict(row) for row in known.rows}
    if lost := [code for code, row in written.items() if read.get(code) != row]:
        raise ListInvalid(f"it would not be read as it is written: {', '.join(lost[:5])}")
    return text


def _rows(body: bytes, separator: str) -> list[dict[str, str]]:
    """The rows of a CSV by its header, without the remarks before that; a code may begin as a remark does."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ListInvalid(f"it is not in UTF-8: byte {error.start}") from error
    lines = itertools.dropwhile(lambda line: line.startswith("#") or not line.strip(), io.StringIO(text, newline=""))
    if len(separator) != 1 or separator in '"\r\n':
        raise ListInvalid(f"a separator is one sign, and neither a quotation mark nor the end of a line: {separator!r}")
    try:
        rows = list(csv.DictReader(lines, delimiter=separator, strict=True))
    except csv.Error as error:
        raise ListInvalid(str(error)) from error
    if not rows:
        raise ListInvalid("it holds no row below its header")
    if any(None in row for row in rows):
        raise ListInvalid("a row has more cells than the header; is --separator right?")
    return rows


def _plain(cell: str) -> str:
    """A cell on one line, without blanks around it."""
    return " ".join(cell.split())
