"""Builders for tests: dependencies on a test database, and messages as the other services say them."""

import asyncio
import os
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pyarrow as pa

from services.recognition.api.deps import RouteDeps
from services.recognition.domain.limits import Policy
from services.recognition.handlers import Handlers, subscriptions
from services.recognition.programs import load
from services.recognition.store.files import Files
from services.recognition.store.lookups import LOOK_AND_LOG_EACH
from services.recognition.usecases.deps import Bulk
from services.recognition.usecases.limits import Limiter
from services.recognition.usecases.references import References
from services.recognition.usecases.refusals import Refusals
from shared.contracts.events import (
    ASSESSMENTS_CHANGED,
    CASE_CONCLUDED,
    ENROLMENTS_CHANGED,
    MESSAGE_DELIVERED,
    VISIT_CONCLUDED,
    VISIT_WITHDRAWN,
    CaseConcluded,
    Event,
    VisitConcluded,
    VisitWithdrawn,
)
from shared.kit import arrow
from shared.kit.bus import Message
from shared.kit.clock import FixedClock
from shared.kit.crypto import Pseudonymiser, Vault
from shared.kit.db import Database, WriteTx
from shared.kit.outbox import Outbox
from shared.kit.together import Together
from tests.support.settings import SUBJECT_KEY

NOW = datetime(2023, 11, 1, 1, tzinfo=UTC)
TODAY = date(2023, 11, 1)
DUE_ON = date(2023, 12, 31)
KEY = bytes.fromhex(SUBJECT_KEY)
DIVISION = "341602001001"
PROGRAMS = load()
WHY = {"Purpose-Code": "pay", "Legal-Basis": "regulation-26", "Case-Ref": "2023-11"}


def make_deps(database: Database, **changes: object) -> RouteDeps:
    clock = FixedClock(NOW)
    parts = {
        "database": database,
        "outbox": Outbox("recognition", clock, asyncio.Event()),
        "clock": clock,
        "programs": PROGRAMS,
        "subjects": Pseudonymiser(KEY),
        "pairwise": Pseudonymiser(KEY, purpose=b"pairwise"),
        "references": References(KEY),
        "notice_days": 30,
        "batch_limit": 1000,
        "issuer": None,
        "wake_runs": asyncio.Event(),
        "wake_bulk": asyncio.Event(),
        "limiter": Limiter(Policy(rate=1000, burst=1000, day=1_000_000), database),
        "persons": Limiter(Policy(rate=1000, burst=1000, day=1), database),
        "addresses": Limiter(Policy(rate=1000, burst=1000, day=1), database),
        "refusals": Refusals(database),
        "checks": Together(database, LOOK_AND_LOG_EACH),
        "bulk": make_bulk(),
        "audit_key": bytes(32),
        "vault": Vault({"k1": bytes(32)}),
        "chase_hours": 24,
        "plain_webhooks": False,
    }
    return RouteDeps(**{**parts, **changes})  # type: ignore[arg-type]


def make_bulk(**changes: object) -> Bulk:
    """Bounds of jobs; their files in a folder of this process, which each job has a part of alone."""
    folder = Path(tempfile.gettempdir()) / f"wugan-test-{os.getpid()}"
    parts = {
        "files": Files(f"file://{folder / 'jobs'}"),
        "scratch": folder / "scratch",
        "most_bytes": 1 << 20,
        "most_lines": 10_000,
        "open_jobs": 3,
        "keep_hours": 72,
        "confirm_days": 92,
    }
    return Bulk(**{**parts, **changes})  # type: ignore[arg-type]


def subject(number: int, shard: int = 10) -> UUID:
    """Person `number` of a shard."""
    return UUID(int=(shard << 124) | number)


def message(event: Event, body: bytes, *, shard: str | None = None, attributes=None, at: datetime = NOW) -> Message:
    return Message(id=uuid4(), event=event, shard=shard, attributes=attributes or {}, happened_at=at, body=body)


def table_message(event, rows: list[dict[str, Any]], attributes: dict[str, str], at: datetime = NOW) -> Message:
    columns = {name: pa.array([row[name] for row in rows], type=_plain(kind)) for name, kind in event.columns.items()}
    table = arrow.conform(event, pa.table(columns), attributes)
    # What may come whole, comes whole: a handler that asks for its shard fails in every test.
    shard = None if event.undivided else UUID(bytes=rows[0]["subject"]).hex[0]
    return message(event, arrow.encode(table), shard=shard, attributes=attributes, at=at)


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_dictionary(kind) else kind


def assessment(
    who: UUID, decision: str = "certifiable", as_of: date | None = date(2023, 9, 10), **changes
) -> dict[str, Any]:
    strong = decision == "certifiable"
    return {
        "subject": who.bytes,
        "level": {"certifiable": "strong", "suspected": "conflict", "insufficient": "low"}[decision],
        "decision": decision,
        "as_of": as_of if strong else None,
        "strength": "strong" if strong else None,
        "valid_months": None,
        "points": 100,
        "reasons": ["strong_evidence"] if strong else [],
        "evidence_ids": [1, 2],
        "evidence_class": ["medical"],
        **changes,
    }


def assessed(*rows: dict[str, Any], at: datetime = NOW) -> Message:
    return table_message(ASSESSMENTS_CHANGED, list(rows), {"rule_set": "base@1", "assessed_on": "2023-11-01"}, at)


def enrolment(who: UUID, change: str = "new", **changes) -> dict[str, Any]:
    return {
        "subject": who.bytes,
        "change": change,
        "amount_fen": 20_000,
        "division": DIVISION,
        "group_no": 3,
        "household": None,
        "sex": "female",
        "born_on": date(1950, 5, 5),
        "started_on": date(2010, 6, 1),
        "ended_on": date(2023, 10, 1) if change == "ended" else None,
        "due_on": DUE_ON,
        **changes,
    }


def enrolled(*rows: dict[str, Any], program: str = "resident_pension", received_at: datetime = NOW) -> Message:
    attributes = {"program": program, "department": "hrss", "received_at": received_at.isoformat()}
    return table_message(ENROLMENTS_CHANGED, list(rows), attributes)


def visited(
    who: UUID,
    result: str = "seen_alive",
    on: date = TODAY,
    visit_id: UUID | None = None,
    at: datetime = NOW,
    revision: int = 0,
) -> Message:
    fact = VisitConcluded(
        visit_id=visit_id or uuid4(),
        task_id=uuid4(),
        subject=who,
        result=result,
        visited_on=on,
        visited_at=at,
        division=DIVISION,
        worker_id="w-1",
        id_card_read=True,
        revision=revision,
    )
    return message(VISIT_CONCLUDED, fact.model_dump_json().encode())


def withdrawn(who: UUID, visit_id: UUID, revision: int = 0) -> Message:
    fact = VisitWithdrawn(
        visit_id=visit_id, subject=who, result="seen_alive", visited_on=TODAY, revision=revision, withdrawn_at=NOW
    )
    return message(VISIT_WITHDRAWN, fact.model_dump_json().encode())


def concluded(who: UUID, conclusion: str, *, kind: str = "suspected_death", hours: int = 1, case_id=None) -> Message:
    fact = CaseConcluded(
        case_id=case_id or uuid4(),
        subject=who,
        kind=kind,
        conclusion=conclusion,
        event_on=date(2023, 8, 20) if conclusion.startswith("confirmed") else None,
        concluded_at=NOW + timedelta(hours=hours),
        verified_by="w-1",
        concluded_by="o-1",
    )
    return message(CASE_CONCLUDED, fact.model_dump_json().encode())


def delivered(who: UUID, template: str, about: UUID | None = None) -> Message:
    row = {
        "subject": who.bytes,
        "message_id": uuid4().bytes,
        "about": about.bytes if about else None,
        "template": template,
        "channel": "sms",
        "delivered_at": NOW,
    }
    return table_message(MESSAGE_DELIVERED, [row], {})


class World:
    """Recognition without HTTP and without a broker."""

    def __init__(self, deps: RouteDeps) -> None:
        self.deps = deps
        self.handlers = Handlers(deps)
        self._by_event = {each.event.name: each.handler for each in subscriptions(deps)}

    async def hear(self, *messages: Message) -> None:
        for each in messages:
            async with self.deps.database.write() as tx:
                await self.handle(tx, each)

    async def handle(self, tx: WriteTx, message: Message) -> None:
        await self._by_event[message.event.name](tx, message)

    async def rows(self, sql: str, *args: object) -> list[dict[str, Any]]:
        async with self.deps.database.read() as tx:
            return [dict(row) for row in await tx.fetch(sql, *args)]

    async def said(self, event: Event) -> list[dict[str, Any]]:
        """Rows said so far under an event, oldest first."""
        rows = await self.rows("SELECT body FROM outbox WHERE subject LIKE $1 ORDER BY seq", f"{event.name}%")
        return [row for each in rows for row in arrow.decode(each["body"]).to_pylist()]
