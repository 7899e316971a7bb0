"""Words for looks at people: what was seen, and how a person reads who looked at him."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Seen(StrEnum):
    """What somebody was told or shown."""

    PERSON = "person"
    VISIT = "visit"
    CASE = "case"
    PHOTO = "photo"
    STOP_REQUEST = "stop_request"
    TIP = "tip"
    LOG = "log"


HIDDEN: Final = frozenset({Seen.TIP})
"""What the person is not told: whoever reads that a tip was opened knows that somebody reported him."""

ACTIONS: Final[Mapping[Seen, str]] = {
    Seen.PERSON: "查看姓名和联系电话",
    Seen.VISIT: "查看入户走访记录",
    Seen.CASE: "查看核查记录",
    Seen.PHOTO: "查看入户走访照片",
    Seen.STOP_REQUEST: "查看停发申请",
    Seen.LOG: "查阅访问日志",
}
PURPOSES: Final[Mapping[Seen, str]] = {
    Seen.PERSON: "上门走访",
    Seen.VISIT: "复核走访情况",
    Seen.CASE: "核查资格",
    Seen.PHOTO: "复核走访情况",
    Seen.STOP_REQUEST: "办理停发申请",
    Seen.LOG: "审计监督",
}
_WHO: Final[Mapping[str, str]] = {
    "grid_worker": "网格员",
    "grid_leader": "网格长",
    "village": "村（居）委会",
    "officer": "经办机构",
    "auditor": "审计人员",
    "operator": "平台运维人员",
}


def who(role: str, *, for_member: bool) -> str:
    """Which kind of people looked; never who.

    Args:
        role: of the token.
        for_member: a back end asked for a member it had before it.
    """
    return _WHO["grid_worker"] if for_member else _WHO.get(role, "平台")
