"""A provider and partners' receiver in a process of its own, as lean as one can be: it starts by loading little else."""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import uvicorn

from deploy.local.probes import free_ports
from shared.kit.clock import wall

_START_SECONDS = 60.0


class Receiver:
    """A provider as lean as one can be: reads a batch, answers about each, notes when a legal one came."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            piece = await receive()
            body += piece.get("body", b"")
            if not piece.get("more_body"):
                break
        if not body:  # hung up
            return
        said = orjson.loads(body)
        if "messages" in said:
            answer = {"results": [{"id": each["id"], "status": "accepted"} for each in said["messages"]]}
            if any(each["priority"] for each in said["messages"]):
                Path(self._address).write_text(repr(wall()), encoding="utf-8")  # noqa: ASYNC240  (once)
        else:
            answer = {"challenge": said["data"].get("challenge")}
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": orjson.dumps(answer)})


def _serve(port: int, noted: str) -> None:
    uvicorn.run(Receiver(noted), port=port, log_config=None, lifespan="off")


@contextmanager
def receiver(noted: Path) -> Iterator[str]:
    (port,) = free_ports("127.0.0.1", 1)
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(port, str(noted)), daemon=True)
    process.start()
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + _START_SECONDS
        while not _answers(url):
            assert time.monotonic() < until, "the receiver did not start"
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.join()


def _answers(url: str) -> bool:
    try:
        return httpx.post(url, content=b'{"messages": []}', timeout=10).is_success
    except httpx.TransportError:
        return False
