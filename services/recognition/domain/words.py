"""Codes of the platform in the plain Chinese a citizen reads: no office's jargon, never a place or an illness."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from services.recognition.domain.programs import EndingEvent
from shared.contracts.names import DEPARTMENTS
from shared.contracts.vocabulary import Channel

CHANNELS: Final[Mapping[Channel, str]] = {
    Channel.DATA: "数据比对",
    Channel.FACE: "人脸自助认证",
    Channel.COUNTER: "窗口认证",
    Channel.HOME: "上门认证",
    Channel.REMOTE: "远程视频或异地协助认证",
    Channel.PARTNER: "其他部门认证",
}

REASONS: Final[Mapping[EndingEvent, str]] = {
    EndingEvent.DEATH: "登记为已去世",
    EndingEvent.DECLARED_DEAD: "法院宣告死亡",
    EndingEvent.MISSING: "下落不明",
    EndingEvent.IMPRISONMENT: "服刑",
    EndingEvent.SENTENCED_COMMUNITY: "社区矫正",
    EndingEvent.DETENTION: "被羁押",
    EndingEvent.CRIMINAL_PUNISHMENT: "受刑事处罚",
    EndingEvent.NATIONALITY_LOST: "丧失国籍",
    EndingEvent.DUPLICATE_RECEIPT: "重复领取",
    EndingEvent.OTHER_PENSION: "已领取其他养老待遇",
    EndingEvent.EMPLOYMENT: "已就业",
    EndingEvent.MILITARY_SERVICE: "服兵役",
    EndingEvent.WORK_REFUSED: "无正当理由不接受介绍的工作",
    EndingEvent.MOVED_AWAY: "户籍迁出",
    EndingEvent.MOVED_ABROAD: "移居境外",
    EndingEvent.REMARRIAGE: "再婚",
    EndingEvent.ADULTHOOD: "已满年龄",
    EndingEvent.ADOPTION: "被收养",
    EndingEvent.BIRTH_OR_ADOPTION: "再生育或收养",
    EndingEvent.PARENT_FOUND: "父母已找到",
    EndingEvent.SUPPORTER_FOUND: "有了赡养或扶养人",
    EndingEvent.ABILITY_REGAINED: "恢复劳动能力",
    EndingEvent.DISABILITY_CHANGED: "残疾情况变化",
    EndingEvent.INCOME_CHANGED: "收入变化",
    EndingEvent.HOUSEHOLD_EXTINCT: "户内已无成员",
    EndingEvent.OVERDUE: "到期未完成资格认证",
    EndingEvent.OWN_REQUEST: "本人申请停发",
}

ACTIONS: Final[Mapping[str, str]] = {
    "check": "发放前核对资格",
    "batch": "发放前批量核对资格",
    "job": "发放前批量核对资格",
    "payrun": "核对发放名单",
    "certificate": "查看认证结果",
    "certify": "提交认证结果",
    "counter": "在窗口为您办理认证",
    "cycle": "查看资格认证进度",
    "grace": "办理认证延期",
    "revocation": "更正认证结果",
    "history": "查看办理经过",
    "proposal": "经办拟停发事项",
    "decision": "经办停发决定",
    "overpayment": "办理多发待遇退还",
    "objection": "办理您的异议",
    "second_place": "核实两处领取待遇",
}
"""What somebody did who looked; what is not here reads as a look."""

PURPOSES: Final[Mapping[str, str]] = {
    "benefit_payment": "发放待遇",
    "payment": "发放待遇",
    "review": "核查资格",
    "audit": "审计监督",
    "objection": "处理您的异议",
    "complaint": "处理投诉",
}
"""Common purpose codes; another one is shown as its program's business."""

OTHER_WAYS: Final = (
    "不做任何操作：我们会先用您日常办事的数据为您认证",
    "请家人帮助您完成",
    "申请网格员上门",
    "到任一社保窗口或村（社区）服务点办理，不限户籍地",
    "通过视频由工作人员确认",
    "拨打12333咨询",
)
"""Ways of being certified beside a face; the face is never the only one (人脸识别技术应用安全管理办法)."""


def department(slug: str | None) -> str:
    """Name of a department; the platform itself where there is none."""
    return DEPARTMENTS.get(slug, "其他部门") if slug else "本平台"


def day(when: date) -> str:
    """A day as people write it."""
    return f"{when.year}年{when.month}月{when.day}日"


def month(when: date) -> str:
    """A month as people write it."""
    return f"{when.year}年{when.month}月"


def yuan(fen: int) -> str:
    """An amount as people read it."""
    return f"{fen // 100:,}.{fen % 100:02d}元"
