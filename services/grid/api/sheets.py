"""A month's picture as the workbook offices file."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date
from io import BytesIO
from typing import Any

from services.grid.api.forms import LINE_HEAD, LISTS, Form, line_words
from services.grid.domain.reports import Light, ReportState
from services.grid.schemas.reports import CountyMonthOut, VillageMonthOut
from shared.kit.clock import SHANGHAI

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HEAD = ("县区", "乡镇", "村居", "村居代码", "报送状态", "进度", "疑似人数", "最终确认人数", "签字时间")
COUNTY_HEAD = ("县区", "村居数", "已锁定", "正常", "黄灯", "红灯", "疑似人数", "最终确认人数")
STATES = {
    "draft": "未报送",
    "suspected_list_submitted": "已报疑似名单",
    "township_checked": "乡镇已核",
    "confirmed_list_signed": "已签字确认",
    "locked": "已锁定",
}
LIGHTS = {"green": "正常", "yellow": "黄灯", "red": "红灯"}
_COLOURS = {"yellow": "#FFEB9C", "red": "#FFC7CE"}


def workbook(month: date, villages: Sequence[VillageMonthOut]) -> bytes:
    """An XLSX file with a line a village; late ones are coloured."""
    out = BytesIO()
    book = _book(out)
    sheet = book.add_worksheet(f"{month:%Y-%m}")
    bold = book.add_format({"bold": True})
    colours = {word: book.add_format({"bg_color": colour}) for word, colour in _COLOURS.items()}
    sheet.write_row(0, 0, [f"{month.year}年{month.month}月村居按月报送情况"], bold)
    sheet.write_row(1, 0, HEAD, bold)
    for line, each in enumerate(villages, start=2):
        sheet.write_row(line, 0, words_of(each), colours.get(each.light))
    sheet.freeze_panes(2, 0)
    sheet.set_column(0, len(HEAD) - 1, 16)
    summary = book.add_worksheet("县区汇总")
    summary.write_row(0, 0, COUNTY_HEAD, bold)
    for line, county in enumerate(counties_of(villages), start=1):
        summary.write_row(line, 0, county_words(county))
    summary.set_column(0, len(COUNTY_HEAD) - 1, 16)
    book.close()
    return out.getvalue()


def village_workbook(form: Form) -> bytes:
    """An XLSX file with a village's two lists, a sheet each; an empty one says so."""
    out = BytesIO()
    book = _book(out)
    bold, month = book.add_format({"bold": True}), form.report.month
    for name, title, lines in zip(("疑似名单", "最终确认名单"), LISTS, (form.suspected, form.confirmed), strict=True):
        sheet = book.add_worksheet(name)
        sheet.write_row(0, 0, [f"{form.place}{month.year}年{month.month}月{title}"], bold)
        sheet.write_row(1, 0, LINE_HEAD, bold)
        rows = [line_words(place, each) for place, each in enumerate(lines, 1)] or [("无",)]
        for line, words in enumerate(rows, start=2):
            sheet.write_row(line, 0, words)
        sheet.freeze_panes(2, 0)
        sheet.set_column(0, len(LINE_HEAD) - 1, 16)
        sheet.set_column(1, 1, 38)
    book.close()
    return out.getvalue()


def _book(out: BytesIO) -> Any:  # noqa: ANN401  (the library has no types)
    import xlsxwriter  # noqa: PLC0415  (loaded when a sheet is asked for)

    # Text that looks like a formula stays text.
    return xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})


def words_of(each: VillageMonthOut) -> tuple[str | int, ...]:
    """A village's line, as `HEAD` names it."""
    signed = each.signed_at.astimezone(SHANGHAI).strftime("%Y-%m-%d") if each.signed_at else ""
    return (
        each.county,
        each.town,
        each.village,
        each.division,
        STATES[each.state],
        LIGHTS[each.light],
        each.suspected,
        each.confirmed,
        signed,
    )


def county_words(each: CountyMonthOut) -> tuple[str | int, ...]:
    """A county's line, as `COUNTY_HEAD` names it."""
    lights = tuple(each.lights.get(light, 0) for light in (Light.GREEN, Light.YELLOW, Light.RED))
    return (each.county, each.villages, each.locked, *lights, each.suspected, each.confirmed)


def counties_of(villages: Sequence[VillageMonthOut]) -> list[CountyMonthOut]:
    """The picture of each county, in the order of the villages."""
    by_county: dict[str, list[VillageMonthOut]] = defaultdict(list)
    for each in villages:
        by_county[each.county].append(each)
    return [
        CountyMonthOut(
            county=county,
            villages=len(found),
            locked=sum(each.state is ReportState.LOCKED for each in found),
            lights=dict(Counter(each.light for each in found)),
            suspected=sum(each.suspected for each in found),
            confirmed=sum(each.confirmed for each in found),
        )
        for county, found in by_county.items()
    ]
