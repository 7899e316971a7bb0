"""Child processes: started tied to our life, watched, started again when they die, stopped within limits."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import DiedError, KeepsDyingError, NotReadyError
from deploy.local.journal import Journal

_LAUNCH = str(Path(__file__).with_name("launch.py"))
_POLL_SECONDS = 0.04
_LINE_BYTES = 1 << 20
MOST_DEATHS = 6
DEATHS_WITHIN_SECONDS = 60.0
_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAs:
    """The user a program runs as; `pass_folders` lets it pass folders that are closed to that user."""

    uid: int = -1
    gid: int = -1
    pass_folders: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """A program to keep running.

    Attributes:
        ready: asks once whether it serves.
        ready_seconds: until it must; one that has died is told at once, so only a busy machine ever needs them.
        stop_signal: the polite way to end it; after `stop_seconds` it is killed.
        orphan_signal: what it gets when we die without a word.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    ready: Callable[[], Awaitable[bool]]
    ready_seconds: float = 120.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 12.0
    orphan_signal: signal.Signals = signal.SIGKILL
    run_as: RunAs = RunAs()


def launcher(orphan_signal: signal.Signals, run_as: RunAs) -> list[str]:
    """The words before a command that tie it to this process and drop it to its user."""
    facts = (os.getpid(), int(orphan_signal), run_as.uid, run_as.gid, int(run_as.pass_folders))
    return [sys.executable, "-I", "-S", _LAUNCH, *map(str, facts)]


def how_it_ended(code: int) -> str:
    """An exit code in words."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"


async def pump(reader: asyncio.StreamReader, journal: Journal, name: str) -> None:
    """Pass everything a process says to the journal, line by line, however long its lines are."""
    rest = b""
    while chunk := await reader.read(65536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            journal.line(name, line.decode(errors="replace").rstrip("\r"))
        if len(rest) > _LINE_BYTES:
            journal.line(name, rest.decode(errors="replace"))
            rest = b""
    if rest:
        journal.line(name, rest.decode(errors="replace"))


async def run_once(spec: ChildSpec, journal: Journal) -> int:
    """Run a program to its end; its exit code. Cancelling ends it."""
    process = await _spawn(spec)
    try:
        if process.stdout:
            await pump(process.stdout, journal, spec.name)
        return await process.wait()
    finally:
        _kill_group(process)


async def _spawn(spec: ChildSpec) -> asyncio.subprocess.Process:
    # A session of its own: Ctrl-C on the terminal reaches us alone, and we stop things in order.
    return await asyncio.create_subprocess_exec(
        *launcher(spec.orphan_signal, spec.run_as),
        *spec.argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(spec.env),
        cwd=spec.cwd,
        start_new_session=True,
    )


def _kill_group(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def peak_memory(pid: int | None) -> int:
    """The most memory a process has had so far, bytes; 0 where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if pid is None or not status.exists():
        return 0
    said = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines() if ":" in line)
    return int(said["VmHWM"].split()[0]) * 1024


class Child:
    """One program kept running until it is stopped.

    Args:
        spec: the program.
        journal: keeps what it says.
        on_failure: told the error when it cannot be kept running.
    """

    def __init__(
        self, spec: ChildSpec, journal: Journal, on_failure: Callable[[BaseException], object] | None = None
    ) -> None:
        self.spec = spec
        self._journal = journal
        self._on_failure = on_failure
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._ever_ready = False
        self._stopping = False
        self._deaths: deque[float] = deque(maxlen=MOST_DEATHS)

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start and wait until it serves.

        Raises:
            DiedError: it ended before that.
            NotReadyError: it took too long.
        """
        self._stopping = False
        self._ever_ready = False
        self._deaths.clear()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.spec.name}")
        self._keeper.add_done_callback(self._tell_failure)
        await self.wait_ready()

    async def wait_ready(self) -> None:
        """Wait until it serves (again); raises what `_keep` gave up with."""
        if self._keeper is None:
            return
        waiter = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait({waiter, self._keeper}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()
        if self._keeper.done():
            self._keeper.result()

    async def stop(self) -> None:
        """End it: politely first, by force after `stop_seconds`."""
        self._stopping = True
        if self._keeper is None:
            return
        if self.pid is None:
            self._keeper.cancel()
        else:
            self._signal(self.spec.stop_signal)
        _, late = await asyncio.wait({self._keeper}, timeout=self.spec.stop_seconds)
        if late:
            self._journal.say(f"{self.spec.name} did not stop within {self.spec.stop_seconds:.0f} s and was killed")
            self.kill()
            await asyncio.wait({self._keeper}, timeout=self.spec.stop_seconds)
        self._keeper = None

    def kill(self) -> None:
        """SIGKILL, as a crash would; it is started again unless it is being stopped."""
        self._ready.clear()
        if self._process:
            _kill_group(self._process)

    def abandon(self) -> None:
        """SIGKILL, and never started again."""
        self._stopping = True
        self.kill()

    def _tell_failure(self, keeper: asyncio.Task[None]) -> None:
        if keeper.cancelled():
            return
        error = keeper.exception()
        if error and self._on_failure:
            self._on_failure(error)

    def _signal(self, number: signal.Signals) -> None:
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _keep(self) -> None:
        while True:
            code = await self._live()
            if self._stopping:
                return
            if not self._ever_ready:
                journal, name = self._journal, self.spec.name
                raise DiedError(name, how_it_ended(code), journal.last(name), journal.path(name))
            await self._pause(code)

    async def _live(self) -> int:
        """One life, from start to end."""
        process = self._process = await _spawn(self.spec)
        if process.stdout is None:
            return await process.wait()
        asking = asyncio.create_task(self._ask_until_ready())
        asking.add_done_callback(lambda task: None if task.cancelled() or not task.exception() else self.kill())
        try:
            await pump(process.stdout, self._journal, self.spec.name)
            code = await process.wait()
        finally:
            _kill_group(process)
            self._ready.clear()
            asking.cancel()
            outcome = await asyncio.gather(asking, return_exceptions=True)
        if not self._ever_ready and isinstance(outcome[0], NotReadyError) and not self._stopping:
            raise outcome[0]
        return code

    async def _ask_until_ready(self) -> None:
        until = time.monotonic() + self.spec.ready_seconds
        while not await self.spec.ready():
            if time.monotonic() > until:
                raise NotReadyError(self.spec.name, self.spec.ready_seconds, self._journal.path(self.spec.name))
            await asyncio.sleep(_POLL_SECONDS)
        self._ever_ready = True
        self._ready.set()

    async def _pause(self, code: int) -> None:
        now = time.monotonic()
        name, deaths = self.spec.name, self._deaths
        deaths.append(now)
        if len(deaths) == MOST_DEATHS and now - deaths[0] < DEATHS_WITHIN_SECONDS:
            raise KeepsDyingError(name, len(deaths), now - deaths[0], self._journal.path(name))
        recent = sum(1 for each in deaths if now - each < DEATHS_WITHIN_SECONDS)
        pause = min(_FIRST_PAUSE_SECONDS * 2 ** (recent - 1), _LONGEST_PAUSE_SECONDS)
        self._journal.say(f"{name} {how_it_ended(code)}; it is started again")
        await asyncio.sleep(pause)
