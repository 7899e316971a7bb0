"""A month's picture as the workbook offices file."""

from collections.abc import Sequence
from datetime import date
from io import BytesIO

import xlsxwriter

from services.grid.schemas.reports import VillageMonthOut

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_HEAD = ("县区", "乡镇", "村居", "村居代码", "报送状态", "进度", "疑似人数", "最终确认人数", "签字时间")
_STATES = {
    "draft": "未报送",
    "suspected_list_submitted": "已报疑似名单",
    "township_checked": "乡镇已核",
    "confirmed_list_signed": "已签字确认",
    "locked": "已锁定",
}
_LIGHTS = {"green": "正常", "yellow": "黄灯", "red": "红灯"}
_COLOURS = {"yellow": "#FFEB9C", "red": "#FFC7CE"}


def workbook(month: date, villages: Sequence[VillageMonthOut]) -> bytes:
    """An XLSX file with a line a village; late ones are coloured."""
    out = BytesIO()
    # Text that looks like a formula stays text.
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    sheet = book.add_worksheet(f"{month:%Y-%m}")
    bold = book.add_format({"bold": True})
    colours = {word: book.add_format({"bg_color": colour}) for word, colour in _COLOURS.items()}
    sheet.write_row(0, 0, [f"{month.year}年{month.month}月村居按月报送情况"], bold)
    sheet.write_row(1, 0, _HEAD, bold)
    for line, each in enumerate(villages, start=2):
        signed = each.signed_at.strftime("%Y-%m-%d") if each.signed_at else ""
        words = (
            each.county,
            each.town,
            each.village,
            each.division,
            _STATES[each.state],
            _LIGHTS[each.light],
            each.suspected,
            each.confirmed,
            signed,
        )
        sheet.write_row(line, 0, words, colours.get(each.light))
    sheet.freeze_panes(2, 0)
    sheet.set_column(0, len(_HEAD) - 1, 16)
    book.close()
    return out.getvalue()
