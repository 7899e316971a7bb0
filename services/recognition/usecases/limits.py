"""Lets clients in at a rate they can keep: bursts in this process, the day counted in the database in steps."""

from dataclasses import dataclass, field

from services.recognition.domain.limits import Buckets, Policy
from services.recognition.store import quotas
from shared.kit.clock import wall
from shared.kit.db import Database, WriteTx
from shared.kit.problems import ProblemError

_DAY = 86_400
_STEP = 500
AT_ONCE = "Too many requests at once; wait, or ask for many people in one batch, job or pay list."
TOKENS_TOO_FAST = "Too many requests for tokens from here; a token holds for minutes, keep it."
TOO_FAST = "操作过于频繁，请稍候再试。"
"""What a person is told."""


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
    """Limits of all clients; each process lets in its own bursts, the day is one for all.

    Attributes:
        advice: what to do about too many requests at once.
    """

    policy: Policy
    database: Database
    advice: str = AT_ONCE
    _buckets: Buckets = field(init=False)
    _days: dict[str, _Day] = field(default_factory=dict)
    _said: str = field(init=False)

    def __post_init__(self) -> None:
        self._said = self.policy.header()
        self._buckets = Buckets(self.policy)

    def admit(self, client_id: str) -> None:
        """Let one request in.

        Raises:
            TooManyRequestsError: it comes too early.
        """
        if wait := self._buckets.take(client_id, wall()):
            headers = self.headers(client_id) | {"Retry-After": str(int(wait) + 1)}
            raise TooManyRequestsError(self.advice, headers=headers)

    async def count(self, client_id: str, people: int = 1) -> None:
        """Count people asked for; where they are refused nothing is counted.

        Raises:
            TooManyRequestsError: they are more than a day allows.
        """
        known = self._today(client_id)
        while known.reserved < people:
            needed = people - known.reserved
            found = await self._reserve(known, client_id, max(needed, _STEP)) or await self._reserve(
                known, client_id, needed
            )
            # Whoever asked at the same moment may have reserved the last of the day, and more than he needs.
            if not found and known.reserved < people:
                raise self._spent(client_id, known.day)
        known.reserved -= people

    async def count_in(self, tx: WriteTx, client_id: str, people: int) -> None:
        """The same within what is done for them: if that is not kept, they do not count.

        Raises:
            TooManyRequestsError: they are more than a day allows.
        """
        known = self._today(client_id)
        counted = await quotas.reserve_in(tx, client_id, known.day, people, self.policy.day)
        if counted is None:
            raise self._spent(client_id, known.day)
        known.counted = counted

    def _today(self, client_id: str) -> _Day:
        today = int(wall()) // _DAY
        known = self._days.setdefault(client_id, _Day())
        if known.day != today:
            known.day, known.reserved, known.counted = today, 0, 0
        return known

    async def _reserve(self, known: _Day, client_id: str, people: int) -> bool:
        counted = await quotas.reserve(self.database, client_id, known.day, people, self.policy.day)
        if counted is not None:
            known.counted = counted
            known.reserved += people
        return counted is not None

    def _spent(self, client_id: str, today: int) -> TooManyRequestsError:
        detail = f"A client may ask for {self.policy.day} people a day; go on tomorrow (UTC)."
        retry = str((today + 1) * _DAY - int(wall()))
        return TooManyRequestsError(detail, headers=self.headers(client_id) | {"Retry-After": retry})

    def headers(self, client_id: str) -> dict[str, str]:
        """RateLimit fields: what is left."""
        now = wall()
        day = self._days.get(client_id) or _Day()
        burst = self._buckets.left(client_id, now)
        left = max(0, self.policy.day - (day.counted - day.reserved if day.day == int(now) // _DAY else 0))
        until = _DAY - int(now) % _DAY
        return {
            "RateLimit-Policy": self._said,
            "RateLimit": f'"burst";r={burst};t=1, "day";r={left};t={until}',
        }
