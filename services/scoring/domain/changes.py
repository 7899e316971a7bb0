"""What new signals change: who must be looked at again, whose opinion differs from before, what is worth saying."""

from dataclasses import dataclass

import numpy as np

from services.scoring.domain.opinions import CERTIFIABLE, STRONG_EVIDENCE, Opinions
from services.scoring.domain.signals import EPOCH, Array, Signals
from services.scoring.domain.weighing import Scale, beyond_positive, newest_strong, positive_rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stored:
    """What is stored of people's opinions, as far as new ones are compared with it.

    Attributes:
        subjects: n sorted byte strings of 16.
        level: position in `LEVELS`; decision, strength likewise in theirs.
        as_of: day number, 0 for none.
        evidence: first evidence id, or the largest integer.
        marked: whether more than positive evidence is known.
        digest: fingerprint of the whole opinion.
    """

    subjects: Array
    level: Array
    decision: Array
    strength: Array
    as_of: Array
    evidence: Array
    marked: Array
    digest: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """How the people of new signals are divided.

    Attributes:
        own: subjects whose new signals are all that matters: never seen before, or certified by a strong one of them.
        whole: subjects whose older signals must be read too.
    """

    own: Array
    whole: Array


def divide(new: Signals, stored: Stored, scale: Scale) -> Work:
    """Who must be assessed, and on what; whoever is in neither part keeps the opinion he has.

    A person of whom only positive evidence is known and who is certified by a strong act needs nothing but the newest
    strong act: weak evidence cannot change him, and a new strong act decides from its own row.
    """
    places = positions(new.subjects, stored.subjects)
    known = places >= 0
    marked = np.zeros(new.people, dtype=bool)
    marked[np.searchsorted(new.starts, np.flatnonzero(beyond_positive(new, scale)), side="right") - 1] = True
    if not known.any():
        return Work(own=new.subjects, whole=new.subjects[:0])
    marked |= known & stored.marked[places]
    strongest = newest_strong(new, scale, positive_rows(new, scale))
    settled = known & (stored.strength[places] == STRONG_EVIDENCE) & (stored.decision[places] == CERTIFIABLE)
    settled &= stored.as_of[places] > scale.after
    decides = (strongest.row >= 0) & (~settled | (strongest.day > stored.as_of[places]))
    # Another strong act of the day that certifies him: which of the two is named depends on where the other is from.
    tied = settled & (strongest.day == stored.as_of[places]) & (strongest.evidence != stored.evidence[places])
    own = ~known | (~marked & decides)
    whole = known & (marked | tied | (~settled & ~decides))
    return Work(own=new.subjects[own], whole=new.subjects[whole])


def positions(wanted: Array, among: Array) -> Array:
    """For each wanted subject its place among the sorted ones, or -1."""
    if len(among) == 0:
        return np.full(len(wanted), -1, dtype=np.int64)
    places = np.searchsorted(among, wanted)
    places[places == len(among)] = 0
    return np.where(among[places] == wanted, places, -1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Difference:
    """Ascending positions of opinions that differ from what is stored, and of those that must be said."""

    changed: Array
    said: Array

    def with_said(self, people: Array) -> "Difference":
        """The same, with the opinions at these positions said whatever they were before."""
        return Difference(changed=np.union1d(self.changed, people), said=np.union1d(self.said, people))

    def without_said(self, people: Array) -> "Difference":
        """The same, with the opinions at these positions kept and not said."""
        return Difference(changed=self.changed, said=np.setdiff1d(self.said, people))


def difference(opinions: Opinions, digests: Array, stored: Stored) -> Difference:
    """What differs; only level, decision and the month of as_of are worth saying."""
    places = positions(opinions.subjects, stored.subjects)
    known = places >= 0
    changed = np.ones(len(opinions), dtype=bool)
    changed[known] = digests[known] != stored.digest[places[known]]

    def before(column: Array) -> Array:
        # Who is not stored was as good as low, insufficient, without a day: nothing is said of him staying so.
        values = np.zeros(len(opinions), dtype=np.int64)
        values[known] = column[places[known]]
        return values

    said = (opinions.level != before(stored.level)) | (opinions.decision != before(stored.decision))
    said |= _months(opinions.as_of) != _months(before(stored.as_of))
    return Difference(changed=np.flatnonzero(changed), said=np.flatnonzero(changed & said))


def _months(days: Array) -> Array:
    dates = np.datetime64(EPOCH, "D") + days.astype("timedelta64[D]")
    return dates.astype("datetime64[M]").astype(np.int64)
