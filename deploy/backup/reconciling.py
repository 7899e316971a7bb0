"""`wugan reconcile`: messages that JetStream holds for heard and no service ever handled, found in the databases.

After a power loss a consumer may stand further on than its service: what lies between is given to nobody, and no alarm
rings. So what each service said is held against the inbox of each consumer that was to hear it, as its stream names
them; a durable consumer keeps its inbox under its own name, one for each shard where it hears by shard. Consumers that
belong to no service have no inbox and are left out.
"""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.backup.place import BackupError
from deploy.backup.replaying import DAYS
from deploy.backup.taking import origin
from deploy.local import nats
from deploy.local.clients import SERVICES
from deploy.local.database import DEFAULT_DATABASE, parse_url
from deploy.local.folder import DataFolder
from deploy.local.ports import HOST
from deploy.local.secrets import OPERATOR, load
from shared.contracts.vocabulary import EVERY_SHARD, SHARDS
from shared.kit.bus import Bus, ConsumerState

MOST_DAYS = min(DAYS.values())
"""A consumer made today was given what its stream still held: what is older than that it has not missed."""
GRACE = timedelta(hours=1)
"""Younger messages are still on their way; and within half an hour JetStream would take one said again for a double."""
_AT_ONCE = 5_000
_TRIES = 20

_SAID = """
SELECT id, subject, created_at FROM {speaker}.outbox
WHERE created_at >= now() - make_interval(days => $1) AND created_at < now() - $2::interval
  AND published_at < now() - $2::interval
"""
_UNHEARD = """
SELECT said.id, EXISTS (SELECT FROM {hearer}.dead_letter WHERE consumer = $1 AND event_id = said.id) AS parked
FROM unnest($2::uuid[]) AS said (id)
WHERE NOT EXISTS (SELECT FROM {hearer}.inbox WHERE consumer = $1 AND event_id = said.id)
"""
_AGAIN = """
UPDATE {speaker}.outbox SET published_at = NULL
WHERE id = ANY ($1::uuid[]) AND created_at BETWEEN $2 AND $3 AND published_at IS NOT NULL
"""


class Told(BaseSettings):
    """What the environment says of the servers; each service may have a database, or only a role, of its own."""

    model_config = SettingsConfigDict(env_prefix="WUGAN_", extra="ignore", frozen=True)

    database_url: SecretStr | None = None
    database_url_ingest: SecretStr | None = None
    database_url_scoring: SecretStr | None = None
    database_url_grid: SecretStr | None = None
    database_url_recognition: SecretStr | None = None
    database_url_notify: SecretStr | None = None
    nats_url: SecretStr | None = None
    nats_ca_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where to ask.

    Attributes:
        databases: URL by service, of its own role or of an administrator.
        nats_url: of the broker's operator.
    """

    databases: Mapping[str, str]
    nats_url: str
    ca_file: Path | None = None


@dataclass(slots=True, kw_only=True)
class Account:
    """What became of what was said to one consumer, its shards together.

    Attributes:
        heard: messages in its inbox.
        parked: messages among its dead letters.
        missing: messages that are neither, though it acknowledged all it was given.
        waiting: messages the broker still holds for it; while there are any, nothing is missing yet.
    """

    consumer: str
    said: int = 0
    heard: int = 0
    parked: int = 0
    missing: int = 0
    waiting: int = 0


@dataclass(slots=True)
class Books:
    """What a reconciliation found.

    Attributes:
        accounts: by consumer.
        lost: by speaking service, the messages somebody misses: when each was written, by id.
    """

    accounts: dict[str, Account] = field(default_factory=dict)
    lost: dict[str, dict[UUID, datetime]] = field(default_factory=dict)


def places(data: Path, told: Told) -> Places:
    """The servers the environment names, else those of the stack that runs in a folder.

    Raises:
        BackupError: no stack runs there.
        DatabaseUrlError: a URL is malformed.
    """
    return Places(
        databases=databases(data, told),
        nats_url=told.nats_url.get_secret_value() if told.nats_url else _running_nats(DataFolder(data)),
        ca_file=told.nats_ca_file,
    )


def databases(data: Path, told: Told) -> dict[str, str]:
    """URL by service of the databases the environment names, else of the stack that runs in a folder.

    Raises:
        BackupError: no stack runs there.
        DatabaseUrlError: a URL is malformed.
    """
    own = {each: getattr(told, f"database_url_{each}") for each in SERVICES}
    if told.database_url or all(own.values()):
        whole = told.database_url or SecretStr("")
    else:
        whole = SecretStr(origin(data).server.url(DEFAULT_DATABASE))
    return {service: _address(url or whole) for service, url in own.items()}


def _address(url: SecretStr) -> str:
    server, database = parse_url(url.get_secret_value())
    return server.url(database)


def _running_nats(folder: DataFolder) -> str:
    port = folder.running.read_text(encoding="ascii") if folder.running.exists() else ""
    if not port:
        msg = f"No NATS runs in {folder.root}: start the stack first (`wugan up`), or set WUGAN_NATS_URL."
        raise BackupError(msg)
    return nats.url(HOST, int(port), OPERATOR, load(folder.secrets).users)


async def reconcile(where: Places, *, days: int = 2) -> Books:
    """Hold what was said against what was heard.

    Args:
        where: the servers.
        days: how far back, `MOST_DAYS` at most.

    Raises:
        UnavailableError: the broker does not answer, or a stream is not there.
        BackupError: a service that should hear has no inbox.
    """
    books = Books()
    bus = Bus(where.nats_url, name="wugan-reconcile", ca_file=where.ca_file)
    await bus.connect(attempts=_TRIES)
    async with AsyncExitStack() as opened:
        opened.push_async_callback(bus.close)
        databases = await _open(opened, where.databases)
        for speaker in SERVICES:
            # The broker first: what was said an hour before and waits no more is in the inbox by now, if anywhere.
            consumers = [each for each in await bus.consumers(speaker.upper()) if _hearer(each) in SERVICES]
            for consumer in consumers:
                _account(books, consumer).waiting += consumer.waiting
            if await _has(databases[speaker], f"{speaker}.outbox"):
                await _go_through(books, databases, speaker, consumers, days)
    return books


async def say_again(where: Places, lost: Mapping[str, Mapping[UUID, datetime]]) -> dict[str, int]:
    """Mark what somebody misses as unsaid, so that the relays say it under its old id; the number by service."""
    counts = {}
    async with AsyncExitStack() as opened:
        databases = await _open(opened, {each: where.databases[each] for each in lost})
        for speaker, written in lost.items():
            tag = await databases[speaker].execute(
                _AGAIN.format(speaker=speaker), list(written), min(written.values()), max(written.values())
            )
            counts[speaker] = int(tag.split()[-1])
    return counts


async def _open(opened: AsyncExitStack, urls: Mapping[str, str]) -> dict[str, asyncpg.Connection]:
    databases = {}
    for service, url in urls.items():
        try:
            databases[service] = await asyncpg.connect(url, timeout=10)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            msg = f"The database of {service} lets nobody in ({str(error) or 'no answer'}): check WUGAN_DATABASE_URL."
            raise BackupError(msg) from error
        opened.push_async_callback(databases[service].close)
    return databases


async def _has(database: asyncpg.Connection, table: str) -> bool:
    return await database.fetchval("SELECT to_regclass($1)", table) is not None


async def _go_through(
    books: Books,
    databases: Mapping[str, asyncpg.Connection],
    speaker: str,
    consumers: Sequence[ConsumerState],
    days: int,
) -> None:
    for hearer in {_hearer(each) for each in consumers}:
        if not await _has(databases[hearer], f"{hearer}.inbox"):
            msg = f"The database of {hearer} has no inbox: bring it up to date with `wugan migrate`, then look again."
            raise BackupError(msg)
    async with databases[speaker].transaction(readonly=True):
        cursor = await databases[speaker].cursor(_SAID.format(speaker=speaker), days, GRACE)
        while rows := await cursor.fetch(_AT_ONCE):
            by_subject: dict[str, dict[UUID, datetime]] = {}
            for row in rows:
                by_subject.setdefault(row["subject"], {})[row["id"]] = row["created_at"]
            for consumer in consumers:
                mine = _said_to(consumer, by_subject)
                for lost in await _look_up(books, databases[_hearer(consumer)], consumer, list(mine)):
                    books.lost.setdefault(speaker, {})[lost] = mine[lost]


async def _look_up(
    books: Books, database: asyncpg.Connection, consumer: ConsumerState, ids: Sequence[UUID]
) -> list[UUID]:
    """Note what became of messages at one consumer; those it has lost."""
    if not ids:
        return []
    unheard = await database.fetch(_UNHEARD.format(hearer=_hearer(consumer)), consumer.name, ids)
    lost = [row["id"] for row in unheard if not row["parked"]]
    account = _account(books, consumer)
    account.said += len(ids)
    account.heard += len(ids) - len(unheard)
    account.parked += len(unheard) - len(lost)
    if consumer.waiting:
        return []
    account.missing += len(lost)
    return lost


def _said_to(consumer: ConsumerState, by_subject: Mapping[str, Mapping[UUID, datetime]]) -> dict[UUID, datetime]:
    """The messages a consumer had to be given, and when they were written."""
    return {
        each: written
        for subject, said in by_subject.items()
        if consumer.hears(subject)
        for each, written in said.items()
        if consumer.from_start or consumer.created <= written
    }


def _hearer(consumer: ConsumerState) -> str:
    return consumer.name.partition("-")[0]


def _account(books: Books, consumer: ConsumerState) -> Account:
    name, _, shard = consumer.name.rpartition("-")
    if shard not in {*SHARDS, EVERY_SHARD}:
        name = consumer.name
    return books.accounts.setdefault(name, Account(consumer=name))
