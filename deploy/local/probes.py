"""Questions to a listening server, asked with the standard library so that start-up stays quick."""

import asyncio
import errno
import json
import os
import socket
from itertools import count as count_up
from itertools import islice
from typing import Any

_REUSABLE = (errno.EADDRINUSE, errno.EACCES)
_LOWEST, _HIGHEST = 10_000, 32_000  # Linux gives from 32,768 on, others from 49,152
_APART = 211  # ports between two processes started one after the other
_steps = count_up()


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in _REUSABLE:
                return False
            raise
    return True


def free_ports(host: str, count: int) -> list[int]:
    """Ports nobody listens on, all different, and never the same twice in a process.

    They lie below those the system gives to outgoing connections: one of these would be taken by somebody's question to
    a database in the seconds until its server listens there. Processes that look at the same time look in other places.

    Raises:
        OSError: there are too few.
    """
    found: list[int] = []
    for step in islice(_steps, _HIGHEST - _LOWEST):
        port = _LOWEST + (os.getpid() * _APART + step) % (_HIGHEST - _LOWEST)
        if is_free(host, port):
            found.append(port)
        if len(found) == count:
            return found
    raise OSError(errno.EADDRINUSE, f"fewer than {count} ports are free from {_LOWEST} to {_HIGHEST}")


async def get(host: str, port: int, path: str, *, seconds: float = 2.0) -> tuple[int, bytes]:
    """Status and body of a GET; status 0 where nobody answers in time."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode())
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return 0, b""
    first = head.split(b"\r\n", 1)[0].split(b" ")
    return (int(first[1]) if len(first) > 1 else 0), body


async def answers(host: str, port: int, path: str) -> bool:
    """Whether a GET is answered with 200."""
    status, _ = await get(host, port, path)
    return status == 200  # noqa: PLR2004  (OK)


async def get_json(host: str, port: int, path: str) -> dict[str, Any]:
    """A JSON object, empty where there is none."""
    status, body = await get(host, port, path)
    if status != 200:  # noqa: PLR2004  (OK)
        return {}
    said = json.loads(body)
    return said if isinstance(said, dict) else {}
