"""Lets clients in at a rate they can keep: bursts in this process, the day counted in the database in steps."""

from dataclasses import dataclass, field

from services.recognition.domain.limits import Bucket, Policy
from services.recognition.store import quotas
from shared.kit.clock import wall
from shared.kit.db import Database
from shared.kit.problems import ProblemError

_DAY = 86_400
_STEP = 500
_MOST_CLIENTS = 10_000


class TooManyRequestsError(ProblemError):
    """A client asks faster, or for more people, than it may."""

    status = 429
    code = "too_many_requests"
    title = "The limit of this client is reached"


@dataclass(slots=True)
class _Day:
    """What this process has reserved of a client's day and not used yet."""

    day: int = -1
    reserved: int = 0
    counted: int = 0


@dataclass(slots=True)
class Limiter:
    """Limits of all clients; each process lets in its own bursts, the day is one for all."""

    policy: Policy
    database: Database
    _buckets: dict[str, Bucket] = field(default_factory=dict)
    _days: dict[str, _Day] = field(default_factory=dict)
    _said: str = field(init=False)

    def __post_init__(self) -> None:
        self._said = self.policy.header()

    def admit(self, client_id: str) -> None:
        """Let one request in.

        Raises:
            TooManyRequestsError: it comes too early.
        """
        if len(self._buckets) > _MOST_CLIENTS:
            self._buckets.clear()
        bucket = self._buckets.setdefault(client_id, Bucket())
        if wait := bucket.take(self.policy, wall()):
            detail = "Too many requests at once; wait, or ask for many people in one batch, job or pay list."
            raise TooManyRequestsError(detail, headers=self.headers(client_id) | {"Retry-After": str(int(wait) + 1)})

    async def count(self, client_id: str, people: int = 1) -> None:
        """Count people asked for.

        Raises:
            TooManyRequestsError: they are more than a day allows.
        """
        today = int(wall()) // _DAY
        known = self._days.setdefault(client_id, _Day())
        if known.day != today:
            known.day, known.reserved, known.counted = today, 0, 0
        if known.reserved < people:
            step = max(people, _STEP)
            known.counted = await quotas.reserve(self.database, client_id, today, step)
            known.reserved += step
        if known.counted - known.reserved + people > self.policy.day:
            detail = f"A client may ask for {self.policy.day} people a day; go on tomorrow (UTC)."
            retry = str((today + 1) * _DAY - int(wall()))
            raise TooManyRequestsError(detail, headers=self.headers(client_id) | {"Retry-After": retry})
        known.reserved -= people

    def headers(self, client_id: str) -> dict[str, str]:
        """RateLimit fields: what is left."""
        now = wall()
        bucket, day = self._buckets.get(client_id) or Bucket(), self._days.get(client_id) or _Day()
        burst = bucket.left(self.policy, now)
        left = max(0, self.policy.day - (day.counted - day.reserved if day.day == int(now) // _DAY else 0))
        until = _DAY - int(now) % _DAY
        return {
            "RateLimit-Policy": self._said,
            "RateLimit": f'"burst";r={burst};t=1, "day";r={left};t={until}',
        }
