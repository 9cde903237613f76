"""Reasons as they are kept, and the language they are told in."""

from __future__ import annotations

import json

import pytest

from gateway import findings
from gateway.findings import make_finding
from gateway.languages import maybe_language
from gateway.model import Finding, Place, Severity
from gateway.reasons import maybe_read_reasons, read_reason, reason_json, say_reasons, word_alert


@pytest.mark.parametrize("code", sorted(findings.catalogue()))
def test_a_reason_is_read_as_it_was_kept(code: str) -> None:
    """Whatever the code: place, value and arguments come back, and how grave it is from the catalogue."""
    for reason in (
        make_finding(code),
        make_finding(code, Place("m1", 3, "CST", 2, 1, path="/a", line=7), "v", max=3, name="x"),
    ):
        assert read_reason(json.loads(json.dumps(reason_json(reason)))) == reason


def test_a_reason_holds_nothing_that_is_empty_and_no_words() -> None:
    """The store keeps as little of a reason as it can be told from."""
    assert reason_json(make_finding("decide.repeat")) == {"code": "decide.repeat"}


def test_a_code_that_is_no_more_is_told_by_itself() -> None:
    """A timeline outlives a catalogue."""
    reasons = maybe_read_reasons([{"code": "decide.gone", "value": "x"}])
    assert reasons == [Finding("decide.gone", Severity.ERROR, value="x")]
    assert say_reasons(reasons, "zh") == "decide.gone"


@pytest.mark.parametrize("kept", [None, [], ["decide.repeat"], "decide.repeat"])
def test_what_is_no_reason_of_ours_is_none(kept: object) -> None:
    """Earlier versions kept codes alone, beside English words."""
    assert maybe_read_reasons(kept) is None


def test_an_alert_of_an_earlier_version_keeps_its_words() -> None:
    """There is nothing to make others from."""
    old = b'{"alert":"log","case":"","reasons":["It was set back."]}'
    assert json.loads(word_alert(old, "zh"))["reasons"] == [{"text": "It was set back."}]


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("zh", "zh"),
        ("zh-CN", "zh"),
        ("ZH-hans", "zh"),
        ("zh-Hant-TW", "zh"),
        ("zh_CN.UTF-8", "zh"),  # as a locale writes it
        ("cmn-Hans-CN", "zh"),  # Mandarin by its own code
        ("en", "en"),
        ("en-GB", "en"),
        ("fr", None),
        ("zhx", None),  # another language, whose code only begins so
        ("", None),
    ],
)
def test_a_tag_means_one_of_two_languages_or_neither(tag: str, language: str | None) -> None:
    """One function says so, for partners, requests and the command line (BCP 47)."""
    assert maybe_language(tag) == language
    assert findings.word("cleared", tag) == {"zh": "已通关"}.get(language or "", "cleared")
