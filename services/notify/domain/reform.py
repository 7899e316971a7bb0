"""The reform in figures, for people: how many needed to do nothing, how many doors were knocked at, what came back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

CHANNELS: Final[Mapping[str, str]] = {
    "data": "数据比对（无感）",
    "face": "手机自助",
    "counter": "窗口",
    "home": "上门",
    "remote": "异地协助",
    "partner": "部门互认",
}
_ERRANDS: Final = frozenset({"counter", "home"})
"""Ways that cost somebody a walk: the person's or a neighbour's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reform:
    """Live figures of the city.

    Attributes:
        people: who draw a benefit.
        certified: of them, by the way they were certified.
        saved: certifications the other programs of the same people did not have to ask for.
        visits: doors knocked at.
        recovered_fen: money that came back; None while nobody has counted it.
    """

    people: int
    certified: Mapping[str, int]
    saved: int
    visits: int
    recovered_fen: int | None

    @property
    def certified_total(self) -> int:
        return sum(self.certified.values())

    @property
    def coverage(self) -> float:
        """Share of the people who are certified now."""
        return self.certified_total / self.people if self.people else 0.0

    @property
    def without_errand(self) -> int:
        """People certified without a walk."""
        return sum(count for way, count in self.certified.items() if way not in _ERRANDS)


def reform_of(recognition: Mapping[str, Any], grid: Mapping[str, Any]) -> Reform:
    """The figures in the answers of recognition's and grid's `GET /v1/figures`; what they do not count is left out."""
    certified = {str(way): int(count) for way, count in recognition.get("certified_people", {}).items() if count}
    people, enrolments = int(recognition.get("people", 0)), int(recognition.get("enrolments", 0))
    recovered = recognition.get("recovered_fen")
    share = sum(certified.values()) / people if people else 0.0
    return Reform(
        people=people,
        certified=certified,
        # One result serves all programs of a person: each further one would have asked him again.
        saved=round(max(enrolments - people, 0) * share),
        visits=int(grid.get("visits", 0)),
        recovered_fen=int(recovered) if recovered is not None else None,
    )


def money(fen: int | None) -> str:
    """Money in words of people: 万元 from ten thousand on."""
    if fen is None:
        return "统计中"
    yuan = fen / 100
    return f"{yuan / 10_000:.1f}万元" if yuan >= 10_000 else f"{yuan:.0f}元"  # noqa: PLR2004  (万)
