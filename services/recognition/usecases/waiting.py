"""What waits for officers, said in the morning so that whoever does not look is told."""

from collections.abc import Sequence
from itertools import groupby

from services.recognition.domain.exclusions import pairs
from services.recognition.store import worklist
from services.recognition.store.worklist import Sight
from services.recognition.usecases.deps import Deps
from shared.contracts.events.recognition import WORK_WAITING, WorkWaiting
from shared.kit.db import WriteTx


def sight(deps: Deps, programs: Sequence[str], divisions: Sequence[str] = ()) -> Sight:
    """What decides today whether something waits in these programs, and divisions where some are named."""
    today = deps.clock.today()
    return Sight(
        programs=programs,
        today=today,
        channels=deps.policies.on(today).notice_channels,
        cycles=deps.cycles(today),
        excludes=pairs(deps.programs),
        divisions=divisions,
    )


async def say_waiting(deps: Deps, tx: WriteTx) -> int:
    """Say of each program what waits in it today; nothing of one in which nothing does. Returns how many were said."""
    today = deps.clock.today()
    programs = [code for code, program in deps.programs.items() if not program.sandbox]
    rows = await worklist.count_by_program(tx, sight(deps, programs))
    said = 0
    for program, some in groupby(rows, key=lambda row: row["program"]):
        steps = list(some)
        fact = WorkWaiting(
            program=program,
            day=today,
            counts={row["kind"]: row["items"] for row in steps},
            earliest_on=min((row["earliest_on"] for row in steps if row["earliest_on"]), default=None),
        )
        await deps.outbox.say(tx, WORK_WAITING, fact)
        said += 1
    return said
