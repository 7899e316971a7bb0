"""Evidence keys: person and day in eight bytes, with the kind a fact: saying one twice is found by a sorted merge."""

from datetime import date, timedelta

import numpy as np

from services.ingest.domain.columns import Array

DAY_BITS = 16
_DAY_MASK = np.uint64((1 << DAY_BITS) - 1)
ROW_BITS = 32
_KIND_BITS = 5
_EPOCH = date(1970, 1, 1)


def keys_of(person_no: Array, day: Array) -> Array:
    """Keys of (person, day since 1970), uint64; ordered by person, then day."""
    return (person_no.astype(np.uint64) << np.uint64(DAY_BITS)) | (day.astype(np.uint64) & _DAY_MASK)


def days_of(keys: Array) -> Array:
    """Days since 1970 in keys, int32."""
    return (keys & _DAY_MASK).astype(np.int32)


def people_of(keys: Array) -> Array:
    """Person numbers in keys, int64."""
    return (keys >> np.uint64(DAY_BITS)).astype(np.int64)


def facts_of(keys: Array, kind: Array) -> Array:
    """Facts, uint64: who, on which day, and what; a death on the day of a discharge is another fact."""
    return (keys << np.uint64(_KIND_BITS)) | kind.astype(np.uint64)


def fresh(facts: Array, known: Array) -> Array:
    """Which facts are new: the first row of each that is not among `known`.

    Args:
        facts: uint64, in the order of the rows.
        known: uint64, in any order.

    Returns:
        Boolean mask over `facts`.
    """
    distinct, first = np.unique(facts, return_index=True)
    if len(known):
        ordered = np.sort(known)
        at = np.minimum(np.searchsorted(ordered, distinct), len(ordered) - 1)
        first = first[ordered[at] != distinct]
    mask = np.zeros(len(facts), dtype=bool)
    mask[first] = True
    return mask


def evidence_ids(batch_no: int, row_no: Array) -> Array:
    """Ids that lead back to their row: batch number and row number, int64."""
    return (np.int64(batch_no) << np.int64(ROW_BITS)) | row_no.astype(np.int64)


def evidence_id(batch_no: int, row_no: int) -> int:
    """Id of one row."""
    return batch_no << ROW_BITS | row_no


def origin_of(evidence_id: int) -> tuple[int, int]:
    """Batch number and row number of an evidence id."""
    return evidence_id >> ROW_BITS, evidence_id & ((1 << ROW_BITS) - 1)


def months_of(days: Array) -> Array:
    """Months since 1970 of days since 1970, int32."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int32)


def day_number(day: date) -> int:
    """Days since 1970 of a day."""
    return (day - _EPOCH).days


def window_start(today: date, months: int) -> date:
    """First day within the window: the day after the same day `months` before."""
    year, month = divmod(today.year * 12 + today.month - 1 - months, 12)
    first = np.datetime64(f"{year:04d}-{month + 1:02d}", "M")
    length = int(((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(int))
    return date(year, month + 1, min(today.day, length)) + timedelta(days=1)
