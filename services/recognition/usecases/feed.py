"""Partners are told what happens in their programs: recorded once, read by feed, said for webhooks, chased."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pyarrow as pa

from services.recognition.domain.feed import MOST_TRIES, EventKind, HandoverState, Outcome, next_due
from services.recognition.store import feed, subscriptions
from services.recognition.store.lookups import Asker
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.recognise import instant
from shared.contracts.events.recognition import PARTNER_EVENTS_RECORDED, EnrolmentStateChanged
from shared.kit.auth import Caller
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import MalformedError, NotFoundError

_TOLD = pa.schema(
    {
        "subject": pa.binary(16),
        "program": pa.string(),
        "about": pa.binary(16),
        "reason": pa.string(),
        "occurred_at": pa.timestamp("us", "UTC"),
        "repeats": pa.binary(16),
    }
)
_UNANSWERED = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One thing that happened to a person in a program, or in all of his when `program` is None."""

    kind: EventKind
    subject: UUID
    program: str | None
    about: UUID
    reason: str | None
    occurred_at: datetime
    repeats: UUID | None = None


async def tell_issued(deps: Deps, tx: WriteTx, issued: pa.Table, at: datetime) -> None:
    """Tell of new certificates, in programs somebody listens to."""
    programs = await feed.listened_programs(tx)
    if programs is not None and not programs:
        return
    count = issued.num_rows
    told = pa.table(
        {
            "subject": issued.column("subject"),
            "program": pa.nulls(count, pa.string()),
            "about": issued.column("certificate_id"),
            "reason": pa.nulls(count, pa.string()),
            "occurred_at": pa.repeat(pa.scalar(at, pa.timestamp("us", "UTC")), count),
            "repeats": pa.nulls(count, pa.binary(16)),
        }
    )
    await _tell(deps, tx, EventKind.ISSUED, told, programs)


async def tell(deps: Deps, tx: WriteTx, happened: Happened) -> list[asyncpg.Record]:
    """Tell of one thing that happened; where money hangs on it every partner must answer."""
    row: dict[str, Any] = {name: getattr(happened, name) for name in _TOLD.names}
    raw = {name: value.bytes if isinstance(value, UUID) else value for name, value in row.items()}
    rows = await _tell(deps, tx, happened.kind, pa.Table.from_pylist([raw], schema=_TOLD), None)
    if feed.is_chased(happened.kind) and happened.repeats is None and rows:
        now = deps.clock.now()
        await feed.hand_over(tx, [row["event_id"] for row in rows], now, next_due(now, 1, deps.chase_hours))
    return rows


async def tell_state(deps: Deps, tx: WriteTx, kind: EventKind, fact: EnrolmentStateChanged) -> None:
    """Tell of a decision that took effect in a program."""
    happened = Happened(
        kind=kind,
        subject=fact.subject,
        program=fact.program,
        about=fact.decision_id,
        reason=fact.reason,
        occurred_at=fact.decided_at,
    )
    await tell(deps, tx, happened)


async def _tell(
    deps: Deps, tx: WriteTx, kind: EventKind, told: pa.Table, programs: Sequence[str] | None
) -> list[asyncpg.Record]:
    rows = await feed.record(tx, kind, told, programs)
    by_program: dict[str, list[asyncpg.Record]] = defaultdict(list)
    for row in rows:
        by_program[row["program"]].append(row)
    for client in await subscriptions.webhook_clients(tx) if rows else ():
        for program in sorted(by_program):
            if {program, "*"} & set(client["programs"]):
                await _say(deps, tx, kind, by_program[program], {"program": program, "client_id": client["client_id"]})
    return rows


async def _say(
    deps: Deps, tx: WriteTx, kind: EventKind, rows: Sequence[asyncpg.Record], attributes: dict[str, str]
) -> None:
    table = pa.table(
        {
            "subject": pa.array([row["subject"].bytes for row in rows], pa.binary(16)),
            "event_id": pa.array([row["event_id"].bytes for row in rows], pa.binary(16)),
            "kind": pa.repeat(str(kind), len(rows)),
            "version": pa.array([row["seq"] for row in rows], pa.int64()),
            "occurred_at": pa.array([row["occurred_at"] for row in rows], pa.timestamp("us", "UTC")),
        }
    )
    await deps.outbox.say_table(tx, PARTNER_EVENTS_RECORDED, table, attributes)


# ---- reading and answering -------------------------------------------------------------------------------------------


def programs_of(caller: Caller) -> list[str] | None:
    """Programs a token speaks for; None for every one."""
    return None if "*" in caller.programs else sorted(caller.programs)


async def read(
    deps: Deps, tx: WriteTx, asker: Asker, caller: Caller, after: str | None, limit: int
) -> tuple[list[dict[str, Any]], str]:
    """Events behind a cursor, or behind what was acknowledged; and the cursor behind them.

    Raises:
        MalformedError: the cursor is none of this client.
    """
    acknowledged = await feed.listen(tx, caller.client_id, sorted(caller.programs))
    place = acknowledged if after is None else _place(deps, caller, after)
    rows = await feed.read(tx, asker, programs_of(caller), after=place, limit=limit)
    last = rows[-1]["seq"] if rows else place
    return [_item(deps, caller, row) for row in rows], deps.references.seal_cursor(caller.client_id, last)


async def get_event(deps: Deps, tx: WriteTx, asker: Asker, caller: Caller, event_id: UUID) -> dict[str, Any]:
    """One event of the client's programs: what a thin webhook points at.

    Raises:
        NotFoundError: none, or of another's program.
    """
    rows = await feed.read(tx, asker, programs_of(caller), after=0, limit=1, event_id=event_id)
    if not rows:
        detail = "No event of your programs has this id."
        raise NotFoundError(detail)
    return _item(deps, caller, rows[0])


async def acknowledge(deps: Deps, tx: WriteTx, caller: Caller, cursor: str) -> int:
    """Take a partner's word that it has heard everything up to a cursor."""
    place = _place(deps, caller, cursor)
    await feed.listen(tx, caller.client_id, sorted(caller.programs))
    return await feed.acknowledge(tx, caller.client_id, place, deps.clock.now())


async def take_receipt(
    deps: Deps, tx: WriteTx, caller: Caller, event_id: UUID, outcome: Outcome, reason: str | None
) -> bool:
    """Take what a partner did with an event; False when it has no such event."""
    return await feed.save_receipt(
        tx, caller.client_id, programs_of(caller), event_id, outcome=outcome, reason=reason, at=deps.clock.now()
    )


def _place(deps: Deps, caller: Caller, cursor: str) -> int:
    place = deps.references.open_cursor(caller.client_id, cursor)
    if place is None:
        detail = "This is no cursor of your client: take `next` of an answer of GET /v1/events as it is."
        raise MalformedError(detail)
    return place


def _item(deps: Deps, caller: Caller, row: asyncpg.Record) -> dict[str, Any]:
    kind, about = EventKind(row["kind"]), row["about"]
    of_certificate = kind in {EventKind.ISSUED, EventKind.REVOKED, EventKind.DEATH_RETRACTED}
    of_correction = kind is EventKind.CORRECTION
    return {
        "event_id": str(row["event_id"]),
        "kind": kind.value,
        "program": row["program"],
        "person": str(deps.pseudonym(caller.client_id, row["subject"])),
        "version": row["seq"],
        "occurred_at": instant(row["occurred_at"]),
        "certificate": deps.references.seal(caller.client_id, row["subject"], about) if of_certificate else None,
        "decision": None if of_certificate or of_correction else str(about),
        "correction": str(about) if of_correction else None,
        "reason": row["reason"],
        "repeats": str(row["repeats"]) if row["repeats"] else None,
    }


# ---- running after ---------------------------------------------------------------------------------------------------


async def hear_receipts(tx: WriteTx, table: pa.Table, client_id: str, at: datetime) -> None:
    """What became of events at a partner's endpoint: what it took it has heard."""
    rows = table.select(["event_id", "outcome"]).to_pylist()
    taken = [UUID(bytes=row["event_id"]) for row in rows if row["outcome"] == HandoverState.DELIVERED]
    if taken:
        await feed.note_delivered(tx, client_id, taken, at)


async def count_unacknowledged(deps: Deps, tx: ReadTx) -> int:
    """Revocations some partner may still pay on: told, and beyond the time to answer neither taken nor accepted."""
    late = deps.clock.now() - timedelta(hours=deps.chase_hours)
    return await feed.count_unacknowledged(tx, EventKind.REVOKED, late)


async def chase(deps: Deps, tx: WriteTx) -> int:
    """Tell again what nobody has answered; after the last time leave it to a person. Returns the number."""
    now = deps.clock.now()
    late = await feed.take_unanswered(tx, now, _UNANSWERED)
    repeated: dict[tuple[UUID, str], asyncpg.Record] = {}
    for row in late:
        key = (row["event_id"], row["program"])
        if row["tries"] >= MOST_TRIES:
            await feed.give_up(tx, row["event_id"], row["client_id"], now)
            continue
        if key not in repeated:
            first = await feed.find_event(tx, *key)
            if first is None:
                await feed.give_up(tx, row["event_id"], row["client_id"], now)
                continue
            kind = EventKind(row["kind"])
            [repeated[key]] = await tell(deps, tx, Happened(kind=kind, repeats=row["event_id"], **dict(first)))
        again = repeated[key]
        await feed.told_again(
            tx,
            row["event_id"],
            row["client_id"],
            last_id=again["event_id"],
            last_seq=again["seq"],
            due_at=next_due(now, row["tries"] + 1, deps.chase_hours),
            at=now,
        )
    return len(late)
