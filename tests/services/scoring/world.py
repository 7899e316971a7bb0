"""Scoring on a real database, driven the way the bus and the sweeper drive it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pyarrow as pa

from services.scoring import handlers
from services.scoring.domain.rules import RuleSet
from services.scoring.domain.runs import Waiting
from services.scoring.store import assessments, signals, suspicions
from services.scoring.store.assessments import Assessment
from services.scoring.store.suspicions import KeptSuspicion
from services.scoring.usecases.division import Divisions
from services.scoring.usecases.forming import Means, Outcome
from services.scoring.usecases.sweep import sweep
from shared.contracts.events import (
    CASE_CONCLUDED,
    EVIDENCE_ACCEPTED,
    EVIDENCE_CORRECTED,
    HINTS_RECORDED,
    CaseConcluded,
    Event,
)
from shared.contracts.vocabulary import CaseConclusion, SuspicionKind
from shared.kit import arrow
from shared.kit.bus import Message
from shared.kit.clock import FixedClock
from shared.kit.db import Database
from shared.kit.http import Peers
from shared.kit.outbox import Outbox
from tests.services.scoring.people import RULES, TODAY, Saw, correction_of, hint_of, message_of, subject_of


@dataclass(slots=True, kw_only=True)
class World:
    """A scoring service without its loops."""

    database: Database
    clock: FixedClock
    outbox: Outbox
    rules: RuleSet = RULES

    piece_rows: int = 400_000
    block_rows: int = 65_536

    def means(self, *, rows: int = 1_000_000) -> Means:
        return Means(
            outbox=self.outbox,
            rules=self.rules,
            today=self.clock.today(),
            now=self.clock.now(),
            rows=rows,
            piece_rows=self.piece_rows,
            block_rows=self.block_rows,
        )

    async def hear(self, saws: Sequence[Saw], *, shard: int = 0, received_on: date | None = None) -> None:
        """Handle one evidence message a source."""
        for source in dict.fromkeys(saw.source for saw in saws):
            own = [saw for saw in saws if saw.source == source]
            body = message_of(own, shard=shard, received_on=received_on)
            await self.handle(body, shard=shard)

    async def waiting(self) -> list[Waiting]:
        async with self.database.read() as tx:
            return await signals.list_waiting(tx)

    async def handle(self, body: bytes, *, shard: int | None = 0) -> None:
        message = Message(
            id=uuid4(),
            event=EVIDENCE_ACCEPTED,
            shard=None if shard is None else f"{shard:x}",
            attributes={},
            happened_at=self.clock.now(),
            body=body,
        )
        async with self.database.write() as tx:
            await handlers.on_evidence_accepted(tx, message)

    async def correct(self, *saws: Saw, shard: int = 0, on: date = TODAY) -> None:
        """The department takes back what it said."""
        await self.take_correction(correction_of(saws, shard=shard, on=on), shard=shard)

    async def take_correction(self, table: pa.Table, *, shard: int) -> None:
        async with self.database.write() as tx:
            await handlers.on_evidence_corrected(tx, self.message(EVIDENCE_CORRECTED, arrow.encode(table), shard))

    async def hint(self, *people: str, on: date, evidence: int, kind: str = "died", shard: int = 0) -> None:
        """A cremation form without a number, which may mean these people."""
        table = hint_of(people, on=on, evidence=evidence, kind=kind, shard=shard)
        async with self.database.write() as tx:
            await handlers.on_hints_recorded(tx, self.message(HINTS_RECORDED, arrow.encode(table), shard))

    def message(self, event: Event, body: bytes, shard: int) -> Message:
        return Message(
            id=uuid4(), event=event, shard=f"{shard:x}", attributes={}, happened_at=self.clock.now(), body=body
        )

    async def conclude(
        self,
        kind: SuspicionKind,
        conclusion: CaseConclusion,
        *,
        who: str = "a",
        shard: int = 0,
        event_on: date | None = None,
        seen_on: date | None = None,
    ) -> None:
        fact = CaseConcluded(
            case_id=uuid4(),
            subject=subject_of(who, shard=shard),
            kind=kind,
            conclusion=conclusion,
            event_on=event_on,
            seen_on=seen_on,
            concluded_at=self.clock.now(),
            verified_by="w1",
            concluded_by="o1",
        )
        message = Message(
            id=uuid4(),
            event=CASE_CONCLUDED,
            shard=None,
            attributes={},
            happened_at=self.clock.now(),
            body=fact.model_dump_json().encode(),
        )
        async with self.database.write() as tx:
            await handlers.on_case_concluded(tx, message)

    async def sweep(self, shard: int = 0, *, urgent_only: bool = False, rows: int = 1_000_000) -> Outcome:
        async with self.database.write() as tx:
            outcome = await sweep(tx, self.means(rows=rows), shard, urgent_only=urgent_only)
        assert outcome is not None
        return outcome

    async def assessment(self, who: str = "a", *, shard: int = 0) -> Assessment:
        async with self.database.read() as tx:
            found = await assessments.find_assessment(tx, subject_of(who, shard=shard))
        assert found is not None
        return found

    async def suspicions(self, who: str = "a", *, shard: int = 0) -> list[KeptSuspicion]:
        async with self.database.read() as tx:
            return await suspicions.list_suspicions(tx, subject_of(who, shard=shard))

    async def said(self) -> list[tuple[str, dict[str, Any]]]:
        """Rows said since the last call, with the name of their event."""
        async with self.database.write() as tx:
            rows = await tx.fetch("SELECT subject, body FROM outbox ORDER BY seq")
            await tx.run("DELETE FROM outbox")
        return [
            (row["subject"].rsplit(".v1", 1)[0], each) for row in rows for each in arrow.decode(row["body"]).to_pylist()
        ]


@dataclass(slots=True)
class Grid:
    """Grid as scoring asks it: who lives in which division; away when told so."""

    living: dict[str, list[UUID]]
    away: bool = False

    def divisions(self) -> Divisions:
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        return Divisions(peers=Peers(client, None), grid_url="http://grid.test")

    def _answer(self, request: httpx.Request) -> httpx.Response:
        _, _, _, division, asked = request.url.path.split("/")
        assert asked == "subjects"
        if self.away:
            return httpx.Response(503)
        if division not in self.living:
            return httpx.Response(404)
        people = [str(each) for each in self.living[division] if each.hex[0] == request.url.params["shard"]]
        return httpx.Response(200, json={"items": people})


def instant(text: str) -> datetime:
    """An ISO instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def subject(who: str, shard: int = 0) -> UUID:
    return subject_of(who, shard=shard)
