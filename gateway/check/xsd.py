"""Checks XML messages against their XSD: libxml2 for the verdict, xmlschema to word every fault.

The schema is chosen by the root's namespace and name (an index in schemas/xml). Only a message that
libxml2 refuses is read again by xmlschema, which finds every fault where libxml2 stops at the first
in each element.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import posixpath
import re
import tomllib
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.error import URLError
from urllib.response import addinfourl

import xmlschema
from lxml import etree
from xmlschema.validators import XMLSchemaChildrenValidationError, XMLSchemaValidationError
from xmlschema.validators import facets as xsd_facets

from gateway.catalogue import SCHEMAS, Catalogue, compiled
from gateway.errors import SchemaInvalid
from gateway.findings import MOST_TOLD, kept, make_finding
from gateway.model import Finding, Place
from gateway.parse import xml

WIDEST = 5_000
"""Children of one element up to which the thorough reader is asked: it looks through all of them for each that is
wrong. Beyond, libxml2's own words have to do."""

_SHOWN = 80
"""How many characters of a wrong value a finding shows."""

_FOLDER = f"{SCHEMAS}/xml"


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of an index, a TOML file of schemas/xml."""

    format: str
    namespace: str
    root: str
    schema: str
    bare: str = ""
    any_order: bool = False
    secret: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recognised:
    """A message whose schema is held: its format, and its root in the schema's namespace."""

    format: str
    root: etree._Element


@compiled
def entries(catalogue: Catalogue) -> Mapping[str, Entry]:
    """The messages whose schema is held, by format. SchemaInvalid for an index that is none, or one that two list."""
    found: dict[str, Entry] = {}
    for name in catalogue.names(_FOLDER, ".toml"):
        try:
            for fields in tomllib.loads(catalogue.text(name))["message"]:
                entry = Entry(**{**fields, "secret": tuple(fields.get("secret", ()))})
                if found.setdefault(entry.format, entry) is not entry:
                    raise SchemaInvalid(f"{name}: {entry.format} stands in another index already")
        except (TypeError, KeyError, tomllib.TOMLDecodeError) as error:
            raise SchemaInvalid(f"{name}: {error}") from error
    return found


def recognise(catalogue: Catalogue, root: etree._Element) -> Recognised | None:
    """The format of the message under `root`, or None where no schema is held for it.

    A bare root (one without namespace, as platforms put it into OBORMessage) is given the schema's
    namespace, and all below it, in place: lines and paths stay. Secrets are emptied here, before any
    finding, document or page could show them.
    """
    namespace, name = xml.namespace(root), xml.local_name(root)
    for entry in entries(catalogue).values():
        if not namespace and name == entry.bare:
            _qualify(root, entry.namespace)
        elif entry.namespace != namespace or name not in (entry.root, entry.bare):
            continue
        if entry.secret:
            for element in root.iter(*(f"{{{entry.namespace}}}{secret}" for secret in entry.secret)):
                element.text = None
        return Recognised(entry.format, root)
    return None


def unknown(catalogue: Catalogue, root: etree._Element) -> Finding:
    """What there is to say about a message that `recognise` does not know: where only its namespace is wrong, that."""
    name, place = xml.local_name(root), xml.place_of(root)
    known = sorted({entry.namespace for entry in entries(catalogue).values() if name in (entry.root, entry.bare)})
    if known:
        return _other_namespace(root, ", ".join(known), place)
    return make_finding("xml.no_table", place=place, root=name, namespace=xml.namespace(root) or "–")


def _other_namespace(element: etree._Element, expected: str, place: Place) -> Finding:
    """That an element is named as it should be, in another namespace than it should be in."""
    words = {"name": xml.local_name(element), "namespace": xml.namespace(element) or "–", "expected": expected or "–"}
    return make_finding("xml.namespace", place=place, **words)


def check(catalogue: Catalogue, root: etree._Element, format_: str) -> list[Finding]:
    """Everything the schema of `format_` has against the message under `root`; empty where it is valid."""
    entry = entries(catalogue).get(format_)
    if entry is None:
        return [unknown(catalogue, root)]
    found: list[Finding] = []
    places = xml.Places()
    if not valid(catalogue, root, format_):
        if max(map(len, root.iter())) <= WIDEST:
            errors = itertools.islice(thorough(catalogue, format_).iter_errors(root), MOST_TOLD + 1)
            found = [_worded(error, places) for error in errors]
        # The thorough reader takes more characters for blanks than XML does; the verdict is libxml2's all the same.
        found = found or _unworded(catalogue, root, format_)
    if entry.any_order:
        found += itertools.islice(
            _repeated(root, _records(catalogue, format_), places), MOST_TOLD + 1 - min(len(found), MOST_TOLD)
        )
    return kept(found, MOST_TOLD)


def valid(catalogue: Catalogue, root: etree._Element, format_: str) -> bool:
    """libxml2's verdict on the message under `root`."""
    return _fast(catalogue, format_).validate(root)


def _unworded(catalogue: Catalogue, root: etree._Element, format_: str) -> list[Finding]:
    """What libxml2 itself says of a message that it refuses."""
    schema = _fast(catalogue, format_)
    schema.validate(root)
    errors: Any = schema.error_log
    return [
        make_finding("xml.invalid", place=Place(path=error.path or "", line=error.line), detail=error.message)
        for error in itertools.islice(errors, MOST_TOLD + 1)
    ]


def load(catalogue: Catalogue, format_: str) -> None:
    """Compile the schema of `format_` for both readers; SchemaInvalid says what is wrong with it."""
    _fast(catalogue, format_)
    thorough(catalogue, format_)
    _records(catalogue, format_)


def file_of(entry: Entry) -> str:
    """The name of a message's schema in the catalogue."""
    return f"{_FOLDER}/{entry.schema}"


@compiled
def digest(catalogue: Catalogue, format_: str) -> str:
    """The SHA-256 of the XSD that judges a format; of several, that of their digests with their names, in order."""
    files = _gathered(catalogue, file_of(entries(catalogue)[format_]))
    if len(files) == 1:
        return hashlib.sha256(*files.values()).hexdigest()
    lines = (f"{hashlib.sha256(body).hexdigest()} {name}\n" for name, body in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@compiled
def _fast(catalogue: Catalogue, format_: str) -> etree.XMLSchema:
    name = file_of(entries(catalogue)[format_])
    files = _gathered(catalogue, name)
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    parser.resolvers.add(_Files(files))
    try:
        return etree.XMLSchema(etree.fromstring(files[name], parser, base_url=f"{_BASE}{name}"))
    except (etree.XMLSchemaParseError, etree.XMLSyntaxError) as error:
        raise SchemaInvalid(f"{name}: {error}") from error


@compiled
def thorough(catalogue: Catalogue, format_: str) -> xmlschema.XMLSchema:
    """The schema of `format_` as the thorough reader has it; SchemaInvalid where it is none."""
    name = file_of(entries(catalogue)[format_])
    files = _gathered(catalogue, name)
    if len(files) == 1:
        source: Any = io.BytesIO(files[name])
        options: dict[str, Any] = {"allow": "none"}
    else:
        source, options = f"{_BASE}{name}", {"allow": "all", "opener": _opener(files)}
    try:
        return xmlschema.XMLSchema(source, defuse="never", **options)
    except xmlschema.XMLSchemaException as error:
        raise SchemaInvalid(f"{name}: {error}") from error


_BASE = "http://catalogue.invalid/"
"""Before the names of files, where libraries ask for addresses: of a host that there is not (RFC 2606)."""
_XSD = "{http://www.w3.org/2001/XMLSchema}"


class _Files(etree.Resolver):
    """Hands libxml2 the files of the catalogue that a schema takes in, and no others."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__()
        self._files = files

    def resolve(self, system_url: str, public_id: str, context: Any) -> Any:  # type: ignore[override] # noqa: ARG002 - the stubs know no context, and lxml gives all three
        """The file of that address; an empty one for any other, which is then told as missing."""
        body = self._files.get(system_url.removeprefix(_BASE))
        return self.resolve_string(body or b"", context, base_url=system_url)


class _Opened(urllib.request.BaseHandler):
    """The same for xmlschema, which asks an opener: it has no other handler, and so reaches nothing else."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def http_open(self, request: urllib.request.Request) -> Any:
        """The file of that address; URLError for any other."""
        body = self._files.get(request.full_url.removeprefix(_BASE))
        if body is None:
            raise URLError(f"{request.full_url} is not in the catalogue")
        return addinfourl(io.BytesIO(body), Message(), request.full_url, 200)


def _opener(files: Mapping[str, bytes]) -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    opener.add_handler(_Opened(files))
    return opener


def _gathered(catalogue: Catalogue, name: str) -> dict[str, bytes]:
    """An XSD and those it takes in, by name; SchemaInvalid where one lies outside of the catalogue.

    Files are known by the catalogue alone, whose digest covers them.
    """
    files: dict[str, bytes] = {}
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one in files:
            continue
        files[one] = catalogue.read(one)
        try:
            root = etree.fromstring(files[one])
        except etree.XMLSyntaxError as error:
            raise SchemaInvalid(f"{one}: {error}") from error
        for kind in ("include", "import", "redefine", "override"):
            for element in root.iterfind(f"{_XSD}{kind}"):
                if location := element.get("schemaLocation"):
                    taken = posixpath.normpath(posixpath.join(posixpath.dirname(one), location))
                    if ":" in location or not taken.startswith(f"{_FOLDER}/"):
                        raise SchemaInvalid(f"{one}: {kind}s {location}, which is not of the catalogue")
                    if catalogue.find(taken) is None:
                        raise SchemaInvalid(f"{one}: {kind}s {location}, and there is no {taken}")
                    waiting.append(taken)
    return files


def _qualify(root: etree._Element, namespace: str) -> None:
    for element in root.iter():
        if not xml.namespace(element):
            element.tag = f"{{{namespace}}}{xml.local_name(element)}"


@compiled
def _records(catalogue: Catalogue, format_: str) -> frozenset[str]:
    """The elements that hold others and may repeat: the schema declares them at its top level."""
    entry = entries(catalogue)[format_]
    top = etree.fromstring(catalogue.read(file_of(entry)))
    names = top.findall("{http://www.w3.org/2001/XMLSchema}element")
    return frozenset(f"{{{entry.namespace}}}{element.get('name')}" for element in names)


def _repeated(root: etree._Element, records: frozenset[str], places: xml.Places) -> Iterator[Finding]:
    """A finding for each plain item that stands more than once in its record; records may repeat."""
    for record in root.iter(*records):
        tags = [child.tag for child in record]
        if len(tags) == len(set(tags)):  # as nearly always; counting takes four times as long
            continue
        counts = Counter[Any]()
        for child in record:
            counts[child.tag] += child.tag not in records
            if counts[child.tag] == 2:
                place, args = places.place_of(child), {"name": xml.local_name(child), "max": "1"}
                yield make_finding("xml.element.too_many", place=place, **args)


def _worded(error: XMLSchemaValidationError, places: xml.Places) -> Finding:
    """One fault that xmlschema reports, in the catalogue's codes."""
    element: Any = error.elem if etree.iselement(error.elem) else None
    if isinstance(error, XMLSchemaChildrenValidationError) and element is not None:
        return _child(error, element, places)
    code, value, args = _value(error)
    if element is None:
        return make_finding(code, Place(), value, **args)
    words = {"name": xml.local_name(element), **args}
    return make_finding(code, places.place_of(element), value, **words)


_TAG = re.compile(r"\{[^}]*\}([\w.\-]+)")


def _child(error: XMLSchemaChildrenValidationError, element: etree._Element, places: xml.Places) -> Finding:
    """A child too many, too few, unknown or in the wrong place."""
    _, _, tail = (error.reason or "").partition(" Tag ")
    expected = ", ".join(_TAG.findall(tail))
    child: Any = error.invalid_child
    if not etree.iselement(child):
        args = {"name": xml.local_name(element), "expected": expected or "–"}
        return make_finding("xml.element.missing", place=places.place_of(element), **args)
    name, place = xml.local_name(child), places.place_of(child)
    model: Any = error.validator
    uses = [use for use in model.iter_elements() if use.name and use.local_name == name]
    known = next((use for use in uses if use.name == child.tag), None)
    if uses and known is None:
        return _other_namespace(child, uses[0].target_namespace, place)
    if expected:
        return make_finding("xml.element.unexpected", place=place, name=name, expected=expected)
    if known is None:
        return make_finding("xml.element.unknown", place=place, name=name)
    if next(child.itersiblings(child.tag, preceding=True), None) is None:
        return make_finding("xml.element.order", place=place, name=name)
    return make_finding("xml.element.too_many", place=place, name=name, max=known.max_occurs)


def _value(error: XMLSchemaValidationError) -> tuple[str, str, dict[str, str]]:
    """(code, value, arguments) of a fault in one element's own content."""
    reason = error.reason or ""
    value = error.obj if isinstance(error.obj, str) else ""
    shown = value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "…"
    facet: Any = error.validator
    match facet:
        case xsd_facets.XsdMaxLengthFacet():
            return "xml.value.too_long", shown, {"length": str(len(value)), "max": str(facet.value)}
        case xsd_facets.XsdMinLengthFacet():
            return "xml.value.too_short", shown, {"length": str(len(value)), "min": str(facet.value)}
        case xsd_facets.XsdLengthFacet():
            return "xml.value.length", shown, {"length": str(len(value)), "max": str(facet.value)}
        case xsd_facets.XsdPatternFacets():
            form = _documented(facet.parent) or " | ".join(facet.regexps)
            return "xml.value.pattern", shown, {"pattern": form}
        case xsd_facets.XsdEnumerationFacets():
            return "xml.value.choice", shown, {"list": ", ".join(str(choice) for choice in facet.enumeration)}
        case xsd_facets.XsdTotalDigitsFacet() | xsd_facets.XsdFractionDigitsFacet():
            return "xml.value.digits", str(error.obj), {"max": str(facet.value)}
        case xsd_facets.XsdMinInclusiveFacet() | xsd_facets.XsdMinExclusiveFacet():
            return "xml.value.range", str(error.obj), {"bound": "≥", "limit": str(facet.value)}
        case xsd_facets.XsdMaxInclusiveFacet() | xsd_facets.XsdMaxExclusiveFacet():
            return "xml.value.range", str(error.obj), {"bound": "≤", "limit": str(facet.value)}
    if isinstance(error.obj, str):
        return "xml.value.type", shown, {"type": str(getattr(facet, "local_name", "") or "–")}
    if "attribute" in reason:
        return "xml.attribute", "", {"name": ", ".join(re.findall(r"'([^']+)'", reason)[:1])}
    if "character data" in reason:
        return "xml.text", "", {}
    if "child elements" in reason:
        return "xml.element.children", "", {}
    return "xml.invalid", "", {"detail": reason}


def _documented(simple_type: Any) -> str:
    """What the schema itself says of a type's form (`n6`, `an..32`), empty where it says nothing."""
    annotation = getattr(simple_type, "annotation", None)
    words = [(part.text or "").strip() for part in annotation.documentation] if annotation is not None else []
    return words[0] if words else ""
