"""What is asked of a staged roster about every enrolment of a program."""

import re

import pyarrow as pa
import pytest

from services.ingest.store import people, places

pytestmark = pytest.mark.db
NOBODY = pa.array([], pa.binary(16))
LEFT = {"row_no": pa.int32(), "subject": pa.binary(16), "county": pa.string(), "division": pa.string(),
        "started_on": pa.date32(), "ended_on": pa.date32(), "ahead": pa.bool_()}  # fmt: skip
MANY = """
INSERT INTO enrolment (subject, program, amount_fen, division, sex, born_on, batch_no)
    SELECT gen_random_uuid(), 'p', 1, '341602001001', 'male', '1950-01-01', 1 FROM generate_series(1, 3000);
INSERT INTO staged (subject, row_no, household) SELECT gen_random_uuid(), 1, subject FROM enrolment;
INSERT INTO named SELECT subject FROM enrolment;
INSERT INTO left_in (subject, ahead) SELECT subject, true FROM enrolment;
ANALYZE enrolment, staged, named, left_in
"""


async def test_whom_a_roster_would_end_is_counted_without_reading_it_whole_for_each_enrolment(world):
    async with world.deps.platform.database.write() as tx:
        await people.make_stage(tx)
        await people.measure_stage(tx, by_household=True)
        await people.stage_named(tx, NOBODY)
        await places.stage_leaving(
            tx, "p", pa.table({name: pa.array([], kind) for name, kind in LEFT.items()}), full=True
        )
        for statement in MANY.split(";"):
            await tx.run(statement)
        count = f"EXPLAIN SELECT count(*) FILTER (WHERE {people._ENDS}) FROM enrolment e WHERE program = $1"
        plans = [await tx.fetch(count, "p", full, not full) for full in (True, False)]
    read = "\n".join(row[0] for plan in plans for row in plan)
    assert re.findall("on (named|left_in|staged)", read)
    assert not re.findall("Seq Scan on (named|left_in|staged)", read), read
