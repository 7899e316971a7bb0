"""Arithmetic of months: certificates run to the end of a month, stops begin with the first of one."""

from datetime import date, timedelta


def month_number(day: date) -> int:
    """Months since year 0, so that months can be added and compared."""
    return day.year * 12 + day.month - 1


def month_start(number: int) -> date:
    """First day of the month with this number."""
    return date(number // 12, number % 12 + 1, 1)


def first_of_month(day: date) -> date:
    """First day of the month of `day`."""
    return day.replace(day=1)


def end_of_month(day: date) -> date:
    """Last day of the month of `day`."""
    return month_start(month_number(day) + 1) - timedelta(days=1)


def next_month(day: date) -> date:
    """First day of the month after that of `day`."""
    return month_start(month_number(day) + 1)


def whole_month(day: date) -> date:
    """First day of the first month that has not begun before `day`: money leaves by the month, one begun is paid."""
    return day if day.day == 1 else next_month(day)


def months_between(first: date, last: date) -> int:
    """Whole months from the month of `first` to the month of `last`, both counted; never below zero."""
    return max(0, month_number(last) - month_number(first) + 1)


def valid_until(as_of: date, cycle_months: int, cap_months: int | None = None) -> date:
    """Last day on which evidence of `as_of` certifies.

    The end of the month (as_of + cycle), or sooner where a rule set caps what weak evidence gives. It depends on the
    day of the event alone: a certificate made late is not longer (Guangdong's counting: passed in July, due next July).
    """
    months = cycle_months if cap_months is None else min(cycle_months, cap_months)
    return month_start(month_number(as_of) + months + 1) - timedelta(days=1)
