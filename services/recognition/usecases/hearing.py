"""What is done with what the other services say; any order of arrival leads to the same standing."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import asyncpg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.recognition.domain.certificates import NO_CAP, Certificate, certificate_id, certificate_ids, channel_of
from services.recognition.domain.clearings import spoken_until
from services.recognition.domain.standing import Finding, finding_of
from services.recognition.store import certificates, clearings, cycles, decisions, hearing, proposals, requests
from services.recognition.usecases import asking, corrections, grounds, proposing
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.sightings import keep_visit
from shared.contracts.events import CERTIFICATES_ISSUED, CaseConcluded, VisitConcluded
from shared.contracts.vocabulary import (
    CaseConclusion,
    Channel,
    Claim,
    Decision,
    EnrolmentChange,
    Strength,
    SuspicionKind,
)
from shared.kit import arrow
from shared.kit.clock import day_of
from shared.kit.db import WriteTx

_VISIT_RULE = "visit@1"

_ISSUED_COLUMNS = {
    "subject": pa.binary(16),
    "certificate_id": pa.binary(16),
    "as_of": pa.date32(),
    "channel": pa.string(),
    "strength": pa.string(),
    "valid_until": pa.date32(),
    "programs": pa.int16(),
    "previous_until": pa.date32(),
}


def shard_of(subject: UUID) -> str:
    """First hex digit of a subject."""
    return subject.hex[0]


def records_table(rows: Sequence[asyncpg.Record], columns: dict[str, pa.DataType]) -> pa.Table:
    """Rows of the driver as an Arrow table."""
    return pa.table(
        {name: pa.array([row[name] for row in rows], kind) for name, kind in columns.items()}, schema=pa.schema(columns)
    )


async def hear_assessments(  # noqa: PLR0913  (a message has this many parts)
    deps: Deps,
    tx: WriteTx,
    table: pa.Table,
    *,
    shard: str,
    attributes: dict[str, str],
    said_at: datetime,
    said_id: UUID,
) -> None:
    """Take in opinions of scoring: certifiable ones become certificates, suspected ones a review; nothing stops."""
    today = deps.clock.today()
    await certificates.lock_shard(tx, shard)
    await hearing.merge_assessments(
        tx,
        _assessments(_one_a_subject(table)),
        rule_set=attributes["rule_set"],
        assessed_on=date.fromisoformat(attributes["assessed_on"]),
        said_at=said_at,
        said_id=said_id,
        today=today,
    )
    await _say_issued(deps, tx, await hearing.announce_assessed(tx, deps.cycles(today), today), today)
    await grounds.withdraw_in_time(deps, tx, "heard_assessment")


async def hear_enrolments(deps: Deps, tx: WriteTx, table: pa.Table, *, program: str, received_at: datetime) -> None:
    """Take in what a roster said; whoever was certified before the roster came is told so now.

    A sandbox has no roster: real people must never stand in it.
    """
    if program in deps.programs and deps.programs[program].sandbox:
        return
    today = deps.clock.today()
    await certificates.lock_shards(tx, arrow.shards_of(table))
    heard = _enrolments(_one_a_subject(table))
    if ended := await hearing.merge_enrolments(tx, heard, program=program, received_at=received_at):
        await decisions.begin_anew(tx, ended, program, deps.clock.now())
    await _say_issued(deps, tx, await hearing.announce_enrolled(tx, deps.cycles(today), today), today)
    await grounds.withdraw_in_time(deps, tx, "heard_enrolment")
    await asking.pass_on_waiting(deps, tx)
    await grounds.withdraw_single(deps, tx)
    await proposing.propose_double_receipt(deps, tx, program)
    await proposals.withdraw_payee_changed(tx, program, deps.clock.now())
    if known := await proposals.subjects_with_findings(tx):
        await proposing.propose_findings(deps, tx, known)
    await proposing.propose_verified(deps, tx, program)


async def hear_visit(deps: Deps, tx: WriteTx, fact: VisitConcluded) -> None:
    """A visit that saw the person alive certifies, and is the one he asked for; other findings are the case's."""
    channel = channel_of(fact.result)
    if channel is None:
        return
    await certificates.lock_shard(tx, shard_of(fact.subject))
    await requests.conclude_visits(tx, fact.subject, fact.visited_at)
    seen = Certificate(
        certificate_id=certificate_id(fact.subject, Claim.ALIVE, fact.visited_on, channel),
        subject=fact.subject,
        claim=Claim.ALIVE,
        as_of=fact.visited_on,
        channel=channel,
        strength=Strength.STRONG,
        rule_set=_VISIT_RULE,
        cap_months=None,
        evidence_ids=(),
        evidence_class=("in_person",),
    )
    if await keep_visit(deps, tx, seen, fact):
        await announce(deps, tx, [fact.subject])


async def hear_tasks(tx: WriteTx, table: pa.Table, *, shard: str) -> None:
    """Somebody will knock at the doors of whom the last run did not find."""
    await certificates.lock_shard(tx, shard)
    await cycles.note_tasks(tx, _one_a_subject(table).select(["subject", "task_id", "deadline_on"]))


async def hear_case(deps: Deps, tx: WriteTx, fact: CaseConcluded) -> None:
    """A concluded case ends the review or opens proposals for an officer; it stops nothing by itself."""
    finding = finding_of(fact.conclusion)
    clears = finding is Finding.CLEARS
    await certificates.lock_shard(tx, shard_of(fact.subject))
    until_on = spoken_until(fact.event_on, fact.seen_on, day_of(fact.concluded_at)) if clears else None
    await certificates.save_finding(tx, fact, until_on)
    if fact.kind is not SuspicionKind.DUPLICATE_RECEIPT:
        # Whoever draws two benefits or does not: whether he lives is as open as it was.
        await certificates.note_finding(tx, fact.subject, finding, fact.concluded_at)
    if clears:
        await clearings.withdraw_cleared(tx, fact.subject, fact.concluded_at, fact.case_id)
        if fact.conclusion is CaseConclusion.FALSE_DEATH:
            await corrections.ask_of_case(deps, tx, fact.case_id, fact.subject, fact.evidence_ids)
        await proposing.propose_waiting(deps, tx, fact.subject)
        await announce(deps, tx, [fact.subject])
    elif finding is Finding.CONFIRMS:
        await proposing.propose_findings(deps, tx, [fact.subject])


async def announce(deps: Deps, tx: WriteTx, subjects: list[UUID]) -> None:
    """Say of these people who is newly or longer certified; none of them is late any more."""
    today = deps.clock.today()
    rows = await hearing.announce_subjects(tx, deps.cycles(today), today, subjects)
    await _say_issued(deps, tx, rows, today)
    await grounds.withdraw_in_time(deps, tx, subjects)


async def _say_issued(deps: Deps, tx: WriteTx, rows: Sequence[asyncpg.Record], today: date) -> None:
    if not rows:
        return
    table = records_table(rows, _ISSUED_COLUMNS)
    claim = pa.array([str(Claim.ALIVE)] * len(rows), pa.string())
    await deps.outbox.say_table(
        tx, CERTIFICATES_ISSUED, table.append_column("claim", claim), {"issued_on": today.isoformat()}
    )


def _one_a_subject(table: pa.Table) -> pa.Table:
    """The last row of each subject, in the order of subjects: two transactions then lock in one order."""
    keys = arrow.subject_bytes(table.column("subject"))
    if len(keys) == 0:
        return table
    order = np.lexsort((np.arange(len(keys)), *(keys[:, at] for at in range(15, -1, -1))))
    ordered = keys[order]
    last = np.append((ordered[1:] != ordered[:-1]).any(axis=1), True)
    return table.take(pa.array(order[last]))


def _assessments(table: pa.Table) -> pa.Table:
    """Columns of the staging table; a certificate id where the opinion certifies."""
    certifies = pc.and_(
        pc.equal(table.column("decision").cast(pa.string()), str(Decision.CERTIFIABLE)),
        pc.is_valid(table.column("as_of")),
    ).combine_chunks()
    subjects = arrow.subject_bytes(table.column("subject"))
    chosen = np.flatnonzero(np.asarray(certifies.to_numpy(zero_copy_only=False), dtype=bool))
    days = table.column("as_of").take(pa.array(chosen)).to_numpy()
    caps = pc.fill_null(table.column("valid_months"), NO_CAP).take(pa.array(chosen)).to_numpy()
    ids = certificate_ids(subjects[chosen], days, caps.astype(np.int64), Claim.ALIVE, Channel.DATA)
    place = np.zeros(table.num_rows, dtype=np.int64)
    place[chosen] = np.arange(len(chosen))
    named = arrow.subject_array(ids).take(pa.array(place, mask=~certifies.to_numpy(zero_copy_only=False)))
    return pa.table(
        {
            "subject": table.column("subject"),
            **{name: table.column(name).cast(pa.string()) for name in ("level", "decision", "strength")},
            "as_of": table.column("as_of"),
            "cap_months": table.column("valid_months"),
            **{name: table.column(name) for name in ("reasons", "evidence_ids", "evidence_class")},
            "certificate_id": named,
        }
    )


def _enrolments(table: pa.Table) -> pa.Table:
    """Columns of the staging table; an ended enrolment is one the roster no longer lists."""
    listed = pc.not_equal(table.column("change").cast(pa.string()), str(EnrolmentChange.ENDED))
    kept = ("amount_fen", "division", "group_no", "household", "born_on", "started_on", "ended_on", "due_on")
    return pa.table(
        {
            "subject": table.column("subject"),
            "listed": listed,
            "sex": table.column("sex").cast(pa.string()),
            **{name: table.column(name) for name in kept},
        }
    )
