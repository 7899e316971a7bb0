"""Weak evidence weighed by example: caps, decay, months, and what is missing."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from services.scoring.domain.rules import window_start
from services.scoring.domain.signals import Kind
from tests.services.scoring.people import RULES, TODAY, Saw, in_words, opinions_of


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def bus(*days: int) -> list[Saw]:
    return [Saw(source="transport_bus_card", on=ago(day)) for day in days]


@pytest.mark.parametrize(
    ("saws", "points"),
    [
        (bus(0), 10),
        (bus(0, 1, 2), 29),  # the older ones are worth a little less
        (bus(0, 1, 2, 3, 4, 5, 6, 7), 30),  # the cap of the source
        (bus(364), 5),  # half at the end of the window
        (bus(365), 0),  # the same day last year is too old
        ([Saw(source="telecom_activity", on=ago(day)) for day in (1, 2, 3)], 4),  # once a month, the newest
        ([Saw(source="medins_outpatient", on=TODAY), *bus(0)], 30),
        ([Saw(source="transport_bus_card", on=TODAY + timedelta(days=3))], 0),  # not yet known
        ([Saw(source="rail_trip", on=TODAY, full=False)], 30),  # strong without a name corroborates
    ],
)
def test_points_of_weak_evidence(saws: list[Saw], points: int) -> None:
    assert in_words(opinions_of(saws))["points"] == points


def test_what_is_missing_is_said_as_data() -> None:
    said = in_words(opinions_of(bus(1, 2)))
    assert said["reasons"] == ["missing:points:81", "missing:sources:2", "missing:departments:2", "missing:days:3"]


def test_stale_evidence_lacks_a_recent_record() -> None:
    others = {
        "medins_outpatient": (101, 111, 121),
        "bank_self_service": (102, 112, 122),
        "hrss_card_consume": (103, 113, 123, 133, 143),
    }
    saws = [Saw(source=source, on=ago(day)) for source, days in others.items() for day in days]
    saws += bus(100, 110, 120, 130)
    assert in_words(opinions_of(saws))["reasons"] == ["missing:recent:10"]


def test_many_records_of_one_day_are_one_day() -> None:
    sources = ("transport_bus_card", "medins_pharmacy", "medins_outpatient", "bank_self_service", "hrss_card_consume")
    said = in_words(opinions_of([Saw(source=source, on=TODAY) for source in sources]))
    assert said["reasons"] == ["missing:points:45", "missing:days:4"]


def test_evidence_that_gave_points_is_listed_and_no_other() -> None:
    others = {"medins_outpatient": (8, 9), "bank_self_service": (10, 11), "medins_pharmacy": (12, 13)}
    saws = [*bus(1, 2, 3, 4, 5, 6, 7)]
    saws += [Saw(source=source, on=ago(day)) for source, days in others.items() for day in days]
    said = in_words(opinions_of(saws))
    assert said["decision"] == "certifiable"
    # Four bus rides fill the cap: three fresh ones come a little short of it.
    assert said["evidence"] == [4, 3, 2, 1, 13, 12, 9, 8, 11, 10]


def test_the_newest_strong_act_decides_and_nothing_else_is_listed() -> None:
    saws = [*bus(1, 2), Saw(source="rail_trip", on=ago(200)), Saw(source="police_hotel", on=ago(20))]
    said = in_words(opinions_of(saws))
    assert (said["as_of"], said["evidence"], said["valid_months"]) == (ago(20), [4], None)


@pytest.mark.parametrize("ids", [(1, 2), (2, 1)])
def test_of_two_strong_acts_on_one_day_the_source_decides_and_not_which_file_came_first(ids: tuple[int, int]) -> None:
    hotel, rail = ids
    saws = [
        Saw(source="rail_trip", on=ago(20), evidence=rail),
        Saw(source="police_hotel", on=ago(20), evidence=hotel),
    ]
    said = in_words(opinions_of(saws))
    assert (said["as_of"], said["evidence"]) == (ago(20), [hotel])


def test_a_signal_of_the_future_is_unknown_to_the_day_it_is_assessed_for() -> None:
    saws = [
        Saw(source="rail_trip", on=date(2023, 3, 1)),
        Saw(source="police_hukou_cancel", on=date(2023, 9, 1), kind=Kind.DIED),
    ]
    assert in_words(opinions_of(saws, today=date(2023, 8, 1)))["decision"] == "certifiable"
    assert in_words(opinions_of(saws))["decision"] == "suspected"


def test_a_weak_source_the_rules_do_not_name_counts_a_little() -> None:
    rules = replace(RULES, weak={})
    assert in_words(opinions_of(bus(0, 1, 2, 3), rules=rules))["points"] == 10


@pytest.mark.parametrize(
    ("today", "start"),
    [
        (date(2023, 11, 1), date(2022, 11, 1)),
        (date(2024, 2, 29), date(2023, 2, 28)),
        (date(2024, 12, 31), date(2023, 12, 31)),
        (date(2024, 1, 15), date(2023, 1, 15)),
    ],
)
def test_the_window_begins_after_the_same_day_last_year(today: date, start: date) -> None:
    assert window_start(today, 12) == start


def test_six_months_before_the_end_of_august_is_the_end_of_february() -> None:
    assert window_start(date(2023, 8, 31), 6) == date(2023, 2, 28)
