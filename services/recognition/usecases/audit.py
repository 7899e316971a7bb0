"""The usage log is sealed in the background and proved on demand."""

import asyncio
from dataclasses import dataclass

import numpy as np

from services.recognition.domain import chain
from services.recognition.domain.chain import FIRST, Fault, Seal
from services.recognition.store import seals
from services.recognition.store.seals import START, Place
from services.recognition.usecases.deps import Deps
from shared.kit.db import WriteTx

SEAL_ROWS, SEALS_AT_ONCE = 4096, 16
_MOST_FAULTS = 100
_BEYOND = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A fault: of a row, or of a seal where there is no row."""

    seal_no: int
    usage_id: int | None
    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a look over some seals found.

    Attributes:
        seals: looked at.
        rows: they cover.
        unsealed: rows no seal covers yet; only told with the last of the seals.
        head: the last seal looked at; None without any.
        more: whether seals follow.
    """

    seals: int
    rows: int
    unsealed: int
    head: Seal | None
    faults: list[Found]
    more: bool


async def seal_next(deps: Deps, tx: WriteTx) -> list[Seal]:
    """Seal the next rows; none when there are none, or somebody else seals."""
    if not await seals.hold(tx):
        return []
    last = await seals.last_seal(tx)
    first, rows = await _next(tx, last)
    made = await asyncio.to_thread(_sealed, deps.audit_key, rows, last, first)
    for each in made:
        await seals.add_seal(tx, each)
    return made


async def _next(tx: WriteTx, last: Seal | None) -> tuple[int, np.ndarray]:
    """The next rows to be sealed, and the lowest id of those their transactions are counted among."""
    # To find where to go on costs as much for one seal as for many.
    limit = SEAL_ROWS * SEALS_AT_ONCE
    place = _place(last)
    if last is None or not await seals.counts_anew(tx, last.last[0]):
        return place[0], await seals.next_rows(tx, place, limit)
    # Restored from a dump: first what was not sealed before it was made, then what is logged under the new count.
    rows = await seals.rows_left(tx, place, limit)
    if len(rows):
        return place[0], rows
    first = await seals.most_id(tx, last) + 1
    return first, await seals.next_rows(tx, (first, *START[1:]), limit)


def _place(last: Seal | None) -> Place:
    return (last.first, *last.last) if last else START


def _sealed(key: bytes, rows: np.ndarray, last: Seal | None, first: int) -> list[Seal]:
    made: list[Seal] = []
    for start in range(0, len(rows), SEAL_ROWS):
        number, previous = (last.number + 1, last.chain) if last else (1, FIRST)
        last = chain.seal(key, rows[start : start + SEAL_ROWS], number, previous, first)
        made.append(last)
    return made


async def verify(deps: Deps, tx: WriteTx, after: int, limit: int) -> Proof:
    """Prove seals behind a number against the rows as they are now."""
    listed = await seals.list_seals(tx, after, limit + 1)
    some, more = listed[:limit], len(listed) > limit
    before = await seals.last_seal(tx, after + 1) if after else None
    anew = await _anew(tx)
    firsts = await seals.list_firsts(tx) + ([anew] if anew else [])
    faults: list[Found] = []
    count = 0
    for one in some:
        place = _place(before) if before and before.first == one.first else (one.first, *START[1:])
        below = min((first for first in firsts if first > one.first), default=_BEYOND)
        rows = await seals.rows_between(tx, place, one.last, below)
        found = chain.check(deps.audit_key, one, before.chain if before else FIRST, rows)
        expected = before.number + 1 if before else 1
        if one.number != expected:
            found.append((None, Fault.MISSING))
        faults += [Found(seal_no=one.number, usage_id=usage_id, fault=fault) for usage_id, fault in found]
        count += len(one.ids)
        before = one
    unsealed = 0 if more else await seals.count_unsealed(tx, _place(before), anew)
    return Proof(seals=len(some), rows=count, unsealed=unsealed, head=before, faults=faults[:_MOST_FAULTS], more=more)


async def _anew(tx: WriteTx) -> int | None:
    """Id of the first row logged since the server counts anew, while no seal covers it yet."""
    last = await seals.last_seal(tx)
    if last is None or not await seals.counts_anew(tx, last.last[0]):
        return None
    return await seals.most_id(tx, last) + 1
