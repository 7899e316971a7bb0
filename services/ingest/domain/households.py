"""Visits to households: one row names several people, who are told apart before anything is judged."""

import polars as pl

_BETWEEN = r"[\s、,，;；|/]+"
# A whole number, something between, and the beginning of another: blanks within one number are a form of writing.
_SEVERAL = rf"^\s*(?:[0-9]{{17}}[0-9Xx]|[0-9]{{15}}){_BETWEEN}[0-9]{{6}}"


def one_a_person(frame: pl.DataFrame, citizen_id: str, name: str | None) -> pl.DataFrame:
    """The rows with one person each, in their order; the other cells of a row go with each of its people.

    Names belong to numbers by their order; where there are more or fewer of them, none is compared.

    Args:
        frame: columns of strings.
        citizen_id: the column of numbers.
        name: that of names, where there is one.
    """
    several = frame[citizen_id].str.contains(_SEVERAL).fill_null(value=False)
    if not several.any():
        return frame
    numbers = _parts(citizen_id)
    changed = [pl.when(several).then(numbers).otherwise(pl.concat_list(citizen_id)).alias(citizen_id)]
    if name is not None:
        nobody = pl.lit(None, pl.String).repeat_by(numbers.list.len())
        fitting = pl.when(_parts(name).list.len() == numbers.list.len()).then(_parts(name)).otherwise(nobody)
        changed.append(pl.when(several).then(fitting).otherwise(pl.concat_list(name)).alias(name))
    return frame.with_columns(changed).explode([each for each in (citizen_id, name) if each])


def _parts(column: str) -> pl.Expr:
    return pl.col(column).str.replace_all(_BETWEEN, "、").str.strip_chars("、").str.split("、")
