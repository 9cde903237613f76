"""The files that the code lists and rule sets approved in the store are in a catalogue.

A rule set stands beside the shipped ones of its kind, which it takes the place of from its own day on (`check.rulebook`).
A code list has no days inside: a catalogue has the version that holds on the day for which it is made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date

from gateway.check import codes, rulebook
from gateway.decide.subjects import choose_version
from gateway.documents.code_list import RULES
from gateway.model import SubjectVersion


def lay_out(approved: Iterable[SubjectVersion], day: date) -> dict[str, bytes]:
    """By name, the files that these versions are on `day`."""
    files: dict[str, bytes] = {}
    lists: dict[str, list[SubjectVersion]] = defaultdict(list)
    for version in approved:
        if version.value.startswith(RULES):
            name = rulebook.approved_file(version.value.removeprefix(RULES), version.version)
            files[name] = content_of(version).encode()
        else:
            lists[version.value].append(version)
    for name, versions in lists.items():
        chosen = choose_version(versions, day)
        if chosen is not None:
            files[codes.file_of(name)] = content_of(chosen).encode()
    return files


def content_of(version: SubjectVersion) -> str:
    """What a version says, as text of its file."""
    return str(version.attributes["content"])
