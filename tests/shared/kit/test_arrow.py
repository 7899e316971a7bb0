"""Table bodies: nothing lost in cutting, nothing too large, shapes checked."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.events import CONTACTS_CHANGED, EVIDENCE_ACCEPTED
from shared.contracts.vocabulary import EVERY_SHARD, SHARDS
from shared.kit import arrow

ATTRIBUTES = {"source": "s", "department": "d", "strength": "strong", "received_at": "2023-11-01T00:00:00+00:00"}


def evidence(subjects: np.ndarray) -> pa.Table:
    count = len(subjects)
    return pa.table(
        {
            "subject": arrow.subject_array(subjects),
            "occurred_on": pa.array([date(2023, 1, 1)] * count, pa.date32()),
            "kind": ["seen"] * count,
            "polarity": ["positive"] * count,
            "identity": ["full"] * count,
            "evidence_id": pa.array(range(count), pa.int64()),
        }
    )


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 300), st.integers(0, 2**32 - 1))
def test_cutting_by_shard_keeps_every_row_once_and_in_order(count, seed):
    subjects = np.random.default_rng(seed).integers(0, 256, (count, 16), dtype=np.uint8)
    table = arrow.conform(EVIDENCE_ACCEPTED, evidence(subjects), ATTRIBUTES)
    seen: list[int] = []
    for shard, piece, body in arrow.split(table):
        back = arrow.decode(body)
        assert back.equals(piece.combine_chunks()) or back.to_pydict() == piece.to_pydict()
        assert all(f"{row[0]:02x}"[0] == shard for row in arrow.subject_bytes(back.column("subject")))
        ids = back.column("evidence_id").to_pylist()
        assert ids == sorted(ids)
        seen += ids
    assert sorted(seen) == list(range(count))


def test_few_rows_stay_together_unless_all_are_of_one_shard():
    subjects = np.random.default_rng(7).integers(0, 256, (300, 16), dtype=np.uint8)
    table = arrow.conform(EVIDENCE_ACCEPTED, evidence(subjects), ATTRIBUTES)
    [(shard, _, body)] = arrow.split(table, 300)
    assert shard == EVERY_SHARD
    assert arrow.decode(body).equals(table)
    assert arrow.shards_of(table) == list(SHARDS)
    assert [shard for shard, _, _ in arrow.split(table, 299)] == list(SHARDS)
    alone = table.filter(pa.array(subjects[:, 0] >> 4 == 10))
    assert [shard for shard, _, _ in arrow.split(alone, 300)] == arrow.shards_of(alone) == ["a"]
    assert list(arrow.split(table.slice(0, 0), 300)) == []


def test_a_message_is_at_most_20000_rows():
    subjects = np.zeros((45_000, 16), dtype=np.uint8)
    table = arrow.conform(EVIDENCE_ACCEPTED, evidence(subjects), ATTRIBUTES)
    assert [len(piece) for _, piece, _ in arrow.split(table)] == [20_000, 20_000, 5_000]


def test_a_message_of_heavy_rows_is_cut_further():
    noise = np.random.default_rng(0)
    count = 4_000
    table = pa.table(
        {
            "subject": arrow.subject_array(np.zeros((count, 16), dtype=np.uint8)),
            "sealed": pa.array([noise.bytes(1_000) for _ in range(count)], pa.binary()),
            "reachable": ["phone"] * count,
            "division": ["341602001001"] * count,
        }
    )
    shaped = arrow.conform(CONTACTS_CHANGED, table, {"received_at": "2023-11-01T00:00:00+00:00"})
    pieces = [(len(piece), len(body)) for _, piece, body in arrow.split(shaped)]
    assert sum(rows for rows, _ in pieces) == count
    assert all(size <= arrow.MAX_BYTES for _, size in pieces)
    assert len(pieces) > 1


def test_missing_columns_and_attributes_are_named():
    table = evidence(np.zeros((1, 16), dtype=np.uint8))
    with pytest.raises(arrow.TableShapeError, match="lacks kind, department"):
        arrow.conform(EVIDENCE_ACCEPTED, table.drop_columns("kind"), {k: "x" for k in ATTRIBUTES if k != "department"})


@given(st.binary(max_size=200))
def test_garbage_is_refused(garbage):
    with pytest.raises(arrow.TableShapeError):
        arrow.decode(garbage)


def test_sliced_columns_keep_their_subjects():
    subjects = np.arange(64, dtype=np.uint8).reshape(4, 16)
    column = arrow.subject_array(subjects).slice(1, 2)
    assert (arrow.subject_bytes(column) == subjects[1:3]).all()
