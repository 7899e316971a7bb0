"""Hints: records without an id and the people of the vault they may mean, kept and said; never evidence."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import polars as pl
import pyarrow as pa
import structlog

from services.ingest.domain import evidence, hints, verdicts
from services.ingest.domain.catalogue import AGE, OCCURRED_ON, SEX, Source
from services.ingest.domain.correction import Because
from services.ingest.domain.people import PeopleIndex
from services.ingest.store import batches
from services.ingest.store import hints as store
from services.ingest.store.batches import Batch
from services.ingest.store.hints import Hint
from services.ingest.usecases.evidence import attributes, identities, kinds, polarities, taken_back
from services.ingest.usecases.hashing import Keys
from shared.contracts.events import EVIDENCE_CORRECTED, HINTS_RECORDED
from shared.kit.db import WriteTx
from shared.kit.outbox import Outbox

log = structlog.get_logger(__name__)

_DESCRIPTION = pl.concat_str(
    [pl.col(name).cast(pl.String) for name in ("name_hash", SEX, AGE, OCCURRED_ON, "kind")], separator="\x1f"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """Records of a batch that describe people, columns of `hints.SHAPE`.

    Attributes:
        found: those without a good id.
        settled: those that say for certain whom they mean, which end what the same told without it.
    """

    people: PeopleIndex
    found: pl.DataFrame
    settled: pl.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Hinting:
    """Says what records of a source hint at, and takes it back; the source is held meanwhile.

    A description hints at people as long as a record without an id tells it that counts, and none that counts tells it
    with one: in whatever order they come, are withdrawn or corrected. What was said and taken back is not said again
    under its own evidence id; only another record of it is.
    """

    tx: WriteTx
    outbox: Outbox
    source: Source
    because: Because

    async def record(self, batch: Batch, told: Described, *, keys: Keys, most: int) -> None:
        """Keep what a batch describes, say whom it may mean, and take back what is known for certain by now.

        Args:
            batch: that brought the records; tried again, it changes nothing.
            told: by them.
            keys: a description is kept as a keyed digest.
            most: candidates of a record; one that may mean more people tells nothing.
        """
        own = _digests(told.found, keys)
        telling = await self._telling(batch, told, own, most)
        settled = await self._counting(batch, told.settled)
        rows = settled.with_columns(pl.Series("digest", _digests(settled, keys)))
        # What stands beside the other in one file is a record of its own.
        rows = rows.filter(~pl.col("digest").is_in(own.tolist()))
        certain = [_record(row, self.source, batch) for row in rows.iter_rows(named=True)]
        await store.describe(self.tx, [*telling, *certain])
        await self._weigh({each.digest for each in (*telling, *certain)})

    async def _telling(self, batch: Batch, told: Described, digests: np.ndarray, most: int) -> list[Hint]:
        if told.found.is_empty():
            return []
        positions = np.flatnonzero(np.isin(told.people.name_hash, told.found["name_hash"].to_numpy()))
        known = await store.described_people(self.tx, told.people, positions)
        grouped = hints.candidates(told.found, known).group_by("row_no", maintain_order=True).agg("subject")
        rows = told.found.with_columns(pl.Series("digest", digests)).join(grouped, on="row_no", maintain_order="left")
        made = [_record(row, self.source, batch) for row in rows.iter_rows(named=True)]
        telling = [each for each in made if len(each.candidates) <= most]
        if len(telling) < len(made):
            log.info("hints_too_vague", source=self.source.code, hints=len(made) - len(telling))
        return telling

    async def _counting(self, batch: Batch, settled: pl.DataFrame) -> pl.DataFrame:
        """Without what was taken back before, which tells nothing of anybody."""
        name = verdicts.VERDICTS[verdicts.TAKEN_BACK]
        barred = batch.counts.get(name, 0)
        if not barred or settled.is_empty():
            return settled
        not_taken = pl.DataFrame(pl.from_arrow(await batches.quarantine_of(self.tx, batch.batch_no)))
        out = not_taken.filter(pl.col("reason").cast(pl.String) == name)["row_no"]
        return settled.filter(~pl.col("row_no").is_in(out.implode())) if barred < batch.rows else settled.clear()

    async def take_back_batch(self, batch_no: int) -> None:
        """Let what a batch described no longer count, now that it is withdrawn; the same may come again."""
        await self._say_wrong(await store.take_back_batch(self.tx, batch_no))
        await self._weigh(await store.digests_of_batch(self.tx, batch_no))

    async def take_back(self, evidence_ids: Sequence[int]) -> None:
        """Take back hints that are wrong, for good, and say what else that was just taken back stood against."""
        await self._say_wrong(await store.take_back(self.tx, evidence_ids))
        freed = await store.digests_of_correction(self.tx, self.source.code, self.because.correction_id)
        await self._weigh(freed)

    async def _weigh(self, digests: Collection[int]) -> None:
        """Say and take back what these descriptions hint at, by all that is known."""
        if not digests:
            return
        code = self.source.code
        settled = await store.settled(self.tx, code, digests)
        await self._say_wrong(await store.take_back_like(self.tx, code, settled))
        new = await store.unsaid(self.tx, code, set(digests) - settled)
        await store.add(self.tx, new)
        for at in sorted({each.at for each in new}):
            said = _said([each for each in new if each.at == at])
            await self.outbox.say_table(self.tx, HINTS_RECORDED, said, attributes(self.source, at))

    async def _say_wrong(self, wrong: Sequence[Hint]) -> None:
        """Say it of everybody whom a record without an id may have meant."""
        pairs = [(each, subject) for each in wrong for subject in each.candidates]
        kind = np.array([verdicts.KINDS.index(each.kind) for each, _ in pairs], dtype=np.int8)
        said = pa.table(
            {
                "subject": pa.array([subject.bytes for _, subject in pairs], pa.binary(16)),
                "occurred_on": pa.array([each.occurred_on for each, _ in pairs], pa.date32()),
                "kind": kinds(kind),
                "polarity": polarities(kind),
                "identity": identities(np.zeros(len(pairs), dtype=bool)),
                "evidence_id": pa.array([each.evidence_id for each, _ in pairs], pa.int64()),
            }
        )
        await self.outbox.say_table(self.tx, EVIDENCE_CORRECTED, said, taken_back(self.source, self.because))


def _digests(described: pl.DataFrame, keys: Keys) -> np.ndarray:
    return keys.contact_hashes(described.select(_DESCRIPTION).to_series().to_list()).view(np.int64)


def _record(row: dict[str, Any], source: Source, batch: Batch) -> Hint:
    return Hint(
        source=source.code,
        evidence_id=evidence.evidence_id(batch.batch_no, row["row_no"]),
        digest=row["digest"],
        occurred_on=row[OCCURRED_ON],
        kind=row["kind"],
        candidates=tuple(UUID(bytes=each) for each in row.get("subject", ())),
        at=batch.received_at,
    )


def _said(new: list[Hint]) -> pa.Table:
    pairs = [(each, subject) for each in new for subject in each.candidates]
    return pa.table(
        {
            "subject": pa.array([subject.bytes for _, subject in pairs], pa.binary(16)),
            "hint_id": pa.array([each.hint_id.bytes for each, _ in pairs], pa.binary(16)),
            "occurred_on": pa.array([each.occurred_on for each, _ in pairs], pa.date32()),
            "kind": pa.array([each.kind for each, _ in pairs]).dictionary_encode(),
            "candidates": pa.array([len(each.candidates) for each, _ in pairs], pa.int16()),
            "evidence_id": pa.array([each.evidence_id for each, _ in pairs], pa.int64()),
        }
    )
