"""When a shard is swept, which runs are merged, and the states of a reassessment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

FOLD_RATIO = 3
FEW_ROWS = 1_000  # that come alone after a calm are swept at once: a record, not a file
PATIENT_ROWS = 5_000  # each so many signals that wait make the silence longer that is taken for the end


class RunState(StrEnum):
    """The share of one shard in a reassessment."""

    QUEUED = "queued"
    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Signals of a shard that wait for a sweep.

    Attributes:
        shard: 0 to 15.
        rows: how many.
        oldest_at: when the first of them was heard.
        newest_at: when the last of them was heard.
        urgent_at: when the first negative or conclusion among them was heard, if any.
        heard_at: newest signal swept before, None for a shard never swept.
        now: when this was looked up, by the same clock.
    """

    shard: int
    rows: int
    oldest_at: datetime
    newest_at: datetime
    urgent_at: datetime | None
    heard_at: datetime | None
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long signals may wait.

    Attributes:
        quiet: a shard that hears nothing for so long is swept; longer the more signals wait, for files follow files.
        quiet_most: longest such silence.
        patience: at the latest after so long under load.
        urgent: as patience, for negatives.
        rows: so many at once are swept without waiting.
    """

    quiet: timedelta
    quiet_most: timedelta
    patience: timedelta
    urgent: timedelta
    rows: int


class Due(StrEnum):
    """What a shard is due for now."""

    NOTHING = "nothing"
    URGENT = "urgent"
    ALL = "all"


def due(waiting: Waiting, pace: Pace) -> Due:
    """Whether to sweep now: at once when the shard was calm before, batched while messages stream in.

    Under load each person would else be judged and told about again with every file; negatives do not wait for that.
    """
    calm = waiting.heard_at is None or waiting.oldest_at - waiting.heard_at > pace.quiet
    alone = waiting.newest_at - waiting.oldest_at < timedelta(milliseconds=1)
    if calm and alone and waiting.rows <= FEW_ROWS:
        return Due.ALL
    if waiting.now - waiting.newest_at >= _quiet(waiting, pace) or waiting.now - waiting.oldest_at >= pace.patience:
        return Due.ALL
    if waiting.rows >= pace.rows:
        return Due.ALL
    if waiting.urgent_at is not None and waiting.now - waiting.urgent_at >= pace.urgent:
        return Due.URGENT
    return Due.NOTHING


def rest(waiting: Waiting, pace: Pace) -> timedelta:
    """How long to wait until the shard is due if it hears nothing more; not above zero when it is due."""
    ends = [waiting.newest_at + _quiet(waiting, pace), waiting.oldest_at + pace.patience]
    if waiting.urgent_at is not None:
        ends.append(waiting.urgent_at + pace.urgent)
    return min(ends) - waiting.now


def _quiet(waiting: Waiting, pace: Pace) -> timedelta:
    return min(pace.quiet * (1 + waiting.rows / PATIENT_ROWS), pace.quiet_most)


def cuts(sizes: Sequence[tuple[bytes, int]], rows: int) -> list[tuple[bytes, bytes | None]]:
    """Ranges of subjects, from the first named one up to the next, each of about `rows` signals.

    Args:
        sizes: ascending subjects, and how many signals lie from each to the next.
        rows: bound on memory, not on a single person.
    """
    first = [b""]
    total = 0
    for subject, size in sizes:
        if total and total + size > rows:
            first.append(subject)
            total = 0
        total += size
    return list(zip(first, [*first[1:], None], strict=True))


def runs_to_fold(rows: int, runs: Sequence[tuple[int, int]]) -> list[int]:
    """Which runs to merge with `rows` new signals, of runs as (number, rows).

    Runs not much larger than what is merged already are folded in, so that sizes grow geometrically: a shard has few
    runs, and a signal is rewritten a logarithmic number of times in its life.
    """
    folded, total = [], rows
    for run, size in sorted(runs, key=lambda each: each[1]):
        if size > FOLD_RATIO * total:
            break
        folded.append(run)
        total += size
    return folded
