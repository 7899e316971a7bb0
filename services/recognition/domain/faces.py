"""Self-certification by face: what a provider's assertion must say before it certifies anybody."""

from dataclasses import dataclass
from enum import StrEnum

MOST_SCORE = 100.0


class FaceState(StrEnum):
    """Life of a session: good for one assertion, and for minutes."""

    OPEN = "open"
    PASSED = "passed"
    REFUSED = "refused"


class FaceRefusal(StrEnum):
    """Why an assertion did not certify."""

    LIVENESS = "liveness"
    SCORE = "score"
    PERSON = "person"
    NONCE = "nonce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """What a provider signed; the citizen id in it has become a subject's match already.

    Attributes:
        same_person: whether the face was compared with the police photo of the person who opened the session.
        score: 0 to 100; 90 stands for one false match in ten thousand.
    """

    issuer: str
    jti: str
    nonce: str
    same_person: bool
    score: float
    live: bool


def refusal(assertion: Assertion, *, nonce: str, least_score: float) -> FaceRefusal | None:
    """Why this assertion does not certify the session; None when it does."""
    if assertion.nonce != nonce:
        return FaceRefusal.NONCE
    if not assertion.same_person:
        return FaceRefusal.PERSON
    if not assertion.live:
        return FaceRefusal.LIVENESS
    if not least_score <= assertion.score <= MOST_SCORE:  # what is no number is in no range
        return FaceRefusal.SCORE
    return None
