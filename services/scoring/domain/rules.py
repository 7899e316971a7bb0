"""Rule sets as values: what counts how much, what must come together, what a negative weighs."""

from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from hashlib import blake2b

from shared.contracts.vocabulary import Confidence


class Per(StrEnum):
    """How often a source may count: once a day, or once a month where it reports by month."""

    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What the weak evidence of one source is worth.

    Attributes:
        label: Chinese name for officers and citizens.
        points: of one counted record, when fresh.
        cap: most points the source may give.
        per: how often it may count.
    """

    label: str
    points: int
    cap: int
    per: Per = Per.DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What a combination of weak evidence needs, all of it together.

    Attributes:
        points: sum over the sources.
        sources: different ones.
        departments: different ones; two, so that one family with one card never suffices.
        days: different ones.
        newest_days: age of the newest counted record, at most.
    """

    points: int
    sources: int
    departments: int
    days: int
    newest_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unidentified:
    """When a death record without a number makes people look; never more than a hint.

    Attributes:
        candidates: people it may mean, at most.
        silent_days: for so long after it nothing at all has been seen of the candidate.
    """

    candidates: int
    silent_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Negatives:
    """How much negative evidence weighs.

    Attributes:
        full: confidence of a register's row that fits number and name.
        id_only: confidence of a row that fits the number alone.
        hospital_death: confidence of a stay whose outcome is death.
        agreement: confidence when independent registers agree.
        independence_days: registers of two departments agree when their dates are at most this far apart.
        grace_days: evidence up to so many days after a death is no contradiction.
        listed: evidence ids at most that a contradiction lists, the earliest ones.
        unidentified: when a record without a number counts; never where the rules are silent.
        outside_sources: sources before which only people appear who are not, or no longer, in custody.
    """

    full: Confidence
    id_only: Confidence
    hospital_death: Confidence
    agreement: Confidence
    independence_days: int
    grace_days: int
    listed: int
    unidentified: Unidentified | None
    outside_sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOns:
    """What raises a risk beside age and silence, each a factor of at least 1; its reason stands beside the risk.

    Attributes:
        oldest_from: age from which most undiscovered deaths are expected.
        oldest: from that age on.
        unseen_days: nothing of any kind for so long.
        unseen: from then on.
        hospital_sources: sources that tell of hospital stays.
        hospital: the last thing seen was a hospital stay.
        weak_only: for each window that passed on weak evidence alone: a card may have been in other hands.
        weak_only_windows: so many of them raise the risk, at most.
        unidentified: a death record without a number may mean this person.
    """

    oldest_from: int
    oldest: float
    unseen_days: int
    unseen: float
    hospital_sources: tuple[str, ...]
    hospital: float
    weak_only: float
    weak_only_windows: int
    unidentified: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """What makes a visit worth its way; see `domain.priority`.

    Attributes:
        reference: where the deaths come from.
        male: deaths a year of a thousand men, by the age at which the band begins.
        female: the same of women.
        register_days: by so many days after a death registers have told of it, if they ever do.
        register_percent: of deaths that registers tell of at all.
        habit_limit: most that silence against the own habit may weigh, as a factor.
        shortest_days: silence of less is no silence.
        add_ons: what raises the risk further.
    """

    reference: str
    male: dict[int, float]
    female: dict[int, float]
    register_days: int
    register_percent: int
    habit_limit: float
    shortest_days: int
    add_ons: AddOns


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """One dated version of the rules.

    Attributes:
        code: names the line of versions.
        version: grows.
        from_on: first day it is in force.
        label: Chinese name.
        reference: rule or source it rests on.
        window_months: evidence counts while younger.
        floor_percent: what a weak record is still worth at the end of the window; linear from 100.
        weak: worth of each weak source.
        other_weak: worth of a weak source the rules do not name.
        unsure_strong: worth of strong evidence that fits the number alone: it corroborates, it does not certify.
        thresholds: of the combination.
        weak_valid_months: how long a pass on weak evidence alone may hold.
        negatives: weights of negative evidence.
        risk: order of visits.
    """

    code: str
    version: int
    from_on: date
    label: str
    reference: str
    window_months: int
    floor_percent: int
    weak: dict[str, Worth]
    other_weak: Worth
    unsure_strong: Worth
    thresholds: Thresholds
    weak_valid_months: int
    negatives: Negatives
    risk: Risk

    @property
    def name(self) -> str:
        """`code@version`, as it stands on every result."""
        return f"{self.code}@{self.version}"

    @property
    def digest(self) -> str:
        """Fingerprint of the content: a file that was edited in place is another rule set under the same name."""
        return blake2b(repr(asdict(self)).encode(), digest_size=8).hexdigest()

    def worth_of(self, source: str, *, strong: bool) -> Worth:
        """What one record of `source` is worth where it does not decide by itself."""
        return self.unsure_strong if strong else self.weak.get(source, self.other_weak)


def window_start(today: date, months: int) -> date:
    """The last day that is too old: the same day `months` ago, or the last of that month."""
    total = today.year * 12 + today.month - 1 - months
    year, month = divmod(total, 12)
    for day in range(today.day, 27, -1):
        try:
            return date(year, month + 1, day)
        except ValueError:
            continue
    return date(year, month + 1, today.day)
