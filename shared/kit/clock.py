"""The only place that reads the time: business time that a demo may move, and wall time for plumbing."""

import json
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


class Clock(Protocol):
    """Business time."""

    def now(self) -> datetime:
        """Instant in UTC."""
        ...

    def today(self) -> date:
        """Day in Asia/Shanghai."""
        ...


def day_of(at: datetime) -> date:
    """Day in Asia/Shanghai of an instant."""
    return at.astimezone(SHANGHAI).date()


def wall() -> float:
    """Seconds since 1970 as the machine has it: for tokens, leases and durations, never for business rules."""
    return time.time()


class SystemClock:
    """Time as it is."""

    def now(self) -> datetime:
        """Instant in UTC."""
        return datetime.now(UTC)

    def today(self) -> date:
        """Day in Asia/Shanghai."""
        return day_of(self.now())


class MovableClock:
    """Time that went on from an instant somebody set; many processes follow one small file.

    The file holds `{"at": ISO instant, "set_at": unix seconds}`; while it is absent the time is as it is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mtime_ns = -1
        self._offset = timedelta()

    def now(self) -> datetime:
        """Instant in UTC."""
        try:
            mtime_ns = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return datetime.now(UTC)
        if mtime_ns != self._mtime_ns:
            said = json.loads(self._path.read_text(encoding="utf-8"))
            self._offset = datetime.fromisoformat(said["at"]) - datetime.fromtimestamp(said["set_at"], UTC)
            self._mtime_ns = mtime_ns
        return datetime.now(UTC) + self._offset

    def today(self) -> date:
        """Day in Asia/Shanghai."""
        return day_of(self.now())


class FixedClock:
    """A clock for tests: stands still until moved."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        """Instant in UTC."""
        return self._at

    def today(self) -> date:
        """Day in Asia/Shanghai."""
        return day_of(self._at)

    def move(self, by: timedelta) -> None:
        """Let time pass."""
        self._at += by


def set_clock(path: Path, at: datetime) -> None:
    """Move the business time of every process that follows `path`; atomic."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"at": at.isoformat(), "set_at": wall()}), encoding="utf-8")
    draft.replace(path)


def clock_from(path: Path | None) -> Clock:
    """The clock the settings ask for."""
    return MovableClock(path) if path else SystemClock()
