"""Weighing negative evidence of one person: what may have ended, how sure it is, and what speaks against it.

Negatives are few, so a person is judged by himself, in words a jurist can follow. Nothing here stops a payment: the
strongest outcome is a suspicion that people look into.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations

from services.scoring.domain.rules import Negatives, RuleSet, window_start
from services.scoring.domain.signals import BY_PEOPLE, Kind, day_number, day_of
from shared.contracts.vocabulary import Confidence, SuspicionKind

COMMUNITY_SENTENCE = "community_sentence"
_DEATHS = frozenset({Kind.DIED, Kind.HOSPITAL_DEATH, Kind.DECLARED_DEAD})
_CUSTODY = frozenset({Kind.CUSTODY, Kind.SENTENCED_CUSTODY, Kind.DETAINED})
_ORDER = (Confidence.HINT, Confidence.PROBABLE, Confidence.CONCLUSIVE)
_WORDS = {
    Kind.DIED: "death_registered",
    Kind.HOSPITAL_DEATH: "death_in_hospital",
    Kind.DECLARED_DEAD: "declared_dead",
    Kind.CUSTODY: "in_custody",
    Kind.SENTENCED_CUSTODY: "sentenced_custody",
    Kind.DETAINED: "detained",
    Kind.DECLARED_MISSING: "declared_missing",
    Kind.HINT: "unidentified_record",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One signal of the judged person; `monthly` when its day only tells the month, `candidates` whom it may mean."""

    kind: Kind
    day: int
    source: str
    department: str
    strong: bool
    full: bool
    monthly: bool
    evidence: int
    candidates: int = 1

    @property
    def concluded(self) -> int:
        """When people concluded it, to compare it with other conclusions; 0 where they did not, or nobody knows."""
        return max(-self.evidence, 0) if self.source in BY_PEOPLE else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """Something that may have ended the right to a benefit; neutral until people have looked.

    Attributes:
        kind: what it may be.
        confidence: weight of the evidence for it.
        event_on: of the event, by the registers that agree; the earliest where none do.
        evidence: ids of the evidence, ascending.
        sources: codes of the sources, ascending.
        reasons: reason codes.
        episode: how often people were done with this kind before: they refuted it, or what they confirmed has ended.
            Whatever comes then is a new suspicion.
        blocks: whether it keeps a machine from certifying.
    """

    kind: SuspicionKind
    confidence: Confidence
    event_on: date
    evidence: tuple[int, ...]
    sources: tuple[str, ...]
    reasons: tuple[str, ...]
    episode: int
    blocks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All suspicions of a person, and notes that go beside an opinion without changing it.

    Only whoever is known by more than positive evidence is judged, or has reported to who watches over a sentence.
    """

    suspicions: tuple[Suspicion, ...]
    notes: tuple[str, ...]

    @property
    def blocks(self) -> bool:
        """Whether a machine may not certify this person now."""
        return any(each.blocks for each in self.suspicions)


def judge(sightings: Sequence[Sighting], rules: RuleSet, today: date) -> Judgement:
    """What the signals of one person, known by `today`, make people look into."""
    death = _death(sightings, rules.negatives, today)
    missing = _missing(sightings, rules.negatives)
    custody = _custody(sightings, rules, today)
    against = _contradiction(sightings, rules.negatives)
    # Nobody says when a sentence is served: whoever still serves one reports again and again.
    recent = day_number(window_start(today, rules.window_months))
    community = any(each.day > recent and _in_community(each, rules.negatives) for each in sightings)
    notes = (COMMUNITY_SENTENCE,) if community else ()
    found = tuple(each for each in (death, missing, custody, against) if each is not None)
    return Judgement(suspicions=found, notes=notes)


def _standing(sightings: Iterable[Sighting], kinds: frozenset[Kind], refutation: Kind) -> tuple[list[Sighting], int]:
    """Negatives that people have not refuted, and how often they had when they found what stands of them."""
    refutations = [each for each in sightings if each.kind is refutation]
    left = [
        each for each in sightings if each.kind in kinds and not any(_outweighs(other, each) for other in refutations)
    ]
    latest = max((each.concluded for each in left), default=0)
    # Each department that hears late of an old error says so again: what people have found since is no other matter.
    return left, _conclusions(each for each in refutations if not 0 < latest < each.concluded)


def _outweighs(refutation: Sighting, record: Sighting) -> bool:
    """Whether a refutation speaks of a record: of what happened up to its day, whoever says so, and of nothing later.

    What people concluded after it stands, whatever day it names: who was taken for his brother in September may have
    died in August. One that is about a death without a day speaks of those without a day.
    """
    if refutation.concluded and record.concluded > refutation.concluded:
        return False
    undated = record.source in BY_PEOPLE and not record.strong and not refutation.strong
    return record.day <= refutation.day or undated


def _conclusions(facts: Iterable[Sighting]) -> int:
    """How many there were: two of one day are two, for people may have concluded otherwise between them."""
    return len({(each.day, each.concluded) for each in facts})


def _death(sightings: Sequence[Sighting], weights: Negatives, today: date) -> Suspicion | None:
    records, episode = _standing(sightings, _DEATHS, Kind.REFUTED_DEATH)
    records += _unidentified(sightings, weights, today)
    if not records:
        return None
    agreeing, reasons = _agreeing(records, weights), _words(records)
    confidence = weights.agreement if agreeing else _best(_confidence(each, weights) for each in records)
    if agreeing:
        reasons.append(f"registers_agree:{min(_apart(agreeing))}")
        outliers = {each.day for each in _registers(records)} - {each.day for each in agreeing}
        reasons += [f"date_disagrees:{day_of(day).isoformat()}" for day in sorted(outliers)]
    elif apart := _apart(_registers(records)):
        reasons.append(f"dates_disagree:{max(apart)}")
    dated_by = _dating(records, weights)
    return _suspicion(SuspicionKind.DEATH, confidence, dated_by, records, reasons=reasons, episode=episode, blocks=True)


def _dating(records: Sequence[Sighting], weights: Negatives) -> Sequence[Sighting]:
    """The records that date a death: what people found, else the registers that agree, else the surest there are.

    What people found without a day stands under the day on which they said so; it is kept as weak.
    """
    dated = [each for each in records if each.strong or each.source not in BY_PEOPLE] or records
    by_people = [each for each in dated if each.source in BY_PEOPLE]
    return by_people or _agreeing(dated, weights) or _sure(dated)


def _registers(records: Iterable[Sighting]) -> list[Sighting]:
    return [each for each in records if each.kind is Kind.DIED and each.full]


def _apart(registers: Sequence[Sighting]) -> list[int]:
    """Days between the dates of any two registers of different departments."""
    return [abs(a.day - b.day) for a, b in combinations(registers, 2) if a.department != b.department]


def _agreeing(records: Iterable[Sighting], weights: Negatives) -> list[Sighting]:
    """The registers that agree on a death: of several such groups the one of most departments, then the closest.

    A register that says another day proves no date, neither by its word nor by being the earliest.
    """
    registers = _registers(records)
    near = [[each for each in registers if abs(each.day - one.day) <= weights.independence_days] for one in registers]
    groups = [group for group in near if _apart(group)]

    def weight(group: Sequence[Sighting]) -> tuple[int, int, int]:
        return len({each.department for each in group}), -min(_apart(group)), -min(each.day for each in group)

    return max(groups, key=weight, default=[])


def _unidentified(sightings: Sequence[Sighting], weights: Negatives, today: date) -> list[Sighting]:
    """Records without a number that the rules let count: they mean few people, and this one has been silent since."""
    rule = weights.unidentified
    hints, _ = _standing(sightings, frozenset({Kind.HINT}), Kind.REFUTED_DEATH)
    if rule is None or not hints:
        return []
    seen = [each for each in sightings if each.kind is Kind.SEEN]
    return [
        each
        for each in hints
        if each.candidates <= rule.candidates
        and day_number(today) - each.day >= rule.silent_days
        and not any(_is_after(one, each.day) for one in seen)
    ]


def _missing(sightings: Sequence[Sighting], weights: Negatives) -> Suspicion | None:
    records, episode = _standing(sightings, frozenset({Kind.DECLARED_MISSING}), Kind.REFUTED_MISSING)
    if not records:
        return None
    confidence = _best(_confidence(each, weights) for each in records)
    return _suspicion(
        SuspicionKind.MISSING, confidence, records, records, reasons=_words(records), episode=episode, blocks=True
    )


def _custody(sightings: Sequence[Sighting], rules: RuleSet, today: date) -> Suspicion | None:
    records, refuted = _standing(sightings, _CUSTODY, Kind.REFUTED_INCARCERATION)
    releases = _releases(sightings, records, rules.negatives)
    released = max((each.day for each in releases), default=-1)
    inside = [each for each in records if each.day > released]
    kind = SuspicionKind.INCARCERATION
    if inside:
        episode = refuted + len(_served(sightings, released))
        departments = {each.department for each in inside if each.full and each.kind is not Kind.DETAINED}
        confidence = _best(_confidence(each, rules.negatives) for each in inside)
        if len(departments) > 1:
            confidence = rules.negatives.agreement
        reasons = _words(inside)
        since = max(each.day for each in inside)
        if any(each.kind is Kind.SEEN and each.strong and each.full and each.day > since for each in sightings):
            reasons.append("seen_in_person_since")
        return _suspicion(kind, confidence, inside, inside, reasons=reasons, episode=episode, blocks=True)
    if not records:
        return None
    last = max(each.day for each in records)
    release = min((each for each in releases if each.day >= last), key=lambda each: (each.day, each.evidence))
    if release.day <= day_number(window_start(today, rules.window_months)):
        return None
    # Free again: he may be certified, but what was paid while he served is for people to look at.
    served = _served(sightings, max((each.day for each in releases if each.day < last), default=-1))
    episode = refuted + len(served)
    if served:
        over = min(each.day for each in releases if each.day >= max(served))
        records = [each for each in records if each.day > over]
    confidence = _best(_confidence(each, rules.negatives) for each in records)
    how = "released" if release.kind is Kind.RELEASED else "served_outside"
    reasons = [*_words(records), f"{how}:{day_of(release.day).isoformat()}"]
    return _suspicion(kind, confidence, records, [*records, release], reasons=reasons, episode=episode, blocks=False)


def _releases(sightings: Iterable[Sighting], records: Iterable[Sighting], weights: Negatives) -> list[Sighting]:
    """What ends a custody before it: the prison's word, a sentence served outside, a report to who watches over that.

    An admission that fits number and name is not undone by a row that fits the number alone.
    """
    surely = any(each.full for each in records)
    return [each for each in sightings if _is_outside(each, weights) and (each.full or not surely)]


def _is_outside(sighting: Sighting, weights: Negatives) -> bool:
    return sighting.kind is Kind.RELEASED or _in_community(sighting, weights)


def _in_community(sighting: Sighting, weights: Negatives) -> bool:
    """A sentence served outside: by the court's word, or by a report in person to who watches over it."""
    if sighting.kind is Kind.SEEN:
        return sighting.strong and sighting.full and sighting.source in weights.outside_sources
    return sighting.kind is Kind.SENTENCED_COMMUNITY


def _served(sightings: Iterable[Sighting], released: int) -> set[int]:
    """Days of imprisonments that people confirmed and that a release on or before this day has ended."""
    found = (each for each in sightings if each.kind is Kind.CUSTODY and each.source in BY_PEOPLE)
    return {each.day for each in found if each.day <= released}


def _contradiction(sightings: Sequence[Sighting], weights: Negatives) -> Suspicion | None:
    """Positive evidence after a death or disappearance: two hypotheses, both kept, the likelier one first."""
    records, _ = _standing(sightings, _DEATHS, Kind.REFUTED_DEATH)
    alive, misuse = "hypothesis:false_death", "hypothesis:card_use_after_death"
    if not records:
        records, _ = _standing(sightings, frozenset({Kind.DECLARED_MISSING}), Kind.REFUTED_MISSING)
        alive, misuse = "hypothesis:reappeared", "hypothesis:card_use_by_other"
    if not records:
        return None
    answers = [each for each in sightings if each.kind is Kind.REFUTED_CONFLICT]
    explained = max((each.day for each in _explaining(answers, records, sightings)), default=-1)
    dated_by = _dating(records, weights)
    since = max(max(each.day for each in dated_by) + weights.grace_days, explained)
    after = [each for each in sightings if each.kind is Kind.SEEN and _is_after(each, since)]
    if not after:
        return None
    after.sort(key=lambda each: (each.day, each.evidence))
    in_person = any(each.strong and each.full for each in after)
    listed = after[: weights.listed]
    reasons = [alive, misuse] if in_person else [misuse, alive]
    return _suspicion(
        SuspicionKind.CONFLICT,
        weights.full if in_person else Confidence.HINT,
        listed,
        [*records, *listed],
        reasons=["seen_in_person_after" if in_person else "card_used_after", *reasons],
        episode=_conclusions(answers),
        blocks=True,
    )


def _explaining(
    answers: Iterable[Sighting], records: Iterable[Sighting], sightings: Iterable[Sighting]
) -> list[Sighting]:
    """Answers to a contradiction that still hold: not that he lives, where people have found since that he does not.

    That he is dead and others used his cards holds whatever was found of him since.
    """
    latest = max((each.concluded for each in records), default=0)
    dead = {each.concluded for each in sightings if each.kind is Kind.DIED}
    return [each for each in answers if each.concluded in dead or not 0 < each.concluded < latest]


def _is_after(sighting: Sighting, since: int) -> bool:
    if not sighting.monthly:
        return sighting.day > since
    # A source that reports by month may date a record to the end of the month in which the person died.
    seen, then = day_of(sighting.day), day_of(since)
    return (seen.year, seen.month) > (then.year, then.month)


def _sure(records: Sequence[Sighting]) -> Sequence[Sighting]:
    """Records of registers and courts if there are any; hints date an event only where nothing better does."""
    return [each for each in records if each.full and each.kind not in (Kind.HOSPITAL_DEATH, Kind.HINT)] or records


def _confidence(record: Sighting, weights: Negatives) -> Confidence:
    if record.kind is Kind.HINT:
        return Confidence.HINT
    if record.kind in (Kind.HOSPITAL_DEATH, Kind.DETAINED):
        return weights.hospital_death
    return weights.full if record.full else weights.id_only


def _best(confidences: Iterable[Confidence]) -> Confidence:
    return max(confidences, key=_ORDER.index)


def _words(records: Iterable[Sighting]) -> list[str]:
    return sorted({_WORDS[each.kind] for each in records})


def _suspicion(  # noqa: PLR0913  (a suspicion has this many parts)
    kind: SuspicionKind,
    confidence: Confidence,
    dated_by: Sequence[Sighting],
    evidence: Sequence[Sighting],
    *,
    reasons: Sequence[str],
    episode: int,
    blocks: bool,
) -> Suspicion:
    return Suspicion(
        kind=kind,
        confidence=confidence,
        event_on=day_of(min(each.day for each in dated_by)),
        # What people concluded has no evidence id: its way back is the case.
        evidence=tuple(sorted({each.evidence for each in evidence if each.source not in BY_PEOPLE})),
        sources=tuple(sorted({each.source for each in evidence})),
        reasons=tuple(reasons),
        episode=episode,
        blocks=blocks,
    )
