"""The city as the year has it: its stack, its callers, its people with what is true of them, and its clock."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import polars as pl
from pydantic import SecretStr
from rich.console import Console

from deploy.demo.city.manifest import TRUTH
from deploy.demo.client import Client, client
from deploy.demo.run import SERVICES, DemoOptions, Run, opened
from deploy.local.clients import ClientCard
from shared.kit.clock import wall
from shared.kit.crypto import Pseudonymiser
from shared.kit.workdays import is_working_day

_OFFICE = ("recognition.manage", "grid.manage", "grid.read")
_CITY = ("3416",)
CARDS = (
    ClientCard(client_id="year-village", role="village", divisions=_CITY,
               scopes=("grid.work", "grid.read", "notify.village")),
    ClientCard(client_id="year-town", role="officer", scopes=_OFFICE),
    ClientCard(client_id="year-agency", role="officer", scopes=_OFFICE),
    ClientCard(client_id="year-officer", role="officer", scopes=_OFFICE, programs=("*",)),
    ClientCard(client_id="year-second", role="officer", scopes=_OFFICE, programs=("*",)),
)  # fmt: skip
"""One caller for each pair of eyes; members of grids speak through the operator's back end."""
# One officer of the play does the work of a whole office.
QUICK = {
    "WUGAN_GRID_ROUND_SECONDS": "0.3",
    "WUGAN_RECOGNITION_PERSON_REQUESTS_PER_SECOND": "1000",
    "WUGAN_RECOGNITION_PERSON_BURST": "10000",
}
_ROUND_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Person:
    """What is true of a beneficiary; no service knows it."""

    subject: UUID
    citizen_id: str
    name: str
    division: str
    programs: tuple[str, ...]
    state: str
    since_on: date | None
    died_on: date | None
    declared_dead: bool
    double: bool

    def dead(self, on: date) -> bool:
        """Whether he was dead at the end of a day."""
        return self.died_on is not None and self.died_on <= on

    def being(self, state: str, on: date) -> bool:
        """Whether he was alive and missing, in_custody, detained, abroad, moved or bedridden on a day."""
        return not self.dead(on) and self.state == state and (self.since_on is None or self.since_on <= on)


@dataclass(slots=True)
class World:
    """Everything a part of the year or a check needs.

    Attributes:
        callers: `village`, `town`, `agency`, `officer`, `second`; `run.client` is the operator.
        database: of the administrator: checks may look anywhere.
        people: by subject.
        counts: what happened, by a word, for the last screen.
        decisions: stops that were announced and not yet carried out, by id: their answers.
    """

    run: Run
    callers: Mapping[str, Client]
    database: asyncpg.Connection
    people: Mapping[UUID, Person]
    today: date
    counts: Counter[str] = field(default_factory=Counter)
    decisions: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def move(self, at: datetime) -> None:
        """Let time pass, and wait until grid has gone its round of a working day."""
        self.run.stack.set_clock(at)
        self.today = at.date()
        if not is_working_day(self.today):
            return
        ends = wall() + _ROUND_SECONDS
        while not await self.database.fetchval("SELECT count(*) FROM grid.workdays WHERE day = $1", self.today):
            if wall() > ends:
                msg = f"grid has not begun {self.today}"
                raise TimeoutError(msg)
            await asyncio.sleep(0.1)

    async def quiet(self) -> None:
        """Wait until nothing is under way."""
        await self.run.client.quiet(SERVICES, told=lambda _left: None, seconds=self.run.options.patience)

    async def rows(self, sql: str, *args: object) -> list[asyncpg.Record]:
        """Rows of any schema."""
        found: list[asyncpg.Record] = await self.database.fetch(sql, *args)
        return found


@asynccontextmanager
async def opened_world(options: DemoOptions, console: Console) -> AsyncIterator[World]:
    """A city on its first morning, everything empty."""
    async with opened(options, console) as run, AsyncExitStack() as stack:
        issuer = f"{run.stack.urls['gateway']}/api/recognition"
        callers = {}
        for card in CARDS:
            key = run.stack.client_key(card.client_id)
            # Whoever decides has a name; a client's own stands for nobody.
            user = f"{card.client_id}-1" if card.role == "officer" else None
            made = client(run.stack.urls["gateway"], issuer, key.client_id, key.key_file, user)
            callers[card.client_id.removeprefix("year-")] = await stack.enter_async_context(made)
        database = await asyncpg.connect(run.stack.database_url())
        stack.push_async_callback(database.close)
        people = _people(run)
        yield World(run, callers, database, people, options.starts.date())


def _people(run: Run) -> dict[UUID, Person]:
    columns = ["citizen_id", "name", "division", "programs", "state", "since_on", "died_on", "declared_dead",
               "double_receipt"]  # fmt: skip
    table = pl.read_parquet(run.city / TRUTH, columns=columns)
    keys = Pseudonymiser.from_hex(SecretStr(run.stack.secrets.subject_key))
    subjects = [UUID(bytes=row.tobytes()) for row in keys.many(table["citizen_id"])]
    rows = zip(subjects, table.rows(), strict=True)
    return {
        subject: Person(subject, number, name, division, tuple(programs), *rest)
        for subject, (number, name, division, programs, *rest) in rows
    }
