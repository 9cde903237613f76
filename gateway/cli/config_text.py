"""The configuration as text: what is in effect, and the commented example that the documentation holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from gateway.config import ENVIRONMENT_PREFIX, Section, Settings

_PASSWORD = re.compile(r"(?<=:)[^:@/]+(?=@)")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: where it stands, what it does, and its default (None where it has none)."""

    section: str
    name: str
    description: str
    default: Any
    listed: bool = False
    """Whether it stands in a `[[section]]` that may be repeated."""

    @property
    def variable(self) -> str:
        """The environment variable that overrides it; empty for what stands in a list or in no section."""
        if self.listed or not self.section:
            return ""
        return f"{ENVIRONMENT_PREFIX}{self.section.upper()}__{self.name.upper()}"


def settings(model: type[BaseModel] = Settings, section: str = "", *, listed: bool = False) -> Iterator[Setting]:
    """Every setting, those without a section first, as TOML wants them."""
    nested: list[tuple[str, type[Section], bool]] = []
    for name, field in model.model_fields.items():
        inner, many = _section_of(field.annotation)
        if inner is not None:
            nested.append((name, inner, many))
            continue
        default = None if field.is_required() else field.default
        yield Setting(section, name, field.description or "", default, listed)
    for name, inner, many in nested:
        yield from settings(inner, name, listed=many)


def _section_of(annotation: Any) -> tuple[type[Section] | None, bool]:
    """The section that a field holds, and whether it holds many of them."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation, False
    if get_origin(annotation) in (tuple, Union, UnionType):
        inner = next((a for a in get_args(annotation) if isinstance(a, type) and issubclass(a, Section)), None)
        return inner, inner is not None
    return None, False


def example() -> str:
    """A gateway.toml with every setting, each under what it does; defaults stand commented out."""
    lines = ["# Every setting with its default. Take out the `#` of those you change."]
    section = ""
    for setting in settings():
        if setting.section != section:
            section = setting.section
            lines += ["", f"# [[{section}]]" if setting.listed else f"[{section}]"]
        lines += ["", f"# {setting.description}."]
        if setting.variable:
            lines.append(f"# Environment: {setting.variable}")
        lines.append(f"# {setting.name} = {_value(setting.default)}")
    return "\n".join(lines)


def _value(default: Any) -> str:
    """A default as TOML writes it; of a setting without one, an empty text."""
    if isinstance(default, bool | int | float):
        return json.dumps(default)
    return json.dumps("" if default is None else str(default), ensure_ascii=False)


def json_ready(effective: Settings) -> dict[str, Any]:
    """The configuration in effect as JSON-ready values, without the password in a URL."""
    values = effective.model_dump(mode="json")
    values["store"]["url"] = _PASSWORD.sub("***", values["store"]["url"])
    return values


def toml(values: Mapping[str, Any]) -> str:
    """JSON-ready settings as TOML; what is not set does not stand there."""
    lines = [
        f"{name} = {json.dumps(v, ensure_ascii=False)}" for name, v in values.items() if not isinstance(v, dict | list)
    ]
    for name, inner in values.items():
        for table in inner if isinstance(inner, list) else [inner] if isinstance(inner, dict) else []:
            lines += ["", f"[[{name}]]" if isinstance(inner, list) else f"[{name}]"]
            lines += [f"{key} = {json.dumps(v, ensure_ascii=False)}" for key, v in table.items() if v is not None]
    return "\n".join(lines)
