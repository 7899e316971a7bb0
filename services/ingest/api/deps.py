"""What ingest's routes work with, and who may call them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Path, Request, Security

from services.ingest.domain.catalogue import Source
from services.ingest.domain.people import PeopleIndex
from services.ingest.settings import IngestSettings
from services.ingest.store import people
from services.ingest.store.raw import RawStore
from services.ingest.store.unpacking import Limits
from services.ingest.usecases.hashing import Keys
from shared.kit.app import Platform
from shared.kit.auth import Caller, allow
from shared.kit.db import Database
from shared.kit.looks import whole_city
from shared.kit.problems import ForbiddenError, NotFoundError


@dataclass(slots=True)
class PeopleCache:
    """The vault's index in memory, read again when the vault has changed."""

    database: Database
    _index: PeopleIndex | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def get(self) -> PeopleIndex:
        """Everybody as of now."""
        async with self._lock, self.database.read() as tx:
            version = await people.vault_version(tx)
            if self._index is None or self._index.version != version:
                self._index = await people.load_people(tx, version)
            return self._index


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestDeps:
    """Everything the routes need.

    Attributes:
        turn: files taken in at once; more would need more memory than a process may have.
    """

    platform: Platform
    settings: IngestSettings
    sources: Mapping[str, Source]
    keys: Keys
    raw: RawStore
    people: PeopleCache
    turn: asyncio.Semaphore

    @property
    def limits(self) -> Limits:
        """How much of a file is read at most."""
        said = self.settings
        return Limits(
            plain_bytes=said.ingest_max_plain_bytes,
            ratio=said.ingest_max_ratio,
            columns=said.ingest_max_columns,
            line_bytes=said.ingest_max_line_bytes,
            cell_bytes=said.ingest_max_cell_bytes,
            sheet_bytes=said.ingest_max_sheet_bytes,
            chunk_rows=said.ingest_chunk_rows,
        )

    def source(self, code: str) -> Source:
        """A source of the catalogue.

        Raises:
            NotFoundError: there is none of this code.
        """
        if code not in self.sources:
            detail = "There is no such source; GET /v1/sources lists them."
            raise NotFoundError(detail)
        return self.sources[code]


def _of_the_city(_request: Request, caller: Caller) -> None:
    if caller.divisions:
        detail = "The token is for some divisions, and files are of people of all places; use a client without."
        raise ForbiddenError(detail)


def _deps(request: Request) -> IngestDeps:
    return cast(IngestDeps, request.app.state.deps)


Deps = Annotated[IngestDeps, Depends(_deps)]
Code = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{1,60}$")]
Uploader = Annotated[Caller, Security(allow("ingest.upload", met=_of_the_city))]
Reader = Annotated[Caller, Security(allow("ingest.read"))]
CityReader = Annotated[Caller, Security(allow("ingest.read", met=_of_the_city))]
"""Who may read what departments delivered: files are of people of all places."""
Revealer = Annotated[Caller, Security(allow("ingest.reveal"))]
Auditor = Annotated[Caller, Security(allow("audit.read", met=whole_city))]
Operator = Annotated[Caller, Security(allow("operate"))]


def may_deliver(caller: Caller, source: Source) -> None:
    """Let a client of the source's department, or of none, speak for the source.

    Raises:
        ForbiddenError: it is another department's.
    """
    if caller.department is not None and caller.department != source.department:
        detail = "This source belongs to another department; use a client of that department."
        raise ForbiddenError(detail)
