"""Keeping what was formed: write opinions and suspicions that differ, say what matters."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import numpy as np
import pyarrow as pa

from services.scoring.domain.changes import Stored, difference, positions
from services.scoring.domain.opinions import Opinions
from services.scoring.domain.rules import RuleSet
from services.scoring.domain.signals import Array
from services.scoring.domain.suspicions import Raising, asks_anew, raise_suspicion, suspicion_id, withdraw_suspicion
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
        now: instant of business time.
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
    raisings, asking = await _raise(tx, means, opinions, heard.concluded if heard else None)
    if heard is not None:
        asking = np.union1d(asking, np.flatnonzero(positions(opinions.subjects, heard.taken_back) >= 0))
    differs = difference(opinions, digests, stored).with_said(asking)
    changed = opinions.take(differs.changed)
    known = positions(changed.subjects, stored.subjects) >= 0
    marks = {"rule_set": means.rules.name, "assessed_on": means.today.isoformat()}
    if len(changed):
        table = await assessments.save(
            tx, changed, digests[differs.changed], known=known, rule_set=means.rules.name, today=means.today
        )
        said = pa.array(np.searchsorted(differs.changed, differs.said))
        await means.outbox.say_table(tx, ASSESSMENTS_CHANGED, table.take(said), marks)
    if raisings:
        await suspicions.save(tx, [each.raised for each in raisings], rule_set=means.rules.name, now=means.now)
        told = [each.raised for each in raisings if each.say]
        await means.outbox.say_table(tx, SUSPICION_RAISED, suspicions.suspicion_table(told), marks)
    return Outcome(
        signals=looked_at,
        people=len(opinions),
        changed=len(changed),
        said=len(differs.said),
        raised=sum(each.say for each in raisings),
    )


async def _raise(tx: WriteTx, means: Means, opinions: Opinions, concluded: Array | None) -> tuple[list[Raising], Array]:
    """What to keep of the suspicions found, and the positions of people whose opinion must be said for them."""
    raw = columns.raw_subjects(opinions.subjects)
    found = [(UUID(bytes=raw[person].tobytes()), each) for person, some in opinions.suspicions.items() for each in some]
    ids = [suspicion_id(subject, each.kind, each.episode) for subject, each in found]
    known = await suspicions.find_known(tx, ids)
    raisings = [
        raise_suspicion(subject, each, known.get(identity), means.today)
        for identity, (subject, each) in zip(ids, found, strict=True)
    ]
    persons = [person for person, some in opinions.suspicions.items() for _ in some]
    heard = np.zeros(len(opinions), dtype=bool) if concluded is None else positions(opinions.subjects, concluded) >= 0
    asking = {
        person
        for person, identity, (_, each), raising in zip(persons, ids, found, raisings, strict=True)
        if asks_anew(each, known.get(identity), raising, concluded=bool(heard[person]))
    }
    raisings += await _withdrawn(tx, opinions, frozenset(ids))
    return [each for each in raisings if each is not None], np.asarray(sorted(asking), dtype=np.int64)


async def _withdrawn(tx: WriteTx, opinions: Opinions, standing: frozenset[UUID]) -> list[Raising | None]:
    """Open suspicions that nothing raises any more, of people of whom something was taken back."""
    raw = columns.raw_subjects(opinions.subjects)
    unfounded = {UUID(bytes=raw[person].tobytes()): ids for person, ids in opinions.unfounded.items()}
    found = await suspicions.list_open(tx, list(unfounded))
    return [withdraw_suspicion(each, unfounded[each.subject]) for each in found if each.suspicion_id not in standing]
