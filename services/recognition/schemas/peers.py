"""Shapes of certificates other offices make, and of taking certificates back."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from services.recognition.domain.peers import IdCheck, PeerMethod, PeerRevocation
from services.recognition.schemas.common import Day, In, Out, Reference, Words
from services.recognition.schemas.partner import CitizenId, ProgramCode

HandedIn = Literal[PeerMethod.ONSITE, PeerMethod.HOME, PeerMethod.VIDEO, PeerMethod.OTHER_REGION, PeerMethod.CONSULATE]
"""Ways of seeing a person that a department reports; a counter's clerk certifies himself."""


class AttestedIn(In):
    """A certification: `certified_on` is the day the person was seen; validity counts from there, however late."""

    certified_on: Day
    method: HandedIn
    reference: Annotated[Reference, Field(description="the department's own record; it is taken once")]


class AttestIn(AttestedIn):
    """Whom the department has certified for a program of its own."""

    program: ProgramCode
    citizen_id: CitizenId


class CounterIn(In):
    """Whom a clerk has before him, and how he made sure who it is; who sends somebody else is not certified here."""

    program: ProgramCode
    citizen_id: CitizenId
    present: Annotated[Literal[True], Field(description="the person himself stands at the counter")]
    id_check: IdCheck
    reference: Annotated[Reference, Field(description="the counter's own receipt; it is taken once")]


class TakeBackIn(In):
    """Why a certification is taken back, and what is right in its place."""

    reason: PeerRevocation
    instead: AttestedIn | None = None


class TakeBackCounterIn(In):
    """Why a counter takes back what it certified."""

    reason: PeerRevocation


class RevokeIn(In):
    """Which certificate an officer takes back, and why."""

    subject: UUID
    certificate_id: UUID
    reason: PeerRevocation
    grounds: Words


class RevokedOut(Out):
    """A revocation; `successor_id` is the newest certificate that holds in its place."""

    subject: UUID
    certificate_id: UUID
    reason: PeerRevocation
    successor_id: UUID | None
    revoked_by: str
    grounds: str
