"""Collects the XSDs of a folder that one message needs: the file of its root, and all that it includes or imports.

found = collect(files, "Declaration", "urn:acme:declaration")
found.files                 by name, as they lie in the folder; only relative locations are left in them
found.index("xml:Declaration:1", "Declaration-1")     an index for schemas/xml
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from gateway.errors import DirectoryUnreadable

_XSD = "{http://www.w3.org/2001/XMLSchema}"
_TAKING = ("include", "import", "redefine", "override")
_BUILT_IN = frozenset({"http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2001/XMLSchema"})
"""Namespaces that readers of XSDs know by themselves."""


@dataclass(frozen=True, slots=True)
class Collected:
    """The XSDs that a message needs."""

    root: str
    namespace: str
    main: str
    """The name of the file that declares the root."""
    files: Mapping[str, bytes]

    def index(self, format_: str, folder: str) -> str:
        """The index that lists them, for `schemas/xml`, where they lie in `folder`."""
        lines = {"format": format_, "namespace": self.namespace, "root": self.root, "schema": f"{folder}/{self.main}"}
        return "[[message]]\n" + "".join(f"{key} = {_quoted(value)}\n" for key, value in lines.items())


def collect(files: Mapping[str, bytes], root: str, namespace: str = "") -> Collected:
    """The XSDs among `files`, by their names, that a message with that root needs.

    DirectoryUnreadable where no file declares it, several do, or one that is needed is not there.
    """
    roots = {name: _parsed(name, body) for name, body in files.items() if name.lower().endswith(".xsd")}
    declaring = [name for name, schema in roots.items() if _declares(schema, root, namespace)]
    if not declaring:
        raise DirectoryUnreadable(f"No XSD declares {root} in {namespace or 'any namespace'}.")
    namespaces = {roots[name].get("targetNamespace", "") for name in declaring}
    if len(namespaces) > 1:
        raise DirectoryUnreadable(f"{root} is declared in {', '.join(sorted(namespaces))}; name the namespace.")
    main = _outermost(declaring, roots)
    needed: dict[str, bytes] = {}
    waiting = [main]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed[name] = _located(name, roots)
            waiting += _taken(
                name, etree.fromstring(needed[name], etree.XMLParser(resolve_entities=False, no_network=True))
            )
    return Collected(root, namespaces.pop(), main, dict(sorted(needed.items())))


def _parsed(name: str, body: bytes) -> etree._Element:
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise DirectoryUnreadable(f"{name} is no XML: {error}") from error
    if root.tag != f"{_XSD}schema":
        raise DirectoryUnreadable(f"{name} is no XSD.")
    return root


def _declares(schema: etree._Element, root: str, namespace: str) -> bool:
    if namespace and schema.get("targetNamespace", "") != namespace:
        return False
    return any(one.get("name") == root for one in schema.iterfind(f"{_XSD}element"))


def _outermost(declaring: list[str], roots: Mapping[str, etree._Element]) -> str:
    """The one of several files that declare a root which no other of them takes in."""
    inner = {taken for name in declaring for taken in _taken(name, roots[name])}
    outer = [name for name in declaring if name not in inner] or declaring
    if len(outer) > 1:
        raise DirectoryUnreadable(f"The root is declared in {', '.join(sorted(outer))}.")
    return outer[0]


def _taken(name: str, schema: etree._Element) -> Iterator[str]:
    """The files that a schema takes in, by their names."""
    for kind in _TAKING:
        for one in schema.iterfind(f"{_XSD}{kind}"):
            if location := one.get("schemaLocation"):
                yield posixpath.normpath(posixpath.join(posixpath.dirname(name), location))


def _located(name: str, roots: Mapping[str, etree._Element]) -> bytes:
    """A file whose locations all lead to files of the folder: those that lead elsewhere by their name or namespace."""
    if name not in roots:
        raise DirectoryUnreadable(f"There is no {name}, which is taken in.")
    schema = roots[name]
    for kind in _TAKING:
        for one in schema.iterfind(f"{_XSD}{kind}"):
            wanted = one.get("schemaLocation", "")
            if one.get("namespace") in _BUILT_IN and not wanted:
                continue
            here = posixpath.normpath(posixpath.join(posixpath.dirname(name), wanted)) if wanted else ""
            if here not in roots:
                here = _elsewhere(name, wanted, one.get("namespace", ""), roots)
            one.set("schemaLocation", posixpath.relpath(here, posixpath.dirname(name) or "."))
    return etree.tostring(schema.getroottree(), xml_declaration=True, encoding="utf-8")


def _elsewhere(name: str, wanted: str, namespace: str, roots: Mapping[str, etree._Element]) -> str:
    """The file that an address on the net, or nothing but a namespace, stands for."""
    base = re.split(r"[/\\]", wanted)[-1]
    named = [other for other in roots if base and posixpath.basename(other) == base]
    spaced = [other for other, schema in roots.items() if namespace and schema.get("targetNamespace") == namespace]
    found = named or spaced
    inner = {taken for other in found for taken in _taken(other, roots[other])}
    found = [other for other in found if other not in inner] or found
    if len(found) != 1:
        said = wanted or f"a schema of {namespace or 'no namespace'}"
        raise DirectoryUnreadable(f"{name} takes in {said}, and {len(found) or 'no'} file of the folder is it.")
    return found[0]


def _quoted(text: str) -> str:
    """A string of TOML; unlike JSON, it escapes DEL as well."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
