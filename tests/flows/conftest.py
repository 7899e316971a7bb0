"""Two runs of a small demo city through five real services: one undisturbed, one in which each of them is killed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from deploy.demo.run import DemoOptions, Disturb, Kills, Run, opened, through
from deploy.demo.screen import Result

SOURCES = frozenset(
    {
        "medins_pharmacy", "transport_bus_card", "telecom_activity", "bank_self_service", "medins_inpatient",
        "health_inpatient_emr", "wst_face", "health_home_visit", "police_hukou_cancel", "health_death_cert",
        "civil_cremation", "prison_custody", "court_judgment",
    }
)  # fmt: skip
SCALE, SEED = 0.002, 11
SERVICES = ("ingest", "scoring", "recognition", "grid", "notify")


@dataclass(frozen=True)
class City:
    """A run and what it ended with; the stack is still up."""

    run: Run
    result: Result

    @property
    def logs(self) -> Path:
        return self.run.stack.folder.logs


def options(folder: Path, *, disturb: Disturb | None = None) -> DemoOptions:
    return DemoOptions(
        data=folder, scale=SCALE, seed=SEED, port_base=0, stay=False, sources=SOURCES, durable=False, disturb=disturb
    )


@pytest.fixture(autouse=True)
def _no_servers_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """These stories stop, empty and restore servers: always their own, whatever the environment names."""
    for name in ("WUGAN_DATABASE_URL", "WUGAN_NATS_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
async def city(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[City]:
    """The undisturbed run."""
    async with opened(options(tmp_path_factory.mktemp("city")), Console(quiet=True)) as run:
        yield City(run, await through(run))


@pytest.fixture(scope="module")
async def disturbed(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The same city while every service is killed once in the middle of the upload."""
    kills = Kills(SERVICES)
    async with opened(options(tmp_path_factory.mktemp("disturbed"), disturb=kills), Console(quiet=True)) as run:
        result = await through(run)
        assert kills.done == len(SERVICES)
        return result
