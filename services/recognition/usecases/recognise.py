"""The question of the house: may this program rely on this person's certificate today?"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.recognition.domain.answers import evidence_class, hints
from services.recognition.domain.citizen_id import normalise
from services.recognition.domain.programs import PLATFORM_CLAIMS, Program, ProgramVersion
from services.recognition.store import lookups
from services.recognition.store.lookups import Asker, Fetch
from services.recognition.usecases.deps import Deps
from shared.contracts.vocabulary import Answer, Channel, Claim
from shared.kit.problems import MalformedError, NotFoundError

BAD_ID = "bad_citizen_id"
_BAD_ID_SENTENCE = "This is no citizen id of GB 11643: check its length, birth date and check digit."


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
            _BAD_ID_SENTENCE,
            extra={"errors": [{"pointer": "/body/citizen_id", "code": BAD_ID, "detail": _BAD_ID_SENTENCE}]},
        )
    return subject


async def check(
    deps: Deps, fetch: Fetch, asker: Asker, program: Program, citizen_id: str, max_age_days: int | None
) -> dict[str, Any]:
    """What one program hears of one person; logged in the same statement.

    Raises:
        MalformedError: the id is none; nothing of it is echoed.
    """
    subject = known_subject(deps, citizen_id)
    today = deps.clock.today()
    version = program.in_force(today)
    rows = await lookups.look_and_log(
        fetch, asker, [subject], cycle_months=version.cycle_months, today=today, max_age_days=max_age_days
    )
    return Speaker(deps, asker, program, version).say(subject, rows[0])


async def check_many(
    deps: Deps,
    fetch: Fetch,
    asker: Asker,
    program: Program,
    citizen_ids: Sequence[str],
    max_age_days: int | None,
) -> list[dict[str, Any]]:
    """What one program hears of many people, in their order; an id that is none gets a problem in its place."""
    subjects = [subject_of(deps, each) for each in citizen_ids]
    known = [each for each in subjects if each is not None]
    today = deps.clock.today()
    version = program.in_force(today)
    rows = iter(
        await lookups.look_and_log(
            fetch, asker, known, cycle_months=version.cycle_months, today=today, max_age_days=max_age_days
        )
    )
    speaker = Speaker(deps, asker, program, version)
    return [_BAD_ITEM if subject is None else speaker.say(subject, next(rows)) for subject in subjects]


_BAD_ITEM: dict[str, Any] = {
    "problem": {
        "type": f"urn:wugan:problem:{BAD_ID}",
        "title": "Not a citizen id",
        "status": 422,
        "code": BAD_ID,
        "detail": _BAD_ID_SENTENCE,
    }
}


class Speaker:
    """Puts rows into the words of the partner API; one a request, so that a thousand people share its constants."""

    def __init__(self, deps: Deps, asker: Asker, program: Program, version: ProgramVersion) -> None:
        self._client_id = asker.client_id
        self._pseudonym = deps.pseudonym
        self._seal = deps.references.seal
        self._program = program.code
        self._checked_at = instant(asker.at)
        self._outstanding = {
            hinted: outstanding(program, version, hinted)
            for hinted in (frozenset[Claim](), frozenset({Claim.NOT_IN_CUSTODY}))
        }
        self._all_outstanding = all_outstanding(program, version)

    def say(self, subject: UUID, row: asyncpg.Record | dict[str, Any]) -> dict[str, Any]:
        """One answer, ready for JSON."""
        said: dict[str, Any] = {
            "person": str(self._pseudonym(self._client_id, subject)),
            "program": self._program,
            "answer": row["answer"],
        }
        if row["answer"] != Answer.RECOGNISED:
            return said | {
                "claims": [],
                "outstanding_claims": self._all_outstanding,
                "valid_until": None,
                "certificate": None,
                "evidence_class": None,
                "checked_at": self._checked_at,
            }
        channel = Channel(row["channel"])
        until = _day(row["until"])
        return said | {
            "claims": [{"claim": str(Claim.ALIVE), "as_of": _day(row["as_of"]), "valid_until": until}],
            "outstanding_claims": self._outstanding[hints(channel)],
            "valid_until": until,
            "certificate": self._seal(self._client_id, subject, row["certificate_id"]),
            "evidence_class": str(evidence_class(channel)),
            "checked_at": self._checked_at,
        }


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
