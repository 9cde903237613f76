"""What the demo sends, from whom, and what must come of it: scenarios.toml together with the samples themselves."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway import data

SCENARIOS = "partners/scenarios.toml"
PARTNERS = "partners/demo.toml"
SENT = ("declaration", "manifest")
"""Documents that come from outside the bureaus; the others are written by the simulated partners themselves."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample, and how it names itself."""

    path: str
    """Below samples/: `declaration/export_producing_area`."""
    sender: str
    reference: str = ""
    contract: str = ""
    bill: str = ""
    interchange: str = ""
    number: str = ""
    """A declaration number, which no sample can know: it is replaced by the one issued."""

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return data.samples() / self.path

    @property
    def file(self) -> Path:
        """The message itself."""
        return next(iter(sorted(self.folder.glob("in.*"))))


@dataclass(frozen=True, slots=True)
class Expected:
    """One document that must reach one partner."""

    partner: str
    document: str
    format: str
    says: str = ""
    """What it must say, as the partner's own reader found it: a response's outcome, a release's decision."""
    which: str = ""
    """`last` where nothing of its kind may have come after it: what the partner goes by in the end."""

    def __str__(self) -> str:
        says = f" that says {self.says}" if self.says else ""
        which = f" as the {self.which} of its kind" if self.which else ""
        return f"{self.document} as {self.format}{says} at {self.partner}{which}"


@dataclass(frozen=True, slots=True)
class Step:
    """One message of a case."""

    sample: Sample
    sender: str
    file: Path
    when: str = ""
    """Sent once the case has this status, or a track this state (`transfer=taken`); `delivered`: once all before it is.

    At once where empty.
    """
    verdict: str = "accepted"
    """What the gateway must make of it: accepted, rejected or held."""
    replace: Mapping[str, str] = field(default_factory=dict)
    """What else is replaced in it."""


@dataclass(frozen=True, slots=True)
class Case:
    """One consignment, or one message that makes none."""

    name: str
    title: str
    test: str
    """The prefix of its test number; empty where nothing is put before the sample's own."""
    steps: tuple[Step, ...]
    status: str = ""
    """Where the consignment must end; empty where none begins."""
    expect: tuple[Expected, ...] = ()
    tracks: Mapping[str, str] = field(default_factory=dict)
    """Where tracks of the consignment must stand, beside its status."""
    zh: str = ""
    """Its title in Chinese."""
    owner: str = ""
    """Who does not send anything, but owns the goods, and must see where they stand."""
    alerts: tuple[str, ...] = ()
    """Kinds of alerts that the operator must have about it."""
    days: int = 0
    """So many days must pass, by the gateway's clock, before it ends; 0 where it ends at once."""
    days_from: str = ""
    """Where it must stand when they begin to pass, as `when` of a step says it."""

    @property
    def key(self) -> str:
        """The number by which the consignment is found: the enterprise's own reference."""
        named = next((step.sample.reference for step in self.steps if step.sample.reference), "")
        return own_reference(named, self) if self.status else ""


def own_reference(reference: str, case: Case) -> str:
    """A sample's own reference, made the case's own."""
    return f"{reference}-{case.name}"[:32]


def body_of(step: Step, case: Case, number: str = "") -> bytes:
    """The sample's message with the case's own numbers; `number` is the declaration number issued by now.

    Bytes are replaced as they stand: all of these numbers are ASCII, whatever the file's character set.
    """
    sample = step.sample
    body = step.file.read_bytes()
    own = {
        sample.reference: own_reference(sample.reference, case),
        sample.contract: f"{case.test}-{sample.contract}" if case.test else "",
        # A bill of lading keeps its length: X12 and the trade allow twelve characters.
        sample.bill: f"{sample.bill[: -len(case.test)]}{case.test}" if case.test else "",
        sample.interchange: _digits(sample.interchange, case.name),
        sample.number: number,
        **step.replace,
    }
    for old, new in own.items():
        if old and new:
            body = body.replace(old.encode(), new.encode())
    if step.file.suffix == ".json":
        body = _message(body, sample, case)
    return body


def load() -> tuple[Case, ...]:
    """Every case of scenarios.toml, and one for each sample that no case sends."""
    content = tomllib.loads((data.samples() / SCENARIOS).read_text("utf-8"))
    known = {path: _sample(path, values) for path, values in content.get("samples", {}).items()}
    cases = [_case(values, known) for values in content["case"]]
    sent = {step.sample.path for case in cases for step in case.steps}
    return (*cases, *(_alone(path, known) for path in _paths() if path not in sent))


def partners() -> list[dict[str, Any]]:
    """The partners of the demo, as their file has them."""
    found: list[dict[str, Any]] = tomllib.loads((data.samples() / PARTNERS).read_text("utf-8"))["partners"]
    return found


def _paths() -> Iterator[str]:
    """Every sample that is a message from outside."""
    for document in SENT:
        for folder in sorted((data.samples() / document).iterdir()):
            if any(folder.glob("in.*")):
                yield f"{document}/{folder.name}"


def _sample(path: str, values: Mapping[str, Any]) -> Sample:
    return Sample(path, values["from"], **{k: v for k, v in values.items() if k != "from"})


def _case(values: Mapping[str, Any], known: Mapping[str, Sample]) -> Case:
    steps = []
    for step in values["steps"]:
        sample = known[step["sample"]]
        file = sample.folder / step["file"] if "file" in step else sample.file
        others = {k: step[k] for k in ("when", "verdict", "replace") if k in step}
        steps.append(Step(sample, step.get("from", sample.sender), file, **others))
    return Case(
        name=values["name"],
        title=values["title"],
        test=values.get("test", ""),
        steps=tuple(steps),
        status=values.get("status", ""),
        expect=tuple(Expected(*entry) for entry in values.get("expect", ())),
        tracks=values.get("tracks", {}),
        zh=values["zh"],
        owner=values.get("owner", ""),
        alerts=tuple(values.get("alerts", ())),
        days=values.get("days", 0),
        days_from=values.get("days_from", ""),
    )


def _alone(path: str, known: Mapping[str, Sample]) -> Case:
    """A sample by itself: rejected where its findings say so."""
    document = path.partition("/")[0]
    sample = known.get(path) or Sample(path, "port" if document == "manifest" else "exporter")
    faulty = (data.samples() / path / "findings.json").is_file()
    verdict = "rejected" if faulty else "accepted"
    name = path.partition("/")[2].replace("_", "-")
    step = Step(sample, sample.sender, sample.file, verdict=verdict)
    return Case(name, f"Sample {path}, as it stands", "", (step,), zh=f"样例 {path}，原样发送")


def _digits(text: str, name: str) -> str:
    """`text` with its trailing digits (hex digits in a long one) replaced by some that depend on both."""
    if not text:
        return ""
    tail = re.search(r"[0-9a-f]{4,}$" if len(text) > 14 else r"[0-9]+$", text)
    assert tail is not None, "an interchange reference ends in digits"
    length = len(tail[0])
    drawn = int(hashlib.sha256(f"{text} {name}".encode()).hexdigest(), 16)
    return text[: tail.start()] + (f"{drawn:x}"[:length] if len(text) > 14 else f"{drawn % 10**length:0{length}}")


def _message(body: bytes, sample: Sample, case: Case) -> bytes:
    """A JSON sample holds the document; on the wire it says its format and has a reference."""
    document = sample.path.partition("/")[0]
    message = {"format": f"json:{document}:1", "reference": case.name[:35], "document": json.loads(body)}
    return json.dumps(message, ensure_ascii=False).encode()
