"""A small SMTP server that keeps what it is sent and refuses on demand; enough of RFC 5321 for a client that sends."""

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class MailServer:
    """Mails by recipient.

    Attributes:
        refusals: answer to RCPT by address, such as `550 no such mailbox` or `451 later`.
        kept: (recipient, the mail as it came).
        drops_after: closes the connection after so many mails; None never.
    """

    refusals: dict[str, str] = field(default_factory=dict)
    kept: list[tuple[str, bytes]] = field(default_factory=list)
    drops_after: int | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> asyncio.Server:
        """Serve; the port is in the returned server's sockets."""
        return await asyncio.start_server(self._talk, host, port)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._session(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()

        await say("220 sandbox ESMTP")
        recipient, taken = "", 0
        while line := (await reader.readline()).decode(errors="replace").strip():
            verb = line.upper()
            if verb.startswith("RCPT"):
                recipient = line[line.index("<") + 1 : line.index(">")]
                await say(self.refusals.get(recipient, "250 ok"))
            elif verb == "DATA":
                await say("354 go on")
                self.kept.append((recipient, await _data(reader)))
                await say("250 kept")
                taken += 1
                if taken == self.drops_after:
                    return
            elif verb == "QUIT":
                await say("221 bye")
                return
            else:
                await say("250 ok")


async def _data(reader: asyncio.StreamReader) -> bytes:
    lines = []
    while (line := await reader.readline()) not in {b".\r\n", b""}:
        lines.append(line[1:] if line.startswith(b"..") else line)
    return b"".join(lines)
