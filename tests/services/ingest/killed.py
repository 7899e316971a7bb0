"""A process of ingest that uploads a file and is killed with SIGKILL in the middle: `python -m … URL FOLDER FILE NTH`."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import structlog

from shared.kit.db import Database
from tests.services.ingest.world import make_world
from tests.support.tokens import Issuer


class Deadly:
    """An outbox at whose nth saying the process is killed, in the middle of its transaction."""

    def __init__(self, outbox: Any, nth: int) -> None:
        self._outbox, self._left = outbox, nth

    async def say(self, *args: Any, **options: Any) -> Any:
        self._count()
        return await self._outbox.say(*args, **options)

    async def say_table(self, *args: Any, **options: Any) -> Any:
        self._count()
        return await self._outbox.say_table(*args, **options)

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


async def main(url: str, folder: Path, file: Path, nth: int) -> None:
    """Upload until killed."""
    world = make_world(Database(url, schema="ingest"), Issuer(), folder)
    world.deps.platform.outbox = Deadly(world.deps.platform.outbox, nth)  # type: ignore[assignment]
    async with world.client:
        await world.send(await asyncio.to_thread(file.read_bytes))


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])))
