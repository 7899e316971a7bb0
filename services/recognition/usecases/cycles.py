"""Where people stand in the certification cycles of their programs, for whoever may know."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from services.recognition.domain.cycles import CertificationState
from services.recognition.domain.programs import Program
from services.recognition.store import cycles, lookups
from services.recognition.store.lookups import Asker
from services.recognition.usecases.deps import Deps
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import NotFoundError


async def of_person(deps: Deps, tx: ReadTx, subject: UUID, programs: Sequence[str] | None) -> list[asyncpg.Record]:
    """The cycles of a person in these programs, in all where `programs` is None."""
    today = deps.clock.today()
    return await cycles.list_of_person(tx, deps.cycles(today), today, subject, programs)


async def look(deps: Deps, tx: WriteTx, asker: Asker, program: Program, subject: UUID) -> asyncpg.Record:
    """The cycle of a person in one program, with a usage row.

    Raises:
        NotFoundError: the program does not pay the person.
    """
    rows = await of_person(deps, tx, subject, [program.code])
    if not rows:
        detail = "The program has no such person; a cycle is known of people its roster lists."
        raise NotFoundError(detail)
    await lookups.log_usage(tx, asker, subject=subject, answer=rows[0]["state"])
    return rows[0]


async def count(deps: Deps, tx: ReadTx, program: Program, divisions: Sequence[str]) -> dict[str, int]:
    """How many people of a program in these divisions are in each state; every state is there."""
    today = deps.clock.today()
    found = await cycles.count_states(tx, deps.cycles(today), today, program.code, divisions)
    return {str(state): found.get(state, 0) for state in CertificationState}


async def list_people(  # noqa: PLR0913  (a page has this many parts)
    deps: Deps,
    tx: WriteTx,
    asker: Asker,
    program: Program,
    *,
    divisions: Sequence[str],
    state: CertificationState,
    after: UUID | None,
    limit: int,
) -> list[asyncpg.Record]:
    """People of a program in one state, each look logged."""
    today = deps.clock.today()
    rows = await cycles.list_in_state(
        tx, deps.cycles(today), today, program.code, divisions=divisions, state=state, after=after, limit=limit
    )
    for row in rows:
        await lookups.log_usage(tx, asker, subject=row["subject"], answer=row["state"])
    return rows
