"""Who lives in the city: ids, ages, families, benefits, and lives."""

import numpy as np
import pytest

from deploy.demo.city.citizen_ids import is_valid
from deploy.demo.city.lives import Quirk, State, Trace
from deploy.demo.city.mortality import death_rates
from deploy.demo.city.places import make_places, read_villages
from deploy.demo.city.programs import CITY_PEOPLE, HR_MONTHLY_FEN, MONTHLY_FEN, read_programs


def test_every_id_is_valid_and_nobodys_twice(hundredth):
    ids = hundredth.people.citizen_id
    assert ids.n_unique() == len(ids)
    assert all(is_valid(text) for text in ids)
    assert (ids.str.slice(6, 4).cast(int) >= 1915).all()


def test_the_people_are_the_share_of_the_city(hundredth):
    assert hundredth.people.beneficiaries == CITY_PEOPLE // 100


def test_there_are_nine_hr_programs_and_twenty_two_others():
    programs = read_programs()
    assert sum(program.hr for program in programs) == 9
    assert len({program.code for program in programs}) == 31


def test_amounts_add_up_to_what_the_city_pays(hundredth):
    hr = {program.code for program in read_programs() if program.hr}
    paid = {code: int(amounts.sum()) for code, amounts in hundredth.amounts.items()}
    assert sum(paid.values()) == MONTHLY_FEN // 100
    assert sum(fen for code, fen in paid.items() if code in hr) == HR_MONTHLY_FEN // 100
    assert min(int(amounts.min()) for amounts in hundredth.amounts.values()) > 0


def test_everybody_has_a_benefit_and_some_have_three_and_more(hundredth):
    held = np.zeros(hundredth.people.beneficiaries, dtype=int)
    for members in hundredth.held.values():
        held[members] += 1
    assert held.min() == 1
    assert (held >= 2).mean() > 0.2
    assert (held >= 3).mean() > 0.02


def test_residents_pension_is_by_far_the_largest(hundredth):
    sizes = sorted((len(members), code) for code, members in hundredth.held.items())
    assert sizes[-1][1] == "resident_pension"
    assert sizes[-1][0] > 5 * sizes[-2][0]


@pytest.mark.parametrize(
    "program", [program for program in read_programs() if program.also], ids=lambda each: each.code
)
def test_members_are_of_the_age_of_their_program(hundredth, program):
    ages = hundredth.people.age[hundredth.held[program.code]]
    low, high = min(program.also_ages[0], program.ages[0]), max(program.also_ages[1], program.ages[1])
    assert ages.min() >= low
    assert ages.max() <= high


def test_a_household_program_pays_a_household_once(hundredth):
    for program in read_programs():
        if program.household:
            homes = hundredth.people.household[hundredth.held[program.code]]
            assert len(np.unique(homes)) == len(homes)


def test_couples_live_together_and_children_are_not_alone(hundredth):
    people = hundredth.people
    sizes = np.bincount(people.household)
    assert (sizes == 2).sum() > 0.2 * len(sizes)
    assert sizes.max() < 12
    children = people.age[: people.beneficiaries] < 18
    assert (sizes[people.household[children]] > 1).mean() > 0.5


def test_grids_have_about_ten_people_and_villages_are_real(hundredth):
    places = hundredth.places
    assert len(places.village) == 1357
    assert len(hundredth.people.household) / len(places.village) == pytest.approx(10, abs=0.1)
    codes = {row["village_code"] for row in read_villages()}
    assert set(places.villages["village_code"]) <= codes
    assert places.villages["county_code"].n_unique() == 4


def test_the_whole_city_has_all_villages_and_grids():
    places = make_places(1.0, 1)
    assert len(places.villages) == 1360
    assert len(places.village) == 135_711


def test_mortality_rises_with_age_and_is_higher_for_men():
    rates = death_rates()
    assert np.all(np.diff(rates[:, 30:100], axis=1) > 0)
    assert np.all(rates[1, 30:] > rates[0, 30:])


def test_deaths_follow_the_life_table(hundredth):
    people, count = hundredth.people, hundredth.people.beneficiaries
    expected = death_rates()[people.male[:count].astype(int), people.age[:count]].sum()
    dead = (hundredth.lives.state[:count] == State.DEAD).sum()
    assert dead == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("state", list(State))
def test_every_kind_of_life_is_lived(hundredth, state):
    assert (hundredth.lives.state[: hundredth.people.beneficiaries] == state).any()


@pytest.mark.parametrize("quirk", list(Quirk))
def test_every_story_is_told(hundredth, quirk):
    assert (hundredth.lives.quirks & quirk).any()


def test_the_bedridden_leave_no_trace(hundredth):
    lives, count = hundredth.lives, hundredth.people.beneficiaries
    bedridden = lives.state[:count] == State.BEDRIDDEN
    assert (lives.trace[:count][bedridden] == Trace.NONE).all()
    assert (lives.weak[:count][bedridden] == 0).all()


def test_nobody_is_seen_after_his_death(hundredth):
    lives = hundredth.lives
    assert (lives.seen_to <= np.maximum(lives.died, 0)).all()
