"""Figures of a source, and when its silence is an alarm."""

from datetime import date

import pytest

from services.ingest.domain.quality import allowed_silence, quality_of
from services.ingest.sources import load_sources

TODAY = date(2023, 11, 1)


def test_shares_are_of_what_they_say():
    counts = {"accepted": 60, "duplicate": 10, "not_a_beneficiary": 20, "name_mismatch": 5, "bad_check_digit": 5}
    found = quality_of(counts, 120, date(2023, 10, 31), allowed_days=3, today=TODAY)
    assert (found.rows, found.accepted_share, found.match_rate, found.latency_days) == (100, 0.6, 75 / 95, 2.0)


def test_without_rows_there_are_no_shares():
    found = quality_of({}, 0, None, allowed_days=3, today=TODAY)
    assert (found.accepted_share, found.match_rate, found.latency_days, found.state) == (None, None, None, "never")


@pytest.mark.parametrize(("last", "state"), [(date(2023, 10, 29), "delivering"), (date(2023, 10, 28), "silent")])
def test_silence_beyond_what_is_allowed_is_an_alarm(last, state):
    assert quality_of({}, 0, last, allowed_days=allowed_silence("daily", 1), today=TODAY).state == state


@pytest.mark.parametrize("source", load_sources().values(), ids=lambda source: source.code)
def test_every_source_may_be_silent_for_at_least_its_own_period(source):
    assert allowed_silence(source.frequency, source.latency_days) >= 2
