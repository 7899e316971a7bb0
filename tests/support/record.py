"""`make schema`: record the shapes other people rely on, so that a change to them is seen in review."""

import ast
import csv
import json
from functools import cache
from pathlib import Path

from deploy.local.secrets import OPERATOR
from shared.contracts import events
from shared.contracts.describe import asyncapi, describe
from shared.contracts.events import EVENTS, TableEvent
from shared.kit.bus import Subscription
from tests.support import routes
from tests.support.settings import SETTINGS_ENV
from tests.support.settings_page import settings_page

ROOT = Path(__file__).parents[2]
EVENTS_DIR = ROOT / "shared" / "contracts" / "recorded"
OPENAPI_DIR = ROOT / "docs" / "openapi"
SETTINGS_PAGE = ROOT / "docs" / "settings.md"
NATS_USERS = ROOT / "deploy" / "nats" / "users.conf"
SERVICES = ("ingest", "scoring", "grid", "recognition", "notify")


def dumps(document: object) -> str:
    """A document as it is recorded: stable order, readable in a diff."""
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def openapi(service: str) -> dict[str, object]:
    """The OpenAPI document of a service as this code makes it."""
    return routes.app_of(service).openapi()


def hearers(name: str) -> list[str]:
    """The services whose handlers name an event's constant, apart from importing it."""
    return [service for service in SERVICES if name in _named_by_handlers(service)]


@cache
def _named_by_handlers(service: str) -> frozenset[str]:
    rooms = (ROOT / "services" / service).glob("handlers*")
    paths = [path for room in rooms for path in ([room] if room.is_file() else room.rglob("*.py"))]
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in paths)
    return frozenset(node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name))


def events_table() -> str:
    """`docs/events.md`: every event, who says it and who hears it."""
    constants = {id(getattr(events, name)): name for name in dir(events)}
    lines = [
        "# Events",
        "",
        "Recorded by `make schema`. The first word of a name is the service that says it; a table comes by shard (`.0` to `.f`), or whole (`.all`). Shapes:",
        "[asyncapi.json](asyncapi.json), `shared/contracts/events/`.",
        "",
        "| event | body | heard by | what it says |",
        "| --- | --- | --- | --- |",
    ]
    for event in sorted(EVENTS, key=lambda each: (SERVICES.index(each.name.split(".", 1)[0]), each.name)):
        body = "table" if isinstance(event, TableEvent) else "fact"
        lines.append(f"| `{event.name}` | {body} | {', '.join(hearers(constants[id(event)]))} | {event.doc} |")
    return "\n".join(lines) + "\n"


@cache
def consumers(service: str) -> list[tuple[str, str, str]]:
    """Stream, durable name and filter of every consumer a service may have, one for all shards or one for each."""
    constants = {id(getattr(events, name)): name for name in dir(events)}
    heard = [event for event in EVENTS if service in hearers(constants[id(event)])]
    return sorted(
        {
            (event.stream, durable, subject)
            for event in heard
            for together in (1, 2)
            for durable, subject, _ in Subscription(event=event, handler=_no_handler, together=together).durables(
                service
            )
        }
    )


async def _no_handler(*_: object) -> None: ...


def nats_users() -> str:
    """`deploy/nats/users.conf`: what each service may ask of the broker, and nothing that is another's."""
    lines = [
        "# Recorded by `make schema` from what each service says and hears; nats-server.conf includes it. NATS cannot tell",
        "# consumers apart by a beginning of their name, so each stands here: what makes it, pulls from it, acknowledges to it.",
        "# Streams are made by the operator alone: who may change his own can have it copied over anything of another's.",
        "users: [",
    ]
    for service in SERVICES:
        own, its = service.upper(), consumers(service)
        allowed = [[f"{service}.>", "$JS.API.INFO"]]
        allowed.append([f"$JS.API.CONSUMER.LIST.{stream}" for stream in sorted({stream for stream, _, _ in its})])
        allowed += [
            [
                f"$JS.API.CONSUMER.CREATE.{stream}.{durable}.{subject}",
                f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}",
                f"$JS.ACK.{stream}.{durable}.>",
            ]
            for stream, durable, subject in its
        ]
        lines += [
            "  {",
            f"    user: {service}",
            f"    password: $WUGAN_NATS_PASSWORD_{own}",
            "    permissions: {",
            "      publish: { allow: [",
            *("        " + ", ".join(f'"{each}"' for each in together) for together in allowed if together),
            "      ] }",
            f'      subscribe: {{ allow: ["_INBOX_{service}.>"] }}',
            "    }",
            "  }",
        ]
    lines += [f"  {{ user: {OPERATOR}, password: $WUGAN_NATS_PASSWORD_{OPERATOR.upper()} }}", "]"]
    return "\n".join(lines) + "\n"


def record_routes() -> None:
    """`tests/security/routes.csv`: by which scopes and roles each route of each service lets somebody in."""
    with routes.TABLE.open("w", encoding="utf-8", newline="") as opened:
        out = csv.writer(opened, lineterminator="\n")
        out.writerow(("service", "method", "path", "lets in"))
        out.writerows(sorted(routes.told(each) for service in SERVICES for each in routes.routes_of(service)))


def main() -> None:
    """Write every recorded document anew."""
    EVENTS_DIR.mkdir(exist_ok=True)
    OPENAPI_DIR.mkdir(parents=True, exist_ok=True)
    for event in EVENTS:
        (EVENTS_DIR / f"{event.name}.json").write_text(dumps(describe(event)), encoding="utf-8")
    (ROOT / "docs" / "asyncapi.json").write_text(dumps(asyncapi()), encoding="utf-8")
    (ROOT / "docs" / "events.md").write_text(events_table(), encoding="utf-8")
    SETTINGS_PAGE.write_text(settings_page(SERVICES), encoding="utf-8")
    NATS_USERS.write_text(nats_users(), encoding="utf-8")
    record_routes()
    for service in SERVICES:
        (OPENAPI_DIR / f"{service}.json").write_text(dumps(openapi(service)), encoding="utf-8")
    print(f"recorded {len(EVENTS)} events and {len(SERVICES)} OpenAPI documents ({len(SETTINGS_ENV)} settings faked)")


if __name__ == "__main__":
    main()
