"""Events in: evidence, corrections, hints, conclusions of people are only kept; the sweep decides."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from services.scoring.store.columns import UnreadableError
from services.scoring.usecases import hear
from shared.contracts.events import (
    CASE_CONCLUDED,
    DEATH_RETRACTED,
    EVIDENCE_ACCEPTED,
    EVIDENCE_CORRECTED,
    HINTS_RECORDED,
    STOP_REQUEST_CONCLUDED,
    CaseConcluded,
    DeathRetracted,
    StopRequestConcluded,
)
from shared.contracts.vocabulary import CaseConclusion, SuspicionKind
from shared.kit.bus import Message, PoisonError, Subscription
from shared.kit.db import WriteTx

log = structlog.get_logger(__name__)

# What files become that come at once; of the largest messages a few dozen megabytes.
_TOGETHER = 32


async def on_evidence_accepted(tx: WriteTx, message: Message) -> None:
    """Sources saw people on days."""
    await on_much_evidence_accepted(tx, [message])


async def on_much_evidence_accepted(tx: WriteTx, messages: Sequence[Message]) -> None:
    """The same, in one statement: most files are small, and many come at once."""
    try:
        await hear.keep_evidence(tx, [(_shard(each), each.body) for each in messages])
    except UnreadableError as error:
        raise PoisonError(str(error)) from error


async def on_evidence_corrected(tx: WriteTx, message: Message) -> None:
    """A department took back what it had said."""
    try:
        await hear.keep_corrections(tx, _shard(message), message.table())
    except UnreadableError as error:
        raise PoisonError(str(error)) from error


async def on_hints_recorded(tx: WriteTx, message: Message) -> None:
    """Records without a number, and whom they may mean."""
    table = message.table()
    try:
        kept = await hear.keep_hints(tx, _shard(message), table)
    except UnreadableError as error:
        raise PoisonError(str(error)) from error
    if kept < table.num_rows:
        log.info("hints_without_a_rule", rows=table.num_rows - kept)


async def on_case_concluded(tx: WriteTx, message: Message) -> None:
    """People have looked into a suspicion."""
    case = message.fact(CaseConcluded)
    try:
        await hear.keep_conclusion(
            tx,
            subject=case.subject,
            kind=case.kind,
            conclusion=case.conclusion,
            event_on=case.event_on,
            seen_on=case.seen_on,
            concluded_at=case.concluded_at,
        )
    except UnreadableError as error:
        raise PoisonError(str(error)) from error


async def on_stop_request_concluded(tx: WriteTx, message: Message) -> None:
    """People have verified what a relative reported, or the person himself."""
    try:
        await hear.keep_report(tx, message.fact(StopRequestConcluded))
    except UnreadableError as error:
        raise PoisonError(str(error)) from error


async def on_death_retracted(tx: WriteTx, message: Message) -> None:
    """Officers have found that a death was none, whatever a case had found."""
    fact = message.fact(DeathRetracted)
    try:
        await hear.keep_conclusion(
            tx,
            subject=fact.subject,
            kind=SuspicionKind.DEATH,
            conclusion=CaseConclusion.FALSE_DEATH,
            event_on=fact.event_on,
            seen_on=fact.alive_on - timedelta(days=1),  # who was seen in the morning may have died that night
            concluded_at=fact.found_at,
            refutes_undated=fact.event_on is None,
        )
    except UnreadableError as error:
        raise PoisonError(str(error)) from error


def _shard(message: Message) -> int | None:
    return None if message.shard is None else int(message.shard, 16)


def subscriptions(wake: Callable[[Message], object]) -> Sequence[Subscription]:
    """What scoring hears; `wake` is called after each commit."""
    return (
        Subscription(
            event=EVIDENCE_ACCEPTED,
            handler=on_evidence_accepted,
            many=on_much_evidence_accepted,
            after=wake,
            together=_TOGETHER,
        ),
        Subscription(event=EVIDENCE_CORRECTED, handler=on_evidence_corrected, after=wake, together=_TOGETHER),
        Subscription(event=HINTS_RECORDED, handler=on_hints_recorded, after=wake, together=_TOGETHER),
        Subscription(event=CASE_CONCLUDED, handler=on_case_concluded, after=wake),
        Subscription(event=STOP_REQUEST_CONCLUDED, handler=on_stop_request_concluded, after=wake),
        Subscription(event=DEATH_RETRACTED, handler=on_death_retracted, after=wake),
    )
