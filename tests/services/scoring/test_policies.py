"""Rule sets as files: whole or refused, and the version in force on a day."""

from dataclasses import replace
from datetime import date
from importlib import resources
from pathlib import Path

import pytest

from services.ingest.sources import load_sources
from services.scoring import policies
from services.scoring.domain.difference import rule_difference
from services.scoring.policies import PolicyError
from tests.services.scoring.people import RULES, WEAK

TEXT = (resources.files(policies) / "standard_v1.toml").read_text(encoding="utf-8")


def test_every_rule_set_of_the_service_loads_and_names_the_weak_sources() -> None:
    loaded = policies.load()
    assert [each.name for each in loaded] == ["standard@1", "standard@2"]
    for each in loaded:
        assert set(each.weak) == set(WEAK)


def test_the_second_version_is_stricter_with_weak_evidence_and_in_force_from_its_day() -> None:
    first, second = policies.load()
    assert policies.in_force((first, second), "standard", date(2023, 10, 31)) is first
    assert policies.in_force((first, second), "standard", date(2023, 11, 1)) is second
    places = {each.place for each in rule_difference(first, second)}
    assert places == {"from_on", "label", "version", "risk.habit_limit"} | {
        f"thresholds.{name}" for name in ("points", "sources", "departments", "days")
    }
    for name in ("points", "sources", "departments", "days"):
        assert getattr(second.thresholds, name) > getattr(first.thresholds, name)


def test_every_source_a_rule_set_names_is_one_of_the_catalogue() -> None:
    strength = {code: source.strength for code, source in load_sources().items()}
    for rules in policies.load():
        assert {code for code in rules.weak if strength.get(code) != "weak"} == set(), rules.name
        assert {code for code in rules.risk.add_ons.hospital_sources if strength.get(code) != "strong"} == set()


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("points = 60", "points = 60\nmarks = 70", "thresholds.marks"),
        ("departments = 2", "departments = 1", "thresholds.departments"),
        ("window_months = 12", "", "window_months"),
        ('label = "无感互认量化组合规则(标准版)"', 'label = ""', "label"),
        ("reference = ", "references = ", "reference"),
        ("cap = 30\n\n[weak.medins_pharmacy]", "cap = 3\n\n[weak.medins_pharmacy]", "weak.transport_bus_card"),
        ('full = "probable"', 'full = "certain"', "negatives.full"),
        ("from = 2018-05-01", "from = soon", "line 5"),
        ("points = 60", "points = 600", "out of reach"),
        ("sources = 2", "sources = 8", "out of reach"),
        ("weak_valid_months = 6", "weak_valid_months = 13", "weak_valid_months"),
        ('id_only = "hint"', 'id_only = "conclusive"', "id_only"),
        ('agreement = "conclusive"', 'agreement = "hint"', "agreement"),
        ('hospital_death = "hint"', 'hospital_death = "conclusive"', "hospital_death"),
    ],
)
def test_a_rule_set_with_a_slip_is_refused_with_its_file_and_place(old: str, new: str, place: str) -> None:
    assert old in TEXT
    with pytest.raises(PolicyError, match=f"slip.toml.*{place}"):
        policies.parse(TEXT.replace(old, new, 1), name="slip.toml")


def test_a_new_rule_set_is_one_new_file(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text(TEXT, encoding="utf-8")
    second = TEXT.replace("version = 1", "version = 2").replace("from = 2018-05-01", "from = 2024-01-01")
    (tmp_path / "two.toml").write_text(second.replace("points = 60", "points = 70"), encoding="utf-8")
    loaded = policies.load(tmp_path)
    assert [each.name for each in loaded] == ["standard@1", "standard@2"]
    assert policies.in_force(loaded, "standard", date(2023, 12, 31)).version == 1
    assert policies.in_force(loaded, "standard", date(2024, 1, 1)).version == 2
    changes = {each.place: (each.before, each.after) for each in rule_difference(*loaded)}
    assert changes["thresholds.points"] == ("60", "70")
    assert set(changes) == {"from_on", "version", "thresholds.points"}


def test_the_same_version_twice_is_refused(tmp_path: Path) -> None:
    for name in ("one.toml", "two.toml"):
        (tmp_path / name).write_text(TEXT, encoding="utf-8")
    with pytest.raises(PolicyError, match=r"two\.toml: standard@1 is declared in one\.toml"):
        policies.load(tmp_path)


def test_no_rule_set_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="no rule set"):
        policies.load(tmp_path)


def test_a_day_before_the_first_version_has_no_rules() -> None:
    with pytest.raises(PolicyError, match="in force"):
        policies.in_force([replace(RULES, from_on=date(2030, 1, 1))], "standard", date(2029, 12, 31))
