"""Single events: a face pass, a death, now; each is a batch of one row."""

import hashlib
from dataclasses import dataclass

import orjson
import polars as pl
from fastapi import APIRouter

from services.ingest.api import hinting, taking
from services.ingest.api.deps import Code, Deps, IngestDeps, Uploader, may_deliver
from services.ingest.domain import verdicts
from services.ingest.domain.catalogue import CITIZEN_ID, NAME, OCCURRED_ON, Source
from services.ingest.domain.evidence import evidence_id
from services.ingest.domain.people import PeopleIndex
from services.ingest.schemas import EventIn, EventOut
from services.ingest.store import batches, segments
from services.ingest.store.batches import Batch, NewBatch
from services.ingest.usecases import evidence
from services.ingest.usecases.evidence import Chunk
from services.ingest.usecases.hints import Described
from shared.kit.auth import Caller
from shared.kit.db import WriteTx
from shared.kit.problems import PROBLEM_RESPONSES, MalformedError

_SAID_APART = {CITIZEN_ID, NAME, OCCURRED_ON}
router = APIRouter(prefix="/v1", tags=["uploads"], responses=PROBLEM_RESPONSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedEvent:
    """One event, judged.

    Attributes:
        told: what it tells of a person by his description.
        digest: keyed, of everything that was said; the id itself stays in the vault.
    """

    chunk: Chunk
    told: Described
    digest: str


def judged(deps: IngestDeps, source: Source, event: EventIn, people: PeopleIndex) -> JudgedEvent:
    """An event judged as a row of its source would be.

    Raises:
        MalformedError: it says something this source has no column for; what would be lost is not taken.
    """
    columns = (*source.columns, *source.hint)
    told = sorted(set(columns) - _SAID_APART)
    if set(event.values) - set(told):
        detail = f"`values` of this source may hold: {', '.join(told) or 'nothing'}."
        raise MalformedError(detail)
    row = {"citizen_id": event.citizen_id, "name": event.name, "occurred_on": event.occurred_on.isoformat()}
    frame = pl.DataFrame({name: [(row | event.values).get(name)] for name in columns},
                         schema=dict.fromkeys(columns, pl.String))  # fmt: skip
    rules = taking.rules(deps)
    found = verdicts.judge(frame, source, people, rules)
    hinted, settled = hinting.described(frame, source, found, rules)
    key = deps.keys.subject.one(source.code).bytes
    return JudgedEvent(
        chunk=Chunk(first_row=0, judged=found, people=people),
        told=Described(people=people, found=hinted, settled=settled),
        digest=hashlib.blake2b(orjson.dumps(frame.to_dicts()), key=key).hexdigest()[:64],
    )


def new_batch(deps: IngestDeps, caller: Caller, source: Source, digest: str) -> NewBatch:
    """What is known of an event before it is taken."""
    return NewBatch(
        kind="event",
        code=source.code,
        department=source.department,
        client_id=caller.client_id,
        sha256=digest,
        filename="event",
        size_bytes=0,
        received_at=deps.platform.clock.now(),
    )


async def take(deps: IngestDeps, tx: WriteTx, source: Source, new: NewBatch, said: JudgedEvent) -> Batch:
    """Take an event in the caller's transaction."""
    batch = await batches.open_last_batch(tx, new)
    batch = await evidence.take_event(tx, deps.platform.outbox, source, batch, said.chunk)
    await hinting.record_hints(tx, deps, source, batch, said.told)
    return await evidence.finish(tx, deps.platform.outbox, batch, at=new.received_at)


@router.post("/sources/{source}/events", status_code=201)
async def post_event(source: Code, event: EventIn, deps: Deps, caller: Uploader) -> EventOut:
    """Take one event now; the same event again changes nothing.

    One that was not taken because its person was not on a roster, or its day had not come, is judged anew.
    """
    declared = deps.source(source)
    may_deliver(caller, declared)
    said = judged(deps, declared, event, await deps.people.get())
    async with deps.platform.database.write() as tx:
        batch = await take(deps, tx, declared, new_batch(deps, caller, declared, said.digest), said)
        barred = await segments.is_barred(tx, evidence_id(batch.batch_no, 0))
    name = verdicts.VERDICTS[verdicts.TAKEN_BACK] if barred else next(iter(batch.counts))
    quarantined = verdicts.CODE[name] > verdicts.OUT_OF_WINDOW
    return EventOut(
        batch_id=batch.batch_id, verdict="quarantined" if quarantined else name, reason=name if quarantined else None
    )
