"""What a department said turns out wrong: taken back in the caller's transaction; not deleted, but outweighed.

Evidence is one per person, source, day and kind (ADR 0021); rows that said the same stand behind it as duplicates. Two
cases:

* A **batch** is withdrawn: it was the wrong file. Its rows no longer count; duplicates of them in other batches do.
* A **record** is corrected: that the source saw this person on this day is wrong, whoever said it how often. Its
  duplicates of the same kind go with it, and the same record is not taken when it comes again with the next full
  extract; rows of another kind (cured, not died) count as before.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from services.ingest.domain import evidence
from services.ingest.domain.catalogue import Source
from services.ingest.domain.columns import Array
from services.ingest.domain.correction import Because
from services.ingest.domain.people import PeopleIndex, UnknownPersonError
from services.ingest.store import batches, segments
from services.ingest.store.batches import Batch
from services.ingest.store.segments import Rows
from services.ingest.usecases.evidence import attributes, by_month, identities, kinds, latency, polarities, taken_back
from services.ingest.usecases.hints import Hinting
from shared.contracts.events import EVIDENCE_ACCEPTED, EVIDENCE_CORRECTED
from shared.kit import arrow
from shared.kit.db import WriteTx
from shared.kit.outbox import Outbox
from shared.kit.problems import UnavailableError


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack:
    """Takes back what a source said; the source is held meanwhile."""

    tx: WriteTx
    outbox: Outbox
    source: Source
    people: PeopleIndex
    because: Because

    async def batch(self, batch: Batch) -> Batch:
        """Withdraw a batch that has spoken, wholly or in part; anything else stays as it is."""
        now = await batches.lock_batch(self.tx, batch)
        if now.status not in {"taking", "completed"} or now.kind != "source":
            return now
        gone = replace(now, status="withdrawn", completed_at=now.completed_at or self.because.at)
        await batches.save_status(self.tx, gone)
        places = await segments.places_of(self.tx, now)
        for month in sorted({month for month, _ in places}):
            before = await segments.taken_back_of(self.tx, self.source.code, month)
            freed = []
            for _, chunk_no in (place for place in places if place[0] == month):
                rows = await segments.rows_at(self.tx, now, month, chunk_no)
                rows = rows.some(~np.isin(rows.evidence_id, before))
                await self._say_corrected(rows)
                freed.append(rows.key)
            await self._promote(month, np.concatenate(freed))
        await self._hinting.take_back_batch(now.batch_no)
        return gone

    async def records(self, evidence_ids: Sequence[int]) -> int:
        """Take back records by the ids of any of their rows; the number of pieces of evidence that no longer count."""
        await batches.lock_source(self.tx, self.source.code)
        # What is gone is gone: a right record that took its place since stays.
        before = await segments.taken_back(self.tx, evidence_ids)
        left = [each for each in evidence_ids if each not in before]
        named = await segments.rows_of_ids(self.tx, left, self.source.kind)
        gone = sum([await self._month(month, named.some(named.months == month)) for month in np.unique(named.months)])
        await self._hinting.take_back(left)
        return gone

    @property
    def _hinting(self) -> Hinting:
        return Hinting(tx=self.tx, outbox=self.outbox, source=self.source, because=self.because)

    async def _month(self, month: int, named: Rows) -> int:
        code = self.source.code
        before = await segments.taken_back_of(self.tx, code, month)
        counted = await self._counting(month, named.key, before)
        again = await segments.rows_with(self.tx, "duplicate_segment", code, month, named.key)
        again = again.some(~np.isin(again.evidence_id, before))
        counted, again = (each.some(np.isin(each.facts, named.facts)) for each in (counted, again))
        again = again.some(~np.isin(again.evidence_id, counted.evidence_id))
        for rows, was in ((counted, True), (again, False)):
            await segments.save_taken_back(
                self.tx, code, rows, counted=np.full(len(rows), was), barred=True,
                correction_id=self.because.correction_id, at=self.because.at,
            )  # fmt: skip
        await self._say_corrected(counted)
        await self._promote(month, counted.key)
        return len(counted)

    async def _counting(self, month: int, keys: Array, before: Array) -> Rows:
        """Rows of these keys that count; `before`: ids of a month's rows that were taken back."""
        found = segments.joined([
            await segments.rows_with(self.tx, "evidence_segment", self.source.code, month, keys),
            await segments.events_with(self.tx, self.source.code, month, keys, self.source.kind),
        ])  # fmt: skip
        return found.some(~np.isin(found.evidence_id, before))

    async def _say_corrected(self, rows: Rows) -> None:
        said = await asyncio.to_thread(self._said, rows)
        await self.outbox.say_table(self.tx, EVIDENCE_CORRECTED, said, taken_back(self.source, self.because))

    def _said(self, rows: Rows) -> pa.Table:
        try:
            subjects = self.people.subjects_of(evidence.people_of(rows.key))
        except UnknownPersonError as error:
            detail = "The vault has changed this moment; try again."
            raise UnavailableError(detail) from error
        return pa.table(
            {
                "subject": arrow.subject_array(subjects),
                "occurred_on": pa.array(evidence.days_of(rows.key), pa.date32()),
                "kind": kinds(rows.kind),
                "polarity": polarities(rows.kind),
                "identity": identities(rows.full),
                "evidence_id": rows.evidence_id,
            }
        )

    async def _promote(self, month: int, keys: Array) -> None:
        """Let the oldest duplicate of each fact about these keys that nothing else tells count, under its own id."""
        if not len(keys):
            return
        waiting = await segments.rows_with(self.tx, "duplicate_segment", self.source.code, month, keys)
        before = await segments.taken_back_of(self.tx, self.source.code, month)
        waiting = waiting.some(~np.isin(waiting.evidence_id, before))
        if not len(waiting):
            return
        waiting = waiting.some(~np.isin(waiting.facts, (await self._counting(month, keys, before)).facts))
        order = np.argsort(waiting.evidence_id, kind="stable")
        _, first = np.unique(waiting.facts[order], return_index=True)
        chosen = waiting.some(np.sort(order[first]))
        numbers = chosen.evidence_id >> evidence.ROW_BITS
        for batch_no in np.unique(numbers).tolist():
            await self._let_count(batch_no, chosen.some(numbers == batch_no))

    async def _let_count(self, batch_no: int, rows: Rows) -> None:
        batch = await batches.find_batch_by_no(self.tx, batch_no)
        if batch is None:  # its records were forgotten with their month
            return
        batch = await batches.lock_batch(self.tx, batch)
        table = pa.table(
            {
                "key": rows.key,
                "row_no": (rows.evidence_id & ((1 << evidence.ROW_BITS) - 1)).astype(np.uint32),
                "kind": kinds(rows.kind),
                "full": rows.full,
            }
        )
        late = await segments.next_late_chunk(self.tx, batch)
        await segments.save_rows(self.tx, "evidence_segment", batch, late, by_month(table, rows.key))
        counts = dict(batch.counts)
        counts["duplicate"] = counts.get("duplicate", 0) - len(rows)
        counts["accepted"] = counts.get("accepted", 0) + len(rows)
        late_by = batch.latency_days + latency(batch, evidence.days_of(rows.key))
        counted = replace(batch, counts={name: n for name, n in counts.items() if n}, latency_days=late_by)
        await batches.save_progress(self.tx, counted)
        said = attributes(self.source, batch.received_at)
        await self.outbox.say_table(self.tx, EVIDENCE_ACCEPTED, await asyncio.to_thread(self._said, rows), said)
