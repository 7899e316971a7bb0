"""Stops, lifts, payments and refunds of one benefit in any order: each month is paid once, claimed once, or neither."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.recognition.domain.arrears import BackPay, Found
from services.recognition.domain.claims import Lines, Paid, Period, Stop, as_owed, part_of
from services.recognition.domain.dues import Span
from services.recognition.domain.months import month_start
from services.recognition.domain.overpayments import Balance, RecoveryKind, book, cut, still_due

FEN, COUNT = 100, 4
MONTHS = [month_start(2023 * 12 + at) for at in range(COUNT + 1)]
BEGAN = datetime(2023, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(BackPay):
    stop: UUID


@dataclass
class Benefit:
    """What a service keeps of one benefit that is paid by the month, and does with it.

    Attributes:
        said: whether a month of a lifted stop was due, by what people said alone; None while it waits.
    """

    hours: int = 0
    paid: dict[date, Paid] = field(default_factory=dict)
    stops: list[Stop] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    claims: dict[UUID, tuple[Balance, Lines]] = field(default_factory=dict)
    came: int = 0
    found: list[date] = field(default_factory=list)
    over: list[Span] = field(default_factory=list)
    said: dict[tuple[UUID, date], bool | None] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        self.hours += 1
        return BEGAN + timedelta(hours=self.hours)

    @property
    def stopped(self) -> Stop | None:
        return next((each for each in self.stops if each.until is None), None)

    @property
    def may(self) -> set[str]:
        """What may happen next, and makes a difference."""
        may = {"lift" if self.stopped else "stop"}
        may |= {"pay"} if len(self.paid) < COUNT else set()
        may |= {"come"} if any(balance.left for balance, _ in self.claims.values()) else set()
        return may | ({"decide"} if self.found else set()) | ({"find"} if len(self.found) < 2 else set())

    def periods(self, stop: UUID) -> list[Period]:
        found = []
        for month, paid in self.paid.items():
            held = {each: lines.get((month, paid.payrun_id), 0) for each, (_, lines) in self.claims.items()}
            one = replace(paid, claimed_fen=sum(held.values()), own_fen=held.get(stop, 0))
            found.append(Period(month=month, months=1, monthly_fen=FEN, paid=(one,)))
        return found

    def gather(self) -> None:
        for stop in self.stops:
            for period in self.periods(stop.decision_id):
                for paid, fen in period.unclaimed(self.stops, stop.decision_id):
                    balance, lines = self.claims.get(stop.decision_id, (Balance(due=0), {}))
                    line = period.month, paid.payrun_id
                    more = {**lines, line: lines.get(line, 0) + fen}
                    self.claims[stop.decision_id] = (replace(balance, due=balance.due + fen), more)

    def pay(self, months: set[date]) -> None:
        for month in sorted(months - set(self.paid)):
            run = UUID(int=self.hours)
            self.paid[month] = Paid(payrun_id=run, amount_fen=FEN, paid_on=month, recorded_at=self.now)

    def stop(self, first: date) -> None:
        self.stops.append(Stop(decision_id=UUID(int=len(self.stops) + 1), stops_from=first))
        for row in self.rows:
            self.say(row.stop)
        self.pay_back()

    def settle(self, lifted: UUID) -> tuple[int, int]:
        refund = waits = 0
        waits_of = {each.stop: each.waits_from for each in self.rows}
        stops = [replace(each, waits_from=waits_of.get(each.decision_id)) for each in self.stops]
        ways = stops, as_owed(stops, lifted), as_owed(stops)
        for stop in sorted(self.claims, key=lambda each: each != lifted):
            now, own_most, most = (
                {line: fen for period in self.periods(stop) for line, fen in period.let_go(stops, stop).items()}
                for stops in ways
            )
            before, lines = self.claims[stop]
            due = still_due(before, sum(now.values()), sum(most.values()))
            after, gone = cut(before, due), part_of(now, most, before.due - due)
            assert after.left <= before.left
            assert after.written_off == min(before.written_off, due)  # what was given up never comes back
            left = {line: fen - gone.get(line, 0) for line, fen in lines.items()}
            assert sum(left.values()) == due
            self.claims[stop] = (after, left)
            refund += before.recovered - after.recovered
            waits += max(0, min(after.recovered, after.asked - cut(before, before.due - sum(own_most.values())).asked))
        return refund, waits

    def worth(self, row: Row, owed: Span) -> int:
        before = [
            Span(first=each.suspended_from, end=each.paid_again_from) for each in self.rows[: self.rows.index(row)]
        ]
        owed = replace(owed, gaps=(*owed.gaps, *before))
        stopped = [Span(first=each.stops_from, end=each.until, gaps=(owed,)) for each in self.stops]
        periods = [each.until(self.lifted_at(row.stop)) for each in self.periods(row.stop)]
        return FEN * len(owed.months_of(MONTHS[0], COUNT)) - sum(each.set_off(owed, stopped) for each in periods)

    def lift(self, owed_from: date, until: date) -> None:
        at = next(at for at, each in enumerate(self.stops) if each.until is None)
        self.stops[at] = stop = replace(self.stops[at], until=until, owed_from=owed_from, lifted_at=self.now)
        self.rows.append(Row(stop=stop.decision_id, suspended_from=stop.stops_from, owed_from=owed_from,
                             paid_again_from=until, waits_from=owed_from))  # fmt: skip
        for month in MONTHS[:COUNT]:
            if stop.stops_from <= month < until:
                self.said[stop.decision_id, month] = None if owed_from <= month else False
        self.look(len(self.rows) - 1)

    def say(self, stop: UUID) -> None:
        """Say of each month of a stop what people's words tell by now, and nothing else of it ever after."""
        for (of, month), due in [*self.said.items()]:
            if of != stop or due is not None:
                continue
            if self.covered(month):
                del self.said[of, month]
            elif not any(first <= month for first in self.found):
                self.said[of, month] = not any(span.has(month) for span in self.over)

    def look(self, at: int) -> None:
        kept = self.rows[at]
        self.say(kept.stop)
        in_effect = tuple(each.stops_from for each in self.stops if each.until is None)
        self.rows[at] = row = kept.by(Found(undecided=(*self.found,), in_effect=in_effect, over=(*self.over,)))
        self.stops = [
            replace(each, until=row.paid_again_from, not_due=row.not_due) if each.decision_id == row.stop else each
            for each in self.stops
        ]
        refund, held = self.settle(row.stop)
        self.rows[at] = row.paying(self.worth(row, row.due()), self.worth(row, row.free()), refund, held)

    def pay_back(self) -> None:
        for at, kept in enumerate(self.rows):
            if kept.waits_from:
                self.look(at)
        self.gather()

    def come(self, kind: RecoveryKind, fen: int) -> None:
        for stop, (balance, lines) in self.claims.items():
            if part := min(fen, balance.left):
                self.claims[stop] = (book(balance, kind, part), lines)
                self.came += part if kind is RecoveryKind.PAID else 0
                return

    def covered(self, month: date) -> bool:
        return self.stopped is not None and self.stopped.stops_from <= month

    def words(self, month: date) -> list[tuple[UUID, bool | None]]:
        """What the lifts of a month's stops made of it, in their order: the first decides on what is paid back."""
        return [(row.stop, self.said[row.stop, month]) for row in self.rows if (row.stop, month) in self.said]

    def rightful(self, month: date) -> int:
        """What a month is worth to the person in the end: what was paid for it an officer may still find not due."""
        words, paid = self.words(month), self.paid.get(month)
        if not words:
            return FEN if paid and not self.covered(month) else 0
        (first, due), *others = words
        taken = self.covered(month) or not all(each for _, each in others)
        early = paid is not None and paid.recorded_at <= self.lifted_at(first)
        return FEN if due and not (early and taken) else 0

    def lifted_at(self, stop: UUID) -> datetime:
        at = next(each.lifted_at for each in self.stops if each.decision_id == stop)
        assert at is not None
        return at


def decide(data: st.DataObject, benefit: Benefit) -> None:
    """Officers give up what was found, since it was never so or is over; or they carry it out."""
    first = benefit.found.pop(data.draw(st.integers(0, len(benefit.found) - 1)))
    later = data.draw(st.sampled_from([each for each in MONTHS if each >= first]))
    said = data.draw(st.sampled_from(["never", "over"] if benefit.stopped else ["never", "over", "so"]))
    if said == "over":
        benefit.over.append(Span(first=first, end=later))
    elif said == "so":
        benefit.stop(later)


def find(data: st.DataObject, benefit: Benefit, first: date) -> None:
    """Officers are to decide on something; or only another program's were asked about a term, which is over."""
    if data.draw(st.booleans()):
        benefit.found.append(first)
    else:
        end = data.draw(st.sampled_from([each for each in MONTHS if each > first]))
        benefit.over.append(Span(first=first, end=end))


def step(data: st.DataObject, benefit: Benefit) -> None:
    """Something that may happen next."""
    month = st.sampled_from(MONTHS[:COUNT])
    match data.draw(st.sampled_from(sorted(benefit.may))):
        case "pay":
            benefit.pay(data.draw(st.sets(month, min_size=1)))
        case "come":
            benefit.come(
                data.draw(st.sampled_from([RecoveryKind.PAID, RecoveryKind.WRITTEN_OFF])),
                data.draw(st.integers(1, 250)),
            )
        case "stop":
            benefit.stop(data.draw(month))
        case "lift":
            assert benefit.stopped
            first = benefit.stopped.stops_from
            until = data.draw(st.sampled_from([MONTHS[-1], *(each for each in MONTHS if each >= first)]))
            owed_from = data.draw(st.sampled_from([first, *(each for each in MONTHS if first <= each <= until)]))
            benefit.lift(owed_from, until)
        case "find":
            find(data, benefit, data.draw(month))
        case "decide":
            decide(data, benefit)
    if data.draw(st.booleans()):
        benefit.pay_back()


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_no_month_is_paid_out_twice_or_claimed_and_owed_at_once(data):
    benefit = Benefit()
    for _ in range(data.draw(st.integers(4, 14))):
        step(data, benefit)
    benefit.found = []
    for _ in range(2):
        benefit.pay_back()
    balances = [balance for balance, _ in benefit.claims.values()]
    received = FEN * len(benefit.paid) + sum(row.arrears_fen for row in benefit.rows) - benefit.came
    given_up = sum(each.written_off for each in balances)
    owing = sum(each.left for each in balances)
    assert received - owing == sum(map(benefit.rightful, MONTHS[:COUNT])) + given_up
