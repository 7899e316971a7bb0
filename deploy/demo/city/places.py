"""Where people live: the real villages of the city, and the grids each is divided into."""

import csv
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import polars as pl

from deploy.demo.city.chance import split_exactly, stream

GRIDS_AT_FULL_SCALE = 135_711
_CENTRES = {"341602": (115.78, 33.88), "341621": (116.21, 33.51), "341622": (116.56, 33.27), "341623": (116.20, 33.14)}
"""Rough middle of each county; villages are scattered around it, not where they really are."""


def read_villages() -> list[dict[str, str]]:
    """All villages of the file, in order of their codes."""
    text = files(__package__).joinpath("data/villages.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def make_places(scale: float, seed: int) -> "Places":
    """Villages and grids of a city of this scale.

    A smaller city has fewer villages (by the square root of its scale) and smaller ones, so that a village still has
    several grids and a grid still has about ten people; they are taken evenly from all counties and towns.
    """
    known = read_villages()
    grids = max(1, round(GRIDS_AT_FULL_SCALE * scale))
    count = min(len(known), grids, max(4, round(len(known) * scale**0.5)))
    chosen = [known[int((index + 0.5) * len(known) / count)] for index in range(count)]
    rng = stream(seed, "places")
    sizes = 1 + split_exactly(grids - count, rng.lognormal(0, 0.4, count))
    village = np.repeat(np.arange(count), sizes).astype(np.int16)
    group = np.arange(len(village)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + 1
    where = np.array([_CENTRES[row["county_code"]] for row in chosen])
    spread = where + rng.normal(0, 0.11, (count, 2))
    return Places(
        villages=pl.DataFrame(chosen),
        village=village,
        group_no=group.astype(np.int16),
        lon=np.round(spread[:, 0][village] + rng.normal(0, 0.006, len(village)), 6),
        lat=np.round(spread[:, 1][village] + rng.normal(0, 0.006, len(village)), 6),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Villages (one row each) and grids (one element each: village index, group number in the village, position)."""

    villages: pl.DataFrame
    village: np.ndarray
    group_no: np.ndarray
    lon: np.ndarray
    lat: np.ndarray

    def county_codes(self) -> np.ndarray:
        """County of every grid as a whole number."""
        codes = self.villages["county_code"].cast(pl.Int32).to_numpy()
        return np.asarray(codes[self.village])
