"""How fast scoring is on a real PostgreSQL: messages heard, signals swept, a shard assessed anew, one record at once.

`python -m tests.bench.scoring` prints the figures; `measure(database, folder)` gives them to the harness. One shard of the city at
full scale: 85,000 people and 2.4 million signals.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa

from services.scoring import handlers, policies
from services.scoring.domain.rules import RuleSet
from services.scoring.store import signals
from services.scoring.usecases.forming import Means
from services.scoring.usecases.reassess import reassess
from services.scoring.usecases.sweep import sweep
from shared.contracts.events import EVIDENCE_ACCEPTED
from shared.kit import arrow, inbox, migrations
from shared.kit.bus import Message
from shared.kit.clock import FixedClock
from shared.kit.db import Database
from shared.kit.outbox import Outbox
from tests.support.servers import shared_servers

TODAY = date(2023, 11, 1)
NOW = datetime(2023, 11, 1, 4, tzinfo=UTC)
PEOPLE, SIGNALS, MESSAGE_ROWS = 85_000, 2_400_000, 20_000
# source, department, strength, share of the signals
SOURCES = (
    ("transport_bus_card", "transport", "weak", 0.25),
    ("medins_pharmacy", "medins", "weak", 0.20),
    ("medins_outpatient", "medins", "weak", 0.12),
    ("bank_self_service", "bank", "weak", 0.15),
    ("telecom_activity", "telecom", "weak", 0.20),
    ("rail_trip", "rail", "strong", 0.02),
    ("police_hotel", "police", "strong", 0.02),
    ("health_checkup", "health", "strong", 0.0394),
    ("police_hukou_cancel", "police", "strong", 0.0003),
    ("civil_cremation", "civil", "strong", 0.0003),
)


def messages(*, people: int = PEOPLE, rows: int = SIGNALS, seed: int = 3) -> Iterator[bytes]:
    """Evidence messages of shard 0; half of the people are seen by weak sources only."""
    random = np.random.default_rng(seed)
    subjects = random.integers(0, 256, (people, 16), dtype=np.uint8)
    subjects[:, 0] &= 0x0F
    weak_only = random.random(people) < 0.5
    for number, (source, department, strength, share) in enumerate(SOURCES):
        who = random.integers(0, people, int(rows * share))
        died = source in ("police_hukou_cancel", "civil_cremation")
        if strength == "strong" and not died:
            who = who[~weak_only[who]]
        day = np.datetime64("2022-11-02") + random.integers(0, 364, len(who))
        attributes = {"source": source, "department": department, "strength": strength, "received_at": "2023-11-01"}
        for start in range(0, len(who), MESSAGE_ROWS):
            some = who[start : start + MESSAGE_ROWS]
            table = pa.table(
                {
                    "subject": arrow.subject_array(subjects[some]),
                    "occurred_on": pa.array(day[start : start + MESSAGE_ROWS].astype("datetime64[D]")),
                    "kind": pa.array(["died" if died else "seen"] * len(some)),
                    "polarity": pa.array(["negative" if died else "positive"] * len(some)),
                    "identity": pa.array(["full"] * len(some)),
                    "evidence_id": pa.array((np.int64(number + 1) << 32) + start + np.arange(len(some))),
                }
            )
            yield arrow.encode(arrow.conform(EVIDENCE_ACCEPTED, table, attributes))


def write_messages(folder: Path, *, people: int, rows: int) -> int:
    """Messages as files, so that whoever hears them need not hold them all. Returns how many."""
    number = 0
    for number, body in enumerate(messages(people=people, rows=rows), start=1):
        (folder / f"{number:06}.arrow").write_bytes(body)
    return number


def read_messages(folder: Path) -> Iterator[bytes]:
    """The messages in a folder, one after the other."""
    for path in sorted(folder.glob("*.arrow")):
        yield path.read_bytes()


async def hear(database: Database, clock: FixedClock, bodies: Iterable[bytes]) -> int:
    """Handle messages the way the bus does: one transaction each, with its inbox row. Returns how many."""
    count = 0
    for body in bodies:
        count += 1
        message = Message(
            id=uuid4(), event=EVIDENCE_ACCEPTED, shard="0", attributes={}, happened_at=clock.now(), body=body
        )
        async with database.write() as tx:
            await inbox.claim(tx, "bench", message.id)
            await handlers.on_evidence_accepted(tx, message)
    return count


def means(rules: RuleSet) -> Means:
    """What opinions are formed with, on the bench's day."""
    clock = FixedClock(NOW)
    outbox = Outbox("scoring", clock, asyncio.Event())
    return Means(outbox=outbox, rules=rules, today=TODAY, now=clock.now(), rows=1_000_000)


async def measure(database: Database, folder: Path) -> dict[str, float]:
    """The figures on an empty, migrated schema of scoring, with the messages in a folder."""
    clock = FixedClock(NOW)
    formed = means(policies.in_force(policies.load(), "standard", TODAY))
    async with database.write() as tx:
        await signals.ensure_heads(tx)
    started = time.perf_counter()
    heard = await hear(database, clock, read_messages(folder))
    seconds = time.perf_counter() - started
    figures = {"messages_heard_per_second": heard / seconds}
    taken, swept = await _swept(database, formed)
    figures["signals_swept_per_second"] = taken / swept
    figures["signals_merged_per_second"] = taken / (seconds + swept)
    figures |= await _assessed_anew(database, formed)
    first = next(read_messages(folder))
    figures["milliseconds_for_one_record"] = await _one_record(database, formed, clock, first)
    return figures


async def _swept(database: Database, means: Means) -> tuple[int, float]:
    """Signals taken, and seconds."""
    started, taken, more = time.perf_counter(), 0, True
    while more:
        async with database.write() as tx:
            outcome = await sweep(tx, means, 0)
        assert outcome is not None
        taken, more = taken + outcome.signals, outcome.more
    return taken, time.perf_counter() - started


async def _assessed_anew(database: Database, means: Means) -> dict[str, float]:
    figures = {}
    for name, day in (("same_day", TODAY), ("a_week_later", TODAY + timedelta(days=7))):
        started, worked = time.perf_counter(), time.process_time()
        async with database.write() as tx:
            done = await reassess(tx, replace(means, today=day), 0, shadow=False)
        assert done is not None
        figures[f"signals_assessed_anew_per_second_{name}"] = done.outcome.signals / (time.perf_counter() - started)
        figures[f"seconds_of_this_process_per_shard_{name}"] = time.process_time() - worked
    return figures


async def _one_record(database: Database, means: Means, clock: FixedClock, body: bytes) -> float:
    waits = []
    for number in range(20):
        table = arrow.decode(body).slice(number, 1)
        started = time.perf_counter()
        await hear(database, clock, [arrow.encode(table)])
        async with database.write() as tx:
            await sweep(tx, means, 0)
        waits.append(time.perf_counter() - started)
    return statistics.median(waits) * 1000


async def _alone() -> None:
    with tempfile.TemporaryDirectory() as folder, shared_servers(Path(folder), nats=False) as servers:
        databases = servers.create_database(f"bench_{uuid4().hex[:8]}")
        await migrations.upgrade("scoring", databases.url("scoring"))
        database = Database(databases.url("scoring"), schema="scoring")
        said = Path(folder) / "said"
        said.mkdir()
        write_messages(said, people=PEOPLE, rows=SIGNALS)
        try:
            for name, figure in (await measure(database, said)).items():
                print(f"{name:50} {figure:14,.2f}")
        finally:
            await database.close()
            databases.drop()


if __name__ == "__main__":
    asyncio.run(_alone())
