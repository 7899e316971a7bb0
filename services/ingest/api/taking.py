"""A file from its last byte to its last chunk: each chunk judged beside the event loop, committed in one transaction."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from services.ingest.api.deps import IngestDeps
from services.ingest.domain import roster, verdicts
from services.ingest.domain.catalogue import Source
from services.ingest.store import batches
from services.ingest.store.batches import Batch, NewBatch
from services.ingest.store.raw import Received
from services.ingest.store.reading import Match, read_chunks
from services.ingest.usecases import evidence, rosters
from services.ingest.usecases.evidence import Chunk
from shared.kit.auth import Caller


def new_batch(deps: IngestDeps, caller: Caller, kind: str, code: str, received: Received, filename: str) -> NewBatch:
    """What is known of a received file."""
    department = deps.sources[code].department if code in deps.sources else (caller.department or caller.client_id)
    return NewBatch(
        kind=kind,
        code=code,
        department=department,
        client_id=caller.client_id,
        sha256=received.sha256,
        filename=Path(filename).name[:200],
        size_bytes=received.size,
        received_at=deps.platform.clock.now(),
    )


def source_match(source: Source) -> Match:
    """Header matching of a source."""

    def match(headers: list[str]) -> tuple[Mapping[str, str], Sequence[str]]:
        missing = source.missing_columns(headers)
        return source.matched_columns(headers), [f"{name} ({'/'.join(source.columns[name][:3])})" for name in missing]

    return match


def rules(deps: IngestDeps) -> verdicts.Rules:
    """What judging needs today."""
    today = deps.platform.clock.today()
    return verdicts.Rules(
        today=today,
        window_starts_on=evidence.window_start(today, deps.settings.ingest_window_months),
        subjects=deps.keys.subject.many,
        name_hashes=deps.keys.name_hashes,
    )


async def _each(chunks: Iterator[pl.DataFrame]) -> AsyncIterator[pl.DataFrame]:
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk


async def take_source(deps: IngestDeps, source: Source, received: Received, new: NewBatch) -> tuple[Batch, bool]:
    """Take a file of a source in, going on where an earlier try was cut off.

    Returns:
        The batch, and whether this file had been taken before.

    Raises:
        UnreadableFileError: nothing of the file was kept.
    """
    database = deps.platform.database
    async with database.write() as tx:
        batch = await batches.open_batch(tx, new)
    if batch.status != "taking":
        return batch, True
    try:
        batch = await _take_chunks(deps, source, received, batch)
    except BaseException:
        async with database.write() as tx:
            if await batches.delete_untouched(tx, batch):
                deps.raw.drop(received.sha256)
        raise
    async with database.write() as tx:
        return await evidence.finish(tx, deps.platform.outbox, batch, at=deps.platform.clock.now()), False


async def _take_chunks(deps: IngestDeps, source: Source, received: Received, batch: Batch) -> Batch:
    people, said = await deps.people.get(), rules(deps)
    first_row = 0
    frames = read_chunks(received.path, received.scratch, source_match(source), deps.limits)
    number = -1
    async for frame in _each(frames):
        number += 1
        if number >= batch.chunks_done:
            judged = await asyncio.to_thread(verdicts.judge, frame, source, people, said)
            if number == 0:
                evidence.refuse_if_faulty(judged, deps.settings.ingest_stop_share)
                await asyncio.to_thread(deps.raw.keep, received)
            chunk = Chunk(number=number, first_row=first_row, judged=judged, people=people)
            async with deps.platform.database.write() as tx:
                batch = await evidence.take_chunk(tx, deps.platform.outbox, source, batch, chunk)
        first_row += len(frame)
    return batch


async def take_roster(
    deps: IngestDeps, program: str, received: Received, new: NewBatch, *, full: bool, confirmed: bool
) -> tuple[Batch, bool]:
    """Take a roster in whole or not at all.

    Returns:
        The batch, and whether it is the roster that was taken last.
    """
    database = deps.platform.database
    async with database.write() as tx:
        last = await batches.last_roster(tx, program)
        if last and last.sha256.split(".")[0] == received.sha256:
            return last, True
        # The same file may come again after another one: then it is a new state, not a repetition.
        batch = await batches.open_batch(tx, new, generation=last.batch_no if last else 0)
    try:
        frames = read_chunks(received.path, received.scratch, roster.match, deps.limits)
        frame = pl.concat([part async for part in _each(frames)], how="diagonal")
        today = deps.platform.clock.today()
        judged = await asyncio.to_thread(roster.judge_roster, frame, today=today)
        await asyncio.to_thread(deps.raw.keep, received)
        async with database.write() as tx:
            said = rosters.Roster(
                program=program, judged=judged, full=full, today=today,
                end_share=deps.settings.ingest_end_share, confirmed=confirmed,
            )  # fmt: skip
            await rosters.take_roster(tx, deps.platform.outbox, deps.keys, batch, said)
    except BaseException:
        async with database.write() as tx:
            if await batches.delete_untouched(tx, batch):
                deps.raw.drop(received.sha256)
        raise
    async with database.read() as tx:
        found = await batches.find_batch_by_no(tx, batch.batch_no)
    return found or batch, False
