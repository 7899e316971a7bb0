"""Counts for the operator, and a second try for what failed by no fault of a person's."""

from fastapi import APIRouter, status

from services.notify.api.common import Operator, Wired
from services.notify.domain.delivery import Status
from services.notify.schemas import FiguresOut, QueuedOut, RedriveRequest
from services.notify.usecases import read, send
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


@router.post("/deliveries:redrive", status_code=status.HTTP_202_ACCEPTED)
async def redrive(wired: Wired, _caller: Operator, body: RedriveRequest) -> QueuedOut:
    """Try once more what failed on a channel and no provider ever took; asked again it finds nothing left to do."""
    async with wired.database.write() as tx:
        count = await send.redrive(tx, wired, body.channel, since=body.since, reason=body.reason)
    return QueuedOut(queued=count)
