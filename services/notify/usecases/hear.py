"""What is done with what other services say: the same end in any order, however often it is heard."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import pyarrow as pa

from services.notify.domain import drafts as rules
from services.notify.domain import facts
from services.notify.domain.drafts import Drafts
from services.notify.store import contacts, given_up, messages
from services.notify.usecases.deps import Deps
from shared.contracts.events import (
    MESSAGE_DELIVERED,
    BatchCompleted,
    CaseConcluded,
    CertificateRevoked,
    DeathRetracted,
)
from shared.contracts.events.grid import StopRequestConcluded, VisitConcluded
from shared.contracts.events.recognition import NoticeGiven
from shared.contracts.vocabulary import Claim, VisitResult
from shared.kit import arrow
from shared.kit.db import WriteTx


async def hear_contacts(tx: WriteTx, deps: Deps, table: pa.Table, *, received_at: datetime) -> None:
    """Keep how people can be reached, and queue what waited for it."""
    await contacts.lock_shards(tx, arrow.shards_of(table))
    await contacts.keep_contacts(tx, table, received_at)
    now, opens, phones = deps.clock.now(), deps.opens(), deps.phone_channels()
    await contacts.wake_waiting(tx, now, opens, phones)
    await contacts.announce(tx, deps.announced(), now, opens, now - timedelta(days=deps.wait_days), phones)


async def hear_certificates(
    tx: WriteTx, deps: Deps, table: pa.Table, *, shard: str, issued_on: date, said_at: datetime
) -> None:
    """Tell each newly certified person until when nothing has to be done; nobody need knock at his door any more."""
    await contacts.lock_shard(tx, shard)
    draft = rules.certified(table, issued_on, said_at)
    if draft.rows.num_rows:
        await write(tx, deps, [draft])
        await messages.withdraw_reminders(tx, deps.village_channels(), deps.clock.now())


async def hear_due(tx: WriteTx, deps: Deps, table: pa.Table, *, shard: str, run_on: date) -> None:
    """Tell people whom no source has seen that a grid member will call at the door."""
    await contacts.lock_shard(tx, shard)
    await write(tx, deps, rules.due(table, run_on))


async def hear_suspicions(tx: WriteTx, deps: Deps, table: pa.Table, *, shard: str, raised_at: datetime) -> None:
    """Tell the officer; from now on write to nobody who stands recorded as dead."""
    await contacts.lock_shard(tx, shard)
    await contacts.record_dead(tx, rules.recorded_dead(table), raised_at, deps.clock.now())
    await write(tx, deps, [rules.suspicions(table)])


async def hear_case(tx: WriteTx, deps: Deps, fact: CaseConcluded) -> None:
    """People have looked: a death stands for good, or somebody alive may be written to again."""
    if fact.kind not in rules.DEATH_KINDS:
        return
    if fact.conclusion in rules.DEATH_STANDS:
        record = rules.found_dead(fact.subject, fact.case_id, fact.event_on, "confirmed")
        await _record_dead(tx, deps, fact.subject, record, fact.concluded_at)
    elif fact.conclusion in rules.DEATH_LIFTED:
        seen = None if fact.seen_on is None else max(fact.seen_on, fact.event_on or fact.seen_on)
        if fact.event_on is None:
            # It is about what registers told; whom a grid member found dead since he was seen is another matter.
            told = rules.found_alive(fact.subject, None, fact.concluded_at, rules.ALIVE_UNSUSPECTED)
            await _record_dead(tx, deps, fact.subject, told, fact.concluded_at)
        await _found_alive(tx, deps, fact.subject, seen, fact.concluded_at)


async def hear_retraction(tx: WriteTx, deps: Deps, fact: DeathRetracted) -> None:
    """Officers have found that somebody lives: he may be written to again, unless he has died since."""
    # Who was seen on a day may have died that night.
    until = fact.alive_on - timedelta(days=1)
    if fact.event_on is None:
        about = fact.about_at or fact.found_at
        told = rules.found_alive(fact.subject, None, about, rules.ALIVE_UNDATED)
        await _record_dead(tx, deps, fact.subject, told, about)
    await _found_alive(tx, deps, fact.subject, until, fact.found_at)


async def hear_visit(tx: WriteTx, deps: Deps, fact: VisitConcluded) -> None:
    """A grid member found somebody dead: he is not written to until people conclude otherwise."""
    if fact.result is VisitResult.DEAD:
        record = rules.found_dead(fact.subject, fact.visit_id, fact.event_on, "visit")
        await _record_dead(tx, deps, fact.subject, record, fact.visited_at)


async def hear_stop_request(tx: WriteTx, deps: Deps, fact: StopRequestConcluded) -> None:
    """A relative has told of a death, and two people found it so."""
    if fact.confirmed and facts.tells_of_death(fact):
        record = rules.found_dead(fact.subject, fact.request_id, fact.event_on, "stop_request")
        await _record_dead(tx, deps, fact.subject, record, fact.concluded_at)


async def _record_dead(tx: WriteTx, deps: Deps, subject: UUID, record: pa.Table, at: datetime) -> None:
    await contacts.lock_shard(tx, subject.hex[0])
    await contacts.record_dead(tx, record, at, deps.clock.now())


async def _found_alive(tx: WriteTx, deps: Deps, subject: UUID, until_on: date | None, at: datetime) -> None:
    """From then on he is told himself, also what came in before the news that he lives."""
    await _record_dead(tx, deps, subject, rules.found_alive(subject, until_on, at), at)
    if not await contacts.is_blocked(tx, subject):
        await write(tx, deps, await messages.take_back(tx, subject, at, deps.templates.keys()))


async def hear_revocation(tx: WriteTx, deps: Deps, fact: CertificateRevoked) -> None:
    """Tell the officer that a certificate no longer holds; what its person was told of it is not so any more."""
    await contacts.lock_shard(tx, fact.subject.hex[0])
    await write(tx, deps, [facts.revoked(fact)])
    if fact.claim == Claim.ALIVE:
        now, channels = deps.clock.now(), deps.village_channels()
        await given_up.by_certificate(tx, fact.subject, fact.certificate_id, now, channels=channels)


async def hear_notice(tx: WriteTx, deps: Deps, fact: NoticeGiven) -> None:
    """Tell a person, or his family where he is recorded as dead, what touches his money."""
    await contacts.lock_shard(tx, fact.subject.hex[0])
    await write(tx, deps, [facts.notice(fact)])
    if fact.decision_id:
        now, channels = deps.clock.now(), deps.village_channels()
        await given_up.by_decision(tx, fact.subject, fact.decision_id, now, channels=channels)


async def hear_batch(tx: WriteTx, deps: Deps, fact: BatchCompleted) -> None:
    """Tell a department which of its rows could not be used."""
    if draft := facts.quarantined(fact):
        await write(tx, deps, [draft])


async def write(tx: WriteTx, deps: Deps, drafts: Sequence[Drafts]) -> messages.Written:
    """Write messages and their deliveries, and say which ones reached an inbox by that."""
    plans = {each.template: deps.plan(each.template) for each in drafts}
    now, villages = deps.clock.now(), deps.village_channels()
    written = await messages.write_drafts(tx, drafts, plans, now=now, opens=deps.opens(), villages=villages)
    count = written.told.num_rows
    if count:
        told = written.told.append_column("channel", pa.array(["inbox"] * count, pa.string()))
        told = told.append_column("delivered_at", pa.array([now] * count, pa.timestamp("us", "UTC")))
        await deps.outbox.say_table(tx, MESSAGE_DELIVERED, told)
    if written.queued:
        tx.after_commit.append(deps.wake.set)
    return written
