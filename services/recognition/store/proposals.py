"""Proposals: what a confirmed finding means for each program, for a named officer to decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

import asyncpg
import uuid_utils.compat as uuids

from services.recognition.domain.origins import ProposalOrigin
from services.recognition.domain.programs import Effect, EndingEvent
from shared.contracts.vocabulary import SuspicionKind
from shared.kit.db import ReadTx, WriteTx

_CONFIRMED = """
SELECT f.case_id, f.subject, f.kind, f.event_on, f.concluded_at, e.program, e.status, r.reason
FROM finding f
JOIN unnest($2::text[], $3::text[]) AS r (kind, reason) ON r.kind = f.kind
JOIN enrolment e ON e.subject = f.subject AND e.listed
WHERE f.subject = ANY ($1::uuid[]) AND f.conclusion IN ('confirmed', 'confirmed_no_overpayment')
    AND NOT EXISTS (SELECT FROM proposal p WHERE p.case_id = f.case_id AND p.program = e.program)
"""


async def list_unproposed(
    tx: ReadTx, subjects: Sequence[UUID], reasons: Mapping[SuspicionKind, EndingEvent]
) -> Sequence[asyncpg.Record]:
    """Confirmed findings on these people for which an enrolment has no proposal yet, with the reason of each.

    Those of a benefit that has ended, too: they wait until it should come back; and what was found not to be so since.
    """
    return await tx.fetch(_CONFIRMED, list(subjects), list(reasons), list(reasons.values()))


async def subjects_with_findings(tx: ReadTx) -> list[UUID]:
    """People of the roster just taken in on whom people have concluded something; few at most."""
    rows = await tx.fetch("SELECT DISTINCT f.subject FROM finding f JOIN heard_enrolment h ON h.subject = f.subject")
    return [row["subject"] for row in rows]


_VERIFIED = """
WITH verified AS (
    SELECT p.*, 1 AS worth FROM (SELECT DISTINCT subject FROM {people}) h
    CROSS JOIN LATERAL (
        SELECT subject, origin_id, reason, event_on, opened_at FROM proposal
        WHERE subject = h.subject AND origin = 'stop_request' AND reason = ANY ($1) OFFSET 0
    ) p
    UNION ALL
    SELECT subject, request_id, COALESCE(verified_reason, reason),
           CASE WHEN verified_reason IS NULL THEN event_on ELSE verified_on END, concluded_at,
           CASE WHEN verified_reason IS NULL THEN 2 ELSE 0 END
    FROM citizen_request
    WHERE kind = 'stop' AND confirmed AND withdrawn_at IS NULL AND COALESCE(verified_reason, reason) = ANY ($1)
        AND subject IN (SELECT subject FROM {people})
)
SELECT DISTINCT ON (v.subject, v.origin_id, e.program)
    v.subject, v.origin_id, e.program, v.reason, v.event_on, v.opened_at, e.status
FROM verified v
JOIN enrolment e ON e.subject = v.subject AND {program} AND e.listed
WHERE NOT EXISTS (SELECT FROM proposal o WHERE o.subject = v.subject AND o.program = e.program
                  AND o.origin_id = v.origin_id)
ORDER BY v.subject, v.origin_id, e.program, v.worth
"""
_VERIFIED_OF_HEARD = _VERIFIED.format(people="heard_enrolment", program="e.program = $2")
_VERIFIED_OF = _VERIFIED.format(people="(SELECT $2::uuid AS subject) one", program="true")
_EVER_VERIFIED = """
SELECT WHERE EXISTS (SELECT FROM proposal WHERE origin = 'stop_request' AND reason = ANY ($1))
    OR EXISTS (SELECT FROM citizen_request
               WHERE kind = 'stop' AND confirmed AND COALESCE(verified_reason, reason) = ANY ($1))
"""


async def list_verified_of_heard(tx: WriteTx, program: str, reasons: Sequence[EndingEvent]) -> Sequence[asyncpg.Record]:
    """What requests that people verified tell of people of the roster just taken in, and nobody has proposed there.

    Programs that ask for nothing by it, or by another name, may have been all the person had: then the request alone
    tells of it, by what people read in it and their day, not by what was asked.
    """
    # Nearly always none, and twenty thousand people are heard of at once.
    if not await tx.fetch(_EVER_VERIFIED, list(reasons)):
        return []
    return await tx.fetch(_VERIFIED_OF_HEARD, list(reasons), program)


async def list_verified_of(tx: ReadTx, subject: UUID, reasons: Sequence[EndingEvent]) -> Sequence[asyncpg.Record]:
    """What requests that people verified tell of a person, for each program in which nobody has proposed it."""
    return await tx.fetch(_VERIFIED_OF, list(reasons), subject)


_FOUND_AT = """
SELECT COALESCE((SELECT concluded_at FROM finding WHERE case_id = $1), max(at)) AS at FROM (
    SELECT concluded_at FROM citizen_request
    WHERE $1::uuid IS NULL AND subject = $2 AND kind = 'stop' AND confirmed AND verified_reason = ANY ($3)
        AND verified_on IS NOT DISTINCT FROM $4::date
    UNION ALL
    SELECT opened_at FROM proposal
    WHERE $1::uuid IS NULL AND subject = $2 AND origin = 'stop_request' AND reason = ANY ($3)
        AND event_on IS NOT DISTINCT FROM $4::date
) found (at)
"""


async def found_at(
    tx: ReadTx, case_id: UUID | None, subject: UUID, reasons: Sequence[EndingEvent], event_on: date | None
) -> datetime | None:
    """When people found what a list names: by its case, else by a request of that day; None where nobody here knows."""
    at: datetime | None = (await tx.fetch(_FOUND_AT, case_id, subject, list(reasons), event_on))[0]["at"]
    return at


_OPEN = """
INSERT INTO proposal (proposal_id, subject, program, case_id, reason, effect, event_on, stops_from, opened_at, origin,
                      origin_id, opened_by, sealed_ground)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
WHERE NOT EXISTS (
    SELECT FROM proposal p WHERE p.subject = $2 AND p.program = $3
        AND CASE WHEN $4::uuid IS NOT NULL THEN p.case_id = $4
                 WHEN $11::uuid IS NOT NULL THEN p.origin_id = $11 OR p.reason = $5 AND p.state IN ('open', 'decided')
                 ELSE p.reason = ANY ($14) AND (p.state IN ('open', 'decided')
                     OR p.event_on IS NOT DISTINCT FROM $7::date AND p.state <> 'withdrawn') END
) AND NOT EXISTS (
    SELECT FROM decision d WHERE d.subject = $2 AND d.program = $3 AND d.reason = $5
        AND d.state IN ('notice', 'effective')
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A proposal about to be opened; `opened_by` and `sealed_ground` where an officer does it himself.

    Attributes:
        known_as: reasons, besides its own, under which the same stands where neither a case nor a request is named.
    """

    subject: UUID
    program: str
    reason: EndingEvent
    effect: Effect
    event_on: date | None
    stops_from: date | None
    origin: ProposalOrigin
    case_id: UUID | None = None
    origin_id: UUID | None = None
    opened_by: str | None = None
    sealed_ground: bytes | None = None
    known_as: frozenset[EndingEvent] = frozenset()
    proposal_id: UUID = field(default_factory=uuids.uuid7)


async def open_once(tx: WriteTx, opening: Opening, at: datetime) -> bool:
    """Open a proposal, unless the same was proposed before or is decided already; True when it is new."""
    tag = await tx.run(
        _OPEN,
        opening.proposal_id,
        opening.subject,
        opening.program,
        opening.case_id,
        opening.reason,
        opening.effect,
        opening.event_on,
        opening.stops_from,
        at,
        opening.origin,
        opening.origin_id,
        opening.opened_by,
        opening.sealed_ground,
        sorted({opening.reason, *opening.known_as}),
    )
    return tag.endswith("1")


async def list_enrolled(tx: ReadTx, subject: UUID) -> list[str]:
    """Programs a person may still be stopped in."""
    rows = await tx.fetch(
        "SELECT program FROM enrolment WHERE subject = $1 AND listed AND status <> 'terminated' ORDER BY program",
        subject,
    )
    return [row["program"] for row in rows]


# By the person, whatever the statistics of a city that is just being filled say: `|| ''` keeps out the index of
# programs, through which each person was once looked for among everybody of his program.
_DOUBLE = """
SELECT e.subject, e.started_on, o.program AS other, o.started_on AS other_started_on
FROM (SELECT DISTINCT subject FROM heard_enrolment WHERE listed) h
JOIN enrolment e ON e.subject = h.subject AND (e.program || '') = $1 AND e.listed AND e.status <> 'terminated'
JOIN enrolment o ON o.subject = h.subject AND (o.program || '') = ANY ($2) AND o.listed AND o.status <> 'terminated'
ORDER BY e.subject, o.program
"""


async def list_double(tx: WriteTx, program: str, others: Sequence[str]) -> list[asyncpg.Record]:
    """People of the roster just taken in who draw one of these other benefits too, with the days both began."""
    return await tx.fetch(_DOUBLE, program, list(others))


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """Where overdue people are looked for: programs with their cycles and what lateness does, and a range of subjects.

    Attributes:
        grace_days: days since somebody first looked for the person, before which nothing is proposed.
    """

    codes: list[str]
    cycles: list[int]
    effects: list[str]
    first: UUID
    last: UUID
    grace_days: int


_OVERDUE = """
INSERT INTO proposal (proposal_id, subject, program, reason, effect, event_on, opened_at, origin)
SELECT uuidv7(), e.subject, e.program, 'overdue', ($3::text[])[p.at], u.until, $8, 'overdue'
FROM due d
JOIN enrolment e ON e.subject = d.subject AND e.listed AND e.status = 'active' AND NOT e.decision_owed
CROSS JOIN LATERAL (SELECT array_position($1::text[], e.program) AS at OFFSET 0) p
CROSS JOIN LATERAL (
    SELECT GREATEST(b.until, COALESCE(e.due_on, CASE WHEN b.until IS NULL
        THEN valid_until(COALESCE(e.started_on, $6), ($2::int[])[p.at], NULL) END)) AS until
    FROM (SELECT max(valid_until(h.as_of, ($2::int[])[p.at], NULLIF(h.cap_months, 0)::int)) AS until
          FROM holding h WHERE h.subject = e.subject AND h.claim = 'alive') b
) u
WHERE p.at IS NOT NULL AND d.subject BETWEEN $4 AND $5 AND d.cleared_on IS NULL AND d.run_on <= $6::date - $7::int
    AND COALESCE(d.task_due_on < $6, true) AND u.until < $6 AND grace_until(e.subject, e.program, $6::date) IS NULL
    AND NOT EXISTS (SELECT FROM standing s WHERE s.subject = e.subject AND s.under_review)
    AND NOT EXISTS (SELECT FROM proposal o WHERE o.subject = e.subject AND o.program = e.program
        AND (o.state IN ('open', 'decided')
             OR o.reason = 'overdue' AND o.event_on = u.until AND o.state <> 'withdrawn'))
"""


async def open_overdue(tx: WriteTx, search: Overdue, *, today: date, at: datetime) -> int:
    """Open proposals to suspend whom nobody could certify in time; how many are new."""
    tag = await tx.run(
        _OVERDUE, search.codes, search.cycles, search.effects, search.first, search.last, today, search.grace_days, at
    )
    return int(tag.rsplit(" ", 1)[1])


_PAYEE_CHANGED = """
UPDATE proposal p SET state = 'withdrawn', closed_at = $2 FROM enrolment e
WHERE p.program = $1 AND p.effect = 'change_payee' AND p.state IN ('open', 'decided')
    AND e.subject = p.subject AND e.program = p.program AND NOT e.listed
    AND EXISTS (SELECT FROM enrolment o WHERE o.program = e.program AND o.household = e.household AND o.listed)
"""


async def withdraw_payee_changed(tx: WriteTx, program: str, at: datetime) -> int:
    """Close proposals to pay a household through somebody else once the roster does; the roster is the owner's word."""
    waiting = await tx.fetch(
        "SELECT FROM proposal WHERE program = $1 AND effect = 'change_payee' AND state IN ('open', 'decided') LIMIT 1",
        program,
    )
    # Nearly always none: rosters are many, and households are found by reading the program.
    return int((await tx.run(_PAYEE_CHANGED, program, at)).rsplit(" ", 1)[1]) if waiting else 0
