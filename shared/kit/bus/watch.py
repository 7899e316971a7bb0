"""Sees a consumer that hears nothing beside messages that are there: it died without an error, and is bound anew."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

SECONDS = 60.0


class Watch:
    """Since when each consumer has had messages waiting and been given none."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._in_hand: set[str] = set()

    def look(self, undelivered: Mapping[str, int], now: float) -> None:
        """What the broker says waits for each consumer."""
        for durable, count in undelivered.items():
            if count and durable not in self._in_hand:
                self._since.setdefault(durable, now)
            else:
                self._since.pop(durable, None)

    @contextmanager
    def at_work(self, durable: str) -> Iterator[None]:
        """A consumer was given something; while it is at it, it need not hear more."""
        self._since.pop(durable, None)
        self._in_hand.add(durable)
        try:
            yield
        finally:
            self._in_hand.discard(durable)

    def is_deaf(self, durable: str, now: float) -> bool:
        """Whether to bind a consumer anew; says so once, then waits as long again."""
        if now - self._since.get(durable, now) < SECONDS:
            return False
        del self._since[durable]
        return True
