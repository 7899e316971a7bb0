"""Blocks and messages come back as they were written."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings

from services.scoring.domain.signals import Kind
from services.scoring.store.columns import UnreadableError, is_urgent, read_block, read_message, write_block
from services.scoring.store.signals import Block, blocks_with
from tests.services.scoring.domain.test_properties import same, signals, some_saws
from tests.services.scoring.people import Saw, message_of, subject_of


@settings(deadline=None)
@given(some_saws)
def test_a_block_holds_exactly_the_signals_written(saws) -> None:
    written = signals(saws)
    assert same(read_block(write_block(written)), written)


def test_an_evidence_id_comes_back_with_batch_and_row() -> None:
    evidence = (2**31 - 1) << 32 | (2**32 - 1)
    written = signals([Saw(source="rail_trip", on=date(1899, 1, 1), evidence=evidence)])
    assert read_block(write_block(written)).evidence.tolist() == [evidence]


def test_a_message_says_where_its_signals_come_from() -> None:
    saws = [
        Saw(who="b", source="civil_cremation", on=date(2023, 8, 2), kind=Kind.DIED, full=False, evidence=5),
        Saw(who="a", source="civil_cremation", on=date(2023, 8, 3), kind=Kind.DIED, evidence=6),
    ]
    heard = read_message(message_of(saws))
    assert (heard.origin.source, heard.origin.department, heard.origin.strong) == ("civil_cremation", "civil", True)
    assert is_urgent(heard.rows.kind)
    assert heard.rows.full.tolist() == [False, True]
    assert heard.rows.evidence.tolist() == [5, 6]


def test_a_body_that_is_no_arrow_stream_is_refused() -> None:
    with pytest.raises(ValueError, match="not an Arrow"):
        read_message(b"nothing")
    assert issubclass(UnreadableError, ValueError)


def test_only_blocks_that_may_hold_somebody_are_read() -> None:
    low, high = subject_of("x").bytes[:1] + bytes(15), subject_of("x").bytes[:1] + b"\xff" * 15
    blocks = [
        Block(run=1, block=0, first=bytes(16), last=bytes(15) + b"\x01", rows=1),
        Block(run=1, block=1, first=low, last=high, rows=1),
    ]
    wanted = np.frombuffer(subject_of("x").bytes, dtype="S16")
    assert [block.block for block in blocks_with(blocks, wanted)] == [1]
    assert blocks_with(blocks, wanted[:0]) == []
