"""A small town for tests of grid: grids, people, messages, and a service around a test's database."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pyarrow as pa
from pydantic import SecretStr

from services.grid import handlers, policies
from services.grid.domain.doubts import prompt_for
from services.grid.policies.rewards import load_rewards
from services.grid.policies.take_up import load_take_up
from services.grid.usecases.deps import Deps
from shared.contracts.events import (
    CERTIFICATE_REVOKED,
    CERTIFICATES_ISSUED,
    CERTIFICATIONS_DUE,
    ENROLMENTS_CHANGED,
    SUSPICION_RAISED,
    CertificateRevoked,
    Fact,
    FactEvent,
    TableEvent,
)
from shared.kit import arrow
from shared.kit.bus import Message
from shared.kit.clock import FixedClock
from shared.kit.crypto import Pseudonymiser, Vault
from shared.kit.db import Database, WriteTx
from shared.kit.http import Peers
from shared.kit.outbox import Outbox
from tests.support.routes import app_of
from tests.support.settings import SUBJECT_KEY
from tests.support.tokens import Issuer

NOW = datetime(2023, 11, 1, 2, 0, tzinfo=UTC)  # ten in the morning there, a Wednesday
TODAY = date(2023, 11, 1)
VILLAGE = "341602001001"
NEIGHBOUR = "341602001002"
ELSEWHERE = "341621100201"
POLICIES, TAKE_UP, REWARDS = policies.load(), load_take_up(), load_rewards()
NAME_KEYS = Pseudonymiser.from_hex(SecretStr(SUBJECT_KEY), purpose=b"grid worker")
HEADER = (
    "grid_code,division,county,town,village,member_name,member_phone,leader_name,leader_phone,"
    "assistant_name,assistant_phone,lon,lat"
)


def roll_rows(village: str = VILLAGE, groups: int = 2, *, mark: str = "") -> list[str]:
    tail = village[-4:]
    return [
        f"{village}{no:03},{village},谯城区,花戏楼街道,白布社区{tail},组长{tail}{no}{mark},1380000{tail}{no:03}"[:-3]
        + f"{no % 10},书记{tail},1390000{tail},协办{tail},1370000{tail},115.78,33.85"
        for no in range(1, groups + 1)
    ]


def roll_csv(*villages: str, groups: int = 2, mark: str = "") -> bytes:
    rows = [row for village in villages or (VILLAGE,) for row in roll_rows(village, groups, mark=mark)]
    return "\n".join([HEADER, *rows, ""]).encode()


def subject(number: int, shard: str = "0") -> UUID:
    return UUID(f"{shard}{number:031x}")


def table(event: TableEvent, rows: list[dict[str, Any]], attributes: dict[str, str]) -> pa.Table:
    columns = {name: [row.get(name) for row in rows] for name in event.columns}
    plain = {
        name: pa.array(
            values,
            event.columns[name].value_type if pa.types.is_dictionary(event.columns[name]) else event.columns[name],
        )
        for name, values in columns.items()
    }
    return arrow.conform(event, pa.table(plain), attributes)


def message(event: TableEvent, rows: list[dict[str, Any]], attributes: dict[str, str]) -> Message:
    made = table(event, rows, attributes)
    # What may come whole, comes whole: a handler that asks for its shard fails in every test.
    shard = None if event.undivided else rows[0]["subject"].hex()[0]
    return Message(
        id=uuid4(), event=event, shard=shard, attributes=attributes, happened_at=NOW, body=arrow.encode(made)
    )


def due(
    *people: UUID, due_on: date = date(2023, 12, 31), village: str = VILLAGE, group: int | None = 1, run: str = "run-1"
) -> Message:
    rows = [
        {
            "subject": each.bytes,
            "due_on": due_on,
            "division": village,
            "group_no": group,
            "programs": 1,
            "born_on": date(1940, 5, 1),
        }
        for each in people
    ]
    return message(CERTIFICATIONS_DUE, rows, {"run": run, "run_on": TODAY.isoformat()})


def enrolled(
    *people: UUID,
    change: str = "new",
    village: str = VILLAGE,
    group: int | None = 1,
    program: str = "resident_pension",
    received_at: datetime = NOW,
    born_on: date = date(1940, 5, 1),
) -> Message:
    rows = [
        {
            "subject": each.bytes,
            "change": change,
            "amount_fen": 20000,
            "division": village,
            "group_no": group,
            "sex": "female",
            "born_on": born_on,
        }
        for each in people
    ]
    attributes = {"program": program, "department": "hrss", "received_at": received_at.isoformat()}
    return message(ENROLMENTS_CHANGED, rows, attributes)


def certified(
    *people: UUID,
    until: date = date(2024, 10, 31),
    channel: str = "data",
    strength: str = "strong",
    certificate: UUID | None = None,
    said_at: datetime = NOW,
) -> Message:
    rows = [
        {
            "subject": each.bytes,
            "certificate_id": (certificate or uuid4()).bytes,
            "claim": "alive",
            "as_of": TODAY,
            "channel": channel,
            "strength": strength,
            "valid_until": until,
            "programs": 1,
        }
        for each in people
    ]
    told = message(CERTIFICATES_ISSUED, rows, {"issued_on": TODAY.isoformat()})
    return replace(told, happened_at=said_at)


def revoked(person: UUID, certificate: UUID, *, channel: str | None = None, visit_id: UUID | None = None) -> Message:
    told = CertificateRevoked(
        certificate_id=certificate,
        subject=person,
        claim="alive",
        reason="impersonated",
        successor_id=None,
        revoked_at=NOW,
        channel=channel,
        visit_id=visit_id,
    )
    return fact(CERTIFICATE_REVOKED, told)


def suspected(
    person: UUID,
    *,
    kind: str = "suspected_death",
    suspicion: UUID | None = None,
    revision: int = 1,
    confidence: str = "probable",
    event_on: date | None = date(2023, 9, 9),
    evidence: tuple[int, ...] = (7,),
) -> Message:
    row = {
        "subject": person.bytes,
        "suspicion_id": (suspicion or UUID(int=person.int ^ 1)).bytes,
        "kind": kind,
        "confidence": confidence,
        "event_on": event_on,
        "revision": revision,
        "evidence_ids": list(evidence),
        "sources": ["civil_cremation"],
        "reasons": ["register"],
    }
    return message(SUSPICION_RAISED, [row], {"rule_set": "bozhou@1", "assessed_on": TODAY.isoformat()})


def fact(event: FactEvent, told: Fact) -> Message:
    body = told.model_dump_json().encode()
    return Message(id=uuid4(), event=event, shard=None, attributes={}, happened_at=NOW, body=body)


class Town:
    """Grid on a test's database, with its clock, its handlers and an HTTP client."""

    def __init__(self, database: Database, issuer: Issuer, *, peers: httpx.MockTransport | None = None) -> None:
        self.database = database
        self.issuer = issuer
        self.clock = FixedClock(NOW)
        unreachable = httpx.MockTransport(lambda _request: httpx.Response(503))
        self.deps = Deps(
            database=database,
            outbox=Outbox("grid", self.clock, asyncio.Event()),
            clock=self.clock,
            vault=Vault.from_settings(SecretStr("test:" + "22" * 32)),
            name_keys=NAME_KEYS,
            draw_keys=Pseudonymiser.from_hex(SecretStr(SUBJECT_KEY), purpose=b"grid draw"),
            policies=POLICIES,
            take_up=TAKE_UP,
            rewards=REWARDS,
            peers=Peers(httpx.AsyncClient(transport=peers or unreachable), None),
            ingest_url="http://ingest.test",
            scoring_url="http://scoring.test",
            reveal_seconds=0.02,
            import_bytes=1_000_000,
        )
        self._handlers = {each.event.name: each.handler for each in handlers.subscriptions(self.deps)}
        self.app = app_of("grid")

    async def hear(self, *messages: Message) -> None:
        for each in messages:
            async with self.database.write() as tx:
                await self.handle(tx, each)

    async def handle(self, tx: WriteTx, message: Message) -> None:
        await self._handlers[message.event.name](tx, message)

    async def ask(self, method: str, path: str, *, headers: dict[str, str], **options: Any) -> httpx.Response:
        # One application serves all towns of this process, as building one takes longer than most tests.
        self.app.state.platform = SimpleNamespace(guard=self.issuer.known_guard)
        self.app.state.deps = self.deps
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://grid.test") as client:
            return await client.request(method, path, headers=headers, **options)

    async def import_grids(self, body: bytes | None = None) -> httpx.Response:
        return await self.ask(
            "POST", "/v1/grids:import", headers=self.operator(), content=roll_csv() if body is None else body
        )

    def operator(self, *scopes: str) -> dict[str, str]:
        chosen = scopes or ("grid.work", "grid.read", "grid.manage", "operate")
        return self.issuer.headers(*chosen, role="operator", user="operator-1")

    def member(self, worker_id: str, *divisions: str) -> dict[str, str]:
        return self.issuer.headers("grid.work", "grid.read", role="grid_worker", user=worker_id, divisions=divisions)

    def leader(self, worker_id: str, *divisions: str) -> dict[str, str]:
        return self.issuer.headers("grid.work", "grid.read", role="grid_leader", user=worker_id, divisions=divisions)

    def village(self, village: str = VILLAGE, user: str = "village-head") -> dict[str, str]:
        return self.issuer.headers("grid.work", "grid.read", role="village", user=user, divisions=[village])

    def officer(self, user: str, *divisions: str) -> dict[str, str]:
        return self.issuer.headers("grid.manage", "grid.read", role="officer", user=user, divisions=divisions)

    async def rows(self, sql: str, *args: object) -> list[dict[str, Any]]:
        async with self.database.read() as tx:
            return [dict(row) for row in await tx.fetch(sql, *args)]

    async def said(self, name: str) -> list[dict[str, Any]]:
        rows = await self.rows("SELECT body FROM outbox WHERE subject = $1 ORDER BY seq", name)
        return [cast(dict[str, Any], __import__("orjson").loads(row["body"])) for row in rows]

    async def member_of(self, grid_code: str) -> str:
        return await self.holder_of(grid_code, "member")

    async def holder_of(self, grid_code: str, duty: str) -> str:
        rows = await self.rows(f"SELECT {duty}_id AS who FROM grids WHERE grid_code = $1", grid_code)
        return cast(str, rows[0]["who"])


def prompt_shown(task_id: object, sightings: int = 0) -> int:
    """The prompt a phone shows for a sighting of a task."""
    return prompt_for(*(NAME_KEYS.one(f"prompt {task_id} {number}").int for number in range(sightings + 1))).prompt_id


def visit(
    task_id: object, result: str = "seen_alive", *, at: datetime = NOW, visit_id: UUID | None = None, **more: Any
) -> dict[str, Any]:
    seen = result in {"seen_alive", "seen_by_video"}
    body: dict[str, Any] = {
        "visit_id": str(visit_id or uuid4()),
        "task_id": str(task_id),
        "result": result,
        "visited_at": at.isoformat(),
        "id_card_read": result == "seen_alive",
        "form": {"seen": seen, "talked": seen, "explained": seen, "registered": True, "problems": False},
    }
    if seen:
        body |= {"prompt_id": prompt_shown(task_id), "prompt_answered": True}
    if result == "seen_alive":
        body["place"] = {"lon": 115.78, "lat": 33.85}
    if result == "absent_informed_by":
        body["informant"] = "neighbour"
    if result == "dead":
        body |= {"event_on": "2023-10-20", "proofs": ["death_certificate"]}
    return {**body, **more}
