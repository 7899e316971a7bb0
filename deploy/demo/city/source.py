"""One source from its rows to its files: copies, order, verdicts, and the count of each that a reader must find."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from deploy.demo.city.chance import pick, stream
from deploy.demo.city.city import City
from deploy.demo.city.columns import Page, write_columns
from deploy.demo.city.deliveries import Delivery
from deploy.demo.city.events import delivery_days, file_days, period_of, see
from deploy.demo.city.faults import ACCEPTED, DUPLICATE, VERDICTS, go_wrong, judge
from deploy.demo.city.stories import Rows
from deploy.demo.city.writers import encode
from deploy.demo.city.year import TODAY

_COPIED, _REDELIVERED, _LATE = 0.003, 0.005, 0.01
_SPAN = 1024
"""Sort keys a file: the redelivered rows first, then by day filed, then what was exported twice."""
_FIRST_KEY, _LAST_KEY = 0, 1000
_TAIL_DAYS = 4
_DAY_BITS = 512


def fill_source(city: City, delivery: Delivery, count: int) -> "Filled":
    """All rows of a source's year in the order of its files; exactly count of them."""
    rng = stream(city.seed, "source", delivery.code)
    copies, again = round(count * _COPIED), round(count * _REDELIVERED)
    rows = see(city, delivery, count - copies - again)
    period = _periods(rng, delivery, rows)
    place = np.argsort(np.argsort(delivery_days(delivery), kind="stable"))
    key = place[period] * _SPAN + 1 + np.clip(rows.filed, 0, 900)
    rows, faults = go_wrong(rng, delivery, rows)
    last = np.flatnonzero(delivery_days(delivery) <= TODAY).max()
    tail = _near_end(delivery, rows) & (period < last)
    redelivered = pick(rng, tail, again)
    copied = rng.integers(0, max(len(rows), 1), count - len(rows) - len(redelivered))
    row = np.concatenate([np.arange(len(rows)), redelivered, copied]).astype(np.int32)
    keys = [key, place[period[redelivered] + 1] * _SPAN + _FIRST_KEY, place[period[copied]] * _SPAN + _LAST_KEY]
    order = np.argsort(np.concatenate(keys).astype(np.int16), kind="stable")
    row = row[order]
    file = (np.concatenate(keys)[order] // _SPAN).astype(np.int16)
    verdict = judge(delivery, rows, faults, city.renamed())[row]
    _mark_duplicates(delivery, rows, row, verdict)
    return Filled(delivery=delivery, rows=rows, faults=faults, row=row, file=file, verdict=verdict)


def _periods(rng: np.random.Generator, delivery: Delivery, rows: Rows) -> np.ndarray:
    """Period in whose file each row comes; a few come one later."""
    days = delivery_days(delivery)
    period = period_of(delivery, rows.filed).astype(np.int64)
    arrived = int((days <= TODAY).sum())
    late = rng.random(len(rows)) < _LATE
    return np.minimum(period + late, arrived - 1)


def _near_end(delivery: Delivery, rows: Rows) -> np.ndarray:
    """Rows filed in the last days of a period: what the next export repeats when its dates overlap."""
    return np.asarray(period_of(delivery, rows.filed) != period_of(delivery, rows.filed + _TAIL_DAYS))


def _mark_duplicates(delivery: Delivery, rows: Rows, row: np.ndarray, verdict: np.ndarray) -> None:
    """The second row of a person, day and kind, and every later one, is a duplicate of what was accepted before."""
    good = np.flatnonzero(verdict == ACCEPTED)
    chosen = row[good]
    kinds, kind = np.unique([variant.says for variant in delivery.variants] or [""], return_inverse=True)
    key = rows.person[chosen].astype(np.int64) * (2 * _SPAN) + (rows.day[chosen].astype(np.int64) + _SPAN)
    key = key * len(kinds) + kind[rows.variant[chosen]]
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    again = np.flatnonzero(ordered[1:] == ordered[:-1]) + 1
    verdict[good[order[again]]] = DUPLICATE


def pages(city: City, filled: "Filled", salt: int) -> Iterator[tuple[int, "Sheet"]]:
    """The files of a source: the day each is delivered, and its content with the verdicts."""
    delivery = filled.delivery
    days = file_days(delivery)
    edges = np.searchsorted(filled.file, np.arange(len(days) + 1))
    for number, day in enumerate(days):
        part = slice(int(edges[number]), int(edges[number + 1]))
        if part.start == part.stop:
            continue
        row = filled.row[part]
        chosen = Rows(
            person=filled.rows.person[row],
            day=filled.rows.day[row],
            filed=filled.rows.filed[row],
            variant=filled.rows.variant[row],
        )
        page = Page(city=city, delivery=delivery, salt=salt, row=row, rows=chosen, faults=filled.faults[row])
        content = encode(
            write_columns(page),
            form=delivery.format,
            encoding=delivery.encoding,
            separator=delivery.separator,
            date_cells=delivery.date_cells,
        )
        counts = np.bincount(filled.verdict[part], minlength=len(VERDICTS))
        yield int(day), Sheet(content=content, rows=len(row), counts=counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A source's year: `rows` and `faults` once each; `row`, `file`, `verdict` of every line of its files in order."""

    delivery: Delivery
    rows: Rows
    faults: np.ndarray
    row: np.ndarray
    file: np.ndarray
    verdict: np.ndarray

    def accepted(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Person, day and file of every accepted line."""
        good = self.verdict == ACCEPTED
        row = self.row[good]
        return self.rows.person[row], self.rows.day[row], self.file[good]

    def accepted_variants(self) -> np.ndarray:
        """Variant of every accepted line."""
        return np.asarray(self.rows.variant[self.row[self.verdict == ACCEPTED]])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One file's bytes, rows, and how many rows get each verdict."""

    content: bytes
    rows: int
    counts: np.ndarray
