"""How right the rules in force are, on two of the cities that nobody looked at while choosing them; `make accuracy` takes all."""

from pathlib import Path

import numpy as np
import pytest

from tests.bench.accuracy import SCALE, TEST_SEEDS, TUNING_SEEDS, methods, report
from tests.bench.accuracy.measure import Counts, measure, of, visits
from tests.bench.accuracy.methods import by_age, by_rule_set, point_sum, rules_today, strong_only, under
from tests.bench.accuracy.replay import NOT, TODAY, replay
from tests.bench.accuracy.study import ORDERS, OURS, study

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def ours() -> dict[int, tuple[Counts, np.ndarray]]:
    """By seed, the counts of the rules in force and the people they leave to be visited."""
    made = {}
    for seed in TEST_SEEDS[:2]:
        counts, verdicts = measure(replay(seed, SCALE), under(rules_today()))
        made[seed] = counts, np.flatnonzero(~verdicts.certified & ~verdicts.suspected)
    return made


def test_no_seed_serves_both_to_choose_and_to_judge() -> None:
    assert not set(TUNING_SEEDS) & set(TEST_SEEDS)
    with pytest.raises(ValueError, match="must not learn"):
        study(TEST_SEEDS, TEST_SEEDS[0], SCALE)


def test_of_certified_people_nearly_all_were_alive_at_as_of(ours) -> None:
    for counts, _ in ours.values():
        assert 0.3 < counts.certified / counts.people < 0.4
        assert 1 - counts.dead_at_as_of / counts.certified >= 0.9995


def test_deaths_known_to_a_register_are_suspected_as_soon_as_delivered(ours) -> None:
    for counts, _ in ours.values():
        assert counts.told > 300
        assert counts.told_suspected / counts.told >= 0.99
        assert counts.living_suspected <= counts.people / 5000


def test_the_dead_are_suspected_as_soon_after_their_death_as_files_allow(ours) -> None:
    for counts, _ in ours.values():
        assert counts.within_30 / counts.dead_30 >= 0.55
        assert counts.within_60 / counts.dead_60 >= 0.85
        assert counts.within_90 / counts.dead_90 >= 0.9


def test_the_visits_that_are_left_are_fewer_than_with_strong_acts_alone(ours) -> None:
    for seed, (counts, _) in ours.items():
        city = replay(seed, SCALE)
        strong = strong_only(city, city.known(TODAY), TODAY, np.arange(city.people))
        assert counts.visits < (~strong.certified & ~strong.suspected).sum() * 0.92


def test_a_regression_that_learned_from_another_city_certifies_more_and_errs_as_little_as_ours(ours) -> None:
    learned = methods.learn(replay(TUNING_SEEDS[0], SCALE))
    more, wrong = 0, {"ours": 0, "learned": 0}
    for seed, (counts, _) in ours.items():
        city = replay(seed, SCALE)
        verdicts = learned(city, city.known(TODAY), TODAY, np.arange(city.people))
        certified = verdicts.certified & ~verdicts.suspected
        more += int(certified.sum()) > counts.certified
        wrong["ours"] += counts.dead_at_as_of
        wrong["learned"] += int((certified & (city.truth.died < verdicts.as_of)).sum())
    assert more == len(ours)
    assert wrong["ours"] <= wrong["learned"] + 1


def test_the_order_of_visits_beats_random_and_the_oldest_first(ours) -> None:
    found = {"ours": 0.0, "oldest": 0.0}
    for seed, (_, chosen) in ours.items():
        city = replay(seed, SCALE)
        signals = of(city, chosen)
        orders = {"ours": by_rule_set(city, signals, chosen), "oldest": by_age(city, signals, chosen)}
        paid = visits(city, chosen, orders)
        assert paid.share("ours") >= 3 * 0.1
        for name in found:
            found[name] += paid.share(name) * paid.lost
    assert found["ours"] > found["oldest"]


def test_the_rules_see_more_than_strong_acts_and_err_less_than_a_sum_of_points(ours) -> None:
    seed = TEST_SEEDS[0]
    city, (counts, _) = replay(seed, SCALE), ours[seed]
    known, everybody = city.known(TODAY), np.arange(city.people)
    strong, points = (way(city, known, TODAY, everybody) for way in (strong_only, point_sum))
    assert strong.certified.sum() < counts.certified < points.certified.sum()
    assert (points.certified & (city.truth.died < points.as_of)).sum() > counts.dead_at_as_of


def test_a_study_of_a_small_city_is_told_in_tables_a_document_and_a_plot(tmp_path: Path) -> None:
    found = study((5, 6), 7, 0.002)
    assert set(found.counts) == {OURS, "standard@1", "strong only", "plain point sum", "logistic regression"}
    assert set(found.visits[5].found) == set(ORDERS)
    for visited in found.visits.values():
        assert all(curve[-1] == visited.lost for curve in visited.found.values())
    report.write(tmp_path, found)
    text = (tmp_path / "accuracy.md").read_text(encoding="utf-8")
    assert "cities 5, 6" in text
    assert "learned from city 7" in text
    assert (tmp_path / "accuracy.svg").read_text(encoding="utf-8").count("<path") > 5
    assert report.table(found).row_count == len(report.rows(found.total(OURS)))


def test_a_replay_holds_what_files_delivered_and_nothing_before_it_came() -> None:
    city = replay(7, 0.002)
    assert (city.came >= city.rows.day).mean() > 0.999  # a month's file of a telephone is dated to its first day
    early, late = city.known(TODAY - 200), city.known(TODAY)
    assert len(early) < len(late) <= len(city.person)
    assert early.people == late.people == city.people
    told = city.truth.told < NOT
    assert told.any()
    assert (city.truth.told[told] > city.truth.died[told]).all()


def test_the_regression_certifies_as_many_as_its_own_city_bears() -> None:
    city = replay(7, 0.002)
    learned = methods.learn(city)
    verdicts = learned(city, city.known(TODAY), TODAY, np.arange(city.people))
    dead = (city.truth.died <= TODAY) & verdicts.certified
    assert verdicts.certified.any()
    assert dead.sum() <= 0.0005 * verdicts.certified.sum() + 1
