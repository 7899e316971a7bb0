"""Builders for tests of ingest: the real application on a test database, people, files in every form."""

import asyncio
import gzip
import io
import zipfile
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pyarrow as pa
import xlsxwriter
import zstandard
from fastapi import FastAPI

from services.ingest.api.deps import IngestDeps, PeopleCache
from services.ingest.app import SERVICE
from services.ingest.domain import citizen_id
from services.ingest.settings import IngestSettings
from services.ingest.sources import load_sources
from services.ingest.store.raw import RawStore
from services.ingest.usecases.hashing import Keys
from shared.kit import arrow
from shared.kit.app import Platform, create_app
from shared.kit.clock import FixedClock
from shared.kit.http import Peers
from shared.kit.outbox import Outbox
from tests.support.settings import settings_for
from tests.support.tokens import Issuer

TODAY = date(2023, 11, 1)
NOW = datetime(2023, 11, 1, 1, tzinfo=UTC)
VILLAGE = "341602001001"
PROGRAM = "resident_pension"
SOURCES = load_sources()
HOUSEHOLD_PROGRAM = "dibao"
SMALL = {
    "ingest_chunk_rows": 1000,
    "ingest_max_upload_bytes": 3_000_000,
    "ingest_max_plain_bytes": 6_000_000,
    "ingest_max_sheet_bytes": 6_000_000,
    "ingest_max_line_bytes": 10_000,
}


def make_id(number: int, *, born: str = "19500505") -> str:
    """The id of person `number`."""
    body = f"3416{number // 1000 % 100:02d}{born}{number % 1000:03d}"
    last = citizen_id.check_digits(np.frombuffer(body.encode(), dtype=np.uint8).reshape(1, 17))
    return body + chr(last[0])


IDS = [make_id(number) for number in range(1, 41)]
NAMES = [f"张{chr(0x4E00 + number * 7)}" for number in range(1, 41)]


def csv_of(columns: dict[str, Any], delimiter: str = ",") -> bytes:
    return pl.DataFrame(columns).write_csv(separator=delimiter).encode()


def xlsx_of(columns: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    sheet = book.add_worksheet()
    for place, (header, values) in enumerate(columns.items()):
        sheet.write_string(0, place, header)
        for row, value in enumerate(values, 1):
            sheet.write_string(row, place, str(value))
    book.close()
    return out.getvalue()


def ndjson_of(columns: dict[str, Any]) -> bytes:
    return pl.DataFrame(columns).write_ndjson().encode()


def parquet_of(columns: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    pl.DataFrame(columns).write_parquet(out)
    return out.getvalue()


def zipped(body: bytes, name: str = "file.csv") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, body)
    return out.getvalue()


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "zip": zipped,
}


def pharmacy(ids: Sequence[str], days: Sequence[str] | str = "2023-05-09") -> dict[str, Any]:
    return {"身份证号": ids, "购药时间": [days] * len(ids) if isinstance(days, str) else days}


def roster(numbers: Sequence[int], **changes: Sequence[object]) -> dict[str, Any]:
    columns: dict[str, Any] = {
        "身份证号": [IDS[number] for number in numbers],
        "姓名": [NAMES[number] for number in numbers],
        "手机号": [f"138{number:08d}" for number in numbers],
        "村居代码": [VILLAGE] * len(numbers),
        "村民组": ["3"] * len(numbers),
        "待遇金额": ["220.10"] * len(numbers),
    }
    return columns | changes


class World:
    """Ingest behind HTTP, and a look behind it."""

    def __init__(self, deps: IngestDeps, client: httpx.AsyncClient, issuer: Issuer, folder: Path) -> None:
        self.deps = deps
        self.client = client
        self.issuer = issuer
        self.folder = folder

    async def post(self, path: str, body: bytes, *, scope: str = "ingest.upload", **token: Any) -> httpx.Response:
        return await self.client.post(path, content=body, headers=self.issuer.headers(scope, **token))

    async def send(self, body: bytes, source: str = "medins_pharmacy", **query: object) -> httpx.Response:
        return await self.post(f"/v1/sources/{source}/batches?{httpx.QueryParams(query)}", body)  # type: ignore[arg-type]

    async def enrol(self, columns: dict[str, Any], program: str = PROGRAM, **query: object) -> Any:
        path = f"/v1/programs/{program}/roster?{httpx.QueryParams(query)}"  # type: ignore[arg-type]
        return await self.post(path, csv_of(columns))

    async def get(self, path: str, scope: str = "ingest.read", **token: Any) -> httpx.Response:
        return await self.client.get(path, headers=self.issuer.headers(scope, **token))

    async def rows(self, sql: str, *args: object) -> list[dict[str, Any]]:
        async with self.deps.platform.database.read() as tx:
            return [dict(row) for row in await tx.fetch(sql, *args)]

    async def said(self, event: str) -> list[dict[str, Any]]:
        """Rows of all table messages of an event, in the order of their subjects and days."""
        found = await self.rows("SELECT body FROM outbox WHERE subject LIKE $1 || '.%' ORDER BY seq", event)
        return [row for each in found for row in arrow.decode(each["body"]).to_pylist()]

    async def evidence(self) -> pa.Table:
        found = await self.rows("SELECT source, body FROM evidence_segment")
        tables = [
            arrow.decode(row["body"])
            .cast(
                pa.schema([("key", pa.uint64()), ("row_no", pa.uint32()), ("kind", pa.string()), ("full", pa.bool_())])
            )
            .append_column("source", pa.array([row["source"]] * len(arrow.decode(row["body"]))))
            for row in found
        ]
        return pa.concat_tables(tables).sort_by([("source", "ascending"), ("key", "ascending")]) if tables else None

    def raw_files(self) -> list[str]:
        return [path.name for path in (self.folder / "raw").rglob("*") if path.is_file()]

    def leftovers(self) -> list[Path]:
        """What was not cleaned up behind an upload."""
        return list((self.folder / "scratch").iterdir())

    async def traces(self) -> dict[str, int]:
        """Everything an upload may have left."""
        tables = ("batch", "evidence_segment", "quarantine_segment", "outbox", "person", "enrolment")
        counts = {name: (await self.rows(f"SELECT count(*) AS n FROM {name}"))[0]["n"] for name in tables}
        return counts | {"raw": len(self.raw_files()), "scratch": len(self.leftovers())}


def _programs(request: httpx.Request) -> httpx.Response:
    code = request.url.path.rsplit("/", 1)[-1]
    unit = "household" if code == HOUSEHOLD_PROGRAM else "person"
    return httpx.Response(200 if code in {PROGRAM, HOUSEHOLD_PROGRAM, "low_income"} else 404, json={"unit": unit})


@cache
def _app(max_body_bytes: int) -> FastAPI:
    """One application for all worlds of this process, as building one takes longer than most tests."""
    return create_app(SERVICE, settings_for(IngestSettings, max_body_bytes=max_body_bytes))


@cache
def _settings(**settings: object) -> IngestSettings:
    """Read once: for many tests it takes longer than what they do with it."""
    return settings_for(IngestSettings, **(SMALL | settings))


def make_world(database: Any, issuer: Issuer, folder: Path, **settings: object) -> World:
    chosen = _settings(**settings).model_copy(update={"data_dir": folder})
    clock = FixedClock(NOW)
    platform = Platform(
        settings=chosen,
        clock=clock,
        database=database,
        bus=None,  # type: ignore[arg-type]  # nothing is published here
        outbox=Outbox("ingest", clock, asyncio.Event()),
        peers=Peers(httpx.AsyncClient(transport=httpx.MockTransport(_programs)), None),
        guard=issuer.known_guard,
    )
    keys = Keys.from_settings(chosen.subject_key, chosen.name_key, chosen.vault_keys)
    deps = IngestDeps(
        platform=platform,
        settings=chosen,
        sources=SOURCES,
        keys=keys,
        raw=RawStore(f"file://{folder / 'raw'}", folder / "scratch", keys.files),
        people=PeopleCache(database),
        turn=asyncio.Semaphore(2),
    )
    app = _app(chosen.max_body_bytes)
    app.state.platform, app.state.deps = platform, deps
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://ingest")
    return World(deps, client, issuer, folder)


def with_deps(world: World, **changes: object) -> World:
    """The same service with other parts."""
    deps = replace(world.deps, **changes)  # type: ignore[arg-type]
    world.client._transport.app.state.deps = deps  # type: ignore[attr-defined]
    world.deps = deps
    return world


@asynccontextmanager
async def running(database: Any, issuer: Issuer, folder: Path, **settings: object) -> Any:
    world = make_world(database, issuer, folder, **settings)
    async with world.client:
        yield world
