"""Events in: somebody says that a record is wrong, or people have found somebody alive whom a register calls dead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.ingest.domain.catalogue import Source
from services.ingest.usecases import corrections
from services.ingest.usecases.corrections import Request
from shared.contracts.events import CASE_CONCLUDED, CaseConcluded
from shared.contracts.events.recognition import CORRECTION_REQUESTED, CorrectionRequested
from shared.contracts.vocabulary import CaseConclusion, CorrectionReason
from shared.kit.bus import Message, PoisonError, Subscription
from shared.kit.clock import Clock
from shared.kit.crypto import SealBrokenError, Vault
from shared.kit.db import WriteTx
from shared.kit.outbox import Outbox
from shared.kit.workdays import after_working_days


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """What the handlers work with.

    Attributes:
        working_days: within which a department is to answer.
    """

    outbox: Outbox
    sources: Mapping[str, Source]
    clock: Clock
    vault: Vault
    working_days: int

    async def on_correction_requested(self, tx: WriteTx, message: Message) -> None:
        """A partner, a citizen or an officer says that a record is wrong."""
        said = message.fact(CorrectionRequested)
        request = Request(
            request_id=said.correction_id,
            subject=said.subject,
            evidence_ids=said.evidence_ids,
            reason=CorrectionReason.of(said.reason),
            sealed_reason=self._words(said),
            asked_by=said.asked_by,
            at=self.clock.now(),
            due_on=after_working_days(self.clock.today(), self.working_days),
        )
        await corrections.ask(tx, self.outbox, self.sources, request)

    async def on_case_concluded(self, tx: WriteTx, message: Message) -> None:
        """People concluded a case; a false death goes back to the register it came from."""
        said = message.fact(CaseConcluded)
        if said.conclusion != CaseConclusion.FALSE_DEATH or not said.evidence_ids:
            return
        request = Request(
            request_id=said.case_id,
            subject=said.subject,
            evidence_ids=said.evidence_ids,
            reason=CorrectionReason.FALSE_DEATH,
            sealed_reason=None,
            asked_by=f"case {said.case_id}",
            at=self.clock.now(),
            due_on=after_working_days(self.clock.today(), self.working_days),
        )
        await corrections.ask(tx, self.outbox, self.sources, request)

    def _words(self, said: CorrectionRequested) -> bytes | None:
        if said.sealed_reason is None:  # a code, or the words of an older version
            coded = CorrectionReason.of(said.reason) == said.reason
            return None if coded else corrections.sealed(self.vault, said.reason, said.correction_id)
        try:
            return self.vault.received(said.sealed_reason, said.correction_id)
        except SealBrokenError as error:
            msg = "the words were not sealed for this correction"
            raise PoisonError(msg) from error

    def subscriptions(self) -> Sequence[Subscription]:
        """Everything ingest hears."""
        return (
            Subscription(event=CORRECTION_REQUESTED, handler=self.on_correction_requested),
            Subscription(event=CASE_CONCLUDED, handler=self.on_case_concluded),
        )
