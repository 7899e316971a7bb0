"""The way of one row: uploaded at ingest, certified, told to a partner by webhook: one trace through four services."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import polars as pl
from rich.table import Table

from deploy.demo import truth
from deploy.demo.client import Client, client
from deploy.local.stack import LocalStack

_SOURCE, _POST = "wst_face", "post webhook"
_RECEIVER, _PROGRAM = "way", "resident_pension"  # demo-partner speaks for this program
WHY = {"Purpose-Code": "payment", "Legal-Basis": "demo", "Case-Ref": "demo"}
_SAMPLE = 400
_SECONDS = 60
_LOOK_SECONDS = 0.1
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One span of the trace."""

    service: str
    name: str
    span_id: str
    parent_id: str | None
    began: datetime
    ended: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """All that was done about one row.

    Attributes:
        trace_id: as the partner was told it.
        steps: in the order in which they began.
    """

    trace_id: str
    steps: Sequence[Step]

    def table(self) -> Table:
        """For a terminal: what began when and took how long."""
        made = Table(title=f"One row's way to a partner: trace {self.trace_id}", title_justify="left")
        for name in ("service", "span", "began", "took"):
            made.add_column(name, justify="right" if name in {"began", "took"} else "left")
        depths: dict[str, int] = {}
        for step in self.steps:
            depth = depths[step.span_id] = depths.get(step.parent_id or "", -1) + 1
            began, took = step.began - self.steps[0].began, step.ended - step.began
            made.add_row(
                step.service,
                f"{'  ' * depth}{step.name}",
                f"{began.total_seconds() * 1000:.0f} ms",
                f"{took.total_seconds() * 1000:.1f} ms",
            )
        return made


async def follow(stack: LocalStack, operator: Client, city_truth: Path, folder: Path) -> Way:
    """Upload one more row and follow it; the stack's services must print their spans.

    Raises:
        TimeoutError: no partner was told.
    """
    gateway, logs = stack.urls["gateway"], stack.folder.logs
    key = stack.client_key("demo-partner")
    async with client(gateway, f"{gateway}/api/recognition", key.client_id, key.key_file) as partner:
        place = await subscribed(partner, f"{stack.urls['sandbox']}/hooks/{_RECEIVER}")
        receiver = f"{stack.urls['sandbox']}/hooks/{_RECEIVER}/events"
        known = len(await told(partner, receiver))
        row = folder / "one-row.csv"
        row.write_text(await _row(operator, city_truth), encoding="utf-8")
        await operator.upload("ingest", f"/v1/sources/{_SOURCE}/batches", row)
        heard = await first(lambda: told(partner, receiver), lambda found: len(found) > known)
        await partner.call("DELETE", "recognition", place, headers=WHY)
    trace_id = heard[-1]["headers"]["traceparent"][3:35]
    # A span is told when it has ended, which is after the partner's answer.
    steps = await first(
        lambda: asyncio.to_thread(read_steps, logs, trace_id), lambda found: any(each.name == _POST for each in found)
    )
    return Way(trace_id=trace_id, steps=sorted(steps, key=lambda each: each.began))


async def first(ask: Callable[[], Awaitable[T]], good: Callable[[T], bool]) -> T:
    """The first good answer of a question asked again and again."""
    async with asyncio.timeout(_SECONDS):
        while True:
            if good(found := await ask()):
                return found
            await asyncio.sleep(_LOOK_SECONDS)


async def _row(operator: Client, city_truth: Path) -> str:
    """Somebody nobody has seen yet passes the face check of the provincial app today."""
    alive, listed = pl.col("state") == "alive", pl.col("program") == _PROGRAM
    people = truth.read_truth(city_truth).filter(alive & listed)[:_SAMPLE]
    answered = await truth.ask(operator, people, told=lambda _count: None)
    person = answered.filter(pl.col("answer") == "not_yet").row(0, named=True)
    return f"身份证号,姓名,认证时间\n{person['citizen_id']},{person['name']},2023-11-01\n"


async def subscribed(partner: Client, url: str) -> str:
    """Have everything told to a receiver; where the subscription is."""
    headers = {**WHY, "Idempotency-Key": uuid4().hex}
    made = await partner.call("POST", "recognition", "/v1/subscriptions", body={"url": url}, headers=headers)
    place = f"/v1/subscriptions/{made['subscription_id']}"
    await first(lambda: partner.call("GET", "recognition", place, headers=WHY), lambda said: said["status"] == "active")
    return place


async def told(partner: Client, receiver: str) -> list[dict[str, Any]]:
    """What a receiver of the sandbox was told so far."""
    items: list[dict[str, Any]] = (await partner.http.get(receiver)).json()["items"]
    return items


def read_steps(logs: Path, trace_id: str) -> list[Step]:
    """Spans of a trace in the logs of all services."""
    found = []
    for path in logs.glob("*.log"):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if f'"0x{trace_id}"' not in line:
                continue
            span = json.loads(line)
            if span["context"]["trace_id"] == f"0x{trace_id}":  # else it is only linked to it
                found.append(_step(span))
    return found


def _step(span: dict[str, Any]) -> Step:
    return Step(
        service=span["resource"]["attributes"]["service.name"].removeprefix("wugan-"),
        name=span["name"],
        span_id=span["context"]["span_id"],
        parent_id=span["parent_id"],
        began=datetime.fromisoformat(span["start_time"]),
        ended=datetime.fromisoformat(span["end_time"]),
    )
