"""Objections: a person says that something is wrong; somebody who had no hand in it looks, within working days."""

from collections.abc import Collection
from enum import StrEnum


class ObjectionAbout(StrEnum):
    """What a person objects to."""

    INTENDED_STOP = "intended_stop"
    STOP = "stop"
    ARREARS = "arrears"
    OVERPAYMENT = "overpayment"
    CERTIFICATION = "certification"
    DATA = "data"
    LOOK = "look"
    OTHER = "other"


class ObjectionStage(StrEnum):
    """First an objection; against its dismissal one review by somebody else."""

    OBJECTION = "objection"
    REVIEW = "review"


class ObjectionState(StrEnum):
    """Where an objection stands."""

    RECEIVED = "received"
    UPHELD = "upheld"
    DISMISSED = "dismissed"


def may_answer(user: str, involved: Collection[str]) -> bool:
    """Whether an officer may answer: nobody judges what he himself decided (回避)."""
    return bool(user) and user not in involved
