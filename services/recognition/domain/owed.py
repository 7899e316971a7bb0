"""What officers read beside a stop that may be lifted: which months its lifting pays back, and why."""

from collections.abc import Mapping
from typing import Final

from services.recognition.domain.programs import ArrearsRule, SuspensionReason

_FROM_ITS_END: Final = (
    "停发事由存续期间不补，自其结束（passed_on）次月起补发；本人申请恢复（requested_on）更晚的，自申请次月起"
)
_MONTHS: Final[Mapping[ArrearsRule, str]] = {
    ArrearsRule.ALL: "自停发首月起全部补发",
    ArrearsRule.ALL_WITH_INCREASES: "自停发首月起连同其间增加部分全部补发",
    ArrearsRule.FROM_REQUEST: "自要求恢复（requested_on）当月起补发，此前不补",
    ArrearsRule.NONE: _FROM_ITS_END,
    ArrearsRule.REFUND: _FROM_ITS_END,
}
_WHO: Final[Mapping[SuspensionReason, str]] = {
    SuspensionReason.OVERDUE: "已通过认证的",
    SuspensionReason.IMPRISONMENT: "已获释的",
    SuspensionReason.DETAINED_ACQUITTED: "认定无罪的",
    SuspensionReason.DETAINED_CONVICTED: "判刑后获释的",
    SuspensionReason.MISSING_RETURNED: "已返回的",
    SuspensionReason.MISSING_DECLARED_DEAD: "被宣告死亡的",
    SuspensionReason.FALSE_DEATH: "本人健在的",
    SuspensionReason.NOT_CONFIRMED: "原认定不成立的",
    SuspensionReason.EMPLOYED: "不再就业的",
    SuspensionReason.OWN_REQUEST: "撤回停发申请的",
}


def owed_words(rules: Mapping[SuspensionReason, ArrearsRule]) -> str:
    """From which month what is owed, by the rule of the program for each reason a stop may be lifted for."""
    who: dict[str, list[str]] = {}
    for reason, rule in rules.items():
        who.setdefault(_MONTHS[rule], []).append(_WHO[reason])
    return "；".join(f"{'、'.join(names)}，{months}" for months, names in who.items())
