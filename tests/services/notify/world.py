"""People, events and a notify without a process around it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pyarrow as pa
from fastapi import FastAPI

from deploy.sandbox.sms import Behaviour
from services.notify import channels as channel_files
from services.notify import handlers
from services.notify import templates as template_files
from services.notify.channels import Channel, ReadyChannel
from services.notify.channels.sms import SmsSettings
from services.notify.domain.delivery import Receipt
from services.notify.domain.schedule import Hours
from services.notify.domain.template import Template
from services.notify.jobs import Sender
from services.notify.usecases.deps import Deps, ways_of
from shared.contracts.events import (
    CERTIFICATES_ISSUED,
    CERTIFICATIONS_DUE,
    CONTACTS_CHANGED,
    MESSAGE_DELIVERED,
    SUSPICION_RAISED,
    Fact,
    FactEvent,
    TableEvent,
)
from shared.contracts.events.recognition import NOTICE_GIVEN, NoticeGiven
from shared.contracts.vocabulary import NoticeKind
from shared.kit import arrow
from shared.kit.bus import Message
from shared.kit.clock import Clock, FixedClock
from shared.kit.crypto import Vault
from shared.kit.db import Database
from shared.kit.outbox import Outbox
from tests.support.settings import VAULT_KEYS

MORNING = datetime(2023, 11, 1, 1, 0, tzinfo=UTC)
"""Nine o'clock in Shanghai."""
TODAY = date(2023, 11, 1)
YEAR = date(2024, 10, 31)
VAULT = Vault({"test": bytes.fromhex(VAULT_KEYS.split(":")[1])})
RECEIPT_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def subject(number: int) -> UUID:
    """A person of shard 0."""
    return UUID(int=number)


def sealed(
    who: UUID,
    *,
    name: str = "张建国",
    phone: str | None = "13900001234",
    family: str | None = None,
    card: str | None = None,
) -> bytes:
    told = {"name": name, "phone": phone, "family_phone": family, "card_tail": card}
    return VAULT.seal(orjson.dumps(told), who.bytes)


def contacts(rows: Iterable[tuple[UUID, str]], division: str = "341602001001") -> pa.Table:
    """(subject, reachable)."""
    made: list[tuple[object, ...]] = []
    for who, reachable in rows:
        phone = f"139{who.int % 10**8:08d}" if reachable == "phone" else None
        family = f"138{who.int % 10**8:08d}" if reachable in {"phone", "family"} else None
        made.append((who, sealed(who, phone=phone, family=family), reachable, division))
    return columns(made, ["subject", "sealed", "reachable", "division"], CONTACTS_CHANGED)


def certificates(rows: Iterable[tuple[UUID, UUID, date | None, date | None]], claim: str = "alive") -> pa.Table:
    """(subject, certificate, valid until, previous until)."""
    made = [
        (who, certificate, claim, date(2023, 9, 1), "data", "strong", until, 3, before)
        for who, certificate, until, before in rows
    ]
    return columns(made, list(CERTIFICATES_ISSUED.columns), CERTIFICATES_ISSUED)


def due(rows: Iterable[tuple[UUID, date]]) -> pa.Table:
    made = [(who, day, "341602001001", 1, 2, date(1950, 1, 1)) for who, day in rows]
    return columns(made, list(CERTIFICATIONS_DUE.columns), CERTIFICATIONS_DUE)


def suspicions(
    rows: Iterable[tuple[UUID, UUID, str, int]],
    confidence: str = "probable",
    evidence: Sequence[int] = (1,),
    event_on: date | None = date(2023, 10, 1),
) -> pa.Table:
    """(subject, suspicion, kind, revision)."""
    made: list[tuple[object, ...]] = [
        (who, suspicion, kind, confidence, event_on, revision, list(evidence), ["police_hukou_cancel"], [])
        for who, suspicion, kind, revision in rows
    ]
    return columns(made, list(SUSPICION_RAISED.columns), SUSPICION_RAISED)


def columns(rows: Sequence[tuple[object, ...]], names: Sequence[str], event: TableEvent) -> pa.Table:
    plain = [tuple(each.bytes if isinstance(each, UUID) else each for each in row) for row in rows]
    arrays = [pa.array([row[place] for row in plain], _plain(event.columns[name])) for place, name in enumerate(names)]
    return pa.table(dict(zip(names, arrays, strict=True)))


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


ATTRIBUTES: Mapping[str, Mapping[str, str]] = {
    CONTACTS_CHANGED.name: {"received_at": "2023-10-01T00:00:00+00:00"},
    CERTIFICATES_ISSUED.name: {"issued_on": "2023-11-01"},
    CERTIFICATIONS_DUE.name: {"run": "r1", "run_on": "2023-11-01"},
    SUSPICION_RAISED.name: {"rule_set": "r@1", "assessed_on": "2023-11-01"},
}


def table_message(
    event: TableEvent, table: pa.Table, *, at: datetime = MORNING, shard: str = "0", **attributes: str
) -> Message:
    told = {**ATTRIBUTES.get(event.name, {}), **attributes}
    return Message(
        id=uuid4(),
        event=event,
        shard=None if event.undivided else shard,  # a handler that asks for it fails in every test
        attributes=told,
        happened_at=at,
        body=arrow.encode(arrow.conform(event, table, told)),
    )


def fact_message(event: FactEvent, fact: Fact, *, at: datetime = MORNING) -> Message:
    body = fact.model_dump_json().encode()
    return Message(id=uuid4(), event=event, shard=None, attributes={}, happened_at=at, body=body)


def sms_settings(**values: object) -> SmsSettings:
    return SmsSettings(**{"url": "http://sandbox/sms/1", "receipt_secret": RECEIPT_SECRET, **values})  # type: ignore[arg-type]


@cache
def _channels() -> Mapping[str, ReadyChannel]:
    return channel_files.ready(channel_files.discover())


@cache
def _templates(channels: frozenset[str]) -> Mapping[str, Template]:
    """Read once: reading them all takes longer than most tests."""
    return template_files.discover(channels)


def make_deps(
    database: Database,
    *,
    clock: Clock | None = None,
    client: httpx.AsyncClient | None = None,
    sms: SmsSettings | None = None,
    more: Mapping[str, Channel[Any]] | None = None,
) -> Deps:
    """Everything the verbs need; text messages are on when settings are given."""
    at = clock or FixedClock(MORNING)
    channels = {**_channels(), **channel_files.ready(more or {})}
    if sms is not None:
        channels["sms"] = ReadyChannel(channel=channels["sms"].channel, settings=sms, off=None)
    used = client or httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(500)))
    return Deps(
        database=database,
        outbox=Outbox("notify", at, asyncio.Event()),
        clock=at,
        vault=VAULT,
        templates={**_templates(frozenset(channels))},
        channels=channels,
        ways=ways_of(channels),
        senders={
            code: each.channel.open(each.settings, used)
            for code, each in channels.items()
            if each.off is None and each.channel.open is not None
        },
        hours=Hours(opens=time(8), closes=time(21)),
        lease_seconds=60,
        wait_days=30,
        cursor_key=b"k" * 16,
        labels={"old_age_allow": "高龄津贴"},
    )


def switched_on(deps: Deps, code: str, settings: Any, client: httpx.AsyncClient | None = None) -> Deps:
    """The same with one more channel that sends."""
    channel = deps.channels[code].channel
    assert channel.open is not None
    channels = {**deps.channels, code: ReadyChannel(channel=channel, settings=settings, off=None)}
    opened = channel.open(settings, client or httpx.AsyncClient())
    return replace(deps, channels=channels, ways=ways_of(channels), senders={**deps.senders, code: opened})


async def drain(deps: Deps, channel: str = "sms") -> None:
    """Send what is due now."""
    await Sender(deps, channel).drain()


async def rows_of(database: Database, sql: str, *args: object) -> list[dict[str, Any]]:
    async with database.read() as tx:
        return [dict(row) for row in await tx.fetch(sql, *args)]


def notice(number: int, who: UUID, kind: NoticeKind = NoticeKind.INTENDED_STOP, **values: Any) -> Message:
    """A legal notice of recognition's."""
    fact = NoticeGiven(
        **{
            "notice_id": UUID(int=number), "subject": who, "kind": kind, "programs": ["old_age_allow"],
            "reason": "death", "amount_fen": 12345, "deadline_on": date(2023, 12, 1), "decision_id": None,
            "given_at": MORNING, **values,
        }
    )  # fmt: skip
    return fact_message(NOTICE_GIVEN, fact)


async def hear(deps: Deps, message: Message) -> None:
    handler = {each.event.name: each.handler for each in handlers.subscriptions(deps)}[message.event.name]
    async with deps.database.write() as tx:
        await handler(tx, message)


async def certify(deps: Deps, *people: UUID, reachable: str = "phone", certificate: UUID | None = None) -> None:
    await hear(deps, table_message(CONTACTS_CHANGED, contacts([(who, reachable) for who in people])))
    rows = [(who, certificate or uuid4(), YEAR, None) for who in people]
    await hear(deps, table_message(CERTIFICATES_ISSUED, certificates(rows)))


def behave(sandbox: FastAPI, number: int = 1, **how: Any) -> None:
    sandbox.state.gateways.behaviours[number] = Behaviour(**how)


async def messages(database: Database) -> list[dict[str, Any]]:
    return await rows_of(database, "SELECT * FROM message ORDER BY template, subject")


async def deliveries(database: Database) -> list[dict[str, Any]]:
    return await rows_of(database, "SELECT * FROM delivery ORDER BY subject, channel, attempt")


async def said(database: Database, event: TableEvent = MESSAGE_DELIVERED) -> list[dict[str, Any]]:
    bodies = await rows_of(database, "SELECT body FROM outbox WHERE subject LIKE $1 || '.%' ORDER BY seq", event.name)
    return [row for each in bodies for row in arrow.decode(each["body"]).to_pylist()]


async def states(database: Database) -> list[tuple[Any, ...]]:
    """Of what is not brought by the village instead."""
    rows = await deliveries(database)
    return [(row["attempt"], row["status"], row["reason"]) for row in rows if row["channel"] != "letter"]


def receipt(message_id: UUID, *, delivered: bool = True) -> Receipt:
    return Receipt(id=message_id, delivered=delivered, reason="" if delivered else "unreachable")
