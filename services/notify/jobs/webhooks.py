"""Posts to partners' endpoints: one batch an endpoint at a time, endpoints side by side, no transaction open then."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram

from services.notify.channels.webhook import Answer, Poster
from services.notify.domain.endpoints import CHALLENGE, Endpoint, Thin, body_of
from services.notify.domain.signing import sign
from services.notify.store import posts
from services.notify.usecases import webhooks
from services.notify.usecases.deps import Deps
from services.notify.usecases.webhooks import Batch
from shared.kit import trace
from shared.kit.clock import wall
from shared.kit.waking import woken

log = structlog.get_logger(__name__)

POSTED = Counter("notify_webhook_posts_total", "Calls of partners' endpoints", ["outcome"])
DELIVERY_SECONDS = Histogram("notify_webhook_delivery_seconds", "Time an endpoint took to answer")

_LOOK_SECONDS = 0.5
_RECEIPT_SECONDS = 1.0
_TIDY_SECONDS = 30.0
_CHALLENGE_BYTES = 24
_ENDPOINTS_AT_ONCE = 64
_CALLS_AT_ONCE = 64


class Hooks:
    """Proves endpoints and posts to them what waits.

    The order a receiver may rely on: the oldest go first, in lots of `usecases.webhooks` posted some side by side; one
    that failed comes later, and the one that finds a failing endpoint well again may come before older ones. What a
    person's state is, is told by `version`, not by the order of arrival.
    """

    def __init__(self, deps: Deps, poster: Poster) -> None:
        self._deps = deps
        self._poster = poster
        self._busy: dict[UUID, asyncio.Task[None]] = {}
        self._settings = webhooks.settings_of(deps)
        # Over all endpoints: more side by side would only make each wait longer, up to its deadline.
        self._places = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def run(self) -> None:
        """Post until cancelled; what is in hand then goes back by its lease."""
        try:
            while True:
                self._deps.hooks_wake.clear()
                await self._start_what_is_due()
                await self._wait()
        finally:
            for task in self._busy.values():
                task.cancel()
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    async def drain(self) -> None:
        """Do what is due now, and return when all of it has been answered; for tests and commands."""
        while await self._start_what_is_due() or self._busy:
            if self._busy:
                await asyncio.wait(self._busy.values(), return_when=asyncio.FIRST_COMPLETED)

    async def _start_what_is_due(self) -> bool:
        if not self._busy:
            await self._poster.trim()
        async with self._deps.database.write() as tx:
            pending = await webhooks.take_challenges(tx, self._deps)
        async with self._deps.database.read() as tx:
            ready = await posts.list_ready(tx, self._deps.clock.now(), list(self._busy))
        places = max(0, _ENDPOINTS_AT_ONCE - len(self._busy))
        for endpoint in pending:
            self._start(endpoint.subscription_id, self._prove(endpoint))
        for subscription_id in ready[:places]:
            self._start(subscription_id, self._post_all(subscription_id))
        return bool(pending or ready[:places])

    def _start(self, subscription_id: UUID, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._busy[subscription_id] = task
        task.add_done_callback(lambda done: self._done(subscription_id, done))

    def _done(self, subscription_id: UUID, task: asyncio.Future[None]) -> None:
        self._busy.pop(subscription_id, None)
        self._deps.hooks_wake.set()
        if not task.cancelled() and (error := task.exception()):
            # Its posts go back to the queue when their lease ends.
            log.error("webhook_batch_failed", subscription=str(subscription_id), exc_info=error)

    async def _prove(self, endpoint: Endpoint) -> None:
        challenge, body = webhooks.challenge_of(self._deps, secrets.token_bytes(_CHALLENGE_BYTES))
        keys = webhooks.secrets_of(self._deps, endpoint, self._deps.clock.now())
        answer = await self._call(endpoint, keys, f"{CHALLENGE}.{challenge[:8]}", body)
        async with self._deps.database.write() as tx:
            proved = webhooks.is_proved(challenge, answer)
            await webhooks.record_challenge(tx, self._deps, endpoint, answer, proved=proved)

    async def _post_all(self, subscription_id: UUID) -> None:
        """Batch after batch, until nothing is due or the endpoint fails."""
        while True:
            async with self._deps.database.write() as tx:
                batch = await webhooks.claim(tx, self._deps, subscription_id)
            if batch is None:
                return
            answers = await self._post_batch(batch)
            async with self._deps.database.write() as tx:
                await webhooks.record(tx, self._deps, batch, answers)
            if not any(answer.taken for answer in answers):
                return

    async def _post_batch(self, batch: Batch) -> list[Answer]:
        """Some side by side, oldest first; answers in the order of the batch."""
        answers: list[Answer | None] = [None] * len(batch.events)
        places = iter(range(len(batch.events)))

        async def work() -> None:
            for place in places:
                event, _ = batch.events[place]
                answers[place] = await self._post(batch, event)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._settings.at_once, len(batch.events))):
                group.create_task(work())
        return [answer for answer in answers if answer is not None]

    async def _post(self, batch: Batch, event: Thin) -> Answer:
        about = {"event_id": str(event.event_id)}
        with trace.span("post webhook", parent=event.traceparent, kind="client", attributes=about) as piece:
            answer = await self._call(batch.endpoint, batch.secrets, str(event.event_id), body_of(event))
            piece.attributes["http.response.status_code"] = answer.status or 0
        POSTED.labels("delivered" if answer.taken else "failed").inc()
        return answer

    async def _call(self, endpoint: Endpoint, keys: webhooks.Secrets, message_id: str, body: bytes) -> Answer:
        async with self._places:
            # Signed at each try anew: an old timestamp would be refused.
            headers = sign(keys, message_id=message_id, timestamp=int(wall()), body=body)
            if context := trace.current():
                headers[trace.HEADER] = context
            with DELIVERY_SECONDS.time():
                return await self._poster.post(endpoint.url, headers, body)

    async def _wait(self) -> None:
        await woken(self._deps.hooks_wake, _LOOK_SECONDS)


async def _say_receipts(deps: Deps) -> None:
    """Say receipts in lots, for ever."""
    while True:
        deps.receipts_wake.clear()
        async with deps.database.write() as tx:
            said = await webhooks.say_receipts(tx, deps)
        if not said:
            await deps.receipts_wake.wait()
        # A lot a second: each lot is a message a shard and endpoint.
        await asyncio.sleep(_RECEIPT_SECONDS)


async def _tidy(deps: Deps) -> None:
    while True:
        async with deps.database.write() as tx:
            await webhooks.tidy(tx, deps)
        await asyncio.sleep(_TIDY_SECONDS)


def background(deps: Deps) -> list[Callable[[], Awaitable[None]]]:
    """The loops of this process; none where the channel is off."""
    poster = deps.poster
    if poster is None:
        return []

    async def say_receipts() -> None:
        await _say_receipts(deps)

    async def tidy_posts() -> None:
        await _tidy(deps)

    return [Hooks(deps, poster).run, say_receipts, tidy_posts]
