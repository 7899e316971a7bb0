"""Resting until somebody wakes the loop."""

import asyncio


async def woken(wake: asyncio.Event, seconds: float) -> None:
    """Return when woken, after `seconds` at the latest; cancelled at whatever moment, it ends as cancelled.

    `asyncio.wait_for` of Python 3.11 loses a cancellation that comes together with the waking: a loop built on it then
    goes on, and whoever stops the service waits for it for ever.
    """
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return
