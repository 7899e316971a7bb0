"""Hostile and broken files against ingest with its real limits: a clear answer each, and how much memory they take."""

import asyncio
import gzip
import io
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import structlog

from services.ingest.settings import IngestSettings
from shared.kit import migrations
from shared.kit.db import Database
from tests.services.ingest.world import IDS, csv_of, make_world, pharmacy, roster
from tests.support.servers import shared_servers, unused_name
from tests.support.tokens import Issuer

_MIB = 1 << 20
HEAD = "身份证号,购药时间\n".encode()

Pieces = Iterator[bytes]
MOST_MIB = 600


def garbage(size: int) -> Pieces:
    """Random bytes."""
    piece = os.urandom(_MIB)
    for number in range(size // _MIB):
        yield piece[number % 999 :] + piece[: number % 999]


def one_line(size: int) -> Pieces:
    """A header, and a line without an end."""
    yield HEAD
    for _ in range(size // _MIB):
        yield b"1" * _MIB


def quoted_line(size: int) -> Pieces:
    """A cell that opens and never closes, over many lines."""
    yield HEAD + b'"'
    for _ in range(size // _MIB):
        yield b"1234567\n" * (_MIB // 8)


def gzip_bomb(size: int) -> Pieces:
    """Zeros, a thousand to one."""
    member = gzip.compress(b"0" * (64 * _MIB))
    for _ in range(size // (64 * _MIB)):
        yield member


def zip_bomb(size: int) -> Pieces:
    """One file of zeros in a zip."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.csv", "w", force_zip64=True) as file,
    ):
        for _ in range(size // (16 * _MIB)):
            file.write(b"0" * (16 * _MIB))
    yield out.getvalue()


def columns(count: int) -> Pieces:
    """Far too many columns."""
    yield ",".join(f"列{number}" for number in range(count)).encode() + b"\n"
    for _ in range(1000):
        yield b"1," * (count - 1) + b"1\n"


def mixed(size: int) -> Pieces:
    """UTF-8 for long, then GB18030."""
    yield HEAD
    row = f"{IDS[0]},2023-05-09,张三\n".encode()
    for _ in range(size // _MIB):
        yield row * (_MIB // len(row))
    yield "341602,2023-05-09,张三丰\n".encode("gb18030") * 10


def sheet(rows: int) -> Pieces:
    """A workbook with many rows, well formed and full of what is no id."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        for name, text in _BOOK.items():
            book.writestr(name, text)
        with book.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as file:
            file.write(_SHEET + _row("身份证号", "购药时间"))
            body = _row("=HYPERLINK(1)", "2023-05-09") * 1000
            for _ in range(rows // 1000):
                file.write(body)
            file.write(b"</sheetData></worksheet>")
    yield out.getvalue()


def long_cells(rows: int) -> Pieces:
    """A small Parquet file whose one long text stands in every row."""
    out = io.BytesIO()
    text = pl.Series(["1" * 60_000]).gather(np.zeros(rows, dtype=np.int64)).cast(pl.Categorical)
    pl.DataFrame({"身份证号": text, "购药时间": text}).write_parquet(out)
    yield out.getvalue()


def rows_of_nobody(rows: int) -> Pieces:
    """A good file of people nobody knows: the size of an honest one."""
    body = csv_of(pharmacy(IDS[30:] * 1000))
    yield HEAD
    for _ in range(rows // 10_000):
        yield body[len(HEAD) :]


def _row(*cells: str) -> bytes:
    inside = "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in cells)
    return f"<row>{inside}</row>".encode()


_SHEET = (
    b'<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
)
_BOOK = {
    "[Content_Types].xml": '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
    "</Types>",
    "_rels/.rels": '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": '<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>'
    '<sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<?xml version="1.0"?><Relationships '
    'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/>'
    "</Relationships>",
}  # fmt: skip

CASES: dict[str, tuple[Callable[[], Pieces], set[int]]] = {
    "3 GiB of random bytes": (lambda: garbage(3 << 30), {413}),
    "1 GiB in one line": (lambda: one_line(1 << 30), {422}),
    "a quotation mark open over 200 MiB": (lambda: quoted_line(200 * _MIB), {422}),
    "gzip that stands for 64 GiB": (lambda: gzip_bomb(64 << 30), {413}),
    "zip that stands for 1 GiB": (lambda: zip_bomb(1 << 30), {413}),
    "10,000 columns": (lambda: columns(10_000), {422}),
    "300 MiB that change their encoding at the end": (lambda: mixed(300 * _MIB), {422}),
    "a sheet of 500,000 rows": (lambda: sheet(500_000), {422, 413}),
    "Parquet with 60 kB in each of a million cells": (lambda: long_cells(500_000), {422}),
    "an honest file of 2,000,000 rows": (lambda: rows_of_nobody(2_000_000), {201}),
}
"""What is sent, and the answers that are right."""


async def _answer(url: str, folder: Path, name: str) -> "Answer":
    """Status, code, seconds, and the peak of memory in MiB."""
    said = IngestSettings.model_fields
    real = {each: said[each].default for each in (
        "ingest_chunk_rows", "ingest_max_upload_bytes", "ingest_max_plain_bytes", "ingest_max_sheet_bytes",
        "ingest_max_line_bytes")}  # fmt: skip
    database = Database(url, schema="ingest")
    world = make_world(database, Issuer(), folder, **real)
    async with world.client:
        assert (await world.enrol(roster(range(30)))).status_code in {200, 201}
        started = time.perf_counter()
        answer = await world.client.post("/v1/sources/medins_pharmacy/batches", content=_sent(CASES[name][0]()),
                                         headers=world.issuer.headers("ingest.upload"), timeout=600)  # fmt: skip
        seconds, peak = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        assert world.leftovers() == []
    await database.close()
    return answer.status_code, answer.json().get("code", ""), seconds, peak


async def _sent(pieces: Pieces) -> AsyncIterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), 4 * _MIB):
            yield piece[start : start + 4 * _MIB]


def _answered(url: str, folder: Path, name: str) -> "Answer":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    return asyncio.run(_answer(url, folder, name))


Answer = tuple[int, str, float, float]


def measure(names: Sequence[str] | None = None) -> Iterator[tuple[str, Answer]]:
    """Every case in a fresh process, so that its memory is its own; what is made by hand costs it a little too."""
    with tempfile.TemporaryDirectory() as kept, shared_servers(Path(kept), nats=False) as servers:
        databases = servers.create_database(unused_name())
        asyncio.run(migrations.upgrade("ingest", databases.url("ingest")))
        for name in names or CASES:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                yield name, pool.apply(_answered, (databases.url("ingest"), Path(kept) / "x", name))
        databases.drop()


def main() -> int:
    """Show every case; 1 where an answer is not right or takes too much memory."""
    wrong = 0
    for name, (status, code, seconds, peak) in measure(sys.argv[1:]):
        right = status in CASES[name][1] and peak <= MOST_MIB
        wrong += not right
        words = f"{name:<50}{status} {code:<18}{seconds:>7.1f} s{peak:>7.0f} MiB"
        print(words if right else f"{words}  NOT AS IT SHOULD BE", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
