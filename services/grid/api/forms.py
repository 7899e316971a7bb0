"""What stands on a village's form, whether it is printed or filed as a workbook."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.grid.store.reports import Report, ReportLine
from shared.contracts.vocabulary import CaseConclusion, SuspicionKind
from shared.kit.clock import SHANGHAI

LISTS = ("疑似丧失待遇资格人员名单", "最终确认人员名单")
_KINDS = {
    SuspicionKind.DEATH: "疑似死亡",
    SuspicionKind.INCARCERATION: "疑似服刑",
    SuspicionKind.MISSING: "疑似失踪或外迁",
    SuspicionKind.DUPLICATE_RECEIPT: "疑似重复领取",
    SuspicionKind.CONFLICT: "数据矛盾",
}
_CONCLUSIONS = {
    None: "核查中",
    CaseConclusion.UNFOUNDED: "不属实",
    CaseConclusion.FALSE_DEATH: "误报死亡",
    CaseConclusion.CONFIRMED: "属实",
    CaseConclusion.CONFIRMED_NO_OVERPAYMENT: "属实,无多发",
    CaseConclusion.INCONCLUSIVE: "无法查实",
}
LINE_HEAD = ("序号", "案件编号", "疑点类型", "发生日期", "立案日期", "核查结论")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What stands on a village's form."""

    report: Report
    place: str
    suspected: Sequence[ReportLine]
    confirmed: Sequence[ReportLine]


def line_words(place: int, each: ReportLine) -> tuple[str, ...]:
    """A line of a list, as `LINE_HEAD` names it."""
    return (
        str(place),
        str(each.number),
        "停发申请" if each.asked or each.kind is None else _KINDS[each.kind],
        each.event_on.isoformat() if each.event_on else "",
        each.opened_at.astimezone(SHANGHAI).date().isoformat(),
        _CONCLUSIONS[each.conclusion],
    )
