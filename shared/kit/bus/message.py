"""A message as a handler sees it, read from what the broker hands over."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import pyarrow as pa

from shared.contracts.events import Event, Fact, TableEvent
from shared.contracts.vocabulary import SHARDS
from shared.kit import arrow, trace

_HEADERS = ("ce-id", "ce-type", "ce-time", "ce-source", "ce-specversion")

FactT = TypeVar("FactT", bound=Fact)


class PoisonError(Exception):
    """A message that no retry can help: it is parked at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as a handler sees it.

    Attributes:
        shard: of everybody in it; None for a fact, and for a small table whose people are of several.
    """

    id: UUID
    event: Event
    shard: str | None
    attributes: dict[str, str]
    happened_at: datetime
    body: bytes
    traceparent: str | None = None

    def table(self) -> pa.Table:
        """The body of a table event, with every column its event declares."""
        table = arrow.decode(self.body)
        if isinstance(self.event, TableEvent):
            for name in sorted(self.event.added - set(table.column_names)):
                table = table.append_column(name, pa.nulls(table.num_rows, self.event.columns[name]))
        return table

    def shards(self) -> list[str]:
        """The shards of the people in a table, ascending."""
        return [self.shard] if self.shard is not None else arrow.shards_of(self.table())

    def one_shard(self) -> str:
        """The shard of everybody in a table that is always said by shard.

        Raises:
            TypeError: small tables of this event stay whole, so that its handler has to ask for all shards in them.
            PoisonError: it came without a shard.
        """
        if not isinstance(self.event, TableEvent) or self.event.undivided:
            msg = f"{self.event.name} may be of several shards"
            raise TypeError(msg)
        if self.shard is None:
            msg = f"{self.event.name} came without a shard"
            raise PoisonError(msg)
        return self.shard

    def fact(self, model: type[FactT]) -> FactT:
        """The body of a JSON event."""
        return model.model_validate_json(self.body)


def message_of(event: Event, subject: str, headers: Mapping[str, str], body: bytes) -> Message:
    """What came on a subject.

    Raises:
        PoisonError: it is no CloudEvent, or not of this event.
    """
    if missing := [name for name in _HEADERS if name not in headers]:
        msg = f"not a CloudEvent: {', '.join(missing)} missing"
        raise PoisonError(msg)
    if headers["ce-type"] != event.name:
        msg = f"{headers['ce-type']} came on the subject of {event.name}"
        raise PoisonError(msg)
    attributes: dict[str, str] = {}
    if isinstance(event, TableEvent):
        schema = arrow.schema_of(body)
        attributes = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
        if set(event.columns) - event.added - set(schema.names):
            msg = f"{event.name} lacks columns"
            raise PoisonError(msg)
    last = subject.rpartition(".")[2]
    return Message(
        id=UUID(headers["ce-id"]),
        event=event,
        shard=last if isinstance(event, TableEvent) and last in SHARDS else None,
        attributes=attributes,
        happened_at=datetime.fromisoformat(headers["ce-time"]),
        body=body,
        traceparent=trace.well_formed(headers.get(trace.HEADER)),
    )
