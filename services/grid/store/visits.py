"""Reports from doors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.grid.domain.tasks import SIGHTINGS
from services.grid.domain.views import View
from services.grid.domain.visits import Form, Informant, Visit, VisitStatus
from services.grid.store.tasks import conditions
from shared.contracts.vocabulary import VisitResult
from shared.kit.db import ReadTx, WriteTx

_COLUMNS = (
    "visit_id, fingerprint, task_id, subject, division, worker_id, sent_by, result, status, visited_at, received_at, "
    "seen, talked, explained, registered, problems, id_card_read, event_on, informant, proofs, "
    "prompt_id, prompt_answered, lon, lat, "
    "photo, flags, note, helper, withdrawn"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVisit:
    """A report as it is kept.

    Attributes:
        visit: the report.
        fingerprint: of the report as it was sent.
        subject: whom it is about.
        division: village of the task.
        sent_by: client that delivered it.
        status: concluded, in review, or sent back.
        flags: what made it worth a second look.
        received_at: instant of receipt.
        withdrawn: how often it had counted and does not any more.
    """

    visit: Visit
    fingerprint: bytes
    subject: UUID
    division: str
    sent_by: str
    status: VisitStatus
    flags: tuple[str, ...]
    received_at: datetime
    withdrawn: int = 0


def _stored(row: asyncpg.Record) -> StoredVisit:
    visit = Visit(
        visit_id=row["visit_id"],
        task_id=row["task_id"],
        worker_id=row["worker_id"],
        result=VisitResult(row["result"]),
        visited_at=row["visited_at"],
        form=Form(
            seen=row["seen"],
            talked=row["talked"],
            explained=row["explained"],
            registered=row["registered"],
            problems=row["problems"],
        ),
        id_card_read=row["id_card_read"],
        event_on=row["event_on"],
        informant=Informant(row["informant"]) if row["informant"] else None,
        proofs=tuple(row["proofs"]),
        prompt_id=row["prompt_id"],
        prompt_answered=row["prompt_answered"],
        place=(row["lon"], row["lat"]) if row["lon"] is not None and row["lat"] is not None else None,
        photo=row["photo"],
        note=row["note"],
        helper=row["helper"],
    )
    return StoredVisit(
        visit=visit,
        fingerprint=row["fingerprint"],
        subject=row["subject"],
        division=row["division"],
        sent_by=row["sent_by"],
        status=VisitStatus(row["status"]),
        flags=tuple(row["flags"]),
        received_at=row["received_at"],
        withdrawn=row["withdrawn"],
    )


async def find_visits(tx: ReadTx, visit_ids: Iterable[UUID]) -> dict[UUID, StoredVisit]:
    """Visits by id."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM visits WHERE visit_id = ANY($1)", list(visit_ids))  # noqa: S608
    return {row["visit_id"]: _stored(row) for row in rows}


async def visits_of(tx: ReadTx, subjects: Iterable[UUID]) -> list[StoredVisit]:
    """Every visit to these people."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM visits WHERE subject = ANY($1)", list(subjects))  # noqa: S608
    return [_stored(row) for row in rows]


async def sightings_at(tx: ReadTx, task_ids: Iterable[UUID]) -> list[StoredVisit]:
    """Reports under these tasks that say somebody was seen, whatever became of them."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM visits WHERE task_id = ANY($1) AND result = ANY($2)",  # noqa: S608  (our own words)
        list(task_ids),
        [result.value for result in SIGHTINGS],
    )
    return [_stored(row) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtedSighting:
    """What somebody reported of a person before a case that doubts it."""

    case_id: UUID
    visit_id: UUID
    worker_id: str
    visited_at: datetime


async def doubted_by(tx: ReadTx, case_ids: Sequence[UUID]) -> list[DoubtedSighting]:
    """Sightings that cannot be true if what these cases suspect is: from its day on, or of the last year without one.

    What somebody reported under the case's own task is a look of the case, whatever his phone's clock says.
    """
    rows = await tx.fetch(
        """
        SELECT c.case_id, v.visit_id, v.worker_id, v.visited_at
        FROM cases c JOIN visits v ON v.subject = c.subject JOIN tasks t ON t.task_id = v.task_id
        CROSS JOIN LATERAL (SELECT min(s.happened_at) AS at FROM case_steps s
            WHERE s.case_id = c.case_id AND s.action = 'detected') detected
        WHERE c.case_id = ANY($1) AND c.kind <> 'duplicate_receipt' AND v.result = ANY($2)
            AND v.visited_at < detected.at AND NOT (t.reason = 'suspicion' AND t.created_at >= c.opened_at)
            AND (v.visited_at AT TIME ZONE 'Asia/Shanghai')::date
                >= coalesce(c.event_on, (detected.at AT TIME ZONE 'Asia/Shanghai')::date - interval '1 year')
        ORDER BY v.visited_at, v.visit_id
        """,
        list(case_ids),
        [result.value for result in SIGHTINGS],
    )
    return [DoubtedSighting(**row) for row in rows]


async def save_visits(tx: WriteTx, visits: Sequence[StoredVisit]) -> None:
    """Keep reports."""
    driver = await tx.driver()
    places = ", ".join(f"${number}" for number in range(1, len(_COLUMNS.split(",")) + 1))
    await driver.executemany(
        f"INSERT INTO visits ({_COLUMNS}) VALUES ({places})",  # noqa: S608
        [_values(each) for each in visits],
    )


def _values(each: StoredVisit) -> tuple[object, ...]:
    visit, form = each.visit, each.visit.form
    lon, lat = visit.place or (None, None)
    return (
        visit.visit_id,
        each.fingerprint,
        visit.task_id,
        each.subject,
        each.division,
        visit.worker_id,
        each.sent_by,
        visit.result.value,
        each.status.value,
        visit.visited_at,
        each.received_at,
        form.seen,
        form.talked,
        form.explained,
        form.registered,
        form.problems,
        visit.id_card_read,
        visit.event_on,
        visit.informant.value if visit.informant else None,
        list(visit.proofs),
        visit.prompt_id,
        visit.prompt_answered,
        lon,
        lat,
        visit.photo,
        list(each.flags),
        visit.note,
        visit.helper,
        each.withdrawn,
    )


async def list_in_review(tx: ReadTx, view: View, limit: int) -> list[StoredVisit]:
    """Reports in the caller's view that wait for a leader, oldest first."""
    # Whoever has the task now reviews it: the person may have been found to live elsewhere since.
    where, args = conditions(view)
    args.append(limit)
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM visits WHERE status = 'in_review' AND task_id IN "  # noqa: S608  (our own words)
        f"(SELECT task_id FROM tasks WHERE {' AND '.join(where)}) ORDER BY visited_at LIMIT ${len(args)}",
        *args,
    )
    return [_stored(row) for row in rows]


async def list_with_problems(tx: ReadTx, view: View, limit: int) -> list[StoredVisit]:
    """Reports in the caller's view that collected problems, the latest first."""
    where, args = conditions(view)
    args.append(limit)
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM visits WHERE problems AND status <> 'awaiting_photo' AND task_id IN "  # noqa: S608  (our own words)
        f"(SELECT task_id FROM tasks WHERE {' AND '.join(where)}) ORDER BY visited_at DESC LIMIT ${len(args)}",
        *args,
    )
    return [_stored(row) for row in rows]


async def review(tx: WriteTx, visit_id: UUID, status: VisitStatus, *, by: str, now: datetime) -> None:
    """Keep the leader's word on a report."""
    await tx.run(
        "UPDATE visits SET status = $2, reviewed_by = $3, reviewed_at = $4 WHERE visit_id = $1",
        visit_id,
        status.value,
        by,
        now,
    )


async def awaiting_photo(tx: ReadTx, since: datetime) -> list[StoredVisit]:
    """Reports received before an instant whose photo has not come."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM visits WHERE status = 'awaiting_photo' AND received_at < $1 ORDER BY visit_id",  # noqa: S608
        since,
    )
    return [_stored(row) for row in rows]


async def set_status(tx: WriteTx, visit_id: UUID, status: VisitStatus, flags: Sequence[str]) -> None:
    """Where a report stands once its photo has come or failed to, or an earlier report has."""
    await tx.run(
        "UPDATE visits SET status = $2, flags = $3, "
        "withdrawn = withdrawn + (status = 'concluded' AND $2 <> 'concluded')::int WHERE visit_id = $1",
        visit_id,
        status.value,
        list(flags),
    )


async def set_aside(tx: ReadTx, subject: UUID) -> dict[UUID, VisitStatus]:
    """Reports on a person that had counted and do not now, with where they stand."""
    rows = await tx.fetch(
        "SELECT visit_id, status FROM visits WHERE subject = $1 AND withdrawn > 0 AND status <> 'concluded'", subject
    )
    return {row["visit_id"]: VisitStatus(row["status"]) for row in rows}
