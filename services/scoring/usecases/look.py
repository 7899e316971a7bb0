"""Looking at one person: the stored opinion, its explanation, and what would be if."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np

from services.scoring.domain.explanation import Explanation, explain
from services.scoring.domain.rules import RuleSet
from services.scoring.domain.signals import (
    BY_PEOPLE,
    KIND_OF_WORD,
    MAX_ORIGINS,
    Origin,
    Origins,
    Rows,
    Signals,
    day_number,
    empty,
    from_rows,
    origins_of,
    union,
)
from services.scoring.domain.weighing import scale_of
from services.scoring.store import assessments, looks, signals, suspicions
from services.scoring.store.assessments import Assessment, shard_of, word_of
from services.scoring.store.suspicions import KeptSuspicion
from shared.contracts.vocabulary import EvidenceKind
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import ProblemError
from shared.kit.purpose import Purpose

_LATEST = 1 << 52  # microseconds: what people are supposed to conclude comes after all they have


class UnknownSourceError(ProblemError):
    """A supposed signal of a source that has delivered nothing yet."""

    status = 422
    code = "unknown_source"
    title = "A supposed signal names a source that scoring has not met"


class TooManySourcesError(ProblemError):
    """More supposed sources than a row of signals has numbers for."""

    status = 422
    code = "too_many_sources"
    title = "The supposed signals name more new sources than scoring can hold beside those it has met"


class NoSuchSignalError(ProblemError):
    """A signal to be removed that is not there."""

    status = 422
    code = "no_such_signal"
    title = "A signal to be removed is none of this person's"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looker:
    """Who looks, at what, and why where that has to be said."""

    client_id: str
    user: str
    what: str
    why: Purpose | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The opinion of a person with the suspicions there have been, and the day for which it was last confirmed."""

    assessment: Assessment
    suspicions: Sequence[KeptSuspicion]
    confirmed_on: date
    confirmed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Supposed:
    """A signal that is supposed to be there, or not to be; department and strength where the source is unknown."""

    source: str
    occurred_on: date
    kind: EvidenceKind
    full: bool
    department: str | None
    strong: bool | None


async def find_standing(tx: WriteTx, subject: UUID, looker: Looker) -> Standing | None:
    """The stored opinion of a person; None where no source has ever seen him. The look is noted in either case."""
    await note(tx, subject, looker)
    found = await assessments.find_assessment(tx, subject)
    if found is None:
        return None
    head = next(each for each in await signals.list_heads(tx) if each.shard == shard_of(subject))
    return Standing(
        assessment=found,
        suspicions=await suspicions.list_suspicions(tx, subject),
        confirmed_on=head.assessed_on or found.assessed_on,
        confirmed_by=head.rule_set or found.rule_set,
    )


async def signals_of(tx: ReadTx, subject: UUID) -> tuple[Signals, Origins]:
    """The swept signals of one person."""
    shard, word = shard_of(subject), word_of(subject)
    parts = await signals.read_people(tx, shard, [subject])
    # After the blocks: they name no origin that is not known by then.
    origins = await signals.get_origins(tx)
    return union([each.take(word) for each in parts], origins), origins


async def explain_person(tx: WriteTx, subject: UUID, rules: RuleSet, today: date, looker: Looker) -> Explanation | None:
    """Why the opinion of a person is what it is; None where no source has ever seen him."""
    await note(tx, subject, looker)
    known, origins = await signals_of(tx, subject)
    if not len(known):
        return None
    # In a thread: what would do is tried out, in a tenth of a second.
    return await asyncio.to_thread(explain, known, origins, scale_of(rules, origins, today))


async def note(tx: WriteTx, subject: UUID, looker: Looker) -> None:
    """Note a look; in a transaction of its own where a refusal of what is asked would undo it."""
    await looks.note(tx, subject, client_id=looker.client_id, user=looker.user, what=looker.what, why=looker.why)


async def note_all(tx: WriteTx, subjects: Sequence[UUID], looker: Looker) -> None:
    """Note a look at many people, or at one."""
    await looks.note_many(tx, subjects, client_id=looker.client_id, user=looker.user, what=looker.what)


async def simulate(
    tx: ReadTx,
    subject: UUID | None,
    *,
    add: Sequence[Supposed],
    remove: Sequence[Supposed],
    rules: RuleSet,
    on: date,
) -> Explanation:
    """What the opinion of a person would be with signals more or less, under any rule set, on any day.

    The look is noted before.

    Raises:
        UnknownSourceError: a supposed signal does not say enough of its source.
        TooManySourcesError: too many of them are new.
        NoSuchSignalError: what is to be removed is not there.
    """
    person = subject or UUID(int=0)
    known, origins = empty(), await signals.get_origins(tx)
    if subject:
        known, origins = await signals_of(tx, subject)
    origins = _with_supposed(origins, add)
    kept = _without(known, origins, remove)
    changed = union([kept, _rows(person, origins, add)], origins)
    if not len(changed):
        changed = _nobody(person)
    return await asyncio.to_thread(explain, changed, origins, scale_of(rules, origins, on))


def _with_supposed(origins: Origins, supposed: Sequence[Supposed]) -> Origins:
    items = list(origins.items)
    met = {item.source for item in items}
    for each in supposed:
        if each.source in met:
            continue
        if each.department is None or each.strong is None:
            detail = "Say department and strength of a source that has delivered nothing yet."
            raise UnknownSourceError(detail)
        met.add(each.source)
        items.append(Origin(source=each.source, department=each.department, strong=each.strong))
    if len(items) > MAX_ORIGINS:
        detail = f"Suppose signals of {MAX_ORIGINS - len(origins)} new sources at most."
        raise TooManySourcesError(detail)
    return origins_of(items)


def _rows(person: UUID, origins: Origins, supposed: Sequence[Supposed]) -> Signals:
    numbers: dict[str, int] = {}
    for number, item in enumerate(origins.items):
        numbers.setdefault(item.source, number)
    by_people = np.asarray([each.source in BY_PEOPLE for each in supposed], dtype=np.int64)
    rows = Rows(
        subjects=np.repeat(word_of(person), len(supposed)),
        origin=np.asarray([numbers[each.source] for each in supposed], dtype=np.uint16),
        day=np.asarray([day_number(each.occurred_on) for each in supposed], dtype=np.uint16),
        kind=np.asarray([KIND_OF_WORD[each.kind] for each in supposed], dtype=np.uint8),
        full=np.asarray([each.full for each in supposed], dtype=bool),
        evidence=-np.arange(1, len(supposed) + 1, dtype=np.int64) - by_people * _LATEST,
    )
    return from_rows([rows], origins)


def _without(known: Signals, origins: Origins, remove: Sequence[Supposed]) -> Signals:
    gone = [(each.source, day_number(each.occurred_on), int(KIND_OF_WORD[each.kind])) for each in remove]
    rows = [
        (origins.items[origin].source, day, kind)
        for origin, day, kind in zip(known.origin.tolist(), known.day.tolist(), known.kind.tolist(), strict=True)
    ]
    there = set(rows)
    places = [place for place, each in enumerate(gone) if each not in there]
    if places:
        detail = "No signal of this source, day and kind; the explanation lists the days."
        errors = [{"pointer": f"/remove/{place}", "code": NoSuchSignalError.code, "detail": detail} for place in places]
        raise NoSuchSignalError(f"{len(places)} of {len(gone)} are not there.", extra={"errors": errors})
    return known.where(np.asarray([each not in gone for each in rows], dtype=bool)) if gone else known


def _nobody(person: UUID) -> Signals:
    nothing = empty()
    return Signals(
        subjects=word_of(person),
        starts=np.zeros(2, dtype=np.int64),
        origin=nothing.origin,
        day=nothing.day,
        kind=nothing.kind,
        full=nothing.full,
        evidence=nothing.evidence,
    )
