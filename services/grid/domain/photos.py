"""Whether a photo is one we have had before: perceptual marks that survive rescaling, recompression and a slight crop.

A photo leaves seven marks: of the whole and of six slight crops, so that somebody else's crop of it lies near one of
them. A mark is a coarse hash of 64 bits, cut into bands by which earlier photos are found, and a fine one of 256 bits
that decides: two photos of one room agree in the coarse one sometimes, in the fine one they do not.
"""

from dataclasses import dataclass
from itertools import combinations

import imagehash
import numpy as np
from PIL import Image

_CROP = 0.04
_SIDE = 320
"""Pixels of the long side that are looked at: ten times what the finest hash needs."""
_BANDS = ((0, 22), (22, 21), (43, 21))
"""Start and width in bits; eight changed bits leave one band with at most two."""
_FLIPS = 2
_COARSE, _FINE = 8, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What is kept of a photo for comparing: the first mark is of the whole.

    Attributes:
        coarse: shape (7,), uint64.
        fine: shape (7, 32), uint8.
    """

    coarse: np.ndarray
    fine: np.ndarray

    def bands(self) -> list[int]:
        """By what a later photo finds this one: band number and bits of the band, in one integer each."""
        return sorted({_key(place, _part(int(mark), place)) for mark in self.coarse for place in range(len(_BANDS))})

    def probes(self) -> list[int]:
        """What to look for among the bands of earlier photos."""
        whole = int(self.coarse[0])
        found = set()
        for place, (_, width) in enumerate(_BANDS):
            part = _part(whole, place)
            flips = [0, *(1 << bit for bit in range(width))]
            flips += [1 << one | 1 << other for one, other in combinations(range(width), _FLIPS)]
            found |= {_key(place, part ^ flip) for flip in flips}
        return sorted(found)


def marks_of(photo: Image.Image) -> Marks:
    """The marks of a photo."""
    small = photo.convert("L")
    small.thumbnail((_SIDE, _SIDE))
    width, height = small.size
    dx, dy = int(width * _CROP), int(height * _CROP)
    boxes = (
        (0, 0, width, height),
        (dx // 2, dy // 2, width - dx // 2, height - dy // 2),
        (dx, 0, width, height),
        (0, 0, width - dx, height),
        (0, dy, width, height),
        (0, 0, width, height - dy),
        (dx, dy, width - dx, height - dy),
    )
    crops = [small.crop(box) for box in boxes]
    coarse = [np.packbits(imagehash.phash(crop, hash_size=_COARSE).hash.ravel()) for crop in crops]
    fine = [np.packbits(imagehash.phash(crop, hash_size=_FINE).hash.ravel()) for crop in crops]
    return Marks(coarse=np.stack(coarse).view(">u8")[:, 0].astype(np.uint64), fine=np.stack(fine))


def same(photo: Marks, earlier: Marks, distance: int) -> bool:
    """Whether a photo is an earlier one, perhaps rescaled, recompressed or slightly cropped.

    Args:
        photo: the new one.
        earlier: the one known.
        distance: of the 256 bits, how many may differ.
    """
    differing = np.bitwise_count(photo.fine[0][None, :] ^ earlier.fine).sum(axis=1)
    return int(differing.min()) <= distance


def _part(mark: int, place: int) -> int:
    start, width = _BANDS[place]
    return mark >> start & (1 << width) - 1


def _key(place: int, part: int) -> int:
    return place << 22 | part
