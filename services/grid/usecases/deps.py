"""What the verbs need beside a transaction."""

from dataclasses import dataclass
from datetime import date

from services.grid.policies import Policies
from services.grid.policies.rewards import Rewards
from services.grid.policies.take_up import TakeUp
from shared.kit.clock import Clock
from shared.kit.crypto import Pseudonymiser, Vault
from shared.kit.db import Database
from shared.kit.http import Peers
from shared.kit.outbox import Outbox
from shared.kit.workdays import after_working_days


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """Dependencies of grid, built once in `app.py`."""

    database: Database
    outbox: Outbox
    clock: Clock
    vault: Vault
    name_keys: Pseudonymiser
    draw_keys: Pseudonymiser
    policies: Policies
    take_up: TakeUp
    rewards: Rewards
    peers: Peers
    ingest_url: str
    scoring_url: str
    reveal_seconds: float
    import_bytes: int

    def knock_by(self) -> date:
        """The day by which a member who is given a task today is to have knocked."""
        today = self.clock.today()
        return after_working_days(today, self.policies.on(today).working_days[0])
