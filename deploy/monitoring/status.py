"""`wugan status`: health, lag, oldest work and today's counts on one screen; exit code 1 where something is wrong."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from deploy.monitoring.looking import Look, operator
from shared.kit.clock import wall


def wrong(look: Look) -> list[str]:
    """What is wrong with a service, each in a few words."""
    found = []
    if look.ready is None:
        found.append("does not answer")
    elif not look.ready:
        failing = ", ".join(name for name, good in look.checks.items() if not good)
        found.append(f"not ready: {failing or 'it is starting or stopping'}")
    if look.trouble:
        found.append(look.trouble)
    if parked := look.flow.get("dead_letters"):
        found.append(f"{parked} messages are parked, the oldest since {look.oldest}: `wugan dead-letters list`")
    return found


def screen(looks: Sequence[Look]) -> Group:
    """The one screen."""
    lag = Table(
        "service", "ready", "to say", "oldest", "to hear", "in hand", "to work on", "parked", "answers in", box=None
    )
    for look in looks:
        state = {True: Text("yes", "green"), False: Text("no", "red"), None: Text("away", "red bold")}[look.ready]
        names = ("outbox_pending", "undelivered", "unacknowledged", "working", "dead_letters")
        to_say, *others = (f"{look.flow[name]:,}" if name in look.flow else "–" for name in names)
        lag.add_row(look.service, state, to_say, age(look), *others, f"{look.seconds * 1000:.0f} ms")
    figures = Table("service", "figures", box=None)
    today = Table("service", "messages said today", box=None)
    for look in looks:
        figures.add_row(look.service, "  ".join(f"{name} {value:,}" for name, value in flat(look.figures)) or "–")
        said = "  ".join(f"{name.partition('.')[2]} {count:,}" for name, count in look.today.get("said", {}).items())
        today.add_row(look.service, said or "–")
    troubles = [Text(f"✗ {look.service}: {each}", "red") for look in looks for each in wrong(look)]
    return Group(lag, Text(), figures, Text(), today, Text(), *(troubles or [Text("✓ nothing is wrong", "green")]))


def age(look: Look) -> str:
    """How long the oldest of what a service has to say has waited."""
    since = look.today.get("oldest_unsaid_at")
    return f"{max(0.0, wall() - datetime.fromisoformat(since).timestamp()):,.0f} s" if since else "–"


def flat(figures: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Counts with their names, those of a group as `group.name`."""
    found: list[tuple[str, float]] = []
    for name, value in figures.items():
        if isinstance(value, Mapping):
            found += [(f"{name}.{key}", each) for key, each in flat(value)]
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.append((name, value))
    return found


def show(
    data: Path, gateway: str, client_id: str | None, *, as_json: bool = False, console: Console | None = None
) -> int:
    """Print one look; the exit code.

    Raises:
        NoSuchClientError: the operator's key is not in `data`.
    """

    async def look() -> list[Look]:
        async with httpx.AsyncClient() as http:
            return await operator(http, gateway, data, client_id).look()

    looks = asyncio.run(look())
    out = console or Console()
    if as_json:
        out.print_json(json.dumps([{**asdict(each), "wrong": wrong(each)} for each in looks]))
    else:
        out.print(screen(looks))
    return 1 if any(wrong(each) for each in looks) else 0
