"""The monthly report: signed even when there is nothing, late ones are seen, locked ones do not change."""

from datetime import date, timedelta
from io import BytesIO
from typing import Any

import polars as pl
import pytest

from services.grid.domain import reports
from services.grid.domain.reports import Light, ReportAction, ReportState, light
from tests.services.grid.town import NEIGHBOUR, VILLAGE, Town, enrolled, roll_csv, subject, suspected

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


async def test_steps_come_in_order(villages):
    town = villages.officer("town")
    assert (await step(villages, "check", town)).status_code == 404
    await submitted(villages)
    assert (await submitted(villages)).json()["code"] == "step_not_possible"
    assert (await step(villages, "signature", villages.village())).json()["code"] == "step_not_possible"
    assert (await step(villages, "check", villages.officer("village-head"))).json()["reason"] == "four_eyes"


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
    other = await villages.ask("GET", f"/v1/reports/{VILLAGE}/{MONTH}/form", headers=villages.village(NEIGHBOUR))
    assert other.status_code == 404
