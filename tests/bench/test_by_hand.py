"""The afternoon's work says of every row what the platform says, though it reads with plain polars; and both are timed whole."""

import sys
from collections import defaultdict
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

import asyncpg
import numpy as np
import polars as pl
import pytest
from pydantic import SecretStr

from deploy.demo.city.generate import generate
from deploy.demo.run import MORNING
from services.ingest import sources as catalogue
from services.ingest.domain import roster, verdicts
from services.ingest.domain.catalogue import Source
from services.ingest.domain.evidence import window_start
from services.ingest.domain.people import PeopleIndex
from services.ingest.store.reading import read_chunks
from services.ingest.store.unpacking import Limits
from services.ingest.usecases.hashing import Keys
from tests.bench import city
from tests.bench.whole_by_hand import everybody, records
from tests.support.servers import unused_name

TODAY = MORNING.date()
LIMITS = Limits(plain_bytes=1 << 34, ratio=200, columns=200, line_bytes=65536, sheet_bytes=1 << 30, chunk_rows=300_000)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return generate(0.0005, 11, tmp_path_factory.mktemp("city") / "tiny")


def matched(source: Source, headers: list[str]):
    return source.matched_columns(headers), source.missing_columns(headers)


def first_and_last_of_each(manifest):
    """Files of a source between these two differ from them in days and people only."""
    of_source = defaultdict(list)
    for file in manifest.of("source"):
        of_source[file.code].append(file)
    return [file for files in of_source.values() for file in files[:1] + files[1:][-1:]]


def judged_by_ingest(manifest, scratch):
    """By file: person (as his number), day, kind and full of every row ingest accepts."""
    keys = Keys.from_settings(SecretStr("11" * 32), SecretStr("22" * 32), SecretStr(f"k:{'33' * 32}"))
    rosters = pl.concat([
        roster.judge_roster(frame, today=TODAY).good.select("number", "compared")
        for file in manifest.of("roster")
        for frame in read_chunks(manifest.root / file.path, scratch, roster.match, LIMITS)
    ]).unique("number", keep="last", maintain_order=True)  # fmt: skip
    subjects = keys.subject.many(rosters["number"].to_list())
    people = PeopleIndex.build(subjects, np.arange(len(subjects)), keys.name_hashes(rosters["compared"].to_list()), 1)
    rules = verdicts.Rules(
        today=TODAY, window_starts_on=window_start(TODAY, 12), subjects=keys.subject.many, name_hashes=keys.name_hashes
    )
    known = catalogue.load_sources()
    for file in first_and_last_of_each(manifest):
        source = known[file.code]
        found: set[tuple] = set()
        match = partial(matched, source)
        for frame in read_chunks(manifest.root / file.path, scratch, match, LIMITS):
            judged = verdicts.judge(frame, source, people, rules)
            good = judged.verdict == verdicts.ACCEPTED
            numbers = rosters["number"].gather(people.person_no[judged.person[good]])
            days = judged.day[good].astype("datetime64[D]").tolist()
            found |= set(
                zip(numbers.to_list(), days, judged.kind[good].tolist(), judged.full[good].tolist(), strict=True)
            )
        yield file, found


@pytest.mark.timeout(300)
def test_plain_polars_reads_files_of_every_source_as_ingest_does(manifest, tmp_path):
    people = everybody(manifest)
    known = catalogue.load_sources()
    forms = set()
    for file, wanted in judged_by_ingest(manifest, tmp_path):
        said = records(manifest.root, file, known[file.code], people, TODAY)
        numbers = people["number"].gather(said["person"])
        assert set(zip(numbers, said["day"], said["kind"], said["whole"], strict=True)) == wanted, file.path
        forms.add((file.format, file.encoding))
    assert {each for each, _ in forms} == {"csv", "xlsx", "ndjson", "parquet"}
    assert {"utf-8", "utf-8-bom", "gb18030"} <= {each for _, each in forms}


def test_the_baseline_is_slowed_by_none_of_our_readers():
    loaded = vars(sys.modules["tests.bench.whole_by_hand"])
    assert not {"read_chunks", "verdicts", "roster", "PeopleIndex", "Keys"} & set(loaded)


@pytest.mark.parametrize(("differing", "hinted", "code"), [(0, 0, False), (3, 3, False), (4, 3, True)])
def test_a_city_of_which_both_sides_say_otherwise_has_failed(differing, hinted, code):
    measured: Any = SimpleNamespace(differing=differing, hinted=hinted)
    assert city.failed(measured) is code


@pytest.mark.db
async def test_the_end_is_when_the_last_certificate_was_on_the_bus(servers):
    made = servers.create_database(unused_name())
    try:
        connection = await asyncpg.connect(made.url())
        await connection.execute(
            "CREATE TABLE recognition.outbox (subject text, created_at timestamptz, published_at timestamptz);"
            "CREATE TABLE scoring.assessment (subject uuid, decision text);"
            "CREATE TABLE scoring.suspicion (subject uuid, reasons text[], status text);"
            "INSERT INTO recognition.outbox SELECT 'recognition.certificates.issued.v1.0', at, at + '90 seconds'"
            " FROM unnest('{2023-11-01 01:00Z, 2023-11-01 01:02Z, 2023-11-01 02:00Z}'::timestamptz[]) AS at"
        )
        await connection.close()
        moments = city.Moments(due=datetime(2023, 11, 1, 1, 30, tzinfo=UTC))
        ended, *_ = await city._certificates(made.url(), moments)
        assert ended == datetime(2023, 11, 1, 1, 3, 30, tzinfo=UTC)
    finally:
        made.drop()
