"""The documentation page of a service: its OpenAPI document as plain HTML, without scripts and without the internet."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

Schema = Mapping[str, Any]

# Nothing may be loaded or run: the page is its own text and its own style.
HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}
_METHODS = ("get", "put", "post", "patch", "delete", "head", "options")
_LIMITS = ("pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "default")
_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,"Noto Sans CJK SC",sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
h2{margin-top:2.5rem;border-bottom:1px solid #8886}h3{margin:2rem 0 .3rem}
code,.at{font-family:ui-monospace,monospace;font-size:.92em;overflow-wrap:anywhere}
.verb{font-weight:700;margin-right:.6em}p{white-space:pre-line;margin:.3rem 0}
table{border-collapse:collapse;width:100%;margin:.5rem 0}
td,th{border-top:1px solid #8884;padding:.25rem .6rem .25rem 0;text-align:left;vertical-align:top}
small{opacity:.75}
"""


def page(document: Mapping[str, Any]) -> str:
    """The page of one OpenAPI document; its links are relative, so it holds under any prefix."""
    info, schemas = document["info"], document.get("components", {}).get("schemas", {})
    title = escape(info["title"])
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>",
        _text(info.get("description")),
        "<p>For programs: <a href='openapi.json'>openapi.json</a>. At the end: <a href='#schemas'>schemas</a>.</p>",
        *_operations(document["paths"]),
        "<h2 id=schemas>Schemas</h2>",
        *(_described(name, schemas[name]) for name in sorted(schemas)),
    ]
    return "\n".join(parts)


def _operations(paths: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {}
    for path, methods in paths.items():
        for verb in _METHODS:
            if verb in methods:
                tag = next(iter(methods[verb].get("tags", ())), "others")
                by_tag.setdefault(tag, []).append(_operation(path, verb, methods[verb]))
    for tag, found in by_tag.items():
        yield f"<h2>{escape(tag)}</h2>"
        yield from found


def _operation(path: str, verb: str, operation: Mapping[str, Any]) -> str:
    named = escape(operation.get("operationId", ""))
    parts = [
        f"<h3 id='{named}'><span class='verb at'>{verb.upper()}</span><span class=at>{escape(path)}</span></h3>",
        f"<strong>{escape(operation.get('summary', ''))}</strong>",
        _text(operation.get("description")),
    ]
    if ways := sorted({name for way in operation.get("security", ()) for name in way}):
        parts.append(f"<p>Needs: <code>{escape(' or '.join(ways))}</code></p>")
    rows = [
        (each["name"], f"{each['in']}{'' if each.get('required') else ', optional'}", _kind(each.get("schema", {})),
         each.get("description") or each.get("schema", {}).get("description"))
        for each in operation.get("parameters", ())
    ]  # fmt: skip
    body = operation.get("requestBody", {})
    rows += [
        ("body", name, _kind(each.get("schema", {})), body.get("description"))
        for name, each in body.get("content", {}).items()
    ]
    for status, answer in operation.get("responses", {}).items():
        for name, each in (answer.get("content") or {"": {"schema": {"type": ""}}}).items():
            rows.append((f"→ {status}", name, _kind(each.get("schema", {})), answer.get("description")))
    return "\n".join([*parts, _table(rows)])


def _described(name: str, schema: Schema) -> str:
    needed = set(schema.get("required", ()))
    rows = [
        (field, "" if field in needed else "optional", _kind(of), of.get("description"))
        for field, of in schema.get("properties", {}).items()
    ]
    head = f"<h3 id='schema-{escape(name)}' class=at>{escape(name)}</h3>{_text(schema.get('description'))}"
    return head + (_table(rows) or f"<p>{_kind(schema)}</p>")


def _kind(schema: Schema) -> str:
    """The type of a value in a few words, named schemas as links, already escaped."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[-1])
        return f"<a href='#schema-{name}'>{name}</a>"
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return (" and " if word == "allOf" else " or ").join(_kind(each) for each in schema[word])
    if "enum" in schema or "const" in schema:
        return " | ".join(f"<code>{escape(str(each))}</code>" for each in schema.get("enum", [schema.get("const")]))
    if "items" in schema:
        kind = f"list of {_kind(schema['items'])}"
    elif schema.get("properties"):
        kind = "{" + ", ".join(f"{escape(name)}: {_kind(each)}" for name, each in schema["properties"].items()) + "}"
    elif isinstance(schema.get("additionalProperties"), dict):
        kind = f"object of {_kind(schema['additionalProperties'])}"
    else:
        said = schema.get("type", "anything")
        kind = escape(" or ".join(said) if isinstance(said, list) else said)
        kind += f" ({escape(schema['format'])})" if "format" in schema else ""
    limits = [f"{name} <code>{escape(str(schema[name]))}</code>" for name in _LIMITS if name in schema]
    return f"{kind} <small>{', '.join(limits)}</small>" if limits else kind


def _table(rows: list[tuple[str, str, str, str | None]]) -> str:
    lines = (
        f"<tr><th class=at>{escape(n)}<td>{escape(where)}<td>{kind}<td>{escape(t or '')}" for n, where, kind, t in rows
    )
    return f"<table>{''.join(lines)}</table>" if rows else ""


def _text(text: str | None) -> str:
    return f"<p>{escape(text.strip())}</p>" if text else ""
