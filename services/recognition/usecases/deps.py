"""What every verb of recognition works with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from uuid import UUID

from services.recognition import policies
from services.recognition.domain.programs import PLATFORM_CLAIMS, Program
from services.recognition.policies import Policies
from services.recognition.store.files import Files
from services.recognition.store.hearing import Cycles
from services.recognition.usecases.references import References
from shared.kit.clock import Clock
from shared.kit.crypto import Pseudonymiser, Vault
from shared.kit.db import Database
from shared.kit.outbox import Outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """Bounds and places of questions about many people.

    Attributes:
        files: parts and results.
        scratch: local folder for bodies under way.
        most_bytes: of an uploaded list.
        most_lines: of an uploaded list.
        open_jobs: one client may have under way.
        keep_hours: how long a result is kept.
        confirm_days: how long an advised pay list may be confirmed.
    """

    files: Files
    scratch: Path
    most_bytes: int
    most_lines: int
    open_jobs: int
    keep_hours: int
    confirm_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """Dependencies of routes, handlers and jobs.

    Attributes:
        subjects: makes subjects of citizen ids.
        pairwise: makes the pseudonyms one client sees, of its id and the subject.
        references: makes and opens certificate references.
        notice_days: days between a notice and the stop it announces.
        batch_limit: people of one batch request.
        bulk: for jobs and pay lists.
        audit_key: of the chain over the usage log.
        vault: seals secrets of webhooks, and what citizens write to those who look into it.
        chase_hours: until an unanswered event is told again.
        plain_webhooks: whether an endpoint may be http, on a machine of one's own.
        policies: numbers of the procedure.
    """

    database: Database
    outbox: Outbox
    clock: Clock
    programs: Mapping[str, Program]
    subjects: Pseudonymiser
    pairwise: Pseudonymiser
    references: References
    notice_days: int
    batch_limit: int
    bulk: Bulk
    audit_key: bytes
    vault: Vault
    chase_hours: int
    plain_webhooks: bool
    policies: Policies = field(default_factory=policies.load)

    def cycles(self, today: date) -> Cycles:
        """Cycles of the programs whose claims this platform fills, on a day."""
        versions = [(code, program.in_force(today)) for code, program in self.programs.items()]
        fitting = [
            (code, version)
            for code, version in versions
            if PLATFORM_CLAIMS & set(version.claims) and not self.programs[code].sandbox
        ]
        return Cycles(
            [code for code, _ in fitting],
            [version.cycle_months for _, version in fitting],
            [version.warning_days for _, version in fitting],
            [version.asks_more() for _, version in fitting],
        )

    def pseudonym(self, client_id: str, subject: UUID) -> UUID:
        """What one client knows a person by; two clients cannot compare theirs."""
        return self.pairwise.one(f"{client_id}|{subject.hex}")
