"""Certifications other offices made face to face: how they saw the person, and what that makes of it here."""

from dataclasses import dataclass
from enum import StrEnum

from shared.contracts.vocabulary import Channel, Strength


class PeerMethod(StrEnum):
    """How an office saw the person."""

    ONSITE = "onsite"
    HOME = "home"
    VIDEO = "video"
    OTHER_REGION = "other_region"
    CONSULATE = "consulate"
    COUNTER = "counter"


class IdCheck(StrEnum):
    """How a clerk made sure that the person who stood before him is the one."""

    ID_CARD_READ = "id_card_read"
    FACE_COMPARED = "face_compared"
    SOCIAL_CARD_READ = "social_card_read"


class PeerRevocation(StrEnum):
    """Why a certificate is taken back; neutral, it blames nobody."""

    WRONG_PERSON = "wrong_person"
    WRONG_DAY = "wrong_day"
    NOT_CARRIED_OUT = "not_carried_out"
    FALSE_RECORD = "false_record"


@dataclass(frozen=True, slots=True)
class Weight:
    """What a method is worth.

    Attributes:
        cap_months: longest validity; None for the program's own cycle.
    """

    channel: Channel
    strength: Strength
    cap_months: int | None


def weight(method: PeerMethod, video_months: int) -> Weight:
    """What a method is worth: another region's office is remote assistance, a picture is weaker than a meeting."""
    if method in {PeerMethod.OTHER_REGION, PeerMethod.CONSULATE}:
        return Weight(Channel.REMOTE, Strength.STRONG, None)
    if method is PeerMethod.COUNTER:
        return Weight(Channel.COUNTER, Strength.STRONG, None)
    if method is PeerMethod.VIDEO:
        return Weight(Channel.PARTNER, Strength.WEAK, video_months)
    return Weight(Channel.PARTNER, Strength.STRONG, None)
