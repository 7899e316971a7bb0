"""Lists taken in: ids become subjects at once and are not kept; a faulty line keeps its place and says why."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl
import pyarrow as pa

from services.recognition.domain.lists import (
    BAD_AMOUNT,
    BAD_ID,
    BAD_REF,
    DUPLICATE,
    LIST_SCHEMA,
    REF,
    fen_of_fen,
    fen_of_yuan,
    normalise_many,
    repeated,
)
from services.recognition.store.reading import BadListError
from shared.kit import arrow
from shared.kit.crypto import Pseudonymiser
from shared.kit.problems import TooLargeError

PART_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Taken:
    """A list ready to be worked off.

    Attributes:
        table: `LIST_SCHEMA`, one row a line; a long one by subject, so that a part is a piece of every table.
        total_fen: sum of the amounts of lines without a problem.
    """

    table: pa.Table
    total_fen: int

    def parts(self) -> Iterator[pa.Table]:
        """Pieces small enough for one transaction."""
        for start in range(0, self.table.num_rows, PART_ROWS):
            yield self.table.slice(start, PART_ROWS)


class Ids(Protocol):
    """What makes subjects of the ids of a list."""

    def normalise(self, written: pl.Series) -> pl.Series:
        """Ids as they are kept; null for what is none."""

    def many(self, ids: pl.Series) -> np.ndarray:
        """Subjects of ids, shape (n, 16), uint8."""


class RealIds:
    """Ids of GB 11643."""

    def __init__(self, subjects: Pseudonymiser) -> None:
        self._subjects = subjects

    def normalise(self, written: pl.Series) -> pl.Series:
        """Ids as they are kept; null for what is none."""
        return normalise_many(written)

    def many(self, ids: pl.Series) -> np.ndarray:
        """Subjects of ids, shape (n, 16), uint8."""
        return self._subjects.many(ids)


def take(chunks: Iterable[pl.DataFrame], known: Ids, *, paying: bool, limit: int) -> Taken:
    """A list judged line by line, by columns.

    Args:
        chunks: string columns in the order of the file.
        known: reads and hashes ids.
        paying: whether every line needs an amount and may name each person once.
        limit: most lines.

    Raises:
        BadListError: it has no lines, or no amounts where it pays.
        TooLargeError: it has more lines than `limit`.
    """
    tables: list[pa.Table] = []
    count = 0
    for chunk in chunks:
        if paying and not {"amount", "amount_fen"} & set(chunk.columns):
            raise BadListError("A list about to be paid needs a column amount (yuan) or amount_fen.")
        tables.append(_judged(chunk, known, first=count + 1, paying=paying))
        count += len(chunk)
        if count > limit:
            raise TooLargeError(f"A list may have {limit} lines; split it.")
    if not count:
        raise BadListError("The list has no lines below its headers.")
    table = pa.concat_tables(tables).combine_chunks()
    if paying:
        table = _each_once(table)
    if count > PART_ROWS:
        table = _by_subject(table)
    total = pl.DataFrame(pl.from_arrow(table.select(["amount_fen", "problem"])))
    return Taken(table, int(total.filter(pl.col("problem").is_null())["amount_fen"].sum()))


def _judged(chunk: pl.DataFrame, known: Ids, *, first: int, paying: bool) -> pa.Table:
    ids = known.normalise(chunk["citizen_id"])
    refs = chunk["ref"] if "ref" in chunk.columns else pl.Series([None] * len(chunk), dtype=pl.String)
    kept = pl.Series([None] * len(chunk), dtype=pl.Int64)
    if paying:
        fen = "amount_fen" in chunk.columns
        kept = fen_of_fen(chunk["amount_fen"]) if fen else fen_of_yuan(chunk["amount"])
    judged = pl.DataFrame({"id": ids, "ref": refs, "fen": kept}).with_columns(
        problem=pl.when(pl.col("id").is_null())
        .then(pl.lit(BAD_ID))
        .when(~pl.col("ref").fill_null("-").str.contains(REF) & pl.col("ref").is_not_null())
        .then(pl.lit(BAD_REF))
        .when(pl.col("fen").is_null() & paying)
        .then(pl.lit(BAD_AMOUNT))
        .otherwise(None)
    )
    good = judged["problem"].is_null().to_numpy()
    hashed = np.zeros((len(chunk), 16), dtype=np.uint8)
    hashed[good] = known.many(ids.filter(good))
    return pa.table(
        {
            "line": pa.array(np.arange(first, first + len(chunk))),
            "subject": _where(hashed, good),
            "amount_fen": judged["fen"].to_arrow(),
            "ref": refs.set(judged["problem"].fill_null("") == BAD_REF, None).to_arrow(),
            "problem": judged["problem"].to_arrow(),
        }
    ).cast(LIST_SCHEMA)


def _where(subjects: np.ndarray, good: np.ndarray) -> pa.Array:
    column = arrow.subject_array(subjects)
    return pa.compute.if_else(pa.array(good), column, pa.scalar(None, pa.binary(16)))


def _by_subject(table: pa.Table) -> pa.Table:
    column = pa.compute.fill_null(table.column("subject").combine_chunks(), b"\0" * 16)
    halves = np.ascontiguousarray(arrow.subject_bytes(column)).view(">u8")
    return table.take(np.lexsort((halves[:, 1], halves[:, 0])))


def _each_once(table: pa.Table) -> pa.Table:
    column = table.column("subject").combine_chunks()
    known = column.is_valid().to_numpy(zero_copy_only=False)
    subjects = arrow.subject_bytes(pa.compute.fill_null(column, b"\0" * 16))
    again = repeated(subjects, known)
    problem = pa.compute.if_else(pa.array(again), pa.scalar(DUPLICATE), table.column("problem"))
    kept = _where(subjects, known & ~again)
    return table.set_column(1, "subject", kept).set_column(4, "problem", problem).cast(LIST_SCHEMA)
