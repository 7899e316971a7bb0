"""A request of the documented shape for every route, made from its recorded OpenAPI document and nothing else."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx

from deploy.local.programs import ROOT

_WORDS = (
    "word", "341602001001", "341602", "2023-10", "a", "0", "https://a.example/x", '"1"', "w000000000000000", "rule@1",
    "0" * 15, "0" * 64, "x" * 20,
)  # fmt: skip
_OF_FORMAT = {
    "uuid": "3f0c8f9e-1d2b-4c3a-9b8a-111111111111", "date": "2023-10-01", "date-time": "2023-10-01T08:00:00+08:00",
    "uri": "https://a.example/x", "email": "a@example.cn", "binary": "x",
}  # fmt: skip
_BESIDES: Mapping[str, Mapping[str, Any]] = {
    "POST /v1/corrections": {"evidence_id": 1},
    "POST /v1/graces": {"subject": _OF_FORMAT["uuid"]},
    "POST /v1/people:history": {"subject": _OF_FORMAT["uuid"]},
    "POST /v1/proposals": {"subject": _OF_FORMAT["uuid"]},
    "POST /v1/substitutions": {"substitute_id": "w000000000000001"},
    "POST /v1/endpoints/{subscription_id}:replay": {"event_ids": [_OF_FORMAT["uuid"]]},
}
"""What a document does not say: members that are wanted only in view of others."""


@cache
def _document(service: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "docs" / "openapi" / f"{service}.json").read_text(encoding="utf-8"))
    return found


def wellformed(http: httpx.AsyncClient, service: str, method: str, path: str) -> httpx.Request:
    """The request, with whatever the document requires and nothing else."""
    document = _document(service)
    operation = document["paths"][path][method.lower()]
    given: dict[str, dict[str, str]] = {"path": {}, "query": {}, "header": {}}
    for each in operation.get("parameters", ()):
        if each.get("required"):
            given[each["in"]][each["name"]] = str(_value(each["schema"], document))
    kinds = operation.get("requestBody", {}).get("content", {})
    sent: dict[str, Any] = {}
    if "application/json" in kinds:
        body = _value(kinds["application/json"]["schema"], document)
        sent = {"json": body | _BESIDES.get(f"{method} {path}", {})}
    elif kinds:
        sent = {"content": b"x"}
        given["header"]["content-type"] = next(iter(kinds))
    filled = re.sub(r"\{(\w+)\}", lambda name: given["path"][name[1]], path)
    return http.build_request(method, filled, params=given["query"], headers=given["header"], **sent)


def _value(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Any:
    schema = _chosen(schema, document)
    if listed := [schema["const"]] if "const" in schema else schema.get("enum") or schema.get("examples"):
        return listed[0]
    match schema.get("type"):
        case "object":
            members, wanted = schema.get("properties", {}), schema.get("required", ())
            return {name: _value(members[name], document) for name in wanted}
        case "array":
            return [_value(schema["items"], document)] * max(1, schema.get("minItems", 1))
        case "string":
            return _text(schema)
        case "boolean":
            return True
        case _:
            return max(1, int(schema.get("minimum", 1)), int(schema.get("exclusiveMinimum", 0)) + 1)


def _chosen(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference or the first of several choices leads to."""
    if "$ref" in schema:
        return _chosen(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return _chosen(next(each for each in schema[word] if each.get("type") != "null"), document)
    return schema


def _text(schema: Mapping[str, Any]) -> str:
    if schema.get("format") in _OF_FORMAT:
        return _OF_FORMAT[schema["format"]]
    least, most = schema.get("minLength", 0), schema.get("maxLength", 10**9)
    pattern = re.compile(schema.get("pattern", ""))
    tried = (*_WORDS, "word" * (least // 4 + 1))
    return next(each for each in tried if least <= len(each) <= most and pattern.search(each))
