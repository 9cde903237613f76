"""No verb lets what a partner wrote act on the terminal; `--json` has it to the letter."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from gateway.model import Finding, Identifier, Partner, Place, Severity
from gateway.store.ports import Store
from tests.cli.conftest import Run
from tests.cli.test_store import with_gateway
from tests.store.made import claim, delivery, message, outcome

HOSTILE = "x\x1b[2J\r\n\t\x9b31m\x7f\u202e\u2066\u200b\u2028[red]y"
PAYLOAD = f"{1:032x}"


def still(text: str) -> bool:
    """Whether nothing but the newlines in `text` acts on a terminal."""
    return not {unicodedata.category(c) for c in text if c != "\n"} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


async def _fill(store: Store) -> None:
    await store.import_partners([Partner("firm", HOSTILE, identifiers=(Identifier("edi", HOSTILE),))], [], [])
    claimed = await claim(store, 1, transport=HOSTILE, transport_id=HOSTILE)
    found = Finding(HOSTILE, Severity.ERROR, place=Place(path=HOSTILE), value=HOSTILE, args={"value": HOSTILE})
    made = message(claimed, reference=HOSTILE, format=HOSTILE, document_type=HOSTILE, findings=(found,))
    sent = delivery("d1", format=HOSTILE, document_type=HOSTILE, reference=HOSTILE)
    await store.commit(outcome(claimed, messages=(made,), deliveries=(sent,)))


@pytest.fixture
def filled(run: Run) -> Run:
    """A store that holds hostile text in every field a partner can fill."""
    with_gateway(_fill)
    return run


@pytest.mark.parametrize(
    ("verb", "lines", "json_values"),
    [
        (("message", "list"), 1, True),
        (("message", "show", PAYLOAD, "--lang", "en"), 7, True),
        (("message", "show", PAYLOAD, "--lang", "zh"), 7, True),
        (("message", "show", HOSTILE), 1, False),
        (("partner", "list"), 1, True),
        (("receipt", "show", "0"), None, True),
        (("receipt", "verify", HOSTILE, "--key", "k"), 1, False),
        (("store", "reconcile", "--send", "--id", HOSTILE, "--lang", "en"), 4, True),
        (("store", "reconcile", "--send", "--id", HOSTILE, "--lang", "zh"), 4, True),
        (("config", "check", "--config", HOSTILE), 1, False),
        (("send", HOSTILE), 1, False),
        (("send", "gateway.toml", "--key", "k", "--url", f"http://{HOSTILE}"), 1, False),
        (("validate", "hostile.json", "--lang", "en"), None, False),
        (("validate", "hostile.json", "--lang", "zh"), None, False),
        (("validate", HOSTILE), 1, False),
    ],
)
def test_nothing_acts(filled: Run, verb: tuple[str, ...], lines: int | None, json_values: bool) -> None:
    """Words hold no control but the verb's own newlines, JSON neither; and JSON gives the value back."""
    Path("hostile.json").write_text(json.dumps({HOSTILE: HOSTILE}), "utf-8")
    done = filled(*verb)
    assert still((done.out + done.err).replace("\t", "") if verb[1] == "list" else done.out + done.err)
    assert "Traceback" not in done.err
    if lines is not None:
        assert len((done.out + done.err).splitlines()) == lines
    if json_values:
        written = filled(*verb, "--json").out
        assert still(written)
        try:
            values = [json.loads(written)]
        except ValueError:
            values = [json.loads(line) for line in written.splitlines()]
        assert HOSTILE in texts_of(values)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("verb", [("validate",), ("translate", "--to", "xml")])
def test_a_message_cannot_act(run: Run, verb: tuple[str, ...], lang: str) -> None:
    """References and values of an EDIFACT message are shown in signs; `validate --json` has them to the letter."""
    reference = "R\x1b[2J\x9b[red]"
    text = f"UNB+UNOC:3+{reference}+B+260101:1200+{reference}'UNH+{reference}+CUSDEC:D:96B:UN'UNT+2+x'UNZ+1+y'"
    Path("hostile.edi").write_bytes(text.encode("latin-1"))
    done = run(verb[0], "hostile.edi", *verb[1:], "--lang", lang)
    assert still(done.out + done.err)
    assert "R\\u001b[2J\\u009b[red]" in done.out + done.err
    told = run(verb[0], "hostile.edi", *verb[1:], "--lang", lang, "--json")
    values = [json.loads(line) for line in (told.out + told.err).splitlines()]
    assert still(told.out + told.err)
    assert verb[0] == "translate" or reference in texts_of(values)


def texts_of(value: object) -> list[str]:
    """Every text in a JSON value, keys too."""
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in texts_of(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts_of(one)]
    return [str(value)]
