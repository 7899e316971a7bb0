"""Grace: the platform's own lateness is never the person's. Given by people, or by a run that came late."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import uuid_utils.compat as uuids

from services.recognition.domain.cycles import GraceReason, late_by
from services.recognition.domain.programs import EndingEvent
from services.recognition.domain.words import day
from services.recognition.store import grace
from services.recognition.store.decisions import Decided, Proposal
from services.recognition.store.grace import Grace
from services.recognition.usecases.deps import Deps
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import ConflictError, MalformedError
from shared.kit.telemetry import mask_text

PLATFORM = "platform"
_LONGEST = 366


class InGraceError(ConflictError):
    """The platform itself was late: nobody is stopped for lateness now."""

    code = "in_grace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A grace somebody gives.

    Attributes:
        programs: empty for every one.
        subject: None for everybody.
    """

    programs: Sequence[str]
    subject: UUID | None
    until_on: date
    reason: GraceReason
    said: str


async def give(deps: Deps, tx: WriteTx, given: Given, by: str) -> list[Grace]:
    """Record a grace from today on; several graces add nothing up, the longest holds.

    Raises:
        MalformedError: it ends in the past, or more than a year ahead.
    """
    today = deps.clock.today()
    if not today <= given.until_on <= today + timedelta(days=_LONGEST):
        detail = f"A grace ends between today and {_LONGEST} days ahead."
        raise MalformedError(detail)
    made = [
        Grace(
            grace_id=uuids.uuid7(),
            program=program,
            subject=given.subject,
            from_on=today,
            until_on=given.until_on,
            reason=given.reason,
            said=mask_text(given.said),
            given_by=by,
            given_at=deps.clock.now(),
        )
        for program in (given.programs or (None,))
    ]
    for each in made:
        await grace.add_grace(tx, each)
    return made


async def give_for_late_run(deps: Deps, tx: WriteTx, last_run: date | None) -> None:
    """A run that comes later than expected gives everybody as many days as it is late."""
    today = deps.clock.today()
    late = late_by(last_run, today, deps.policies.on(today).run_days)
    if last_run is None or not late:
        return
    given = Given(
        programs=(),
        subject=None,
        until_on=today + timedelta(days=min(late, _LONGEST)),
        reason=GraceReason.RUN_LATE,
        said=f"上一次比对在{day(last_run)}，本次比对晚了{late}天",
    )
    await give(deps, tx, given, PLATFORM)


async def require_no_grace(deps: Deps, tx: ReadTx, about: Proposal | Decided) -> None:
    """Let nothing be stopped for lateness in grace.

    Raises:
        InGraceError: with the last day of grace.
    """
    if about.reason is not EndingEvent.OVERDUE:
        return
    until = await grace.until(tx, about.subject, about.program, deps.clock.today())
    if until is not None:
        detail = f"The platform itself was late: until {until.isoformat()} nobody is stopped for lateness."
        raise InGraceError(detail)
