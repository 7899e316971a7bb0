"""A figure beside its baseline, and measuring the two in turn so that a busy moment meets both."""

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

Ours = TypeVar("Ours")
Theirs = TypeVar("Theirs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the budgets ask: of the ratio or of our own figure, at least or at most."""

    of: str = "ratio"
    least: float | None = None
    most: float | None = None

    @property
    def words(self) -> str:
        limit, sign = (self.least, "≥") if self.least is not None else (self.most, "≤")
        return f"{self.of} {sign} {number(limit or 0.0)}"

    def met_by(self, ours: float, ratio: float | None) -> bool:
        value = ratio if self.of == "ratio" else ours
        if value is None:
            return False
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Ours beside the baseline of the same run.

    Attributes:
        ours_runs: every run, `ours` is their median.
        note: what the baseline is, and what to know when reading.
    """

    name: str
    unit: str
    ours: float
    baseline: float | None
    ratio: float | None
    budget: Budget | None
    note: str
    ours_runs: tuple[float, ...] = ()
    baseline_runs: tuple[float, ...] = ()

    @property
    def met(self) -> bool | None:
        """Whether its budget is met; None without one."""
        return self.budget.met_by(self.ours, self.ratio) if self.budget else None

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "ours": _rounded(self.ours),
            "baseline": _rounded(self.baseline),
            "ratio": _rounded(self.ratio),
            "unit": self.unit,
            "budget": self.budget.words if self.budget else None,
            "met": self.met,
            "note": self.note,
            "ours_runs": [_rounded(each) for each in self.ours_runs],
            "baseline_runs": [_rounded(each) for each in self.baseline_runs],
        }


def figure(
    name: str,
    unit: str,
    ours: float | Sequence[float],
    baseline: float | Sequence[float] | None = None,
    *,
    budget: Budget | None = None,
    note: str = "",
) -> Figure:
    """A figure of single values or of the medians of several runs."""
    mine, theirs = _runs(ours), _runs(baseline)
    middle, other = statistics.median(mine), statistics.median(theirs) if theirs else None
    return Figure(
        name=name,
        unit=unit,
        ours=middle,
        baseline=other,
        ratio=middle / other if other else None,
        budget=budget,
        note=note,
        ours_runs=mine,
        baseline_runs=theirs,
    )


async def in_turn(
    ours: Callable[[], Awaitable[Ours]], baseline: Callable[[], Awaitable[Theirs]], times: int
) -> tuple[list[Ours], list[Theirs]]:
    """Results of both, measured A B A B."""
    mine, theirs = [], []
    for _ in range(times):
        mine.append(await ours())
        theirs.append(await baseline())
    return mine, theirs


def number(value: float | None) -> str:
    """A value as a person reads it."""
    if value is None:
        return "–"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.3g}"


def _runs(values: float | Sequence[float] | None) -> tuple[float, ...]:
    if values is None:
        return ()
    return (float(values),) if isinstance(values, int | float) else tuple(float(each) for each in values)


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
