"""A person's whole history, for officers of his programs and for auditors; logged before it leaves."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from services.recognition.store import history, lookups, notices, objections, overpayments
from services.recognition.store.lookups import Asker
from services.recognition.usecases import cycles
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.recognise import subject_of
from shared.kit.db import WriteTx
from shared.kit.problems import MalformedError, NotFoundError

_LOOKS = 500
_CYCLE = ("state", "certified_until", "until", "run_on", "task_due_on", "grace_until")


class UnknownPersonError(NotFoundError):
    """Nobody this caller may see."""


def person(deps: Deps, subject: UUID | None, citizen_id: str | None) -> UUID:
    """The subject somebody asks for.

    Raises:
        MalformedError: the id is none; nothing of it is echoed.
    """
    found = subject or (subject_of(deps, citizen_id) if citizen_id else None)
    if found is None:
        detail = "This is no citizen id of GB 11643: check its length, birth date and check digit."
        raise MalformedError(detail)
    return found


async def read_history(
    deps: Deps, tx: WriteTx, subject: UUID, asker: Asker, *, programs: Sequence[str] | None, with_looks: bool
) -> dict[str, Any] | None:
    """Everything done about a person in these programs, with a usage row in the same transaction; None for a stranger.

    Args:
        deps: dependencies.
        tx: the transaction; the look is in it whether or not the person is known.
        subject: the person.
        asker: who asks and why.
        programs: of the officer; None for an auditor, who sees all.
        with_looks: whether to show who looked, with names of officials.
    """
    if not await history.knows(tx, subject, programs):
        await lookups.log_usage(tx, asker, subject=subject, answer="denied:not_found")
        return None
    await lookups.log_usage(tx, asker, subject=subject, answer="history")
    parts: dict[str, Any] = {
        name: [dict(row) for row in rows] for name, rows in (await history.read_history(tx, subject, programs)).items()
    }
    parts["notices"] = [
        {**dict(row), "attempts": orjson.loads(row["attempts"])}
        for row in await notices.list_notices(tx, subject, programs)
    ]
    parts["objections"] = [_fields(each) for each in await objections.list_of(tx, deps.vault, subject, programs)]
    parts["overpayments"] = [
        {
            **_fields(each),
            "left_fen": each.balance.left,
            "payments": [dict(row) for row in await overpayments.list_lines(tx, each.overpayment_id)],
            "recoveries": [_fields(row) for row in await overpayments.list_recoveries(tx, each.overpayment_id)],
            "plan": [_fields(row) for row in await overpayments.list_plan(tx, each.overpayment_id)],
        }
        for each in await overpayments.list_of_person(tx, subject, programs)
    ]
    stands = {row["program"]: row for row in await cycles.of_person(deps, tx, subject, programs)}
    for each in parts["enrolments"]:
        each["cycle"] = _cycle(stands.get(each["program"]))
    looks = [dict(row) for row in await history.read_looks(tx, subject, _LOOKS)] if with_looks else None
    return {"subject": subject, **parts, "looks": looks}


def _cycle(row: asyncpg.Record | None) -> dict[str, Any] | None:
    return {name: row[name] for name in _CYCLE} if row else None


def _fields(each: Any) -> dict[str, Any]:  # noqa: ANN401  (any of our frozen dataclasses)
    return {name: getattr(each, name) for name in type(each).__dataclass_fields__}
