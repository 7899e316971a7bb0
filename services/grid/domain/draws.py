"""Who is drawn for a second look: decided by a keyed hash, so that nobody can choose his way around it."""

import numpy as np


def drawn(keys: np.ndarray, percent: float) -> np.ndarray:
    """Which rows are drawn.

    Args:
        keys: keyed hashes, shape (n, 16), uint8: the same thing under the same key is always drawn or never.
        percent: share to draw, 0 to 100.

    Returns:
        One bool a row.
    """
    if percent >= 100:  # noqa: PLR2004  (all)
        return np.ones(len(keys), dtype=bool)
    heads = np.ascontiguousarray(keys[:, :8]).view(">u8")[:, 0]
    drawn_: np.ndarray = heads < np.uint64(int(percent / 100 * 2**64))
    return drawn_
