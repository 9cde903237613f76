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
from gateway.discovery import find_transports

_TRANSPORTS = "transports"
"""The section that holds a table for each transport."""
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
        return f"{ENVIRONMENT_PREFIX}{self.section.upper().replace('.', '__')}__{self.name.upper()}"


def settings() -> Iterator[Setting]:
    """Every setting, those without a section first, as TOML wants them; those of transports last."""
    yield from _settings_of(Settings)
    for transport in find_transports():
        yield from _settings_of(transport.settings, f"{_TRANSPORTS}.{transport.name}")


def _settings_of(model: type[BaseModel] = Settings, section: str = "", *, listed: bool = False) -> Iterator[Setting]:
    nested: list[tuple[str, type[Section], bool]] = []
    for name, field in model.model_fields.items():
        inner, many = _section_of(field.annotation)
        if inner is not None:
            nested.append((f"{section}.{name}" if section else name, inner, many))
            continue
        if model is Settings and name == _TRANSPORTS:
            continue
        default = None if field.is_required() else field.default
        yield Setting(section, name, field.description or "", default, listed)
    for name, inner, many in nested:
        yield from _settings_of(inner, name, listed=many)


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
    if isinstance(default, tuple):
        return json.dumps(default, ensure_ascii=False)
    return json.dumps("" if default is None else str(default), ensure_ascii=False)


def json_ready(effective: Settings) -> dict[str, Any]:
    """The configuration in effect as JSON-ready values, without the password in a URL."""
    values = effective.model_dump(mode="json")
    own = find_transports().read_settings(effective)
    values[_TRANSPORTS] = {name: section.model_dump(mode="json") for name, section in own.items()}
    values["store"]["url"] = _PASSWORD.sub("***", values["store"]["url"])
    return values


def toml(values: Mapping[str, Any]) -> str:
    """JSON-ready settings as TOML; what is not set does not stand there."""
    return "\n".join(_toml_lines(values, ""))


def _toml_lines(values: Mapping[str, Any], section: str) -> Iterator[str]:
    for name, value in values.items():
        if value is not None and not _holds_tables(value):
            yield f"{name} = {json.dumps(value, ensure_ascii=False)}"
    for name, value in values.items():
        if not _holds_tables(value):
            continue
        full = f"{section}.{name}" if section else name
        for table in value if isinstance(value, list) else [value]:
            yield ""
            yield f"[[{full}]]" if isinstance(value, list) else f"[{full}]"
            yield from _toml_lines(table, full)


def _holds_tables(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and all(isinstance(one, dict) for one in value))
