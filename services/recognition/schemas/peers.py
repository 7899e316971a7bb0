"""Shapes of certificates other offices make, and of taking certificates back."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.recognition.domain.peers import PeerMethod, PeerRevocation
from services.recognition.schemas.common import Day, In, Out, Reference, Words
from services.recognition.schemas.partner import CitizenId, ProgramCode


class AttestedIn(In):
    """A certification: `certified_on` is the day the person was seen; validity counts from there, however late."""

    certified_on: Day
    method: PeerMethod
    reference: Annotated[Reference, Field(description="the department's own record; it is taken once")]


class AttestIn(AttestedIn):
    """Whom the department has certified for a program of its own."""

    program: ProgramCode
    citizen_id: CitizenId


class TakeBackIn(In):
    """Why a certification is taken back, and what is right in its place."""

    reason: PeerRevocation
    instead: AttestedIn | None = None


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
