"""Processes of ingest that upload a file each and are killed with SIGKILL in the middle.

`python -m … URL FOLDER SOURCE FILE NTH [SOURCE FILE NTH …]`; ends with 0 when every one of them was killed. They are
forked of one that has done nothing but import, which takes longer than all the rest.
"""

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


async def upload(url: str, folder: Path, source: str, file: Path, nth: int) -> None:
    """Upload until killed."""
    world = make_world(Database(url, schema="ingest"), Issuer(), folder)
    world.deps.platform.outbox = Deadly(world.deps.platform.outbox, nth)  # type: ignore[assignment]
    async with world.client:
        await world.send(await asyncio.to_thread(file.read_bytes), source)


def killed(url: str, folder: Path, source: str, file: Path, nth: int) -> bool:
    """Whether a process of its own was killed while it uploaded."""
    child = os.fork()
    if child == 0:
        asyncio.run(upload(url, folder, source, file, nth))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def main(url: str, folder: str, *uploads: str) -> int:
    """Upload every file; 1 when one got through."""
    each = zip(uploads[::3], uploads[1::3], uploads[2::3], strict=True)
    return int(not all(killed(url, Path(folder), source, Path(file), int(nth)) for source, file, nth in each))


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    sys.exit(main(*sys.argv[1:]))
