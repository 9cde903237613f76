"""How a simulated partner is set up: the settings of docs/demo.md, from a file to its way."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.house import SIMULATED
from gateway.demo.keys import OURS, THEIRS, make_keys
from gateway.simulators.as2 import As2
from gateway.simulators.mail import Mailing
from gateway.simulators.partner import Settings, way_of
from gateway.simulators.sftp import Sftp
from gateway.simulators.ways import Fetching, Folders, Pushed
from gateway.simulators.webhook import Webhooks

PAGE = (Path(__file__).parents[2] / "docs" / "demo.md").read_text("utf-8")
MADE = {
    "pushed": Pushed,
    "fetching": Fetching,
    "webhook": Webhooks,
    "as2": As2,
    "mail": Mailing,
    "sftp": Sftp,
    "folders": Folders,
}
"""By the name of a way, what it is."""


def settings(folder: Path, way: str) -> Settings:
    """The settings of a partner with that way, from a file as a person would write it."""
    keys = make_keys(folder / "keys")
    means: dict[str, dict[str, Any]] = {
        "webhook": {"keys": [keys.webhook]},
        "as2": {
            "name": "ACME",
            "gateway": "GATEWAY",
            "key": str(keys.certificate(THEIRS).with_suffix(".key")),
            "certificate": str(keys.certificate(THEIRS)),
            "gateway_certificate": str(keys.certificate(OURS)),
        },
        "mail": {"port": 25, "to": "edi@gateway.example", "sender": "edi@acme.example"},
        "sftp": {"port": 22, "host_key": keys.sftp},
    }
    values = {"name": "acme", "role": "bureau", "folder": str(folder), "way": way, "exchange": str(folder)}
    (folder / "settings.json").write_text(json.dumps({**values, "means": means.get(way, {})}), "utf-8")
    return Settings.read(folder / "settings.json")


@pytest.mark.parametrize("name", MADE)
def test_each_way_is_made_of_what_the_page_says(tmp_path: Path, name: str) -> None:
    """The page names every way, and every setting of what it goes by."""
    given = settings(tmp_path, name)
    assert type(way_of(given)) is MADE[name]
    (line,) = re.findall(r"^\| `way` \|.*$", PAGE, re.MULTILINE)
    assert f"`{name}`" in line
    rows = re.findall(rf"^\| `{name}` \|.*$", PAGE, re.MULTILINE)
    assert [one for one in given.means if not any(f"`{one}`" in row for row in rows)] == []


def test_no_other_way_is_taken(tmp_path: Path) -> None:
    """A name that is none is told."""
    with pytest.raises(ValueError, match="pigeon"):
        way_of(settings(tmp_path, "pigeon"))


def test_the_demo_shows_all_of_them() -> None:
    """No way is without a partner who exchanges by it."""
    assert {str(values.get("way", "pushed")) for values in SIMULATED.values()} == MADE.keys()
