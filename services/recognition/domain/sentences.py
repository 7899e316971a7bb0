"""What a person is told about himself: is he certified, until when, and what he has to do, which is usually nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.recognition.domain.clearings import NOT_SO_OF_WHO_LIVES
from services.recognition.domain.enrolments import Status
from services.recognition.domain.programs import Effect, EndingEvent
from services.recognition.domain.words import REASONS, day, month


class Standing(StrEnum):
    """Where a benefit stands, as its owner is told."""

    CERTIFIED = "certified"
    NOT_YET = "not_yet"
    UNDER_REVIEW = "under_review"
    STOP_INTENDED = "stop_intended"
    SUSPENDED = "suspended"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A stop that was announced or is in effect; `intended` while it is announced."""

    reason: EndingEvent
    effect: Effect
    stops_from: date
    answer_by: date
    intended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Benefit:
    """One of a person's benefits on a day.

    Attributes:
        until: last certified day; None without a certificate.
        task_due_on: day by which a grid member is to come.
        asks_more: its owner asks the person for something besides being alive.
    """

    label: str
    status: Status
    under_review: bool
    until: date | None
    task_due_on: date | None = None
    announced: Announced | None = None
    asks_more: bool = False


def standing(benefit: Benefit, today: date) -> Standing:
    """Where a benefit stands."""
    if benefit.status is Status.TERMINATED:
        return Standing.TERMINATED
    if benefit.status is Status.NOTICE or (benefit.announced and benefit.announced.intended):
        return Standing.STOP_INTENDED
    if benefit.status is Status.SUSPENDED:
        return Standing.SUSPENDED
    if benefit.under_review:
        return Standing.UNDER_REVIEW
    if benefit.until is not None and benefit.until >= today:
        return Standing.CERTIFIED
    return Standing.NOT_YET


def certified(benefits: Sequence[Benefit], today: date) -> bool:
    """Whether a person is certified for every benefit that has not ended; what was given up asks for nothing."""
    return {standing(each, today) for each in benefits} - {Standing.TERMINATED} == {Standing.CERTIFIED}


def about(benefit: Benefit, today: date) -> str:
    """One sentence about one benefit."""
    stop = benefit.announced
    match standing(benefit, today):
        case Standing.CERTIFIED if benefit.until:
            return f"{benefit.label}：已认证，有效期至{day(benefit.until)}。"
        case Standing.STOP_INTENDED if stop:
            word = "停止" if stop.effect is Effect.TERMINATE else "暂停"
            so_far = "目前已暂停发放，现" if benefit.status is Status.SUSPENDED else ""
            return (
                f"{benefit.label}：{so_far}拟从{_since(stop)}{word}发放，原因：{REASONS[stop.reason]}。"
                f"如不符，请在{day(stop.answer_by)}前提出异议，不需要开任何证明。"
            )
        case Standing.SUSPENDED if stop:
            return f"{benefit.label}：已从{_since(stop)}暂停，原因：{REASONS[stop.reason]}。恢复后按规定补发。"
        case Standing.TERMINATED if stop:
            return f"{benefit.label}：已从{_since(stop)}停止，原因：{REASONS[stop.reason]}。如不符，可以提出异议。"
        case Standing.UNDER_REVIEW:
            return f"{benefit.label}：有一条信息正由工作人员核实，不需要您证明什么。"
        case _:
            visit = f"，网格员会在{day(benefit.task_due_on)}前上门" if benefit.task_due_on else ""
            return f"{benefit.label}：暂时没有查到可用于认证的记录{visit}。"


def _since(stop: Announced) -> str:
    return f"{month(stop.stops_from)}起"


def summary(benefits: Sequence[Benefit], today: date) -> str:
    """What a person has to know first; for most people that there is nothing to do."""
    if not benefits:
        return "没有查到您在本平台的待遇记录。如有疑问，请拨打12333。"
    found = {standing(each, today) for each in benefits}
    if Standing.STOP_INTENDED in found:
        return "您有一项待遇拟停发，请核对；如不符，请在期限前提出异议，或要求上门核实。"
    if Standing.UNDER_REVIEW in found:
        return "有一条信息正由工作人员核实，您暂时不需要办理手续，也不需要开任何证明。如有疑问，请拨打12333。"
    if Standing.NOT_YET in found:
        return "我们正在为您查找认证记录，暂时不需要您做什么；您也可以任选一种方式办理，或要求上门。"
    certified = [each for each in benefits if standing(each, today) is Standing.CERTIFIED]
    ends = [each.until for each in certified if each.until]
    # Who reads it lives, for all we know: a stop that says otherwise is something to do.
    held_for_dead = any(each.announced and each.announced.reason in NOT_SO_OF_WHO_LIVES for each in benefits)
    if ends and not held_for_dead:
        return _nothing_until(min(ends), more=any(each.asks_more for each in certified))
    return f"您{'有一项' if ends else '的'}待遇目前没有发放，原因见下。如不符，可以提出异议，或要求上门核实。"


def _nothing_until(end: date, *, more: bool) -> str:
    if more:
        return (
            f"您已通过健在认证，有效期至{day(end)}，其间不用再认证。还要核对收入或残疾等级的待遇，由主管部门另行告知。"
        )
    return f"您无需办理任何手续，有效期至{day(end)}。"
