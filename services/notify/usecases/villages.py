"""What a village prints, hands out and reads out; names are opened for it only, and each look is written down."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from uuid import UUID

import orjson
import structlog

from services.notify.channels.letter import Letter, LetterSettings, render
from services.notify.domain.delivery import Receipt
from services.notify.domain.languages import Language
from services.notify.domain.template import UnknownVersionError, fill, read_values
from services.notify.domain.words import ValueShapeError, contact_values
from services.notify.store import readings, villages
from services.notify.store.villages import VillageRow
from services.notify.usecases import rights, send
from services.notify.usecases.deps import Deps
from shared.kit.auth import Caller
from shared.kit.clock import SHANGHAI
from shared.kit.crypto import SealBrokenError
from shared.kit.db import WriteTx
from shared.kit.problems import MalformedError

log = structlog.get_logger(__name__)

LETTER = "letter"
LOUDSPEAKER = "loudspeaker"
_PROGRAMS = "programs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A message with its words filled in.

    Attributes:
        ids: of the messages it brings.
        name: of the person.
    """

    row: VillageRow
    ids: Sequence[UUID]
    name: str
    title: str
    text: str


async def take(  # noqa: PLR0913  (what to take)
    tx: WriteTx, deps: Deps, caller: Caller, division: str, channel: str, *, ids: Sequence[UUID] | None, limit: int
) -> list[Spoken]:
    """Messages a village has to bring to people, filled in; the look at each person is written down.

    Raises:
        ForbiddenError, NotFoundError: another village's.
    """
    rights.check_village(caller, division)
    rows = await villages.list_of(tx, division, channel, ids=ids, limit=limit)
    together = _together(rows) if channel == LETTER else [(row, [row.message_id]) for row in rows]
    found = [spoken for row, ids in together if (spoken := _speak(deps, channel, row, ids)) is not None]
    seen = Counter(each.row.subject for each in found)
    await readings.note_looks(tx, seen, client_id=caller.client_id, who=caller.user, at=deps.clock.now())
    return found


def _together(rows: Sequence[VillageRow]) -> list[tuple[VillageRow, list[UUID]]]:
    """What is said alike of several programs of a person as one, in the place of the first; with the ids of all."""
    alike: dict[object, list[VillageRow]] = {}
    for row in rows:
        rest = {name: value for name, value in row.variables.items() if name != _PROGRAMS}
        said = (row.subject, row.template, row.version, row.to_family, orjson.dumps(rest, option=orjson.OPT_SORT_KEYS))
        alike.setdefault(said if isinstance(row.variables.get(_PROGRAMS), list) else row.message_id, []).append(row)
    return [(_of_all(some), [row.message_id for row in some]) for some in alike.values()]


def _of_all(rows: Sequence[VillageRow]) -> VillageRow:
    named = [row.variables[_PROGRAMS] for row in rows] if len(rows) > 1 else []
    programs = [code for each in named if isinstance(each, list) for code in each]
    first = rows[0]
    return replace(first, variables={**first.variables, _PROGRAMS: sorted(set(programs))}) if named else first


def _speak(deps: Deps, channel: str, row: VillageRow, ids: Sequence[UUID]) -> Spoken | None:
    try:
        version = deps.templates[row.template].version(row.version)
        said = version.channels[channel]
        contact: dict[str, str | None] = orjson.loads(deps.vault.open(row.sealed, row.subject.bytes))
        filled = contact_values(contact)
        # Whoever reads aloud, and the family, are told in Chinese.
        language, title, words = said.to_person(row.language if channel == LETTER else Language.CHINESE)
        if row.to_family:
            language, title, words = Language.CHINESE, said.title, said.family_text or ""
        values = {**row.variables, **filled}
        short, spelt = (
            read_values(version, values, deps.labels, language, room=room) for room in (False, channel == LETTER)
        )
    except (KeyError, UnknownVersionError, ValueShapeError, SealBrokenError):
        # One that cannot be made must not keep the village from the others; it ends by its silence.
        log.exception("letter_cannot_be_made", channel=channel, template=row.template)
        return None
    return (
        Spoken(row=row, ids=ids, name=str(filled["name"]), title=fill(title, short), text=fill(words, spelt))
        if words
        else None
    )


def print_letters(deps: Deps, spoken: Sequence[Spoken], made_at: datetime) -> bytes:
    """One PDF of letters, a page each; takes most of a second, so call it in a thread."""
    settings = deps.channels[LETTER].settings
    assert isinstance(settings, LetterSettings)
    letters = [
        Letter(
            to=f"{each.name}的家属" if each.row.to_family else each.name,
            title=each.title,
            text=each.text,
            reference="、".join(str(message_id) for message_id in each.ids),
            written_at=each.row.handed_at,
            large=each.row.large_print,
        )
        for each in spoken
    ]
    return render(settings, letters, made_at)


def when(day: date | None, now: datetime) -> datetime | None:
    """The noon of a day that is over on which a village brought something; None for today, which is now.

    Raises:
        MalformedError: the day lies ahead.
    """
    today = now.astimezone(SHANGHAI).date()
    if day is None or day == today:
        return None
    if day > today:
        detail = "on lies ahead; say what has been handed out."
        raise MalformedError(detail)
    return datetime.combine(day, time(12), SHANGHAI)


async def confirm(
    tx: WriteTx, deps: Deps, caller: Caller, division: str, channel: str, receipts: Sequence[Receipt]
) -> tuple[int, int]:
    """Take a village's word for what it has handed out. Returns how many were its own, and how many were new.

    Raises:
        ForbiddenError, NotFoundError: another village's.
    """
    rights.check_village(caller, division)
    own = await villages.known_ids(tx, division, channel, [each.id for each in receipts])
    mine = [each for each in receipts if each.id in own]
    return len(mine), await send.take_receipts(tx, deps, channel, mine) if mine else 0
