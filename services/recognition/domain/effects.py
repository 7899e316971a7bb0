"""What the effects of a decision are to an enrolment: steps that stop it, or changes of which the person is told."""

from services.recognition.domain.enrolments import Step
from services.recognition.domain.programs import Effect
from shared.contracts.vocabulary import NoticeKind

STEPS = {Effect.TERMINATE: Step.TERMINATE, Effect.SUSPEND: Step.SUSPEND}
"""Effects that stop money, and the step each of them is."""

ANNOUNCES = {Effect.TERMINATE: Step.ANNOUNCE_END, Effect.SUSPEND: Step.GIVE_NOTICE}
"""The step of telling that each of them is intended."""

CHANGES = {Effect.REDUCE: NoticeKind.REDUCED, Effect.CHANGE_PAYEE: NoticeKind.PAYEE_CHANGE}
"""Effects that change what is paid or to whom without stopping it, and what the person is told of them."""
