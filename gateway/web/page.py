"""The interface's description as one HTML page, made from the OpenAPI description, for people: no script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.5rem;border-top:1px solid #ccc;padding-top:1rem}h3{font-size:1rem}h2 code{font-size:1.1rem}
code{font:14px ui-monospace,monospace;background:#f3f3f3;padding:.1em .3em;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;margin:.5rem 0}td,th{border:1px solid #ddd;padding:.3rem .5rem;text-align:left;vertical-align:top}
th{background:#f7f7f7}nav ul{columns:2;list-style:none;padding:0}a{color:#0b57a4}
@media(prefers-color-scheme:dark){body{background:#161616;color:#e6e6e6}code{background:#2a2a2a}td,th{border-color:#444}th{background:#222}a{color:#8ab8f0}}
"""
POLICY = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of the page: its own style, and nothing else (CSP Level 3)."""


def write_page(description: Mapping[str, Any]) -> bytes:
    """The page of an OpenAPI description, as UTF-8."""
    return "".join(_page(description)).encode()


def _page(description: Mapping[str, Any]) -> Iterator[str]:
    title = escape(description["info"]["title"])
    operations = [
        (path, method, operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
    yield f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style>'
    yield f"<h1>{title}</h1><p>{escape(description['info']['description'])}</p>"
    yield '<p>For programs: <a href="/v1/openapi.json">openapi.json</a>.</p><nav aria-label="Operations"><ul>'
    for path, method, operation in operations:
        yield f'<li><a href="#{_id(operation)}"><code>{method.upper()} {escape(path)}</code></a></li>'
    yield "</ul></nav><main>"
    for path, method, operation in operations:
        yield from _operation(path, method, operation)
    yield '<h2 id="webhooks">Webhooks</h2>'
    for name, methods in description.get("webhooks", {}).items():
        for operation in methods.values():
            yield f"<h3><code>{escape(name)}</code></h3><p>{escape(operation['summary'])}</p>"
            yield from _bodies(operation.get("requestBody", {}).get("content", {}))
    yield '<h2 id="schemas">Objects</h2>'
    for name, schema in sorted(description["components"]["schemas"].items()):
        yield from _schema(name, schema)
    yield "</main></html>"


def _id(operation: Mapping[str, Any]) -> str:
    return escape(operation["operationId"], quote=True)


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h2 id="{_id(operation)}"><code>{method.upper()} {escape(path)}</code></h2>'
    yield f"<p>{_words(operation['summary'])}. {_words(operation.get('description', ''))}</p>"
    if parameters := operation.get("parameters"):
        yield "<table><tr><th>parameter</th><th>in</th><th>type</th><th>what it is</th></tr>"
        for one in parameters:
            yield f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(one['in'])}</td>"
            yield f"<td>{_type(one.get('schema', {}))}</td><td>{_words(one.get('description', ''))}</td></tr>"
        yield "</table>"
    if body := operation.get("requestBody"):
        yield f"<p>Takes: {_words(body.get('description', ''))}</p>"
        yield from _bodies(body["content"])
    yield "<table><tr><th>status</th><th>what it means</th><th>holds</th></tr>"
    for status, response in operation["responses"].items():
        held = ", ".join(
            f"<code>{escape(kind)}</code> {_type(media.get('schema', {}))}"
            for kind, media in response.get("content", {}).items()
        )
        yield f"<tr><td>{escape(status)}</td><td>{_words(response['description'])}</td><td>{held}</td></tr>"
    yield "</table>"


def _bodies(content: Mapping[str, Any]) -> Iterator[str]:
    kinds = ", ".join(
        f"<code>{escape(kind)}</code> {_type(media.get('schema', {}))}" for kind, media in content.items()
    )
    if kinds:
        yield f"<p>{kinds}</p>"


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f'<h3 id="schema-{escape(name, quote=True)}">{escape(name)}</h3>'
    if "description" in schema:
        yield f"<p>{_words(schema['description'])}</p>"
    if not (fields := schema.get("properties")):
        return
    required = set(schema.get("required", ()))
    yield "<table><tr><th>field</th><th>type</th><th>what it is</th></tr>"
    for field, said in fields.items():
        star = "" if field in required else " (may be absent)"
        yield f"<tr><td><code>{escape(field)}</code>{star}</td><td>{_type(said)}</td>"
        yield f"<td>{_words(said.get('description', ''))}</td></tr>"
    yield "</table>"


def _words(text: str) -> str:
    """A text of the description, what stands in backticks as code."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:  # one that nothing closes is no mark
        return "`".join(parts)
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


def _type(schema: Mapping[str, Any]) -> str:
    """A type in a few words, with a link where it is an object of its own."""
    if reference := schema.get("$ref"):
        name = escape(str(reference).rpartition("/")[2], quote=True)
        return f'<a href="#schema-{name}">{name}</a>'
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(filter(None, map(_type, schema[several])))
    if "enum" in schema:
        return ", ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {})) or 'anything'}"
    return escape(str(schema.get("format") or schema.get("type") or ""))
