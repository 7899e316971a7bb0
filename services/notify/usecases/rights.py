"""Whose messages a caller may see: by his role and divisions, and the person, department or client in his token."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.notify.store import contacts
from shared.contracts.vocabulary import Audience
from shared.kit.auth import Caller
from shared.kit.db import ReadTx
from shared.kit.problems import ForbiddenError, NotFoundError

EVERYBODYS: Final = frozenset({"operator", "service"})
"""Roles that see everything, wherever it belongs to."""
CITIZEN: Final = "citizen"
LOOKERS: Final = EVERYBODYS | {CITIZEN, "officer", "auditor"}
"""Roles that look at a person's messages; officers and auditors see the whole city unless their token has divisions."""
_READERS: Final[Mapping[Audience, frozenset[str]]] = {
    Audience.OFFICER: frozenset({"officer"}),
    Audience.DEPARTMENT: frozenset({"department"}),
    Audience.GRID_WORKER: frozenset({"grid_worker", "grid_leader"}),
    Audience.VILLAGE: frozenset({"village", "grid_leader", "officer"}),
    Audience.PARTNER: frozenset({"partner"}),
}
"""Whose inbox each is; an audience that is not here has none that several people read."""
_NO_DIVISION: Final = "The token names no division; ask the operator to add it to your client."


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """Which of an audience's messages somebody may see.

    Attributes:
        recipient: only those addressed so; None: to whomever.
        divisions: only those that belong to these; empty: to any.
        programs: of those addressed to a program only these; None: any.
    """

    recipient: str | None = None
    divisions: tuple[str, ...] = ()
    programs: tuple[str, ...] | None = None


async def check_person(tx: ReadTx, caller: Caller, subject: UUID) -> None:
    """Let the person himself pass, the offices of his division, and who sees everybody.

    Raises:
        ForbiddenError: another role, or somebody else's token.
        NotFoundError: a person of another division, or of none that is known.
    """
    if caller.role not in LOOKERS or (caller.role == CITIZEN and caller.user != str(subject)):
        detail = "People's messages are for themselves and for the officers of their division."
        raise ForbiddenError(detail)
    if caller.divisions and caller.role not in EVERYBODYS | {CITIZEN}:
        division = await contacts.find_division(tx, subject)
        if division is None or not caller.may_division(division):
            detail = "Your token leads to no such person."
            raise NotFoundError(detail)


def inbox_of(caller: Caller, audience: Audience) -> Inbox:
    """What a caller may see of an audience's inbox.

    Raises:
        ForbiddenError: nothing.
    """
    if caller.role in EVERYBODYS:
        return Inbox(divisions=caller.divisions)
    if caller.role not in _READERS.get(audience, ()):
        detail = "This inbox belongs to another role."
        raise ForbiddenError(detail)
    if audience is Audience.DEPARTMENT:
        if caller.department is None:
            detail = "The token names no department; ask the operator to add it to your client."
            raise ForbiddenError(detail)
        return Inbox(recipient=caller.department)
    if audience in {Audience.GRID_WORKER, Audience.PARTNER}:
        return Inbox(recipient=caller.user if audience is Audience.GRID_WORKER else caller.client_id)
    if audience is Audience.VILLAGE and not caller.divisions:
        raise ForbiddenError(_NO_DIVISION)
    programs = None if caller.may_program("*") else tuple(caller.programs)
    return Inbox(divisions=caller.divisions, programs=programs)


def check_village(caller: Caller, division: str) -> None:
    """Refuse another village's people, and anybody's to a token that names no division.

    Raises:
        ForbiddenError: the token names none.
        NotFoundError: the token does not lead to this one.
    """
    if not caller.divisions and caller.role not in EVERYBODYS:
        raise ForbiddenError(_NO_DIVISION)
    if not caller.may_division(division):
        detail = "Your token leads to no such division."
        raise NotFoundError(detail)
