"""What waits for an officer, over everything he has to do with, the most urgent first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import asyncpg

from services.recognition.store.clearings import AS_IT_LASTS
from services.recognition.store.hearing import Cycles
from services.recognition.store.sightings import SEEN_SINCE
from shared.kit.db import ReadTx

_FOUND = "(p.origin IN ('case', 'report') OR p.origin = 'stop_request' AND p.reason <> 'own_request')"
_SEEN = f"CROSS JOIN LATERAL (SELECT max(at) AS at FROM ({SEEN_SINCE}) c) s"  # noqa: S608  (our own text)
_FELL = f"""(
    SELECT max(at) AS at FROM refutations(d.subject, d.reason, d.event_on, p.opened_at)
    UNION ALL
    SELECT max(at) FROM clearings(d.subject, {AS_IT_LASTS.format("d")}, d.event_on, p.opened_at)
    WHERE d.effect <> 'terminate'
    UNION ALL
    SELECT max(found_at) FROM clearing WHERE subject = d.subject AND {AS_IT_LASTS.format("d")} = ANY (reasons)
        AND from_on < until_on AND d.event_on < from_on AND found_at >= p.opened_at AND d.effect <> 'terminate'
    ORDER BY at NULLS LAST LIMIT 1)"""  # noqa: S608  (our own text)

# Every branch: kind, id, subject, program, reason, since (instant), due_on (day or null), by (who may not do it alone).
# A second suspension waits for nobody until the first is lifted, nor a second end beneath another. Of a plan the first
# part that has not come counts, unless the whole was handed over after it was agreed. Who is set free is held by none
# that began earlier either, though what is only proposed of it is asked about: a release alone speaks of several days.
_WAITING = f"""
SELECT CASE WHEN s.at IS NOT NULL THEN 'seen_proposed' WHEN p.state = 'open' THEN 'decide' ELSE 'confirm' END AS kind,
       p.proposal_id AS id, p.subject, p.program, p.reason, COALESCE(s.at, p.decided_at, p.opened_at) AS since,
       NULL::date AS due_on, CASE WHEN s.at IS NULL THEN p.decided_by END AS not_by
FROM proposal p {_SEEN}
WHERE p.state IN ('open', 'decided') AND p.program = ANY ($1) AND NOT (p.effect = 'suspend' AND EXISTS (
    SELECT FROM enrolment e WHERE e.subject = p.subject AND e.program = p.program AND e.status = 'suspended'))
UNION ALL
SELECT CASE WHEN (SELECT count(DISTINCT p.channel) FROM notice n JOIN proof_of_notice p ON p.notice_id = n.notice_id
                  WHERE n.decision_id = d.decision_id AND n.kind = 'intended_stop') >= $3
            THEN 'carry_out' ELSE 'not_told' END,
       d.decision_id, d.subject, d.program, d.reason, d.confirmed_at, d.notice_until + 1, NULL
FROM decision d JOIN proposal p ON p.proposal_id = d.proposal_id {_SEEN}
WHERE d.state = 'notice' AND d.notice_until < $2 AND d.program = ANY ($1) AND s.at IS NULL AND NOT EXISTS (
    SELECT FROM enrolment e WHERE e.subject = d.subject AND e.program = d.program AND e.status = 'terminated')
UNION ALL
SELECT CASE d.state WHEN 'notice' THEN 'seen_announced' ELSE 'seen_stopped' END,
       d.decision_id, d.subject, d.program, d.reason, s.at, NULL, NULL
FROM decision d JOIN proposal p ON p.proposal_id = d.proposal_id {_SEEN}
WHERE s.at IS NOT NULL AND d.state IN ('notice', 'effective') AND d.program = ANY ($1) AND NOT ({_FOUND} AND EXISTS (
    SELECT FROM refutations(d.subject, d.reason, d.event_on, p.opened_at)))
UNION ALL
SELECT 'withdraw', d.decision_id, d.subject, d.program, d.reason, c.at, NULL, NULL
FROM decision d JOIN proposal p ON p.proposal_id = d.proposal_id AND {_FOUND}
CROSS JOIN LATERAL (SELECT max(at) AS at FROM refutations(d.subject, d.reason, d.event_on, p.opened_at)) c
WHERE c.at IS NOT NULL AND d.state = 'notice' AND d.program = ANY ($1)
UNION ALL
SELECT 'reinstate', d.decision_id, d.subject, d.program, d.reason, c.at, NULL, NULL
FROM decision d JOIN proposal p ON p.proposal_id = d.proposal_id AND {_FOUND}
CROSS JOIN LATERAL {_FELL} c
WHERE c.at IS NOT NULL AND d.state = 'effective' AND d.program = ANY ($1)
UNION ALL
SELECT CASE d.state WHEN 'notice' THEN 'withdraw' ELSE 'resume' END,
       d.decision_id, d.subject, d.program, d.reason, c.issued_on::timestamptz, NULL, NULL
FROM decision d CROSS JOIN LATERAL (
    SELECT c.issued_on FROM holding h
    JOIN certificate c ON c.subject = h.subject AND c.certificate_id = h.certificate_id
    WHERE h.subject = d.subject AND h.claim = 'alive' AND valid_until(
        h.as_of, ($5::int[])[array_position($4::text[], d.program)], NULLIF(h.cap_months, 0)::int) >= $2
    ORDER BY c.issued_on LIMIT 1
) c
WHERE (d.state = 'notice' OR d.state = 'effective' AND d.effect = 'suspend') AND d.reason = 'overdue'
    AND d.program = ANY ($1)
UNION ALL
SELECT CASE d.state WHEN 'notice' THEN 'withdraw' ELSE 'resume' END,
       d.decision_id, d.subject, d.program, d.reason, r.withdrawn_at, NULL, NULL
FROM citizen_request r JOIN proposal p ON p.origin_id = r.request_id AND p.reason = 'own_request'
JOIN decision d ON d.proposal_id = p.proposal_id
WHERE r.withdrawn_at IS NOT NULL AND d.state IN ('notice', 'effective') AND d.program = ANY ($1)
UNION ALL
SELECT 'withdraw', d.decision_id, d.subject, d.program, d.reason, d.confirmed_at, NULL, NULL
FROM decision d JOIN proposal p ON p.proposal_id = d.proposal_id AND p.origin = 'double_receipt'
WHERE d.state = 'notice' AND d.program = ANY ($1) AND NOT EXISTS (
    SELECT FROM unnest($6::text[], $7::text[]) x (program, other)
    JOIN enrolment o ON o.subject = d.subject AND o.program = x.other AND o.listed
        AND o.status NOT IN ('suspended', 'terminated')
    WHERE x.program = d.program)
UNION ALL
SELECT 'reinstate', d.decision_id, d.subject, d.program, d.reason, o.answered_at, NULL, NULL
FROM objection o JOIN decision d ON d.decision_id = o.decision_id
WHERE o.state = 'upheld' AND o.about NOT IN ('look', 'arrears', 'overpayment') AND d.state = 'effective'
    AND d.program = ANY ($1)
    AND NOT EXISTS (SELECT FROM proposal p CROSS JOIN LATERAL {_FELL} c
                    WHERE p.proposal_id = d.proposal_id AND {_FOUND} AND c.at IS NOT NULL)
UNION ALL
SELECT 'answer_' || o.stage, o.objection_id, o.subject, o.program, o.about, o.received_at, o.due_on, NULL
FROM objection o WHERE o.state = 'received' AND o.program = ANY ($1)
UNION ALL
SELECT 'listed_twice', place_id, subject, program, 'duplicate_receipt', opened_at, NULL, NULL
FROM second_place WHERE listed AND (closed_at IS NULL OR closed_at < opened_at) AND program = ANY ($1)
UNION ALL
SELECT 'ask_refund', overpayment_id, subject, program, 'overpayment', opened_at, NULL, NULL
FROM overpayment WHERE state = 'calculated' AND program = ANY ($1)
UNION ALL
SELECT 'refund_overdue', o.overpayment_id, o.subject, o.program, 'overpayment', o.opened_at,
       COALESCE(missed.due_on, o.refund_due_on) + 1, NULL
FROM overpayment o CROSS JOIN LATERAL (
    SELECT min(i.due_on) AS due_on
    FROM (SELECT due_on, sum(amount_fen) OVER (ORDER BY number) AS by_then, sum(amount_fen) OVER () AS whole
          FROM instalment WHERE overpayment_id = o.overpayment_id) i
    WHERE i.due_on < $2 AND i.by_then > GREATEST(0, o.paid_fen + o.offset_fen + o.written_off_fen
                                                    - COALESCE(o.plan_before_fen, o.due_fen - i.whole))
        AND (o.state <> 'referred' OR o.plan_agreed_at >= (
            SELECT max(given_at) FROM notice n WHERE n.overpayment_id = o.overpayment_id AND n.kind = 'referred'))
) missed
WHERE (o.state = 'notified' AND o.refund_due_on < $2
       OR o.state IN ('calculated', 'notified', 'referred') AND missed.due_on IS NOT NULL) AND o.program = ANY ($1)
UNION ALL
SELECT 'approve_' || r.kind, r.recovery_id, o.subject, o.program, 'overpayment', r.asked_at, NULL, r.asked_by
FROM recovery r JOIN overpayment o ON o.overpayment_id = r.overpayment_id
WHERE r.state = 'proposed' AND o.program = ANY ($1)
"""  # noqa: S608  (our own text)

_LIST = f"""
SELECT * FROM ({_WAITING}) w WHERE in_divisions(subject, program, $8) AND not_by IS DISTINCT FROM $9
    AND NOT (kind = 'confirm' AND EXISTS (SELECT FROM proposal p WHERE p.proposal_id = id AND p.opened_by = $9))
ORDER BY due_on NULLS LAST, since, id LIMIT $10
"""  # noqa: S608  (our own text)

_COUNT = f"""
SELECT kind, count(*) AS items FROM ({_WAITING}) w WHERE in_divisions(subject, program, $8)
GROUP BY kind ORDER BY kind
"""  # noqa: S608  (our own text)


_BY_PROGRAM = f"""
SELECT program, kind, count(*) AS items, min(due_on) AS earliest_on FROM ({_WAITING}) w
WHERE in_divisions(subject, program, $8)
GROUP BY program, kind ORDER BY program, kind
"""  # noqa: S608  (our own text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What decides whether something waits: the programs looked at, and the rules of a day.

    Attributes:
        channels: on how many a notice must have been tried.
        cycles: of all programs.
        excludes: every two programs that may not be held together.
        divisions: prefixes of those looked at; none for all.
    """

    programs: Sequence[str]
    today: date
    channels: int
    cycles: Cycles
    excludes: Sequence[tuple[str, str]]
    divisions: Sequence[str] = ()

    def values(self) -> tuple[Any, ...]:
        """Parameters of the statements, in their order."""
        cycles, pairs = self.cycles, self.excludes
        ends = [[pair[at] for pair in pairs] for at in (0, 1)]
        seen = (list(self.programs), self.today, self.channels)
        return (*seen, cycles.codes, cycles.months, *ends, list(self.divisions))


async def list_waiting(tx: ReadTx, sight: Sight, *, user: str, limit: int) -> list[asyncpg.Record]:
    """What waits: what has a deadline first, then the oldest; without what needs another person than `user`."""
    return await tx.fetch(_LIST, *sight.values(), user, limit)


async def count_waiting(tx: ReadTx, sight: Sight) -> dict[str, int]:
    """How much waits, by kind."""
    rows = await tx.fetch(_COUNT, *sight.values())
    return {row["kind"]: row["items"] for row in rows}


async def count_by_program(tx: ReadTx, sight: Sight) -> list[asyncpg.Record]:
    """How much waits, by program and kind, with the nearest deadline of each."""
    return await tx.fetch(_BY_PROGRAM, *sight.values())
