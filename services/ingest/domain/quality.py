"""How well a source delivers: what of it can be used, how late it comes, and whether it has fallen silent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

_PERIOD_DAYS = {
    "event": 1, "daily": 1, "weekly": 7, "monthly": 31, "quarterly": 92, "half_yearly": 184, "yearly": 366,
}  # fmt: skip
_KNOWN = ("accepted", "duplicate", "out_of_window", "name_mismatch", "taken_back")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Figures of one source over some days.

    Attributes:
        accepted_share: accepted rows of all; None without rows.
        match_rate: rows of people in the vault, of all rows with a good id and day; None without such rows.
        latency_days: mean from event to receipt over accepted rows; None without them.
        silent_days: since the last delivery; None when there never was one.
        allowed_days: of silence, before it is an alarm.
    """

    rows: int
    accepted_share: float | None
    match_rate: float | None
    latency_days: float | None
    silent_days: int | None
    allowed_days: int

    @property
    def state(self) -> str:
        """Delivering | silent | never."""
        if self.silent_days is None:
            return "never"
        return "silent" if self.silent_days > self.allowed_days else "delivering"


def allowed_silence(frequency: str, latency_days: int) -> int:
    """Days a source may be silent: one delivery may be missed, and each may be late as declared."""
    return 2 * _PERIOD_DAYS[frequency] + latency_days


def quality_of(
    counts: Mapping[str, int], latency_sum: int, last_on: date | None, *, allowed_days: int, today: date
) -> Quality:
    """Figures from the counts by verdict of completed batches, and the day of the last one ever."""
    rows, accepted = sum(counts.values()), counts.get("accepted", 0)
    known = sum(counts.get(name, 0) for name in _KNOWN)
    looked_up = known + counts.get("not_a_beneficiary", 0)
    return Quality(
        rows=rows,
        accepted_share=accepted / rows if rows else None,
        match_rate=known / looked_up if looked_up else None,
        latency_days=latency_sum / accepted if accepted else None,
        silent_days=(today - last_on).days if last_on else None,
        allowed_days=allowed_days,
    )
