"""Proposals and decisions of named people, and what they do to an enrolment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.recognition.domain.dues import Amount
from services.recognition.domain.enrolments import Status
from services.recognition.domain.origins import ProposalOrigin
from services.recognition.domain.programs import ENDS_LIFE, Effect, EndingEvent
from services.recognition.domain.states import DecisionState, ProposalState
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What may have to be stopped."""

    proposal_id: UUID
    subject: UUID
    program: str
    case_id: UUID | None
    reason: EndingEvent
    effect: Effect
    event_on: date | None
    stops_from: date | None
    state: ProposalState
    opened_at: datetime
    grounds: str | None
    decided_by: str | None
    decided_at: datetime | None
    origin: ProposalOrigin
    origin_id: UUID | None
    opened_by: str | None = None
    sealed_ground: bytes | None = None
    rejected_by: str | None = None
    rejected_for: str | None = None
    passed_on: date | None = None

    @property
    def under_review(self) -> bool:
        """Whether the person's certification rests until this is decided, since people found something.

        What one officer knows holds back nothing before another has confirmed it.
        """
        if self.origin is ProposalOrigin.STOP_REQUEST:
            return self.reason is not EndingEvent.OWN_REQUEST
        return self.origin in {ProposalOrigin.CASE, ProposalOrigin.REPORT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision two people stand behind."""

    decision_id: UUID
    proposal_id: UUID
    subject: UUID
    program: str
    reason: EndingEvent
    effect: Effect
    event_on: date | None
    stops_from: date
    amount_fen: int
    grounds: str
    decided_by: str
    decided_at: datetime
    confirmed_by: str
    confirmed_at: datetime
    state: DecisionState
    notice_until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """The part of an enrolment a decision touches."""

    status: Status
    listed: bool
    amount_fen: int
    decision_id: UUID | None


_PROPOSAL = ", ".join(Proposal.__dataclass_fields__)
_DECISION = ", ".join(Decided.__dataclass_fields__)
_WORDS: dict[str, Any] = {"reason": EndingEvent, "effect": Effect}


def _proposal(row: asyncpg.Record) -> Proposal:
    words = {name: word(row[name]) for name, word in _WORDS.items()}
    words |= {"state": ProposalState(row["state"]), "origin": ProposalOrigin(row["origin"])}
    return Proposal(**{**row, **words})


def _decided(row: asyncpg.Record) -> Decided:
    words = {name: word(row[name]) for name, word in _WORDS.items()}
    return Decided(**{**row, **words, "state": DecisionState(row["state"])})


async def list_proposals(
    tx: ReadTx,
    *,
    programs: list[str],
    divisions: Sequence[str],
    state: ProposalState,
    after: UUID | None,
    limit: int,
) -> list[Proposal]:
    """Proposals of these programs and divisions in one state, oldest first, from the one after `after`."""
    rows = await tx.fetch(
        f"SELECT {_PROPOSAL} FROM proposal WHERE program = ANY ($1) AND state = $2 "  # noqa: S608  (column names)
        "AND ($3::uuid IS NULL OR proposal_id > $3) AND in_divisions(subject, program, $5) "
        "ORDER BY proposal_id LIMIT $4",
        programs,
        state,
        after,
        limit,
        list(divisions),
    )
    return [_proposal(row) for row in rows]


async def list_waiting(tx: ReadTx, subject: UUID, program: str) -> list[Proposal]:
    """What is proposed for a benefit and nobody has confirmed, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_PROPOSAL} FROM proposal WHERE subject = $1 AND program = $2 "  # noqa: S608  (column names)
        "AND state IN ('open', 'decided') ORDER BY proposal_id",
        subject,
        program,
    )
    return [_proposal(row) for row in rows]


async def find_proposal(tx: ReadTx, proposal_id: UUID) -> Proposal | None:
    """One proposal; inside a write it is held until the end."""
    hold = " FOR UPDATE" if isinstance(tx, WriteTx) else ""
    rows = await tx.fetch(f"SELECT {_PROPOSAL} FROM proposal WHERE proposal_id = $1{hold}", proposal_id)  # noqa: S608
    return _proposal(rows[0]) if rows else None


async def whose_proposal(tx: ReadTx, proposal_id: UUID) -> UUID | None:
    """Whom a proposal is about; nothing is held."""
    rows = await tx.fetch("SELECT subject FROM proposal WHERE proposal_id = $1", proposal_id)
    return rows[0]["subject"] if rows else None


async def find_decision(tx: ReadTx, decision_id: UUID) -> Decided | None:
    """One decision; it stays as it is while the shard of its person is held."""
    rows = await tx.fetch(f"SELECT {_DECISION} FROM decision WHERE decision_id = $1", decision_id)  # noqa: S608  (column names)
    return _decided(rows[0]) if rows else None


async def get_enrolment(tx: WriteTx, subject: UUID, program: str) -> Enrolment:
    """An enrolment, held until the end of the transaction."""
    rows = await tx.fetch(
        "SELECT status, listed, amount_fen, decision_id FROM enrolment WHERE subject = $1 AND program = $2 FOR UPDATE",
        subject,
        program,
    )
    return Enrolment(**{**rows[0], "status": Status(rows[0]["status"])})


async def set_enrolment_status(
    tx: WriteTx, subject: UUID, program: str, status: Status, decision_id: UUID | None
) -> None:
    """Write the state people decided; the schema refuses a stop without their decision."""
    await tx.run(
        "UPDATE enrolment SET status = $3, decision_id = $4 WHERE subject = $1 AND program = $2",
        subject,
        program,
        status,
        decision_id,
    )


async def mark_decided(tx: WriteTx, made: Proposal) -> None:
    """Note what one officer decided."""
    await tx.run(
        "UPDATE proposal SET state = 'decided', decided_by = $2, decided_at = $3, grounds = $4, stops_from = $5, "
        "reason = $6, effect = $7 WHERE proposal_id = $1",
        made.proposal_id,
        made.decided_by,
        made.decided_at,
        made.grounds,
        made.stops_from,
        made.reason,
        made.effect,
    )


async def close_proposal(tx: WriteTx, proposal_id: UUID, state: ProposalState, *, at: datetime) -> None:
    """End a proposal."""
    await tx.run("UPDATE proposal SET state = $2, closed_at = $3 WHERE proposal_id = $1", proposal_id, state, at)


async def reject_proposal(tx: WriteTx, proposal_id: UUID, *, by: str, why: str | None, at: datetime) -> None:
    """End a proposal by an officer's word."""
    await tx.run(
        "UPDATE proposal SET state = 'rejected', closed_at = $2, rejected_by = $3, rejected_for = $4 "
        "WHERE proposal_id = $1",
        proposal_id,
        at,
        by,
        why,
    )


async def note_passed(tx: WriteTx, proposal_id: UUID, passed_on: date) -> None:
    """Keep until when it was so of what is given up."""
    await tx.run("UPDATE proposal SET passed_on = $2 WHERE proposal_id = $1", proposal_id, passed_on)


async def add_decision(tx: WriteTx, decided: Decided) -> None:
    """Keep a decision; the schema refuses one person alone."""
    values = [getattr(decided, name) for name in Decided.__dataclass_fields__]
    places = ", ".join(f"${at}" for at in range(1, len(values) + 1))
    await tx.run(f"INSERT INTO decision ({_DECISION}) VALUES ({places})", *values)  # noqa: S608  (column names)


async def set_decision_state(tx: WriteTx, decision_id: UUID, state: DecisionState, at: datetime) -> None:
    """Move a decision on."""
    column = "effective_at" if state is DecisionState.EFFECTIVE else "lifted_at"
    await tx.run(
        f"UPDATE decision SET state = $2, {column} = $3 WHERE decision_id = $1",  # noqa: S608  (one of two names)
        decision_id,
        state,
        at,
    )


async def set_stops_from(tx: WriteTx, decision_id: UUID, stops_from: date) -> None:
    """Let a stop begin later than was announced."""
    await tx.run("UPDATE decision SET stops_from = $2 WHERE decision_id = $1", decision_id, stops_from)


async def list_beneath(tx: WriteTx, ended: Decided) -> list[Decided]:
    """Suspensions still in effect beneath the end of a benefit, the newest first."""
    rows = await tx.fetch(
        f"SELECT {_DECISION} FROM decision WHERE subject = $1 AND program = $2 AND decision_id <> $3 "  # noqa: S608
        "AND state = 'effective' AND effect = 'suspend' ORDER BY decision_id DESC",
        ended.subject,
        ended.program,
        ended.decision_id,
    )
    return [_decided(row) for row in rows]


async def find_announced(tx: WriteTx, besides: Decided) -> Decided | None:
    """The newest other decision that is announced on a benefit."""
    rows = await tx.fetch(
        f"SELECT {_DECISION} FROM decision WHERE subject = $1 AND program = $2 AND decision_id <> $3 "  # noqa: S608
        "AND state = 'notice' ORDER BY decision_id DESC LIMIT 1",
        besides.subject,
        besides.program,
        besides.decision_id,
    )
    return _decided(rows[0]) if rows else None


async def lift_all(tx: WriteTx, subject: UUID, program: str, at: datetime) -> None:
    """End every decision in effect on an enrolment: a suspension falls with the termination that followed it."""
    await tx.run(
        "UPDATE decision SET state = 'lifted', lifted_at = $3 "
        "WHERE subject = $1 AND program = $2 AND state = 'effective' AND effect IN ('suspend', 'terminate')",
        subject,
        program,
        at,
    )


_BEGIN_ANEW = """
WITH anew AS (
    UPDATE enrolment e SET status = 'active', decision_id = NULL FROM decision d
    WHERE e.subject = ANY ($1) AND e.program = $2 AND e.status = 'terminated' AND d.decision_id = e.decision_id
        AND e.started_on >= d.stops_from AND d.reason <> ALL ($4)
    RETURNING e.subject
)
UPDATE decision d SET state = 'lifted', lifted_at = $3 FROM anew a
WHERE d.subject = a.subject AND d.program = $2 AND d.state = 'effective'
"""


async def begin_anew(tx: WriteTx, subjects: Sequence[UUID], program: str, at: datetime) -> None:
    """Let those of these people draw a benefit again whom its roster lists with one that began after the old one's end.

    That is a new entry the owner has granted, no way around the old decision: it holds for the months it stopped. Whom
    officers hold for dead nobody can enrol; only a false death brings him back.
    """
    await tx.run(_BEGIN_ANEW, list(subjects), program, at, sorted(ENDS_LIFE))


_AMOUNTS = """
SELECT from_on, fen FROM enrolment_amount WHERE subject = $1 AND program = $2
UNION ALL
SELECT '0001-01-01', amount_fen FROM enrolment e WHERE subject = $1 AND program = $2
    AND NOT EXISTS (SELECT FROM enrolment_amount a WHERE a.subject = e.subject AND a.program = e.program)
ORDER BY from_on
"""


async def list_amounts(tx: ReadTx, subject: UUID, program: str) -> list[Amount]:
    """What a benefit pays a month, as the rosters told: before and after each change of it."""
    return [Amount(**row) for row in await tx.fetch(_AMOUNTS, subject, program)]


_BY_FINDING = "(p.origin IN ('case', 'report') OR p.origin = 'stop_request' AND p.reason <> 'own_request')"

_UNRESOLVED = f"""
SELECT DISTINCT p.reason FROM proposal p LEFT JOIN decision d ON d.proposal_id = p.proposal_id
WHERE p.subject = $1 AND (p.state IN ('open', 'decided') OR d.state IN ('notice', 'effective')) AND {_BY_FINDING}
"""  # noqa: S608  (our own text)

_FOUND = f"""
SELECT p.reason, (max(p.opened_at) AT TIME ZONE 'Asia/Shanghai')::date AS found_on
FROM proposal p WHERE p.subject = $1 AND {_BY_FINDING}
    AND NOT (p.reason = ANY ($2) AND EXISTS (
        SELECT FROM clearings(p.subject, p.reason, p.event_on, p.opened_at) c WHERE c.lives)) GROUP BY p.reason
"""  # noqa: S608  (our own text)


async def list_unresolved(tx: ReadTx, subject: UUID) -> set[EndingEvent]:
    """Reasons that still rest on findings about a person: proposals not decided, decisions announced or in effect."""
    return {EndingEvent(row["reason"]) for row in await tx.fetch(_UNRESOLVED, subject)}


async def list_found(tx: ReadTx, subject: UUID) -> dict[EndingEvent, date]:
    """What people have found about a person and proposed by it, and when last, whatever officers decided then.

    A death that was none tells nothing of what may have happened since he was known to live.
    """
    rows = await tx.fetch(_FOUND, subject, sorted(ENDS_LIFE))
    return {EndingEvent(row["reason"]): row["found_on"] for row in rows}


async def list_standing(tx: ReadTx, subject: UUID, reasons: Sequence[EndingEvent]) -> list[Decided]:
    """Decisions on a person for these reasons that are announced or in effect."""
    rows = await tx.fetch(
        f"SELECT {_DECISION} FROM decision WHERE subject = $1 AND reason = ANY ($2) "  # noqa: S608  (column names)
        "AND state IN ('notice', 'effective') ORDER BY decision_id",
        subject,
        list(reasons),
    )
    return [_decided(row) for row in rows]
