"""What docs/adding.md says of a message type, from a UNECE zip to a working translation, is done as it stands there."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

from gateway import data
from tests import foreign
from tests.adding import files_of, section
from tests.cli.conftest import Run, run  # noqa: F401 -- the fixture

TEXT = section("A message type")
COMMANDS = [line.strip() for line in TEXT.splitlines() if line.startswith("    gateway ")]
(SETTINGS, *_) = re.findall(r"^```toml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
((TABLE, WRITTEN),) = files_of(TEXT).items()


def test_the_steps_are_all_there() -> None:
    """The page imports, drafts, judges, tries, translates, checks and explains, in this order."""
    verbs = [" ".join(command.split()[1:3]) for command in COMMANDS]
    assert verbs == [
        "schema import",
        "schema show",
        "mapping new",
        "mapping lint",
        "mapping lint",
        "mapping test",
        "translate samples/response/full/in.xml",
        "validate answer.edi",
        "mapping explain",
    ]


@foreign.needed
def test_a_newcomer_gets_to_a_working_translation(run: Run, tmp_path: Path) -> None:  # noqa: F811 -- the fixture
    """Each command does what the page says, with nothing else than the zip, the settings and the table it shows."""
    shutil.copy(foreign.material("reference/unece/d03b.zip"), tmp_path / "d03b.zip")
    (tmp_path / "samples").symlink_to(data.samples())
    (tmp_path / "own/mappings/response").mkdir(parents=True)
    (tmp_path / "gateway.toml").write_text(SETTINGS, "utf-8")
    codes, told = [], []
    for number, command in enumerate(COMMANDS):
        words = shlex.split(command)[1:]
        into = tmp_path / words[-1] if ">" in words else None
        if command in COMMANDS[:number]:  # the second time the table is judged, it is the one that the page shows
            (tmp_path / TABLE).write_text(WRITTEN, "utf-8")
        done = run(*words[: words.index(">")] if into is not None else words)
        if into is not None:
            into.write_bytes(done.out.encode())
        codes.append(done.code)
        told.append(done.out)
    assert codes == [0, 0, 0, 1, 0, 0, 0, 0, 0]
    (shown,) = re.findall(r"^(own/\S+:\d+: .*) \.\.\.$", TEXT, re.MULTILINE)
    assert told[3].startswith(shown)
    assert "well" not in told[7]
    assert "read as response" in told[7]
    assert "SG4.FTX[4451=AAO]/C108.4440[1]" in told[8]
