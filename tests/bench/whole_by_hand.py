"""The whole city as one would do it in an afternoon: one process parses the files and COPYs them into one table, one SQL
statement certifies. No vault, no queue, no reasons, no second try, no way back to the file; but the same answer.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import asyncpg
import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import SecretStr

from deploy.demo.city.manifest import CityFile, Manifest
from services.ingest import sources as catalogue
from services.ingest.domain import roster, verdicts
from services.ingest.domain.catalogue import Source
from services.ingest.domain.evidence import window_start
from services.ingest.domain.people import PeopleIndex
from services.ingest.settings import IngestSettings
from services.ingest.store.reading import read_chunks
from services.ingest.store.unpacking import Limits
from services.ingest.usecases.hashing import Keys
from services.scoring import policies
from services.scoring.domain.rules import Per, RuleSet
from services.scoring.domain.rules import window_start as too_old
from shared.contracts.vocabulary import EvidenceKind, Polarity, Strength
from shared.kit.db import Database

_WINDOW_MONTHS = 12
_CUSTODY = (EvidenceKind.CUSTODY, EvidenceKind.SENTENCED_CUSTODY, EvidenceKind.DETAINED)
_TABLES = """
CREATE SCHEMA IF NOT EXISTS hand;
SET search_path = hand;
DROP TABLE IF EXISTS kind, source, record;
CREATE TABLE kind (kind smallint, seen boolean, custody boolean, released boolean, neutral boolean);
CREATE TABLE source (source smallint, strong boolean, positive boolean, department text, points int, cap int, monthly boolean);
CREATE TABLE record (person int, source smallint, day date, kind smallint, whole boolean);
"""
_CERTIFY = """
WITH distinct_days AS (
    SELECT person, source, day, kind, bool_or(whole) AS whole FROM hand.record
    WHERE day <= $2::date GROUP BY person, source, day, kind
), seen AS (
    SELECT d.person, d.source, d.day, d.whole, o.strong, o.department, o.points, o.cap, o.monthly
    FROM distinct_days d JOIN hand.source o USING (source) JOIN hand.kind k USING (kind)
    WHERE k.seen AND o.positive AND d.day > $1::date
), released AS (
    SELECT d.person, max(d.day) AS day FROM distinct_days d JOIN hand.kind k USING (kind) WHERE k.released GROUP BY d.person
), spoken_against AS (  -- custody ends with a release; a sentence served at home speaks neither for nor against
    SELECT DISTINCT d.person FROM distinct_days d
    JOIN hand.source o USING (source) JOIN hand.kind k USING (kind) LEFT JOIN released r USING (person)
    WHERE NOT (k.seen AND o.positive) AND NOT k.neutral AND NOT (k.custody AND d.day <= coalesce(r.day, '-infinity'))
), strong AS (
    SELECT person FROM seen WHERE strong AND whole GROUP BY person
), weak AS (  -- a strong act whose name could not be compared corroborates only
    SELECT person, source, department, CASE WHEN strong THEN $3::int ELSE points END AS points,
        1000 * CASE WHEN strong THEN $4::int ELSE cap END AS cap, max(day) AS day FROM seen
    WHERE NOT (strong AND whole) GROUP BY 1, 2, 3, 4, 5,
        CASE WHEN monthly THEN date_trunc('month', day::timestamp)::date ELSE day END
), worth AS (
    SELECT *, 1000 * points - 1000 * points * $5::int * ($2::date - day) / (100 * ($2::date - $1::date)) AS milli
    FROM weak WHERE points > 0
), counted AS (  -- a record counts while those newer than it have not filled the cap
    SELECT *, coalesce(sum(milli) OVER (PARTITION BY person, source ORDER BY day DESC
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) < cap AS counts FROM worth
), given AS (
    SELECT person, department, least(sum(milli), cap) AS milli FROM counted GROUP BY person, source, department, cap
), days AS (
    SELECT person FROM counted WHERE counts GROUP BY person
    HAVING count(DISTINCT day) >= $9::int AND max(day) >= $2::date - $10::int
), combined AS (
    SELECT person FROM given JOIN days USING (person) GROUP BY person
    HAVING sum(milli) >= 1000 * $6::int AND count(*) >= $7::int AND count(DISTINCT department) >= $8::int
)
SELECT person FROM (SELECT person FROM strong UNION SELECT person FROM combined) certified
WHERE person NOT IN (SELECT person FROM spoken_against)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """What the afternoon's work gives.

    Attributes:
        parsing, copying, certifying: seconds; roster: seconds to know who is who, counted apart on both sides.
        certified: subjects, shape (n, 16).
    """

    rows: int
    roster: float
    parsing: float
    copying: float
    certifying: float
    certified: np.ndarray

    @property
    def seconds(self) -> float:
        """From the first file to the last certificate."""
        return self.parsing + self.copying + self.certifying


async def by_hand(manifest: Manifest, keys: Keys, url: str, today: date) -> ByHand:
    """Certify a city by hand.

    Args:
        manifest: the city's files.
        keys: of the platform, so that people have the same pseudonyms on both sides.
        url: administrator of the database.
        today: business date.
    """
    database = Database(url, schema="hand", statement_seconds=3600)
    connection = await asyncpg.connect(url)
    await connection.execute(_TABLES)
    known = catalogue.load_sources()
    numbers = {code: number for number, code in enumerate(sorted(known))}
    rules = policies.in_force(policies.load(), "standard", today)
    await _fill_rules(connection, known, numbers, rules)
    with tempfile.TemporaryDirectory() as scratch:
        began = time.perf_counter()
        people = _people(manifest, keys, Path(scratch), today)
        took = {"roster": time.perf_counter() - began, "parsing": 0.0, "copying": 0.0}
        judging = verdicts.Rules(
            today=today, window_starts_on=window_start(today, _WINDOW_MONTHS), subjects=keys.subject.many,
            name_hashes=keys.name_hashes,
        )  # fmt: skip
        rows = 0
        for file in manifest.of("source"):
            began = time.perf_counter()
            table = _records(manifest.root, file, known[file.code], numbers[file.code], people, judging, Path(scratch))
            parsed = time.perf_counter()
            async with database.write() as tx:
                await tx.copy("record", table)
            rows += file.rows
            took["parsing"] += parsed - began
            took["copying"] += time.perf_counter() - parsed
    began = time.perf_counter()
    await connection.execute("SET work_mem = '512MB'; ANALYZE hand.record")
    unsure = rules.worth_of(next(code for code in known if known[code].strength == Strength.STRONG), strong=True)
    limits = rules.thresholds
    found = await connection.fetch(
        _CERTIFY, too_old(today, rules.window_months), today, unsure.points, unsure.cap, 100 - rules.floor_percent,
        limits.points, limits.sources, limits.departments, limits.days, limits.newest_days,
    )  # fmt: skip
    certifying = time.perf_counter() - began
    await connection.close()
    await database.close()
    return ByHand(rows=rows, certifying=certifying, certified=people.subjects[[row["person"] for row in found]], **took)


async def _fill_rules(
    connection: asyncpg.Connection, known: Mapping[str, Source], numbers: Mapping[str, int], rules: RuleSet
) -> None:
    await connection.executemany(
        "INSERT INTO hand.kind VALUES ($1, $2, $3, $4, $5)",
        [
            (verdicts.KINDS.index(kind), kind is EvidenceKind.SEEN, kind in _CUSTODY, kind is EvidenceKind.RELEASED,
             kind in {EvidenceKind.SENTENCED_COMMUNITY, EvidenceKind.RELEASED})
            for kind in EvidenceKind
        ],
    )  # fmt: skip
    for code, number in numbers.items():
        source = known[code]
        strong = source.strength == Strength.STRONG
        worth = rules.worth_of(code, strong=strong)
        await connection.execute(
            "INSERT INTO hand.source VALUES ($1, $2, $3, $4, $5, $6, $7)",
            number, strong, source.polarity == Polarity.POSITIVE, source.department, worth.points, worth.cap,
            worth.per is Per.MONTH,
        )  # fmt: skip


def _limits() -> Limits:
    said = {name: field.default for name, field in IngestSettings.model_fields.items()}
    return Limits(
        plain_bytes=1 << 34, ratio=said["ingest_max_ratio"], columns=said["ingest_max_columns"],
        line_bytes=said["ingest_max_line_bytes"], sheet_bytes=said["ingest_max_sheet_bytes"],
        chunk_rows=said["ingest_chunk_rows"],
    )  # fmt: skip


def _people(manifest: Manifest, keys: Keys, scratch: Path, today: date) -> PeopleIndex:
    """Everybody who draws something, found by the same key as the platform finds him."""
    parts = list(_drawing(manifest, scratch, today))
    drawing = pl.concat(parts).unique("number", keep="last", maintain_order=True)
    subjects = keys.subject.many(drawing["number"].to_list())
    hashes = keys.name_hashes(drawing["compared"].to_list())
    return PeopleIndex.build(subjects, np.arange(len(subjects)), hashes, 1)


def _drawing(manifest: Manifest, scratch: Path, today: date) -> Iterator[pl.DataFrame]:
    for file in manifest.of("roster"):
        for frame in read_chunks(manifest.root / file.path, scratch, roster.match, _limits()):
            judged = roster.judge_roster(frame, today=today, first_row=0, seen=roster.NOBODY)
            yield judged.good.select("number", "compared")


def _records(  # noqa: PLR0917  (a file has this many sides)
    root: Path,
    file: CityFile,
    source: Source,
    number: int,
    people: PeopleIndex,
    rules: verdicts.Rules,
    scratch: Path,
) -> pa.Table:
    parts = []
    for frame in read_chunks(root / file.path, scratch, _match(source), _limits()):
        judged = verdicts.judge(frame, source, people, rules)
        chosen = judged.verdict == verdicts.ACCEPTED
        parts.append(
            pa.table(
                {
                    "person": pa.array(judged.person[chosen]),
                    "source": pa.array(np.full(int(chosen.sum()), number, dtype=np.int16)),
                    "day": pa.array(judged.day[chosen], pa.date32()),
                    "kind": pa.array(judged.kind[chosen].astype(np.int16)),
                    "whole": pa.array(judged.full[chosen].astype(bool)),
                }
            )
        )
    return pa.concat_tables(parts)


def _match(source: Source):
    return lambda headers: (source.matched_columns(headers), source.missing_columns(headers))


def run_by_hand(manifest: Manifest, keys: tuple[str, str, str], url: str, today: date) -> ByHand:
    """The same, for a process of its own; `keys` as settings spell them: of subjects, of names, of the vault."""
    made = Keys.from_settings(*map(SecretStr, keys))
    return asyncio.run(by_hand(manifest, made, url, today))
