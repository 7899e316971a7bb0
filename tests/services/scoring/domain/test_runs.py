"""When a shard is due, and which runs are merged."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.scoring.domain.runs import Due, Pace, Waiting, due, rest, runs_to_fold

NOW = datetime(2023, 11, 1, tzinfo=UTC)
PACE = Pace(
    quiet=timedelta(seconds=0.3),
    quiet_most=timedelta(seconds=2),
    patience=timedelta(seconds=30),
    urgent=timedelta(seconds=3),
    rows=500_000,
)


def waiting(
    *, oldest: float, newest: float, urgent: float | None = None, before: float | None = None, rows: int = 10
) -> Waiting:
    """Signals heard so many seconds ago."""
    return Waiting(
        shard=0,
        rows=rows,
        oldest_at=NOW - timedelta(seconds=oldest),
        newest_at=NOW - timedelta(seconds=newest),
        urgent_at=None if urgent is None else NOW - timedelta(seconds=urgent),
        heard_at=None if before is None else NOW - timedelta(seconds=before),
        now=NOW,
    )


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        (waiting(oldest=0.001, newest=0.001), Due.ALL),  # the first ever
        (waiting(oldest=0.001, newest=0.001, before=60), Due.ALL),  # one record after a calm
        (waiting(oldest=0.001, newest=0.001, before=0.1), Due.NOTHING),  # one of a stream
        (waiting(oldest=2, newest=0.1, before=3), Due.NOTHING),  # a stream goes on
        (waiting(oldest=2, newest=0.4, before=3), Due.ALL),  # it has ended
        (waiting(oldest=0.001, newest=0.001, before=60, rows=20_000), Due.NOTHING),  # a file: others may follow
        (waiting(oldest=9, newest=1, before=60, rows=20_000), Due.NOTHING),
        (waiting(oldest=9, newest=1.6, before=60, rows=20_000), Due.ALL),
        (waiting(oldest=9, newest=2.1, before=60, rows=400_000), Due.ALL),
        (waiting(oldest=31, newest=0.1, before=40), Due.ALL),  # it goes on too long
        (waiting(oldest=2, newest=0.1, before=3, rows=500_000), Due.ALL),  # it fills memory
        (waiting(oldest=5, newest=0.1, urgent=4, before=6), Due.URGENT),  # a death does not wait for it
        (waiting(oldest=5, newest=0.1, urgent=1, before=6), Due.NOTHING),
    ],
)
def test_when_a_shard_is_swept(situation: Waiting, expected: Due) -> None:
    assert due(situation, PACE) is expected


def test_nobody_looks_again_before_a_shard_can_be_due() -> None:
    stream = waiting(oldest=2, newest=0.1, before=3)
    for situation in (
        stream,
        waiting(oldest=5, newest=0.1, urgent=2.9, before=6),
        waiting(oldest=29.9, newest=0, before=40),
    ):
        at = NOW + rest(situation, PACE)
        assert due(replace(situation, now=at - timedelta(milliseconds=1)), PACE) is Due.NOTHING
        assert due(replace(situation, now=at), PACE) is not Due.NOTHING
    assert rest(replace(stream, now=NOW + timedelta(seconds=1)), PACE) < timedelta()


@pytest.mark.parametrize(
    ("rows", "runs", "folded"),
    [
        (10, [], []),
        (10, [(1, 10_000)], []),
        (10, [(1, 10_000), (2, 20)], [2]),
        (10, [(1, 10_000), (2, 20), (3, 80)], [2, 3]),
        (5_000, [(1, 10_000), (2, 20)], [2, 1]),
    ],
)
def test_small_runs_are_folded_into_what_comes(rows: int, runs: list[tuple[int, int]], folded: list[int]) -> None:
    assert runs_to_fold(rows, runs) == folded


def test_the_number_of_runs_and_the_work_of_merging_stay_logarithmic() -> None:
    runs: list[tuple[int, int]] = []
    written, number = 0, 0
    for number in range(5_000):
        folded = runs_to_fold(1, runs)
        merged = 1 + sum(size for run, size in runs if run in folded)
        runs = [each for each in runs if each[0] not in folded] + [(number, merged)]
        written += merged
        assert len(runs) <= 10
    assert sum(size for _, size in runs) == number + 1
    assert written <= 15 * 5_000
