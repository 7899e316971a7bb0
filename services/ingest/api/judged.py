"""Judged rows of a file that wait to be committed: columns in memory and in its scratch folder, never the rows."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from services.ingest.domain import places, roster, verdicts
from services.ingest.domain.people import PeopleIndex
from services.ingest.domain.verdicts import Judged
from services.ingest.usecases import evidence
from services.ingest.usecases.evidence import Chunk
from shared.kit import arrow


@dataclass(slots=True, kw_only=True)
class JudgedFile:
    """The rows of a file, judged, in chunks; all but the first wait in files.

    Attributes:
        counts: rows by verdict, before duplicates are known.
        hints: records without an id that describe a person.
        settled: records with one that do.
    """

    people: PeopleIndex
    scratch: Path
    counts: Counter[str] = field(default_factory=Counter)
    hints: list[pl.DataFrame] = field(default_factory=list)
    settled: list[pl.DataFrame] = field(default_factory=list)
    first: Judged | None = None
    others: list[Path] = field(default_factory=list)

    def add(self, judged: Judged, hinted: pl.DataFrame, settled: pl.DataFrame) -> None:
        """Take the next rows, and what those without an id and those with one tell."""
        self.counts.update(verdicts.counts_of(judged.verdict))
        self.hints += [hinted] if len(hinted) else []
        self.settled += [settled] if len(settled) else []
        if self.first is None:
            self.first = judged
            return
        path = self.scratch / f"judged-{len(self.others)}.npz"
        np.savez(path, **{name: getattr(judged, name) for name in Judged.__slots__})
        self.others.append(path)

    def chunks(self) -> Iterator[Chunk]:
        """The rows in their order."""
        row = 0
        for judged in self._judged():
            yield Chunk(first_row=row, judged=judged, people=self.people)
            row += len(judged)

    def _judged(self) -> Iterator[Judged]:
        if self.first is not None:
            yield self.first
        for path in self.others:
            with np.load(path) as kept:
                yield Judged(**{name: kept[name] for name in Judged.__slots__})

    def quarantine(self) -> list[tuple[int, bytes]]:
        """Number of rows and encoded reasons of each chunk."""
        tables = [evidence.quarantine_table(each.judged.verdict, each.first_row) for each in self.chunks()]
        return [(table.num_rows, arrow.encode(table)) for table in tables if table.num_rows]


@dataclass(slots=True, kw_only=True)
class JudgedRosterFile:
    """A roster, judged; its good rows wait in files, as the upload itself does.

    Attributes:
        by_household: its program pays households, each of which has one payee.
        counts: rows by verdict or reason.
        reasons: row number and reason of rows not taken.
        again: their other open rows.
        leaving: row_no, number, day and county of people whose rows say that they have left.
        named: numbers of people whose rows are faulty.
        rivals: number and household_no of people listed beside a payee.
        unsaid: columns of enrolments of which it says nothing.
    """

    scratch: Path
    by_household: bool
    counts: Counter[str] = field(default_factory=Counter)
    reasons: list[pl.DataFrame] = field(default_factory=list)
    again: list[pl.DataFrame] = field(default_factory=list)
    leaving: list[pl.DataFrame] = field(default_factory=list)
    named: list[pl.Series] = field(default_factory=list)
    rivals: list[pl.DataFrame] = field(default_factory=list)
    parts: list[Path] = field(default_factory=list)
    unsaid: tuple[str, ...] = ()

    def add(self, judged: roster.JudgedRoster) -> None:
        """Take the next rows."""
        path = self.scratch / f"roster-{len(self.parts)}.arrow"
        judged.good.write_ipc(path, compression="lz4")
        self.parts.append(path)
        self.counts.update(judged.counts)
        self.reasons.append(judged.reasons)
        self.again.append(judged.again)
        self.leaving.append(judged.leaving)
        self.named.append(judged.named)
        self.rivals.append(judged.rivals)

    def rows(self) -> Iterator[pl.DataFrame]:
        """The good rows, some at a time; of two listings of a person the one that began first."""
        again = pl.concat(self.again)
        for path in self.parts:
            yield places.first_begun(pl.read_ipc(path), again, by_household=self.by_household)[0]

    def second(self) -> pl.DataFrame:
        """Second listings of people; there are few, so the good rows are read again only where there are any."""
        again = pl.concat(self.again)
        parts = self.parts if len(again) and not self.by_household else []
        none = again.clear().select("number", *places.PLACE)
        return pl.concat([none, *(places.first_begun(pl.read_ipc(path), again)[1] for path in parts)])
