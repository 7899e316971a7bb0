"""The whole city as one would do it in an afternoon: one process reads the files with polars and COPYs them into one
table, one SQL statement certifies. People are known by their numbers as they are. No vault, no queue, no reasons, no second
try, no way back to the file; but the same answer.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import asyncpg
import numpy as np
import polars as pl
from pydantic import SecretStr

from deploy.demo.city.manifest import CityFile, Manifest
from services.ingest import sources as catalogue
from services.ingest.domain.catalogue import CITIZEN_ID, NAME, OCCURRED_ON, Source
from services.ingest.domain.evidence import window_start
from services.scoring import policies
from services.scoring.domain.rules import Per, RuleSet
from services.scoring.domain.rules import window_start as too_old
from shared.contracts.vocabulary import EvidenceKind, Polarity, Strength
from shared.kit.crypto import Pseudonymiser
from shared.kit.db import Database

_WINDOW_MONTHS = 12
_KINDS = tuple(EvidenceKind)
_LONG, _SHORT = 18, 15
_WEIGHTS, _CHECKS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2), "10X98765432"
_WIDE = {chr(0xFF10 + digit): str(digit) for digit in range(10)} | {"\uff38": "X", "\uff58": "X"}
_ROSTER = {
    "number": ("身份证号", "公民身份号码"),
    "known": ("姓名", "享受人"),
}
"""The columns of a roster that are needed, as the programs' owners call them."""
_CUSTODY = (EvidenceKind.CUSTODY, EvidenceKind.SENTENCED_CUSTODY, EvidenceKind.DETAINED)
_OUTSIDE = (EvidenceKind.RELEASED, EvidenceKind.SENTENCED_COMMUNITY)
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


async def by_hand(manifest: Manifest, subject_key: str, url: str, today: date) -> ByHand:
    """Certify a city by hand.

    Args:
        manifest: the city's files.
        subject_key: of the platform, for the comparison afterwards: the answer under its pseudonyms.
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
    began = time.perf_counter()
    people = everybody(manifest)
    took = {"roster": time.perf_counter() - began, "parsing": 0.0, "copying": 0.0}
    rows = 0
    for file in manifest.of("source"):
        began = time.perf_counter()
        found = records(manifest.root, file, known[file.code], people, today)
        table = found.select("person", pl.lit(numbers[file.code], pl.Int16).alias("source"), "day", "kind", "whole")
        parsed = time.perf_counter()
        async with database.write() as tx:
            await tx.copy("record", table.to_arrow())
        rows += file.rows
        took["parsing"] += parsed - began
        took["copying"] += time.perf_counter() - parsed
    began = time.perf_counter()
    certified = await _certify(connection, known, rules, today)
    certifying = time.perf_counter() - began
    await connection.close()
    await database.close()
    numbers_of = people["number"].gather(certified).to_list()
    subjects = Pseudonymiser.from_hex(SecretStr(subject_key)).many(numbers_of)
    return ByHand(rows=rows, certifying=certifying, certified=subjects, **took)


async def _certify(
    connection: asyncpg.Connection, known: Mapping[str, Source], rules: RuleSet, today: date
) -> list[int]:
    await connection.execute("SET work_mem = '512MB'; ANALYZE hand.record")
    unsure = rules.worth_of(next(code for code in known if known[code].strength == Strength.STRONG), strong=True)
    limits = rules.thresholds
    rows = await connection.fetch(
        _CERTIFY, too_old(today, rules.window_months), today, unsure.points, unsure.cap, 100 - rules.floor_percent,
        limits.points, limits.sources, limits.departments, limits.days, limits.newest_days,
    )  # fmt: skip
    return [row["person"] for row in rows]


async def _fill_rules(
    connection: asyncpg.Connection, known: Mapping[str, Source], numbers: Mapping[str, int], rules: RuleSet
) -> None:
    await connection.executemany(
        "INSERT INTO hand.kind VALUES ($1, $2, $3, $4, $5)",
        [
            (_KINDS.index(kind), kind is EvidenceKind.SEEN, kind in _CUSTODY, kind in _OUTSIDE, kind in _OUTSIDE)
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


def everybody(manifest: Manifest) -> pl.DataFrame:
    """Everybody who draws something: `person`, `number`, and the name `known` by the last roster he stands in."""
    parts = []
    for file in manifest.of("roster"):
        path = manifest.root / file.path
        headers = set(_headers(path, file))
        chosen = {next(each for each in names if each in headers): name for name, names in _ROSTER.items()}
        parts.append(_tidy(_read(path, file, list(chosen)).rename(chosen), "number").with_columns(_name("known")))
    return pl.concat(parts).unique("number", keep="last", maintain_order=True).with_row_index("person")


def records(root: Path, file: CityFile, source: Source, people: pl.DataFrame, today: date) -> pl.DataFrame:
    """The rows of a file that say something of somebody: `person`, `day`, `kind`, and whether number and name are his.

    A number that is nobody's, mistyped or not, joins with nobody; so none needs checking.
    """
    path = root / file.path
    chosen = source.matched_columns(_headers(path, file))
    frame = _tidy(_read(path, file, list(chosen)).rename(chosen), CITIZEN_ID)
    own = _KINDS.index(EvidenceKind(source.kind))
    kind = pl.lit(own, pl.Int16)
    for column, rule in source.codes.items():
        said = dict.fromkeys(rule.counts, own) | {
            value: _KINDS.index(EvidenceKind(kind)) for value, kind in rule.kinds.items()
        }
        told = pl.col(column).str.strip_chars().replace_strict(said, default=None, return_dtype=pl.Int16)
        kind = pl.when(told.is_null()).then(None).when(told == own).then(kind).otherwise(told)
    same = _name(NAME) == pl.col("known") if NAME in frame.columns else pl.lit(None, pl.Boolean)
    day = pl.col("day")
    seen = pl.col("kind") == _KINDS.index(EvidenceKind.SEEN)
    old = day < window_start(today, _WINDOW_MONTHS) if source.polarity == Polarity.POSITIVE else pl.lit(value=False)
    return (
        frame.lazy()
        .join(people.lazy(), left_on=CITIZEN_ID, right_on="number")
        .select("person", _day(frame[OCCURRED_ON]).alias("day"), kind.alias("kind"), same.alias("same"))
        .filter(pl.col("kind").is_not_null() & (day <= today) & ~(old & seen) & pl.col("same").fill_null(value=True))
        .select(
            pl.col("person").cast(pl.Int32), "day", "kind",
            (pl.col("same").fill_null(value=False) | (source.identity == "full")).alias("whole"),
        )
        .collect()
    )  # fmt: skip


# ---- files -----------------------------------------------------------------------------------------------------------


def _headers(path: Path, file: CityFile) -> list[str]:
    if file.format == "ndjson":
        with path.open(encoding="utf-8") as opened:
            return list(json.loads(opened.readline()))
    if file.format == "parquet":
        return list(pl.read_parquet_schema(path))
    if file.format == "xlsx":
        return pl.read_excel(path, infer_schema_length=0).columns
    with path.open(encoding=_codec(file)) as opened:
        line = opened.readline().rstrip("\r\n")
    return line.split(_separator(line))


def _read(path: Path, file: CityFile, headers: list[str]) -> pl.DataFrame:
    """Some columns of a file, as texts."""
    if file.format == "ndjson":
        return pl.read_ndjson(path, schema=dict.fromkeys(headers, pl.String))
    if file.format == "parquet":
        return pl.read_parquet(path, columns=headers).cast(pl.String)
    if file.format == "xlsx":
        return pl.read_excel(path, columns=headers, infer_schema_length=0)
    with path.open(encoding=_codec(file)) as opened:
        separator = _separator(opened.readline())
    encoding = "gb18030" if file.encoding == "gb18030" else "utf8"
    return pl.read_csv(path, columns=headers, separator=separator, infer_schema=False, encoding=encoding)


def _codec(file: CityFile) -> str:
    return {"utf-8-bom": "utf-8-sig"}.get(file.encoding, file.encoding)


def _separator(line: str) -> str:
    return max(",;\t|", key=line.count)


# ---- columns ---------------------------------------------------------------------------------------------------------


def _tidy(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """Numbers of eighteen places; only those that are not so pay for it."""
    number = pl.col(column)
    good = (number.str.len_bytes() == _LONG) & ~number.str.ends_with("x")
    clean = number.str.replace_many(_WIDE).str.strip_chars().str.to_uppercase()
    first = pl.concat_str(clean.str.head(6), pl.lit("19"), clean.str.slice(6))
    total = pl.sum_horizontal(
        first.str.slice(place, 1).cast(pl.Int32, strict=False) * weight for place, weight in enumerate(_WEIGHTS)
    )
    check = (total % len(_CHECKS)).replace_strict(dict(enumerate(_CHECKS)), default=None, return_dtype=pl.String)
    short = clean.str.contains(rf"^[0-9]{{{_SHORT}}}$")
    untidy = frame.filter(~good.fill_null(value=True))
    return pl.concat([
        frame.filter(good),
        untidy.with_columns(pl.when(short).then(first + check).otherwise(clean).alias(column)),
    ])  # fmt: skip


def _name(column: str) -> pl.Expr:
    bare = pl.col(column).str.replace_all(r"\s", "")
    return pl.when(bare.str.len_bytes() > 0).then(bare).alias(column)


def _day(days: pl.Series) -> pl.Expr:
    """The day of a column whose first value tells how all are written; a month alone is its first day."""
    text = pl.col(days.name)
    first = next(iter(days.drop_nulls().head(1)), "")
    if "年" in first:
        return text.str.to_date("%Y年%m月%d日", strict=False)
    if "/" in first:
        return text.str.replace(" .*", "").str.to_date("%Y/%m/%d", strict=False)
    if "-" in first:
        return text.str.head(10).str.to_date("%Y-%m-%d", strict=False)
    if len(first) == len("202311"):
        return (text + "01").str.to_date("%Y%m%d", strict=False)
    return text.str.head(8).str.to_date("%Y%m%d", strict=False)


def run_by_hand(manifest: Manifest, subject_key: str, url: str, today: date) -> ByHand:
    """The same, for a process of its own."""
    return asyncio.run(by_hand(manifest, subject_key, url, today))
