"""When a platform has recovered: everything that was said until a fault was over has been heard."""

import asyncio
from collections.abc import Mapping

import asyncpg
import nats
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from shared.contracts.events import EVENTS
from tests.chaos.digest import SCHEMAS

STREAMS = sorted({event.stream for event in EVENTS})
_LOOK_SECONDS = 0.1
_UNSAID = " UNION ALL ".join(
    f"SELECT 1 FROM {schema}.outbox WHERE published_at IS NULL AND created_at <= $1" for schema in SCHEMAS
)


async def recovered(database_url: str, nats_url: str) -> None:
    """Wait until what was committed by now is published and handled by every consumer there is."""
    await _until(lambda: _said(database_url))
    client = await nats.connect(nats_url, connect_timeout=2, max_reconnect_attempts=-1)
    try:
        context = client.jetstream()
        ends = {stream: (await context.stream_info(stream)).state.last_seq for stream in STREAMS}
        while not await _heard(context, ends):
            await asyncio.sleep(_LOOK_SECONDS)
    finally:
        await client.close()


async def _until(done):
    """Ask again for as long as servers are away."""
    while True:
        try:
            await done()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, NatsError, TimeoutError):
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            return


async def _said(url: str) -> None:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        now = await connection.fetchval("SELECT now()")
        while await connection.fetchval(f"SELECT EXISTS ({_UNSAID})", now):
            await asyncio.sleep(_LOOK_SECONDS)
    finally:
        await connection.close()


async def _heard(context: JetStreamContext, ends: Mapping[str, int]) -> bool:
    for stream, end in ends.items():
        offset = 0
        while page := await context.consumers_info(stream, offset=offset):
            offset += len(page)
            for info in page:
                floor = info.ack_floor.stream_seq if info.ack_floor else 0
                if floor < end and (info.num_pending or info.num_ack_pending):
                    return False
    return True
