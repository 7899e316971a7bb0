"""Nobody is written to between a record of his death and the day on which people find that he lives."""

import contextlib
import io
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import polars as pl

from shared.contracts.events import CASE_CONCLUDED, DEATH_RETRACTED, SUSPICION_RAISED, FactEvent
from shared.contracts.events.grid import STOP_REQUEST_CONCLUDED, VISIT_CONCLUDED
from shared.contracts.vocabulary import CaseConclusion, Confidence, SuspicionKind, VisitResult
from shared.kit.clock import day_of
from tests.year import said
from tests.year.checks import Check
from tests.year.world import World

_KINDS = {SuspicionKind.DEATH, SuspicionKind.CONFLICT}
_LIVES = {CaseConclusion.FALSE_DEATH, CaseConclusion.UNFOUNDED}
_DIED = {CaseConclusion.CONFIRMED, CaseConclusion.CONFIRMED_NO_OVERPAYMENT}
_TOLD_OF = {"death", "declared_dead", "household_extinct"}
# What one service says another has heard long before the clock is moved on, by hours at least.
_HEARD = timedelta(hours=1)
_PERSONAL = """
SELECT subject, handed_at AS at FROM notify.delivery WHERE personal AND handed_at IS NOT NULL
UNION ALL SELECT subject, created_at FROM notify.message WHERE audience = 'citizen' AND in_inbox
"""
_TEXTED = (
    "SELECT message_id::text AS id, subject, handed_at AS at FROM notify.delivery "
    "WHERE channel = 'sms' AND subject IS NOT NULL AND handed_at IS NOT NULL"
)
_OWN = (("身份证号", "手机号"), ("公民身份号码", "联系电话"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What says that somebody died; of one id the newest revision counts.

    Attributes:
        said: when others could hear of it.
        at: when it came to be known.
        since: day of the death, where it names one.
        register: told by registers only.
    """

    of: str
    revision: int
    said: datetime
    at: datetime
    stands: bool
    since: date | None
    register: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """That people found somebody alive.

    Attributes:
        until: last day of which they speak; None: whatever had been recorded by then.
        undated: only what names no day.
        register: only what registers told.
    """

    said: datetime
    at: datetime
    until: date | None
    undated: bool = False
    register: bool = False

    def answers(self, record: Record) -> bool:
        """Whether the record says no more than what people found not to be so."""
        if self.at < record.at or (self.register and not record.register):
            return False
        if self.undated:
            return record.since is None
        return self.until is None or (record.since or day_of(record.at)) <= self.until


_Known = Mapping[UUID, Sequence[Record | Alive]]


async def end(world: World) -> list[Check]:
    """What was sent after the record of a death, by our own flag and by the number texted."""
    known = await _known(world)
    touched = [(row["subject"], row["at"]) for row in await world.rows(_PERSONAL)]
    own, to = _own_numbers(world), _numbers_texted(world)
    texted = [
        (row["subject"], row["at"])
        for row in await world.rows(_TEXTED)
        if own.get(row["subject"], set()) & to.get(row["id"], set())
    ]
    refused = await world.database.fetchval("SELECT count(*) FROM notify.message WHERE refused = 'recorded_dead'")
    wrong, rung = ({who for who, at in some if recorded(known.get(who, ()), at)} for some in (touched, texted))
    return [
        Check(
            name="nobody recorded as dead is written to after the record",
            # None may have to be refused: who says what is asked of notify leaves the dead out already.
            good=bool(known) and not wrong,
            found=f"{len(known):,} recorded, {refused:,} messages refused, {len(wrong)} written to",
        ),
        Check(
            name="no text about somebody recorded as dead goes to the number his roster has for himself",
            good=bool(texted) and not rung,
            found=f"{len(texted):,} texts to people's own numbers, {len(rung)} people after the record",
        ),
    ]


def recorded(known: Sequence[Record | Alive], at: datetime) -> bool:
    """Whether somebody stood recorded as dead well before an instant, and until then."""
    looks = [at - _HEARD, *(each.said for each in known if at - _HEARD < each.said <= at)]
    return all(_dead(known, look) for look in looks)


def _dead(known: Sequence[Record | Alive], look: datetime) -> bool:
    newest: dict[str, Record] = {}
    found = [each for each in known if isinstance(each, Alive) and each.said <= look]
    for each in known:
        if isinstance(each, Record) and each.said <= look:
            newest[each.of] = max(newest.get(each.of, each), each, key=lambda record: (record.revision, record.at))
    return any(each.stands and not any(one.answers(each) for one in found) for each in newest.values())


async def _known(world: World) -> _Known:
    known: dict[UUID, list[Record | Alive]] = defaultdict(list)
    async for _, at, frame in said.tables(world, "scoring", SUSPICION_RAISED):
        for row in frame.filter(pl.col("kind").is_in([kind.value for kind in _KINDS])).iter_rows(named=True):
            known[UUID(bytes=row["subject"])].append(_suspected(row, at))
    for service, event, read in _READ:
        async for at, fact in said.facts(world, service, event):
            known[UUID(fact["subject"])] += read(fact, at)
    return {who: each for who, each in known.items() if each}


def _suspected(row: Mapping[str, Any], at: datetime) -> Record:
    # A bare hint records nobody as dead, and what is said again without evidence has been taken back.
    stands = row["confidence"] != Confidence.HINT and bool(row["evidence_ids"])
    of = UUID(bytes=row["suspicion_id"]).hex
    return Record(of=of, revision=row["revision"], said=at, at=at, stands=stands, since=row["event_on"], register=True)


def _found(fact: Mapping[str, Any], said_at: datetime, of: str, at: str) -> Record:
    when = datetime.fromisoformat(at)
    since = _day(fact.get("event_on"))
    return Record(of=of, revision=1, said=said_at, at=when, stands=True, since=since, register=False)


def _visited(fact: Mapping[str, Any], said_at: datetime) -> Iterator[Record]:
    if fact["result"] == VisitResult.DEAD:
        yield _found(fact, said_at, fact["visit_id"], fact["visited_at"])


def _asked(fact: Mapping[str, Any], said_at: datetime) -> Iterator[Record]:
    if fact["confirmed"] and fact["reason"] in _TOLD_OF:
        yield _found(fact, said_at, fact["request_id"], fact["concluded_at"])


def _concluded(fact: Mapping[str, Any], said_at: datetime) -> Iterator[Record | Alive]:
    if fact["kind"] not in _KINDS:
        return
    at, died, seen = datetime.fromisoformat(fact["concluded_at"]), _day(fact["event_on"]), _day(fact["seen_on"])
    if fact["conclusion"] in _DIED:
        yield _found(fact, said_at, fact["case_id"], fact["concluded_at"])
    elif fact["conclusion"] in _LIVES:
        yield Alive(said=said_at, at=at, until=max(seen, died or seen) if seen else None)
        if died is None:
            yield Alive(said=said_at, at=at, until=None, undated=True, register=True)


def _retracted(fact: Mapping[str, Any], said_at: datetime) -> Iterator[Alive]:
    at, lived = datetime.fromisoformat(fact["found_at"]), date.fromisoformat(fact["alive_on"])
    # Who was seen on a day may have died that night.
    yield Alive(said=said_at, at=at, until=lived - timedelta(days=1))
    if fact["event_on"] is None:
        about = datetime.fromisoformat(fact["about_at"]) if fact["about_at"] else at
        yield Alive(said=said_at, at=about, until=None, undated=True)


_READ: Sequence[tuple[str, FactEvent, Callable[[Mapping[str, Any], datetime], Iterator[Record | Alive]]]] = (
    ("grid", VISIT_CONCLUDED, _visited),
    ("grid", STOP_REQUEST_CONCLUDED, _asked),
    ("grid", CASE_CONCLUDED, _concluded),
    ("recognition", DEATH_RETRACTED, _retracted),
)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _own_numbers(world: World) -> Mapping[UUID, set[str]]:
    """What rosters say that a person's own phone is; workbooks, of small programs, are not opened."""
    numbers: dict[str, set[str]] = defaultdict(set)
    for file in world.run.manifest.of("roster"):
        if file.format == "csv":
            text = world.run.manifest.locate(file).read_bytes().decode(file.encoding)
            frame = pl.read_csv(io.BytesIO(text.encode()), infer_schema=False)
            columns = next(pair for pair in _OWN if pair[0] in frame.columns)
            for citizen_id, phone in frame.select(columns).drop_nulls().iter_rows():
                numbers[citizen_id].add(phone)
    return {who: numbers[person.citizen_id] for who, person in world.people.items() if person.citizen_id in numbers}


def _numbers_texted(world: World) -> Mapping[str, set[str]]:
    """Which numbers the gateways were handed each message for."""
    numbers: dict[str, set[str]] = defaultdict(set)
    with contextlib.closing(sqlite3.connect(world.run.stack.folder.root / "sandbox" / "sandbox.sqlite3")) as kept:
        for of, to in kept.execute('SELECT id, "to" FROM sms'):
            numbers[of].add(to)
    return numbers
