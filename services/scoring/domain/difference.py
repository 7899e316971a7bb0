"""Where two rule sets differ, place by place, for whoever has to approve the newer one."""

from dataclasses import asdict, dataclass

from services.scoring.domain.rules import RuleSet


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """One place; None where one side has no such value."""

    place: str
    before: str | None
    after: str | None


def rule_difference(before: RuleSet, after: RuleSet) -> list[RuleChange]:
    """All places in which two rule sets differ, in the order of their names."""
    old, new = _flat(asdict(before)), _flat(asdict(after))
    return [
        RuleChange(place=place, before=old.get(place), after=new.get(place))
        for place in sorted(old.keys() | new.keys())
        if old.get(place) != new.get(place)
    ]


def _flat(tree: dict[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in tree.items():
        place = f"{prefix}{name}"
        flat.update(_flat(value, f"{place}.") if isinstance(value, dict) else {place: str(value)})
    return flat
