"""When something may be sent: quiet hours, one message a day and person, and the wait before a new try."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

_SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """When people may be disturbed, in Asia/Shanghai; `opens` is before `closes`."""

    opens: time
    closes: time


def next_open(now: datetime, hours: Hours) -> datetime:
    """`now` if people may be disturbed then, else the next opening; instants in UTC."""
    local = now.astimezone(_SHANGHAI)
    if hours.opens <= local.time() < hours.closes:
        return now
    day = local.date() if local.time() < hours.opens else local.date() + timedelta(days=1)
    return datetime.combine(day, hours.opens, _SHANGHAI).astimezone(now.tzinfo)


def opening_after(now: datetime, hours: Hours) -> datetime:
    """The opening of the day after `now`'s day, for what must wait because the day had its message."""
    day = now.astimezone(_SHANGHAI).date() + timedelta(days=1)
    return datetime.combine(day, hours.opens, _SHANGHAI).astimezone(now.tzinfo)


def day_begins(now: datetime) -> datetime:
    """Midnight in Asia/Shanghai of `now`'s day."""
    return datetime.combine(now.astimezone(_SHANGHAI).date(), time(), _SHANGHAI).astimezone(now.tzinfo)


def retry_at(now: datetime, attempt: int, waits: Sequence[float], jitter: float) -> datetime | None:
    """When attempt number `attempt` (counted from 1) that failed is tried again; None when tries are used up.

    Args:
        now: when it failed.
        attempt: its number.
        waits: seconds after the first, second, ... failed attempt.
        jitter: in [0, 1): spreads the waits between 80 and 120 %, so that a provider that comes back is not run over.
    """
    if attempt > len(waits):
        return None
    return now + timedelta(seconds=waits[attempt - 1] * (0.8 + 0.4 * jitter))
