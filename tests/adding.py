"""The steps of docs/adding.md, taken out of it as they stand there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "adding.md").read_text("utf-8")


def section(title: str) -> str:
    """What stands under a heading of the second level."""
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return str(found)


def files_of(text: str) -> dict[str, str]:
    """The files that a section names, `path/file.toml`: and shows below."""
    return dict(re.findall(r"`([^`\n]+\.[a-z]+)`:\n\n```[a-z]+\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


def install(folder: Path, name: str, module: str, project: str) -> None:
    """Leave a package as pip does: a module, and what says which entry points it has."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(module, "utf-8")
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
    groups = tomllib.loads(project)["project"]["entry-points"]
    lines = [f"[{group}]\n{entry} = {place}\n" for group, each in groups.items() for entry, place in each.items()]
    (about / "entry_points.txt").write_text("\n".join(lines), "utf-8")
