"""Typed values of a message and how they read in plain Chinese; codes of the platform in the words of an office."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

DEPARTMENTS: Final[Mapping[str, str]] = {
    "hrss": "人社局",
    "data_bureau": "数据资源管理局",
    "medins": "医保局",
    "health": "卫健委",
    "civil": "民政局",
    "police": "公安局",
    "transport": "交通运输局",
    "rail": "铁路部门",
    "air": "民航部门",
    "culture_tourism": "文化和旅游局",
    "justice": "司法局",
    "court": "中级人民法院",
    "prison": "省监狱管理局",
    "veterans": "退役军人局",
    "cdpf": "残疾人联合会",
    "hpf": "公积金中心",
    "natres": "自然资源局",
    "housing": "住建局",
    "tax": "税务局",
    "market": "市场监管局",
    "agri": "农业农村局",
    "rural": "乡村振兴局",
    "edu": "教育局",
    "finance": "财政局",
    "bank": "人民银行及合作银行",
    "telecom": "通信管理办及运营商",
    "organization": "组织部",
    "water": "水利局",
}

SUSPICIONS: Final[Mapping[str, str]] = {
    "suspected_death": "疑似死亡",
    "suspected_incarceration": "疑似服刑",
    "suspected_missing": "疑似失踪",
    "duplicate_receipt": "疑似重复领取",
    "conflict": "数据互相矛盾",
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
}

REVOCATIONS: Final[Mapping[str, str]] = {
    "false_evidence": "所依据的数据有误",
    "false_death": "死亡登记有误",
    "death_confirmed": "核实已去世",
    "custody_confirmed": "核实在押",
    "superseded": "已由新的认证取代",
}

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
        stored: False for what comes from the sealed contact at sending and is never kept with a message.
    """

    read: Callable[[object], str]
    sample: object
    stored: bool = True


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


def _yuan(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        msg = "is not a whole number of fen"
        raise ValueShapeError(msg)
    yuan, fen = divmod(abs(value), 100)
    return f"{'-' if value < 0 else ''}{yuan}.{fen:02d}元"


def _card_tail(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}", value):
        msg = "is not the last four digits of a card"
        raise ValueShapeError(msg)
    return value


def _label(value: object) -> str:
    # A label names a program or an office; a long number in it would be somebody's.
    if not isinstance(value, str) or not 0 < len(value) <= _LABEL_LENGTH or _LONG_NUMBER.search(value):
        msg = f"is not a label of at most {_LABEL_LENGTH} characters without long numbers"
        raise ValueShapeError(msg)
    return value


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


KINDS: Final[Mapping[str, Kind]] = {
    "name": Kind(read=_name, sample="欧阳建国", stored=False),
    "date": Kind(read=_date, sample="2024-12-31"),
    "date_or_unknown": Kind(read=_date_or_unknown, sample="2024-12-31"),
    "count": Kind(read=_count, sample=12345),
    "yuan": Kind(read=_yuan, sample=1234567),
    "card_tail": Kind(read=_card_tail, sample="6789"),
    "label": Kind(read=_label, sample="城乡居民基本养老保险待遇"),
    "department": Kind(read=_word(DEPARTMENTS), sample=_longest(DEPARTMENTS)),
    "suspicion": Kind(read=_word(SUSPICIONS), sample=_longest(SUSPICIONS)),
    "confidence": Kind(read=_word(CONFIDENCES), sample=_longest(CONFIDENCES)),
    "quarantine_reason": Kind(read=_word(QUARANTINE_REASONS), sample=_longest(QUARANTINE_REASONS)),
    "revocation": Kind(read=_word(REVOCATIONS), sample=_longest(REVOCATIONS)),
    "code": Kind(read=_word({}), sample="medins_remote_inpatient"),
}
"""Every type a template may declare, by the word it is declared with."""
