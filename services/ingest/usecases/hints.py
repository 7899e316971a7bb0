"""Hints: records without an id and the people of the vault they may mean, kept and said; never evidence."""

from uuid import NAMESPACE_OID, UUID, uuid5

import numpy as np
import polars as pl
import pyarrow as pa
import structlog

from services.ingest.domain import evidence, hints, verdicts
from services.ingest.domain.catalogue import AGE, OCCURRED_ON, SEX, Source
from services.ingest.domain.people import PeopleIndex
from services.ingest.store import batches
from services.ingest.store import hints as store
from services.ingest.store.batches import Batch
from services.ingest.store.hints import Hint
from services.ingest.usecases.evidence import attributes
from services.ingest.usecases.hashing import Keys
from services.ingest.usecases.taking_back import TakeBack
from shared.contracts.events import HINTS_RECORDED
from shared.kit.db import WriteTx
from shared.kit.outbox import Outbox

log = structlog.get_logger(__name__)

_DESCRIPTION = pl.concat_str(
    [pl.col(name).cast(pl.String) for name in ("name_hash", SEX, AGE, OCCURRED_ON, "kind")], separator="\x1f"
)


async def record(  # noqa: PLR0913  (a hint needs all of them)
    tx: WriteTx, outbox: Outbox, source: Source, batch: Batch, found: pl.DataFrame, *,
    people: PeopleIndex, keys: Keys, most: int,
) -> int:  # fmt: skip
    """Keep and say whom records may mean; a record that came before changes nothing.

    Args:
        tx: the transaction.
        outbox: says it.
        source: of the records.
        batch: that brought them.
        found: described records, columns of `hints.SHAPE`.
        people: the vault.
        keys: a description is kept as a keyed digest.
        most: candidates of a record; one that may mean more people tells nothing.

    Returns:
        Number of new hints.
    """
    if found.is_empty():
        return 0
    positions = np.flatnonzero(np.isin(people.name_hash, found["name_hash"].to_numpy()))
    known = await store.described_people(tx, people, positions)
    grouped = hints.candidates(found, known).group_by("row_no", maintain_order=True).agg("subject")
    rows = found.with_columns(pl.Series("digest", _digests(found, keys))).join(
        grouped, on="row_no", maintain_order="left"
    )
    made = [_hint(row, source, batch) for row in rows.iter_rows(named=True)]
    telling = [each for each in made if len(each.candidates) <= most]
    if len(telling) < len(made):
        log.info("hints_too_vague", source=source.code, hints=len(made) - len(telling))
    new = await store.add(tx, telling)
    await outbox.say_table(tx, HINTS_RECORDED, _said(new), attributes(source, batch.received_at))
    return len(new)


def _digests(described: pl.DataFrame, keys: Keys) -> np.ndarray:
    return keys.contact_hashes(described.select(_DESCRIPTION).to_series().to_list()).view(np.int64)


async def settle(taking: TakeBack, keys: Keys, batch: Batch, *, settled: pl.DataFrame, found: pl.DataFrame) -> None:
    """Take back what earlier records without a good id hinted at, now that the same has come with one.

    Args:
        taking: takes back.
        keys: as for `record`.
        batch: that brought them.
        settled: described records that say for certain whom they mean, columns of `hints.SHAPE`.
        found: those without, of the same batch: what stands beside the other in one file is a record of its own.
    """
    if settled.is_empty() or not (standing := await store.standing(taking.tx, taking.source.code, batch.batch_no)):
        return
    # What was taken back before tells nothing of anybody.
    if barred := batch.counts.get(verdicts.VERDICTS[verdicts.TAKEN_BACK], 0):
        not_taken = pl.DataFrame(pl.from_arrow(await batches.quarantine_of(taking.tx, batch.batch_no)))
        out = not_taken.filter(pl.col("reason").cast(pl.String) == verdicts.VERDICTS[verdicts.TAKEN_BACK])["row_no"]
        settled = settled.filter(~pl.col("row_no").is_in(out.implode())) if barred < batch.rows else settled.clear()
    known = np.intersect1d(_digests(settled, keys), np.array(standing, dtype=np.int64))
    await taking.hints_like(np.setdiff1d(known, _digests(found, keys)).tolist())


def _hint(row: dict[str, object], source: Source, batch: Batch) -> Hint:
    evidence_id = evidence.evidence_id(batch.batch_no, int(str(row["row_no"])))
    return Hint(
        # The same record is the same hint, however often its batch is tried.
        hint_id=uuid5(NAMESPACE_OID, f"wugan hint {evidence_id}"),
        source=source.code,
        evidence_id=evidence_id,
        digest=int(str(row["digest"])),
        occurred_on=row[OCCURRED_ON],  # type: ignore[arg-type]  # a day, by its schema
        kind=str(row["kind"]),
        candidates=tuple(UUID(bytes=each) for each in row["subject"]),  # type: ignore[attr-defined]  # a list
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
