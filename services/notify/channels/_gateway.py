"""What channels of HTTP gateways share: a batch is handed over in one call and answered item by item; signed receipts.

`POST <address>` with a bearer token and a list of items is answered with `{"results": [{"id", "status": "accepted" |
"rejected" | "busy", "reference", "reason"}]}`, an id taken once being accepted again without a second message. Receipts
are `{"receipts": [{"id", "status": "delivered" | "failed", "reason", "at"}]}`, signed as a webhook.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated
from uuid import UUID

import httpx
import orjson
from pydantic import BaseModel, Field, SecretStr, ValidationError

from services.notify.channels import NotAReceiptError
from services.notify.domain.delivery import Outcome, Outgoing, Receipt, Result
from services.notify.domain.signing import SignatureError, verify

Item = Callable[[Outgoing], Mapping[str, object]]
Parts = Callable[[Outgoing], int]


class _AnswerItem(BaseModel):
    id: str
    status: str
    reference: str = ""
    reason: str = ""


class _Answer(BaseModel):
    results: list[_AnswerItem]


class _ReceiptItem(BaseModel):
    id: UUID
    status: str
    reason: str = ""


class _Receipts(BaseModel):
    receipts: Annotated[list[_ReceiptItem], Field(max_length=1000)]


class DefiniteRefusalError(Exception):
    """The gateway certainly did not take the batch; another one may be asked at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """One provider.

    Attributes:
        name: in the delivery log.
        address: where batches are posted.
        under: name of the list in the body.
        item, parts: what is posted of a message, and what is billed for it.
    """

    name: str
    address: str
    under: str
    token: str
    seconds: float
    client: httpx.AsyncClient
    item: Item
    parts: Parts

    async def hand(self, batch: Sequence[Outgoing]) -> list[Result]:
        """Hand a batch over.

        Raises:
            DefiniteRefusalError: it certainly took none of them.
        """
        body = orjson.dumps({self.under: [self.item(each) for each in batch]})
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            answer = await self.client.post(self.address, content=body, headers=headers, timeout=self.seconds)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise DefiniteRefusalError(type(error).__name__) from error
        except httpx.TransportError as error:
            return self._unknown(batch, type(error).__name__)
        if answer.is_client_error:
            raise DefiniteRefusalError(f"http_{answer.status_code}")
        if answer.status_code != httpx.codes.OK:
            # A proxy's 502, a fault after the messages were stored, a bare 202: they may be on their way.
            return self._unknown(batch, f"http_{answer.status_code}")
        return self._results(batch, answer.content)

    def _unknown(self, batch: Sequence[Outgoing], reason: str) -> list[Result]:
        return [self._lost(each, reason) for each in batch]

    def _lost(self, message: Outgoing, reason: str) -> Result:
        return replace(again(message, self.name, reason, unsure=True), parts=self._billed(message))

    def _billed(self, message: Outgoing) -> int:
        """What it bills, counted at the first call that may have reached it: the same id again costs nothing."""
        return 0 if message.asked == self.name else self.parts(message)

    def _results(self, batch: Sequence[Outgoing], body: bytes) -> list[Result]:
        try:
            said = {item.id: item for item in _Answer.model_validate_json(body).results}
        except ValidationError:
            return self._unknown(batch, "unreadable_answer")
        return [self._result(each, said.get(str(each.id))) for each in batch]

    def _result(self, message: Outgoing, item: _AnswerItem | None) -> Result:
        if item is None:
            return self._lost(message, "no_answer_for_it")
        if item.status == "accepted":
            reference, parts = item.reference[:64], self._billed(message)
            return Result(id=message.id, outcome=Outcome.HANDED, provider=self.name, reference=reference, parts=parts)
        reason = item.reason[:64] or item.status[:64]
        if item.status == "rejected":
            return Result(id=message.id, outcome=Outcome.REJECTED, provider=self.name, reason=reason)
        return again(message, self.name, reason)


def again(message: Outgoing, provider: str, reason: str, *, unsure: bool = False) -> Result:
    """A try to be made again; `unsure`: the provider may have taken the message, or had it from a try before."""
    unsure = unsure or message.asked is not None
    return Result(id=message.id, outcome=Outcome.AGAIN, provider=provider, reason=reason.lower(), unsure=unsure)


def read_receipts(secret: SecretStr, headers: Mapping[str, str], body: bytes, now: int) -> list[Receipt]:
    """Receipts in a callback.

    Args:
        secret: `whsec_…` of the provider; empty: nobody is believed.
        headers: with lower-case names.
        body: as it came.
        now: seconds since 1970.

    Raises:
        NotAReceiptError: wrong signature or shape.
    """
    if not secret.get_secret_value():
        msg = "no receipt secret is set"
        raise NotAReceiptError(msg)
    try:
        verify([secret.get_secret_value()], headers=headers, body=body, now=now)
        items = _Receipts.model_validate_json(body).receipts
    except (SignatureError, ValidationError, ValueError) as error:
        raise NotAReceiptError(type(error).__name__) from error
    return [
        Receipt(id=item.id, delivered=item.status == "delivered", reason=item.reason[:64])
        for item in items
        if item.status in {"delivered", "failed"}
    ]
