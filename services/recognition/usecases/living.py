"""What officers say of what they give up: of a death that was none whoever held the person for dead hears."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import uuid_utils.compat as uuids

from services.recognition.domain.arrears import ENDED_AS, ends_too_early
from services.recognition.domain.clearings import NOT_SO_OF_WHO_LIVES, Clearing, lived_until
from services.recognition.domain.effects import STEPS
from services.recognition.domain.programs import ENDS_LIFE, EndingEvent
from services.recognition.store import arrears, certificates, clearings
from services.recognition.store.decisions import Proposal
from services.recognition.usecases.corrections import ask_of_case
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.hearing import shard_of
from services.recognition.usecases.reviews import review_alive
from shared.contracts.events.recognition import DEATH_RETRACTED, DeathRetracted
from shared.kit.clock import day_of
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import MalformedError

_YEAR: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What an officer who gives up a stop says of what it is for.

    Attributes:
        alive_on: a day after the death on which the person was known to live.
        not_about_death: that the stop is given up for something else, whether or not he died.
        passed_on: day on which a term, or a job, ended that was so.
        never_so: that there was none.
    """

    alive_on: date | None = None
    not_about_death: bool = False
    passed_on: date | None = None
    never_so: bool = False

    @property
    def ends(self) -> bool:
        """Whether it says of a term, or a job, that it is over or never was."""
        return self.never_so or self.passed_on is not None

    def of(self, reason: EndingEvent) -> "Word":
        """What of it is said of one of several reasons: of a death nobody says that it is over."""
        return self if reason in ENDED_AS else replace(self, passed_on=None, never_so=False)


SAYS_NOTHING: Final = Word()
"""Enough where the stop is for something else, or people have found already that he lives."""


async def require_word(tx: ReadTx, proposal: Proposal, word: Word) -> None:
    """Let no stop be given up without a word on what it is for, where money hangs on it.

    Of a death that is always so: whoever lives would else be held for dead everywhere else, or the dead be paid
    wherever nobody looks. Of a term, or a job, that stops money, where months wait for it: they would be paid as if it
    had never been.

    Raises:
        MalformedError: no word on it; of a death, where nobody has found yet that he lives.
    """
    takes_months = proposal.reason in ENDED_AS and proposal.effect in STEPS
    if takes_months and not word.ends and await arrears.hangs(tx, proposal.subject, proposal.program):
        detail = f"Months wait to be paid back until it is said whether there was {proposal.reason}: name the day on "
        detail += "which it ended (passed_on), or say that there was none (never_so)."
        raise MalformedError(detail)
    if proposal.reason not in ENDS_LIFE or word.alive_on is not None or word.not_about_death:
        return
    found = (proposal.subject, proposal.reason, proposal.event_on, proposal.opened_at)
    if not await clearings.was_cleared(tx, *found):
        detail = "It is for a death: name a day on which the person was known to live (alive_on), or say that it is "
        detail += "given up for something else (not_about_death)."
        raise MalformedError(detail)


def check_passed(proposal: Proposal, word: Word, today: date) -> None:
    """Refuse a word on a term, or a job, that fits none.

    Raises:
        MalformedError: it was proposed for neither, or did not end on such a day; or both, that it was and was not so.
    """
    if not word.ends:
        return
    if proposal.reason not in ENDED_AS or (word.passed_on is not None and word.never_so):
        detail = f"Either passed_on or never_so answers a term or a job; this is about {proposal.reason}."
        raise MalformedError(detail)
    day = word.passed_on or today
    if day > today or ends_too_early(ENDED_AS[proposal.reason], proposal.event_on, day):
        detail = "passed_on is the day on which what it is for ended: not before that began, and none to come."
        raise MalformedError(detail)


def check_alive(proposal: Proposal, alive_on: date, today: date) -> None:
    """Refuse what says nothing against a death.

    Raises:
        MalformedError: it was proposed for no death, or the day is none on which he can have been seen after it.
    """
    if proposal.reason not in ENDS_LIFE:
        detail = f"alive_on answers a death; this is about {proposal.reason}."
        raise MalformedError(detail)
    # Nobody says of a death without a day that it was none because he lived long before; and whoever was seen on the
    # day of his death may have died that night.
    dated = proposal.event_on is not None and proposal.event_on < alive_on
    undated = proposal.event_on is None and day_of(proposal.opened_at) - _YEAR <= alive_on
    if not (dated or undated) or alive_on > today:
        detail = "The person must have been known to live on a day after the supposed death, and none to come."
        raise MalformedError(detail)


async def retract_death(deps: Deps, tx: WriteTx, proposal: Proposal, alive_on: date) -> None:
    """He lives, whichever departments have not heard it yet: what they announced or stopped waits in their work lists.

    What nobody has confirmed falls in every program, and the register's department is asked to correct its record. Who
    was known to live on a day may have died since: it speaks of what happened before that day, and of nothing later.
    """
    subject, now = proposal.subject, deps.clock.now()
    about_at = proposal.opened_at if proposal.event_on is None else None
    await certificates.lock_shard(tx, shard_of(subject))
    until_on = lived_until(alive_on)
    made = Clearing(
        clearing_id=uuids.uuid7(),
        subject=subject,
        reasons=tuple(sorted(NOT_SO_OF_WHO_LIVES)),
        until_on=until_on,
        about_at=about_at,
        found_at=now,
        lives=True,
    )
    await clearings.add(tx, made)
    await review_alive(tx, subject, until_on, now)
    # Scoring would else hold him for dead as long as what people had found before is the last it has heard of them.
    fact = DeathRetracted(
        subject=subject, event_on=proposal.event_on, alive_on=alive_on, found_at=now, about_at=about_at
    )
    await deps.outbox.say(tx, DEATH_RETRACTED, fact)
    await clearings.withdraw_cleared(tx, subject, now)
    if proposal.case_id is not None:
        await ask_of_case(deps, tx, proposal.case_id, subject)
