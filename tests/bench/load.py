"""A load generator in a process of its own: raw HTTP/1.1 on connections that stay open, as little work as can be.

`python -m tests.bench.load` reads a job (JSON) from standard input and writes the result (JSON). Without a rate each
connection asks again as soon as it has its answer; with one it asks at fixed moments, and a wait counts from the
moment at which the question was due, not from when a late answer let it go.
"""

import asyncio
import json
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from itertools import cycle
from typing import Any, cast

import uvloop
from typing_extensions import override

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to ask, how, and for how long.

    Attributes:
        bodies: JSON texts, asked one after the other.
        warm_seconds: asked before, not counted.
        rate: requests a second of all connections together; 0: as quick as the answers come.
    """

    port: int
    path: str
    headers: dict[str, str]
    bodies: list[str]
    connections: int = 16
    seconds: float = 4.0
    warm_seconds: float = 1.0
    rate: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of it; waits in milliseconds."""

    answers: int
    refused: int
    per_second: float
    p50: float
    p99: float
    example: str


@dataclass(slots=True)
class _Run:
    """What the connections share."""

    questions: Any
    gap: float
    counts_from: float
    ends: float
    finished: asyncio.Event
    open: int
    waits: list[float] = field(default_factory=list)
    refused: int = 0
    example: bytes = b""


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run, first: float) -> None:
        self._run, self._due = run, first
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._asked = 0.0
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._loop.call_later(max(self._due - time.perf_counter(), 0.0), self._ask)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._run.open -= 1
        if not self._run.open:
            self._run.finished.set()

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._buffer, 0, end)
        if length is None or len(self._buffer) >= end + 4 + int(length.group(1)):
            self._answered(self._buffer[9:12] == b"200", self._buffer[end + 4 :])
            self._buffer = b""

    def _ask(self) -> None:
        assert self._transport is not None
        now = time.perf_counter()
        # The loop's timers count whole milliseconds: one that rings early must not lengthen a wait.
        self._asked = min(self._due, now) if self._run.gap else now
        self._transport.write(next(self._run.questions))

    def _answered(self, good: bool, body: bytes) -> None:
        run, now = self._run, time.perf_counter()
        if run.counts_from <= now <= run.ends:
            run.waits.append(now - self._asked)
            run.refused += not good
            run.example = run.example or body
        self._due = self._due + run.gap if run.gap else now
        if max(now, self._due) >= run.ends:
            assert self._transport is not None
            self._transport.close()
        elif self._due <= now:
            self._ask()
        else:
            self._loop.call_later(self._due - now, self._ask)


async def work(job: Job) -> Load:
    """Ask for the given time."""
    loop = asyncio.get_running_loop()
    lines = "".join(f"{name}: {value}\r\n" for name, value in job.headers.items())
    head = f"POST {job.path} HTTP/1.1\r\nHost: 127.0.0.1:{job.port}\r\nContent-Type: application/json\r\n{lines}"
    questions = [f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode() for body in job.bodies]
    begins = time.perf_counter() + 0.1
    run = _Run(
        questions=cycle(questions),
        gap=job.connections / job.rate if job.rate else 0.0,
        counts_from=begins + job.warm_seconds,
        ends=begins + job.warm_seconds + job.seconds,
        finished=asyncio.Event(),
        open=job.connections,
    )
    for place in range(job.connections):
        first = begins + run.gap * place / job.connections
        await loop.create_connection(lambda first=first: _Connection(run, first), "127.0.0.1", job.port)  # type: ignore[misc]
    await run.finished.wait()
    waits = sorted(run.waits) or [0.0]
    return Load(
        answers=len(run.waits),
        refused=run.refused,
        per_second=len(run.waits) / job.seconds,
        p50=waits[len(waits) // 2] * 1000,
        p99=waits[len(waits) * 99 // 100] * 1000,
        example=run.example[:2000].decode(errors="replace"),
    )


async def ask(job: Job) -> Load:
    """Work on the job in a process of its own.

    Raises:
        RuntimeError: something was answered with anything but 200, or nothing was.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.load", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate(json.dumps(asdict(job)).encode())
    load = Load(**json.loads(said))
    if load.refused or not load.answers:
        msg = f"{load.refused} of {load.answers} answers of {job.path} were refusals: {load.example[:300]}"
        raise RuntimeError(msg)
    return load


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(work(Job(**json.loads(sys.stdin.read())))))))
