"""`make soon`: promises of the design on the demo's city: its minute, and how soon a partner knows of what was posted.

Single records are posted to ingest one by one, as a system of a department would; nothing else goes on meanwhile. After
a death the clock stops when the partner's check no longer says that the person is certified. No webhook follows from a
record of death, which only begins a review (people stop, machines do not); the way to a webhook is measured with records
that certify, by the note of the partner's receiver.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console

from deploy.demo import truth, way
from deploy.demo.city.manifest import TRUTH
from deploy.demo.client import Client, client
from deploy.demo.run import SERVICES, DemoOptions, Run, opened, through
from shared.kit.clock import wall
from tests.bench.machine import day_of_the_code, facts
from tests.bench.promises import DEMO_SECONDS, TOLD_SECONDS, judged, p95
from tests.bench.report import renew

DOCS = Path(__file__).parents[2] / "docs"
_DAY, _PROGRAM, _RECEIVER = "2023-11-01", "resident_pension", "soon"
_DEATH, _FACE = "civil_cremation", "wst_face"
_TIMES = 100
_LOOK_SECONDS, _PATIENCE = 0.02, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured.

    Attributes:
        scale: of the city.
        demo: seconds from the start of everything to the last screen of the demo.
        reviewed: seconds from each record of a death to the partner's other answer.
        told: seconds from each record that certifies to the partner's webhook.
    """

    scale: float
    demo: float
    reviewed: Sequence[float]
    told: Sequence[float]


async def measure(options: DemoOptions, console: Console) -> Measured:
    """The demo, and then the deaths."""
    began = wall()
    async with opened(options, console) as run:
        await through(run)
        seconds = wall() - began
        run.progress.stop()
        reviewed, told = await _post(run)
        return Measured(scale=options.scale, demo=seconds, reviewed=reviewed, told=told)


async def _post(run: Run) -> tuple[list[float], list[float]]:
    living = pl.col("program") == _PROGRAM, pl.col("state") == "alive"
    people = truth.read_truth(run.city / TRUTH).filter(*living)
    answered = await truth.ask(run.client, people, told=lambda _count: None)
    certified, unseen = (
        answered.filter(pl.col("answer") == answer).head(_TIMES).to_dicts() for answer in ("recognised", "not_yet")
    )
    gateway, key = run.stack.urls["gateway"], run.stack.client_key("demo-partner")
    receiver = f"{run.stack.urls['sandbox']}/hooks/{_RECEIVER}"
    async with client(gateway, f"{gateway}/api/recognition", key.client_id, key.key_file) as partner:
        await way.subscribed(partner, receiver)
        told = [await _until_told(run.client, partner, receiver, each) for each in unseen]
        return [await _until_reviewed(run.client, partner, each) for each in certified], told


async def _until_reviewed(caller: Client, partner: Client, person: Mapping[str, Any]) -> float:
    posted = await _record(caller, _DEATH, person)
    body = {"program": _PROGRAM, "citizen_id": person["citizen_id"]}
    async with asyncio.timeout(_PATIENCE):
        while True:
            said = await partner.call("POST", "recognition", "/v1/recognitions:check", body=body, headers=way.WHY)
            if said["answer"] == "under_review":
                return wall() - posted
            await asyncio.sleep(_LOOK_SECONDS)


async def _until_told(caller: Client, partner: Client, receiver: str, person: Mapping[str, Any]) -> float:
    posted = await _record(caller, _FACE, person)

    async def since() -> list[float]:
        heard = await way.told(partner, f"{receiver}/events")
        return [each["received_at"] for each in heard if each["received_at"] >= posted]

    return min(await way.first(since, bool)) - posted


async def _record(caller: Client, source: str, person: Mapping[str, Any]) -> float:
    """Post one record of today, once all is quiet; when that was begun.

    What the record before led to may come late, and would be taken for what this one led to.
    """
    await caller.quiet(SERVICES, told=lambda _left: None)
    body = {"citizen_id": person["citizen_id"], "name": person["name"], "occurred_on": _DAY}
    began = wall()
    await caller.call("POST", "ingest", f"/v1/sources/{source}/events", body=body)
    return began


def write(to: Path, measured: Measured, about: Mapping[str, str]) -> None:
    """soon.md and soon.json."""
    rows = (
        ("`make demo` after the install, to its last screen", measured.demo, DEMO_SECONDS),
        ("death record posted → partner's check says `under_review`, p95", p95(measured.reviewed), TOLD_SECONDS),
        ("record that certifies posted → partner's webhook received, p95", p95(measured.told), TOLD_SECONDS),
    )
    text = f"# How soon\n\nMade by `make soon`; do not edit. A city of scale {measured.scale:g}.\n\n"
    text += "".join(f"* {name}: {value}\n" for name, value in about.items())
    text += "\n| work | measured | budget |\n| --- | ---: | --- |\n"
    text += "".join(
        f"| {name} | {seconds:.2f} s | ≤ {most:g} s: {judged(seconds <= most)} |\n" for name, seconds, most in rows
    )
    medians = [
        f"{statistics.median(each):.2f} s (slowest {max(each):.2f} s)" for each in (measured.reviewed, measured.told)
    ]
    text += (
        f"\n{len(measured.reviewed)} and {len(measured.told)} records were posted one by one; the medians were"
        f" {' and '.join(medians)}.\nA record of a death is told to no partner by webhook: it begins a review, which people"
        " end; whoever asks before\nhe pays hears of it at once. The webhook follows what people decide, by the way measured"
        " here with a certificate.\n"
    )
    (to / "soon.md").write_text(text, encoding="utf-8")
    raw = {"machine": dict(about), **asdict(measured)}
    (to / "soon.json").write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    renew(to)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soon", description=__doc__)
    parser.add_argument("--scale", type=float, default=0.01)
    parser.add_argument("--to", type=Path, default=DOCS, help="folder for the page")
    asked = parser.parse_args()
    os.environ.setdefault("WUGAN_LOG_LEVEL", "WARNING")
    with tempfile.TemporaryDirectory() as folder:
        options = DemoOptions(data=Path(folder), scale=asked.scale, port_base=0, stay=False)
        measured = asyncio.run(measure(options, Console()))
        about = {"day": day_of_the_code(), **facts(Path(folder))}
    write(asked.to, measured, about)
    return int(measured.demo > DEMO_SECONDS or max(p95(measured.reviewed), p95(measured.told)) > TOLD_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
