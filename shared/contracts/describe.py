"""Descriptions of the events for machines: one JSON document an event, and AsyncAPI 3.0 of all of them."""

from typing import Any

import pyarrow as pa

from shared.contracts.events import EVENTS, Event, FactEvent, TableEvent
from shared.contracts.vocabulary import EVERY_SHARD, SHARDS


def describe(event: Event) -> dict[str, Any]:
    """The recorded shape of one event; a change that is not an addition breaks receivers and fails a test."""
    if isinstance(event, FactEvent):
        return {"name": event.name, "kind": "fact", "doc": event.doc, "schema": event.model.model_json_schema()}
    return {
        "name": event.name,
        "kind": "table",
        "doc": event.doc,
        "columns": {name: str(kind) for name, kind in event.columns.items()},
        "attributes": dict(event.attributes),
    }


def is_addition(recorded: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether `now` keeps everything receivers of `recorded` rely on."""
    if recorded["kind"] != now["kind"] or recorded["name"] != now["name"]:
        return False
    if now["kind"] == "table":
        return all(now["columns"].get(name) == kind for name, kind in recorded["columns"].items()) and set(
            recorded["attributes"]
        ) <= set(now["attributes"])
    old, new = recorded["schema"], now["schema"]
    return all(new["properties"].get(name) == shape for name, shape in old["properties"].items()) and set(
        old.get("required", [])
    ) <= set(new.get("required", []))


def _json_type(kind: pa.DataType) -> dict[str, Any]:
    return {"type": ["string", "number", "array", "boolean", "null"], "description": f"Arrow {kind}"}


def _message(event: Event) -> dict[str, Any]:
    if isinstance(event, FactEvent):
        return {
            "contentType": "application/json",
            "summary": event.doc,
            "payload": event.model.model_json_schema(ref_template="#/$defs/{model}"),
        }
    return {
        "contentType": "application/vnd.apache.arrow.stream",
        "summary": event.doc,
        "description": "Columns of an Arrow IPC stream (zstd); the attributes stand in its schema metadata.",
        "payload": {
            "type": "object",
            "properties": {name: _json_type(kind) for name, kind in event.columns.items()},
            "required": list(event.columns),
            "x-attributes": dict(event.attributes),
        },
    }


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3.0 of everything the services say."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for event in EVENTS:
        key = event.name.replace(".", "_")
        sharded = isinstance(event, TableEvent)
        shards = {"enum": [*SHARDS], "description": "first hex digit"}
        if isinstance(event, TableEvent) and event.undivided:
            whole = f"first hex digit, or {EVERY_SHARD} where a table of at most {event.undivided:,} rows is of several"
            shards = {"enum": [*SHARDS, EVERY_SHARD], "description": whole}
        channels[key] = {
            "address": f"{event.name}.{{shard}}" if sharded else event.name,
            "messages": {key: _message(event)},
            **({"parameters": {"shard": shards}} if sharded else {}),
        }
        operations[f"say_{key}"] = {"action": "send", "channel": {"$ref": f"#/channels/{key}"}}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "wugan events", "version": "1", "description": "CloudEvents 1.0 attributes in NATS headers."},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
    }
