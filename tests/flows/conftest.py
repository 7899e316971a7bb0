"""Two runs of a small demo city through five real services: one as a newcomer types it, one in which each is killed."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from deploy.backup.taking import origin
from deploy.demo.city.manifest import Manifest, read_manifest
from deploy.demo.client import Client, client
from deploy.demo.run import DemoOptions, Kills, Run, opened, through
from deploy.demo.screen import Result
from deploy.demo.truth import Accuracy
from deploy.local import stack
from deploy.local.clients import ClientCard
from deploy.local.database import DEFAULT_DATABASE
from deploy.local.folder import DataFolder
from deploy.local.secrets import ClientKey, Secrets, load, load_or_make
from tests.chaos.digest import Table
from tests.flows import decided, told
from tests.flows.terminal import on_a_terminal, read_until

SOURCES = frozenset(
    {
        "medins_pharmacy", "transport_bus_card", "bank_self_service", "health_inpatient_emr", "wst_face",
        "health_home_visit", "police_hukou_cancel", "health_death_cert", "civil_cremation", "prison_custody",
        "court_judgment",
    }
)  # fmt: skip
SCALE, SEED = 0.001, 11
# On a busy machine the files of a small city come so slowly that each would be swept by itself.
PACE = {"WUGAN_SCORING_QUIET_SECONDS": "1"}
KILLED: Mapping[str, tuple[str, ...]] = {
    "rosters": ("recognition",), "sources": ("ingest", "scoring"), "due": ("notify",), "visits": ("grid",),
}  # fmt: skip
"""Each of the five in a stage in which it has work to do."""


class Standing:
    """The stack of a demo that runs in a process of its own, as far as these stories ask for it."""

    def __init__(self, data: Path, urls: Mapping[str, str]) -> None:
        self.folder, self.urls = DataFolder(data), urls

    def client_key(self, name: str) -> ClientKey:
        return load(self.folder.secrets).clients[name]

    def database_url(self) -> str:
        return origin(self.folder.root).server.url(DEFAULT_DATABASE)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """`wugan demo` on a terminal, and what it has said until it stays up."""

    process: subprocess.Popen[bytes]
    terminal: int
    said: str
    stack: Standing
    client: Client
    city: Path
    manifest: Manifest


@dataclass(frozen=True, kw_only=True)
class City:
    """A run and what it ended with.

    Attributes:
        tables: digests of what the run decided.
        twice: what somebody was told twice, in words.
        months: in which each person was last seen.
        certified: how many people were told that they are.
    """

    run: Shown | Run
    result: Result
    tables: Mapping[str, Table]
    twice: list[str]
    months: Mapping[str, str | None]
    certified: int

    @property
    def logs(self) -> Path:
        return self.run.stack.folder.logs


@pytest.fixture(autouse=True)
def _no_servers_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """These stories stop, empty and restore servers: always their own, whatever the environment names."""
    for name in ("WUGAN_DATABASE_URL", "WUGAN_NATS_URL"):
        monkeypatch.delenv(name, raising=False)


async def looked_at(run: Shown | Run, result: Result) -> City:
    """The end of a run, before anybody asks for more."""
    url = run.stack.database_url()
    return City(
        run=run,
        result=result,
        tables=await decided.tables_of(url),
        twice=await told.twice(url, run.stack.folder.root / "sandbox"),
        months=await told.months(url),
        certified=await told.certified(url),
    )


def kept(folder: Path, manifest: Manifest) -> Result:
    """What the demo in a folder ended with, as it keeps it there."""
    found = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    names = ("seconds", "through", "batches", "figures", "visited", "peaks", "urls")
    return Result(
        manifest=manifest, data=folder, accuracy=Accuracy(**found["accuracy"]), **{name: found[name] for name in names}
    )


@pytest.fixture(scope="module")
async def city(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[City]:
    """The undisturbed run: `wugan demo` on a terminal, where it stays up until `ended` is asked for."""
    folder = tmp_path_factory.mktemp("city")
    chosen = [word for source in sorted(SOURCES) for word in ("--source", source)]
    words = ("demo", "--data", str(folder), "--scale", str(SCALE), "--seed", str(SEED), "--port-base", "0", *chosen)
    with on_a_terminal(*words, told={**PACE, "WUGAN_TRACES": "console"}) as (process, terminal):
        said = await asyncio.to_thread(read_until, terminal, "Ctrl-C stops it")
        assert "Ctrl-C stops it" in said, said[-2000:]
        files = DemoOptions(data=folder, scale=SCALE, seed=SEED).city
        result = kept(folder, read_manifest(files))
        standing, gateway = Standing(folder / "stack", result.urls), result.urls["gateway"]
        key = standing.client_key("demo-operator")
        async with client(gateway, f"{gateway}/api/recognition", key.client_id, key.key_file) as caller:
            run = Shown(process=process, terminal=terminal, said=said, stack=standing, client=caller, city=files,
                        manifest=result.manifest)  # fmt: skip
            yield await looked_at(run, result)


@pytest.fixture(scope="module")
async def ended(city: City) -> int:
    """Ctrl-C, and what the shell is told; tests that ask for this come after all that need the running city."""
    run = city.run
    assert isinstance(run, Shown)
    os.killpg(run.process.pid, signal.SIGINT)
    await asyncio.to_thread(read_until, run.terminal, "\0")
    return await asyncio.to_thread(run.process.wait, 60)


@pytest.fixture(scope="module")
async def disturbed(city: City, ended: int, tmp_path_factory: pytest.TempPathFactory) -> City:
    """The same files with the same keys, so that people have the same pseudonyms, while every service is killed once."""
    kills = {stage: Kills(names, stage) for stage, names in KILLED.items()}

    def disturb(broken: stack.LocalStack, stage: str, share: float) -> None:
        if stage in kills:
            kills[stage](broken, stage, share)

    def same_secrets(folder: Path, cards: Iterable[ClientCard]) -> Secrets:
        shutil.copytree(city.run.stack.folder.secrets, folder, dirs_exist_ok=True)
        return load_or_make(folder, cards)

    options = DemoOptions(
        data=tmp_path_factory.mktemp("disturbed"), scale=SCALE, seed=SEED, port_base=0, stay=False, sources=SOURCES,
        durable=False, disturb=disturb, environment=PACE,
    )  # fmt: skip
    shutil.copytree(city.run.city, options.city)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stack, "load_or_make", same_secrets)
        async with opened(options, Console(quiet=True)) as run:
            end = await looked_at(run, await through(run))
    assert {stage: each.done for stage, each in kills.items()} == {stage: len(names) for stage, names in KILLED.items()}
    return end
