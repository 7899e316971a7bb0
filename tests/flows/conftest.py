"""Two runs of a small demo city through five real services: one undisturbed, one in which each of them is killed."""

import shutil
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from deploy.demo.run import DemoOptions, Disturb, Kills, Run, opened, through
from deploy.demo.screen import Result
from deploy.local import stack
from deploy.local.clients import ClientCard
from deploy.local.secrets import Secrets, load_or_make
from tests.chaos.digest import Table
from tests.flows import decided, told

SOURCES = frozenset(
    {
        "medins_pharmacy", "transport_bus_card", "bank_self_service", "health_inpatient_emr", "wst_face",
        "health_home_visit", "police_hukou_cancel", "health_death_cert", "civil_cremation", "prison_custody",
        "court_judgment",
    }
)  # fmt: skip
SCALE, SEED = 0.002, 11
# On a busy machine the files of a small city come so slowly that each would be swept by itself.
PACE = {"WUGAN_SCORING_QUIET_SECONDS": "1"}
KILLED: Mapping[str, tuple[str, ...]] = {
    "rosters": ("recognition",), "sources": ("ingest", "scoring"), "due": ("notify",), "visits": ("grid",),
}  # fmt: skip
"""Each of the five in a stage in which it has work to do."""


@dataclass(frozen=True, kw_only=True)
class City:
    """A run and what it ended with; the stack of the undisturbed one is still up.

    Attributes:
        tables: digests of what the run decided.
        twice: what somebody was told twice, in words.
        months: in which each person was last seen.
    """

    run: Run
    result: Result
    tables: Mapping[str, Table]
    twice: list[str]
    months: Mapping[str, str | None]

    @property
    def logs(self) -> Path:
        return self.run.stack.folder.logs


def options(folder: Path, *, disturb: Disturb | None = None) -> DemoOptions:
    return DemoOptions(
        data=folder, scale=SCALE, seed=SEED, port_base=0, stay=False, sources=SOURCES, durable=False, disturb=disturb,
        traces=disturb is None, environment=PACE,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _no_servers_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """These stories stop, empty and restore servers: always their own, whatever the environment names."""
    for name in ("WUGAN_DATABASE_URL", "WUGAN_NATS_URL"):
        monkeypatch.delenv(name, raising=False)


async def ended(run: Run) -> City:
    """The end of a run, looked at before anybody asks for more."""
    result = await through(run)
    url = run.stack.database_url()
    return City(
        run=run,
        result=result,
        tables=await decided.tables_of(url),
        twice=await told.twice(url, run.stack.folder.root / "sandbox"),
        months=await told.months(url),
    )


@pytest.fixture(scope="module")
async def disturbed(tmp_path_factory: pytest.TempPathFactory) -> City:
    """The city while every service is killed once; ended before the other begins, beside which it would only idle."""
    kills = {stage: Kills(names, stage) for stage, names in KILLED.items()}

    def disturb(broken: stack.LocalStack, stage: str, share: float) -> None:
        if stage in kills:
            kills[stage](broken, stage, share)

    async with opened(options(tmp_path_factory.mktemp("disturbed"), disturb=disturb), Console(quiet=True)) as run:
        end = await ended(run)
    assert {stage: each.done for stage, each in kills.items()} == {stage: len(names) for stage, names in KILLED.items()}
    return end


@pytest.fixture(scope="module")
async def city(disturbed: City, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[City]:
    """The undisturbed run: the same files, and the same keys, so that people have the same pseudonyms."""
    chosen = options(tmp_path_factory.mktemp("city"))
    shutil.copytree(disturbed.run.city, chosen.city)

    def same_secrets(folder: Path, cards: Iterable[ClientCard]) -> Secrets:
        shutil.copytree(disturbed.run.stack.folder.secrets, folder, dirs_exist_ok=True)
        return load_or_make(folder, cards)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stack, "load_or_make", same_secrets)
        async with opened(chosen, Console(quiet=True)) as run:
            patch.undo()  # what is started later, in a test, loads its own
            yield await ended(run)
