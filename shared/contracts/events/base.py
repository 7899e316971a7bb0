"""What an event is: a fact in JSON, or a table in Arrow."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

SUBJECT = pa.binary(16)
WORD = pa.dictionary(pa.int8(), pa.string())
WORDS = pa.list_(pa.string())
EVIDENCE_IDS = pa.list_(pa.int64())
SMALL_TABLE = 16 * 250
"""Rows below which a sixteenth of a table is less than a message is worth."""


class Fact(BaseModel):
    """Body of a JSON event: one fact, immutable, no person but as a subject."""

    model_config = ConfigDict(frozen=True, extra="ignore")


@dataclass(frozen=True, slots=True, kw_only=True)
class FactEvent:
    """A JSON event; `name` is its NATS subject."""

    name: str
    model: type[Fact]
    doc: str

    @property
    def stream(self) -> str:
        """Name of the stream that keeps it."""
        return self.name.split(".", 1)[0].upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEvent:
    """A bulk event; `name` plus `.0` to `.f` are its NATS subjects, its body an Arrow table of one shard.

    A table of few rows may stay one message, on `name` plus `.all`: only where every receiver comes to the same end in
    whatever order a person's messages arrive, as those of a shard and those for all are not heard in one order.

    Attributes:
        columns: names and Arrow types of the body, `subject` first.
        attributes: text values that hold for the whole table, carried as Arrow schema metadata.
        added: columns that a message said by the release before may lack; they read as null.
        undivided: up to so many rows a table is said as one message, whatever shards its people are of; 0 is never.
    """

    name: str
    columns: Mapping[str, pa.DataType]
    attributes: Mapping[str, str]
    doc: str
    added: frozenset[str] = frozenset()
    undivided: int = 0

    @property
    def stream(self) -> str:
        """Name of the stream that keeps it."""
        return self.name.split(".", 1)[0].upper()

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema without metadata."""
        return pa.schema(list(self.columns.items()))


Event = FactEvent | TableEvent
