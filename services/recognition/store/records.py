"""Records whose columns are the fields of a dataclass, kept one by one; never on the bulk path."""

from dataclasses import fields
from typing import TYPE_CHECKING

from shared.kit.db import WriteTx

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


async def insert(tx: WriteTx, table: str, record: "DataclassInstance", **instead: object) -> None:
    """A new row of `table` from a record; `instead` of a field, or beside them all, these values."""
    row = {each.name: getattr(record, each.name) for each in fields(record)} | instead
    places = ", ".join(f"${at}" for at in range(1, len(row) + 1))
    await tx.run(
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})",  # noqa: S608  (our own names)
        *row.values(),
    )
