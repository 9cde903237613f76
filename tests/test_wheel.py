"""The wheel holds all the gateway needs: installed somewhere else it validates from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*command: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run something that sees nothing of this checkout."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "GATEWAY_", "VIRTUAL_ENV"))}
    finished = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert not check or finished.returncode == 0, finished.stdout + finished.stderr
    return finished


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment with the wheel in it, and the dependencies lent by this one."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "dist", cwd=ROOT)
    (wheel,) = (folder / "dist").glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check",
        "--no-index", "--no-deps", wheel, cwd=folder,
    )  # fmt: skip
    # A path file's folders are searched, but the path files in them, such as this checkout's own, are not read.
    packages = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).stdout.strip()
    )
    lent = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "lent.pth").write_text("\n".join(sorted(lent)), "utf-8")
    where = run(python, "-c", "import gateway; print(gateway.__file__)", cwd=folder).stdout.strip()
    assert Path(where).is_relative_to(packages)
    return folder / "venv"


@pytest.mark.slow
def test_the_wheel_validates_from_another_folder(installed: Path, tmp_path: Path) -> None:
    """`gateway validate` finds schemas, mappings and samples inside the package, and ends with 0 or 1 by what it finds."""
    (package,) = installed.glob("lib/python*/site-packages/gateway")
    for kind in ("schemas", "mappings", "samples"):
        present = {
            p.relative_to(package / "_data" / kind) for p in (package / "_data" / kind).rglob("*") if p.is_file()
        }
        assert present >= {p.relative_to(ROOT / kind) for p in _tracked(kind)}
    samples = package / "_data" / "samples" / "declaration"
    gateway = installed / "bin" / "gateway"
    good = run(gateway, "validate", samples / "import_sea_container" / "in.edi", cwd=tmp_path, check=False)
    assert good.returncode == 0, good.stdout + good.stderr
    bad = run(gateway, "validate", samples / "rejected_xml" / "in.xml", cwd=tmp_path, check=False)
    assert bad.returncode == 1, bad.stdout + bad.stderr
    assert "Traceback" not in bad.stderr
    other = run(
        gateway, "translate", samples / "import_sea_container" / "in.edi", "--to", "xml:EEntDeclIo:1", cwd=tmp_path
    )
    assert "EntDeclNo" in other.stdout
    assert "validate" in run(gateway, "--help", cwd=tmp_path).stdout
    assert list(tmp_path.iterdir()) == []


def _tracked(kind: str) -> list[Path]:
    """The files of a folder that belong to the project."""
    return [p for p in (ROOT / kind).rglob("*") if p.is_file() and not p.name.startswith(".")]
