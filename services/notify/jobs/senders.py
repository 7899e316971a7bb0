"""Senders of messages: one dispatcher a channel; no transaction is open while a provider is called."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from prometheus_client import Counter, Histogram

from services.notify.domain.delivery import Outcome, Outgoing, Result
from services.notify.store.deliveries import Claimed
from services.notify.usecases import send
from services.notify.usecases.deps import Deps
from shared.kit.clock import wall

log = structlog.get_logger(__name__)

HANDED = Counter("notify_handed_total", "Messages a provider answered about", ["channel", "outcome"])
CALL_SECONDS = Histogram("notify_provider_call_seconds", "Time a provider took to answer", ["channel"])

_LOOK_SECONDS = 0.5
_TIDY_SECONDS = 5.0


class Sender:
    """Sends what is queued on one channel.

    Calls run side by side, as many as the channel allows; one more place is kept for legal notices, so that a provider
    that hangs on the bulk does not hold them up.
    """

    def __init__(self, deps: Deps, channel: str) -> None:
        self._deps = deps
        self._channel = channel
        self._places = deps.channels[channel].channel.concurrency
        self._calls: set[asyncio.Task[None]] = set()
        self._per_second = deps.channels[channel].setting("per_second")
        self._free_at = 0.0

    async def run(self) -> None:
        """Send until cancelled; what is in hand then goes back by its lease."""
        try:
            while True:
                if not await self._take_some():
                    await self._wait()
        finally:
            for call in self._calls:
                call.cancel()
            await asyncio.gather(*self._calls, return_exceptions=True)

    async def drain(self) -> None:
        """Send what is due now, and return when all of it has been answered; for tests and commands."""
        while await self._take_some() or self._calls:
            if self._calls:
                await asyncio.wait(self._calls, return_when=asyncio.FIRST_COMPLETED)

    async def _take_some(self) -> bool:
        full = len(self._calls) >= self._places
        if len(self._calls) > self._places:
            await asyncio.wait(self._calls, return_when=asyncio.FIRST_COMPLETED)
            return True
        async with self._deps.database.write() as tx:
            claimed, looked_at = await send.claim(tx, self._deps, self._channel, legal_only=full or self._too_fast())
        if claimed:
            self._pace(len(claimed))
            call = asyncio.create_task(self._deliver(claimed))
            self._calls.add(call)
            call.add_done_callback(self._done)
        return looked_at > 0

    def _too_fast(self) -> bool:
        """Whether the provider's rate is used up; legal notices leave all the same."""
        return wall() < self._free_at

    def _pace(self, count: int) -> None:
        if self._per_second:
            self._free_at = max(wall(), self._free_at) + count / self._per_second

    def _done(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if not call.cancelled() and (error := call.exception()):
            # Its deliveries go back to the queue when their lease ends.
            log.error("delivery_call_failed", channel=self._channel, exc_info=error)

    async def _deliver(self, claimed: Sequence[Claimed]) -> None:
        ready = send.make_ready(self._deps, self._channel, claimed)
        results = list(ready.results)
        if ready.outgoing:
            results.extend(await self._hand_over(ready.outgoing))
        async with self._deps.database.write() as tx:
            await send.record(tx, self._deps, self._channel, results, ready)
        _count(self._channel, results)

    async def _hand_over(self, outgoing: Sequence[Outgoing]) -> Sequence[Result]:
        try:
            with CALL_SECONDS.labels(self._channel).time():
                return await self._deps.senders[self._channel](outgoing)
        except Exception as error:
            # A fault in the code of a channel counts as a try that failed.
            log.exception("channel_failed", channel=self._channel)
            reason = type(error).__name__.lower()
            return [Result(id=each.id, outcome=Outcome.AGAIN, reason=reason, unsure=True) for each in outgoing]

    async def _wait(self) -> None:
        """Until something is written, a call ends, or a little time has passed."""
        wake = asyncio.ensure_future(self._deps.wake.wait())
        full = len(self._calls) >= self._places
        await asyncio.wait(
            {wake, *(self._calls if full else ())}, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        wake.cancel()
        self._deps.wake.clear()


def _count(channel: str, results: Sequence[Result]) -> None:
    for outcome in Outcome:
        count = sum(result.outcome is outcome for result in results)
        if count:
            HANDED.labels(channel, outcome.value).inc(count)


async def tidy(deps: Deps) -> None:
    """Bring back what dead senders held, for ever."""
    while True:
        async with deps.database.write() as tx:
            back = await send.tidy(tx, deps)
        if back:
            log.warning("deliveries_taken_back", count=back)
        await asyncio.sleep(_TIDY_SECONDS)


def background(deps: Deps) -> list[Callable[[], Awaitable[None]]]:
    """The loops of this process."""

    async def tidy_deliveries() -> None:
        await tidy(deps)

    return [tidy_deliveries, *(Sender(deps, channel).run for channel in deps.senders)]
