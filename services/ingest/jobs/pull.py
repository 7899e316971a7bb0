"""Fetch files and rosters from folders and buckets in which departments put them, each once, on a schedule."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import Any
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
_PASSING = frozenset({"unavailable", "storage_full", "conflict"})


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
        everybody, after a later one.
        """
        store, root = await asyncio.to_thread(fsspec.core.url_to_fs, pull.url)
        found = await asyncio.to_thread(_listed, store, root)
        steady = self._seen.get(pull, set())
        self._seen[pull] = set(found)
        async with self._database.read() as tx:
            before = await watching.pulled_before(tx, pull.code, list(found))
        full = pull.program and pull.mode == "full"
        taken = max((at for each, (_, at) in found.items() if full and before.get(each) == "completed"), default=0.0)
        count = 0
        for fingerprint, (path, at) in found.items():
            if fingerprint in before:
                continue
            if at < taken:
                log.warning("pull_overtaken", code=pull.code)
                await self._note(pull, fingerprint, "roster_overtaken")
                continue
            # A file seen for the first time may still be being written: it is taken at the next look.
            done = fingerprint in steady and await self._fetch(pull, store, path, fingerprint)
            count += done
            if pull.program and not done:
                break
        return count

    async def _fetch(self, pull: Pull, store: Any, path: str, fingerprint: str) -> bool:  # noqa: ANN401  (fsspec)
        """Fetch a file; whether it is done with."""
        try:
            return await self._take_in(pull, store, path, fingerprint)
        except Exception as error:  # noqa: BLE001  (whatever a file does, the next one has its turn)
            log.warning("pull_failed", code=pull.code, reason=type(error).__name__)
            return False

    async def _take_in(self, pull: Pull, store: Any, path: str, fingerprint: str) -> bool:  # noqa: ANN401  (fsspec)
        try:
            received = await self._raw.receive(_read(store, path), limit=self._settings.ingest_max_upload_bytes)
            try:
                batch = await self._take(pull, received, self._new(pull, received, path))
            finally:
                self._raw.forget(received)
            outcome, batch_id = batch.status, batch.batch_id
        except ProblemError as problem:
            if problem.code in _PASSING:
                log.warning("pull_postponed", code=pull.code, problem=problem.code)
                return False
            outcome, batch_id = problem.code, None
        log.info("pulled", code=pull.code, outcome=outcome)
        await self._note(pull, fingerprint, outcome, batch_id)
        return True

    async def _note(self, pull: Pull, fingerprint: str, outcome: str, batch_id: UUID | None = None) -> None:
        async with self._database.write() as tx:
            await watching.note_pulled(
                tx, pull.code, fingerprint, outcome=outcome, batch_id=batch_id, at=self._clock.now()
            )

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


def _listed(store: Any, root: str) -> dict[str, tuple[str, float]]:  # noqa: ANN401  (fsspec)
    """Files and since when they are there, 0 where none tells it, by a digest of where, how long and how old they are.

    Hidden and unfinished ones are left alone.

    The one that was put there first comes first: of two rosters the later one counts, whatever their names.
    """
    store.invalidate_cache()
    files: dict[str, tuple[str, float]] = {}
    for path, info in sorted(store.find(root, detail=True).items(), key=_put_there):
        name = PurePosixPath(path).name
        if name.startswith((".", "~")) or name.endswith(_UNFINISHED):
            continue
        marks = [path, *(str(info.get(key)) for key in ("size", "mtime", "LastModified", "ETag", "etag"))]
        files[blake2b("\n".join(marks).encode(), digest_size=16).hexdigest()] = path, _put_there((path, info))[0]
    return files


def _put_there(file: tuple[str, Mapping[str, Any]]) -> tuple[float, int, str]:
    path, info = file
    told = (info.get(key) for key in ("mtime", "LastModified", "last_modified", "created"))
    at = next((each for each in told if isinstance(each, datetime | float | int)), 0.0)
    # Buckets know the second only: of files put there at once the 9th comes before the 10th.
    return at.timestamp() if isinstance(at, datetime) else float(at), len(path), path


async def _read(store: Any, path: str) -> AsyncIterator[bytes]:  # noqa: ANN401  (fsspec)
    opened = await asyncio.to_thread(store.open, path, "rb")
    try:
        while piece := await asyncio.to_thread(opened.read, _PIECE):
            yield piece
    finally:
        await asyncio.to_thread(opened.close)
