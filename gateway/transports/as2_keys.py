"""Who we and our partners are in AS2: names, and our settings."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from gateway.config import Section
from gateway.transports.own_keys import OwnKey

SCHEME = "as2"
"""The scheme of partners' identifiers whose values are AS2 names."""
KEYS = "transports.as2.keys"
"""The setting that names our certificates and their keys."""
VERSION = "1.1"
"""AS2-Version of who understands compression (RFC 4130, 6.1)."""
_NAME = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?")
"""AS2 names (RFC 4130, 6.2): printable ASCII, 128 characters; blanks inside where they are quoted."""


def is_name(value: str) -> bool:
    """Whether `value` may be an AS2 name."""
    return _NAME.fullmatch(value) is not None and '"' not in value and "\\" not in value


def _name(value: str) -> str:
    if not is_name(value):
        raise ValueError("an AS2 name is 1 to 128 printable characters, without quotes and backslashes")
    return value


Name = Annotated[str, AfterValidator(_name)]


def quoted(name: str) -> str:
    """A name as a header has it."""
    return f'"{name}"' if " " in name else name


def unquoted(name: str) -> str:
    """The name that a header has."""
    name = name.strip()
    return name[1:-1] if len(name) > 1 and name[0] == name[-1] == '"' else name


def host_of(name: str) -> str:
    """The right side of a Message-ID of ours."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", name)


class As2Settings(Section):
    """Who we are in AS2."""

    name: str = Field("", description="Our AS2 name; nothing is sent or taken without one")
    url: str = Field("", description="Address at which partners reach /as2, for MDNs that come later")
    mdn_hours: float = Field(24.0, description="Hours in which an MDN that comes later is waited for", gt=0, le=30 * 24)
    keys: tuple[OwnKey, ...] = ()

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.name:
            _name(self.name)
        return self
