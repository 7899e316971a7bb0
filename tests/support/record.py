"""`make schema`: record the shapes other people rely on, so that a change to them is seen in review."""

import json
from importlib import import_module
from pathlib import Path

from shared.contracts.describe import asyncapi, describe
from shared.contracts.events import EVENTS
from shared.kit.app import create_app
from tests.support.settings import SETTINGS_ENV, settings_for

ROOT = Path(__file__).parents[2]
EVENTS_DIR = ROOT / "shared" / "contracts" / "recorded"
OPENAPI_DIR = ROOT / "docs" / "openapi"
SERVICES = ("ingest", "scoring", "grid", "recognition", "notify")


def dumps(document: object) -> str:
    """A document as it is recorded: stable order, readable in a diff."""
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def openapi(service: str) -> dict[str, object]:
    """The OpenAPI document of a service as this code makes it."""
    declared = import_module(f"services.{service}.app").SERVICE
    return create_app(declared, settings_for(declared.settings)).openapi()


def main() -> None:
    """Write every recorded document anew."""
    EVENTS_DIR.mkdir(exist_ok=True)
    OPENAPI_DIR.mkdir(parents=True, exist_ok=True)
    for event in EVENTS:
        (EVENTS_DIR / f"{event.name}.json").write_text(dumps(describe(event)), encoding="utf-8")
    (ROOT / "docs" / "asyncapi.json").write_text(dumps(asyncapi()), encoding="utf-8")
    for service in SERVICES:
        (OPENAPI_DIR / f"{service}.json").write_text(dumps(openapi(service)), encoding="utf-8")
    print(f"recorded {len(EVENTS)} events and {len(SERVICES)} OpenAPI documents ({len(SETTINGS_ENV)} settings faked)")


if __name__ == "__main__":
    main()
