"""`make limits`: hostile and broken files through gateway and sockets, as a department would send them; docs/limits.md.

Every case meets an ingest that has just started, so that the peak of its memory is this case's own.
"""

import argparse
import asyncio
import gzip
import io
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
from rich.console import Console

from deploy.demo.client import Client, client
from deploy.demo.run import MORNING
from deploy.local.stack import LocalStack, StackOptions
from tests.bench.machine import day_of_the_code, facts, peak_mib
from tests.services.ingest.world import IDS, csv_of, pharmacy, roster

_MIB = 1 << 20
PAGE = Path(__file__).parents[2] / "docs" / "limits.md"
HEAD = "身份证号,购药时间\n".encode()
MOST_MIB = 600
"""Of one service process, whatever it is sent (DESIGN, section 12)."""

Pieces = Iterator[bytes]


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


def far_apart() -> Pieces:
    """A workbook of a kilobyte whose reader would make room for seventeen thousand million cells."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        for name, text in _BOOK.items():
            book.writestr(name, text)
        last = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
        book.writestr("xl/worksheets/sheet1.xml", _SHEET + _row("身份证号", "购药时间") + last)
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
    "3 GiB of random bytes, declared at the start": (lambda: garbage(3 << 30), {413}),
    "1 GiB of random bytes": (lambda: garbage(1 << 30), {422}),
    "1 GiB in one line": (lambda: one_line(1 << 30), {422}),
    "a quotation mark open over 200 MiB": (lambda: quoted_line(200 * _MIB), {422}),
    "gzip that stands for 64 GiB": (lambda: gzip_bomb(64 << 30), {413}),
    "zip that stands for 1 GiB": (lambda: zip_bomb(1 << 30), {413}),
    "10,000 columns": (lambda: columns(10_000), {422}),
    "300 MiB that change their encoding at the end": (lambda: mixed(300 * _MIB), {422}),
    "a sheet of 500,000 rows without one good": (lambda: sheet(500_000), {409, 413}),
    "a sheet of two cells, the first and the last there may be": (far_apart, {413}),
    "Parquet with 60 kB in each of a million cells": (lambda: long_cells(500_000), {422}),
    "an honest file of 2,000,000 rows": (lambda: rows_of_nobody(2_000_000), {201}),
}
"""What is sent, and the answers that are right."""
DECLARED = {"3 GiB of random bytes, declared at the start": 3 << 30}
"""Cases whose length is told before the body, as curl does with a file; the others come in pieces of no known number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, and what it took.

    Attributes:
        sent: bytes that had been handed to the socket by then.
        peak: most memory of the ingest process, MiB; `gateway` of Caddy's so far.
        kept: whether anything was left behind that a refused file must not leave.
    """

    name: str
    status: int
    code: str
    sent: int
    seconds: float
    peak: float
    gateway: float
    kept: bool

    @property
    def right(self) -> bool:
        """Whether the answer is one of those that are right, within the memory, with nothing left behind."""
        return self.status in CASES[self.name][1] and self.peak <= MOST_MIB and not self.kept


async def measure(stack: LocalStack, caller: Client, name: str) -> Answer:
    """One case against a fresh ingest."""
    await stack.restart("ingest")
    before, sent = await _traces(stack, caller), 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for piece in CASES[name][0]():
            for start in range(0, len(piece), _MIB):
                part = piece[start : start + _MIB]
                yield part
                sent += len(part)

    url = f"{caller.gateway}/api/ingest/v1/sources/medins_pharmacy/batches"
    headers = {"Authorization": f"Bearer {await caller.tokens.get()}"}
    if name in DECLARED:
        headers["Content-Length"] = str(DECLARED[name])
    started = time.perf_counter()
    answer = await caller.http.post(url, content=pieces(), headers=headers, timeout=httpx.Timeout(900, connect=5))
    seconds = time.perf_counter() - started
    told = {} if answer.is_success else _problem(answer)
    pids = [stack.children[each].pid for each in ("ingest", "gateway")]
    peak, gateway = (peak_mib(pid) if pid else 0.0 for pid in pids)
    # A file that is held waits with its reasons.
    refused = not answer.is_success and told["code"] != "batch_held"
    kept = refused and await _traces(stack, caller) != before
    return Answer(name=name, status=answer.status_code, code=told.get("code", ""), sent=sent, seconds=seconds,
                  peak=peak, gateway=gateway, kept=kept)  # fmt: skip


def _problem(answer: httpx.Response) -> dict[str, Any]:
    """The problem, which must be one."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text[:200]
    said: dict[str, Any] = answer.json()
    assert said["detail"]
    assert said["status"] == answer.status_code
    return said


async def _traces(stack: LocalStack, caller: Client) -> tuple[Any, list[str]]:
    """What ingest counts, and the files in its folder."""
    folder = stack.folder.of_service("ingest")
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return await caller.call("GET", "ingest", "/v1/figures"), files


async def run(names: Sequence[str], folder: Path, console: Console) -> list[Answer]:
    """The stack of a department's upload: gateway, ingest, and recognition, which gives the tokens."""
    options = StackOptions(
        data=folder, port_base=0, services=("ingest", "recognition"), clock_at=MORNING, database_url=None, nats_url=None
    )
    async with LocalStack(options) as stack:
        key = stack.client_key("demo-operator")
        issuer = f"{stack.urls['gateway']}/api/recognition"
        async with client(stack.urls["gateway"], issuer, key.client_id, key.key_file) as caller:
            people = csv_of(roster(range(30)))
            await caller.call("POST", "ingest", "/v1/programs/resident_pension/roster", content=people)
            made = []
            for name in names:
                made.append(await measure(stack, caller, name))
                console.print(_line(made[-1]), highlight=False)
    return made


def _line(made: Answer) -> str:
    words = (f"{made.name:<50}{made.status} {made.code:<18}{made.sent / _MIB:>7.0f} MiB{made.seconds:>7.1f} s"
             f"{made.peak:>6.0f} MiB{made.gateway:>5.0f} MiB")  # fmt: skip
    return words if made.right else f"{words}  NOT AS IT SHOULD BE"


_INTRO = """# Hostile files

Made by `make limits`; do not edit. Each file goes through a socket, the gateway (Caddy) and a socket to an ingest that
has just started, with the limits of its default settings (`WUGAN_INGEST_MAX_…` in services/ingest/settings.py). Right
is an answer of the expected kind with its sentence as problem+json, at most {most} MiB of memory, and after a refusal
not a file, batch or row more than before.

"""
_HEADS = ("sent", "answer", "code", "read of it", "seconds", "ingest's peak, MiB", "gateway's peak, MiB", "")


def write(made: Sequence[Answer], told: dict[str, str]) -> None:
    """The page."""
    lines = [f"| {' | '.join(_HEADS)} |", f"|{'---|' * 3}{'---:|' * 4}---|"]
    lines += [
        f"| {each.name} | {each.status} | {f'`{each.code}`' if each.code else ''} | {each.sent / _MIB:,.0f} MiB "
        f"| {each.seconds:.1f} | {each.peak:.0f} | {each.gateway:.0f} | {'right' if each.right else 'WRONG'} |"
        for each in made
    ]
    machine = "".join(f"* {name}: {value}\n" for name, value in told.items())
    PAGE.write_text(_INTRO.format(most=MOST_MIB) + machine + "\n" + "\n".join(lines) + "\n", encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Show every case; 1 where an answer is not right or takes too much memory."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.limits", description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name holds this word; nothing is written then")
    asked = parser.parse_args(argv)
    names = [name for name in CASES if asked.only in name]
    with tempfile.TemporaryDirectory() as kept:
        told = {"date": day_of_the_code(), **facts(Path(kept))}
        made = asyncio.run(run(names, Path(kept) / "stack", Console(width=200)))
    if not asked.only:
        write(made, told)
    return int(not all(each.right for each in made))


if __name__ == "__main__":
    sys.exit(main())
