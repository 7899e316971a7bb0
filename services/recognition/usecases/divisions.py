"""Whom an officer may see: people of his programs, and of his divisions where his token names some."""

from uuid import UUID

from services.recognition.store import divisions
from shared.kit.auth import Caller
from shared.kit.db import ReadTx


async def may_see(tx: ReadTx, caller: Caller, subject: UUID, program: str) -> bool:
    """Whether a person of a program is one of the officer's."""
    return caller.may_program(program) and await divisions.leads_to(tx, subject, [program], caller.divisions)
