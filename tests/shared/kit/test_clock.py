"""Business time can be moved for every process at once; days are days in Asia/Shanghai."""

from datetime import UTC, date, datetime, timedelta

from shared.kit.clock import FixedClock, MovableClock, clock_from, set_clock


def test_the_day_is_the_day_in_shanghai():
    assert FixedClock(datetime(2023, 10, 31, 16, 0, tzinfo=UTC)).today() == date(2023, 11, 1)
    assert FixedClock(datetime(2023, 10, 31, 15, 59, tzinfo=UTC)).today() == date(2023, 10, 31)


def test_a_moved_clock_goes_on_from_where_it_was_put(tmp_path):
    path = tmp_path / "clock"
    clock = clock_from(path)
    assert isinstance(clock, MovableClock)
    real = clock.now()
    at = datetime(2023, 11, 1, 1, 0, tzinfo=UTC)
    set_clock(path, at)
    assert timedelta() <= clock.now() - at < timedelta(seconds=10)
    assert abs(real - clock.now()) > timedelta(days=365)
    set_clock(path, at + timedelta(days=30))
    assert clock.today() == date(2023, 12, 1)
