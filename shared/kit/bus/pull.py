"""An open-ended pull: the server sends what there is, up to what may be unacknowledged, without a question for each."""

import asyncio
import json
from collections import deque
from collections.abc import Iterable

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription

from shared.kit.clock import wall

_OPEN_SECONDS = 20.0
_BATCH = 256
_REFUSED_SECONDS = 1.0  # a server that refuses does it within a millisecond: asked at once, it would do nothing else
_ENDED = frozenset({"404", "408"})

log = structlog.get_logger(__name__)


class PullBrokenError(Exception):
    """The consumer is gone or the server refuses: bind anew."""


class Pull:
    """Messages of one durable pull consumer.

    Args:
        client: a connection.
        stream: its stream.
        durable: its name.
    """

    def __init__(self, client: Client, stream: str, durable: str) -> None:
        self._client = client
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._inbox = client.new_inbox()
        self._subscription: NatsSubscription | None = None
        self._left = 0
        self._until = 0.0
        self._not_before = 0.0
        self._reconnects = -1
        self._acknowledged: deque[Msg] = deque(maxlen=_BATCH)
        # Our own queue: each look into the client's draws a UUID and starts two tasks, and a service has a hundred
        # consumers that look every second.
        self._heard: asyncio.Queue[Msg] = asyncio.Queue()

    async def take(self, most: int, seconds: float) -> list[Msg]:
        """Messages that are there, at most `most`; waits up to `seconds` for the first.

        Raises:
            PullBrokenError: the consumer does not exist any more.
        """
        await self._ask()
        found: list[Msg] = []
        while len(found) < most:
            if (message := await self._next(0 if found else seconds)) is None:
                break
            if message.headers and "Status" in message.headers and not message.reply:
                self._hear_status(message.headers)
                if not found:
                    await self._ask()
                continue
            self._left -= 1
            found.append(message)
        return found

    async def acknowledge(self, messages: Iterable[Msg]) -> None:
        """Tell the server that these are done with, for good: only after the commit of what they caused."""
        for message in messages:
            await message.ack()
            self._acknowledged.append(message)

    async def close(self) -> None:
        """Stop hearing; a request under way finds nobody and is dropped by the server."""
        if self._subscription is not None:
            await self._subscription.unsubscribe()

    async def _next(self, seconds: float) -> Msg | None:
        if self._heard.empty():
            if not seconds:
                return None
            try:
                async with asyncio.timeout(seconds):
                    return await self._heard.get()
            except TimeoutError:
                return None
        return self._heard.get_nowait()

    async def _hear(self, message: Msg) -> None:
        self._heard.put_nowait(message)

    async def _ask(self) -> None:
        """Keep one request open; a reconnect or its end makes a new one."""
        if self._subscription is None:
            self._subscription = await self._client.subscribe(self._inbox, cb=self._hear, pending_bytes_limit=-1)
        reconnects = self._client.stats["reconnects"]
        again = reconnects != self._reconnects
        if not again and (wall() < self._not_before or (self._left > 0 and wall() < self._until)):
            return
        if again:
            # A server that was killed may have forgotten the last acknowledgements: it would wait for each of them for
            # the whole ack_wait, and the rest of the shard behind it. What it still knows it is told twice.
            for message in self._acknowledged:
                await self._client.publish(message.reply)
        body = {"batch": _BATCH, "expires": int(_OPEN_SECONDS * 1e9)}
        self._left, self._until, self._reconnects = _BATCH, wall() + _OPEN_SECONDS, reconnects
        await self._client.publish(self._subject, json.dumps(body).encode(), reply=self._inbox)

    def _hear_status(self, headers: dict[str, str]) -> None:
        # 408 expired, 404 none, 409 the batch is full: ask again. 503 nobody there, or deleted: the consumer is gone.
        self._left = 0
        status, description = headers["Status"], headers.get("Description", "")
        if status == "503" or "Deleted" in description:
            raise PullBrokenError(description)
        if status not in _ENDED and "Batch Completed" not in description:
            log.warning("pull_refused", status=status, reason=description)
            self._not_before = wall() + _REFUSED_SECONDS
