"""Counts for the operator."""

from fastapi import APIRouter

from services.notify.api.common import Operator, Wired
from services.notify.domain.delivery import Status
from services.notify.schemas import FiguresOut
from services.notify.usecases import read
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["operation"], responses=PROBLEM_RESPONSES)


@router.get("/figures")
async def get_figures(wired: Wired, _caller: Operator) -> FiguresOut:
    """The counts an operator asks first."""
    async with wired.database.read() as tx:
        found = await read.figures(tx)
    reached = dict.fromkeys(wired.channels, 0) | {"inbox": found.in_inbox}
    for (channel, state), count in found.states.items():
        if state in {Status.HANDED, Status.DELIVERED}:
            reached[channel] = reached.get(channel, 0) + count
    return FiguresOut(
        contacts=found.contacts,
        messages=found.messages,
        deliveries=reached,
        states={f"{channel}.{state}": count for (channel, state), count in found.states.items()},
        parts=found.parts,
        cost_fen={
            code: round(count * wired.channels[code].setting("fen_per_part"))
            for code, count in found.parts.items()
            if code in wired.channels
        },
        failed=sum(count for (_, state), count in found.states.items() if state == Status.FAILED),
        refused_dead=found.refused_dead,
    )
