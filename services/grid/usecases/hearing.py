"""What grid does with what others say: sets in, sets out."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import polars as pl
import pyarrow as pa

from services.grid.domain.cases import Basis, CaseAction, Step
from services.grid.domain.priority import visit_priority
from services.grid.domain.tasks import SIGHTINGS, TaskOutcome
from services.grid.domain.visits import OPENS_CASE, VisitStatus
from services.grid.store import asking, cases, locks, people, stops, suspicions, tasks, visits
from services.grid.store.reopening import Again
from services.grid.usecases.asking import sample_weak
from services.grid.usecases.casefeeding import look_after_all
from services.grid.usecases.deps import Deps
from services.grid.usecases.eyes import look_with_others
from services.grid.usecases.importing import give_out_cases
from services.grid.usecases.keeping import follow_addresses, follow_roster
from services.grid.usecases.opening import knock_after_all, say_opened
from shared.contracts.events.recognition import CertificateRevoked, EnrolmentStateChanged
from shared.contracts.vocabulary import Channel, Claim, EnrolmentChange
from shared.kit.db import WriteTx
from shared.kit.workdays import after_working_days

_UNSEEN = (
    *OPENS_CASE,
    TaskOutcome.CERTIFIED_MEANWHILE,
    TaskOutcome.NOT_ENROLLED,
    TaskOutcome.UNREACHABLE,
)
"""What may have closed the knock at whoever is paid again, with nobody having seen him since."""


_BY_VISIT = frozenset({Channel.HOME, Channel.REMOTE})
"""Channels of certificates that were made of a sighting."""
REVOKED = "certificate_revoked"
"""Flag of a visit whose certificate officers have taken back."""


def columns(table: pa.Table) -> pl.DataFrame:
    """A message's table with plain text instead of dictionaries."""
    plain = table.cast(
        pa.schema(
            [
                pa.field(field.name, field.type.value_type if pa.types.is_dictionary(field.type) else field.type)
                for field in table.schema
            ]
        )
    )
    frame = pl.from_arrow(plain)
    assert isinstance(frame, pl.DataFrame)
    return frame


async def note_enrolments(
    tx: WriteTx, deps: Deps, rows: pl.DataFrame, *, shards: Sequence[str], program: str, received_at: datetime
) -> None:
    """Where people live, who is no longer paid by anybody, and who is paid again and was seen by nobody."""
    await locks.lock_some(tx, shards)
    now = deps.clock.now()
    shaped = rows.unique("subject", keep="last", maintain_order=True).with_columns(
        active=pl.col("change") != EnrolmentChange.ENDED,
        division=pl.when(pl.col("division").str.contains(r"^\d{12}$")).then("division"),
    )
    staged, moved = await people.save_recipients(tx, shaped, program=program, received_at=received_at)
    if not shaped["active"].all():
        await tasks.settle_unenrolled(tx, staged, now)
    if shaped["active"].any():
        back = await tasks.let_go(tx, staged)
        await knock_after_all(tx, deps, back, Again(outcomes=(TaskOutcome.NOT_ENROLLED,)))
    if moved:
        await follow_roster(tx, deps, moved, received_at=received_at)
    await stops.place(tx, shaped["subject"].to_list())
    if await asking.has_unplaced(tx):
        await asking.place_unplaced(tx, shaped, deps.knock_by(), now)
    if await suspicions.has_detected(tx):
        await give_out_cases(tx, deps, among=staged)


async def open_tasks(tx: WriteTx, deps: Deps, rows: pl.DataFrame, *, shard: str, run: str) -> None:
    """People nobody has seen: a knock each."""
    await locks.lock_shard(tx, shard)
    today = deps.clock.today()
    shaped = (
        rows.sort("due_on")
        .unique("subject", keep="first", maintain_order=True)
        .with_columns(
            priority=visit_priority(
                today, born_on=pl.col("born_on"), due_on=pl.col("due_on"), programs=pl.col("programs")
            ),
            division=pl.when(pl.col("division").str.contains(r"^\d{12}$")).then("division"),
        )
    )
    opened = await tasks.open_due(tx, shaped, run=run, deadline_on=deps.knock_by(), now=deps.clock.now())
    await say_opened(tx, deps, opened, run=run)


async def note_certificates(tx: WriteTx, deps: Deps, rows: pl.DataFrame, *, shard: str, said_at: datetime) -> None:
    """Certified people need no knock, unless the certificate ends before what was due."""
    await locks.lock_shard(tx, shard)
    certificates = rows.filter((pl.col("claim") == Claim.ALIVE) & pl.col("valid_until").is_not_null())
    await sample_weak(tx, deps, certificates)
    alive = certificates.sort("valid_until").unique("subject", keep="last", maintain_order=True)
    if alive.height:
        staged = await people.save_certified(tx, alive, said_at)
        await tasks.settle_certified(tx, staged, deps.clock.now())


async def note_revoked(tx: WriteTx, deps: Deps, fact: CertificateRevoked) -> None:
    """A certificate that does not hold answers nothing: whom only it certified, somebody knocks at after all."""
    if fact.claim != Claim.ALIVE:
        return
    await locks.lock_people(tx, [fact.subject])
    await people.save_revoked(tx, fact.certificate_id, fact.revoked_at)
    await knock_after_all(tx, deps, [fact.subject], Again(outcomes=(TaskOutcome.CERTIFIED_MEANWHILE,)))
    channel = fact.channel or await people.certified_through(tx, fact.subject, fact.certificate_id)
    if channel in _BY_VISIT:
        sighting = Again(outcomes=tuple(SIGHTINGS), unseen_since=fact.revoked_at, seen_is_enough=False)
        await knock_after_all(tx, deps, [fact.subject], sighting)
    if fact.visit_id is not None:
        await _set_aside(tx, deps, fact.subject, fact.visit_id)


async def _set_aside(tx: WriteTx, deps: Deps, subject: UUID, visit_id: UUID) -> None:
    """A visit that is found not to be so proves nothing any more, and others look into what rested on it."""
    visit = (await visits.find_visits(tx, [visit_id])).get(visit_id)
    if visit is None or visit.subject != subject or visit.status is not VisitStatus.CONCLUDED:
        return
    await visits.set_status(tx, visit_id, VisitStatus.RETURNED, [*visit.flags, REVOKED])
    await look_with_others(tx, deps, [subject])
    await look_after_all(tx, deps, subject, [visit_id])
    await follow_addresses(tx, deps, [subject])


async def take_suspicions(tx: WriteTx, deps: Deps, rows: pl.DataFrame, *, shard: str, rule_set: str) -> None:
    """Suspicions become cases, or feed those under way; each new case is a knock."""
    await locks.lock_shard(tx, shard)
    now, today = deps.clock.now(), deps.clock.today()
    deadline = after_working_days(today, deps.policies.on(today).case_working_days)
    opened = await suspicions.take_suspicions(tx, rows, rule_set=rule_set, deadline_on=deadline, now=now)
    await give_out_cases(tx, deps, among=opened)
    await look_with_others(tx, deps, [UUID(bytes=each) for each in rows["subject"].unique(maintain_order=True)])


async def note_decision(tx: WriteTx, deps: Deps, fact: EnrolmentStateChanged, state: str) -> None:
    """What an officer decided about a person's benefit: kept with the case, and nobody knocks where nothing is paid."""
    await locks.lock_people(tx, [fact.subject])
    if fact.case_id is not None:
        step = Step(
            action=CaseAction.DECIDE,
            actor="recognition",
            role="service",
            happened_at=fact.decided_at,
            outcome=f"{state}:{fact.program}",
            event_on=fact.effective_on,
            basis=(Basis(kind="decision", reference=str(fact.decision_id)),),
        )
        if await cases.find_case(tx, fact.case_id) is not None:
            await cases.add_step(tx, fact.case_id, step)
    if state != "suspended":
        # A suspended person is still looked for: seen, his payments go on.
        active = state == "resumed"
        await people.set_active(tx, fact.subject, fact.program, active=active, decided_at=fact.decided_at)
        if active:
            again = Again(
                outcomes=_UNSEEN, unseen_since=fact.decided_at, seen_is_enough=False, confirmed_is_enough=False
            )
            await knock_after_all(tx, deps, [fact.subject], again)
        else:
            await tasks.settle_unpaid(tx, fact.subject, deps.clock.now())
