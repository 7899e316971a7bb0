"""The sweep: take what a shard has heard, form the opinions it changes, keep them and say what matters."""

import asyncio
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

import numpy as np
import pyarrow as pa

from services.scoring.domain.assessment import assess
from services.scoring.domain.changes import Stored, Work, difference, divide, positions
from services.scoring.domain.opinions import Opinions, concatenated
from services.scoring.domain.rules import RuleSet
from services.scoring.domain.runs import runs_to_fold
from services.scoring.domain.signals import Origins, Signals, from_rows, union
from services.scoring.domain.suspicions import Raising, raise_suspicion, suspicion_id
from services.scoring.domain.weighing import Scale, scale_of
from services.scoring.store import assessments, columns, signals, suspicions
from shared.contracts.events import ASSESSMENTS_CHANGED, SUSPICION_RAISED
from shared.kit.db import WriteTx
from shared.kit.outbox import Outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What opinions are formed with.

    Attributes:
        outbox: where they are said.
        rules: rule set in force.
        today: business day.
        rows: new signals taken at once, a bound on memory.
    """

    outbox: Outbox
    rules: RuleSet
    today: date
    rows: int


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


async def sweep(tx: WriteTx, means: Means, shard: int, *, urgent_only: bool = False) -> Outcome | None:
    """Take what a shard has heard, or only messages with negatives. None while another worker has the shard."""
    head = await signals.lock_head(tx, shard)
    if head is None:
        return None
    taken = await signals.list_segments(tx, shard, urgent_only=urgent_only, rows=means.rows)
    if not taken:
        return Outcome()
    heard = await asyncio.to_thread(lambda: [columns.read_message(each.body) for each in taken])
    origins = await signals.add_origins(tx, [each.origin for each in heard])
    new = await asyncio.to_thread(_signals_of, heard, origins)
    stored = await assessments.stored_of(tx, shard, new.subjects)
    scale = scale_of(means.rules, origins, means.today)
    work = divide(new, stored, scale)
    blocks = await signals.list_blocks(tx, shard)
    older = await signals.read_blocks(tx, shard, signals.blocks_with(blocks, work.whole))
    opinions = await asyncio.to_thread(_form, new, older, origins, scale, work)
    outcome = await keep(tx, means, opinions, stored)
    await _merge(tx, shard, new, blocks, origins)
    await signals.delete_segments(tx, shard, taken)
    fresh = head.assessed_on is None
    await signals.save_head(
        tx,
        replace(
            head,
            heard_at=max(each.heard_at for each in taken),
            assessed_on=means.today if fresh else head.assessed_on,
            rule_set=means.rules.name if fresh else head.rule_set,
        ),
    )
    return replace(outcome, signals=len(new), more=len(new) >= means.rows)


def _signals_of(heard: list[columns.Heard], origins: Origins) -> Signals:
    numbers = {origin: number for number, origin in enumerate(origins.items)}
    return from_rows([columns.at_origin(each.rows, numbers[each.origin]) for each in heard], origins)


def _form(new: Signals, older: list[Signals], origins: Origins, scale: Scale, work: Work) -> Opinions:
    whole = union([each.take(work.whole) for each in (*older, new)], origins)
    return concatenated([assess(new.take(work.own), origins, scale), assess(whole, origins, scale)])


async def keep(tx: WriteTx, means: Means, opinions: Opinions, stored: Stored) -> Outcome:
    """Write opinions that differ and suspicions that are new or have grown; say what matters."""
    digests = opinions.digests()
    differs = difference(opinions, digests, stored)
    changed = opinions.take(differs.changed)
    known = positions(changed.subjects, stored.subjects) >= 0
    marks = {"rule_set": means.rules.name, "assessed_on": means.today.isoformat()}
    if len(changed):
        table = await assessments.save(
            tx, changed, digests[differs.changed], known=known, rule_set=means.rules.name, today=means.today
        )
        said = pa.array(np.searchsorted(differs.changed, differs.said))
        await means.outbox.say_table(tx, ASSESSMENTS_CHANGED, table.take(said), marks)
    raisings = await _raise(tx, means, opinions)
    if raisings:
        await suspicions.save(tx, [each.raised for each in raisings], rule_set=means.rules.name)
        told = [each.raised for each in raisings if each.say]
        await means.outbox.say_table(tx, SUSPICION_RAISED, suspicions.suspicion_table(told), marks)
    return Outcome(
        people=len(opinions),
        changed=len(changed),
        said=len(differs.said),
        raised=sum(each.say for each in raisings),
    )


async def _raise(tx: WriteTx, means: Means, opinions: Opinions) -> list[Raising]:
    raw = columns.raw_subjects(opinions.subjects)
    found = [(UUID(bytes=raw[person].tobytes()), each) for person, some in opinions.suspicions.items() for each in some]
    ids = [suspicion_id(subject, each.kind, each.episode) for subject, each in found]
    known = await suspicions.find_known(tx, ids)
    raisings = [
        raise_suspicion(subject, each, known.get(identity), means.today)
        for identity, (subject, each) in zip(ids, found, strict=True)
    ]
    return [each for each in raisings if each is not None]


async def _merge(tx: WriteTx, shard: int, new: Signals, blocks: list[signals.Block], origins: Origins) -> None:
    """Keep new signals as a run, merged with the runs that are not much larger."""
    sizes: dict[int, int] = {}
    for block in blocks:
        sizes[block.run] = sizes.get(block.run, 0) + block.rows
    folded = runs_to_fold(len(new), list(sizes.items()))
    older = await signals.read_blocks(tx, shard, [each for each in blocks if each.run in folded])
    merged = await asyncio.to_thread(union, [new, *older], origins)
    await signals.write_run(tx, shard, max(sizes, default=0) + 1, merged)
    if folded:
        await signals.delete_runs(tx, shard, folded)
