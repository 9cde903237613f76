"""One frozen Catalogue: the wire tables, XSDs, code lists, mappings, rule sets and findings in force, with one digest.

A catalogue is the contents of files by their names (`schemas/...`, `mappings/...`), wherever these were read from. It
is handed to whoever reads or writes messages, and never changes; another one takes its place. What is compiled from it
is found through it:

    @compiled
    def load(catalogue: Catalogue, name: str) -> Table: ...

makes the table of that name once for each catalogue. What a compilation reads is noted, and the next catalogue takes
over what was made of the same contents (`succeed`): an unchanged table is not compiled again, and a catalogue that
nobody holds any more goes with everything that was made of it alone. So that it can go, nothing that is compiled may
hold on to the catalogue that it was given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from gateway.errors import SchemaInvalid

SCHEMAS, MAPPINGS = "schemas", "mappings"
FOLDERS = (SCHEMAS, MAPPINGS)
"""What a catalogue holds, each with the layout of the folder of that name."""

P = ParamSpec("P")
T = TypeVar("T")
_Key = tuple[Hashable, ...]


@dataclass(slots=True)
class _Noted:
    """What a compilation has looked at."""

    files: dict[str, str] = field(default_factory=dict)
    """By name, the digest of the content; empty where there was no such file."""
    folders: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """By folder and ending, the names that were there."""

    def add(self, other: _Noted) -> None:
        """Note what `other` has looked at as well."""
        self.files.update(other.files)
        self.folders.update(other.folders)


@dataclass(frozen=True, slots=True)
class _Made:
    """Something that was compiled, and what it was made of."""

    value: object
    noted: _Noted


class Catalogue:
    """The contents of all files in force, by name, and what was compiled from them."""

    __slots__ = ("__weakref__", "_contents", "_digests", "_made", "_noted", "digest")

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        """`contents` are by name, `schemas/codes/unit.csv`, whatever order they come in."""
        self._contents = {name: contents[name] for name in sorted(contents)}
        self._digests = {name: hashlib.sha256(content).hexdigest() for name, content in self._contents.items()}
        lines = "".join(f"{digest} {name}\n" for name, digest in self._digests.items())
        self.digest = hashlib.sha256(lines.encode()).hexdigest()
        """SHA-256 over the names and contents of all files, and nothing else."""
        self._made: dict[_Key, _Made] = {}
        self._noted: _Noted | None = None

    def __repr__(self) -> str:
        return f"Catalogue({self.digest[:12]}, {len(self._contents)} files)"

    @property
    def files(self) -> Mapping[str, str]:
        """The names of all files in order, each with the SHA-256 of its content."""
        return self._digests

    def read(self, name: str) -> bytes:
        """The content of a file; SchemaInvalid where there is none of that name."""
        content = self.find(name)
        if content is None:
            raise SchemaInvalid(f"there is no {name}")
        return content

    def find(self, name: str) -> bytes | None:
        """The content of a file; None where there is none of that name."""
        if self._noted is not None:
            self._noted.files[name] = self._digests.get(name, "")
        return self._contents.get(name)

    def text(self, name: str) -> str:
        """The content of a file of text; SchemaInvalid where there is none, or it is not in UTF-8."""
        try:
            return self.read(name).decode()
        except UnicodeDecodeError as error:
            raise SchemaInvalid(f"{name}: is not in UTF-8: {error.reason} at byte {error.start}") from error

    def names(self, folder: str, ending: str) -> tuple[str, ...]:
        """The names of the files in `folder` and those below it that have this ending, in order."""
        found = tuple(name for name in self._contents if name.startswith(f"{folder}/") and name.endswith(ending))
        if self._noted is not None:
            self._noted.folders[folder, ending] = found
        return found

    def unread(self) -> tuple[str, ...]:
        """The names of the files that nothing compiled so far was made of."""
        read = {name for made in self._made.values() for name in made.noted.files}
        return tuple(name for name in self._contents if name not in read)

    def succeed(self, former: Catalogue) -> None:
        """Take over from `former` what was compiled there of files that are the same here."""
        for key, made in list(former._made.items()):
            if self._would_note(made.noted):
                self._made.setdefault(key, made)

    def _would_note(self, noted: _Noted) -> bool:
        """Whether a compilation that looked at all this would see the same here."""
        return all(self._digests.get(name, "") == digest for name, digest in noted.files.items()) and all(
            self.names(folder, ending) == names for (folder, ending), names in noted.folders.items()
        )

    def compile(self, make: Callable[..., T], *arguments: Hashable) -> T:
        """What `make` makes of this catalogue and `arguments`: made once, and what it raises every time."""
        key = (make, *arguments)
        made = self._made.get(key)
        if made is None:
            noted = _Noted()
            value = make(self._watched(noted), *arguments)
            # Two threads may make the same at once: all get what was kept first.
            made = self._made.setdefault(key, _Made(value, noted))
        if self._noted is not None:
            self._noted.add(made.noted)
        return cast("T", made.value)

    def _watched(self, noted: _Noted) -> Catalogue:
        """The same catalogue, in the hands of one compilation: what that looks at is `noted`."""
        same = object.__new__(Catalogue)
        same._contents, same._digests, same._made = self._contents, self._digests, self._made
        same.digest = self.digest
        same._noted = noted
        return same


def compiled(make: Callable[Concatenate[Catalogue, P], T]) -> Callable[Concatenate[Catalogue, P], T]:
    """`make`, whose result is kept with the catalogue it was made of; its other arguments are given by position."""

    @wraps(make)
    def find(catalogue: Catalogue, *arguments: P.args, **named: P.kwargs) -> T:
        assert not named, "what is compiled is found by positional arguments"
        return catalogue.compile(make, *cast("Sequence[Any]", arguments))

    return cast("Callable[Concatenate[Catalogue, P], T]", find)
