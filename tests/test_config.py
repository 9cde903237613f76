from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.cli import config_text
from gateway.config import Settings, load
from gateway.discovery import find_transports
from gateway.errors import ConfigurationInvalid
from gateway.transports.folder import FolderSettings

DOCS = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"


def test_every_setting_is_described():
    """Each setting says what it does, and ends without a full stop, which the example adds."""
    for setting in config_text.settings():
        assert setting.description, f"{setting.section}.{setting.name}"
        assert not setting.description.endswith("."), f"{setting.section}.{setting.name}"


def test_the_documentation_holds_the_example():
    """docs/configuration.md holds what `gateway config example` prints, so no setting lacks there."""
    assert config_text.example() in DOCS.read_text("utf-8")


def test_the_example_is_the_default_configuration():
    """The example, all of its settings taken in, is a configuration that equals the defaults."""
    lines, in_list = [], False
    for line in config_text.example().splitlines():
        if line.startswith(("[", "# [[")):
            in_list = line.startswith("# ")
        if in_list:
            continue  # a list is empty by default
        setting = line.startswith("# ") and " = " in line and not line.startswith("# Environment")
        name, _, value = line.removeprefix("# ").partition(" = ")
        # An empty text stands for "not set" where a path is expected.
        if setting and name.replace("_", "").isalpha() and value != '""':
            lines.append(f"{name} = {value}")
        elif line.startswith("["):
            lines.append(line)
    read = Settings.model_validate(tomllib.loads("\n".join(lines)))
    assert read.model_dump(exclude={"transports"}) == Settings().model_dump(exclude={"transports"})
    assert find_transports().read_settings(read) == find_transports().read_settings(Settings())


def test_no_file_means_defaults(tmp_path, monkeypatch):
    """Without gateway.toml the defaults hold."""
    monkeypatch.chdir(tmp_path)
    assert load(environment={}) == Settings()


def test_a_named_file_must_exist(tmp_path):
    """A configuration that was asked for by name and is not there is an error."""
    with pytest.raises(ConfigurationInvalid, match="does not exist"):
        load(tmp_path / "missing.toml", {})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[http]\nprot = 1", "http.prot"),  # a misspelt name
        ("[http]\nport = 70000", "http.port"),  # out of bounds
        ('[limits]\npayload_bytes = "many"', "limits.payload_bytes"),  # another type
        ("[http", "gateway.toml"),  # no TOML
        ("transports = 1", "transports"),
        ("language = 'fr'", "language"),
        ("[logging]\nlevel = 'loud'", "logging.level"),
        ("[store]\nurl = 'nonsense'", "store.url"),
        ("[store]\nurl = 'mysql://x'", "store.url"),
        ("[store]\nfree_bytes = true", "store.free_bytes"),
        ("[pipeline]\nlease_seconds = inf", "pipeline.lease_seconds"),
        ("[deliver]\nlongest_delay = 1e300", "deliver.longest_delay"),
        ("[receipts]\norigin = 'two words'", "receipts.origin"),
        ("[receipts]\nsigning_key_file = ''", "receipts.signing_key_file"),
    ],
)
def test_faults_are_named(tmp_path, text, told):
    """Whatever is wrong in a file is told with its name."""
    path = tmp_path / "gateway.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigurationInvalid) as caught:
        load(path, {})
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "origin", ["gateway.example/log", "log.test", "localhost/log", "LOCALHOST:8080/log", "a.b.invalid./x"]
)
def test_a_rehearsal_may_have_a_clock_of_its_own(tmp_path, origin):
    """Where no real log can have the name, the gateway's clock may be ahead."""
    path = tmp_path / "gateway.toml"
    path.write_text(f'[receipts]\norigin = "{origin}"\n[clock]\nahead_seconds = 3600\n', "utf-8")
    ahead = load(path, {}).clock.now() - datetime.now(UTC)
    assert timedelta(minutes=59) < ahead <= timedelta(minutes=60)


@pytest.mark.parametrize("origin", ["ciq.gov.cn/log", "example.com/log", "gateway.example.cn/log", "log"])
def test_no_real_log_has_false_times(tmp_path, origin):
    """A clock that is ahead is refused with a name that a real log may have, with the name, the reason and the ways out."""
    path = tmp_path / "gateway.toml"
    path.write_text(f'[receipts]\norigin = "{origin}"\n', "utf-8")
    assert load(path, {}).clock.ahead_seconds == 0
    with pytest.raises(ConfigurationInvalid) as caught:
        load(path, {"GATEWAY_CLOCK__AHEAD_SECONDS": "5"})
    said = str(caught.value)
    assert said.startswith(f"{path}: clock.ahead_seconds would put a false time into every receipt of {origin}: ")
    assert ".example, .test, .invalid or localhost" in said


def test_all_faults_are_told_at_once(tmp_path):
    """Two faults are told together, not one after the other was mended."""
    path = tmp_path / "gateway.toml"
    path.write_text("[http]\nport = -1\n[deliver]\nconcurrency = 0\n", "utf-8")
    with pytest.raises(ConfigurationInvalid) as caught:
        load(path, {})
    assert "http.port" in str(caught.value)
    assert "deliver.concurrency" in str(caught.value)


def test_the_environment_goes_before_the_file(tmp_path):
    """A variable overrides the file, and leaves its neighbours alone."""
    path = tmp_path / "gateway.toml"
    path.write_text('[http]\nport = 1\nhost = "0.0.0.0"\n', "utf-8")
    settings = load(path, {"GATEWAY_HTTP__PORT": "2"})
    assert (settings.http.port, settings.http.host) == (2, "0.0.0.0")


def test_each_variable_named_in_the_example_is_read(tmp_path, monkeypatch):
    """The variables that the documentation names are those that `load` reads."""
    monkeypatch.chdir(tmp_path)
    for setting in config_text.settings():
        if setting.variable and isinstance(setting.default, str):
            fitting = {
                "url": "sqlite:///changed.db",
                "level": "error",
                "security": "tls",
                "relay_security": "tls",
                "password": "env:CHANGED",
                "report_key": "env:CHANGED",
                "sender": "changed@x.example",
                "mailbox": "changed@x.example",
            }
            changed = fitting.get(setting.name, "changed")
            settings = load(environment={setting.variable: changed})
            own = {f"transports.{name}": table for name, table in find_transports().read_settings(settings).items()}
            section = own[setting.section] if setting.section in own else getattr(settings, setting.section)
            assert getattr(section, setting.name) == changed


def test_a_variable_holds_a_list_with_commas(tmp_path, monkeypatch):
    """Of several numbers a variable gives them with commas between them."""
    monkeypatch.chdir(tmp_path)
    assert load(environment={"GATEWAY_ALERTS__ENDING_DAYS": "60, 5"}).alerts.ending_days == (60, 5)
    with pytest.raises(ConfigurationInvalid, match="GATEWAY_ALERTS__ENDING_DAYS"):
        load(environment={"GATEWAY_ALERTS__ENDING_DAYS": "60, soon"})


def test_a_password_is_not_shown():
    """What `config show` prints has no password in it."""
    settings = Settings.model_validate({"store": {"url": "postgresql+asyncpg://gate:s3cret@db:5432/gate"}})
    text = config_text.toml(config_text.json_ready(settings))
    assert "s3cret" not in text
    assert "gate:***@db" in text


def test_what_is_shown_can_be_read_back():
    """`config show` prints a file that means the same, and what is not set in a transport's table stands there as well."""
    folder = {"watched": [{"path": "in", "partner": "p"}]}
    settings = Settings.model_validate({"transports": {"folder": folder}, "http": {"port": 9}})
    again = Settings.model_validate(tomllib.loads(config_text.toml(config_text.json_ready(settings))))
    assert again.model_dump(exclude={"transports"}) == settings.model_dump(exclude={"transports"})
    own = find_transports().read_settings(settings)
    assert find_transports().read_settings(again) == own
    assert own["folder"] == FolderSettings.model_validate(again.transports["folder"])


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"folder": {"watched": [{"path": "/x"}]}}, "transports.folder.watched.0.partner: "),
        ({"folder": {"watched": [{"path": "", "partner": "x"}]}}, "transports.folder.watched.0.path: "),
        ({"folder": {"poll": 1}}, "transports.folder.poll: "),
        ({"http": {"url": "x"}}, "transports.http.url: "),
        ({"htp": {}}, "transports.htp: no transport is called that; near it: http"),
    ],
)
def test_a_transport_judges_its_own_table(own, told):
    """What stands in a transport's table is judged by its declaration, and a fault is told by the setting's full name."""
    with pytest.raises(ConfigurationInvalid) as caught:
        find_transports().read_settings(Settings(transports=own))
    assert told in str(caught.value)


def test_a_variable_reaches_a_transports_table():
    """GATEWAY_TRANSPORTS__NAME__SETTING overrides what the file says."""
    settings = load(environment={"GATEWAY_TRANSPORTS__FOLDER__POLL_SECONDS": "2.5"})
    assert find_transports().read_settings(settings)["folder"] == FolderSettings(poll_seconds=2.5)


def test_a_fault_is_told_where_it_stands(tmp_path):
    """A variable's fault names the variable, a file's the file, and a variable that means nothing is told as well."""
    path = tmp_path / "gateway.toml"
    path.write_text("[http]\nport = -1\n", "utf-8")
    variables = {"GATEWAY_LOGGING__LEVEL": "loud", "GATEWAY_HTTP__PROT": "1", "GATEWAY_FOLDERS__PATH": "x"}
    with pytest.raises(ConfigurationInvalid) as caught:
        load(path, variables)
    told = str(caught.value).split("; ")
    assert any(one.startswith(f"{path}: http.port: ") for one in told)
    assert any(one.startswith("GATEWAY_LOGGING__LEVEL: ") for one in told)
    assert "GATEWAY_HTTP__PROT: there is no such setting" in told
    assert "GATEWAY_FOLDERS__PATH: there is no such setting" in told


def test_no_fault_repeats_a_password():
    """A faulty URL of the store is not repeated, since a password may be in it."""
    with pytest.raises(ConfigurationInvalid) as caught:
        load(environment={"GATEWAY_STORE__URL": "mysql://gate:s3cret@db/gate"})
    assert "s3cret" not in str(caught.value)


def test_a_file_named_by_the_environment_must_exist():
    """GATEWAY_CONFIG that names a missing file is an error, not the defaults; an empty one names none."""
    with pytest.raises(ConfigurationInvalid, match="GATEWAY_CONFIG: /nonexist does not exist"):
        load(environment={"GATEWAY_CONFIG": "/nonexist"})
    with pytest.raises(ConfigurationInvalid, match="directory"):
        load(environment={"GATEWAY_CONFIG": "/"})


def test_an_empty_path_means_none_where_none_may_be():
    """TLS is switched off by an empty variable."""
    assert load(environment={"GATEWAY_HTTP__TLS_CERTIFICATE": ""}).http.tls_certificate is None


def test_a_level_is_taken_in_any_case():
    """INFO and info are the same level."""
    assert load(environment={"GATEWAY_LOGGING__LEVEL": "INFO"}).logging.level == "info"
