"""The question of the house: may this program rely on this person's certificate today?"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.recognition.domain.answers import evidence_class, hints
from services.recognition.domain.citizen_id import normalise
from services.recognition.domain.lists import BAD_ID
from services.recognition.domain.programs import PLATFORM_CLAIMS, Program, ProgramVersion
from services.recognition.store import lookups
from services.recognition.store.lookups import Ask, Asker
from services.recognition.usecases.deps import Deps
from shared.contracts.vocabulary import Answer, Channel, Claim
from shared.kit.clock import day_of
from shared.kit.problems import MalformedError, NotFoundError

BAD_ID_SENTENCE = "This is no citizen id of GB 11643: check its length, birth date and check digit."


def program_for(deps: Deps, code: str, *, allowed: bool) -> Program:
    """The program a caller speaks for.

    Raises:
        NotFoundError: unknown, or another's: the two look the same from outside.
    """
    program = deps.programs.get(code)
    if program is None or not allowed:
        detail = "Your token speaks for no such program; GET /v1/programs lists those it does."
        raise NotFoundError(detail)
    return program


def subject_of(deps: Deps, citizen_id: str) -> UUID | None:
    """Subject of a citizen id as somebody wrote it; None for what is no citizen id."""
    plain = normalise(citizen_id)
    return deps.subjects.one(plain) if plain else None


def known_subject(deps: Deps, citizen_id: str) -> UUID:
    """Subject of a citizen id.

    Raises:
        MalformedError: it is none; nothing of it is echoed.
    """
    subject = subject_of(deps, citizen_id)
    if subject is None:
        raise MalformedError(
            BAD_ID_SENTENCE,
            extra={"errors": [{"pointer": "/body/citizen_id", "code": BAD_ID, "detail": BAD_ID_SENTENCE}]},
        )
    return subject


async def check(
    deps: Deps, ask: Ask, asker: Asker, program: Program, citizen_id: str, max_age_days: int | None
) -> dict[str, Any]:
    """What one program hears of one person; logged in the same statement.

    Raises:
        MalformedError: the id is none; nothing of it is echoed.
    """
    subject = known_subject(deps, citizen_id)
    today = day_of(asker.at)
    version = program.in_force(today)
    row = await lookups.look_and_log_one(
        ask, asker, subject, cycle_months=version.cycle_months, today=today, max_age_days=max_age_days
    )
    return Speaker(deps, asker, program, version).say(subject, row)


class Speaker:
    """Puts rows into the words of the partner API; `wording.say_answers` says the same by columns."""

    def __init__(self, deps: Deps, asker: Asker, program: Program, version: ProgramVersion) -> None:
        self._client_id = asker.client_id
        self._pseudonym = deps.pseudonym
        self._seal = deps.references.seal
        self._program = program.code
        self._checked_at = instant(asker.at)
        self._rule = (program, version)
        self._outstanding: dict[Channel | None, list[dict[str, str | None]]] = {}

    def say(self, subject: UUID, row: asyncpg.Record | dict[str, Any]) -> dict[str, Any]:
        """One answer, ready for JSON."""
        person = str(self._pseudonym(self._client_id, subject))
        if row["answer"] != Answer.RECOGNISED:
            return self.words(person, row["answer"])
        reference = self._seal(self._client_id, subject, row["certificate_id"])
        return self.words(person, row["answer"], Known(reference, Channel(row["channel"]), row["as_of"], row["until"]))

    def words(self, person: str, answer: str, known: "Known | None" = None) -> dict[str, Any]:
        """An answer about whoever goes by this pseudonym, with the certificate it rests on."""
        said: dict[str, Any] = {"person": person, "program": self._program, "answer": answer}
        if known is None:
            return said | {
                "claims": [],
                "outstanding_claims": self._left(None),
                "valid_until": None,
                "certificate": None,
                "evidence_class": None,
                "checked_at": self._checked_at,
            }
        until = _day(known.until)
        return said | {
            "claims": [{"claim": str(Claim.ALIVE), "as_of": _day(known.as_of), "valid_until": until}],
            "outstanding_claims": self._left(known.channel),
            "valid_until": until,
            "certificate": known.reference,
            "evidence_class": str(evidence_class(known.channel)),
            "checked_at": self._checked_at,
        }

    def _left(self, channel: Channel | None) -> list[dict[str, str | None]]:
        """Claims nobody has filled where a certificate of this channel holds, or none; made when first needed."""
        known = self._outstanding.get(channel)
        if known is None:
            made = outstanding(*self._rule, hints(channel)) if channel else all_outstanding(*self._rule)
            known = self._outstanding[channel] = made
        return known


@dataclass(frozen=True, slots=True)
class Known:
    """The certificate an answer rests on, as the partner sees it."""

    reference: str
    channel: Channel
    as_of: date
    until: date


def _ours(claim: Claim) -> bool:
    return claim in PLATFORM_CLAIMS


def all_outstanding(program: Program, version: ProgramVersion) -> list[dict[str, str | None]]:
    """Claims nobody has filled: the platform's own before the owner's."""
    ours = [{"claim": str(claim), "with": "platform", "hint": None} for claim in version.claims if _ours(claim)]
    return [*ours, *outstanding(program, version, frozenset())]


def outstanding(program: Program, version: ProgramVersion, hinted: frozenset[Claim]) -> list[dict[str, str | None]]:
    """Claims that stay with the owner, with what makes one likely."""
    return [
        {"claim": str(claim), "with": program.owner, "hint": "seen_in_person" if claim in hinted else None}
        for claim in version.outstanding()
    ]


def _day(day: date) -> str:
    return day.isoformat()


def instant(at: datetime) -> str:
    """An instant as answers carry it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
