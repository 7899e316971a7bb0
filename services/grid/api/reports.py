"""The monthly report's routes: the village's list, the town's check, the county's lock, a month's picture."""

import asyncio
from collections import Counter
from dataclasses import asdict
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from services.grid.api.common import Officer, Parts, Reader, Village
from services.grid.api.forms import Form
from services.grid.api.pages import PDF, picture_pages, village_page
from services.grid.api.sheets import XLSX, counties_of, village_workbook, workbook
from services.grid.domain.reports import Light, ReportAction, ReportState, light
from services.grid.schemas.reports import PictureOut, ReportOut, SubmissionIn, VillageMonthOut
from services.grid.store import reports
from services.grid.store.reports import Report
from services.grid.usecases.deps import Deps
from services.grid.usecases.errors import NoSuchReportError
from services.grid.usecases.reporting import advance, get_report, submit
from services.grid.usecases.views import view_of
from shared.kit.auth import Caller
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["reports"], responses=PROBLEM_RESPONSES)

Place = Annotated[str, Path(pattern=r"^\d{12}$")]
Month = Annotated[str, Path(pattern=r"^20\d{2}-(0[1-9]|1[0-2])$")]
AskedMonth = Annotated[str, Query(pattern=r"^20\d{2}-(0[1-9]|1[0-2])$")]


@router.get("/reports")
async def get_picture(deps: Parts, caller: Reader, month: AskedMonth) -> PictureOut:
    """Where the report of each village stands."""
    first = _first(month)
    villages = await _villages(deps, caller, first)
    return PictureOut(
        month=first,
        lights=dict(Counter(each.light for each in villages)),
        counties=counties_of(villages),
        items=villages,
    )


@router.get("/reports.xlsx", response_class=Response, responses={200: {"content": {XLSX: {}}}})
async def get_workbook(deps: Parts, caller: Reader, month: AskedMonth) -> Response:
    """The same as a workbook."""
    first = _first(month)
    return Response(workbook(first, await _villages(deps, caller, first)), media_type=XLSX)


@router.get("/reports.pdf", response_class=Response, responses={200: {"content": {PDF: {}}}})
async def get_picture_page(deps: Parts, caller: Reader, month: AskedMonth) -> Response:
    """The same as pages to be filed."""
    first = _first(month)
    villages = await _villages(deps, caller, first)
    made = await asyncio.to_thread(picture_pages, first, villages, deps.clock.now())
    return Response(made, media_type=PDF)


@router.get("/reports/{division}/{month}")
async def get_month(deps: Parts, caller: Reader, division: Place, month: Month) -> ReportOut:
    """A village's month, prefilled as long as it is a draft."""
    async with deps.database.read() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        return _out(deps, await get_report(tx, division, _first(month), view))


@router.get("/reports/{division}/{month}/form", response_class=Response, responses={200: {"content": {PDF: {}}}})
async def get_month_page(deps: Parts, caller: Reader, division: Place, month: Month) -> Response:
    """A village's month as the form that is signed and filed; people by the numbers of their cases."""
    form = await _form(deps, caller, division, month)
    return Response(await asyncio.to_thread(village_page, form, deps.clock.now()), media_type=PDF)


@router.get("/reports/{division}/{month}/lists", response_class=Response, responses={200: {"content": {XLSX: {}}}})
async def get_month_lists(deps: Parts, caller: Reader, division: Place, month: Month) -> Response:
    """The suspected and the confirmed list of a village's month as a workbook."""
    form = await _form(deps, caller, division, month)
    return Response(await asyncio.to_thread(village_workbook, form), media_type=XLSX)


@router.post("/reports/{division}/{month}/submission")
async def post_submission(deps: Parts, caller: Village, division: Place, month: Month, body: SubmissionIn) -> ReportOut:
    """The village submits its suspected list; nothing to report is a statement too."""
    async with deps.database.write() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        made = await submit(tx, deps, caller, division, _first(month), view=view, zero=body.zero_report)
    return _out(deps, made)


@router.post("/reports/{division}/{month}/check")
async def post_check(deps: Parts, caller: Officer, division: Place, month: Month) -> ReportOut:
    """The town has checked."""
    return await _advance(deps, caller, division, month, ReportAction.CHECK)


@router.post("/reports/{division}/{month}/return")
async def post_return(deps: Parts, caller: Officer, division: Place, month: Month) -> ReportOut:
    """The town sends it back."""
    return await _advance(deps, caller, division, month, ReportAction.RETURN)


@router.post("/reports/{division}/{month}/signature")
async def post_signature(deps: Parts, caller: Village, division: Place, month: Month) -> ReportOut:
    """The village head signs the confirmed list."""
    return await _advance(deps, caller, division, month, ReportAction.SIGN)


@router.post("/reports/{division}/{month}/acceptance")
async def post_acceptance(deps: Parts, caller: Officer, division: Place, month: Month) -> ReportOut:
    """The county accepts; nothing changes any more."""
    return await _advance(deps, caller, division, month, ReportAction.ACCEPT)


async def _form(deps: Deps, caller: Caller, division: str, month: str) -> Form:
    async with deps.database.read() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        report = await get_report(tx, division, _first(month), view)
        return Form(
            report=report,
            place=await reports.name_of(tx, division) or division,
            suspected=await reports.lines_of(tx, report.suspected),
            confirmed=await reports.lines_of(tx, report.confirmed),
        )


async def _advance(deps: Deps, caller: Caller, division: str, month: str, action: ReportAction) -> ReportOut:
    async with deps.database.write() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        changed = await advance(tx, deps, caller, division, _first(month), view=view, action=action)
    return _out(deps, changed)


async def _villages(deps: Deps, caller: Caller, month: date) -> list[VillageMonthOut]:
    async with deps.database.read() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        if view.nothing or view.worker_ids:
            raise NoSuchReportError
        found = await reports.picture(tx, view, month)
    return [VillageMonthOut(**asdict(each), light=_light(deps, month, each.state)) for each in found]


def _first(month: str) -> date:
    return date.fromisoformat(f"{month}-01")


def _light(deps: Deps, month: date, state: ReportState) -> Light:
    today = deps.clock.today()
    policy = deps.policies.on(today)
    return light(month, state, today, due_day=policy.report_due_day, red_after=policy.report_red_after)


def _out(deps: Deps, report: Report) -> ReportOut:
    return ReportOut(
        **asdict(report) | {"suspected": list(report.suspected), "confirmed": list(report.confirmed)},
        light=_light(deps, report.month, report.state),
    )
