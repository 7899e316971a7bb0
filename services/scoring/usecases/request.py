"""Asking for a reassessment, and calling it off."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from services.scoring.domain.rules import RuleSet
from services.scoring.store import reassessments
from services.scoring.store.reassessments import Reassessment
from shared.kit.db import WriteTx
from shared.kit.problems import ConflictError


async def request_reassessment(  # noqa: PLR0913  (who wants what done for which day)
    tx: WriteTx,
    reassessment_id: UUID,
    *,
    rules: RuleSet,
    shards: Sequence[int],
    division: str | None = None,
    shadow: bool,
    today: date,
    by: str,
    now: datetime,
) -> Reassessment:
    """Queue a reassessment for the sweeper."""
    asked = Reassessment(
        reassessment_id=reassessment_id,
        rule_set=rules.name,
        shadow=shadow,
        division=division,
        assess_on=today,
        requested_by=by,
        requested_at=now,
        cancelled_at=None,
        shards=len(shards),
        finished=0,
        people=0,
        changed=0,
        moves={},
        finished_at=None,
    )
    await reassessments.add(tx, asked, shards)
    return asked


async def cancel_reassessment(tx: WriteTx, reassessment_id: UUID, now: datetime) -> Reassessment | None:
    """Begin no more shards of it; None if there is no such reassessment.

    Raises:
        ConflictError: it is over already.
    """
    found = await reassessments.find(tx, reassessment_id)
    if found is None or found.cancelled_at:
        return found
    if found.finished == found.shards:
        raise ConflictError("It is over already; what it changed stays.")
    await reassessments.cancel(tx, reassessment_id, now)
    return await reassessments.find(tx, reassessment_id)
