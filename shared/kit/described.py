"""Completes an OpenAPI document: bounds of what pydantic leaves open, tags, and where the service answers.

Whatever reads the document (a generated client, a gateway, a scanner) may rely on these bounds: they are wider than
anything the services send or take.
"""

from collections.abc import Iterator
from typing import Any, Final

_TEXT: Final = 8192
_LENGTHS: Final = {"uuid": 36, "date": 10, "date-time": 40, "binary": 2**31 - 1}
_ITEMS: Final = 100_000
_INTEGER: Final = 2**53 - 1
_NO_NUL: Final = r"^[^\u0000]*$"
_SAID: Final = ("enum", "const")


def complete(document: dict[str, Any], service: str) -> None:
    """Fill in what a document of `service` leaves open; what it says itself stays."""
    for schema in _schemas(document):
        _bound(schema)
    document["info"].setdefault("contact", {"name": "operator of the platform"})
    behind = "behind the gateway, in production as on a local machine"
    document.setdefault("servers", [{"url": f"/api/{service}", "description": behind, "x-internal": False}])
    methods = [each for path in document["paths"].values() for each in path.values() if isinstance(each, dict)]
    names = dict.fromkeys(tag for method in methods for tag in method.get("tags", ()))
    document.setdefault("tags", [{"name": name, "description": f"{service}: {name}"} for name in names])


def _schemas(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for each in node:
            yield from _schemas(each)
    elif isinstance(node, dict):
        if isinstance(node.get("type"), str):
            yield node
        for each in node.values():
            yield from _schemas(each)


def _bound(schema: dict[str, Any]) -> None:
    match schema["type"]:
        case "string" if not any(word in schema for word in _SAID):
            schema.setdefault("maxLength", _LENGTHS.get(schema.get("format", ""), _TEXT))
            if "format" not in schema:
                schema.setdefault("pattern", _NO_NUL)
        case "integer" if not any(word in schema for word in _SAID):
            schema.setdefault("format", "int64")
            if "exclusiveMinimum" not in schema:
                schema.setdefault("minimum", -_INTEGER)
            if "exclusiveMaximum" not in schema:
                schema.setdefault("maximum", _INTEGER)
        case "array":
            schema.setdefault("maxItems", _ITEMS)
