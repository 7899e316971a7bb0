"""Suspicions into cases, by sets: a growing one feeds its case, a new one opens a case and is given to a village."""

from datetime import date, datetime
from uuid import UUID

import polars as pl

from services.grid.domain.cases import CaseState, dates, is_found, reopens
from services.grid.store.people import ADDRESSES
from services.grid.store.staging import Staged, stage
from shared.contracts.vocabulary import CaseConclusion, Confidence, SuspicionKind, VisitResult
from shared.kit.db import ReadTx, WriteTx

_KEEPING = [conclusion.value for conclusion in CaseConclusion if not reopens(conclusion)]
_FOUND = [state.value for state in CaseState if is_found(state)]
_DATING = [(kind, result) for kind in SuspicionKind for result in VisitResult if dates(kind, result)]
_RANKS = [confidence.value for confidence in (Confidence.HINT, Confidence.PROBABLE, Confidence.CONCLUSIVE)]


async def take_suspicions(
    tx: WriteTx, rows: pl.DataFrame, *, rule_set: str, deadline_on: date, now: datetime
) -> Staged:
    """Keep what is newer than known, and let it feed or open cases; what opened one is left staged.

    Places of new cases are set by `place_cases`.
    """
    staged = await stage(tx, "staged_suspicions", rows)
    await _keep_news(tx, rule_set)
    await _feed_open(tx, now)
    await _keep_with_confirmed(tx, now)
    await _open_new(tx, deadline_on, now)
    return staged


async def _keep_news(tx: WriteTx, rule_set: str) -> None:
    await tx.run(
        """
        WITH news AS (
            INSERT INTO suspicions AS s (suspicion_id, subject, kind, confidence, event_on, revision, evidence_ids,
                sources, reasons, rule_set)
            SELECT DISTINCT ON (suspicion_id) suspicion_id, subject, kind, confidence, event_on, revision,
                coalesce(evidence_ids, '{}'), coalesce(sources, '{}'), coalesce(reasons, '{}'), $1
            FROM staged_suspicions ORDER BY suspicion_id, revision DESC
            ON CONFLICT (suspicion_id) DO UPDATE SET confidence = excluded.confidence, event_on = excluded.event_on,
                revision = excluded.revision, evidence_ids = excluded.evidence_ids, sources = excluded.sources,
                reasons = excluded.reasons, rule_set = excluded.rule_set
            WHERE excluded.revision > s.revision
            RETURNING suspicion_id, revision
        )
        DELETE FROM staged_suspicions st
        WHERE NOT EXISTS (SELECT FROM news n WHERE n.suspicion_id = st.suspicion_id AND n.revision = st.revision)
        """,
        rule_set,
    )


async def _feed_open(tx: WriteTx, now: datetime) -> None:
    """Evidence for a case under way becomes a step of it and leaves the staged rows.

    Its day is the earliest that registers name now and visits and offices named, whatever came first, until the
    village finds.
    """
    await tx.run(
        """
        WITH hit AS (
            SELECT st.suspicion_id, st.confidence, st.event_on, st.sources, c.case_id, s.case_id AS was
            FROM staged_suspicions st
            JOIN cases c ON c.subject = st.subject AND c.kind = st.kind AND c.state <> 'concluded'
            JOIN suspicions s ON s.suspicion_id = st.suspicion_id
        ), told AS (
            INSERT INTO case_steps (case_id, action, actor, role, happened_at, outcome, event_on, basis)
            SELECT case_id, CASE WHEN was = case_id THEN 'evidence_added' ELSE 'merged' END, 'scoring', 'service', $1,
                confidence, event_on, jsonb_build_array(
                    jsonb_build_object('kind', 'suspicion', 'reference', suspicion_id::text))
            FROM hit
        ), grown AS (
            UPDATE cases c SET changed_at = $1,
                confidence = ($2::text[])[greatest(array_position($2::text[], c.confidence), h.rank)],
                event_on = CASE WHEN c.state = ANY($3) THEN c.event_on ELSE (SELECT min(told.event_on) FROM (
                    SELECT s.event_on FROM suspicions s WHERE s.case_id = c.case_id
                    UNION ALL SELECT hit.event_on FROM hit WHERE hit.case_id = c.case_id
                    UNION ALL SELECT t.event_on FROM case_steps t WHERE t.case_id = c.case_id AND t.action = 'visited'
                        AND (c.kind, t.outcome) IN (SELECT * FROM unnest($4::text[], $5::text[]))
                    UNION ALL SELECT t.event_on FROM case_steps t WHERE t.case_id = c.case_id
                        AND t.action IN ('detected', 'evidence_added') AND t.role <> 'service'
                ) told) END
            FROM (SELECT case_id, max(array_position($2::text[], confidence)) AS rank FROM hit GROUP BY case_id) h
            WHERE c.case_id = h.case_id
        ), linked AS (
            UPDATE suspicions s SET case_id = h.case_id FROM hit h WHERE s.suspicion_id = h.suspicion_id
        )
        DELETE FROM staged_suspicions st USING hit WHERE st.suspicion_id = hit.suspicion_id
        """,
        now,
        _RANKS,
        _FOUND,
        [kind.value for kind, _ in _DATING],
        [result.value for _, result in _DATING],
    )


async def _keep_with_confirmed(tx: WriteTx, now: datetime) -> None:
    """More evidence for what people have confirmed is noted there and opens nothing; a later event is a new matter.

    So is another suspicion than what led to the case: scoring raises one where people were done with that, whether a
    case or officers have found since that he lives, or what they had confirmed was over.
    """
    await tx.run(
        """
        WITH hit AS (
            SELECT st.suspicion_id, st.confidence, st.event_on, c.case_id FROM staged_suspicions st
            JOIN LATERAL (SELECT case_id, conclusion, concluded_at FROM cases c
                WHERE c.subject = st.subject AND c.kind = st.kind ORDER BY concluded_at DESC LIMIT 1) c ON true
            WHERE c.conclusion = ANY($2::text[])
                AND coalesce(st.event_on <= (c.concluded_at AT TIME ZONE 'Asia/Shanghai')::date, true)
                AND coalesce((SELECT bool_or(s.suspicion_id = st.suspicion_id) FROM suspicions s
                    WHERE s.case_id = c.case_id), true)
        ), told AS (
            INSERT INTO case_steps (case_id, action, actor, role, happened_at, outcome, event_on, basis)
            SELECT case_id, 'evidence_added', 'scoring', 'service', $1, confidence, event_on, jsonb_build_array(
                jsonb_build_object('kind', 'suspicion', 'reference', suspicion_id::text))
            FROM hit
        ), linked AS (
            UPDATE suspicions s SET case_id = h.case_id FROM hit h WHERE s.suspicion_id = h.suspicion_id
        )
        DELETE FROM staged_suspicions st USING hit WHERE st.suspicion_id = hit.suspicion_id
        """,
        now,
        _KEEPING,
    )


async def _open_new(tx: WriteTx, deadline_on: date, now: datetime) -> None:
    await tx.run(
        """
        WITH opened AS (
            INSERT INTO cases (case_id, subject, kind, state, confidence, event_on, deadline_on, opened_at, changed_at,
                previous_case_id)
            SELECT uuidv7(), n.subject, n.kind, 'detected', ($3::text[])[n.rank], n.event_on, $2, $1, $1,
                (SELECT case_id FROM cases p WHERE p.subject = n.subject AND p.kind = n.kind
                 ORDER BY concluded_at DESC LIMIT 1)
            FROM (SELECT subject, kind, min(event_on) AS event_on,
                max(array_position($3::text[], confidence)) AS rank
                FROM staged_suspicions GROUP BY subject, kind) n
            RETURNING case_id, subject, kind
        ), told AS (
            INSERT INTO case_steps (case_id, action, actor, role, happened_at, outcome, event_on, basis)
            SELECT o.case_id, 'detected', 'scoring', 'service', $1, st.confidence, st.event_on, jsonb_build_array(
                jsonb_build_object('kind', 'suspicion', 'reference', st.suspicion_id::text))
            FROM staged_suspicions st JOIN opened o ON o.subject = st.subject AND o.kind = st.kind
        )
        UPDATE suspicions s SET case_id = o.case_id FROM staged_suspicions st
        JOIN opened o ON o.subject = st.subject AND o.kind = st.kind WHERE s.suspicion_id = st.suspicion_id
        """,
        now,
        deadline_on,
        _RANKS,
    )


async def place_cases(tx: WriteTx, among: Staged, now: datetime) -> list[UUID]:
    """Give cases without a village to the village of the person, where his address and its grid are known now.

    Args:
        tx: the transaction.
        among: the people to look at.
        now: instant of the step.

    Returns:
        Cases that have somebody now.
    """
    addresses = ADDRESSES.format(subjects=among.name)
    await among.run(
        tx,
        f"UPDATE cases c SET division = a.division, grid_code = a.grid_code, changed_at = $1 FROM ({addresses}) a "  # noqa: S608
        "WHERE c.state = 'detected' AND c.subject = a.subject AND a.division IS NOT NULL "
        "AND (c.division, c.grid_code) IS DISTINCT FROM (a.division, a.grid_code)",
        now,
    )
    return await assign_detected(tx, now)


async def assign_detected(tx: WriteTx, now: datetime) -> list[UUID]:
    """Assign placed cases whose grid exists to its member; returns them. Their time runs from the detection."""
    rows = await tx.fetch(
        """
        WITH given AS (
            UPDATE cases c SET state = 'assigned', worker_id = g.member_id, division = g.division, changed_at = $1
            FROM grids g WHERE c.state = 'detected' AND c.grid_code = g.grid_code RETURNING c.case_id, g.division
        ), told AS (
            INSERT INTO case_steps (case_id, action, actor, role, happened_at, outcome)
            SELECT case_id, 'assigned', 'grid', 'service', $1, 'village' FROM given
        )
        SELECT case_id FROM given
        """,
        now,
    )
    return [row["case_id"] for row in rows]


async def has_detected(tx: WriteTx) -> bool:
    """Whether any case still waits for a village."""
    return bool(await tx.fetch("SELECT FROM cases WHERE state = 'detected' LIMIT 1"))


async def stage_person(tx: WriteTx, subject: UUID) -> Staged:
    """One person where `place_cases` can look at him."""
    row = {"subject": [subject.bytes], "opened_by": [""], "about": [""]}
    return await stage(tx, "staged_asked", pl.DataFrame(row))


async def evidence_of(tx: ReadTx, case_id: UUID) -> tuple[int, ...]:
    """Ids of the evidence the suspicions of a case rest on."""
    rows = await tx.fetch(
        "SELECT DISTINCT unnest(evidence_ids) AS evidence_id FROM suspicions WHERE case_id = $1 ORDER BY 1", case_id
    )
    return tuple(row["evidence_id"] for row in rows)
