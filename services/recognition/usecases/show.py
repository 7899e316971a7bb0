"""One certificate, as the client it was given to may see it again."""

from typing import Any

from services.recognition.domain.answers import evidence_class
from services.recognition.store import certificates
from services.recognition.usecases import sandbox
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.feed import programs_of
from services.recognition.usecases.recognise import instant
from shared.contracts.vocabulary import Channel
from shared.kit.auth import Caller
from shared.kit.db import ReadTx
from shared.kit.problems import NotFoundError


async def certificate(deps: Deps, tx: ReadTx, caller: Caller, reference: str) -> tuple[dict[str, Any], Any, str]:
    """The certificate of a reference, its subject (None in a sandbox), and its entity tag.

    Raises:
        NotFoundError: the client was never given it, or none of its programs pays the person.
    """
    opened = deps.references.open(caller.client_id, reference)
    row = await certificates.find_certificate(tx, *opened, programs_of(caller)) if opened else None
    if opened is not None and row is None:
        mine = [each for each in deps.programs.values() if each.people and caller.may_program(each.code)]
        if (invented := sandbox.certificate(deps, caller.client_id, mine, opened)) is not None:
            return invented, None, f'"{reference[:24]}-sandbox"'
    if opened is None or row is None:
        detail = "Your client was given no such certificate; references are those of POST /v1/recognitions:check."
        raise NotFoundError(detail)
    subject, _ = opened
    successor = row["successor_id"]
    said = {
        "certificate": reference,
        "person": str(deps.pseudonym(caller.client_id, subject)),
        "claim": row["claim"],
        "as_of": row["as_of"].isoformat(),
        "evidence_class": str(evidence_class(Channel(row["channel"]))),
        "issued_on": row["issued_on"].isoformat(),
        "revoked_at": instant(row["revoked_at"]) if row["revoked_at"] else None,
        "reason": row["reason"],
        "successor": deps.references.seal(caller.client_id, subject, successor) if successor else None,
        "checked_at": instant(deps.clock.now()),
    }
    # A certificate is never rewritten: its tag changes once, when it is revoked.
    return said, subject, f'"{reference[:24]}{"-revoked" if row["revoked_at"] else ""}"'
