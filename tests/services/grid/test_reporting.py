"""The monthly report: signed even when there is nothing, late ones are seen, locked ones do not change."""

import asyncio
from datetime import date, timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

import polars as pl
import pytest

from services.grid.domain import reports
from services.grid.domain.reports import Light, ReportAction, ReportState, light
from services.grid.domain.views import View
from services.grid.jobs.upkeep import go_round
from services.grid.store.people import living_in
from services.grid.usecases.reporting import submit
from shared.contracts.events.recognition import (
    STOP_REQUEST_WITHDRAWN,
    STOP_REQUESTED,
    StopRequested,
    StopRequestWithdrawn,
)
from shared.kit.auth import Caller
from tests.services.grid.test_claims import REQUEST, asks
from tests.services.grid.town import NEIGHBOUR, NOW, VILLAGE, Town, enrolled, fact, roll_csv, subject, suspected
from tests.support.pdf_text import text_of

ANNA = subject(1)
MONTH = "2023-11"


async def step(town: Town, name: str, headers: dict[str, str], body: object = None, village: str = VILLAGE) -> Any:
    return await town.ask("POST", f"/v1/reports/{village}/{MONTH}/{name}", headers=headers, json=body)


async def submitted(town: Town, *, zero: bool = False) -> Any:
    return await step(town, "submission", town.village(), {"zero_report": zero})


@pytest.fixture
async def villages(town: Town) -> Town:
    """Two villages, one with a case, on the first day after the month."""
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR))
    await town.hear(enrolled(ANNA), suspected(ANNA))
    town.clock.move(timedelta(days=30))
    return town


def test_every_state_can_be_reached_and_a_locked_report_stays():
    assert {state for (_, _), state in reports._NEXT.items()} == set(ReportState)
    assert [action for action in ReportAction if reports.follow(ReportState.LOCKED, action)] == []


@pytest.mark.parametrize(
    ("today", "state", "shown"),
    [
        (date(2023, 12, 5), ReportState.DRAFT, Light.GREEN),
        (date(2023, 12, 6), ReportState.DRAFT, Light.YELLOW),
        (date(2023, 12, 10), ReportState.CHECKED, Light.YELLOW),
        (date(2023, 12, 11), ReportState.SUBMITTED, Light.RED),
        (date(2024, 3, 1), ReportState.SIGNED, Light.GREEN),
    ],
)
def test_a_late_report_is_yellow_and_then_red(today, state, shown):
    assert light(date(2023, 11, 1), state, today, due_day=5, red_after=5) is shown


async def test_a_report_goes_from_village_to_town_to_village_to_county(villages):
    assert (await submitted(villages)).json()["state"] == "suspected_list_submitted"
    town, county = villages.officer("town", "341602001"), villages.officer("county", "341602")
    assert (await step(villages, "check", town)).json()["state"] == "township_checked"
    assert (await step(villages, "signature", villages.village())).json()["signed_by"] == "village-head"
    assert (await step(villages, "acceptance", town)).json()["reason"] == "four_eyes"
    assert await villages.said("grid.report.locked.v1") == []
    assert (await step(villages, "acceptance", county)).json()["state"] == "locked"
    said = await villages.said("grid.report.locked.v1")
    assert [(each["division"], each["month"], each["zero"], each["suspected"], each["signed_by"]) for each in said] == [
        (VILLAGE, MONTH, False, 1, "village-head")
    ]
    assert (await step(villages, "return", county)).json()["code"] == "step_not_possible"


async def test_the_draft_is_prefilled_and_belongs_to_its_month(villages):
    path = f"/v1/reports/{VILLAGE}/{MONTH}"
    draft = (await villages.ask("GET", path, headers=villages.village())).json()
    assert (draft["state"], len(draft["suspected"])) == ("draft", 1)
    await villages.hear(enrolled(subject(2)), suspected(subject(2)))
    await submitted(villages)
    await step(villages, "return", villages.officer("town"))
    again = (await villages.ask("GET", path, headers=villages.village())).json()
    assert again["suspected"] == draft["suspected"]


async def test_a_month_that_is_not_over_cannot_be_reported_so_that_its_last_days_are_in_no_report(villages):
    villages.clock.move(timedelta(days=-1))
    assert (await submitted(villages)).json()["code"] == "month_not_over"


async def test_nothing_to_report_is_a_statement(villages):
    assert (await submitted(villages, zero=True)).json()["code"] == "zero_mismatch"
    other = villages.village(NEIGHBOUR)
    assert (await step(villages, "submission", other, {"zero_report": False}, NEIGHBOUR)).json()[
        "code"
    ] == "zero_mismatch"
    assert (await step(villages, "submission", other, {"zero_report": True}, NEIGHBOUR)).status_code == 200


async def test_a_death_that_a_relative_reported_is_on_the_list_unless_its_case_is(villages):
    bert = subject(2)
    await villages.hear(enrolled(bert, village=NEIGHBOUR), asks(bert))
    await villages.hear(fact(STOP_REQUESTED, asks().fact(StopRequested).model_copy(update={"request_id": UUID(int=9)})))
    path, other = f"/v1/stop-requests/{REQUEST}", villages.village(NEIGHBOUR)
    found = {"as_stated": True, "not_family": True}
    await villages.ask("POST", f"{path}/verification", headers=other, json=found)
    villages.clock.move(timedelta(days=-1))
    await villages.ask("POST", f"{path}/conclusion", headers=villages.officer("agency"), json={"confirmed": True})
    villages.clock.move(timedelta(days=1))
    zero = await step(villages, "submission", other, {"zero_report": True}, NEIGHBOUR)
    assert zero.json()["code"] == "zero_mismatch"
    await step(villages, "submission", other, {"zero_report": False}, NEIGHBOUR)
    await step(villages, "check", villages.officer("town"), village=NEIGHBOUR)
    await step(villages, "signature", other, village=NEIGHBOUR)
    await step(villages, "acceptance", villages.officer("county"), village=NEIGHBOUR)
    [said] = await villages.said("grid.report.locked.v1")
    assert [(each["subject"], each["kind"], each["case_id"]) for each in said["confirmed"]] == [
        (str(bert), "suspected_death", None)
    ]
    lists = f"/v1/reports/{NEIGHBOUR}/{MONTH}/lists"
    answer = await villages.ask("GET", lists, headers=other)
    filed = pl.read_excel(BytesIO(answer.content), sheet_name="最终确认名单", read_options={"header_row": 1})
    assert (filed.row(0)[1:3], filed.row(0)[5]) == ((str(REQUEST), "停发申请"), "属实")
    draft = (await villages.ask("GET", f"/v1/reports/{VILLAGE}/{MONTH}", headers=villages.village())).json()
    assert len(draft["suspected"]) == 1


@pytest.mark.parametrize("order", [1, -1])
async def test_what_its_person_has_taken_back_nobody_looks_into_lists_or_waits_for(villages, order):
    bert, other = subject(2), villages.village(NEIGHBOUR)
    back = StopRequestWithdrawn(request_id=REQUEST, subject=bert, withdrawn_at=NOW)
    told = [asks(bert), fact(STOP_REQUEST_WITHDRAWN, back)]
    await villages.hear(enrolled(bert, village=NEIGHBOUR), *told[::order])
    body = {"as_stated": True, "not_family": True}
    answer = await villages.ask("POST", f"/v1/stop-requests/{REQUEST}/verification", headers=other, json=body)
    assert (answer.json()["code"], answer.json()["state"]) == ("step_not_possible", "withdrawn")
    villages.clock.move(timedelta(days=20))
    await go_round(villages.deps)
    assert {each["kind"] for each in await villages.said("grid.case.overdue.v1")} == {"suspected_death"}
    assert (await step(villages, "submission", other, {"zero_report": True}, NEIGHBOUR)).status_code == 200
    await villages.hear(enrolled(bert, village=NEIGHBOUR, change="ended", received_at=NOW + timedelta(days=1)))
    async with villages.database.read() as tx:
        assert await living_in(tx, [NEIGHBOUR + "001"]) == {}


async def test_what_its_person_takes_back_in_the_next_month_was_under_way_in_this_one(villages):
    bert = subject(2)
    villages.clock.move(timedelta(days=35))
    back = StopRequestWithdrawn(request_id=REQUEST, subject=bert, withdrawn_at=villages.clock.now())
    await villages.hear(enrolled(bert, village=NEIGHBOUR), asks(bert), fact(STOP_REQUEST_WITHDRAWN, back))
    zero = await step(villages, "submission", villages.village(NEIGHBOUR), {"zero_report": True}, NEIGHBOUR)
    assert zero.json()["code"] == "zero_mismatch"


async def test_steps_come_in_order(villages):
    town = villages.officer("town")
    assert (await step(villages, "check", town)).status_code == 404
    await submitted(villages)
    assert (await submitted(villages)).json()["code"] == "step_not_possible"
    assert (await step(villages, "signature", villages.village())).json()["code"] == "step_not_possible"
    assert (await step(villages, "check", villages.officer("village-head"))).json()["reason"] == "four_eyes"


async def test_two_submissions_at_once_are_one(committing_database_for, issuer):
    """The second waits for the first and then finds it submitted: nothing is written over what the town has checked."""
    town = Town(await committing_database_for("grid"), issuer)
    await town.import_grids(roll_csv(VILLAGE))
    town.clock.move(timedelta(days=30))
    month, view = date(2023, 11, 1), View(prefixes=(VILLAGE,))
    async with town.database.write() as tx:
        await submit(tx, town.deps, who("first"), VILLAGE, month, view=view, zero=True)
        second = asyncio.create_task(submitted(town, zero=True))
        await asyncio.sleep(0.3)
    assert (await second).json()["code"] == "step_not_possible"
    assert [row["submitted_by"] for row in await town.rows("SELECT submitted_by FROM reports")] == ["first"]


def who(user: str) -> Caller:
    return Caller(
        client_id="c",
        role="village",
        scopes=frozenset(),
        programs=frozenset(),
        divisions=(VILLAGE,),
        department=None,
        user=user,
        certificate=None,
    )


async def test_a_months_picture_shows_the_villages_of_an_office(villages):
    await submitted(villages)
    villages.clock.move(timedelta(days=6))
    ask = {"params": {"month": MONTH}}
    picture = (await villages.ask("GET", "/v1/reports", headers=villages.officer("o", "341602"), **ask)).json()
    assert [(each["division"], each["light"], each["suspected"]) for each in picture["items"]] == [
        (VILLAGE, "yellow", 1),
        (NEIGHBOUR, "yellow", 0),
    ]
    assert picture["lights"] == {"yellow": 2}
    assert [(each["county"], each["villages"], each["suspected"]) for each in picture["counties"]] == [("谯城区", 2, 1)]
    own = (await villages.ask("GET", "/v1/reports", headers=villages.village(NEIGHBOUR), **ask)).json()
    assert [each["division"] for each in own["items"]] == [NEIGHBOUR]


async def test_the_workbook_reads_as_filed(villages):
    answer = await villages.ask("GET", "/v1/reports.xlsx", headers=villages.officer("o"), params={"month": MONTH})
    sheet = pl.read_excel(BytesIO(answer.content), read_options={"header_row": 1})
    assert sheet["村居代码"].to_list() == [VILLAGE, NEIGHBOUR]
    assert sheet["报送状态"].to_list() == ["未报送", "未报送"]


async def test_pages_are_made_of_what_was_reported(villages):
    await submitted(villages)
    headers = villages.officer("o", "341602")
    picture = await villages.ask("GET", "/v1/reports.pdf", headers=headers, params={"month": MONTH})
    form = await villages.ask("GET", f"/v1/reports/{VILLAGE}/{MONTH}/form", headers=villages.village())
    for answer in (picture, form):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
        assert answer.content.startswith(b"%PDF-")
    case = (await villages.rows("SELECT case_id FROM cases"))[0]["case_id"]
    written = text_of(form.content)
    for words in (
        str(case),
        "疑似死亡",
        "核查中",
        "village-head",
        "报送月份:2023年11月",
        "一、疑似丧失待遇资格人员名单(1人)",
    ):
        assert words in written
    for words in ("零报告", "2023-09-09"):
        assert words not in written
    for words in ("谯城区", "白布社区", VILLAGE, "已报疑似名单", "未报送"):
        assert words in text_of(picture.content)
    other = await villages.ask("GET", f"/v1/reports/{VILLAGE}/{MONTH}/form", headers=villages.village(NEIGHBOUR))
    assert other.status_code == 404


async def test_a_villages_lists_are_filed_as_a_workbook_too(villages):
    await submitted(villages)
    path = f"/v1/reports/{VILLAGE}/{MONTH}/lists"
    answer = await villages.ask("GET", path, headers=villages.village())
    case = (await villages.rows("SELECT case_id FROM cases"))[0]["case_id"]
    options = {"header_row": 1}
    suspected = pl.read_excel(BytesIO(answer.content), sheet_name="疑似名单", read_options=options)
    assert suspected.row(0) == ("1", str(case), "疑似死亡", None, "2023-11-01", "核查中")
    confirmed = pl.read_excel(BytesIO(answer.content), sheet_name="最终确认名单", read_options=options)
    assert confirmed["序号"].to_list() == ["无"]


@pytest.mark.parametrize(
    ("name", "divisions", "allowed"),
    [
        ("check", (VILLAGE,), False),
        ("check", (VILLAGE[:9],), True),
        ("check", (VILLAGE[:6],), True),
        ("return", (VILLAGE,), False),
        ("acceptance", (VILLAGE[:9],), False),
        ("acceptance", (VILLAGE[:6],), True),
        ("acceptance", (), True),
    ],
)
async def test_a_step_is_taken_by_an_office_of_its_level(villages, name, divisions, allowed):
    await submitted(villages)
    if name == "acceptance":
        await step(villages, "check", villages.officer("town", VILLAGE[:9]))
        await step(villages, "signature", villages.village())
    answer = await step(villages, name, villages.officer("other", *divisions))
    assert (answer.status_code, answer.json().get("reason")) == ((200, None) if allowed else (403, "level"))
