"""Stops, lifts, payments and refunds of one benefit in any order: each month is paid once, claimed once, or neither."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.recognition.domain.claims import Lines, Paid, Period, Stop, part_of
from services.recognition.domain.dues import Span
from services.recognition.domain.months import month_start
from services.recognition.domain.overpayments import Balance, RecoveryKind, book, cut, still_due

FEN, COUNT = 100, 7
MONTHS = [month_start(2023 * 12 + at) for at in range(COUNT + 1)]
BEGAN = datetime(2023, 1, 1, tzinfo=UTC)


@dataclass
class Row:
    stop: UUID
    owed: Span
    settled: tuple[Span, ...]
    fen: int = 0
    withheld: int = 0


@dataclass
class Benefit:
    """What a service keeps of one benefit that is paid by the month, and does with it."""

    hours: int = 0
    paid: dict[date, Paid] = field(default_factory=dict)
    stops: list[Stop] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    claims: dict[UUID, tuple[Balance, Lines]] = field(default_factory=dict)
    came: int = 0
    found: date | None = None

    @property
    def now(self) -> datetime:
        self.hours += 1
        return BEGAN + timedelta(hours=self.hours)

    @property
    def stopped(self) -> Stop | None:
        return next((each for each in self.stops if each.until is None), None)

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

    def stop(self, first: date) -> None:
        self.stops.append(Stop(decision_id=UUID(int=len(self.stops) + 1), stops_from=first))

    def settle(self, lifted: UUID, held: tuple[Span, ...]) -> tuple[int, int, int]:
        refund = waits = eased = 0
        waiting = [replace(each, held=held) if each.decision_id == lifted else each for each in self.stops]
        for stop in sorted(self.claims, key=lambda each: each != lifted):
            now, most = (
                {line: fen for period in self.periods(stop)
                 for line, fen in period.let_go(stops, stop, lifted=stop == lifted).items()}
                for stops in (waiting, self.stops)
            )  # fmt: skip
            before, lines = self.claims[stop]
            due = still_due(before, sum(now.values()), sum(most.values()))
            after, gone = cut(before, due), part_of(now, most, before.due - due)
            assert after.left <= before.left
            assert after.written_off == min(before.written_off, due)  # what was given up never comes back
            left = {line: fen - gone.get(line, 0) for line, fen in lines.items()}
            assert sum(left.values()) == due
            self.claims[stop] = (after, left)
            refund += before.recovered - after.recovered
            waits += min(after.recovered, after.asked - cut(before, before.due - sum(most.values())).asked)
            eased += min(after.recovered, before.left - after.left)
        return refund, waits, eased

    def worth(self, row: Row, forbidden: tuple[Span, ...]) -> int:
        owed = replace(row.owed, gaps=(*row.settled, *forbidden))
        own = next(each for each in self.stops if each.decision_id == row.stop)
        stopped = [
            Span(first=each.stops_from, end=each.until, gaps=() if each.until else (owed,))
            for each in self.stops if each is not own
        ]  # fmt: skip
        stopped.append(Span(first=own.stops_from, end=owed.first))
        periods = [each.until(self.lifted_at(row)) for each in self.periods(row.stop)]
        return FEN * len(owed.months_of(MONTHS[0], COUNT)) - sum(each.set_off(owed, stopped) for each in periods)

    def lift(self, owed_from: date, until: date, found: date | None) -> None:
        at = next(at for at, each in enumerate(self.stops) if each.until is None)
        self.stops[at] = stop = replace(self.stops[at], until=until, owed_from=owed_from, lifted_at=self.now)
        settled = tuple(Span(first=self.first(each), end=each.owed.end) for each in self.rows)
        row = Row(stop=stop.decision_id, owed=Span(first=owed_from, end=until), settled=settled)
        self.rows.append(row)
        self.found, gaps = found, (Span(first=found),) if found else ()
        refund, held, _ = self.settle(row.stop, gaps)
        row.fen = max(0, self.worth(row, gaps) + refund)
        row.withheld = max(0, self.worth(row, ()) + refund + held) - row.fen

    def decide(self, begins: date | None) -> None:
        """Officers give up what was found, or carry it out."""
        row, self.found = self.rows[-1], None
        gaps = (Span(first=begins),) if begins else ()
        if begins:
            self.stop(begins)
            self.gather()
        refund, held, eased = self.settle(row.stop, gaps)
        of_months = max(0, row.withheld - refund - held - eased)
        left = min(of_months, max(0, self.worth(row, ()) - self.worth(row, gaps)))
        row.fen, row.withheld = row.fen + of_months - left + refund, 0
        if begins:
            assert row.owed.end
            end = max(self.first(row), min(row.owed.end, begins))
            row.owed = replace(row.owed, first=min(row.owed.first, end), end=end)
            self.stops = [replace(each, until=end) if each.decision_id == row.stop else each for each in self.stops]

    def first(self, row: Row) -> date:
        return next(each.stops_from for each in self.stops if each.decision_id == row.stop)

    def come(self, kind: RecoveryKind, fen: int) -> None:
        for stop, (balance, lines) in self.claims.items():
            if part := min(fen, balance.left):
                self.claims[stop] = (book(balance, kind, part), lines)
                self.came += part if kind is RecoveryKind.PAID else 0
                return

    def rightful(self, month: date) -> int:
        """What a month is worth to the person in the end: what was paid for it an officer may still find not due."""
        row = next((each for each in self.rows if Span(first=self.first(each), end=each.owed.end).has(month)), None)
        paid = self.paid.get(month)
        taken = paid is not None and any(
            each.claimed(paid.recorded_at).has(month) for each in self.stops if not row or each.decision_id != row.stop
        )
        if row is None:
            return 0 if taken or paid is None else FEN
        early = paid is not None and paid.recorded_at <= self.lifted_at(row)
        return FEN if row.owed.has(month) and not (early and taken) else 0

    def lifted_at(self, row: Row) -> datetime:
        at = next(each.lifted_at for each in self.stops if each.decision_id == row.stop)
        assert at is not None
        return at


def step(data: st.DataObject, benefit: Benefit) -> None:
    """Something that may happen next."""
    month = st.sampled_from(MONTHS[:COUNT])
    may = {"come", "decide"} if benefit.found else {"come", "pay", "lift" if benefit.stopped else "stop"}
    match data.draw(st.sampled_from(sorted(may))):
        case "pay" if (paid := data.draw(month)) not in benefit.paid:
            benefit.paid[paid] = Paid(
                payrun_id=UUID(int=benefit.hours), amount_fen=FEN, paid_on=paid, recorded_at=benefit.now
            )
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
            owed_from, until = sorted(
                data.draw(st.lists(st.sampled_from([m for m in MONTHS if m >= first]), min_size=2, max_size=2))
            )
            benefit.lift(owed_from, until, data.draw(st.none() | month))
        case "decide":
            assert benefit.found
            later = [each for each in MONTHS[:COUNT] if each >= benefit.found]
            benefit.decide(data.draw(st.none() | st.sampled_from(later)))
    benefit.gather()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_month_is_paid_out_twice_or_claimed_and_owed_at_once(data):
    benefit = Benefit()
    for _ in range(data.draw(st.integers(3, 14))):
        step(data, benefit)
    if benefit.found:
        benefit.decide(None)
        benefit.gather()
    balances = [balance for balance, _ in benefit.claims.values()]
    received = FEN * len(benefit.paid) + sum(row.fen for row in benefit.rows) - benefit.came
    given_up = sum(each.written_off for each in balances)
    owing = sum(each.left for each in balances)
    assert received - owing == sum(map(benefit.rightful, MONTHS[:COUNT])) + given_up
