"""`wugan up` and `wugan migrate`: the stack with a person in front of it."""

import asyncio
import signal
import sys
from dataclasses import replace
from typing import TextIO

from deploy.local.clients import SERVICES
from deploy.local.errors import StackError
from deploy.local.stack import LocalStack, StackOptions
from deploy.local.view import LogView

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(options: StackOptions, out: TextIO | None = None) -> int:
    """Run the stack until a signal ends it; the exit code."""
    return asyncio.run(_run(options, out or sys.stdout))


def migrate(options: StackOptions, out: TextIO | None = None) -> int:
    """Bring every schema up to date on a stack that is not running; the exit code."""
    return asyncio.run(_migrate(options, out or sys.stdout))


async def _run(options: StackOptions, out: TextIO) -> int:
    view = LogView(out)
    stack = LocalStack(options, view.line)
    work = asyncio.create_task(_serve(stack))
    asked = 0

    def on_signal() -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            work.cancel()
            stack.journal.say("stopping; once more to kill everything at once")
        else:
            stack.kill_everything()

    loop = asyncio.get_running_loop()
    for each in _SIGNALS:
        loop.add_signal_handler(each, on_signal)
    try:
        await work
    except asyncio.CancelledError:
        view.line("wugan", f"stopped; the data stay in {stack.folder.root}")
        return 0
    except StackError as error:
        return _tell(error)
    return 0


async def _serve(stack: LocalStack) -> None:
    async with stack:
        for line in addresses(stack):
            stack.journal.say(line)
        await stack.watch()


def addresses(stack: LocalStack) -> list[str]:
    """What to open, one line each."""
    urls = stack.urls
    gateway = urls.get("gateway")
    lines = [f"{gateway}/api/{each}/ → {urls[each]}/docs" for each in stack.options.services if gateway]
    database = stack.database_url().split("@", 1)[-1]
    lines.append(f"PostgreSQL {database}, passwords in {stack.folder.secrets}")
    if "nats-monitor" in urls:
        lines.append(f"NATS {urls['nats-monitor']}/jsz?streams=1&consumers=1")
    lines.append(f"logs in {stack.folder.logs}; Ctrl-C stops everything and keeps the data")
    return lines


async def _migrate(options: StackOptions, out: TextIO) -> int:
    try:
        async with LocalStack(replace(options, services=(), gateway=False), LogView(out).line) as stack:
            await stack.migrate(SERVICES)
    except StackError as error:
        return _tell(error)
    return 0


def _tell(error: StackError) -> int:
    sys.stderr.write(f"wugan: {error}\n")
    return 1
