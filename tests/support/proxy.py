"""A TCP proxy that can be cut, held up or slowed down: the network between a service and its servers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Proxy:
    """Passes bytes between whoever connects and one server.

    `cut()` breaks every connection and refuses new ones, `hold()` lets bytes wait, `slow(seconds)` delays each piece;
    `mend()` ends all three.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._ways: set[asyncio.Task[None]] = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self._delay = 0.0
        self._refuses = False

    @property
    def port(self) -> int:
        """Where to connect on 127.0.0.1."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Break everything and listen no more."""
        assert self._server is not None
        self._server.close()
        self.mend()
        self.cut()
        await self._server.wait_closed()
        await asyncio.gather(*self._ways)

    def cut(self) -> None:
        """Break every connection; new ones end at once."""
        self._refuses = True
        self._break()

    def hold(self) -> None:
        """Connections stay, nothing passes."""
        self._passing.clear()

    def slow(self, seconds: float) -> None:
        """Each piece of bytes waits that long, either way."""
        self._delay = seconds

    def mend(self) -> None:
        """All is well again."""
        self._refuses, self._delay = False, 0.0
        self._passing.set()

    def _break(self) -> None:
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = asyncio.ensure_future(self._lead(reader, writer))
        self._ways.add(way)
        way.add_done_callback(self._ways.discard)
        await way

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(*self._target)
        except OSError:
            await _hang_up(writer)
            return
        if self._refuses:
            await _hang_up(writer, back)
            return
        self._open |= {writer, back}
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        self._open -= {writer, back}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while piece := await reader.read(1 << 16):
                await self._passing.wait()
                if self._delay:
                    await asyncio.sleep(self._delay)
                writer.write(piece)
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _hang_up(*writers: asyncio.StreamWriter) -> None:
    for each in writers:
        each.transport.abort()
        with contextlib.suppress(OSError):
            await each.wait_closed()


@asynccontextmanager
async def proxied(host: str, port: int) -> AsyncIterator[Proxy]:
    """A proxy to one server, gone at the end."""
    proxy = Proxy(host, port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
