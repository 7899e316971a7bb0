"""Events in: evidence and conclusions are only kept; the sweep decides."""

from collections.abc import Callable, Sequence

from services.scoring.store.columns import UnreadableError
from services.scoring.usecases import hear
from shared.contracts.events import CASE_CONCLUDED, EVIDENCE_ACCEPTED, CaseConcluded
from shared.kit.bus import Message, PoisonError, Subscription
from shared.kit.db import WriteTx


async def on_evidence_accepted(tx: WriteTx, message: Message) -> None:
    """Sources saw people on days."""
    if message.shard is None:
        msg = "evidence comes on the subject of a shard"
        raise PoisonError(msg)
    try:
        await hear.keep_evidence(tx, int(message.shard, 16), message.body)
    except UnreadableError as error:
        raise PoisonError(str(error)) from error


async def on_case_concluded(tx: WriteTx, message: Message) -> None:
    """People have looked into a suspicion."""
    case = message.fact(CaseConcluded)
    await hear.keep_conclusion(
        tx,
        subject=case.subject,
        kind=case.kind,
        conclusion=case.conclusion,
        concluded_at=case.concluded_at,
    )


def subscriptions(wake: Callable[[Message], object]) -> Sequence[Subscription]:
    """What scoring hears; `wake` is called after each commit."""
    return (
        Subscription(event=EVIDENCE_ACCEPTED, handler=on_evidence_accepted, after=wake, together=16),
        Subscription(event=CASE_CONCLUDED, handler=on_case_concluded, after=wake),
    )
