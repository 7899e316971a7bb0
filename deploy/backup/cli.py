"""`wugan backup`, `wugan restore`, `wugan replay` and `wugan reconcile` with a person in front of them."""

import asyncio
import signal
import sys
from collections.abc import Coroutine, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
from rich.console import Console
from rich.table import Column, Table

from deploy.backup.place import BackupError, Place
from deploy.backup.reconciling import Account, Told, databases, places, reconcile, say_again
from deploy.backup.replaying import replay
from deploy.backup.restoring import restore
from deploy.backup.taking import follow as follow_server
from deploy.backup.taking import origin, take
from deploy.local.clients import SERVICES
from deploy.local.errors import StackError
from deploy.monitoring.notes import note as leave_note
from shared.kit.clock import wall
from shared.kit.problems import ProblemError


def run_backup(data: Path, to: Path, *, follow: bool, keep: int, note: Path | None = None) -> int:
    """The exit code."""

    async def work() -> None:
        source, place = origin(data), Place(to)
        if not follow:
            base = await take(source, place, _say, keep=keep)
            leave_note(note, {"wugan_backup_taken_timestamp_seconds": base.taken_at.timestamp()})
            return
        following = asyncio.ensure_future(follow_server(source, place, _say, keep=keep, note=note))
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(each, following.cancel)
        try:
            await following
        except asyncio.CancelledError:
            _say("stopped; what was archived can be restored, later moments cannot")

    return _told(work())


def run_restore(data: Path, source: Path, *, base: str | None, at: str | None) -> int:
    """The exit code."""

    async def work() -> None:
        done = await restore(data, Place(source), base=base, at=_moment(at))
        until = f"{done.until:%Y-%m-%d %H:%M:%S %Z}" if done.until else "never"
        _say(f"restored from {done.base}; the last message of any service was said at {until}")
        _say(f"{done.replayed} messages are said again when the services start; nothing is done twice")
        for path in done.aside:
            _say(f"the data that were here are in {path}; remove them when all is well")
        _say("start the platform, then take a new base backup")

    return _told(work())


def run_replay(data: Path, services: Sequence[str], *, days: int | None) -> int:
    """The exit code."""

    async def work() -> None:
        if unknown := [each for each in services if each not in SERVICES]:
            msg = f"There is no service {unknown[0]}: they are {', '.join(SERVICES)}."
            raise BackupError(msg)
        urls = databases(data, Told())
        for service, count in (await replay({each: urls[each] for each in services or SERVICES}, days=days)).items():
            _say(f"{service}: {count} messages are said again")

    return _told(work())


def run_reconcile(data: Path, *, days: int, again: bool, note: Path | None = None) -> int:
    """The exit code: 1 where something is missing and was not said again."""
    missing = 0

    async def work() -> None:
        nonlocal missing
        where = places(data, Told())
        books = await reconcile(where, days=days)
        Console().print(_table(list(books.accounts.values())))
        missing = sum(map(len, books.lost.values()))
        behind = sum(each.waiting > 0 for each in books.accounts.values())
        if behind:
            _say(f"{behind} consumers are behind: look again when they have caught up")
        if not missing:
            _say(f"nothing is missing of what was said in {days} days")
        elif again:
            for service, count in (await say_again(where, books.lost)).items():
                _say(f"{service}: {count} messages are said again; look again in an hour or two")
        else:
            _say(f"{missing} messages never reached somebody they were for: `wugan reconcile --again` says them again")
        left = 0 if again else missing
        leave_note(note, {"wugan_reconcile_done_timestamp_seconds": wall(), "wugan_reconcile_missing": left})

    return _told(work()) or int(missing > 0 and not again)


def _table(accounts: Sequence[Account]) -> Table:
    table = Table(
        "consumer",
        *(Column(each, justify="right") for each in ("said", "heard", "parked", "missing")),
        "note",
        box=None,
    )
    for each in sorted(accounts, key=lambda account: account.consumer):
        if each.said or each.waiting:
            counts = (each.said, each.heard, each.parked, each.missing)
            note = f"behind: {each.waiting:,} wait" if each.waiting else ""
            table.add_row(each.consumer, *(f"{count:,}" for count in counts), note, style="red" if each.missing else "")
    return table


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        msg = f"{text} is no moment: write it as 2026-11-26T21:00:00+08:00."
        raise BackupError(msg) from error
    if at.tzinfo is None:
        msg = f"{text} has no zone: write it as {text}+08:00, which is the time in China."
        raise BackupError(msg)
    return at


def _say(text: str) -> None:
    sys.stdout.write(f"wugan: {text}\n")
    sys.stdout.flush()


def _told(work: Coroutine[Any, Any, None]) -> int:
    try:
        asyncio.run(work)
    except (StackError, ProblemError, OSError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"wugan: {error}\n")
        return 1
    return 0
