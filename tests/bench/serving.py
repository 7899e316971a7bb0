"""Recognition's answers: one worker of the real service beside the bare app, asked by the same load generator."""

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import numpy as np
from pydantic import SecretStr

from deploy.demo.city.citizen_ids import make_ids
from deploy.local import services
from deploy.local.ports import HOST
from deploy.local.probes import answers, free_ports
from deploy.local.stack import LocalStack
from shared.kit.crypto import Pseudonymiser
from shared.kit.db import Database
from shared.kit.http import ASSERTION_TYPE, client_assertion, load_key
from tests.bench import bare_app, load
from tests.bench.figures import Budget, Figure, figure, in_turn
from tests.bench.load import Load
from tests.bench.machine import peak_mib
from tests.services.recognition.world import World, assessed, assessment, enrolled, enrolment, make_deps

PEOPLE, QUESTIONS, BATCH = 100_000, 20_000, 1000
PROGRAM, CLIENT = "resident_pension", "demo-partner"
_TEXTBOOK = "/v1/textbook:check"
_CHECK, _BATCH = "/v1/recognitions:check", "/v1/recognitions:batch"
_HAND_CONNECTIONS = 2
_NEVER_SEEN = 10  # one of so many people is enrolled and not certified
_START_SECONDS, _SEAL_SECONDS = 120.0, 120.0
_UNSEALED = """
SELECT (SELECT max(usage_id) FROM recognition.usage) - COALESCE((SELECT max(last_id) FROM recognition.usage_seal), 0)
       > 20000
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A server process under load."""

    process: subprocess.Popen[bytes]
    port: int
    headers: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long to measure.

    Attributes:
        times: runs of each side.
        seconds: of one run.
    """

    times: int = 5
    seconds: float = 4.0


async def measure(stack: LocalStack, folder: Path, *, people: int, effort: Effort) -> list[Figure]:
    """Single checks and batches. The stack knows recognition, which has been stopped."""
    ids = ids_of(people)
    await _fill(stack, ids)
    with running(our_service(stack), folder / "recognition.log") as (ours, our_port):
        with running(_bare(stack), folder / "bare.log") as (bare, bare_port):
            mine = Side(process=ours, port=our_port, headers={})
            theirs = Side(process=bare, port=bare_port, headers={})
            for side, path in ((mine, "/readyz"), (theirs, "/livez")):
                await until_ready(side, path)
            bench = _Bench(stack, mine, theirs, ids, effort)
            figures = await bench.checks()
            figures += await bench.batches()
        figures.append(
            figure("peak memory of the process", "MiB", peak_mib(ours.pid), budget=Budget(of="ours", most=600))
        )
    return figures


# ---- people ----------------------------------------------------------------------------------------------------------


def ids_of(people: int) -> list[str]:
    place = np.arange(people)
    born = np.datetime64("1930-01-01").astype(int) + place % 12_000
    return make_ids(np.full(people, 341602) + place // 12_000, born, place % 1000).to_list()


async def _fill(stack: LocalStack, ids: Sequence[str]) -> None:
    """People as the service itself keeps them: enrolled by rosters, certified by assessments."""
    database = Database(stack.database_url("recognition"), schema="recognition")
    subjects = subjects_of(stack, ids)
    world = World(make_deps(database, subjects=pseudonymiser(stack)))
    shards: dict[str, list[UUID]] = {}
    for each in subjects:
        shards.setdefault(each.hex[0], []).append(each)
    for some in shards.values():
        seen = [each for each in some if each.int % _NEVER_SEEN]
        await world.hear(enrolled(*(enrolment(each) for each in some)), assessed(*(assessment(each) for each in seen)))
    async with database.write() as tx:
        # What these messages would say is not part of the measurement.
        await tx.run("UPDATE outbox SET published_at = now()")
    async with database.engine.connect() as connection:
        await connection.exec_driver_sql("VACUUM ANALYZE")
    await database.close()


def pseudonymiser(stack: LocalStack) -> Pseudonymiser:
    return Pseudonymiser.from_hex(SecretStr(stack.secrets.subject_key))


def subjects_of(stack: LocalStack, ids: Sequence[str]) -> list[UUID]:
    return [UUID(bytes=each.tobytes()) for each in pseudonymiser(stack).many(ids)]


# ---- servers ---------------------------------------------------------------------------------------------------------


def our_service(stack: LocalStack) -> Callable[[int], tuple[list[str], dict[str, str]]]:
    """The service as the stack starts it, but with its log lines in a file, as under a container runtime."""
    stack.folder.of_service("recognition").mkdir(parents=True, exist_ok=True)

    def made(port: int) -> tuple[list[str], dict[str, str]]:
        environment = services.environment(stack._surroundings(), "recognition", port)
        environment["WUGAN_JWKS_URL"] = f"http://{HOST}:{port}/.well-known/jwks.json"
        # The whole process for one client: what it can do is measured, not what one client may have of it.
        environment |= {"WUGAN_RECOGNITION_REQUESTS_PER_SECOND": "1000000", "WUGAN_RECOGNITION_BURST": "1000000"}
        return ["services.recognition", "serve"], environment

    return made


def _bare(stack: LocalStack) -> Callable[[int], tuple[list[str], dict[str, str]]]:
    def made(port: int) -> tuple[list[str], dict[str, str]]:
        told = {
            "WUGAN_DATABASE_URL": stack.database_url("recognition"),
            "WUGAN_SUBJECT_KEY": stack.secrets.subject_key,
            "WUGAN_PORT": str(port),
        }
        return ["tests.bench.bare_app"], {**os.environ, **told}

    return made


@contextmanager
def running(
    made: Callable[[int], tuple[list[str], dict[str, str]]], log: Path
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_ports(HOST, 1)[0]
    words, environment = made(port)
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        try:
            yield process, port
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def until_ready(side: Side, path: str) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while not await answers(HOST, side.port, path):
            if side.process.poll() is not None:
                msg = f"{side.process.args!r} ended at the start"
                raise RuntimeError(msg)
            await asyncio.sleep(0.05)


@contextmanager
def asleep(side: Side) -> Iterator[None]:
    """The other side does not run at all while one is measured."""
    side.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        side.process.send_signal(signal.SIGCONT)


async def token(stack: LocalStack, port: int) -> dict[str, str]:
    """Headers of a lawful question with a fresh token."""
    client = stack.client_key(CLIENT)
    issuer = services.environment(stack._surroundings(), "recognition", port)["WUGAN_ISSUER_URL"]
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": client_assertion(CLIENT, load_key(client.key_file), f"{issuer}/oauth/token"),
    }
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"http://{HOST}:{port}/oauth/token", data=form)
    answer.raise_for_status()
    return {"Authorization": f"Bearer {answer.json()['access_token']}", "Purpose-Code": "pay", "Legal-Basis": "law"}


# ---- measuring -------------------------------------------------------------------------------------------------------


class _Bench:
    def __init__(self, stack: LocalStack, ours: Side, bare: Side, ids: list[str], effort: Effort) -> None:
        self._stack, self._ours, self._bare, self._ids, self._effort = stack, ours, bare, ids, effort
        chosen = np.random.default_rng(9).choice(len(ids), min(QUESTIONS, len(ids)), replace=False)
        self._bodies = [json.dumps({"program": PROGRAM, "citizen_id": ids[place]}) for place in chosen.tolist()]

    async def checks(self) -> list[Figure]:
        """One person a request: as quick as it goes, at half of our best, and without waiting for the disk."""
        times = self._effort.times
        mine, theirs = await in_turn(self._check_ours, self._check_bare, times)
        _same_answers(mine[0], theirs[0])
        half = statistics.median(each.per_second for each in mine) / 2
        mine_half, theirs_half = await in_turn(
            lambda: self._check_ours(half), lambda: self._check_bare(half), max(times - 2, 1)
        )
        mine_plain, textbook = await in_turn(
            self._check_ours, lambda: self._check_bare(path=_TEXTBOOK), max(times - 2, 1)
        )
        async with self._not_waiting_for_the_disk():
            mine_quick, theirs_quick = await in_turn(self._check_ours, self._check_bare, max(times - 2, 1))
        return [
            figure("single checks", "requests/s", *_rates(mine, theirs), budget=Budget(least=0.8),
                   note=f"bare FastAPI and asyncpg, one statement a question, tuned, {_PER_SIDE}. Ours asks together what comes at "
                        "the same moment"),
            figure("single checks beside a textbook app", "requests/s", *_rates(mine_plain, textbook),
                   note="the same questions in FastAPI and asyncpg as the manuals write it: a transaction with SELECT and "
                        "INSERT, the pool as it comes"),
            figure("single checks, commits not waiting for the disk", "requests/s", *_rates(mine_quick, theirs_quick),
                   note="the same with synchronous_commit = off: the processor alone counts, the harder comparison"),
            figure("median wait at full load", "ms", [each.p50 for each in mine], [each.p50 for each in theirs],
                   note="the first row's runs"),
            figure("99th percentile at full load", "ms", [each.p99 for each in mine], [each.p99 for each in theirs],
                   note="the first row's runs"),
            figure("99th percentile at half load", "ms", [each.p99 for each in mine_half],
                   [each.p99 for each in theirs_half], budget=Budget(of="ours", most=25),
                   note=f"both asked {half:,.0f} times a second, half of our best; waits count from the due moment"),
        ]  # fmt: skip

    async def batches(self) -> list[Figure]:
        """A thousand people a request beside the bare statement for a thousand subjects."""
        lists = [self._ids[start : start + BATCH] for start in range(0, min(len(self._ids), 50 * BATCH), BATCH)]
        bodies = [json.dumps({"program": PROGRAM, "items": [{"citizen_id": each} for each in some]}) for some in lists]
        subjects = [subjects_of(self._stack, some) for some in lists]
        people = len(lists[0])
        mine, theirs = await in_turn(
            lambda: self._batch_ours(bodies), lambda: self._by_hand(subjects), min(self._effort.times, 3)
        )
        return [
            figure(f"batches of {people:,}", "people/s", [each.per_second * people for each in mine], theirs,
                   budget=Budget(of="ours", least=30_000),
                   note=f"the same statement for {people:,} subjects by asyncpg alone, {_HAND_CONNECTIONS} at a time: "
                        "no HTTP, no ids to check and hash, no answers to word"),
            figure(f"median wait for a batch of {people:,}", "ms", [each.p50 for each in mine],
                   note=f"{_HAND_CONNECTIONS} connections"),
        ]  # fmt: skip

    async def _sealed(self) -> None:
        """Until the service has sealed what the other side has logged: that is none of its work."""
        connection = await asyncpg.connect(self._stack.database_url("recognition"), ssl=False)
        try:
            async with asyncio.timeout(_SEAL_SECONDS):
                while await connection.fetchval(_UNSEALED):
                    await asyncio.sleep(0.2)
        finally:
            await connection.close()

    async def _check_ours(self, rate: float = 0.0) -> Load:
        await self._sealed()
        ours = replace(self._ours, headers=await token(self._stack, self._ours.port))
        with asleep(self._bare):
            return await self._asked(ours, _CHECK, self._bodies, rate=rate)

    async def _check_bare(self, rate: float = 0.0, path: str = _CHECK) -> Load:
        with asleep(self._ours):
            return await self._asked(self._bare, path, self._bodies, rate=rate)

    async def _batch_ours(self, bodies: list[str]) -> Load:
        await self._sealed()
        ours = replace(self._ours, headers=await token(self._stack, self._ours.port))
        with asleep(self._bare):
            return await self._asked(ours, _BATCH, bodies, connections=_HAND_CONNECTIONS)

    async def _asked(
        self, side: Side, path: str, bodies: list[str], *, rate: float = 0.0, connections: int = 16
    ) -> Load:
        return await load.ask(
            load.Job(port=side.port, path=path, headers=side.headers, bodies=bodies, connections=connections,
                     seconds=self._effort.seconds, warm_seconds=self._effort.seconds / 4, rate=rate)
        )  # fmt: skip

    async def _by_hand(self, lists: list[list[UUID]]) -> float:
        """People a second."""
        url = self._stack.database_url("recognition")
        settings = {"search_path": "recognition", "jit": "off"}
        with asleep(self._ours), asleep(self._bare):
            async with asyncpg.create_pool(
                url, min_size=_HAND_CONNECTIONS, max_size=_HAND_CONNECTIONS, server_settings=settings
            ) as pool:
                ends, done = time.perf_counter() + self._effort.seconds, 0

                async def go_on(place: int) -> None:
                    nonlocal done
                    while time.perf_counter() < ends:
                        subjects = lists[place % len(lists)]
                        await pool.fetch(bare_app.LOOK_AND_LOG, subjects, PROGRAM, bare_app.CYCLE_MONTHS, bare_app.TODAY, None,
                                         bare_app.NOW, "hand", "hand", None, "batch", "pay", "law", None, "hand")  # fmt: skip
                        done += len(subjects)
                        place += _HAND_CONNECTIONS

                started = time.perf_counter()
                await asyncio.gather(*(go_on(place) for place in range(_HAND_CONNECTIONS)))
                return done / (time.perf_counter() - started)

    @asynccontextmanager
    async def _not_waiting_for_the_disk(self) -> AsyncIterator[None]:
        connection = await asyncpg.connect(self._stack.database_url(), ssl=False)
        try:
            await connection.execute("ALTER SYSTEM SET synchronous_commit = off")
            await connection.execute("SELECT pg_reload_conf()")
            yield
        finally:
            await connection.execute("ALTER SYSTEM RESET synchronous_commit")
            await connection.execute("SELECT pg_reload_conf()")
            await connection.close()


_PER_SIDE = "each one uvicorn worker, asked over 16 connections by a third process"


def _rates(mine: Sequence[Load], theirs: Sequence[Load]) -> tuple[list[float], list[float]]:
    return [each.per_second for each in mine], [each.per_second for each in theirs]


def _same_answers(mine: Load, theirs: Load) -> None:
    said = [json.loads(each.example)["answer"] for each in (mine, theirs)]
    if not set(said) <= {"recognised", "not_yet"}:
        msg = f"the people of the bench are not known to the service: {said}"
        raise RuntimeError(msg)
