"""Builders for what follows a finding: proofs of notices, payments, lists of villages, requests, citizens' tokens."""

from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson

from shared.contracts.events import MESSAGE_FAILED
from shared.contracts.events.base import FactEvent
from shared.contracts.events.grid import (
    REPORT_LOCKED,
    STOP_REQUEST_CONCLUDED,
    ConfirmedPerson,
    ReportLocked,
    StopRequestConcluded,
)
from shared.kit.bus import Message
from tests.services.recognition.world import DIVISION, NOW, World, delivered, message, table_message

GROUNDS = {"grounds": "死亡证明已核对"}


def failed(who: UUID, template: str, about: UUID, channel: str = "phone") -> Message:
    row = {
        "subject": who.bytes,
        "message_id": uuid4().bytes,
        "about": about.bytes,
        "template": template,
        "channel": channel,
        "reason": "unreachable",
        "failed_at": NOW,
    }
    return table_message(MESSAGE_FAILED, [row], {})


async def tell(world: World, who: UUID, *, channels: int = 2) -> None:
    """Let notify have tried every notice of an intended stop: the text arrives, the call reaches nobody."""
    rows = await world.rows("SELECT notice_id FROM notice WHERE subject = $1 AND kind = 'intended_stop'", who)
    for row in rows:
        proofs = [delivered(who, "stop_notice", row["notice_id"]), failed(who, "stop_notice", row["notice_id"])]
        await world.hear(*proofs[:channels])


async def facts(world: World, event: FactEvent) -> list[dict[str, Any]]:
    """Bodies said under an event, oldest first."""
    rows = await world.rows("SELECT body FROM outbox WHERE subject = $1 ORDER BY seq", event.name)
    return [orjson.loads(row["body"]) for row in rows]


async def pay(
    world: World, who: UUID, months: list[date], fen: int = 20_000, program: str = "resident_pension"
) -> None:
    """Payments a program confirmed."""
    async with world.deps.database.write() as tx:
        for month in months:
            await tx.run(
                "INSERT INTO payment (subject, program, month, payrun_id, amount_fen, paid_on, recorded_at) "
                "VALUES ($1, $2, $3, $4, $5, $3, $6)",
                who,
                program,
                month,
                uuid4(),
                fen,
                world.deps.clock.now(),
            )


def locked(*people: ConfirmedPerson, at: datetime = NOW) -> Message:
    fact = ReportLocked(
        division=DIVISION,
        month="2023-10",
        zero=not people,
        suspected=0,
        confirmed=list(people),
        signed_by="head-1",
        locked_at=at,
    )
    return message(REPORT_LOCKED, fact.model_dump_json().encode())


def stop_verified(who: UUID, **changes: object) -> Message:
    parts = {
        "request_id": uuid4(),
        "subject": who,
        "programs": ["resident_pension"],
        "confirmed": True,
        "relation": "self",
        "reason": "已领取其他待遇",
        "event_on": None,
        "verified_by": "w-1",
        "concluded_by": "o-1",
        "concluded_at": NOW,
    }
    fact = StopRequestConcluded.model_validate({**parts, **changes})
    return message(STOP_REQUEST_CONCLUDED, fact.model_dump_json().encode())


class Officers:
    """Two officers of one department at the API.

    Args:
        http: a client of the service.
        issuer: the test's token issuer.
        programs: what they may speak for.
    """

    def __init__(self, http, issuer, programs=("*",)) -> None:
        self._http = http
        self._issuer = issuer
        self._programs = programs

    def headers(self, name: str = "officer-1", **changes: object) -> dict[str, str]:
        options = {"role": "officer", "programs": self._programs, "user": name, **changes}
        made: dict[str, str] = self._issuer.headers("recognition.manage", **options)
        return made

    async def get(self, path: str, name: str = "officer-1"):
        return await self._http.get(path, headers=self.headers(name))

    async def post(self, path: str, name: str = "officer-1", body: dict[str, Any] | None = None):
        return await self._http.post(path, json=body, headers=self.headers(name))

    async def proposals(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = (await self.get("/v1/proposals?limit=200")).json()["items"]
        return listed

    async def decided(self, proposal: str, **changes: object) -> str:
        """Two officers stand behind a proposal; the id of their decision."""
        await self.post(f"/v1/proposals/{proposal}:decide", "officer-1", {**GROUNDS, **changes})
        answer = await self.post(f"/v1/proposals/{proposal}:confirm", "officer-2")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["decision_id"])
