"""Keeping what was formed: write opinions and suspicions that differ, say what matters."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import numpy as np
import pyarrow as pa

from services.scoring.domain.changes import Stored, difference, positions
from services.scoring.domain.opinions import SUSPECTED, Opinions
from services.scoring.domain.rules import RuleSet
from services.scoring.domain.signals import BY_PEOPLE, Array
from services.scoring.domain.suspicions import (
    Known,
    Raising,
    Status,
    asks_anew,
    raise_suspicion,
    suspicion_id,
    withdraw_suspicion,
)
from services.scoring.store import assessments, columns, suspicions
from shared.contracts.events import ASSESSMENTS_CHANGED, SUSPICION_RAISED
from shared.kit.db import WriteTx
from shared.kit.outbox import Outbox

PIECE_ROWS = 400_000
BLOCK_ROWS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What opinions are formed with.

    Attributes:
        outbox: where they are said.
        rules: rule set in force.
        today: business day.
        now: instant of business time, not before what the shard has said.
        rows: new signals taken at once, a bound on memory.
        piece_rows: signals looked at in one piece, another.
        block_rows: signals of one block, what a look at one person reads.
    """

    outbox: Outbox
    rules: RuleSet
    today: date
    now: datetime
    rows: int
    piece_rows: int = PIECE_ROWS
    block_rows: int = BLOCK_ROWS


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a sweep or reassessment of one shard did.

    Attributes:
        signals: signals taken or looked at.
        people: opinions formed.
        changed: opinions that differ from before.
        said: of these, how many were worth saying.
        raised: suspicions said.
        more: whether signals were left for another sweep.
    """

    signals: int = 0
    people: int = 0
    changed: int = 0
    said: int = 0
    raised: int = 0
    more: bool = False

    def plus(self, other: "Outcome") -> "Outcome":
        """Both together."""
        return Outcome(
            signals=self.signals + other.signals,
            people=self.people + other.people,
            changed=self.changed + other.changed,
            said=self.said + other.said,
            raised=self.raised + other.raised,
            more=self.more or other.more,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heard:
    """Whose opinion may have to be said again although it is the same.

    Attributes:
        concluded: sorted subjects of whom people have just concluded something: where another matter stays open, for a
            conclusion is taken as an answer to all that was said before it.
        taken_back: sorted subjects of whom evidence was taken back: what rested on it is gone, and what is left may
            certify no less.
    """

    concluded: Array
    taken_back: Array


async def keep(
    tx: WriteTx,
    means: Means,
    opinions: Opinions,
    stored: Stored,
    *,
    looked_at: int = 0,
    heard: Heard | None = None,
) -> Outcome:
    """Write opinions that differ and suspicions that are new or have grown; say what matters."""
    digests = opinions.digests()
    matters = await _raise(tx, means, opinions, heard.concluded if heard else None)
    asking, raisings = matters.asking, matters.raisings
    answered = (opinions.decision == SUSPECTED) & ~matters.open
    if heard is not None:
        # Nothing ends a review of whom people have answered all about, so that taken back or not it must not begin.
        asking = asking | (positions(opinions.subjects, heard.taken_back) >= 0) & ~answered
    quiet = np.flatnonzero(answered & (matters.concluded | _suspected_before(opinions, stored)))
    differs = difference(opinions, digests, stored).without_said(quiet).with_said(np.flatnonzero(asking))
    changed = opinions.take(differs.changed)
    known = positions(changed.subjects, stored.subjects) >= 0
    marks = {"rule_set": means.rules.name, "assessed_on": means.today.isoformat()}
    if len(changed):
        table = await assessments.save(
            tx, changed, digests[differs.changed], known=known, rule_set=means.rules.name, today=means.today
        )
        said = pa.array(np.searchsorted(differs.changed, differs.said))
        await means.outbox.say_table(tx, ASSESSMENTS_CHANGED, table.take(said), marks, at=means.now)
    if raisings:
        await suspicions.save(tx, [each.raised for each in raisings], rule_set=means.rules.name, now=means.now)
        told = [each.raised for each in raisings if each.say]
        await means.outbox.say_table(tx, SUSPICION_RAISED, suspicions.suspicion_table(told), marks, at=means.now)
    return Outcome(
        signals=looked_at,
        people=len(opinions),
        changed=len(changed),
        said=len(differs.said),
        raised=sum(each.say for each in raisings),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Matters:
    """What is suspected of the people looked at, with a mask over them for each question.

    Attributes:
        raisings: suspicions to keep.
        asking: whose opinion must be said for them.
        open: of whom anything that blocks is open.
        concluded: of whom people have just concluded something, and all that blocks has been found by people.
    """

    raisings: list[Raising]
    asking: Array
    open: Array
    concluded: Array


async def _raise(tx: WriteTx, means: Means, opinions: Opinions, concluded: Array | None) -> _Matters:
    raw = columns.raw_subjects(opinions.subjects)
    found = [(UUID(bytes=raw[person].tobytes()), each) for person, some in opinions.suspicions.items() for each in some]
    ids = [suspicion_id(subject, each.kind, each.episode) for subject, each in found]
    known = await suspicions.find_known(tx, ids)
    persons = [person for person, some in opinions.suspicions.items() for _ in some]
    raisings: list[Raising | None] = []
    asking, open_ones = np.zeros(len(opinions), dtype=bool), np.zeros(len(opinions), dtype=bool)
    just = asking.copy() if concluded is None else positions(opinions.subjects, concluded) >= 0
    by_people = just.copy()
    for person, identity, (subject, each) in zip(persons, ids, found, strict=True):
        before = known.get(identity)
        raising = raise_suspicion(subject, each, before, means.today)
        raisings.append(raising)
        asking[person] |= asks_anew(each, before, raising, concluded=bool(just[person]))
        open_ones[person] |= each.blocks and _status(before, raising) is Status.OPEN
        by_people[person] &= not each.blocks or not BY_PEOPLE.isdisjoint(each.sources)
    raisings += await _withdrawn(tx, opinions, frozenset(ids))
    kept = [each for each in raisings if each is not None]
    return _Matters(raisings=kept, asking=asking, open=open_ones, concluded=by_people)


def _status(before: Known | None, raising: Raising | None) -> Status | None:
    if raising is not None:
        return raising.raised.status
    return before.status if before else None


def _suspected_before(opinions: Opinions, stored: Stored) -> Array:
    places = positions(opinions.subjects, stored.subjects)
    mask = places >= 0
    mask[mask] = stored.decision[places[mask]] == SUSPECTED
    return mask


async def _withdrawn(tx: WriteTx, opinions: Opinions, standing: frozenset[UUID]) -> list[Raising | None]:
    """Open suspicions that nothing raises any more, of people of whom something was taken back."""
    raw = columns.raw_subjects(opinions.subjects)
    unfounded = {UUID(bytes=raw[person].tobytes()): ids for person, ids in opinions.unfounded.items()}
    found = await suspicions.list_open(tx, list(unfounded))
    return [withdraw_suspicion(each, unfounded[each.subject]) for each in found if each.suspicion_id not in standing]
