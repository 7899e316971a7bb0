"""What everybody is paid a month, in fen, so that the city as a whole pays what the press reported."""

import numpy as np

from deploy.demo.city.chance import split_exactly, stream
from deploy.demo.city.programs import HR_MONTHLY_FEN, MONTHLY_FEN, Program, read_programs

_LEAST_SHARE = 0.1


def pay(scale: float, seed: int, held: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Amount of every enrolment in fen, in the order of the members of each program."""
    amounts = {
        program.code: _draw(stream(seed, "amounts", program.code), program, len(held[program.code]))
        for program in read_programs()
    }
    for hr, target in ((True, HR_MONTHLY_FEN), (False, MONTHLY_FEN - HR_MONTHLY_FEN)):
        _adjust(amounts, [program for program in read_programs() if program.hr is hr], round(target * scale))
    return amounts


def _draw(rng: np.random.Generator, program: Program, count: int) -> np.ndarray:
    if program.steps:
        return np.round(np.array(program.steps) * 100).astype(np.int64)[rng.integers(0, len(program.steps), count)]
    shape = (program.mean / program.spread) ** 2
    yuan = program.base + rng.gamma(shape, program.mean / shape, count)
    return np.round(yuan * 100).astype(np.int64)


def _adjust(amounts: dict[str, np.ndarray], programs: list[Program], target: int) -> None:
    """Scale the programs that adjust so that all together pay the target to the fen, where they can."""
    flexible = [program.code for program in programs if program.adjusts]
    fixed = sum(int(amounts[program.code].sum()) for program in programs if not program.adjusts)
    drawn = np.concatenate([amounts[code] for code in flexible])
    wanted = max(target - fixed, int(drawn.sum() * _LEAST_SHARE))
    parts = np.split(split_exactly(wanted, drawn), np.cumsum([len(amounts[code]) for code in flexible])[:-1])
    amounts.update(zip(flexible, parts, strict=True))
