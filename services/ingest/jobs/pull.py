"""Fetch files and rosters from folders and buckets in which departments put them, each once, on a schedule."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import Any, Self
from uuid import UUID

import fsspec
import structlog

from services.ingest.domain.catalogue import Source
from services.ingest.settings import IngestSettings, Pull
from services.ingest.store import watching
from services.ingest.store.batches import Batch, NewBatch
from services.ingest.store.raw import RawStore, Received
from shared.kit.clock import Clock, wall
from shared.kit.db import Database
from shared.kit.problems import ProblemError

log = structlog.get_logger(__name__)

Take = Callable[[Pull, Received, NewBatch], Awaitable[Batch]]
_PIECE = 1 << 20
_LOOK_SECONDS = 1.0
# What programs write beside a file while they are still at it.
_UNFINISHED = (".part", ".tmp", ".filepart", ".crdownload", ".swp")
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_PASSING = frozenset({"unavailable", "storage_full", "conflict"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file that lies in a folder.

    Attributes:
        fingerprint: digest of where, how long and how old it is.
        put_at: since when it lies there; None where nothing tells it.
    """

    path: str
    fingerprint: str
    put_at: datetime | None

    def by(self, now: datetime) -> Self:
        """As it can be by now: a clock that is ahead where it comes from tells of a day to come."""
        return replace(self, put_at=self.put_at and min(self.put_at, now))


class Puller:
    """Looks into every folder of the settings when its time has come.

    Args:
        database: where it is noted which files were fetched.
        clock: for the time of receipt.
        sources: the catalogue.
        raw: receives the files.
        settings: which folders.
        take: takes a received file in.
    """

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        sources: Mapping[str, Source],
        raw: RawStore,
        settings: IngestSettings,
        take: Take,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sources = sources
        self._raw = raw
        self._settings = settings
        self._take = take
        self._next: dict[Pull, float] = {}
        self._seen: dict[Pull, set[str]] = {}

    async def run(self) -> None:
        """Look until cancelled; a folder that cannot be reached is tried again at its next time."""
        while self._settings.ingest_pulls:
            for pull in self._settings.ingest_pulls:
                if wall() >= self._next.get(pull, 0.0):
                    self._next[pull] = wall() + pull.every_seconds
                    try:
                        await self.look(pull)
                    except Exception as error:  # noqa: BLE001  (each kind of store has errors of its own)
                        log.warning("pull_unreachable", code=pull.code, reason=type(error).__name__)
            await asyncio.sleep(_LOOK_SECONDS)
        await asyncio.Event().wait()

    async def look(self, pull: Pull) -> int:
        """Fetch what is new in a folder and no longer changes; the number of files fetched.

        Of rosters the later one counts: none is taken before an earlier one that has to wait, nor, where they name
        everybody, after a later one that was taken or waits for a second look, wherever that one is by now.
        """
        now = self._clock.now()
        store, root = await asyncio.to_thread(fsspec.core.url_to_fs, pull.url)
        found = await asyncio.to_thread(_listed, store, root)
        steady = self._seen.get(pull, set())
        self._seen[pull] = {file.fingerprint for file in found}
        full = pull.program and pull.mode == "full"
        async with self._database.read() as tx:
            before = await watching.pulled_before(tx, pull.code, [file.fingerprint for file in found])
            last = await watching.last_put(tx, pull.code, now)
        # What the version before fetched tells it only as long as it lies there.
        known = [last, *(file.put_at for file in found if before.get(file.fingerprint) in watching.COUNTED)]
        newest = max((at for at in known if at and at <= now and full), default=None)
        count = 0
        for file in (each.by(now) for each in found if each.fingerprint not in before):
            if newest and file.put_at and file.put_at < newest:
                log.warning("pull_overtaken", code=pull.code)
                await self._note(pull, file, "roster_overtaken")
                continue
            # A file seen for the first time may still be being written: it is taken at the next look.
            done = file.fingerprint in steady and await self._fetch(pull, store, file)
            count += done
            if pull.program and not done:
                break
        return count

    async def _fetch(self, pull: Pull, store: Any, file: _File) -> bool:  # noqa: ANN401  (fsspec)
        """Fetch a file; whether it is done with."""
        try:
            return await self._take_in(pull, store, file)
        except Exception as error:  # noqa: BLE001  (whatever a file does, the next one has its turn)
            log.warning("pull_failed", code=pull.code, reason=type(error).__name__)
            return False

    async def _take_in(self, pull: Pull, store: Any, file: _File) -> bool:  # noqa: ANN401  (fsspec)
        try:
            received = await self._raw.receive(_read(store, file.path), limit=self._settings.ingest_max_upload_bytes)
            try:
                batch = await self._take(pull, received, self._new(pull, received, file.path))
            finally:
                self._raw.forget(received)
            outcome, batch_id = batch.status, batch.batch_id
        except ProblemError as problem:
            if problem.code in _PASSING:
                log.warning("pull_postponed", code=pull.code, problem=problem.code)
                return False
            outcome, batch_id = problem.code, None
        log.info("pulled", code=pull.code, outcome=outcome)
        await self._note(pull, file, outcome, batch_id)
        return True

    async def _note(self, pull: Pull, file: _File, outcome: str, batch_id: UUID | None = None) -> None:
        noted = watching.Pulled(
            source=pull.code,
            fingerprint=file.fingerprint,
            outcome=outcome,
            batch_id=batch_id,
            put_at=file.put_at,
            at=self._clock.now(),
        )
        async with self._database.write() as tx:
            await watching.note_pulled(tx, noted)

    def _new(self, pull: Pull, received: Received, path: str) -> NewBatch:
        return NewBatch(
            kind="source" if pull.source else "roster",
            code=pull.code,
            department=self._sources[pull.source].department if pull.source else pull.department,
            client_id="pull",
            sha256=received.sha256,
            filename=PurePosixPath(path).name[:200],
            size_bytes=received.size,
            received_at=self._clock.now(),
        )


def _listed(store: Any, root: str) -> list[_File]:  # noqa: ANN401  (fsspec)
    """Files, but for hidden and unfinished ones.

    The one that was put there first comes first: of two rosters the later one counts, whatever their names.
    """
    store.invalidate_cache()
    files = []
    for path, info in store.find(root, detail=True).items():
        name = PurePosixPath(path).name
        if name.startswith((".", "~")) or name.endswith(_UNFINISHED):
            continue
        marks = [path, *(str(info.get(key)) for key in ("size", "mtime", "LastModified", "ETag", "etag"))]
        fingerprint = blake2b("\n".join(marks).encode(), digest_size=16).hexdigest()
        files.append(_File(path=path, fingerprint=fingerprint, put_at=_put_there(info)))
    # Buckets know the second only: of files put there at once the 9th comes before the 10th.
    return sorted(files, key=lambda file: (file.put_at or _EARLIEST, len(file.path), file.path))


def _put_there(info: Mapping[str, Any]) -> datetime | None:
    told = (info.get(key) for key in ("mtime", "LastModified", "last_modified", "created"))
    at = next((each for each in told if isinstance(each, datetime | float | int)), None)
    if isinstance(at, float | int):
        return datetime.fromtimestamp(at, UTC)
    return at and at.astimezone(UTC)


async def _read(store: Any, path: str) -> AsyncIterator[bytes]:  # noqa: ANN401  (fsspec)
    opened = await asyncio.to_thread(store.open, path, "rb")
    try:
        while piece := await asyncio.to_thread(opened.read, _PIECE):
            yield piece
    finally:
        await asyncio.to_thread(opened.close)
