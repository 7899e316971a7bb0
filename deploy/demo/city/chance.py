"""Chance that can be repeated: one generator for each part of the city, and draws that keep counts exact."""

import zlib

import numpy as np


def stream(seed: int, *parts: str | int) -> np.random.Generator:
    """Generator of one part; parts drawn in another order or on another machine give the same numbers."""
    names = [zlib.crc32(str(part).encode()) for part in parts]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *names])))


def split_exactly(total: int, weights: np.ndarray) -> np.ndarray:
    """Whole numbers that add up to total, proportional to weights (largest remainders get the rest)."""
    ideal = weights / weights.sum() * total
    whole: np.ndarray = np.floor(ideal).astype(np.int64)
    rest = total - int(whole.sum())
    if rest:
        whole[np.argsort(whole - ideal, kind="stable")[:rest]] += 1
    return whole


def draw_by_weight(rng: np.random.Generator, weights: np.ndarray, count: int) -> np.ndarray:
    """Indices drawn `count` times in proportion to weights, each as often as expected or once more; sorted, int32."""
    if count <= 0 or not len(weights):
        return np.empty(0, dtype=np.int32)
    edges = np.cumsum(weights, dtype=np.float64)
    if edges[-1] <= 0:
        return np.empty(0, dtype=np.int32)
    points = (np.arange(count) + rng.random()) * (edges[-1] / count)
    found = np.searchsorted(edges, points, side="right")
    return np.asarray(np.minimum(found, len(weights) - 1), dtype=np.int32)


def capped(weights: np.ndarray, count: int, limit: int) -> np.ndarray:
    """Weights scaled so that they are the expected times each is drawn in `count` draws, none above limit."""
    expected = weights.astype(np.float64)
    for _ in range(4):
        free = expected < limit
        total = expected[free].sum()
        left = count - limit * (len(expected) - int(free.sum()))
        if total <= 0 or left <= 0:
            break
        expected[free] = np.minimum(expected[free] * (left / total), limit)
    return np.minimum(expected, limit)


def pick(rng: np.random.Generator, mask: np.ndarray, count: int) -> np.ndarray:
    """Indices of `count` different members of mask (all of them when there are fewer), sorted."""
    members = np.flatnonzero(mask)
    if count >= len(members):
        return members
    if count <= 0:
        return members[:0]
    keys = rng.random(len(members), dtype=np.float64)
    return np.sort(members[np.argpartition(keys, count)[:count]])


def inside(rng: np.random.Generator, season: np.ndarray, first: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Days drawn from a season's cumulative curve (shape (366,)) within first <= day < after; int16.

    Where the span is empty or out of season, the first day is answered.
    """
    low = season[np.clip(first, 0, 365)]
    high = season[np.clip(after, 0, 365)]
    point = low + rng.random(len(first)) * (high - low)
    days = np.searchsorted(season, point, side="right") - 1
    return np.asarray(np.clip(days, first, np.maximum(after - 1, first)), dtype=np.int16)
