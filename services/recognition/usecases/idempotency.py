"""One effect for one Idempotency-Key (IETF draft-ietf-httpapi-idempotency-key-header-07)."""

from services.recognition.store import idempotency as store
from services.recognition.store.idempotency import Kept
from shared.kit.db import WriteTx
from shared.kit.problems import ConflictError, MalformedError


class InFlightError(ConflictError):
    """The first request under this key has not been answered yet."""

    code = "idempotency_in_flight"


class KeyReusedError(MalformedError):
    """The key was used for another request."""

    code = "idempotency_key_reused"
    title = "This Idempotency-Key belongs to another request"


async def earlier(tx: WriteTx, client_id: str, key: str, fingerprint: bytes) -> Kept | None:
    """What the same request was answered before; None when it is new, and its key is then held.

    Raises:
        InFlightError: it is being answered at this moment.
        KeyReusedError: the key came with another request.
    """
    if not await store.claim(tx, client_id, key):
        detail = "The same request is being answered; send it again in a moment."
        raise InFlightError(detail, headers={"Retry-After": "1"})
    kept = await store.find(tx, client_id, key)
    if kept is not None and kept.fingerprint != fingerprint:
        detail = "Use a new key for a new request; a key may be sent again with the same request only."
        raise KeyReusedError(detail)
    return kept


async def keep(tx: WriteTx, client_id: str, key: str, kept: Kept) -> None:
    """Keep an answer in the transaction of its effect."""
    await store.keep(tx, client_id, key, kept)


async def forget(tx: WriteTx) -> None:
    """Forget answers older than a day."""
    await store.forget(tx)
