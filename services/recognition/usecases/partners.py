"""Partners an outside issuer vouches for: nothing lists them beforehand, so they are known from what they ask."""

from dataclasses import dataclass, field

from services.recognition.store import clients
from shared.kit.auth import Caller
from shared.kit.db import Database

PARTNER = "partner"


@dataclass(slots=True)
class Partners:
    """Keeps who has asked for which programs, so that revocations are handed over to him and run after.

    Only where no file lists the clients: that file says who they are, and who is one no longer.
    """

    database: Database
    _met: dict[str, frozenset[str]] = field(default_factory=dict)

    def knows(self, caller: Caller) -> bool:
        """Whether this process has met the caller with these programs; others than partners need not be known."""
        return caller.role != PARTNER or self._met.get(caller.client_id) == caller.programs

    async def meet(self, caller: Caller) -> None:
        """Keep a partner with the programs its token speaks for now."""
        await clients.note_partner(self.database, caller.client_id, caller.department, sorted(caller.programs))
        self._met[caller.client_id] = caller.programs
