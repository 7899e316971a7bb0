"""How much one client may ask: bursts by the generic cell rate algorithm, a day by a count."""

from dataclasses import dataclass, field

_MOST_CALLERS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Limits of a client.

    Attributes:
        rate: requests a second, in the long run.
        burst: requests at once.
        day: people a day.
    """

    rate: float
    burst: int
    day: int

    def header(self) -> str:
        """Value of RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers)."""
        return f'"burst";q={self.burst};w={max(1, round(self.burst / self.rate))}, "day";q={self.day};w=86400'


@dataclass(slots=True)
class Bucket:
    """Bursts of one client; `full_at` is when its bucket would be empty of debts."""

    full_at: float = 0.0

    def take(self, policy: Policy, now: float) -> float:
        """Take one request; seconds to wait where it comes too early, 0 where it may pass."""
        step = 1.0 / policy.rate
        full_at = max(self.full_at, now) + step
        wait = full_at - now - policy.burst * step
        if wait > 0:
            return wait
        self.full_at = full_at
        return 0.0

    def left(self, policy: Policy, now: float) -> int:
        """Requests that may come at once."""
        return max(0, int(policy.burst - max(0.0, self.full_at - now) * policy.rate))


@dataclass(slots=True)
class Buckets:
    """A bucket for each caller; those that have rested long enough are as good as new and are forgotten."""

    policy: Policy
    _of: dict[str, Bucket] = field(default_factory=dict)

    def take(self, key: str, now: float) -> float:
        """Take one request of a caller; seconds to wait where it comes too early, 0 where it may pass."""
        bucket = self._of.get(key)
        if bucket is None:
            if len(self._of) >= _MOST_CALLERS:
                self._forget(now)
            bucket = self._of[key] = Bucket()
        return bucket.take(self.policy, now)

    def left(self, key: str, now: float) -> int:
        """Requests of a caller that may come at once."""
        return (self._of.get(key) or Bucket()).left(self.policy, now)

    def _forget(self, now: float) -> None:
        busy = {key: bucket for key, bucket in self._of.items() if bucket.full_at > now}
        self._of = busy if len(busy) < _MOST_CALLERS else {}
