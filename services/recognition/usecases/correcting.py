"""Corrections: when people found a register's record false, its department is asked to mend it, once a case."""

from collections.abc import Sequence
from hashlib import blake2b
from uuid import UUID

from services.recognition.store import case_corrections
from services.recognition.usecases.deps import Deps
from shared.contracts.events.recognition import CORRECTION_REQUESTED, CorrectionRequested
from shared.kit.db import WriteTx

_FALSE_DEATH = "false_death"


def correction_id(case_id: UUID) -> UUID:
    """Name of the correction a case asks for: the same however often it is concluded."""
    return UUID(bytes=blake2b(case_id.bytes, digest_size=16, person=b"correction").digest())


async def ask_correction(
    deps: Deps, tx: WriteTx, case_id: UUID, subject: UUID, evidence_ids: Sequence[int] | None = None
) -> None:
    """Ask the department behind a false death to correct its record; without `evidence_ids` those of the case count."""
    known = list(evidence_ids or await case_corrections.evidence_of_case(tx, case_id))
    name, now = correction_id(case_id), deps.clock.now()
    fresh = await case_corrections.add_case_correction(
        tx, correction_id=name, case_id=case_id, subject=subject, evidence_ids=known, at=now
    )
    if fresh:
        fact = CorrectionRequested(
            correction_id=name,
            subject=subject,
            evidence_ids=known,
            reason=_FALSE_DEATH,
            asked_by=f"case:{case_id}",
            requested_at=now,
        )
        await deps.outbox.say(tx, CORRECTION_REQUESTED, fact)
