"""Every verb that speaks does so in the language that is asked for, by `--lang` or by the environment."""

from __future__ import annotations

import re

import pytest
from typer.main import get_command

from gateway.cli import build

NOUNS = (
    "task", "risk", "partner", "deadline", "reports", "evidence", "sample", "subject", "subscription", "ledger",
    "alert", "catalogue", "config", "person", "credential", "send", "enquiry", "validate", "translate",
)  # fmt: skip
SILENT = {
    ("config", "show"): "prints gateway.toml, and no word of its own",
    ("config", "example"): "prints gateway.toml",
    ("partner", "key"): "prints a key and its hash",
}
SAYS = [
    # A verb on an empty store, and what it says there.
    (("task", "list", "370200"), "没有待办事项"),
    (("risk", "list"), "没有风险记录"),
    (("risk", "rate", "2026-01-01", "2026-01-02"), ""),
    (("deadline", "dead"), "没有未能处理的期限"),
    (("alert", "list"), "没有告警"),
    (("reports", "list", "accepted_by_office"), "尚未生成报表"),
    (("evidence", "list", "acme"), "没有证据"),
    (("sample", "list", "plan", "2026-11-13/30"), "没有抽取记录"),
    (("subscription", "list", "acme"), "没有订阅"),
    (("ledger", "list"), "没有账户"),
    (("catalogue", "check"), "检查通过"),
    (("catalogue", "reload"), "已要求各网关启用"),
    (("config", "check"), "配置检查通过"),
    (("person", "list", "acme"), "没有人员"),
    (("credential", "list", "acme"), "没有凭证"),
]


@pytest.mark.parametrize("noun", NOUNS)
def test_every_verb_takes_a_language(noun: str) -> None:
    """But for those that print nothing of their own."""
    command = get_command(build()).commands[noun]  # type: ignore[attr-defined]
    verbs = getattr(command, "commands", {"": command})
    without = {(noun, name) for name, verb in verbs.items() if not any("--lang" in one.opts for one in verb.params)}
    assert without == {one for one in SILENT if one[0] == noun}


@pytest.fixture
def filled(run, tmp_path):
    """A store with a partner of whom nothing else is known."""
    assert run("migrate").code == 0
    (tmp_path / "p.jsonl").write_text('{"id": "acme", "name": "Acme"}', "utf-8")
    assert run("partner", "import", "p.jsonl").code == 0


@pytest.mark.parametrize("how", ["option", "environment"])
def test_what_is_said_is_said_in_chinese(run, filled, monkeypatch, how):
    """By either way; in English where another language than the two is the environment's."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    chinese = ("--lang", "zh-CN") if how == "option" else ()
    for verb, words in SAYS:
        monkeypatch.setenv("LANG", "fr_FR.UTF-8" if how == "option" else "zh_CN.UTF-8")
        done = run(*verb, *chinese)
        assert done.code == 0, (verb, done.err)
        assert words in done.err, (verb, done.err)
        monkeypatch.setenv("LANG", "fr_FR.UTF-8")
        assert not re.search("[\u4e00-\u9fff]", run(*verb).err), verb
    assert run("task", "list", "370200", "--lang", "fr").code == 2
