"""The usage log is sealed in the background and proved on demand."""

from dataclasses import dataclass

from services.recognition.domain import chain
from services.recognition.domain.chain import FIRST, Fault, Seal
from services.recognition.store import seals
from services.recognition.usecases.deps import Deps
from shared.kit.db import WriteTx

SEAL_ROWS = 4096
_MOST_FAULTS = 100


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


async def seal_next(deps: Deps, tx: WriteTx) -> Seal | None:
    """Seal the next rows; None when there are none, or somebody else seals."""
    if not await seals.hold(tx):
        return None
    last = await seals.last_seal(tx)
    rows = await seals.next_rows(tx, last.last if last else (-1, 0), SEAL_ROWS)
    if not len(rows):
        return None
    made = chain.seal(deps.audit_key, rows, last.number + 1 if last else 1, last.chain if last else FIRST)
    await seals.add_seal(tx, made)
    return made


async def verify(deps: Deps, tx: WriteTx, after: int, limit: int) -> Proof:
    """Prove seals behind a number against the rows as they are now."""
    listed = await seals.list_seals(tx, after, limit + 1)
    some, more = listed[:limit], len(listed) > limit
    before = await seals.last_seal(tx, after + 1) if after else None
    faults: list[Found] = []
    count = 0
    for one in some:
        rows = await seals.rows_between(tx, before.last if before else (-1, 0), one.last)
        found = chain.check(deps.audit_key, one, before.chain if before else FIRST, rows)
        expected = before.number + 1 if before else 1
        if one.number != expected:
            found.append((None, Fault.MISSING))
        faults += [Found(seal_no=one.number, usage_id=usage_id, fault=fault) for usage_id, fault in found]
        count += len(one.ids)
        before = one
    unsealed = 0 if more else await seals.count_unsealed(tx, before.last if before else (-1, 0))
    return Proof(seals=len(some), rows=count, unsealed=unsealed, head=before, faults=faults[:_MOST_FAULTS], more=more)
