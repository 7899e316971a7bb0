"""Claims: several stops of one benefit claim together what was not due, whatever came first, once and to the fen."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.recognition.domain.claims import Paid, Period, Stop, beside
from services.recognition.domain.dues import Span, not_due
from services.recognition.domain.months import month_start

MONTHS = st.sampled_from([1, 3, 6, 12])
FEN = st.integers(1, 10**7)
FIRST, NOW = 2023 * 12, datetime(2023, 9, 1, tzinfo=UTC)


class Benefit:
    """What is known by now of a period, its stops and their claims."""

    def __init__(self, months: int, monthly: int) -> None:
        self.period = Period(month=month_start(FIRST), months=months, monthly_fen=monthly, paid=())
        self.stops: list[Stop] = []
        self.claims: dict[UUID, dict[UUID, int]] = {}

    def pay(self, fen: int) -> None:
        paid = Paid(payrun_id=UUID(int=len(self.period.paid)), amount_fen=fen, paid_on=NOW.date(), recorded_at=NOW)
        self.period = replace(self.period, paid=(*self.period.paid, paid))
        self.claims[paid.payrun_id] = {}

    def gather(self, stop: Stop) -> None:
        held = [self.claims[each.payrun_id] for each in self.period.paid]
        paid = [replace(each, claimed_fen=sum(of.values()), own_fen=of.get(stop.decision_id, 0))
                for each, of in zip(self.period.paid, held, strict=True)]  # fmt: skip
        for line, fen in replace(self.period, paid=tuple(paid)).unclaimed(self.stops, stop.decision_id):
            of = self.claims[line.payrun_id]
            of[stop.decision_id] = of.get(stop.decision_id, 0) + fen
            assert sum(of.values()) <= line.amount_fen

    @property
    def claimed(self) -> int:
        return sum(sum(of.values()) for of in self.claims.values())

    @property
    def wrongly_paid(self) -> int:
        spans = [each.claimed(NOW) for each in self.stops]
        stopped = {month for each in spans for month in each.months_of(self.period.month, self.period.months)}
        paid = [each.amount_fen for each in self.period.paid]
        return sum(not_due(paid, self.period.monthly_fen, self.period.months, len(stopped)))


@st.composite
def stops(draw, months):
    first = draw(st.integers(-1, months))
    return month_start(FIRST + first), draw(
        st.none() | st.integers(first, months).map(lambda at: month_start(FIRST + at))
    )


@settings(max_examples=80)
@given(st.data(), MONTHS, FEN, st.lists(FEN, min_size=1, max_size=3))
def test_stops_claim_together_what_was_wrongly_paid_whatever_comes_first_and_nothing_twice(data, months, monthly, paid):
    spans = data.draw(st.lists(stops(months), min_size=1, max_size=3))
    found = [Stop(decision_id=UUID(int=at), stops_from=first, until=end) for at, (first, end) in enumerate(spans)]
    benefit = Benefit(months, monthly)
    benefit.pay(monthly * months)
    for event in data.draw(st.permutations([*paid, *found])):
        if isinstance(event, int):
            benefit.pay(event)
        else:
            benefit.stops = sorted([*benefit.stops, event], key=lambda each: each.decision_id)
        for stop in benefit.stops if data.draw(st.booleans()) else ():
            benefit.gather(stop)
        assert benefit.claimed <= benefit.wrongly_paid
    for stop in [*data.draw(st.permutations(found)), *found]:
        benefit.gather(stop)
    assert benefit.claimed == benefit.wrongly_paid


@settings(max_examples=50)
@given(st.data(), MONTHS, FEN)
def test_what_is_paid_and_paid_back_less_what_is_claimed_makes_the_months_that_were_due(data, months, monthly):
    stopped = data.draw(st.integers(0, months))
    lifted = data.draw(st.integers(0, stopped))
    benefit = Benefit(months, monthly)
    due, whole = monthly * (months - stopped), monthly * months
    benefit.pay(data.draw(st.integers(max(1, due), whole)))
    rightly = month_start(FIRST + lifted)
    owed = Span(first=month_start(FIRST), end=rightly)
    benefit.stops = [Stop(decision_id=UUID(int=1), stops_from=rightly, until=month_start(FIRST + stopped))]
    set_off = benefit.period.set_off(owed, [each.claimed(NOW) for each in benefit.stops])
    benefit.gather(benefit.stops[0])
    received = sum(each.amount_fen for each in benefit.period.paid) + lifted * monthly - set_off - benefit.claimed
    assert received == due + lifted * monthly


def test_what_was_paid_for_a_quarter_is_set_off_once_by_two_stops_lifted_together():
    benefit, days = Benefit(3, 100), [month_start(FIRST + at) for at in range(4)]
    benefit.pay(150)
    benefit.stops = [
        Stop(decision_id=UUID(int=at), stops_from=first, until=end, owed_from=first, lifted_at=NOW)
        for at, (first, end) in enumerate([(days[0], days[2]), (days[2], days[3])])
    ]
    parts = {each.decision_id: Span(first=each.stops_from, end=each.until) for each in benefit.stops}
    assert sum(benefit.period.set_off(owed, beside(benefit.stops, at, owed)) for at, owed in parts.items()) == 150
