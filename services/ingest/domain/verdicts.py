"""What becomes of each row of a batch: one verdict, and of several faults the first in a fixed order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from services.ingest.domain import citizen_id, dates, evidence, names
from services.ingest.domain.catalogue import CITIZEN_ID, NAME, OCCURRED_ON, UNEVEN, CodeRule, Source
from services.ingest.domain.columns import Array
from services.ingest.domain.people import UNKNOWN, PeopleIndex
from shared.contracts.vocabulary import EvidenceKind

VERDICTS = (
    "accepted", "duplicate", "out_of_window", "missing_field", "no_citizen_id", "bad_citizen_id", "bad_check_digit",
    "impossible_date", "future_date", "wrong_code", "not_counted", "not_a_beneficiary", "name_mismatch",
    "taken_back", "second_payee", "uneven_row", "not_enrolled_there",
)  # fmt: skip
ACCEPTED, DUPLICATE, OUT_OF_WINDOW = 0, 1, 2
CODE = {name: number for number, name in enumerate(VERDICTS)}
WITHOUT_GOOD_ID = (CODE["no_citizen_id"], CODE["bad_citizen_id"], CODE["bad_check_digit"])
TAKEN_BACK = CODE["taken_back"]
"""The same record was corrected before: it stays corrected when the department's system sends it again."""
FAULTS = tuple(
    CODE[name]
    for name in (
        "missing_field", "bad_citizen_id", "bad_check_digit", "impossible_date", "future_date", "wrong_code",
        "name_mismatch", "uneven_row",
    )
)  # fmt: skip
"""Verdicts that speak against the batch; the others are in the nature of the data."""
KINDS = tuple(each.value for each in EvidenceKind)
SEEN = KINDS.index(EvidenceKind.SEEN.value)
_OPEN, _LEFT_OUT, _WRONG = 255, 254, 255

Subjects = Callable[[list[str]], Array]
NameHashes = Callable[[list[str]], Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What judging needs beside the rows.

    Attributes:
        today: business date.
        window_starts_on: positive evidence before this day is out of the window.
        subjects: good ids to subjects of shape (n, 16).
        name_hashes: normalised names to uint64.
    """

    today: date
    window_starts_on: date
    subjects: Subjects
    name_hashes: NameHashes


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Judged rows, eleven bytes each.

    Attributes:
        verdict: uint8, index into VERDICTS; accepted rows may still turn out duplicates.
        person: int32, position in the people index, or UNKNOWN.
        day: days since 1970, int32; meaningless where there is none.
        kind: uint8, index into KINDS.
        full: whether the identity is full.
    """

    verdict: Array
    person: Array
    day: Array
    kind: Array
    full: Array

    def __len__(self) -> int:
        return len(self.verdict)

    def since(self, row: int) -> "Judged":
        """The rows from a position on."""
        return Judged(
            verdict=self.verdict[row:],
            person=self.person[row:],
            day=self.day[row:],
            kind=self.kind[row:],
            full=self.full[row:],
        )


def judge(frame: pl.DataFrame, source: Source, people: PeopleIndex, rules: Rules) -> Judged:
    """Judge the rows of a chunk but for duplicates.

    Args:
        frame: canonical columns as strings.
        source: its declaration.
        people: the vault.
        rules: date, window, keys.
    """
    checked = citizen_id.check(frame[CITIZEN_ID], this_year=rules.today.year)
    kind, wrong, left_out = _coded(frame, source)
    raw_day = _raw_days(frame, source, kind)
    days = dates.parse(raw_day)
    day = days.to_physical().fill_null(-1).to_numpy().astype(np.int32)
    person = _persons(checked, people, rules)
    verdict = np.full(len(frame), _OPEN, dtype=np.uint8)

    def settle(chosen: Array, name: str) -> None:
        verdict[(verdict == _OPEN) & chosen] = CODE[name]

    if UNEVEN in frame.columns:
        settle(frame[UNEVEN].to_numpy(), "uneven_row")
    no_day = np.zeros(len(frame), dtype=bool)
    blank = np.flatnonzero(day < 0)
    no_day[blank] = (raw_day.gather(blank).str.strip_chars().str.len_bytes().fill_null(0) == 0).to_numpy()
    no_id = checked.fault == citizen_id.MISSING
    settle(no_day if source.id_may_be_blank else no_day | no_id, "missing_field")
    settle(no_id, "no_citizen_id")
    settle(checked.fault == citizen_id.MALFORMED, "bad_citizen_id")
    settle(checked.fault == citizen_id.BAD_CHECK, "bad_check_digit")
    # A day before 1970 cannot be told from a slip of the pen.
    settle(day < 0, "impossible_date")
    settle(day > evidence.day_number(rules.today), "future_date")
    settle(wrong, "wrong_code")
    settle(left_out, "not_counted")
    settle(person == UNKNOWN, "not_a_beneficiary")
    matches, differs = _named(frame, people, person, rules)
    settle(differs, "name_mismatch")
    if source.polarity == "positive":
        settle((day < evidence.day_number(rules.window_starts_on)) & (kind == SEEN), "out_of_window")
    verdict[verdict == _OPEN] = ACCEPTED
    return Judged(verdict=verdict, person=person, day=day, kind=kind, full=_full(frame, source, matches))


def _raw_days(frame: pl.DataFrame, source: Source, kind: Array) -> pl.Series:
    """The day each row tells: that of its kind where there is one, else that of the source.

    Never that of another kind: somebody released was not released when he was admitted.
    """
    days = frame.get_column(OCCURRED_ON, default=pl.repeat(None, len(frame), dtype=pl.String, eager=True)).cast(
        pl.String
    )
    for name, column in source.dates.items():
        if column in frame.columns:
            own = frame[column].cast(pl.String)
            filled = (own.str.strip_chars().str.len_bytes().fill_null(0) > 0).to_numpy()
            rows = np.flatnonzero(filled & (kind == KINDS.index(name)))
            days = days.scatter(rows, own.gather(rows)) if len(rows) else days
    return days


def _persons(checked: citizen_id.Checked, people: PeopleIndex, rules: Rules) -> Array:
    """Positions of the people of the rows with good ids; each distinct id is looked up once."""
    person = np.full(len(checked.numbers), UNKNOWN, dtype=np.int32)
    rows = np.flatnonzero(checked.fault == citizen_id.GOOD)
    if len(rows):
        numbers = checked.numbers if len(rows) == len(person) else checked.numbers.gather(rows)
        codes = citizen_id.codes_of(numbers)
        person[rows] = people.memo.find(codes, lambda at: people.find(rules.subjects(numbers.gather(at).to_list())))
    return person


def _coded(frame: pl.DataFrame, source: Source) -> tuple[Array, Array, Array]:
    """Kind of each row; rows with a value outside the code list, and rows the source's rule leaves out."""
    own = KINDS.index(source.kind)
    kind = np.full(len(frame), own, dtype=np.uint8)
    wrong, left_out = np.zeros(len(frame), dtype=bool), np.zeros(len(frame), dtype=bool)
    for column, rule in source.codes.items():
        said = _decided(frame[column], rule, own)
        wrong |= said == _WRONG
        left_out |= said == _LEFT_OUT
        other = (said < _LEFT_OUT) & (said != own)
        kind[other] = said[other]
    return kind, wrong, left_out


def _full(frame: pl.DataFrame, source: Source, matches: Array) -> Array:
    """Rows that tell for certain whom they mean."""
    full = matches | source.identified_by_reader
    for column, rule in source.codes.items():
        if rule.weaker:
            weaker = frame[column].cast(pl.String).str.strip_chars().is_in(sorted(rule.weaker))
            full &= ~weaker.fill_null(value=False).to_numpy()
    return full


def _decided(values: pl.Series, rule: CodeRule, own: int) -> Array:
    """For each value its index into KINDS, or _LEFT_OUT, or _WRONG."""
    meaning: dict[str, int] = dict.fromkeys(rule.counts | rule.weaker, own) | dict.fromkeys(rule.not_counted, _LEFT_OUT)
    meaning |= {value: KINDS.index(kind) for value, kind in rule.kinds.items()}
    found = (
        values.cast(pl.String)
        .str.strip_chars()
        .replace_strict(list(meaning), list(meaning.values()), default=_WRONG, return_dtype=pl.UInt8)
    )
    return np.asarray(found.fill_null(_WRONG).to_numpy())


def _named(frame: pl.DataFrame, people: PeopleIndex, person: Array, rules: Rules) -> tuple[Array, Array]:
    """Rows whose name is the person's, and rows whose name is somebody else's."""
    matches, differs = np.zeros(len(frame), dtype=bool), np.zeros(len(frame), dtype=bool)
    if NAME not in frame.columns:
        return matches, differs
    clean = names.normalise(frame[NAME])
    rows = np.flatnonzero(clean.is_not_null().to_numpy() & (person != UNKNOWN))
    if not len(rows):
        return matches, differs
    chosen = clean.gather(rows)
    distinct = chosen.unique()
    hashes = pl.Series(rules.name_hashes(distinct.to_list()), dtype=pl.UInt64)
    said = chosen.replace_strict(distinct, hashes, return_dtype=pl.UInt64).to_numpy()
    same = said == people.name_hash[person[rows]]
    matches[rows], differs[rows] = same, ~same
    return matches, differs


def accepted_keys(judged: Judged, people: PeopleIndex) -> tuple[Array, Array]:
    """Row positions judged accepted so far, and their evidence keys."""
    rows = np.flatnonzero(judged.verdict == ACCEPTED)
    return rows, evidence.keys_of(people.person_no[judged.person[rows]], judged.day[rows])


def counts_of(verdict: Array) -> dict[str, int]:
    """Rows by verdict or reason, only those that occur."""
    counts = np.bincount(verdict, minlength=len(VERDICTS))
    return {VERDICTS[code]: int(count) for code, count in enumerate(counts) if count}


def faulty_of(counts: Mapping[str, int]) -> dict[str, int]:
    """The part of counts that speaks against the batch."""
    return {name: count for name, count in counts.items() if CODE.get(name) in FAULTS}
