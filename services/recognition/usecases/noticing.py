"""Notices: telling people what touches their money, and the proof without which nothing stops."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import uuid_utils.compat as uuids

from services.recognition.store import notices
from services.recognition.store.decisions import Decided
from services.recognition.store.notices import Notice
from services.recognition.usecases.deps import Deps
from shared.contracts.events import NOTICE_GIVEN, NoticeGiven
from shared.contracts.vocabulary import NoticeKind
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import ConflictError


class NotToldError(ConflictError):
    """The person has not been told, nor has anybody tried on enough channels."""

    code = "not_told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What a person is to be told."""

    subject: UUID
    kind: NoticeKind
    programs: tuple[str, ...]
    reason: str
    amount_fen: int | None = None
    deadline_on: date | None = None
    decision_id: UUID | None = None
    overpayment_id: UUID | None = None


async def give_notice(deps: Deps, tx: WriteTx, telling: Telling) -> UUID:
    """Keep a notice and have it told; what becomes of it comes back as proof under its id."""
    notice_id, now = uuids.uuid7(), deps.clock.now()
    parts = {name: getattr(telling, name) for name in Telling.__dataclass_fields__}
    await notices.add_notice(tx, Notice(notice_id=notice_id, given_at=now, **parts))
    del parts["overpayment_id"]
    fact = NoticeGiven(notice_id=notice_id, given_at=now, **{**parts, "programs": list(telling.programs)})
    await deps.outbox.say(tx, NOTICE_GIVEN, fact)
    return notice_id


async def require_told(deps: Deps, tx: ReadTx, decided: Decided) -> None:
    """Let a stop through only when its notice arrived or was tried on enough channels.

    Raises:
        NotToldError: with the channels still missing.
    """
    needed = deps.policies.on(deps.clock.today()).notice_channels
    tried = await notices.channels_tried(tx, decided.decision_id)
    if len(tried) < needed:
        detail = (
            f"The notice has been delivered or tried on {len(tried)} of {needed} channels; wait for notify, or have "
            "the village hand its letter over and confirm that, which is one channel."
        )
        raise NotToldError(detail)


async def hear_deliveries(tx: WriteTx, table: pa.Table) -> None:
    """Keep the proof that a notice arrived; other messages are none of our business."""
    await _keep(tx, table, at="delivered_at", outcome="delivered")


async def hear_failures(tx: WriteTx, table: pa.Table) -> None:
    """Keep the proof that somebody was tried."""
    await _keep(tx, table, at="failed_at", outcome="failed")


async def _keep(tx: WriteTx, table: pa.Table, *, at: str, outcome: str) -> None:
    told = table.filter(pc.is_valid(table.column("about")))
    if told.num_rows == 0:
        return
    reason = told.column("reason").cast(pa.string()) if outcome == "failed" else pa.nulls(told.num_rows, pa.string())
    await notices.save_proofs(
        tx,
        pa.table(
            {
                **{name: told.column(name) for name in ("subject", "message_id", "about")},
                **{name: told.column(name).cast(pa.string()) for name in ("template", "channel")},
                "at": told.column(at),
                "outcome": pa.array([outcome] * told.num_rows, pa.string()),
                "reason": reason,
            }
        ),
    )
