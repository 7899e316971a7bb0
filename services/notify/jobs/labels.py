"""Asks recognition for the labels of its programs, so that a program is one file there and nothing here."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import structlog

from services.notify.usecases import labels
from services.notify.usecases.deps import Deps
from shared.kit.problems import ProblemError

log = structlog.get_logger(__name__)

_KNOWN_SECONDS = 60.0
_UNKNOWN_SECONDS = 2.0


async def look(deps: Deps) -> bool:
    """Ask once. Returns whether there was an answer; what is known stays where there was none."""
    assert deps.ask_labels is not None, "only where somebody can be asked"
    try:
        told = await deps.ask_labels()
    except (ProblemError, httpx.HTTPError, LookupError, TypeError, ValueError) as error:
        log.warning("program_labels_not_told", reason=type(error).__name__, known=len(deps.labels))
        return False
    async with deps.database.write() as tx:
        await labels.keep(tx, deps, told)
    return True


async def _run(deps: Deps) -> None:
    async with deps.database.read() as tx:
        await labels.remember(tx, deps)
    while True:
        told = await look(deps)
        await asyncio.sleep(_KNOWN_SECONDS if told or deps.labels else _UNKNOWN_SECONDS)


def background(deps: Deps) -> list[Callable[[], Awaitable[None]]]:
    """The loop of this process; none where nobody can be asked."""
    if deps.ask_labels is None:
        return []

    async def ask_for_labels() -> None:
        await _run(deps)

    return [ask_for_labels]
