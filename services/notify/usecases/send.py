"""From the queue to a provider and back: claim, make ready, record. The name is opened here only and kept nowhere."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pyarrow as pa
import structlog

from services.notify.domain.delivery import Outcome, Outgoing, Reach, Receipt, Result, digest_of
from services.notify.domain.languages import Language
from services.notify.domain.plan import Way, next_fallback, without_phone, words_for
from services.notify.domain.schedule import day_begins, next_open, opening_after, retry_at
from services.notify.domain.template import LEGAL_LANE, UnknownVersionError, fill, read_values
from services.notify.domain.words import ValueShapeError, contact_values
from services.notify.store import deliveries, endings, posts
from services.notify.store.deliveries import Claimed, Times
from services.notify.store.endings import Ended
from services.notify.usecases.deps import Deps
from shared.contracts.events import MESSAGE_DELIVERED
from shared.contracts.events.notify import MESSAGE_FAILED
from shared.contracts.vocabulary import Audience
from shared.kit.clock import wall
from shared.kit.crypto import SealBrokenError
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import ConflictError

log = structlog.get_logger(__name__)

_EVERY_LANE = 9
_NOBODY = "nobody_to_send_to"
_REDRIVEN = 20_000


class ChannelOffError(ConflictError):
    """A channel that does not send here."""

    code = "channel_off"
    title = "The channel does not send here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Claimed deliveries, made ready.

    Attributes:
        outgoing: to be handed over.
        results: of those that cannot be: nobody to send to, or a text that cannot be made.
        attempts: number of the attempt, by message.
    """

    outgoing: list[Outgoing]
    results: list[Result]
    attempts: Mapping[UUID, int]


async def claim(tx: WriteTx, deps: Deps, channel: str, *, legal_only: bool) -> tuple[list[Claimed], int]:
    """Take what may be sent on a channel now. Returns it and the number of rows looked at."""
    chosen, now = deps.channels[channel].channel, deps.clock.now()
    closed = chosen.quiet_hours and next_open(now, deps.hours) > now
    per_second = deps.channels[channel].setting("per_second")
    times = Times(
        now=now,
        day=day_begins(now),
        tomorrow=opening_after(now, deps.hours),
        lease=datetime.fromtimestamp(wall() + deps.lease_seconds, UTC),
    )
    return await deliveries.claim(
        tx,
        channel,
        times,
        max_lane=LEGAL_LANE if legal_only or closed else _EVERY_LANE,
        # Not more than a second's worth at once: a rate is no rate if it comes in bursts.
        limit=min(chosen.batch, max(1, int(per_second))) if per_second else chosen.batch,
        disturbing=[code for code, way in deps.ways.items() if way.disturbs],
    )


def make_ready(deps: Deps, channel: str, claimed: Sequence[Claimed]) -> Ready:
    """Open contacts and fill texts of claimed deliveries."""
    ready = Ready(outgoing=[], results=[], attempts={each.message_id: each.attempt for each in claimed})
    for each in claimed:
        made = _make(deps, channel, each)
        if isinstance(made, Outgoing):
            ready.outgoing.append(made)
        else:
            ready.results.append(made)
    return ready


def _make(deps: Deps, channel: str, each: Claimed) -> Outgoing | Result:
    try:
        template = deps.templates[each.template]
        version = template.version(each.version)
        said = words_for(version, channel, deps.ways)
        contact = _open(deps, each)
        to, by_family = _address(deps.channels[channel].channel.reaches, template.audience, each, contact)
        if said is None or not to or (by_family and said.family_text is None):
            return Result(id=each.message_id, outcome=Outcome.IMPOSSIBLE, reason=_NOBODY)
        language, title, words = said.to_person(each.language)
        if by_family and said.family_text is not None:
            language, title, words = Language.CHINESE, said.title, said.family_text
        values = read_values(version, {**each.variables, **contact_values(contact)}, deps.labels, language)
    except SealBrokenError:
        log.exception("contact_cannot_be_opened", channel=channel)
        return Result(id=each.message_id, outcome=Outcome.IMPOSSIBLE, reason="seal_broken")
    except (KeyError, UnknownVersionError, ValueShapeError) as error:
        log.exception("text_cannot_be_made", channel=channel, template=each.template)
        return Result(id=each.message_id, outcome=Outcome.IMPOSSIBLE, reason=f"no_text_{type(error).__name__}".lower())
    return Outgoing(
        id=each.message_id,
        attempt=each.attempt,
        to=to,
        division=each.division,
        title=fill(title, values),
        text=fill(words, values),
        template=each.template,
        approval=version.approval if language is Language.CHINESE else said.translations[language].approval,
        legal=template.legal,
        asked=each.asked,
    )


def _open(deps: Deps, each: Claimed) -> dict[str, str | None]:
    if each.sealed is None or each.subject is None:
        return {}
    opened: dict[str, str | None] = orjson.loads(deps.vault.open(each.sealed, each.subject.bytes))
    return opened


def _address(reach: Reach, audience: Audience, each: Claimed, contact: Mapping[str, str | None]) -> tuple[str, bool]:
    """Where to, and whether that is the family."""
    if reach is Reach.PHONE:
        own = None if each.to_family else contact.get("phone")
        return (own, False) if own else (contact.get("family_phone") or "", True)
    if reach is Reach.VILLAGE:
        return each.division or "", each.to_family
    # A message for an office names the person it is about: that is not whom it goes to.
    personal = audience in {Audience.CITIZEN, Audience.FAMILY}
    return str(each.subject or "") if personal else each.recipient or "", each.to_family


async def record(tx: WriteTx, deps: Deps, channel: str, results: Sequence[Result], ready: Ready) -> None:
    """Record what a provider answered; plan new tries and other channels, say what reached."""
    now, waits = deps.clock.now(), deps.channels[channel].channel.waits
    rows = []
    for result in results:
        attempt = ready.attempts[result.id]
        again = retry_at(now, attempt, waits, deps.jitter()) if result.outcome is Outcome.AGAIN else None
        rows.append((result, attempt, again))
    digests = {each.id: digest_of(each) for each in ready.outgoing}
    cut_off = {each.id for each in results if each.reason == _NOBODY}
    await finish(tx, deps, await deliveries.record(tx, channel, rows, now, digests), cut_off)


async def take_receipts(tx: WriteTx, deps: Deps, channel: str, receipts: Sequence[Receipt]) -> int:
    """Merge a provider's receipts in. Returns how many told something new."""
    ended = await endings.record_receipts(tx, channel, receipts, deps.clock.now())
    await finish(tx, deps, ended, {each.message_id for each in ended})
    return len(ended)


async def finish(tx: WriteTx, deps: Deps, ended: Sequence[Ended], cut_off: Collection[UUID] = ()) -> None:
    """Say which messages reached and which attempts failed, and try those that failed on another channel.

    Args:
        tx: the transaction.
        deps: what the verbs need.
        ended: deliveries.
        cut_off: messages of which it is certain that their person has no phone that works; a provider that refuses or
            keeps silent says nothing of him, else one broken morning would send the whole city to its villages.
    """
    about_people = [each for each in ended if each.subject is not None and each.tried]
    if reached := [each for each in about_people if each.delivered]:
        await deps.outbox.say_table(tx, MESSAGE_DELIVERED, _told(reached, "delivered_at"))
    if missed := [each for each in about_people if not each.delivered]:
        reasons = pa.array([each.reason or "failed" for each in missed], pa.string())
        await deps.outbox.say_table(tx, MESSAGE_FAILED, _told(missed, "failed_at").append_column("reason", reasons))
    if failed := [each for each in ended if not each.delivered]:
        await _fall_back(tx, deps, failed, cut_off)
    await _stop_fallbacks(tx, deps, [each for each in ended if each.delivered])


async def _fall_back(tx: WriteTx, deps: Deps, failed: Sequence[Ended], cut_off: Collection[UUID]) -> None:
    tried = await endings.list_tried(tx, [each.message_id for each in failed])
    ways: list[tuple[UUID, Way]] = []
    for each in failed:
        template = deps.templates.get(each.template)
        if template is None:
            continue
        made = deps.plan(template.code)
        if way := next_fallback(made, tried.get(each.message_id, set())):
            ways.append((each.message_id, way))
        elif each.message_id in cut_off and each.channel in deps.phone_channels():
            ways.extend((each.message_id, way) for way in without_phone(made))
    if ways:
        await endings.fall_back(tx, ways, deps.clock.now(), deps.opens())
        tx.after_commit.append(deps.wake.set)


async def _stop_fallbacks(tx: WriteTx, deps: Deps, reached: Sequence[Ended]) -> None:
    ways = [
        (each.message_id, way.code)
        for each in reached
        if each.template in deps.templates
        for way in _instead(deps, each)
        if way.code != each.channel
    ]
    if ways:
        await endings.stop(tx, ways, deps.clock.now())


def _instead(deps: Deps, reached: Ended) -> Sequence[Way]:
    """What need not be tried any more: the village after a phone, and after the village, unless legal, a phone."""
    made = deps.plan(reached.template)
    if reached.channel in deps.phone_channels():
        return (*made.fallback, *without_phone(made))
    by_village = any(way.code == reached.channel for way in without_phone(made))
    phones = [way for way in made.first if way.reach is Reach.PHONE and not made.template.legal]
    return (*made.fallback, *(phones if by_village else ()))


def _told(ended: Sequence[Ended], at: str) -> pa.Table:
    return pa.table(
        {
            "subject": pa.array([each.subject.bytes for each in ended if each.subject], pa.binary(16)),
            "message_id": pa.array([each.message_id.bytes for each in ended], pa.binary(16)),
            "about": pa.array([each.about.bytes if each.about else None for each in ended], pa.binary(16)),
            "template": pa.array([each.template for each in ended], pa.string()),
            "channel": pa.array([each.channel for each in ended], pa.string()),
            at: pa.array([each.at for each in ended], pa.timestamp("us", "UTC")),
        }
    )


async def redrive(tx: WriteTx, deps: Deps, channel: str, *, since: datetime, reason: str | None) -> int:
    """Try once more what failed on a channel and no provider ever took, once its cause has been mended.

    Returns:
        How many were queued.

    Raises:
        ChannelOffError: it does not send here.
    """
    if channel not in deps.senders:
        raise ChannelOffError
    now = deps.clock.now()
    count = await deliveries.redrive(
        tx,
        channel,
        since=since,
        reason=reason,
        latest_only=[code for code, each in deps.templates.items() if each.latest_only],
        now=now,
        opens=deps.opens() if deps.channels[channel].channel.quiet_hours else now,
        limit=_REDRIVEN,
    )
    tx.after_commit.append(deps.wake.set)
    return count


async def tidy(tx: WriteTx, deps: Deps) -> int:
    """Take back what dead senders held, end what has waited too long for a phone or a receipt.

    Returns:
        What was taken back.
    """
    back = await deliveries.return_expired(tx, datetime.fromtimestamp(wall(), UTC))
    now = deps.clock.now()
    ended = await endings.give_up_waiting(tx, now - timedelta(days=deps.wait_days), now)
    for code, each in deps.channels.items():
        if silence := each.channel.silence:
            before = now - timedelta(days=silence.days)
            ended += await endings.end_silent(tx, code, before, now, delivered=silence.delivered, tried=silence.tried)
    await finish(tx, deps, ended)
    return back


async def count_working(tx: ReadTx, deps: Deps) -> int:
    """Deliveries that senders still have to do now."""
    now = deps.clock.now()
    shut = next_open(now, deps.hours) > now
    closed = [code for code in deps.senders if shut and deps.channels[code].channel.quiet_hours]
    hooks = await posts.count_working(tx, now) if deps.poster else 0
    return hooks + await deliveries.count_working(tx, list(deps.senders), closed, now)
