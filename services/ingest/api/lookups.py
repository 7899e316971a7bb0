"""What can be asked: batches, quarantine, the catalogue, where evidence came from, names for those who must knock."""

import asyncio
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query

from services.ingest.api.deps import Auditor, CityReader, Deps, IngestDeps, Operator, Reader, Revealer
from services.ingest.api.uploads import MAY_BE_FULL, batch_out
from services.ingest.domain.catalogue import facts
from services.ingest.domain.evidence import origin_of, people_of
from services.ingest.schemas import (
    BatchOut,
    EvidenceOut,
    FiguresOut,
    PeopleOut,
    PersonOut,
    QualityOut,
    QuarantineOut,
    QuarantineRowOut,
    RevealIn,
    SourceOut,
    SourcesOut,
)
from services.ingest.store import batches, hints, mending, people, segments
from services.ingest.store.batches import Batch
from services.ingest.usecases.rosters import opened
from services.ingest.usecases.watching import qualities
from shared.contracts.vocabulary import EvidenceKind
from shared.kit.auth import Caller
from shared.kit.db import ReadTx
from shared.kit.problems import NotFoundError

router = APIRouter(prefix="/v1", tags=["lookups"], responses=MAY_BE_FULL)


@router.get("/sources")
async def list_sources(deps: Deps, _caller: Reader) -> SourcesOut:
    """The catalogue of sources."""
    return SourcesOut(items=[SourceOut(**facts(source)) for source in deps.sources.values()])


@router.get("/sources/{source}")
async def get_source(source: str, deps: Deps, _caller: Reader) -> SourceOut:
    """One source: which columns it takes under which headers, and what its rows say."""
    return SourceOut(**facts(deps.source(source)))


@router.get("/sources/{source}/quality")
async def get_quality(
    source: str, deps: Deps, _caller: Reader, days: Annotated[int, Query(ge=1, le=366)] = 30
) -> QualityOut:
    """How well a source delivers: usable rows, known people, lateness, silence."""
    declared, clock = deps.source(source), deps.platform.clock
    async with deps.platform.database.read() as tx:
        since = clock.now() - timedelta(days=days)
        found = (await qualities(tx, {source: declared}, since=since, today=clock.today()))[source]
    return QualityOut(
        source=source,
        department=declared.department,
        days=days,
        state=found.state,
        rows=found.rows,
        accepted_share=found.accepted_share,
        match_rate=found.match_rate,
        latency_days=found.latency_days,
        silent_days=found.silent_days,
        allowed_days=found.allowed_days,
    )


async def batch_of(deps: IngestDeps, caller: Caller, batch_id: UUID) -> Batch:
    """A batch the caller may see.

    Raises:
        NotFoundError: there is none, or it is another department's.
    """
    async with deps.platform.database.read() as tx:
        batch = await batches.find_batch(tx, batch_id)
    if batch is None or (caller.department is not None and caller.department != batch.department):
        detail = "There is no such batch."
        raise NotFoundError(detail)
    return batch


@router.get("/batches/{batch_id}")
async def get_batch(batch_id: UUID, deps: Deps, caller: CityReader) -> BatchOut:
    """A batch and its counts."""
    return batch_out(await batch_of(deps, caller, batch_id), repeated=False)


@router.get("/batches/{batch_id}/quarantine")
async def list_quarantine(
    batch_id: UUID,
    deps: Deps,
    caller: CityReader,
    after: Annotated[int, Query(ge=-1, le=2**62)] = -1,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> QuarantineOut:
    """Rows that were not taken, by number and reason; a department finds them in its own file."""
    batch = await batch_of(deps, caller, batch_id)
    async with deps.platform.database.read() as tx:
        rows = await batches.list_quarantine(tx, batch.batch_no, after=after, limit=limit)
    return QuarantineOut(
        items=[QuarantineRowOut(row_no=row_no, reason=reason) for row_no, reason in rows],
        next_after=rows[-1][0] if len(rows) == limit else None,
    )


@router.post("/people:reveal")
async def reveal(asked: RevealIn, deps: Deps, caller: Revealer) -> PeopleOut:
    """Names and contacts of people somebody must find; each look is logged before the answer."""
    database = deps.platform.database
    async with database.write() as tx:
        await people.log_looks(tx, caller, asked.purpose, asked.subjects, deps.platform.clock.now())
    async with database.read() as tx:
        found = await people.sealed_of(tx, asked.subjects)
    items = []
    # Those of other places look the same as those nobody knows.
    for subject, sealed, division in (row for row in found if caller.may_division(row[2])):
        said = opened(deps.keys, subject, sealed)
        items.append(
            PersonOut(
                subject=subject,
                name=said["name"] or "",
                phone=said["phone"],
                family_phone=said["family_phone"],
                division=division,
            )
        )
    return PeopleOut(items=items)


async def meant_by(tx: ReadTx, evidence_id: int, own_kind: str) -> list[UUID]:
    """Whom a record means, `own_kind` of its source; of one without an id those whom it may mean."""
    rows = await segments.rows_of_ids(tx, [evidence_id], own_kind)
    if len(rows):
        return [await people.subject_of(tx, int(people_of(rows.key)[0]))]
    hint = await hints.find(tx, evidence_id)
    return list(hint.candidates) if hint else []


@router.get("/evidence/{evidence_id}")
async def get_evidence(
    evidence_id: Annotated[int, Path(ge=0, le=2**63 - 1)], deps: Deps, caller: Auditor
) -> EvidenceOut:
    """From an evidence id back to department, file and row: a look at its person, logged before the answer."""
    batch_no, row_no = origin_of(evidence_id)
    async with deps.platform.database.write() as tx:
        batch = await batches.find_batch_by_no(tx, batch_no)
        standing = await segments.standing_of(tx, evidence_id) if batch else None
        if batch is not None and standing is not None:
            own_kind = deps.sources[batch.code].kind if batch.code in deps.sources else EvidenceKind.SEEN
            subjects = await meant_by(tx, evidence_id, own_kind)
            await people.log_looks(tx, caller, "lineage", subjects, deps.platform.clock.now())
    if batch is None or standing is None:
        detail = "No evidence has this id."
        raise NotFoundError(detail)
    return EvidenceOut(
        evidence_id=evidence_id,
        source=batch.code,
        department=batch.department,
        batch_id=batch.batch_id,
        filename=batch.filename,
        sha256=batch.file_sha256,
        row_no=row_no,
        file_row=await _file_row(deps, batch, row_no),
        received_at=batch.received_at,
        standing="taken_back" if batch.status == "withdrawn" else standing,
    )


async def _file_row(deps: IngestDeps, batch: Batch, row_no: int) -> int | None:
    """The row of the file itself, which must be read where one names several people."""
    source = deps.sources.get(batch.code)
    if batch.kind != "source" or source is None or not source.several_people:
        return row_no
    try:
        received = await asyncio.to_thread(deps.raw.fetch, batch.file_sha256)
    except FileNotFoundError:
        return None
    try:
        async with deps.turn:
            return await asyncio.to_thread(mending.file_row, received, row_no, deps.limits, source)
    finally:
        deps.raw.forget(received)


@router.get("/figures")
async def figures(deps: Deps, _caller: Operator) -> FiguresOut:
    """The counts an operator asks first."""
    async with deps.platform.database.read() as tx:
        counts = dict(await batches.count_batches(tx))
        known = await people.count_people(tx)
    return FiguresOut(**known, batches=counts.pop("batches"), rows=counts)
