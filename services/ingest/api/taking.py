"""A file from its last byte to its last chunk: judged whole beside the event loop, then committed chunk by chunk.

Nothing is said before the whole file has been read and judged: a file that breaks off, or fails too often, changes
nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import polars as pl

from services.ingest.api import hinting
from services.ingest.api.deps import IngestDeps
from services.ingest.api.judged import JudgedFile, JudgedRosterFile
from services.ingest.domain import hints as hints_of
from services.ingest.domain import roster, verdicts
from services.ingest.domain.catalogue import CITIZEN_ID, NAME, Source
from services.ingest.domain.evidence import window_start
from services.ingest.domain.households import one_a_person
from services.ingest.domain.people import PeopleIndex
from services.ingest.settings import Pull
from services.ingest.store import batches
from services.ingest.store.batches import Batch, NewBatch
from services.ingest.store.problems import UnreadableFileError
from services.ingest.store.raw import Received
from services.ingest.store.reading import Match, read_chunks
from services.ingest.store.unpacking import room
from services.ingest.usecases import evidence, rosters
from services.ingest.usecases.hints import Described
from shared.kit.auth import Caller
from shared.kit.db import WriteTx
from shared.kit.problems import ConflictError, NotFoundError

_ROSTER_ROWS = 100_000

P = ParamSpec("P")
T = TypeVar("T")


class HeldError(ConflictError):
    """A file that waits for a second look; nothing of it has been said."""

    code = "batch_held"
    title = "The batch waits to be released or withdrawn"

    def __init__(self, detail: str, batch: Batch) -> None:
        counts = {name: count for name, count in batch.counts.items() if count}
        super().__init__(detail, extra={"batch_id": str(batch.batch_id), "counts": counts})


class FaultyHeldError(HeldError):
    """Too many faulty rows to be said without a second look."""


class RosterHeldError(HeldError):
    """A roster that would end too many enrolments, or has too many faulty rows."""

    code = "roster_held"
    title = "The roster waits for a second look"


def new_batch(deps: IngestDeps, caller: Caller, kind: str, code: str, received: Received, filename: str) -> NewBatch:
    """What is known of a received file."""
    department = deps.sources[code].department if kind == "source" else (caller.department or caller.client_id)
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
        window_starts_on=window_start(today, deps.settings.ingest_window_months),
        subjects=deps.keys.subject.many,
        name_hashes=deps.keys.name_hashes,
    )


@asynccontextmanager
async def _undone(deps: IngestDeps, batch: Batch) -> AsyncIterator[None]:
    """On any trouble forget a batch of which nothing was kept, and its file when nobody else needs it."""
    try:
        yield
    except BaseException:
        async with deps.platform.database.write() as tx:
            if await batches.delete_untouched(tx, batch):
                await asyncio.to_thread(deps.raw.drop, batch.sha256.split(".")[0])
        raise


def _begun_again(take: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Take a file from its beginning once more when its batch was forgotten meanwhile: its sender did nothing wrong."""

    @wraps(take)
    async def taken(*args: P.args, **options: P.kwargs) -> T:
        with suppress(batches.ForgottenError):
            return await take(*args, **options)
        return await take(*args, **options)

    return taken


@_begun_again
async def take_source(
    deps: IngestDeps, source: Source, received: Received, new: NewBatch, *, confirmed: bool = False
) -> tuple[Batch, bool]:
    """Take a file of a source in, going on where an earlier try was cut off.

    Args:
        deps: what the service works with.
        source: whose file it is.
        received: the file.
        new: what is known of it.
        confirmed: somebody has looked at its faults and lets it through.

    Returns:
        The batch, and whether this file had been taken before.

    Raises:
        UnreadableFileError: nothing of the file was kept.
        HeldError: it waits for a second look.
    """
    database = deps.platform.database
    async with deps.turn, database.holding(batches.file_name_of(new)):
        async with database.write() as tx:
            await batches.lock_file(tx, new)
            batch = await batches.open_last_batch(tx, new, first=await batches.last_of_file(tx, new))
            if batch.status == "withdrawn" and confirmed:
                # It was right after all: a new batch, since what was taken back never counts again.
                batch = await batches.open_batch(tx, new, generation=batch.batch_no)
            if batch.status == "held" and confirmed:
                batch = await evidence.release(tx, batch)
            await batches.note_asked(tx, batch, full=True, confirmed=confirmed)
        if batch.status == "held":
            raise _faulty(batch)
        if batch.status != "taking":
            return batch, True
        async with _undone(deps, batch):
            batch, judged = await _take(deps, source, received, batch, confirmed=confirmed)
        if batch.status == "held":
            raise _faulty(batch)
        async with database.write() as tx:
            await _record_hints(tx, deps, source, batch, judged)
            return await evidence.finish(tx, deps.platform.outbox, batch, at=deps.platform.clock.now()), False


async def _record_hints(tx: WriteTx, deps: IngestDeps, source: Source, batch: Batch, judged: JudgedFile) -> None:
    now = await batches.lock_batch(tx, batch)
    if (judged.hints or judged.settled) and now.status == "taking":
        found, settled = (pl.concat([hints_of.NO_HINTS, *each]) for each in (judged.hints, judged.settled))
        await hinting.record_hints(tx, deps, source, now, Described(people=judged.people, found=found, settled=settled))


def _faulty(batch: Batch) -> HeldError:
    detail = (
        "Too many rows are faulty; nothing was said. Look at the batch's quarantine, then send a mended file, "
        "or let it through: send the same file with confirm=true, or release the batch."
    )
    return FaultyHeldError(detail, batch)


async def _take(
    deps: IngestDeps, source: Source, received: Received, batch: Batch, *, confirmed: bool
) -> tuple[Batch, JudgedFile]:
    database, people = deps.platform.database, await deps.people.get()
    # Judging and compressing need nothing of each other; both must be over before anything is said or undone.
    keeping = asyncio.create_task(asyncio.to_thread(deps.raw.keep, received))
    try:
        judged = await asyncio.to_thread(_judged, deps, source, received, people)
    finally:
        await asyncio.wait({keeping})
    await keeping
    stopped = not confirmed and not batch.chunks_done and _stop(deps).stops(judged.counts)
    if stopped:
        quarantine = await asyncio.to_thread(judged.quarantine)
        async with database.write() as tx:
            return await evidence.hold(tx, batch, judged.counts, quarantine), judged
    for chunk in judged.chunks():
        async with database.write() as tx:
            batch = await evidence.take_chunk(tx, deps.platform.outbox, source, batch, chunk)
    return batch, judged


def _judged(deps: IngestDeps, source: Source, received: Received, people: PeopleIndex) -> JudgedFile:
    file, said, row = JudgedFile(people=people, scratch=received.scratch), rules(deps), 0
    with room():
        match, headers = source_match(source), source.headers
        for frame in read_chunks(received.path, received.scratch, match, deps.limits, headers=headers):
            rows = (
                one_a_person(frame, CITIZEN_ID, NAME if NAME in frame.columns else None)
                if source.several_people
                else frame
            )
            judged = verdicts.judge(rows, source, people, said)
            file.add(judged, *hinting.described(rows, source, judged, said, first_row=row))
            row += len(rows)
    return file


def _stop(deps: IngestDeps) -> evidence.Stop:
    return evidence.Stop(share=deps.settings.ingest_stop_share, rows=deps.settings.ingest_stop_rows)


async def pays_households(deps: IngestDeps, program: str) -> bool:
    """Whether a program pays households, each by one payee, as recognition knows it.

    Raises:
        NotFoundError: there is no such program, or its people cannot exist.
        UnavailableError: recognition does not answer.
    """
    said = await deps.platform.peers.get_json(f"{deps.settings.recognition_url}/v1/programs/{program}")
    if said is None or said.get("sandbox"):
        detail = "There is no such program; recognition's GET /v1/programs lists them."
        raise NotFoundError(detail)
    return bool(said["unit"] == "household")


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterAsked:
    """How a roster is to be taken.

    Attributes:
        full: whoever is not in it has ended.
        confirmed: somebody has looked at how many it ends.
        by_household: its program pays households.
    """

    full: bool
    confirmed: bool
    by_household: bool


@_begun_again
async def take_roster(
    deps: IngestDeps, program: str, received: Received, new: NewBatch, asked: RosterAsked
) -> tuple[Batch, bool]:
    """Take a roster in whole or not at all.

    Returns:
        The batch, and whether it is the roster that was taken last.

    Raises:
        UnreadableFileError: nothing of the file was kept.
        HeldError: it would end too many enrolments or is too faulty, and nobody has confirmed it.
        OvertakenError: a newer roster was taken while this one was on its way.
    """
    database = deps.platform.database
    async with deps.turn, database.holding(batches.file_name_of(new)):
        async with database.write() as tx:
            await batches.lock_file(tx, new)
            last = await batches.last_roster(tx, program)
            if last and _repeats(last, new, asked):
                return last, True
            # The same file may come again after another one: then it is a new state, not a repetition.
            batch = await batches.open_batch(tx, new, generation=last.batch_no if last else 0)
            while batch.status == "withdrawn" and asked.confirmed:
                # It was right after all.
                batch = await batches.open_batch(tx, new, generation=batch.batch_no)
            await batches.note_asked(tx, batch, full=asked.full, confirmed=asked.confirmed)
        if batch.status == "withdrawn":
            return batch, True
        async with _undone(deps, batch):
            judged = await asyncio.to_thread(_judged_roster, deps, received, by_household=asked.by_household)
            await asyncio.to_thread(deps.raw.keep, received)
            said = rosters.Roster(
                program=program,
                counts=judged.counts,
                reasons=pl.concat(judged.reasons),
                parts=judged.rows,
                second=judged.second(),
                leaving=pl.concat(judged.leaving),
                named=pl.concat(judged.named),
                rivals=pl.concat(judged.rivals),
                unsaid=judged.unsaid,
                full=asked.full,
                by_household=asked.by_household,
                today=deps.platform.clock.today(),
                at=deps.platform.clock.now(),
                end_share=deps.settings.ingest_end_share,
                stop=_stop(deps),
                confirmed=asked.confirmed,
            )
            async with database.write() as tx:
                batch = await rosters.take_roster(tx, deps.platform.outbox, deps.keys, batch, said)
    if batch.status == rosters.HELD:
        faulty = sum(verdicts.faulty_of(batch.counts).values())
        detail = (
            f"It would end {batch.counts['ending']} of {batch.counts['open']} enrolments, and {faulty} of its rows are "
            "faulty; nothing was changed. Look at it and at its quarantine, then send the same file with "
            "confirm=true, or a mended one."
        )
        raise RosterHeldError(detail, batch)
    return batch, False


def _repeats(last: Batch, new: NewBatch, asked: RosterAsked) -> bool:
    """Whether a roster is the one that was taken last, and nobody has looked by whom it says anything else now."""
    same = last.file_sha256 == new.sha256
    named = asked.confirmed and not last.confirmed and "name_mismatch" in last.counts
    # A full roster of the rows of the delta before ends whoever is not among them.
    widened = asked.full and not last.roster_full
    return same and not widened and not named


async def go_on(deps: IngestDeps, batch: Batch, received: Received, *, confirmed: bool | None = None) -> Batch:
    """Take a file that was begun or held, as it was asked for then; `confirmed` when somebody lets it through now."""
    new = NewBatch(
        kind=batch.kind,
        code=batch.code,
        department=batch.department,
        client_id=batch.client_id,
        sha256=received.sha256.split(".")[0],
        filename=batch.filename,
        size_bytes=batch.size_bytes,
        received_at=batch.received_at,
    )
    through = batch.confirmed if confirmed is None else confirmed
    if batch.kind == "roster":
        by_household = await pays_households(deps, batch.code)
        asked = RosterAsked(full=batch.roster_full, confirmed=through, by_household=by_household)
        return (await take_roster(deps, batch.code, received, new, asked))[0]
    return (await take_source(deps, deps.source(batch.code), received, new, confirmed=through))[0]


async def take_pulled(deps: IngestDeps, pull: Pull, received: Received, new: NewBatch) -> Batch:
    """Take a file that was put into a folder of the settings."""
    if pull.source:
        return (await take_source(deps, deps.source(pull.source), received, new))[0]
    by_household = await pays_households(deps, pull.program)
    asked = RosterAsked(full=pull.mode == "full", confirmed=False, by_household=by_household)
    return (await take_roster(deps, pull.program, received, new, asked))[0]


def _judged_roster(deps: IngestDeps, received: Received, *, by_household: bool) -> JudgedRosterFile:
    judged = JudgedRosterFile(scratch=received.scratch, by_household=by_household)
    today = deps.platform.clock.today()
    limits = replace(deps.limits, chunk_rows=min(deps.limits.chunk_rows, _ROSTER_ROWS))
    row, seen = 0, roster.NOBODY
    with room():
        for frame in read_chunks(received.path, received.scratch, roster.match, limits, headers=roster.HEADERS):
            part = roster.judge_roster(frame, today=today, first_row=row, seen=seen, by_household=by_household)
            judged.add(part)
            judged.unsaid = tuple(kept for name, kept in roster.OPTIONAL.items() if name not in frame.columns)
            row, seen = row + len(frame), part.seen
    if not row:
        detail = "The roster has a first line but no rows; send it with its people."
        raise UnreadableFileError(detail)
    return judged
