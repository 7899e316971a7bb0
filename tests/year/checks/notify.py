"""Everyone concerned is told once, and nothing stops untold."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from typing import Any
from uuid import UUID

import polars as pl

from shared.contracts.events import (
    CERTIFICATE_REVOKED,
    CERTIFICATES_ISSUED,
    CERTIFICATIONS_DUE,
    MESSAGE_DELIVERED,
    NOTICE_GIVEN,
    SUSPICION_RAISED,
)
from shared.contracts.events.notify import MESSAGE_FAILED
from shared.contracts.vocabulary import Claim
from tests.flows import told as flows
from tests.year import said
from tests.year.checks import Check
from tests.year.world import World

_CHANNELS_BEFORE_A_STOP = 2
_CERTIFIED = """
SELECT m.subject, (m.created_at AT TIME ZONE 'Asia/Shanghai')::date AS day, m.variables->>'valid_until' AS until, m.given_up,
       m.given_up OR m.read_at IS NOT NULL
       OR EXISTS (SELECT FROM notify.delivery d WHERE d.message_id = m.id AND d.handed_at IS NOT NULL) AS stays
FROM notify.message m WHERE m.template = 'certified' ORDER BY m.created_at, m.said_at
"""
# Of what stands; who died meanwhile is told nothing, and of several ends the last one said is brought.
_STANDING = """
SELECT coalesce(m.in_inbox AND c.reachable <> 'none', false) OR EXISTS (
           SELECT FROM notify.delivery d
           WHERE d.message_id = m.id AND (d.handed_at IS NOT NULL OR d.reason = 'recorded_dead')) AS brought
FROM notify.message m LEFT JOIN notify.contact c USING (subject)
WHERE m.template = 'certified' AND m.refused IS NULL AND NOT m.given_up AND NOT EXISTS (
    SELECT FROM notify.message y WHERE y.subject = m.subject AND y.template = m.template AND NOT y.given_up
        AND (y.said_at, y.id) > (m.said_at, m.id))
"""
_Day = tuple[UUID, date]


async def end(world: World) -> list[Check]:
    """What was told in the year equals what happened in it."""
    return [
        await _certified(world),
        await _stands(world),
        await _brought(world),
        await _once(world),
        await _due(world),
        await _noticed(world),
        await _suspicions(world),
        await _stops(world),
        await _settled(world),
    ]


async def _certified(world: World) -> Check:
    ends, last = await _ends(world)
    told: dict[_Day, list[Any]] = defaultdict(list)
    of_end: dict[tuple[UUID, str], list[Any]] = defaultdict(list)
    for row in await world.rows(_CERTIFIED):
        told[row["subject"], row["day"]].append(row)
        of_end[row["subject"], row["until"]].append(row)
    revoked = {UUID(fact["certificate_id"]) async for _, fact in said.facts(world, "recognition", CERTIFICATE_REVOKED)}
    # An end that stands is not told again, whatever certificate it is of.
    stood = {
        (subject, day)
        for (subject, day), (certificate, until) in last.items()
        if any(row["day"] < day and (certificate in revoked or not row["given_up"]) for row in of_end[subject, until])
    }
    wrong = {
        key
        for key in ends.keys() | told.keys()
        if not (told[key] or key in stood) or not _as_said(ends[key], told[key])
    }
    # What was revoked before anybody heard of it is told to nobody.
    untold = {
        key
        for key, (certificate, until) in last.items()
        if certificate not in revoked and key not in stood and until not in {row["until"] for row in told[key]}
    }
    return Check(
        name="each certified person has exactly one notice for each certificate that reaches further",
        good=bool(last) and not wrong | untold,
        found=f"{sum(each.total() for each in ends.values()):,} certificates of {len(last):,} people and days, "
        f"{sum(map(len, told.values())):,} notices, {len(wrong)} otherwise, of {len(untold)} the last end untold",
    )


async def _ends(world: World) -> tuple[Mapping[_Day, Counter[str]], Mapping[_Day, tuple[UUID, str]]]:
    """By person and day, the ends of certificates that reached further, and the last one with its certificate."""
    ends: dict[_Day, Counter[str]] = defaultdict(Counter)
    last: dict[_Day, tuple[UUID, str]] = {}
    async for attributes, _, frame in said.tables(world, "recognition", CERTIFICATES_ISSUED):
        day = date.fromisoformat(attributes["issued_on"])
        rows = frame.filter(
            (pl.col("claim") == Claim.ALIVE)
            & pl.col("valid_until").is_not_null()
            & (pl.col("previous_until").is_null() | (pl.col("valid_until") > pl.col("previous_until")))
        )
        for subject, certificate, until in rows.select("subject", "certificate_id", "valid_until").iter_rows():
            key = (UUID(bytes=subject), day)
            ends[key][until.isoformat()] += 1
            last[key] = (UUID(bytes=certificate), until.isoformat())
    return ends, last


def _as_said(ends: Counter[str], rows: Sequence[Any]) -> bool:
    """Whether the notices of a person and day tell what was said, each end once, and several only where they had to.

    What nobody has been handed or has read learns of a further end; what was given up stays as it was.
    """
    return Counter(row["until"] for row in rows) <= ends and all(row["stays"] for row in rows[:-1])


async def _stands(world: World) -> Check:
    rows = await flows.stands(world.run.stack.database_url(), world.today)
    revoked, lost = sum(row["revoked"] for row in rows), sum(not row["told"] for row in rows)
    return Check(
        name="whoever is certified was last told until when",
        good=bool(rows) and lost == 0,
        found=f"{len(rows):,} certified people, {revoked:,} of whom something was revoked, {lost} told otherwise",
    )


async def _brought(world: World) -> Check:
    rows = await world.rows(_STANDING)
    lost = sum(not row["brought"] for row in rows)
    return Check(
        name="what tells until when somebody is certified was handed to a channel, or lies where he looks",
        good=bool(rows) and lost == 0,
        found=f"{len(rows):,} notices that stand, {lost} brought by nothing",
    )


async def _once(world: World) -> Check:
    stack = world.run.stack
    twice = await flows.twice(stack.database_url(), stack.folder.root / "sandbox")
    texts = await world.database.fetchval(
        "SELECT count(*) FROM notify.delivery WHERE channel = 'sms' AND handed_at IS NOT NULL"
    )
    return Check(
        name="nobody is told the same twice: no message, no hand-over, no text",
        good=texts > 0 and not twice,
        found=f"{texts:,} texts handed over, {len(twice)} twice" + "".join(f"; {each}" for each in twice[:1]),
    )


async def _due(world: World) -> Check:
    steps = set()
    async for attributes, _, frame in said.tables(world, "recognition", CERTIFICATIONS_DUE):
        ran = date.fromisoformat(attributes["run_on"])
        for subject, due_on in frame.select("subject", "due_on").drop_nulls().iter_rows():
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
        (f"notice_{fact['kind']}", UUID(fact["notice_id"]))
        async for _, fact in said.facts(world, "recognition", NOTICE_GIVEN)
    }
    told = Counter(
        tuple(row)
        for row in await world.rows("SELECT template, about FROM notify.message WHERE template LIKE 'notice\\_%'")
    )
    return _same("each legal notice recognition gives is one message", given, told)


async def _suspicions(world: World) -> Check:
    raised = set()
    async for _, _, frame in said.tables(world, "scoring", SUSPICION_RAISED):
        raised |= {UUID(bytes=each) for each in frame["suspicion_id"]}
    told = Counter(
        row["about"] for row in await world.rows("SELECT about FROM notify.message WHERE template = 'suspicion_opened'")
    )
    return _same("each suspicion is one message to the officers", raised, told)


async def _stops(world: World) -> Check:
    tried: dict[UUID, list[tuple[datetime, str]]] = defaultdict(list)
    for event, column in ((MESSAGE_DELIVERED, "delivered_at"), (MESSAGE_FAILED, "failed_at")):
        async for _, _, frame in said.tables(world, "notify", event):
            rows = frame.filter(pl.col("about").is_not_null())
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
