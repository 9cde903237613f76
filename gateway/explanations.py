"""What usually brings a finding about, and what whoever sent the message does about it, by the finding's code.

The texts are data, schemas/findings/explained/*.toml, beside the words of the findings:

    ["edi.element.too_long"]
    cause  = { en = "The value is longer than ...", zh = "..." }
    remedy = { en = "Shorten it ...", zh = "..." }

A key that ends in `*` explains every code that begins so; of several the longest does.

They are for people who ask for them (`gateway validate --explain`, `--html`): what a finding is about is in its own
words, which say the value and the place.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from gateway.catalogue import Catalogue, compiled
from gateway.catalogue_folders import shipped
from gateway.errors import SchemaInvalid
from gateway.findings import EXPLAINED
from gateway.languages import choose_language


@dataclass(frozen=True, slots=True)
class Explanation:
    """A finding explained in one language."""

    cause: str
    remedy: str


@compiled
def read(catalogue: Catalogue) -> Mapping[str, Mapping[str, Explanation]]:
    """Every explanation by code and language; SchemaInvalid where a file repeats one or leaves out a text."""
    found: dict[str, Mapping[str, Explanation]] = {}
    for name in catalogue.names(EXPLAINED.rstrip("/"), ".toml"):
        try:
            for code, texts in tomllib.loads(catalogue.text(name)).items():
                if code in found:
                    raise SchemaInvalid(f"{name}: {code} is explained in another file already")
                cause, remedy = texts.pop("cause"), texts.pop("remedy")
                if texts:
                    raise SchemaInvalid(f"{name}: {code}: {', '.join(sorted(texts))}: unknown")
                found[code] = {key: Explanation(str(cause[key]), str(remedy[key])) for key in ("en", "zh")}
        except (AttributeError, KeyError, TypeError, tomllib.TOMLDecodeError) as error:
            raise SchemaInvalid(f"{name}: {type(error).__name__}: {error}") from error
    return found


@cache
def explain(code: str, language: str = "en") -> Explanation | None:
    """What is said of a code in `language`; None where nothing explains it, as of what a package brings by itself."""
    known = read(shipped())
    begins = [key for key in known if key.endswith("*") and code.startswith(key[:-1])]
    key = code if code in known else max(begins, key=len, default="")
    return known[key][choose_language(language)] if key else None
