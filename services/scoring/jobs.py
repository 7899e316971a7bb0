"""Time in: the sweeper, which decides when a shard is swept or assessed anew and keeps that to a few at once."""

import asyncio
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import structlog
from prometheus_client import Counter, Histogram

from services.scoring import policies
from services.scoring.domain.rules import RuleSet
from services.scoring.domain.runs import Due, Pace, Waiting, due, rest
from services.scoring.domain.signals import Array
from services.scoring.settings import ScoringSettings
from services.scoring.store import reassessments, signals
from services.scoring.usecases.division import Divisions
from services.scoring.usecases.forming import Means, Outcome
from services.scoring.usecases.reassess import reassess
from services.scoring.usecases.sweep import sweep
from shared.contracts.events import TableEvent
from shared.kit import trace
from shared.kit.bus import Message
from shared.kit.clock import Clock, wall
from shared.kit.db import Database, WriteTx
from shared.kit.db_errors import is_operational
from shared.kit.outbox import Outbox
from shared.kit.problems import UnavailableError
from shared.kit.waking import woken

log = structlog.get_logger(__name__)

SWEEP, URGENT, DAY, REQUEST = "sweep", "urgent", "day", "request"

SWEPT = Counter("scoring_signals_swept_total", "Signals taken by sweeps")
ASSESSED = Counter("scoring_people_assessed_total", "Opinions formed", ["why"])
CHANGED = Counter("scoring_opinions_changed_total", "Opinions that differed from before")
SWEEP_SECONDS = Histogram("scoring_sweep_seconds", "Time to sweep a shard or assess it anew", ["why"])

_LOOK_SECONDS = 0.05
_IDLE_SECONDS = 0.5
_BACK_OFF = (1.0, 5.0, 15.0, 60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One thing to do with one shard: sweep it, or assess it anew for a new day or for a request."""

    shard: int
    why: str
    share: reassessments.Share | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that waits, whoever will do it."""

    waiting: list[Waiting]
    stale: list[int]
    shares: list[reassessments.Share]


@dataclass(slots=True, kw_only=True)
class Sweeper:
    """Does what shards are due for, a few at once; other processes may run one beside it.

    Attributes:
        wake: set whenever something was heard or asked for.
    """

    database: Database
    outbox: Outbox
    clock: Clock
    settings: ScoringSettings
    rule_sets: tuple[RuleSet, ...]
    divisions: Divisions
    wake: asyncio.Event
    _traces: trace.Joint = field(default_factory=trace.Joint)
    _named_on: date | None = None
    _running: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    _failures: dict[tuple[int, str], tuple[int, float]] = field(default_factory=dict)

    async def run(self) -> None:
        """Work until cancelled."""
        async with self.database.write() as tx:
            await signals.ensure_heads(tx)
        try:
            while True:
                self.wake.clear()
                await self._compare_names(self.clock.today())
                situation = await self._look()
                for job in self._due(situation):
                    if len(self._running) < self.settings.scoring_lanes:
                        self._start(job)
                await self._rest(situation)
        finally:
            tasks = list(self._running.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def hear(self, message: Message) -> None:
        """Something was heard: look at what is due, and let the sweeps of its shards go on with its trace."""
        if isinstance(message.event, TableEvent):
            for shard in message.shards():
                self._traces.leave(int(shard, 16))
        self.wake.set()

    async def working(self) -> int:
        """Units of work that wait or are under way."""
        situation = await self._look()
        return len(situation.waiting) + len(situation.stale) + len(situation.shares) + len(self._running)

    def rules_on(self, day: date) -> RuleSet:
        """The rule set in force."""
        return policies.in_force(self.rule_sets, self.settings.scoring_rule_set, day)

    async def _compare_names(self, today: date) -> None:
        """Once a day: say which weak sources have no points of their own, for it may be a slip in a rule set's file."""
        if today == self._named_on:
            return
        self._named_on, rules = today, self.rules_on(today)
        async with self.database.read() as tx:
            met = (await signals.get_origins(tx)).items
        unnamed = {each.source for each in met if not each.strong} - rules.weak.keys()
        if unnamed:
            unmet = sorted(rules.weak.keys() - {each.source for each in met})
            log.warning("weak_source_without_points", rule_set=rules.name, sources=sorted(unnamed), named_unmet=unmet)

    async def _look(self) -> Situation:
        today = self.clock.today()
        rules = self.rules_on(today)
        holds = (today, rules.name, rules.digest)
        async with self.database.read() as tx:
            heads = await signals.list_heads(tx)
            return Situation(
                waiting=await signals.list_waiting(tx),
                stale=[
                    each.shard
                    for each in heads
                    if each.assessed_on is not None and (each.assessed_on, each.rule_set, each.rules_digest) != holds
                ],
                shares=await reassessments.list_queued(tx),
            )

    def _due(self, situation: Situation) -> list[Job]:
        """What can begin now: what has just been heard, then what a new day or a request asks for."""
        pace = self._pace()
        # Small ones first: a single record does not wait behind a file.
        sweeps = [
            Job(shard=each.shard, why=URGENT if found is Due.URGENT else SWEEP)
            for each in sorted(situation.waiting, key=lambda each: each.rows)
            if (found := due(each, pace)) is not Due.NOTHING
        ]
        anew = [Job(shard=shard, why=DAY) for shard in situation.stale]
        asked = [Job(shard=each.shard, why=REQUEST, share=each) for each in situation.shares]
        jobs: dict[int, Job] = {}
        for job in filter(self._may_try, (*sweeps, *anew, *asked)):
            jobs.setdefault(job.shard, job)
        return [job for job in jobs.values() if job.shard not in self._running]

    def _pace(self) -> Pace:
        return Pace(
            quiet=timedelta(seconds=self.settings.scoring_quiet_seconds),
            quiet_most=timedelta(seconds=self.settings.scoring_quiet_most_seconds),
            patience=timedelta(seconds=self.settings.scoring_patience_seconds),
            urgent=timedelta(seconds=self.settings.scoring_urgent_seconds),
            rows=self.settings.scoring_sweep_rows,
        )

    def _may_try(self, job: Job) -> bool:
        # By what it is for: a sweep or a request that cannot go on does not keep the shard from the others.
        return self._failures.get((job.shard, job.why), (0, 0.0))[1] <= wall()

    def _start(self, job: Job) -> None:
        task = asyncio.create_task(self._do(job), name=f"{job.why}-{job.shard:x}")
        self._running[job.shard] = task
        task.add_done_callback(lambda finished: self._finish(job, finished))

    def _finish(self, job: Job, task: "asyncio.Task[None]") -> None:
        self._running.pop(job.shard, None)
        self.wake.set()
        if task.cancelled():
            return
        if (error := task.exception()) is None:
            self._failures.pop((job.shard, job.why), None)
            return
        failures = self._failures.get((job.shard, job.why), (0, 0.0))[0]
        pause = _BACK_OFF[min(failures, len(_BACK_OFF) - 1)]
        self._failures[job.shard, job.why] = (failures + 1, wall() + pause)
        known = is_operational(error) or isinstance(error, UnavailableError)
        log.warning("sweep_failed", shard=job.shard, why=job.why, pause=pause, exc_info=None if known else error)

    async def _rest(self, situation: Situation) -> None:
        """Until something is heard, asked for or done, or a shard that waits is due."""
        pace = self._pace()
        pauses = [rest(each, pace).total_seconds() for each in situation.waiting]
        if pauses or self._running:
            # Under load every message would ask for a look at what is due; a few hundredths of a second are enough.
            await asyncio.sleep(_LOOK_SECONDS)
        # Who is due and was not begun waits for a place, whose end wakes.
        later = [pause - _LOOK_SECONDS for pause in pauses if pause > 0]
        await woken(self.wake, max(0.0, min([_IDLE_SECONDS, *later])))

    async def _do(self, job: Job) -> None:
        parent, links = self._traces.pick_up(job.shard)
        with trace.span(f"{job.why} shard", parent=parent, links=links, attributes={"shard": f"{job.shard:x}"}):
            await self._do_once(job, [each[3:35] for each in links])

    async def _do_once(self, job: Job, links: list[str]) -> None:
        started = wall()
        only = await self._people_of(job)
        async with self.database.write() as tx:
            outcome = await self._sweep(tx, job) if job.why in (SWEEP, URGENT) else await self._reassess(tx, job, only)
        if outcome is None:
            # Another process has the shard; look again when it may be done.
            await asyncio.sleep(_LOOK_SECONDS)
            return
        if not outcome.signals:
            return
        SWEEP_SECONDS.labels(job.why).observe(wall() - started)
        SWEPT.inc(outcome.signals if job.why in (SWEEP, URGENT) else 0)
        ASSESSED.labels(job.why).inc(outcome.people)
        CHANGED.inc(outcome.changed)
        log.info(
            "shard_assessed",
            shard=f"{job.shard:x}",
            why=job.why,
            signals=outcome.signals,
            people=outcome.people,
            changed=outcome.changed,
            said=outcome.said,
            links=links,
            suspicions=outcome.raised,
            seconds=round(wall() - started, 3),
        )

    def _means(self, today: date, rules: RuleSet) -> Means:
        return Means(
            outbox=self.outbox,
            rules=rules,
            today=today,
            now=self.clock.now(),
            rows=self.settings.scoring_sweep_rows,
        )

    async def _sweep(self, tx: WriteTx, job: Job) -> Outcome | None:
        today = self.clock.today()
        return await sweep(tx, self._means(today, self.rules_on(today)), job.shard, urgent_only=job.why == URGENT)

    async def _people_of(self, job: Job) -> Array | None:
        """Whose opinions alone are asked for; asked before the transaction, which waits for nobody."""
        if job.share is None or job.share.division is None:
            return None
        found = await self.divisions.people(job.share.division, job.shard)
        # A division that is gone from the list of grids has nobody.
        return np.empty(0, dtype="S16") if found is None else found

    async def _reassess(self, tx: WriteTx, job: Job, only: Array | None) -> Outcome | None:
        share, today = job.share, self.clock.today()
        means = self._means(today, self.rules_on(today))
        if share is None:
            done = await reassess(tx, means, job.shard, shadow=False)
            return done.outcome if done else None
        if not await reassessments.lock_queued(tx, share):
            return Outcome()
        if share.shadow:
            tried = next((each for each in self.rule_sets if each.name == share.rule_set), None)
            if tried is None:
                log.warning("rule_set_gone", rule_set=share.rule_set, shard=f"{job.shard:x}")
                await reassessments.give_up(tx, share, self.clock.now())
                return Outcome()
            means = self._means(share.assess_on, tried)
        # What is written holds for the day on which it is written, as all other opinions of the shard do.
        done = await reassess(tx, means, job.shard, shadow=share.shadow, only=only)
        if done is None:
            return None
        await reassessments.finish(
            tx,
            share,
            people=done.outcome.people,
            changed=done.outcome.changed,
            moves=done.moves,
            at=self.clock.now(),
        )
        return done.outcome
