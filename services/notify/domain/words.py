"""Typed values of a message and how they read in plain Chinese; codes of the platform in the words of an office."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from services.notify.domain.safety import is_safe
from shared.contracts.names import DEPARTMENTS

SUSPICIONS: Final[Mapping[str, str]] = {
    "suspected_death": "疑似死亡",
    "suspected_incarceration": "疑似服刑",
    "suspected_missing": "疑似失踪",
    "duplicate_receipt": "疑似重复领取",
    "conflict": "数据互相矛盾",
}
MATTERS: Final[Mapping[str, str]] = {
    **SUSPICIONS,
    "stop_request": "停发申请",
    "tip": "举报",
    "unplaced_task": "住址不明的上门任务",
}

CONFIDENCES: Final[Mapping[str, str]] = {"hint": "线索", "probable": "较可信", "conclusive": "两个登记相互印证"}

QUARANTINE_REASONS: Final[Mapping[str, str]] = {
    "missing_field": "缺少必填项",
    "bad_citizen_id": "身份证号不成立",
    "bad_check_digit": "身份证号校验位不符",
    "name_mismatch": "姓名与身份证号不符",
    "impossible_date": "日期无法识别",
    "future_date": "日期在未来",
    "wrong_code": "代码不在目录内",
    "not_counted": "按规则不计入",
    "not_a_beneficiary": "不在待遇人员名册",
    "no_citizen_id": "没有身份证号",
    "taken_back": "此前已更正或撤回",
    "uneven_row": "列数与表头不一致",
}

REVOCATIONS: Final[Mapping[str, str]] = {
    "false_evidence": "所依据的数据有误",
    "false_death": "死亡登记有误",
    "death_confirmed": "核实已去世",
    "custody_confirmed": "核实在押",
    "superseded": "已由新的认证取代",
}

CORRECTION_REASONS: Final[Mapping[str, str]] = {
    "false_death": "死亡登记有误",
    "withdrawn": "整批数据已撤回",
    "in_own_words": "见申请",
}

UNNAMED_PROGRAM: Final = "一项待遇"
"""For a program whose label recognition has not yet told: a code must not stand in a notice."""
SAMPLE_PROGRAM: Final = "sample_program"
SAMPLE_LABELS: Final[Mapping[str, str]] = {SAMPLE_PROGRAM: "在乡复员和带病回乡退伍军人定期补助"}
"""A label as long as they get, to measure texts with."""

ENDINGS: Final[Mapping[str, str]] = {
    "death": "登记信息显示已去世",
    "declared_dead": "法院宣告死亡",
    "missing": "长期下落不明",
    "imprisonment": "登记信息显示正在服刑",
    "sentenced_community": "社区矫正",
    "detention": "登记信息显示被羁押",
    "criminal_punishment": "受到刑事处罚",
    "nationality_lost": "国籍发生变化",
    "duplicate_receipt": "重复领取同类待遇",
    "other_pension": "已领取其他养老待遇",
    "employment": "已就业",
    "military_service": "已入伍",
    "work_refused": "多次不接受介绍的工作",
    "moved_away": "户籍已迁出",
    "moved_abroad": "已移居境外",
    "remarriage": "婚姻状况发生变化",
    "adulthood": "已满规定年龄",
    "adoption": "已被依法收养",
    "birth_or_adoption": "子女情况发生变化",
    "parent_found": "父母已取得联系",
    "supporter_found": "已有法定赡养人",
    "ability_regained": "劳动能力已恢复",
    "disability_changed": "残疾等级发生变化",
    "household_extinct": "家庭已无成员",
    "income_changed": "家庭收入发生变化",
    "overdue": "资格认证已到期",
    "own_request": "本人或家属提出申请",
    "false_death": "死亡登记有误",
    "false_evidence": "所依据的数据有误",
    "certified": "资格已重新认证",
    "wrongful_stop": "此前暂停有误",
    "released": "已依法释放",
    "acquitted": "已依法认定无罪",
    "returned": "已重新取得联系",
    "not_so": "经重新核实，情况不符",
    "not_employed": "就业情况发生变化",
    "request_withdrawn": "本人或家属撤回申请",
    "objection_upheld": "异议成立",
    "objection_dismissed": "原处理不变",
    "repaid_in_part": "还有余额待退",
    "repaid_in_full": "已全部退清",
    "written_off": "经批准不再追回",
    "written_off_in_part": "经批准减免一部分",
    "referred_to_administrative_order": "已作出责令退还决定",
    "referred_to_court": "已申请法院强制执行",
    "referred_to_police": "已移送公安机关",
}
"""Why a benefit rests, ends or goes on, in neutral words: a record is named as a record, never as guilt."""

ENDPOINT_STATES: Final[Mapping[str, str]] = {"paused": "已暂停", "disabled": "已停用", "pending": "待校验"}

TASK_REASONS: Final[Mapping[str, str]] = {
    "unmatched": "数据未比对到",
    "suspicion": "疑点核实",
    "sample": "抽查复核",
    "request": "本人申请上门",
    "take_up": "应享未享",
}
TASK_STAGES: Final[Mapping[str, str]] = {
    "member": "网格员",
    "leader": "网格长",
    "assistant": "协管员",
    "town": "乡镇",
}
CASE_PARTIES: Final[Mapping[str, str]] = {"village": "村（社区）核查", "town": "乡镇复核", "agency": "经办机构结论"}
CORRECTION_STATES: Final[Mapping[str, str]] = {"open": "待答复", "accepted": "数据有误，已更正", "refused": "数据无误"}
REPORT_KINDS: Final[Mapping[str, str]] = {"zero": "零报告", "changes": "有变动"}

CONTACT_VALUES: Final[Mapping[str, str]] = {"name": "name", "card": "card_tail"}
"""Variables that come from the sealed contact, with their types."""


def contact_values(contact: Mapping[str, str | None]) -> dict[str, object]:
    """What an opened contact fills in; somebody whose name is not opened is «您»."""
    return {"name": contact.get("name") or "您", "card": contact.get("card_tail")}


_LONG_NUMBER = re.compile(r"\d{7,}")
_LABEL_LENGTH = 30


class ValueShapeError(ValueError):
    """A value that is not of the type its template declares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A type of template variable.

    Attributes:
        read: checks a JSON value and gives its text; raises `ValueShapeError`.
        sample: a JSON value whose text is about as long as texts of this type get.
        named: gives the text of a checked value where labels of programs are needed.
        stored: False for what comes from the sealed contact at sending and is never kept with a message.
    """

    read: Callable[[object], str]
    sample: object
    stored: bool = True
    named: Callable[[object, Mapping[str, str]], str] | None = None

    def text(self, value: object, labels: Mapping[str, str]) -> str:
        """The text of a value, with the labels of programs by code; raises `ValueShapeError`."""
        checked = self.read(value)
        return self.named(value, labels) if self.named else checked


def _date(value: object) -> str:
    try:
        day = date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        day = None
    if day is None:
        msg = "is not a date like 2024-10-31"
        raise ValueShapeError(msg)
    return f"{day.year}年{day.month}月{day.day}日"


def _date_or_unknown(value: object) -> str:
    return "日期不详" if value is None else _date(value)


def _count(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        msg = "is not a whole number"
        raise ValueShapeError(msg)
    return str(value)


def _covered(value: object) -> str:
    return "各项待遇另有条件" if _count(value) == "0" else f"{value}项待遇在此前无需办手续"


def _yuan(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        msg = "is not a whole number of fen"
        raise ValueShapeError(msg)
    yuan, fen = divmod(abs(value), 100)
    return f"{'-' if value < 0 else ''}{yuan}.{fen:02d}元"


def _card_tail(value: object) -> str:
    if value is None:
        return "一卡通"
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}", value):
        msg = "is not the last four digits of a card"
        raise ValueShapeError(msg)
    return f"尾号{value}的一卡通"


def _label(value: object) -> str:
    # A label names a program or an office; a long number in it would be somebody's.
    if not isinstance(value, str) or not 0 < len(value) <= _LABEL_LENGTH or _LONG_NUMBER.search(value):
        msg = f"is not a label of at most {_LABEL_LENGTH} characters without long numbers"
        raise ValueShapeError(msg)
    if not is_safe(value):
        msg = "must neither lead to a page nor speak of codes, passwords, card or id numbers"
        raise ValueShapeError(msg)
    return value


def _programs(value: object) -> str:
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        msg = "is not a list of programs"
        raise ValueShapeError(msg)
    return UNNAMED_PROGRAM if len(value) == 1 else f"{len(value)}项待遇"


def _named_programs(value: object, labels: Mapping[str, str]) -> str:
    assert isinstance(value, list), "read before"
    known = next((labels[code] for code in value if code in labels), None)
    if known is None:
        return _programs(value)
    return known if len(value) == 1 else f"{known}等{len(value)}项待遇"


def _every_program(value: object, labels: Mapping[str, str]) -> str:
    assert isinstance(value, list), "read before"
    known = [labels[code] for code in value if code in labels]
    unknown = len(value) - len(known)
    if not known:
        return _programs(value)
    return "、".join(known) + (f"和另外{unknown}项待遇" if unknown else "")


def _ending(value: object) -> str:
    if not isinstance(value, str):
        msg = "is not text"
        raise ValueShapeError(msg)
    if known := ENDINGS.get(value):
        return known
    # An officer may have written the reason in his own words. What must not stand in a notice, a code nobody knows yet
    # among it, must not keep the notice from its person either.
    own = not value.isascii() and len(value) <= _LABEL_LENGTH and not _LONG_NUMBER.search(value) and is_safe(value)
    return value if own else "情况发生变化"


def _code_or_text(value: object) -> str:
    # Messages of an older version hold a sentence; it is kept short, and a long number in it would be somebody's.
    if not isinstance(value, str):
        msg = "is not text"
        raise ValueShapeError(msg)
    if known := CORRECTION_REASONS.get(value):
        return known
    return (_LONG_NUMBER.sub("…", value)[:_LABEL_LENGTH] or "未说明") if is_safe(value) else "见申请"


def _month(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", value):
        msg = "is not a month like 2023-11"
        raise ValueShapeError(msg)
    year, month = value.split("-")
    return f"{year}年{int(month)}月"


def _amount(value: object) -> str:
    return "金额待核定" if value is None else _yuan(value)


def _deadline(value: object) -> str:
    return "收到后尽快" if value is None else f"{_date(value)}前"


def _name(value: object) -> str:
    if not isinstance(value, str) or not value:
        msg = "is not a name"
        raise ValueShapeError(msg)
    return value


def _word(words: Mapping[str, str]) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(r"[a-z][a-z0-9_:]{0,60}", value):
            msg = "is not a code"
            raise ValueShapeError(msg)
        # A code newer than this list still reads, as its code.
        return words.get(value, value)

    return read


def _longest(words: Mapping[str, str]) -> str:
    return max(words, key=lambda code: len(words[code]))


WITH_ROOM: Final[Mapping[str, str]] = {"programs": "every_program"}
"""Types that read at length where a text may be long: who is to answer must know what for."""

KINDS: Final[Mapping[str, Kind]] = {
    "name": Kind(read=_name, sample="欧阳建国", stored=False),
    "date": Kind(read=_date, sample="2024-12-31"),
    "date_or_unknown": Kind(read=_date_or_unknown, sample="2024-12-31"),
    "count": Kind(read=_count, sample=12345),
    "covered": Kind(read=_covered, sample=12345),
    "yuan": Kind(read=_yuan, sample=1234567),
    "card_tail": Kind(read=_card_tail, sample="6789", stored=False),
    "amount": Kind(read=_amount, sample=1234567),
    "deadline": Kind(read=_deadline, sample="2024-12-31"),
    "programs": Kind(read=_programs, sample=[SAMPLE_PROGRAM] * 99, named=_named_programs),
    "every_program": Kind(read=_programs, sample=[SAMPLE_PROGRAM] * 5, named=_every_program),
    "ending": Kind(read=_ending, sample=_longest(ENDINGS)),
    "label": Kind(read=_label, sample="城乡居民基本养老保险待遇"),
    "department": Kind(read=_word(DEPARTMENTS), sample=_longest(DEPARTMENTS)),
    "suspicion": Kind(read=_word(SUSPICIONS), sample=_longest(SUSPICIONS)),
    "matter": Kind(read=_word(MATTERS), sample=_longest(MATTERS)),
    "confidence": Kind(read=_word(CONFIDENCES), sample=_longest(CONFIDENCES)),
    "quarantine_reason": Kind(read=_word(QUARANTINE_REASONS), sample=_longest(QUARANTINE_REASONS)),
    "revocation": Kind(read=_word(REVOCATIONS), sample=_longest(REVOCATIONS)),
    "endpoint_state": Kind(read=_word(ENDPOINT_STATES), sample=_longest(ENDPOINT_STATES)),
    "task_reason": Kind(read=_word(TASK_REASONS), sample=_longest(TASK_REASONS)),
    "task_stage": Kind(read=_word(TASK_STAGES), sample=_longest(TASK_STAGES)),
    "case_party": Kind(read=_word(CASE_PARTIES), sample=_longest(CASE_PARTIES)),
    "correction_status": Kind(read=_word(CORRECTION_STATES), sample=_longest(CORRECTION_STATES)),
    "report_kind": Kind(read=_word(REPORT_KINDS), sample=_longest(REPORT_KINDS)),
    "month": Kind(read=_month, sample="2023-12"),
    "code_or_text": Kind(read=_code_or_text, sample="死亡登记与住院记录互相矛盾"),
    "code": Kind(read=_word({}), sample="medins_remote_inpatient"),
}
"""Every type a template may declare, by the word it is declared with."""
