"""Opting out of information, never of legal notices."""

from uuid import UUID

from services.notify.domain.languages import Language
from services.notify.store import contacts, preferences, readings
from services.notify.store.preferences import Preference
from services.notify.usecases import rights
from services.notify.usecases.deps import Deps
from shared.kit.auth import Caller
from shared.kit.db import WriteTx


async def prefer(  # noqa: PLR0913  (what he asks for)
    tx: WriteTx, deps: Deps, caller: Caller, subject: UUID, *, information: bool, large_print: bool, language: Language
) -> Preference:
    """Keep what a person asks for, and hold back at once what he no longer wants.

    Raises:
        ForbiddenError, NotFoundError: the caller may not speak for this person.
    """
    await rights.check_person(tx, caller, subject)
    now = deps.clock.now()
    asked = Preference(
        subject=subject, information=information, large_print=large_print, language=language, changed_at=now
    )
    # Messages of this person are written under the same lock, so none slips through between the two.
    await contacts.lock_shard(tx, subject.hex[0])
    await preferences.keep(tx, asked, by=caller.client_id, at=now)
    if not information:
        await preferences.refuse_information(tx, subject, deps.village_channels(), now)
    return asked


async def find_preference(tx: WriteTx, deps: Deps, caller: Caller, subject: UUID) -> Preference:
    """What a person asked for; the look is written down.

    Raises:
        ForbiddenError, NotFoundError: the caller may not look at this person.
    """
    await rights.check_person(tx, caller, subject)
    await readings.note_looks(tx, {subject: 0}, client_id=caller.client_id, who=caller.user, at=deps.clock.now())
    return await preferences.find(tx, subject)
