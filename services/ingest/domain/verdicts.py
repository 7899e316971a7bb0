"""What becomes of each row of a batch: one verdict, and of several faults the first in a fixed order."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from services.ingest.domain import citizen_id, dates, evidence, names
from services.ingest.domain.catalogue import CITIZEN_ID, NAME, OCCURRED_ON, Source
from services.ingest.domain.people import UNKNOWN, PeopleIndex

VERDICTS = (
    "accepted", "duplicate", "out_of_window", "missing_field", "no_citizen_id", "bad_citizen_id", "bad_check_digit",
    "impossible_date", "future_date", "wrong_code", "not_counted", "not_a_beneficiary", "name_mismatch",
)  # fmt: skip
ACCEPTED, DUPLICATE, OUT_OF_WINDOW = 0, 1, 2
CODE = {name: number for number, name in enumerate(VERDICTS)}
FAULTS = tuple(
    CODE[name]
    for name in ("missing_field", "bad_citizen_id", "bad_check_digit", "impossible_date", "future_date", "wrong_code")
) + (CODE["name_mismatch"],)
"""Verdicts that speak against the batch; the others are in the nature of the data."""
_OPEN = 255

Subjects = Callable[[list[str]], np.ndarray]
NameHashes = Callable[[list[str]], np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What judging needs beside the rows.

    Attributes:
        today: business date.
        window_starts_on: positive evidence before this day is out of the window.
        subjects: normalised ids to subjects of shape (n, 16).
        name_hashes: normalised names to uint64.
    """

    today: date
    window_starts_on: date
    subjects: Subjects
    name_hashes: NameHashes


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A judged chunk.

    Attributes:
        verdict: uint8 a row, index into VERDICTS; accepted rows may still turn out duplicates.
        person: position in the people index, or UNKNOWN.
        day: days since 1970, int32; meaningless where there is none.
        subjects: (n, 16) uint8, zero where the id is no good.
        kind: evidence kind a row.
        full: whether the identity is full.
    """

    verdict: np.ndarray
    person: np.ndarray
    day: np.ndarray
    subjects: np.ndarray
    kind: pl.Series
    full: np.ndarray


def judge(frame: pl.DataFrame, source: Source, people: PeopleIndex, rules: Rules) -> Judged:
    """Judge the rows of a chunk but for duplicates.

    Args:
        frame: canonical columns as strings.
        source: its declaration.
        people: the vault.
        rules: date, window, keys.
    """
    checked = citizen_id.check(frame[CITIZEN_ID], this_year=rules.today.year)
    raw_day = frame[OCCURRED_ON].cast(pl.String).str.strip_chars()
    days = dates.parse(raw_day)
    subjects, person = _persons(checked, people, rules)
    verdict = np.full(len(frame), _OPEN, dtype=np.uint8)

    def settle(mask: np.ndarray | pl.Series, name: str) -> None:
        chosen = mask.fill_null(value=False).to_numpy() if isinstance(mask, pl.Series) else mask
        verdict[(verdict == _OPEN) & chosen] = CODE[name]

    no_day = (raw_day.is_null() | (raw_day.str.len_bytes() == 0)).to_numpy()
    no_id = checked.fault == citizen_id.MISSING
    settle(no_day | (no_id & (not source.id_may_be_blank)), "missing_field")
    settle(no_id, "no_citizen_id")
    settle(checked.fault == citizen_id.MALFORMED, "bad_citizen_id")
    settle(checked.fault == citizen_id.BAD_CHECK, "bad_check_digit")
    settle(days.is_null(), "impossible_date")
    settle(days > rules.today, "future_date")
    kind, wrong, out = _coded(frame, source)
    settle(wrong, "wrong_code")
    settle(out, "not_counted")
    settle(person == UNKNOWN, "not_a_beneficiary")
    matches, differs = _named(frame, people, person, rules)
    settle(differs, "name_mismatch")
    if source.polarity == "positive":
        settle((days < rules.window_starts_on) & (kind == "seen"), "out_of_window")
    verdict[verdict == _OPEN] = ACCEPTED
    return Judged(
        verdict=verdict,
        person=person,
        day=days.to_physical().fill_null(0).to_numpy(),
        subjects=subjects,
        kind=kind,
        full=matches | (source.identity == "full"),
    )


def _persons(checked: citizen_id.Checked, people: PeopleIndex, rules: Rules) -> tuple[np.ndarray, np.ndarray]:
    """Subjects and positions of the rows with good ids; each distinct id is hashed once."""
    count = len(checked.numbers)
    subjects = np.zeros((count, 16), dtype=np.uint8)
    person = np.full(count, UNKNOWN, dtype=np.int64)
    rows = np.flatnonzero(checked.fault == citizen_id.GOOD)
    if len(rows):
        distinct, which = _distinct(checked.numbers.gather(rows))
        made = rules.subjects(distinct)
        subjects[rows] = made[which]
        person[rows] = people.find(made)[which]
    return subjects, person


def _distinct(texts: pl.Series) -> tuple[list[str], np.ndarray]:
    """Distinct texts and for each row which of them it is."""
    coded = texts.rank("dense").to_numpy().astype(np.int64) - 1
    first = np.empty(int(coded.max()) + 1, dtype=np.int64)
    first[coded] = np.arange(len(coded))
    return texts.gather(first).to_list(), coded


def _coded(frame: pl.DataFrame, source: Source) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Kind of each row, rows with a value outside the code list, rows the source's rule leaves out."""
    # Spread over the rows at once: a frame of constants would have one row.
    kind: pl.Expr = pl.repeat(source.kind, pl.len())
    wrong = out = pl.repeat(value=False, n=pl.len())
    for column, rule in source.codes.items():
        value = pl.col(column).cast(pl.String).str.strip_chars()
        known = [*rule.counts, *rule.not_counted, *rule.kinds]
        wrong = wrong | ~value.is_in(known) | value.is_null()
        out = out | value.is_in(list(rule.not_counted))
        if rule.kinds:
            kind = value.replace_strict(rule.kinds, default=kind, return_dtype=pl.String)
    made = frame.select(kind=kind, wrong=wrong, out=out)
    return made["kind"], made["wrong"], made["out"]


def _named(frame: pl.DataFrame, people: PeopleIndex, person: np.ndarray, rules: Rules) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose name is the person's, and rows whose name is somebody else's."""
    count = len(frame)
    none = np.zeros(count, dtype=bool)
    if NAME not in frame.columns:
        return none, none
    clean = names.normalise(frame[NAME])
    rows = np.flatnonzero(clean.is_not_null().to_numpy() & (person != UNKNOWN))
    if not len(rows):
        return none, none
    distinct, which = _distinct(clean.gather(rows))
    same = rules.name_hashes(distinct)[which] == people.name_hash[person[rows]]
    matches, differs = none.copy(), none.copy()
    matches[rows], differs[rows] = same, ~same
    return matches, differs


def accepted_keys(judged: Judged, people: PeopleIndex) -> tuple[np.ndarray, np.ndarray]:
    """Row positions judged accepted so far, and their evidence keys."""
    rows = np.flatnonzero(judged.verdict == ACCEPTED)
    return rows, evidence.keys_of(people.person_no[judged.person[rows]], judged.day[rows])


def counts_of(verdict: np.ndarray) -> dict[str, int]:
    """Rows by verdict or reason, only those that occur."""
    counts = np.bincount(verdict, minlength=len(VERDICTS))
    return {VERDICTS[code]: int(count) for code, count in enumerate(counts) if count}
