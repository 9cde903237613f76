from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from gateway.cli import config_text
from gateway.config import Settings, load
from gateway.errors import ConfigurationInvalid

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
    lines = []
    for line in config_text.example().splitlines():
        if line.startswith("# [["):
            break  # what follows is a list, which is empty by default
        setting = line.startswith("# ") and " = " in line and not line.startswith("# Environment")
        name, _, value = line.removeprefix("# ").partition(" = ")
        # An empty text stands for "not set" where a path is expected.
        if setting and name.replace("_", "").isalpha() and value != '""':
            lines.append(f"{name} = {value}")
        elif line.startswith("["):
            lines.append(line)
    assert Settings.model_validate(tomllib.loads("\n".join(lines))) == Settings()


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
        ("[[folders]]\npath = '/x'", "partner"),  # a required one missing in a list
    ],
)
def test_faults_are_named(tmp_path, text, told):
    """Whatever is wrong in a file is told with its name."""
    path = tmp_path / "gateway.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigurationInvalid) as caught:
        load(path, {})
    assert told in str(caught.value)


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
            settings = load(environment={setting.variable: "changed"})
            assert getattr(getattr(settings, setting.section), setting.name) == "changed"


def test_a_password_is_not_shown():
    """What `config show` prints has no password in it."""
    settings = Settings.model_validate({"store": {"url": "postgresql+asyncpg://gate:s3cret@db:5432/gate"}})
    shown = config_text.toml(config_text.shown(settings))
    assert "s3cret" not in shown
    assert "gate:***@db" in shown


def test_what_is_shown_can_be_read_back():
    """`config show` prints a file that means the same."""
    settings = Settings.model_validate({"folders": [{"path": "in", "partner": "p"}], "http": {"port": 9}})
    assert Settings.model_validate(tomllib.loads(config_text.toml(config_text.shown(settings)))) == settings
