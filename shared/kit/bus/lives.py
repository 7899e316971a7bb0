"""Which messages a process dies of: told by deliveries that nobody gave back, and proved by notes in the database."""

from collections import Counter
from uuid import UUID

from shared.kit import inbox
from shared.kit.bus.message import PoisonError
from shared.kit.db import Database

DEATHS = 100  # deliveries without an end: nothing but a process that dies each time gets there within minutes
LAST_TRIES = 8

Place = tuple[str, int]  # a durable consumer and a place in its stream


class Lives:
    """Tells a message its processes die of from one that waits for its surroundings.

    The broker counts deliveries, but not how they ended. What this process gave back itself it did not die of, so those
    are taken off. What other processes, or this one before it was started anew, gave back nobody here knows: a message
    seen first after more than `DEATHS` deliveries is therefore noted in the database before it is handled, and the
    notes go when it is given back, whatever for. A message whose process dies leaves its note behind, once for each
    process; after `LAST_TRIES` notes with nobody who lived to give it back, it is parked.

    So this holds: a message that is given back for trouble of the surroundings is never parked for it, in however many
    processes and however often, unless as many processes in a row are killed with it in hand; and one that kills its
    process each time is parked after at most `DEATHS` and `LAST_TRIES` deaths, and those it was given back before.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._survived: Counter[Place] = Counter()
        self._noted: set[Place] = set()

    async def take_up(self, place: Place, event_id: UUID, delivered: int) -> None:
        """Before a message is handled.

        Raises:
            PoisonError: process after process died of it.
        """
        if delivered - self._survived[place] <= DEATHS:
            return
        if place not in self._noted:
            async with self._database.write() as tx:
                if not await inbox.note_try(tx, place[0], event_id, LAST_TRIES):
                    msg = "the process died each time it was handled"
                    raise PoisonError(msg)
            self._noted.add(place)
        self._survived[place] = delivered

    async def waits(self, place: Place, event_id: UUID) -> None:
        """It is given back for trouble of the surroundings."""
        self._survived[place] += 1
        await self.given_back(place, event_id)

    async def given_back(self, place: Place, event_id: UUID) -> None:
        """It is given back: this process lives."""
        if place in self._noted:
            async with self._database.write() as tx:
                await inbox.forget_tries(tx, place[0], event_id, LAST_TRIES)
            self._noted.discard(place)

    def done(self, place: Place) -> None:
        """It has been handled, or parked."""
        self._survived.pop(place, None)
        self._noted.discard(place)
