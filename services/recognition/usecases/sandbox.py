"""Answers about synthetic people: same words, same rules, flagged, from no table and into none but the log."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import polars as pl
import pyarrow as pa

from services.recognition.domain.answers import View, answer, evidence_class
from services.recognition.domain.certificates import certificate_id
from services.recognition.domain.enrolments import STOPPED
from services.recognition.domain.months import valid_until
from services.recognition.domain.programs import Program
from services.recognition.domain.sandbox import SyntheticPerson, synthetic_id
from services.recognition.store import bulk, lookups
from services.recognition.store.lookups import Asker
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.recognise import Speaker, instant
from services.recognition.usecases.refusals import denied
from shared.contracts.vocabulary import Answer, Claim
from shared.kit.db import WriteTx
from shared.kit.problems import ConflictError, MalformedError

FLAG: dict[str, Any] = {"sandbox": True}
"""What every answer of a sandbox carries."""

_DETAIL = "A sandbox takes synthetic ids only (000000…, see docs/partner-api.md); never send it a real person's id."


class NotSyntheticError(MalformedError):
    """An id that might be a real person's; nothing of it is echoed or kept."""

    code = "not_synthetic"


class SandboxError(ConflictError):
    """The sandbox does not answer this."""

    code = "sandbox"


def refuse(program: Program) -> None:
    """Keep what is counted, paid or told away from synthetic people.

    Raises:
        SandboxError: the program is a sandbox.
    """
    if program.sandbox:
        detail = "A sandbox answers questions and advises on pay lists; nothing is kept of it, told or paid."
        raise SandboxError(detail)


def _subject(deps: Deps, plain: str) -> UUID:
    # Another namespace than real subjects: no clash is possible, whatever the hash.
    return deps.pairwise.one(f"sandbox|{plain}")


async def check(
    deps: Deps, tx: WriteTx, asker: Asker, program: Program, citizen_id: str, max_age_days: int | None
) -> dict[str, Any]:
    """What a program would hear of a synthetic person; logged without one.

    Raises:
        NotSyntheticError: the id is none of a synthetic person.
    """
    plain = synthetic_id(citizen_id)
    if plain is None:
        errors = [{"pointer": "/body/citizen_id", "code": NotSyntheticError.code, "detail": _DETAIL}]
        raise NotSyntheticError(_DETAIL, extra={"errors": errors})
    said = _say(deps, asker, program, plain, max_age_days)
    await lookups.log_usage(tx, asker, subject=None, answer=f"sandbox:{said['answer']}")
    return said


async def check_many(
    deps: Deps, tx: WriteTx, asker: Asker, program: Program, citizen_ids: Sequence[str], max_age_days: int | None
) -> list[dict[str, Any]]:
    """The same for many; what is no synthetic id gets a problem in its place."""
    said = [
        _say(deps, asker, program, plain, max_age_days) if (plain := synthetic_id(each)) else _BAD_ITEM
        for each in citizen_ids
    ]
    for each in said:
        if "answer" in each:
            await lookups.log_usage(tx, asker, subject=None, answer=f"sandbox:{each['answer']}")
    if bad := said.count(_BAD_ITEM):
        await lookups.log_usage(tx, asker, subject=None, answer=denied(NotSyntheticError.code, bad))
    return said


_BAD_ITEM: dict[str, Any] = {
    "problem": {
        "type": f"urn:wugan:problem:{NotSyntheticError.code}",
        "title": "Not a synthetic id",
        "status": 422,
        "code": NotSyntheticError.code,
        "detail": _DETAIL,
    }
}


def _say(deps: Deps, asker: Asker, program: Program, plain: str, max_age_days: int | None) -> dict[str, Any]:
    today = deps.clock.today()
    version = program.in_force(today)
    person = next((each for each in program.people if each.citizen_id == plain), None)
    subject = _subject(deps, plain)
    row = _row(person, subject, version.cycle_months, today, max_age_days)
    return Speaker(deps, asker, program, version).say(subject, row) | FLAG


def _row(
    person: SyntheticPerson | None, subject: UUID, cycle_months: int, today: date, max_age_days: int | None
) -> dict[str, Any]:
    if person is None:
        return {"answer": Answer.UNKNOWN}
    as_of = None if person.seen_days_ago is None else today - timedelta(days=person.seen_days_ago)
    until = valid_until(as_of, cycle_months) if as_of else None
    view = View(enrolled=True, status=person.status, under_review=person.under_review, valid_until=until, as_of=as_of)
    return {
        "answer": answer(view, today, max_age_days),
        "as_of": as_of,
        "until": until,
        "channel": person.channel,
        "certificate_id": certificate_id(subject, Claim.ALIVE, as_of, person.channel) if as_of else None,
    }


# ---- lists -----------------------------------------------------------------------------------------------------------


class SyntheticIds:
    """Reads a list of a sandbox."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def normalise(self, written: pl.Series) -> pl.Series:
        """Synthetic ids as they are kept; null for what is none, real people's included."""
        return pl.Series([synthetic_id(each or "") for each in written.cast(pl.String)], dtype=pl.String)

    def many(self, ids: pl.Series) -> np.ndarray:
        """Subjects of synthetic ids, shape (n, 16), uint8."""
        return _raw([_subject(self._deps, each) for each in ids])


class Crowd:
    """The people of a sandbox as the look-ups of `store.bulk` would find them."""

    def __init__(self, deps: Deps, program: Program) -> None:
        self._today = deps.clock.today()
        self._cycle = program.in_force(self._today).cycle_months
        self._people = {_subject(deps, each.citizen_id): each for each in program.people}

    def shard(self, number: int) -> np.ndarray:
        """Everybody of one shard, shape (n, 16), uint8."""
        return _raw(sorted(each for each in self._people if each.int >> 124 == number))

    def look(self, subjects: np.ndarray, max_age_days: int | None) -> np.ndarray:
        """What the program hears of these people."""
        seen = np.zeros(len(subjects), dtype=bulk.SAID)
        for place, raw in enumerate(subjects):
            row = self._row(raw, max_age_days)
            seen[place]["subject"] = raw
            seen[place]["answer"] = bulk.ANSWERS.index(row["answer"])
            if row.get("certificate_id"):
                seen[place]["as_of"], seen[place]["until"] = _days(row["as_of"]), _days(row["until"])
                seen[place]["certificate"] = np.frombuffer(row["certificate_id"].bytes, np.uint8)
                seen[place]["channel"] = bulk.CHANNELS.index(row["channel"])
        return seen

    def look_before_paying(self, subjects: np.ndarray) -> np.ndarray:
        """What is known of these people before they are paid."""
        seen = np.zeros(len(subjects), dtype=bulk.PAY)
        for place, raw in enumerate(subjects):
            seen[place]["subject"] = raw
            person = self._people.get(UUID(bytes=raw.tobytes()))
            if person is None:
                continue
            stopped = person.status in STOPPED
            seen[place]["listed"], seen[place]["amount_fen"] = True, person.amount_fen
            seen[place]["under_review"], seen[place]["stopped"] = person.under_review, stopped
            seen[place]["not_certified"] = self._row(raw, None)["until"] is None or self._late(raw)
            if stopped:
                seen[place]["decision"] = raw  # no decision was made: it only has to be one
        return seen

    def _row(self, raw: np.ndarray, max_age_days: int | None) -> dict[str, Any]:
        subject = UUID(bytes=raw.tobytes())
        return _row(self._people.get(subject), subject, self._cycle, self._today, max_age_days)

    def _late(self, raw: np.ndarray) -> bool:
        until: date = self._row(raw, None)["until"]
        return until < self._today


def unnamed(subjects: pa.Array | pa.ChunkedArray, answers: pl.Series) -> tuple[pa.Array, pl.Series]:
    """What the usage log keeps of a sandbox: answers marked as such, of nobody."""
    return pa.nulls(len(subjects), pa.binary(16)), "sandbox:" + answers


def _raw(subjects: Sequence[UUID]) -> np.ndarray:
    return np.frombuffer(b"".join(each.bytes for each in subjects), dtype=np.uint8).reshape(-1, 16)


def _days(day: date) -> int:
    return int((np.datetime64(day) - bulk.NO_DAY).astype(int))


# ---- certificates ----------------------------------------------------------------------------------------------------


def certificate(
    deps: Deps, client_id: str, programs: Sequence[Program], opened: tuple[UUID, UUID]
) -> dict[str, Any] | None:
    """A certificate a check in a sandbox gave a reference to; None for any other."""
    today = deps.clock.today()
    subject, wanted = opened
    for person in (each for program in programs for each in program.people):
        if person.seen_days_ago is None or _subject(deps, person.citizen_id) != subject:
            continue
        as_of = today - timedelta(days=person.seen_days_ago)
        if certificate_id(subject, Claim.ALIVE, as_of, person.channel) == wanted:
            return {
                "certificate": deps.references.seal(client_id, subject, wanted),
                "person": str(deps.pseudonym(client_id, subject)),
                "claim": str(Claim.ALIVE),
                "as_of": as_of.isoformat(),
                "evidence_class": str(evidence_class(person.channel)),
                "issued_on": as_of.isoformat(),
                "revoked_at": None,
                "reason": None,
                "successor": None,
                "checked_at": instant(deps.clock.now()),
                **FLAG,
            }
    return None
