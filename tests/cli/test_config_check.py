from __future__ import annotations

import pytest

TOML = "[store]\nfree_bytes = 0\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[store]\nurl = "sqlite:////nonexist/dir/g.db"',
            "store.url sqlite:////nonexist/dir/g.db: there is no /nonexist",
        ),
        ('[store]\nurl = "sqlite:////proc/x/g.db"', "store.url sqlite:////proc/x/g.db: nothing can be made in /proc"),
        ('[store]\nurl = "sqlite:////etc/hostname"', "not a database"),
        ('[store]\npayload_folder = "gateway.toml"', "store.payload_folder gateway.toml: "),
        ('[store]\nanchor_file = "/etc"', "store.anchor_file /etc: is a folder"),
        ('[retention]\nfeeds_days = 90\nfolder = "gateway.toml"', "retention.folder gateway.toml: "),
        ("[retention]\nfeeds_days = 7", "0 for never, or 30 and more"),
        ('[receipts]\nsigning_key_file = "/etc/hostname"', "receipts.signing_key_file /etc/hostname: "),
        ('[receipts]\nsigning_key_file = "/proc/x/key"', "receipts.signing_key_file /proc/x/key: nothing can be made"),
        ('[http]\ntls_certificate = "/nonexist.pem"', "http.tls_certificate /nonexist.pem: No such file"),
        ('[http]\ntls_certificate = "gateway.toml"', "http.tls_certificate gateway.toml: holds no PEM certificate"),
        (
            '[[transports.folder.watched]]\npath = "/nonexist"\npartner = "x"',
            "transports.folder.watched.0.path /nonexist: there is no /nonexist",
        ),
        (
            '[[transports.folder.watched]]\npath = "gateway.toml"\npartner = "x"',
            "transports.folder.watched.0.path gateway.toml: ",
        ),
        (
            '[[transports.folder.watched]]\npath="in"\npartner="x"\n[[transports.folder.watched]]\npath="in"\npartner="y"',
            "transports.folder.watched.1.path in: is watched already",
        ),
        ('[catalogue]\nfolder = "nowhere"', "catalogue.folder nowhere: nowhere is no folder"),
        ('[catalogue]\nsnapshots = "/proc/x"', "catalogue.snapshots /proc/x: nothing can be made"),
        ("[transports.foldr]", "transports.foldr: no transport is called that; near it: folder"),
        ("[transports.folder]\npoll_seconds = 0", "transports.folder.poll_seconds: "),
        ("[transports.folder]\npoll = 1", "transports.folder.poll: "),
        ('language = "fr"', "language: "),
        ('[logging]\nlevel = "loud"', "logging.level: "),
    ],
)
def test_a_fault_is_named_by_setting_and_value(run, tmp_path, text, told):
    """What the value shows or only this machine shows is told with its setting, in words and as JSON, and made nowhere."""
    (tmp_path / "gateway.toml").write_text(text, "utf-8")
    before = sorted(tmp_path.rglob("*"))
    done = run("config", "check")
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    as_json = run("config", "check", "--json")
    assert (as_json.code, as_json.json["good"]) == (2, False)
    assert any(told in fault for fault in as_json.json["faults"])
    assert sorted(tmp_path.rglob("*")) == before


def test_all_faults_of_the_machine_are_told_at_once(run, tmp_path):
    """Two missing files are told together."""
    (tmp_path / "gateway.toml").write_text(
        '[http]\ntls_certificate = "a.pem"\n[receipts]\nsigning_key_file = "/proc/x/key"\n', "utf-8"
    )
    assert len(run("config", "check", "--json").json["faults"]) == 2


def test_what_the_first_start_makes_need_not_be_there(run):
    """Store, signing key and folders that can be made are no faults; nor are they once they are there."""
    assert run("config", "check", "--json").json == {"good": True, "faults": [], "log": None, "open_breaks": 0}
    assert run("migrate").code == 0
    assert run("config", "check").code == 0


def test_serve_names_a_missing_certificate(run, tmp_path):
    """`serve` says which setting names which file, as `config check` does."""
    (tmp_path / "gateway.toml").write_text('[http]\ntls_certificate = "/nonexist.pem"\n', "utf-8")
    done = run("serve")
    assert done.code == 2
    assert "http.tls_certificate /nonexist.pem: No such file" in done.err


def test_serve_names_a_fault_of_a_transports_table(run, tmp_path):
    """`serve` judges the tables of transports before it starts, as `config check` does."""
    (tmp_path / "gateway.toml").write_text("[http]\nport = 0\n[transports.folder]\npoll = 1\n", "utf-8")
    done = run("serve")
    assert done.code == 2
    assert "transports.folder.poll: " in done.err
