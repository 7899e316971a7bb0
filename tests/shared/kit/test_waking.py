"""A loop that rests can be stopped at any moment."""

import asyncio

import pytest

from shared.kit.waking import woken


@pytest.mark.parametrize("ticks", range(4))
async def test_a_cancellation_that_comes_with_the_waking_is_not_lost(ticks):
    wake = asyncio.Event()

    async def loop() -> None:
        while True:
            wake.clear()
            await woken(wake, 60)

    task = asyncio.create_task(loop())
    for _ in range(3):  # it rests by then
        await asyncio.sleep(0)
    wake.set()
    for _ in range(ticks):
        await asyncio.sleep(0)
    task.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    lost = not task.done()
    task.cancel()
    assert not lost, "the loop went on"
    assert task.cancelled()


async def test_it_returns_when_woken_and_when_nobody_wakes_it():
    wake = asyncio.Event()
    await woken(wake, 0.001)
    wake.set()
    await woken(wake, 60)
