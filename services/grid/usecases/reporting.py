"""The monthly report: prefilled, signed even when there is nothing, checked by the town, locked by the county."""

from dataclasses import replace
from datetime import date

from services.grid.domain.reports import ReportAction, ReportState, follow, next_month
from services.grid.domain.views import COUNTY, TOWN, View
from services.grid.store import reports
from services.grid.store.reports import Report
from services.grid.usecases.deps import Deps
from services.grid.usecases.errors import (
    BarredError,
    MonthNotOverError,
    NoSuchReportError,
    StepNotPossibleError,
    ZeroMismatchError,
)
from shared.contracts.events import REPORT_LOCKED, ConfirmedPerson, ReportLocked
from shared.kit.auth import Caller
from shared.kit.db import ReadTx, WriteTx

_LEVELS = {ReportAction.CHECK: TOWN, ReportAction.RETURN: TOWN, ReportAction.ACCEPT: COUNTY}
"""Whose step it is; the village's own are anybody's of the village."""


async def get_report(tx: ReadTx, division: str, month: date, view: View) -> Report:
    """A village's month: as it was reported, or prefilled as long as it is a draft.

    Raises:
        NoSuchReportError: not in the caller's divisions.
    """
    if not view.sees(division=division, grid_code=None, worker_id=None):
        raise NoSuchReportError
    kept = await reports.find_report(tx, division, month)
    if kept is not None and kept.state is not ReportState.DRAFT:
        return kept
    return await reports.prefill(tx, division, month)


async def submit(  # noqa: PLR0913  (who says what about which month)
    tx: WriteTx, deps: Deps, caller: Caller, division: str, month: date, *, view: View, zero: bool
) -> Report:
    """The village submits its list; "nothing to report" is a statement of its own.

    Raises:
        NoSuchReportError: not in the caller's divisions.
        MonthNotOverError: something may still be found or confirmed in it, which no later report would hold.
        StepNotPossibleError: submitted already.
        ZeroMismatchError: the statement does not fit the list.
    """
    await reports.lock_month(tx, division, month)
    draft = await get_report(tx, division, month, view)
    if next_month(month) > deps.clock.today():
        raise MonthNotOverError
    if follow(draft.state, ReportAction.SUBMIT) is None:
        raise StepNotPossibleError(extra={"state": draft.state.value})
    if zero != (not draft.suspected and not draft.confirmed):
        raise ZeroMismatchError
    made = replace(draft, state=ReportState.SUBMITTED, submitted_by=caller.user, submitted_at=deps.clock.now())
    await reports.save_report(tx, made)
    return made


async def advance(  # noqa: PLR0913  (who takes which step on which month)
    tx: WriteTx, deps: Deps, caller: Caller, division: str, month: date, *, view: View, action: ReportAction
) -> Report:
    """The town checks or returns, the village head signs, the county accepts and thereby locks.

    Raises:
        NoSuchReportError: never submitted, or not in the caller's divisions.
        StepNotPossibleError: another step comes first.
        BarredError: the same person twice, or an office of a lower level than the step's.
    """
    await get_report(tx, division, month, view)
    report = await reports.find_report(tx, division, month, lock=True)
    if report is None:
        raise NoSuchReportError
    state = follow(report.state, action)
    if state is None:
        raise StepNotPossibleError(extra={"state": report.state.value})
    before = {ReportAction.CHECK: report.submitted_by, ReportAction.ACCEPT: report.checked_by}
    if caller.user == before.get(action):
        reason = "four_eyes"
        raise BarredError(reason)
    if action in _LEVELS and not view.is_office_over(division, _LEVELS[action]):
        reason = "level"
        raise BarredError(reason)
    now = deps.clock.now()
    noted = {
        ReportAction.CHECK: {"checked_by": caller.user, "checked_at": now},
        ReportAction.SIGN: {"signed_by": caller.user, "signed_at": now},
        ReportAction.ACCEPT: {"accepted_by": caller.user, "accepted_at": now},
        ReportAction.RETURN: {"checked_by": None, "checked_at": None},
    }
    changed = replace(report, state=state, **noted[action])  # type: ignore[arg-type]  # names and instants in pairs
    await reports.save_report(tx, changed)
    if changed.state is ReportState.LOCKED:
        await _say_locked(tx, deps, changed)
    return changed


async def _say_locked(tx: WriteTx, deps: Deps, report: Report) -> None:
    assert report.signed_by is not None
    lines = await reports.lines_of(tx, report.confirmed)
    fact = ReportLocked(
        division=report.division,
        month=f"{report.month:%Y-%m}",
        zero=not report.suspected and not report.confirmed,
        suspected=len(report.suspected),
        confirmed=[
            ConfirmedPerson(
                subject=each.subject,
                kind=each.kind,
                case_id=None if each.asked else each.number,
                event_on=each.event_on,
            )
            for each in lines
            if each.kind is not None
        ],
        signed_by=report.signed_by,
        locked_at=deps.clock.now(),
    )
    await deps.outbox.say(tx, REPORT_LOCKED, fact)
