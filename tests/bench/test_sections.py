"""Every section of the bench measures something at the smallest size, so that none of them rots unseen."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from deploy.local import database
from deploy.local.stack import LocalStack
from shared.kit import migrations
from tests.bench import __main__ as bench_main
from tests.bench import grid, load, whole_city
from tests.bench.__main__ import SECTIONS, Bench
from tests.bench.figures import Figure
from tests.bench.load import Job, Load
from tests.services.recognition.world import NOW
from tests.support.servers import Servers, servers_alone, unused_name

pytestmark = [pytest.mark.db, pytest.mark.bus, pytest.mark.timeout(480)]

SCALE = 0.001
OF_RECOGNITION = ("check", "pay")


def test_every_section_is_tried():
    assert set(SECTIONS) == {*OF_RECOGNITION, *ALONE}


ALONE = ("copy", "ingest", "scoring", "city", "grid", "bus", "notify")


class Threads(ThreadPoolExecutor):
    """Stands for processes that are their own only so that their memory is: they cost a second of start each."""

    def __init__(self, workers: int, **_kept: object) -> None:
        super().__init__(workers)

    def apply(self, work: Callable[..., Any], args: tuple[object, ...]) -> Any:
        return self.submit(work, *args).result()


async def asked(job: Job) -> Load:
    said = await load.work(job)
    assert not said.refused, said.example
    # A busy machine may need longer than this for the first answer.
    return said if said.answers else await asked(replace(job, seconds=job.seconds * 3))


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    for module in (bench_main, whole_city):
        monkeypatch.setattr(module, "ProcessPoolExecutor", Threads)
    monkeypatch.setattr(multiprocessing.get_context("spawn"), "Pool", Threads, raising=False)
    monkeypatch.setattr(load, "ask", asked)
    monkeypatch.setattr(grid, "_ASKED", 20)


def measured(section: str, figures: list[Figure]) -> None:
    assert figures
    for each in figures:
        assert each.ours > 0, each
        assert each.baseline is None or each.baseline > 0, (section, each)


@pytest.mark.parametrize("section", ALONE)
async def test_a_section_measures(servers: Servers, own_nats: LocalStack, tmp_path, section):
    class Nowhere:
        def nats_url(self) -> str:
            return own_nats.nats_url()  # other tests leave messages in the streams of the shared one

        def database_url(self) -> str:
            return servers.postgres.url("postgres")

    nowhere: Any = Nowhere()
    bench = Bench(stack=nowhere, servers=servers, folder=tmp_path, scale=SCALE)
    measured(section, await SECTIONS[section].run(bench))


async def test_the_sections_of_recognition_measure(servers: Servers, tmp_path):
    name = unused_name()
    options = replace(servers_alone(tmp_path / "stack", postgres=False), database_url=servers.postgres.url(name),
                      postgres=True, clock_at=NOW)  # fmt: skip
    try:
        async with LocalStack(options) as stack:
            await migrations.upgrade("recognition", stack.database_url("recognition"))
            bench = Bench(stack=stack, servers=servers, folder=tmp_path, scale=SCALE)
            for section in OF_RECOGNITION:
                measured(section, await SECTIONS[section].run(bench))
    finally:
        await database.drop(servers.postgres, name)
