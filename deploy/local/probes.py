"""Questions to a listening server, asked with the standard library so that start-up stays quick."""

import asyncio
import errno
import json
import socket
from typing import Any

_REUSABLE = (errno.EADDRINUSE, errno.EACCES)


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
    """Ports nobody listens on, all different."""
    probes = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((host, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


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
