"""Who lives in a division: asked of grid when its people are needed, and kept nowhere here (ADR 0019)."""

from dataclasses import dataclass
from uuid import UUID

import httpx
import numpy as np

from services.scoring.domain.signals import Array
from shared.kit.http import Peers
from shared.kit.problems import ProblemError

_SECONDS = 5.0  # a sixteenth of the city is read in less than one, and the shard waits meanwhile


class UnknownDivisionError(ProblemError):
    """A division that the list of grids does not name."""

    status = 422
    code = "unknown_division"
    title = "There is no such county, town or village"


@dataclass(frozen=True, slots=True, kw_only=True)
class Divisions:
    """Grid, as far as scoring asks it."""

    peers: Peers
    grid_url: str

    async def people(self, division: str, shard: int) -> Array | None:
        """Sorted subjects of a shard who live in a division; None where grid does not know it.

        Raises:
            UnavailableError: grid does not answer.
        """
        answer = await self.peers.ask(
            "GET", f"{self.grid_url}/v1/divisions/{division}/subjects?shard={shard:x}", deadline=_SECONDS, tries=1
        )
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        return np.unique(np.frombuffer(b"".join(UUID(each).bytes for each in answer.json()["items"]), dtype="S16"))
