"""Everyone concerned is told once, nobody recorded as dead is written to, and nothing stops untold."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import polars as pl
import pyarrow as pa

from shared.contracts.events import (
    CASE_CONCLUDED,
    CERTIFICATES_ISSUED,
    CERTIFICATIONS_DUE,
    MESSAGE_DELIVERED,
    NOTICE_GIVEN,
    SUSPICION_RAISED,
    FactEvent,
    TableEvent,
)
from shared.contracts.events.notify import MESSAGE_FAILED
from shared.contracts.vocabulary import CaseConclusion, Claim, Confidence, SuspicionKind
from shared.kit import arrow
from tests.year.checks import Check
from tests.year.world import World

_CHANNELS_BEFORE_A_STOP = 2
_DEATHS = {SuspicionKind.DEATH, SuspicionKind.CONFLICT}
_LIVES = {CaseConclusion.FALSE_DEATH, CaseConclusion.UNFOUNDED}
_DIED = {CaseConclusion.CONFIRMED, CaseConclusion.CONFIRMED_NO_OVERPAYMENT}
# What one service says another has heard long before the clock is moved on, by hours at least.
_HEARD = timedelta(hours=1)
_BODIES = "SELECT headers->>'ce-time' AS at, body FROM {service}.outbox WHERE subject {like} ORDER BY seq"
_PERSONAL = """
SELECT subject, handed_at AS at FROM notify.delivery WHERE personal AND handed_at IS NOT NULL
UNION ALL SELECT subject, created_at FROM notify.message WHERE audience = 'citizen' AND in_inbox
"""


async def end(world: World) -> list[Check]:
    """What was told in the year equals what happened in it."""
    return [
        await _certified(world),
        await _due(world),
        await _noticed(world),
        await _suspicions(world),
        await _dead(world),
        await _stops(world),
        await _settled(world),
    ]


async def _certified(world: World) -> Check:
    further = Counter[tuple[UUID, date]]()
    async for attributes, _, body in _said(world, "recognition", CERTIFICATES_ISSUED):
        rows = _frame(body).filter(
            (pl.col("claim") == Claim.ALIVE)
            & pl.col("valid_until").is_not_null()
            & (pl.col("previous_until").is_null() | (pl.col("valid_until") > pl.col("previous_until")))
        )
        day = date.fromisoformat(attributes["issued_on"])
        further.update((UUID(bytes=subject), day) for subject in rows["subject"])
    told = Counter(
        (row["subject"], row["day"])
        for row in await world.rows(
            "SELECT subject, (created_at AT TIME ZONE 'Asia/Shanghai')::date AS day FROM notify.message "
            "WHERE template = 'certified'"
        )
    )
    # Two of one day are one message, unless the first had been handed or read: then the second is news.
    wrong = {key for key in further.keys() | told.keys() if not (key in further) <= told[key] <= further[key]}
    return Check(
        name="each certified person has exactly one notice for each certificate that reaches further",
        good=bool(told) and not wrong,
        found=f"{further.total():,} certificates of {len(further):,} people and days, {told.total():,} notices, "
        f"{len(wrong)} otherwise",
    )


async def _due(world: World) -> Check:
    steps = set()
    async for attributes, _, body in _said(world, "recognition", CERTIFICATIONS_DUE):
        ran = date.fromisoformat(attributes["run_on"])
        for subject, due_on in _frame(body).select("subject", "due_on").drop_nulls().iter_rows():
            left = (due_on - ran).days
            step = "past" if left < 0 else 30 if left <= 30 else 60 if left <= 60 else 90
            steps.add((f"due_{step}", UUID(bytes=subject), due_on.isoformat()))
    told = Counter(
        tuple(row)
        for row in await world.rows(
            "SELECT template, subject, variables->>'due_on' FROM notify.message WHERE template LIKE 'due\\_%'"
        )
    )
    return _same("each step before an end is told once", steps, told)


async def _noticed(world: World) -> Check:
    given = {
        (f"notice_{fact['kind']}", UUID(fact["notice_id"])) async for fact in _facts(world, "recognition", NOTICE_GIVEN)
    }
    told = Counter(
        tuple(row)
        for row in await world.rows("SELECT template, about FROM notify.message WHERE template LIKE 'notice\\_%'")
    )
    return _same("each legal notice recognition gives is one message", given, told)


async def _suspicions(world: World) -> Check:
    raised = set()
    async for _, _, body in _said(world, "scoring", SUSPICION_RAISED):
        raised |= {UUID(bytes=each) for each in _frame(body)["suspicion_id"]}
    told = Counter(
        row["about"] for row in await world.rows("SELECT about FROM notify.message WHERE template = 'suspicion_opened'")
    )
    return _same("each suspicion is one message to the officers", raised, told)


async def _dead(world: World) -> Check:
    """Nobody is written to between the record of his death and the day on which people find, or say, that he lives."""
    records: dict[UUID, list[tuple[datetime, bool]]] = defaultdict(list)
    async for _, at, body in _said(world, "scoring", SUSPICION_RAISED):
        for subject, kind, confidence in _frame(body).select("subject", "kind", "confidence").iter_rows():
            if kind in _DEATHS:
                # A bare hint records nobody as dead; so is called what has been taken back.
                records[UUID(bytes=subject)].append((at, confidence != Confidence.HINT))
    async for fact in _facts(world, "grid", CASE_CONCLUDED):
        if fact["kind"] in _DEATHS and fact["conclusion"] in _LIVES | _DIED:
            at = datetime.fromisoformat(fact["concluded_at"])
            records[UUID(fact["subject"])].append((at, fact["conclusion"] in _DIED))
    async for fact in _facts(world, "recognition", NOTICE_GIVEN):
        if fact["reason"] == "false_death":
            records[UUID(fact["subject"])].append((datetime.fromisoformat(fact["given_at"]), False))
    touched = [row for row in await world.rows(_PERSONAL) if row["subject"] in records]
    wrong = {row["subject"] for row in touched if _recorded(records[row["subject"]], row["at"])}
    refused = await world.database.fetchval("SELECT count(*) FROM notify.message WHERE refused = 'recorded_dead'")
    return Check(
        name="nobody recorded as dead is written to after the record",
        good=bool(records) and refused > 0 and not wrong,
        found=f"{len(records):,} recorded, {refused:,} messages refused, {len(wrong)} written to",
    )


def _recorded(records: Sequence[tuple[datetime, bool]], at: datetime) -> bool:
    """Whether somebody stood recorded as dead well before an instant; the newest record counts, a death before a life."""
    before = [each for each in records if each[0] < at - _HEARD]
    return bool(before) and max(before)[1] and not any(not dead and at - _HEARD <= when <= at for when, dead in records)


async def _stops(world: World) -> Check:
    tried: dict[UUID, list[tuple[datetime, str]]] = defaultdict(list)
    for event, column in ((MESSAGE_DELIVERED, "delivered_at"), (MESSAGE_FAILED, "failed_at")):
        async for _, _, body in _said(world, "notify", event):
            rows = _frame(body).filter(pl.col("about").is_not_null())
            for about, at, channel in rows.select("about", column, "channel").iter_rows():
                tried[UUID(bytes=about)].append((at, channel))
    stops = await world.rows(
        "SELECT d.effective_at, n.notice_id FROM recognition.decision d LEFT JOIN recognition.notice n "
        "ON n.decision_id = d.decision_id AND n.kind = 'intended_stop' "
        "WHERE d.effective_at IS NOT NULL AND d.effect IN ('terminate', 'suspend')"
    )
    before = [
        len({channel for at, channel in tried[row["notice_id"]] if at <= row["effective_at"]})
        if row["notice_id"]
        else 0
        for row in stops
    ]
    wrong = sum(count < _CHANNELS_BEFORE_A_STOP for count in before)
    return Check(
        name="every stop was told or tried on two channels before it took effect",
        good=bool(stops) and wrong == 0,
        found=f"{len(stops):,} stops, at least {min(before, default=0)} channels each, {wrong} with fewer than two",
    )


async def _settled(world: World) -> Check:
    parked = await world.database.fetchval("SELECT count(*) FROM notify.dead_letter WHERE redriven_at IS NULL")
    stuck = await world.database.fetchval("SELECT count(*) FROM notify.delivery WHERE status = 'sending'")
    states = await world.rows("SELECT status, count(*) AS n FROM notify.delivery GROUP BY 1 ORDER BY 1")
    return Check(
        name="no message to notify was parked, and none is left in the hands of a sender",
        good=parked == 0 and stuck == 0,
        found=", ".join(f"{row['status']} {row['n']:,}" for row in states) + f"; {parked} parked",
    )


def _same(name: str, happened: AbstractSet[Hashable], told: Counter[Any]) -> Check:
    wrong = {key for key in happened | told.keys() if told.get(key, 0) != (key in happened)}
    return Check(
        name=name,
        good=bool(happened) and not wrong,
        found=f"{len(happened):,} happened, {sum(told.values()):,} told, {len(wrong)} otherwise",
    )


async def _said(
    world: World, service: str, event: TableEvent
) -> AsyncIterator[tuple[Mapping[str, str], datetime, pa.Table]]:
    """Table messages of a service: attributes, when they were said, rows."""
    for row in await world.rows(_BODIES.format(service=service, like="LIKE $1 || '.%'"), event.name):
        table = arrow.decode(row["body"])
        metadata = table.schema.metadata or {}
        attributes = {key.decode(): value.decode() for key, value in metadata.items()}
        yield attributes, datetime.fromisoformat(row["at"]), table


async def _facts(world: World, service: str, event: FactEvent) -> AsyncIterator[dict[str, Any]]:
    """Facts a service has said."""
    for row in await world.rows(_BODIES.format(service=service, like="= $1"), event.name):
        yield orjson.loads(row["body"])


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame.with_columns(pl.col(pl.Categorical).cast(pl.String))
