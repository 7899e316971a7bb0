"""Monthly reports as the pages offices sign and file."""

from collections.abc import Sequence
from datetime import date, datetime

from services.grid.api.forms import LINE_HEAD, LISTS, Form, line_words
from services.grid.api.sheets import COUNTY_HEAD, HEAD, STATES, counties_of, county_words, words_of
from services.grid.domain.reports import Light
from services.grid.schemas.reports import VillageMonthOut
from shared.kit.clock import SHANGHAI

PDF = "application/pdf"
_COLOURS = {Light.YELLOW: (255, 235, 156), Light.RED: (255, 199, 206)}
_LINE_WIDTHS = (1, 5, 2.4, 2, 2, 2)


def village_page(form: Form, made_at: datetime) -> bytes:
    """The form of a village's month; a draft says that it is one."""
    report = form.report
    from shared.kit.pdf import Document  # noqa: PLC0415  (half a second: loaded when a page is asked for)

    page = Document("村居按月报送表", made_at=made_at)
    page.heading("待遇领取资格核查按月报送表")
    page.text_block(f"报送单位:{form.place}(代码{report.division})")
    page.text_block(f"报送月份:{report.month.year}年{report.month.month}月    状态:{STATES[report.state]}")
    page.ln(2)
    if not form.suspected and not form.confirmed:
        page.text_block("本月无变化(零报告)。", size=12)
        page.ln(2)
    for number, title, lines in zip("一二", LISTS, (form.suspected, form.confirmed), strict=True):
        page.heading(f"{number}、{title}({len(lines)}人)", size=12, align="L")
        page.grid(
            LINE_HEAD, [line_words(place, each) for place, each in enumerate(lines, 1)] or [["无"] * 6], _LINE_WIDTHS
        )
        page.ln(3)
    page.grid(
        ("环节", "经办人", "时间"),
        [
            ("村居报送", report.submitted_by or "", _at(report.submitted_at)),
            ("乡镇核实", report.checked_by or "", _at(report.checked_at)),
            ("村居负责人签字", report.signed_by or "", _at(report.signed_at)),
            ("县区接收锁定", report.accepted_by or "", _at(report.accepted_at)),
        ],
        (2, 3, 2),
    )
    page.ln(3)
    page.text_block("说明:名单以案件编号代替个人信息;疑似不等于属实,停发须由经办机构作出决定。", size=9)
    return page.done()


def picture_pages(month: date, villages: Sequence[VillageMonthOut], made_at: datetime) -> bytes:
    """A month's picture: counties first, then each village; late ones are coloured."""
    from shared.kit.pdf import Document  # noqa: PLC0415  (half a second: loaded when a page is asked for)

    pages = Document("村居按月报送情况", made_at=made_at, landscape=True)
    pages.heading(f"{month.year}年{month.month}月村居按月报送情况")
    pages.text_block(f"统计时间:{_at(made_at)}", size=9)
    pages.ln(1)
    counties = counties_of(villages)
    pages.grid(COUNTY_HEAD, [[str(word) for word in county_words(each)] for each in counties], [1] * len(COUNTY_HEAD))
    pages.ln(4)
    pages.grid(
        HEAD,
        [[str(word) for word in words_of(each)] for each in villages],
        (2, 2.4, 2.6, 2.2, 2.2, 1, 1.4, 1.9, 1.8),
        size=8.5,
        colours=[_COLOURS.get(each.light) for each in villages],
    )
    return pages.done()


def _at(instant: datetime | None) -> str:
    return instant.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M") if instant else ""
