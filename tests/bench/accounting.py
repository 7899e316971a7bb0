"""`make account`: a whole city's files through ingest alone; every row must be what the city's own ledger says it is."""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import structlog
from rich.console import Console

from deploy.demo.city.generate import generate
from deploy.demo.city.manifest import LEDGER, CityFile, Manifest, read_manifest
from deploy.demo.city.programs import read_programs
from shared.contracts.events import EVIDENCE_ACCEPTED
from shared.kit import arrow, migrations
from shared.kit.db import Database
from shared.kit.http import Peers
from tests.bench.machine import peak_mib
from tests.services.ingest.world import World, make_world
from tests.support.servers import shared_servers, unused_name
from tests.support.tokens import Issuer

_PIECE = 1 << 20


@dataclass(slots=True, kw_only=True)
class Account:
    """What became of a city's files.

    Attributes:
        differing: path of each file whose rows are not what the ledger says: what ingest said, what the ledger says.
        said: evidence rows in the outbox.
    """

    files: int
    rows: int
    verdicts: Counter[str]
    differing: dict[str, tuple[dict[str, int], dict[str, int]]]
    said: int
    seconds: float
    peak_mib: float

    @property
    def right(self) -> bool:
        """Whether every row is accounted for and every accepted one was said."""
        return not self.differing and self.said == self.verdicts["accepted"]


async def _upload(world: World, path: str, file: Path) -> dict[str, Any]:
    async def pieces() -> Any:
        with file.open("rb") as opened:
            while piece := opened.read(_PIECE):
                yield piece

    headers = world.issuer.headers("ingest.upload")
    answer = await world.client.post(path, content=pieces(), headers=headers, timeout=600)
    assert answer.status_code == 201, f"{file}: {answer.text}"
    said: dict[str, Any] = answer.json()
    return said


def _counted(batch: dict[str, Any]) -> Counter[str]:
    said = Counter(batch["quarantine_reasons"])
    said.update({name: batch[name] for name in ("accepted", "duplicate", "out_of_window") if batch[name]})
    assert batch["rows"] == sum(said.values())
    return said


def _enrolled(roster: dict[str, Any]) -> Counter[str]:
    """What became of a roster; the city makes no mistake in one."""
    return +Counter({name: roster[name] for name in ("accepted", "new", "changed", "ended")} | roster["reasons"])


def _known(ledger: pl.DataFrame, path: str) -> Counter[str]:
    known: Counter[str] = Counter()
    for row in ledger.filter(pl.col("path") == path).iter_rows(named=True):
        known[row["reason"] or row["verdict"]] += row["rows"]
    return +known


def _program(request: httpx.Request) -> httpx.Response:
    """What recognition would say of a program of the city."""
    code = request.url.path.rsplit("/", 1)[-1]
    [program] = [each for each in read_programs() if each.code == code]
    return httpx.Response(200, json={"unit": "household" if program.household else "person"})


async def account(manifest: Manifest, url: str, folder: Path) -> Account:
    """Take every file of a city in, in the order of delivery, and hold it against the ledger."""
    database = Database(url, schema="ingest")
    world = make_world(
        database, Issuer(), folder, ingest_chunk_rows=300_000, ingest_max_upload_bytes=1 << 31,
        ingest_max_plain_bytes=1 << 33, ingest_max_line_bytes=65_536, ingest_max_sheet_bytes=400 << 20,
    )  # fmt: skip
    world.deps.platform.peers = Peers(httpx.AsyncClient(transport=httpx.MockTransport(_program)), None)
    made = Account(files=0, rows=0, verdicts=Counter(), differing={}, said=0, seconds=0, peak_mib=0)
    ledger = pl.read_parquet(manifest.root / LEDGER)
    async with world.client:
        for file in _of(manifest, "roster"):
            said = await _upload(world, f"/v1/programs/{file.code}/roster", manifest.root / file.path)
            came, known = _enrolled(said), Counter(accepted=file.rows, new=file.rows)
            if came != known:
                made.differing[file.path] = (dict(came - known), dict(known - came))
        started = time.perf_counter()
        for file in _of(manifest, "source"):
            judged = _counted(await _upload(world, f"/v1/sources/{file.code}/batches", manifest.root / file.path))
            made.verdicts += judged
            if judged != (known := _known(ledger, file.path)):
                made.differing[file.path] = (dict(judged - known), dict(known - judged))
        made.seconds = time.perf_counter() - started
    made.said = await _said(world)
    made.files, made.rows = len(_of(manifest, "source")), sum(made.verdicts.values())
    made.peak_mib = peak_mib(os.getpid())
    await database.close()
    return made


async def _said(world: World) -> int:
    """Rows of evidence in the messages that wait to be published; nothing publishes them here."""
    said, after = 0, 0
    while rows := await world.rows(
        "SELECT seq, body FROM outbox WHERE subject LIKE $1 || '.%' AND seq > $2 ORDER BY seq LIMIT 50",
        EVIDENCE_ACCEPTED.name,
        after,
    ):
        after = rows[-1]["seq"]
        said += sum(arrow.decode(row["body"]).num_rows for row in rows)
    return said


def _of(manifest: Manifest, kind: str) -> list[CityFile]:
    return [file for file in manifest.files if file.kind == kind]


def show(made: Account, console: Console) -> None:
    """The figures, in a few lines."""
    speed = made.rows / made.seconds
    console.print(f"{made.files} files, {made.rows:,} rows in {made.seconds:.1f} s ({speed:,.0f} rows/s), "
                  f"peak {made.peak_mib:.0f} MiB")  # fmt: skip
    for name, count in made.verdicts.most_common():
        console.print(f"  {name:<18}{count:>12,}")
    for path, (said, known) in made.differing.items():
        console.print(f"differs: {path}: ingest said {said}, the ledger says {known}")
    console.print("every row is what the ledger says" if made.right else "NOT every row is what the ledger says")


def main(argv: list[str] | None = None) -> int:
    """Make or take a city, and account for it; 1 where a row differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.accounting", description=__doc__)
    parser.add_argument("--scale", type=float, default=0.1, help="1 is the whole city of 38 million records")
    parser.add_argument("--city", type=Path, help="a generated city; made anew otherwise")
    options = parser.parse_args(argv)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    console = Console()
    with tempfile.TemporaryDirectory() as kept, shared_servers(Path(kept), nats=False) as servers:
        city = options.city or Path(kept) / "city"
        manifest = read_manifest(city) if options.city else generate(options.scale, 2023, city)
        databases = servers.create_database(unused_name())
        asyncio.run(migrations.upgrade("ingest", databases.url("ingest")))
        made = asyncio.run(account(manifest, databases.url("ingest"), Path(kept) / "ingest"))
        databases.drop()
    show(made, console)
    return 0 if made.right else 1


if __name__ == "__main__":
    sys.exit(main())
