"""How likely people die, and how old they are: age-specific death rates of China, 2015-2020.

United Nations, World Population Prospects: The 2019 Revision, country 156, tables mxM and mxF (see data/README.md).
"""

import csv
from importlib.resources import files

import numpy as np

OLDEST = 104
GROWTH = 0.028
"""How much larger each younger cohort of the elderly was at birth and entry; our assumption for an ageing county."""


def death_rates() -> np.ndarray:
    """Deaths per person and year by sex (0 female, 1 male) and age 0..OLDEST, shape (2, OLDEST + 1).

    Rates are interpolated log-linearly between the middles of the published age groups.
    """
    text = files(__package__).joinpath("data/mortality.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    starts = np.array([float(row["age"]) for row in rows])
    widths = np.diff(np.append(starts, OLDEST + 1))
    middles = starts + widths / 2
    ages = np.arange(OLDEST + 1) + 0.5
    return np.stack(
        [np.exp(np.interp(ages, middles, np.log([float(row[sex]) for row in rows]))) for sex in ("female", "male")]
    )


def age_weights(first_age: int, last_age: int) -> np.ndarray:
    """Relative numbers of people by sex and age first_age..last_age, from survival and cohort growth."""
    rates = death_rates()
    alive = np.exp(-np.cumsum(rates, axis=1) + rates)
    ages = np.arange(first_age, last_age + 1)
    return np.asarray(alive[:, ages] * np.exp(-GROWTH * (ages - first_age)))
