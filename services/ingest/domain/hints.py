"""Records without a good id number: whom they may mean, by name, sex and age. A hint is never evidence."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from services.ingest.domain import names, verdicts
from services.ingest.domain.catalogue import AGE, NAME, OCCURRED_ON, SEX
from services.ingest.domain.verdicts import KINDS, Judged, Rules

_SEXES = {"男": "male", "男性": "male", "1": "male", "m": "male", "male": "male",
          "女": "female", "女性": "female", "2": "female", "f": "female", "female": "female"}  # fmt: skip
_TOLERANCE = 1  # years: ages are counted from the birthday, from the new year, or from one
_OLDEST = 150
SHAPE = {
    "row_no": pl.UInt32, OCCURRED_ON: pl.Date, "kind": pl.String, "name_hash": pl.UInt64, SEX: pl.String, AGE: pl.Int16,
}  # fmt: skip
NO_HINTS = pl.DataFrame(schema=SHAPE)


def described(
    frame: pl.DataFrame,
    judged: Judged,
    rules: Rules,
    *,
    first_row: int,
    of: Sequence[int] = verdicts.WITHOUT_GOOD_ID,
) -> pl.DataFrame:
    """The records without a good id that describe a person whole: name, sex, age and a possible day; columns SHAPE.

    Args:
        frame: canonical columns as strings.
        judged: what became of the same rows.
        rules: today, keys.
        first_row: number of the first of these rows within the file.
        of: verdicts of the records that are meant instead.
    """
    if not {NAME, SEX, AGE} <= set(frame.columns):
        return NO_HINTS
    today = np.datetime64(rules.today, "D").astype(np.int32)
    rows = np.flatnonzero(np.isin(judged.verdict, of) & (judged.day >= 0) & (judged.day <= today))
    if not len(rows):
        return NO_HINTS
    chosen = frame[rows]
    sex = chosen[SEX].str.strip_chars().str.to_lowercase().replace_strict(_SEXES, default=None, return_dtype=pl.String)
    age = chosen[AGE].str.extract(r"^\s*(\d{1,3})(?:\.\d+)?\s*(?:周?岁)?\s*$", 1).cast(pl.Int16, strict=False)
    table = pl.DataFrame(
        {
            "row_no": pl.Series(rows + first_row, dtype=pl.UInt32),
            OCCURRED_ON: pl.Series(judged.day[rows].astype("datetime64[D]"), dtype=pl.Date),
            "kind": pl.Series([KINDS[code] for code in judged.kind[rows]], dtype=pl.String),
            NAME: names.normalise(chosen[NAME]),
            SEX: sex,
            AGE: age,
        }
    ).drop_nulls()
    table = table.filter(pl.col(AGE) <= _OLDEST)
    hashes = pl.Series("name_hash", rules.name_hashes(table[NAME].to_list()), dtype=pl.UInt64)
    return table.with_columns(hashes).select(*SHAPE)


def candidates(hints: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Whom each record may mean: `row_no` and `subject`, as often as there are people.

    Args:
        hints: columns SHAPE.
        people: subject (bytes), name_hash, sex, born_on; once a person.
    """
    day, born = pl.col(OCCURRED_ON), pl.col("born_on")
    had_birthday = (day.dt.month() * 100 + day.dt.day()) >= (born.dt.month() * 100 + born.dt.day())
    age = day.dt.year() - born.dt.year() - (~had_birthday).cast(pl.Int32)
    return (
        hints.join(people, on=["name_hash", SEX])
        .filter((age - pl.col(AGE)).abs() <= _TOLERANCE, born <= day)
        .select("row_no", "subject")
        .sort("row_no", "subject")
    )
