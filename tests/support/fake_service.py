"""A service that does nothing but start, answer and stop, for tests of the local stack: `serve [--migrate] | migrate`."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import asyncpg

from shared.kit.clock import clock_from

NAME = os.environ.get("WUGAN_CLIENT_ID", "").removeprefix("service-")


def say(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, "level": "info", "service": NAME, **fields}, ensure_ascii=False), flush=True)


async def migrate() -> None:
    if os.environ.get("FAKE_MIGRATION_FAILS") == NAME:
        sys.exit("column frobnicated does not exist")
    connection = await asyncpg.connect(os.environ["WUGAN_DATABASE_URL"])
    await connection.execute("SELECT pg_advisory_lock(1)")  # several processes of a service migrate one after the other
    await connection.execute(f"CREATE TABLE IF NOT EXISTS {NAME}.starts (at timestamptz DEFAULT now())")
    await connection.close()
    say("migrated")


async def serve() -> None:
    if os.environ.get("FAKE_DIES") == NAME:
        sys.exit("the secret ingredient is missing")
    connection = await asyncpg.connect(os.environ["WUGAN_DATABASE_URL"])
    await connection.execute("INSERT INTO starts DEFAULT VALUES")
    starts = await connection.fetchval("SELECT count(*) FROM starts")
    await connection.close()

    told = os.environ.get("WUGAN_CLOCK_FILE")
    clock = clock_from(Path(told) if told else None)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        known = {"service": NAME, "pid": os.getpid(), "starts": starts, "day": clock.today().isoformat()}
        body = json.dumps({**known, "head": head.decode()}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n")
        writer.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, os.environ["WUGAN_HOST"], int(os.environ["WUGAN_PORT"]))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    say("started", starts=starts)
    await stop.wait()
    server.close()
    say("stopped")


if __name__ == "__main__":
    if {"migrate", "--migrate"} & set(sys.argv):
        asyncio.run(migrate())
    if sys.argv[1] == "serve":
        asyncio.run(serve())
