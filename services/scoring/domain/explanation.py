"""Explaining an opinion: what counted how much, what is missing, in an officer's and in a citizen's words.

A citizen reads classes and months only: never a place, an illness, or who delivered what.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np

from services.scoring.domain.assessment import assess
from services.scoring.domain.classes import class_of, department_label, labels_of, source_label
from services.scoring.domain.negatives import COMMUNITY_SENTENCE, Suspicion
from services.scoring.domain.opinions import (
    CERTIFIABLE,
    DECISIONS,
    INSUFFICIENT,
    LEVELS,
    STRENGTHS,
    SUSPECTED,
    Opinions,
)
from services.scoring.domain.outlook import Outlook, outlook
from services.scoring.domain.rules import RuleSet
from services.scoring.domain.signals import Kind, Origins, Signals, day_of
from services.scoring.domain.standing import standing
from services.scoring.domain.weighing import MILLI, Combination, Scale, Strongest, newest_strong, positive_rows, weigh
from shared.contracts.vocabulary import Confidence, Decision, Level, Strength, SuspicionKind

_KIND_WORDS = {
    SuspicionKind.DEATH: "疑似死亡",
    SuspicionKind.INCARCERATION: "疑似服刑",
    SuspicionKind.MISSING: "疑似失踪",
    SuspicionKind.DUPLICATE_RECEIPT: "疑似重复领取",
    SuspicionKind.CONFLICT: "数据相互矛盾",
}
_CONFIDENCE_WORDS = {
    Confidence.HINT: "线索",
    Confidence.PROBABLE: "较可信",
    Confidence.CONCLUSIVE: "两个独立部门相互印证",
}
_REASON_WORDS = {
    "death_registered": "死亡登记",
    "death_in_hospital": "住院病案载明死亡",
    "declared_dead": "法院宣告死亡",
    "in_custody": "在押记录",
    "sentenced_custody": "判处监禁刑",
    "detained": "被羁押,尚无判决",
    "declared_missing": "法院宣告失踪",
    "seen_in_person_after": "此后仍有本人到场记录",
    "card_used_after": "此后仍有持卡记录",
    "seen_in_person_since": "此后有本人到场记录",
    "unidentified_record": "一条没有身份证号的死亡记录可能指向本人,此后未见本人任何记录",
    "evidence_no_longer_counts": "所依据的记录已更正或不再成立",
    "hypothesis:false_death": "可能一:本人健在,死亡登记有误",
    "hypothesis:card_use_after_death": "可能二:本人已故,证卡被他人使用",
    "hypothesis:reappeared": "可能一:本人已重新出现",
    "hypothesis:card_use_by_other": "可能二:证卡被他人使用",
}
_NEEDS = {
    "points": ("分值", "分"),
    "sources": ("数据来源", "个"),
    "departments": ("提供部门", "个"),
    "days": ("不同日期", "天"),
    "recent": ("最近记录距今", "天"),
}
_DATA_ONLY = "以下只看各部门数据;上门、窗口、刷脸等方式的认证不在其中,是否已认证另见认证记录。"
_NUMERALS = "零一两三四五六七八九十"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeakLine:
    """What one weak source gave; `days` on which the records lie that gave it, newest first."""

    source: str
    label: str
    department: str
    records: int
    points: float
    cap: int
    days: tuple[date, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One condition of the combination: what there is, what is needed, whether it is met."""

    what: str
    have: float
    need: float
    met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StrongLine:
    """The newest strong act."""

    source: str
    department: str
    occurred_on: date
    evidence_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What more would do: an example, its sources for the officer, their classes for the person himself."""

    example: str = ""
    sources: tuple[str, ...] = ()
    classes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """An opinion with everything that led to it.

    Attributes:
        officer: sentences for the officer.
        citizen: sentences for the person himself.
    """

    level: Level
    decision: Decision
    strength: Strength | None
    as_of: date | None
    valid_months: int | None
    reasons: tuple[str, ...]
    strong: StrongLine | None
    weak: tuple[WeakLine, ...]
    needs: tuple[Need, ...]
    officer: tuple[str, ...]
    citizen: tuple[str, ...]


def explain(signals: Signals, origins: Origins, scale: Scale) -> Explanation:
    """The explanation of the opinion of the one person in `signals`."""
    opinion = assess(signals, origins, scale)
    told, signals = signals, standing(signals, origins)
    seen = positive_rows(signals, scale)
    strongest = newest_strong(signals, scale, seen)
    weak = weigh(signals, scale, seen, np.ones(signals.people, dtype=bool))
    strong = _strong_line(signals, origins, strongest)
    lines, needs = _weak_lines(signals, origins, scale, weak), _needs(scale, weak)
    wanted = _Wanted()
    if opinion.decision[0] == INSUFFICIENT and len(weak.origin):
        lacking = int(weak.departments[0]) < scale.rules.thresholds.departments
        wanted = _would_do(outlook(told, origins, scale, weak), scale.rules, departments=lacking)
    strength = STRENGTHS[int(opinion.strength[0])]
    records = _Told(signals=signals, origins=origins, rules=scale.rules)
    return Explanation(
        level=LEVELS[int(opinion.level[0])],
        decision=DECISIONS[int(opinion.decision[0])],
        strength=strength,
        as_of=day_of(opinion.as_of[0]) if opinion.as_of[0] else None,
        valid_months=int(opinion.valid_months[0]) or None,
        reasons=tuple(opinion.reasons_of(0)),
        strong=strong,
        weak=lines,
        needs=needs,
        officer=tuple(_officer(opinion, records, strong, lines, needs, wanted)),
        citizen=tuple(_citizen(opinion, needs, wanted)),
    )


def _strong_line(signals: Signals, origins: Origins, strongest: Strongest) -> StrongLine | None:
    row = int(strongest.row[0])
    if row < 0:
        return None
    origin = origins.items[int(signals.origin[row])]
    return StrongLine(
        source=origin.source,
        department=origin.department,
        occurred_on=day_of(signals.day[row]),
        evidence_id=int(signals.evidence[row]),
    )


def _weak_lines(signals: Signals, origins: Origins, scale: Scale, weak: Combination) -> tuple[WeakLine, ...]:
    lines, days = [], dict[str, set[int]]()
    for number, day in zip(signals.origin[weak.row].tolist(), signals.day[weak.row].tolist(), strict=True):
        days.setdefault(origins.items[number].source, set()).add(day)
    for number, given, counted in zip(weak.origin.tolist(), weak.given.tolist(), weak.counted.tolist(), strict=True):
        origin = origins.items[number]
        worth = scale.rules.worth_of(origin.source, strong=origin.strong)
        lines.append(
            WeakLine(
                source=origin.source,
                label=worth.label,
                department=origin.department,
                records=counted,
                points=given / MILLI,
                cap=worth.cap,
                days=tuple(day_of(day) for day in sorted(days.get(origin.source, ()), reverse=True)),
            )
        )
    return tuple(sorted(lines, key=lambda each: (-each.points, each.source)))


def _needs(scale: Scale, weak: Combination) -> tuple[Need, ...]:
    limits = scale.rules.thresholds
    age = scale.until - int(weak.newest[0])
    counts = (
        ("points", int(weak.points[0]) / MILLI, limits.points),
        ("sources", int(weak.sources[0]), limits.sources),
        ("departments", int(weak.departments[0]), limits.departments),
        ("days", int(weak.days[0]), limits.days),
    )
    needs = [Need(what=what, have=have, need=need, met=have >= need) for what, have, need in counts]
    if weak.newest[0]:
        needs.append(Need(what="recent", have=age, need=limits.newest_days, met=age <= limits.newest_days))
    return tuple(needs)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """By which rules a person's records are told, and which of them a suspicion rests on."""

    signals: Signals
    origins: Origins
    rules: RuleSet

    def rests_on(self, found: Suspicion) -> str:
        """The sources of a suspicion; of a contradiction those after the event, for the event has its own suspicion."""
        if found.kind is not SuspicionKind.CONFLICT:
            return f"来源:{_labels(found.sources)}。"
        rows = np.flatnonzero((self.signals.kind == Kind.SEEN) & np.isin(self.signals.evidence, found.evidence))
        seen = [
            (self.origins.items[origin], full)
            for origin, full in zip(self.signals.origin[rows].tolist(), self.signals.full[rows].tolist(), strict=True)
        ]
        strong = {each.source for each, full in seen if each.strong and full}
        weak = {each.source for each, _ in seen} - strong
        said = f"本人到场的记录来自:{_labels(strong)}。" if strong else ""
        return said + (f"本人未必到场、不能证明在世的记录来自:{_labels(weak)}。" if weak else "")


def _labels(sources: Iterable[str]) -> str:
    return "、".join(source_label(each) for each in sorted(sources))


def _officer(
    opinion: Opinions,
    told: _Told,
    strong: StrongLine | None,
    lines: tuple[WeakLine, ...],
    needs: tuple[Need, ...],
    wanted: _Wanted,
) -> list[str]:
    said = [f"适用规则:{told.rules.label}({told.rules.name})。{_DATA_ONLY}"]
    if taken := opinion.unfounded.get(0):
        said.append(f"有 {len(taken)} 条记录已被提供部门更正,或没有身份证号、仅作线索,均不计入分值。")
    for found in opinion.suspicions.get(0, ()):
        words = [_REASON_WORDS.get(reason) or _dated(reason) for reason in found.reasons]
        said.append(
            f"{_KIND_WORDS[found.kind]}({_CONFIDENCE_WORDS[found.confidence]}),事件日期 {found.event_on.isoformat()}:"
            f"{';'.join(words)}。{told.rests_on(found)}须由人工核查,系统不作停发决定。"
        )
    if COMMUNITY_SENTENCE in opinion.reasons_of(0):
        said.append("有社区服刑(社区矫正、缓刑等)记录:不影响领取资格,服刑期间待遇照发、不参加调整。")
    if opinion.decision[0] == SUSPECTED:
        return said
    if strong:
        when, what = strong.occurred_on.isoformat(), source_label(strong.source)
        act = f"{department_label(strong.department)} {when} 的强认证数据({what})"
        return [*said, f"{act}单独即可认定。"]
    said += [
        f"{department_label(each.department)}“{each.label}”计 {each.records} 次,"
        f"得 {each.points:.1f} 分(上限 {each.cap} 分)。"
        for each in lines
    ]
    verdict = _verdict(opinion, needs, wanted.example)
    return [*said, *(_need_sentence(each) for each in needs), *wanted.sources, verdict]


def _dated(reason: str) -> str:
    code, _, value = reason.partition(":")
    words = {
        "registers_agree": "登记日期相差 {} 天",
        "dates_disagree": "登记日期不一致,相差 {} 天",
        "date_disagrees": "另有登记日期 {},与此不符",
        "released": "已于 {} 释放",
        "served_outside": "{} 起已不在押(社区服刑)",
    }
    return words[code].format(value) if code in words else reason


def _need_sentence(need: Need) -> str:
    name, unit = _NEEDS[need.what]
    bound = "不超过" if need.what == "recent" else "不少于"
    return f"{name} {need.have:g} {unit},要求{bound} {need.need:g} {unit}:{'符合' if need.met else '不符合'}。"


def _verdict(opinion: Opinions, needs: tuple[Need, ...], wanted: str) -> str:
    if opinion.decision[0] == CERTIFIABLE:
        return f"弱认证数据组合达到要求,有效期不超过 {int(opinion.valid_months[0])} 个月。"
    if not any(each.have for each in needs):
        return "近期没有可用的数据,需要其他方式认证。"
    short = {each.what: each for each in needs if not each.met}
    beside = []
    if "points" in short:
        beside.append(f"合计至少再增加 {math.ceil(short['points'].need - short['points'].have)} 分")
    if "recent" in short:
        beside.append(f"其中一条在最近 {short['recent'].need:g} 天以内")
    return f"尚缺:{wanted}" + (f";{','.join(beside)}" if beside else "") + "。"


def _would_do(found: Outlook | None, rules: RuleSet, *, departments: bool) -> _Wanted:
    """What more would do, as an example that has been tried; `departments` where too few have given anything.

    A record of another department is one of another source too.
    """
    if found is None:
        return _Wanted(example="需有更多来源的近期记录")
    beside = [f"另外{_counted(found.departments)}个部门"] if departments and found.departments else []
    if found.sources > (found.departments if beside else 0):
        beside.append(f"另外{_counted(found.sources)}个来源")
    said = f"例如再有{_counted(found.days)}天共{_counted(len(found.records))}条记录即可"
    counts = Counter(source for source, _ in found.records)
    named = [f"“{rules.worth_of(each, strong=False).label}”{count} 条" for each, count in sorted(counts.items())]
    bits = sum({1 << class_of(each) for each in found.given_by.values()})
    return _Wanted(
        example=said + (f"(其中有{'、'.join(beside)}的)" if beside else ""),
        sources=(f"所举例的记录:{'、'.join(named)}。",),
        classes=f"举例的是“{'、'.join(labels_of(bits))}”类记录。",
    )


def _counted(number: int) -> str:
    return _NUMERALS[number] if number < len(_NUMERALS) else str(number)


def _citizen(opinion: Opinions, needs: tuple[Need, ...], wanted: _Wanted) -> list[str]:
    if opinion.decision[0] == SUSPECTED:
        return ["您的认证情况需要工作人员进一步核实,核实期间不会由系统自动停发待遇。如有疑问,可向经办机构说明情况。"]
    if opinion.decision[0] == CERTIFIABLE:
        month = day_of(opinion.as_of[0])
        classes = "、".join(labels_of(int(opinion.classes[0])))
        return [f"根据您 {month.year} 年 {month.month} 月的“{classes}”类记录,已为您完成认证,您无需办理任何手续。"]
    ways = (
        "这里只看数据:如您近期已经刷脸、到窗口或由工作人员上门认证,以认证记录为准,不必再办;"
        "否则您可以刷脸自助认证、到窗口办理,或等待工作人员上门,任选一种即可。"
    )
    if not any(each.have for each in needs):
        return [f"目前没有可以为您自动完成认证的数据。{ways}"]
    return [f"目前的数据还不足以为您自动完成认证:{wanted.example}。{wanted.classes}{ways}"]
