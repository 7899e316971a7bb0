"""Lists taken in: ids become subjects at once and are not kept; a faulty line keeps its place and says why."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl
import pyarrow as pa

from services.recognition.domain.citizen_id import HELD
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
_HEAP_BITS = 3  # of the first byte are left out: 32 heaps

Keep = Callable[[int, pa.Table], None]
"""Keeps a part of a list under its number."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A list ready to be worked off.

    Attributes:
        lines: of the list.
        parts: pieces of it small enough for one transaction, `LIST_SCHEMA`; those of a long one go by subject, so that
            each is a piece of every table.
        total_fen: sum of the amounts of lines without a problem.
    """

    lines: int
    parts: int
    total_fen: int


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


def take(chunks: Iterable[pl.DataFrame], known: Ids, keep: Keep, scratch: Path, *, paying: bool, limit: int) -> Taken:
    """A list judged line by line, by columns, and kept in parts; never more of it in memory than a part or two.

    Args:
        chunks: string columns in the order of the file.
        known: reads and hashes ids.
        keep: is given each part.
        scratch: a folder for what is under way.
        paying: whether every line needs an amount and may name each person once.
        limit: most lines.

    Raises:
        BadListError: it has no lines, or no amounts where it pays.
        TooLargeError: it has more lines than `limit`.
    """
    heaps, held, lines = _Heaps(scratch), list[pa.Table](), 0
    with heaps:
        for table in _all_judged(chunks, known, paying=paying, limit=limit):
            held.append(table)
            lines += table.num_rows
            if lines > PART_ROWS:
                heaps.deal(held)
                held.clear()
    if not lines:
        raise BadListError("The list has no lines below its headers.")
    parts, fen = 0, 0
    whole = [pa.concat_tables(held).combine_chunks()] if held else heaps.by_subject()
    for part in _refilled(_each_once(table) if paying else table for table in whole):
        keep(parts, part)
        parts, fen = parts + 1, fen + _fen(part)
    return Taken(lines, parts, fen)


def _all_judged(chunks: Iterable[pl.DataFrame], known: Ids, *, paying: bool, limit: int) -> Iterator[pa.Table]:
    count = 0
    for chunk in chunks:
        if paying and not {"amount", "amount_fen"} & set(chunk.columns):
            raise BadListError("A list about to be paid needs a column amount (yuan) or amount_fen.")
        table = _judged(chunk, known, first=count + 1, paying=paying)
        count += len(chunk)
        if count > limit:
            raise TooLargeError(f"A list may have {limit} lines; split it.")
        yield table


class _Heaps:
    """A long list dealt into files by subject: all lines of a person lie in one, in their order.

    Args:
        folder: for the files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[int, pa.ipc.RecordBatchStreamWriter] = {}
        self._closing = ExitStack()

    def __enter__(self) -> None:
        """Files are opened as they are needed."""

    def __exit__(self, *_error: object) -> None:
        self._closing.close()

    def deal(self, tables: Sequence[pa.Table]) -> None:
        """Put every line on its heap."""
        for table in tables:
            heaps = _bytes_of(table)[:, 0] >> _HEAP_BITS
            order = np.argsort(heaps, kind="stable")
            dealt = table.take(order)
            numbers, starts = np.unique(heaps[order], return_index=True)
            for number, start, end in zip(numbers, starts, [*starts[1:], len(order)], strict=True):
                self._heap(int(number)).write_table(dealt.slice(start, end - start))

    def _heap(self, number: int) -> pa.ipc.RecordBatchStreamWriter:
        if number not in self._open:
            writer = pa.ipc.new_stream(str(self._folder / f"heap-{number:02}"), LIST_SCHEMA)
            self._open[number] = self._closing.enter_context(writer)
        return self._open[number]

    def by_subject(self) -> Iterator[pa.Table]:
        """Heap after heap."""
        for number in sorted(self._open):
            path = self._folder / f"heap-{number:02}"
            with pa.OSFile(str(path)) as opened, pa.ipc.open_stream(opened) as reader:
                table = reader.read_all().combine_chunks()
            path.unlink()
            halves = _bytes_of(table).view(">u8")
            yield table.take(np.lexsort((halves[:, 1], halves[:, 0])))


def _bytes_of(table: pa.Table) -> np.ndarray:
    """Subjects of the lines, shape (n, 16); zeros where a line names nobody."""
    column = pa.compute.fill_null(table.column("subject").combine_chunks(), b"\0" * 16)
    return np.ascontiguousarray(arrow.subject_bytes(column))


def _refilled(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same lines in pieces of equal length."""
    held: list[pa.Table] = []
    rows = 0
    for table in tables:
        held.append(table)
        rows += table.num_rows
        while rows >= PART_ROWS:
            whole = pa.concat_tables(held)
            yield whole.slice(0, PART_ROWS)
            held, rows = [whole.slice(PART_ROWS)], rows - PART_ROWS
    if rows:
        yield pa.concat_tables(held)


def _fen(part: pa.Table) -> int:
    good = part.filter(pa.compute.is_null(part.column("problem")))
    return int(pa.compute.sum(good.column("amount_fen")).as_py() or 0)


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
        .when(pl.col("ref").is_not_null() & (~pl.col("ref").str.contains(REF) | pl.col("ref").str.contains(HELD)))
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


def _each_once(table: pa.Table) -> pa.Table:
    column = table.column("subject").combine_chunks()
    known = column.is_valid().to_numpy(zero_copy_only=False)
    subjects = _bytes_of(table)
    again = repeated(subjects, known)
    problem = pa.compute.if_else(pa.array(again), pa.scalar(DUPLICATE), table.column("problem"))
    kept = _where(subjects, known & ~again)
    return table.set_column(1, "subject", kept).set_column(4, "problem", problem).cast(LIST_SCHEMA)
