"""Monthly reports of villages, and what they are prefilled with."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.grid.domain.cases import CaseState, is_found
from services.grid.domain.claims import REPORTED_AS
from services.grid.domain.reports import ReportState, next_month
from services.grid.domain.views import View
from services.grid.store.stops import MOOT
from shared.contracts.vocabulary import CaseConclusion, SuspicionKind
from shared.kit.clock import SHANGHAI
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A village's month. Who did what stays None until he has."""

    division: str
    month: date
    state: ReportState
    suspected: tuple[UUID, ...]
    confirmed: tuple[UUID, ...]
    submitted_by: str | None = None
    submitted_at: datetime | None = None
    checked_by: str | None = None
    checked_at: datetime | None = None
    signed_by: str | None = None
    signed_at: datetime | None = None
    accepted_by: str | None = None
    accepted_at: datetime | None = None


_COLUMNS = (
    "division, month, state, suspected, confirmed, submitted_by, submitted_at, checked_by, checked_at, signed_by, "
    "signed_at, accepted_by, accepted_at"
)


def _report(row: asyncpg.Record) -> Report:
    words = {
        "state": ReportState(row["state"]),
        "suspected": tuple(row["suspected"]),
        "confirmed": tuple(row["confirmed"]),
    }
    return Report(**{**row, **words})


async def find_report(tx: ReadTx, division: str, month: date, *, lock: bool = False) -> Report | None:
    """A report that was submitted."""
    suffix = " FOR UPDATE" if lock else ""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM reports WHERE division = $1 AND month = $2{suffix}",  # noqa: S608
        division,
        month,
    )
    return _report(rows[0]) if rows else None


async def lock_month(tx: WriteTx, division: str, month: date) -> None:
    """One submission of a village's month at a time: there is no row to lock before the first."""
    await tx.run("SELECT pg_advisory_xact_lock(hashtext('grid:report:' || $1))", f"{division}:{month}")


async def prefill(tx: ReadTx, division: str, month: date) -> Report:
    """The draft of a village's month: cases and requests to stop under way at its end, and those confirmed in it.

    A request stands for itself only where no case of the same list is about the person.
    """
    start = datetime.combine(month, datetime.min.time(), SHANGHAI)
    end = datetime.combine(next_month(month), datetime.min.time(), SHANGHAI)
    rows = await tx.fetch(
        f"""
        WITH told AS (
            SELECT case_id AS number, subject, false AS asked, opened_at, concluded_at,
                conclusion IN ('confirmed', 'confirmed_no_overpayment') AS confirmed
            FROM cases WHERE division = $1
            UNION ALL SELECT request_id, subject, true, requested_at, concluded_at, confirmed
            FROM stop_requests WHERE division = $1 AND NOT ({MOOT} AND withdrawn_at < $3)
        ), listed AS (
            SELECT number, subject, asked, coalesce(confirmed AND concluded_at < $3, false) AS confirmed
            FROM told WHERE opened_at < $3
                AND (concluded_at IS NULL OR concluded_at >= $3 OR (concluded_at >= $2 AND confirmed))
        )
        SELECT number, confirmed FROM listed l WHERE NOT l.asked OR NOT EXISTS (SELECT FROM listed c
            WHERE c.subject = l.subject AND c.confirmed = l.confirmed AND NOT c.asked)
        ORDER BY number
        """,  # noqa: S608  (our own words)
        division,
        start,
        end,
    )
    return Report(
        division=division,
        month=month,
        state=ReportState.DRAFT,
        suspected=tuple(row["number"] for row in rows if not row["confirmed"]),
        confirmed=tuple(row["number"] for row in rows if row["confirmed"]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLine:
    """One case of a report, or one request to stop.

    Attributes:
        number: of the case or the request.
        asked: whether it is a request.
        kind: what is suspected; None for a request that tells of nothing a case is about.
    """

    number: UUID
    subject: UUID
    asked: bool
    kind: SuspicionKind | None
    event_on: date | None
    opened_at: datetime
    conclusion: CaseConclusion | None


async def lines_of(tx: ReadTx, numbers: Iterable[UUID]) -> list[ReportLine]:
    """What stands behind the numbers of a report, oldest first."""
    rows = await tx.fetch(
        """
        SELECT case_id AS number, subject, false AS asked, kind,
            CASE WHEN state = ANY($4) THEN event_on END AS event_on, opened_at, conclusion
        FROM cases WHERE case_id = ANY($1)
        UNION ALL SELECT request_id, subject, true, named.kind, event_on, requested_at,
            CASE WHEN confirmed THEN 'confirmed' WHEN NOT confirmed THEN 'unfounded' END
        FROM stop_requests LEFT JOIN unnest($2::text[], $3::text[]) AS named(reason, kind) USING (reason)
        WHERE request_id = ANY($1) ORDER BY opened_at, number
        """,
        list(numbers),
        list(REPORTED_AS),
        list(REPORTED_AS.values()),
        # What a register names before, a village is not told: it would know a tip by its having none.
        [state.value for state in CaseState if is_found(state)],
    )
    return [
        ReportLine(
            **{
                **row,
                "kind": SuspicionKind(row["kind"]) if row["kind"] else None,
                "conclusion": CaseConclusion(row["conclusion"]) if row["conclusion"] else None,
            }
        )
        for row in rows
    ]


async def name_of(tx: ReadTx, division: str) -> str:
    """County, town and village as one name; empty where the division is not known."""
    rows = await tx.fetch(
        "SELECT string_agg(name, '' ORDER BY code) AS name FROM divisions WHERE code = ANY($1)",
        [division[:6], division[:9], division],
    )
    return rows[0]["name"] or ""


async def save_report(tx: WriteTx, report: Report) -> None:
    """Write a report and who took its steps."""
    await tx.run(
        "INSERT INTO reports (division, month, state, suspected, confirmed, zero, submitted_by, submitted_at, "
        "checked_by, checked_at, signed_by, signed_at, accepted_by, accepted_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) "
        "ON CONFLICT (division, month) DO UPDATE SET state = excluded.state, suspected = excluded.suspected, "
        "confirmed = excluded.confirmed, zero = excluded.zero, submitted_by = excluded.submitted_by, "
        "submitted_at = excluded.submitted_at, checked_by = excluded.checked_by, checked_at = excluded.checked_at, "
        "signed_by = excluded.signed_by, signed_at = excluded.signed_at, accepted_by = excluded.accepted_by, "
        "accepted_at = excluded.accepted_at",
        report.division,
        report.month,
        report.state.value,
        list(report.suspected),
        list(report.confirmed),
        not report.suspected and not report.confirmed,
        report.submitted_by,
        report.submitted_at,
        report.checked_by,
        report.checked_at,
        report.signed_by,
        report.signed_at,
        report.accepted_by,
        report.accepted_at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VillageMonth:
    """One line of a month's picture."""

    division: str
    county: str
    town: str
    village: str
    state: ReportState
    suspected: int
    confirmed: int
    signed_at: datetime | None


async def picture(tx: ReadTx, view: View, month: date) -> list[VillageMonth]:
    """Every village of an office's view with where its report of a month stands."""
    prefixes = None if view.everything else list(view.prefixes)
    rows = await tx.fetch(
        """
        SELECT v.code AS division, county.name AS county, town.name AS town, v.name AS village,
            coalesce(r.state, 'draft') AS state, coalesce(cardinality(r.suspected), 0) AS suspected,
            coalesce(cardinality(r.confirmed), 0) AS confirmed, r.signed_at
        FROM divisions v JOIN divisions town ON town.code = v.parent JOIN divisions county ON county.code = town.parent
        LEFT JOIN reports r ON r.division = v.code AND r.month = $1
        WHERE v.level = 'village' AND ($2::text[] IS NULL
            OR EXISTS (SELECT FROM unnest($2::text[]) prefix WHERE starts_with(v.code, prefix)))
        ORDER BY v.code
        """,
        month,
        prefixes,
    )
    return [VillageMonth(**{**row, "state": ReportState(row["state"])}) for row in rows]
