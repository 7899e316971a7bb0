"""Views, priority, lists of grids, reports and conclusions by example."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.grid.domain import holders, roll
from services.grid.domain.cases import (
    Basis,
    CaseAction,
    Finding,
    Step,
    bars,
    doubts,
    doubts_papers,
    is_second_look,
    shows,
    still_rests,
)
from services.grid.domain.priority import SUSPICION, visit_priority
from services.grid.domain.views import View, office_view
from services.grid.domain.visits import Form, Informant, Visit, closing_visit, shortcomings
from shared.contracts.vocabulary import CaseConclusion, SuspicionKind, VisitResult
from tests.services.grid.town import NEIGHBOUR, NOW, TODAY, VILLAGE


class TestView:
    @pytest.mark.parametrize(
        ("role", "divisions", "own", "other"),
        [
            ("village", [VILLAGE], True, False),
            ("village", [], False, False),
            ("officer", [], True, True),
            ("officer", ["341602001"], True, True),
            ("officer", ["341621"], False, False),
            ("partner", [], False, False),
        ],
    )
    def test_offices_see_their_divisions(self, role, divisions, own, other):
        view = office_view(role, divisions)
        assert view.sees(division=VILLAGE, grid_code=None, worker_id=None) is own
        assert view.sees(division=NEIGHBOUR, grid_code=None, worker_id=None) is other

    def test_people_of_unknown_address_are_the_citys(self):
        assert not office_view("officer", ["341602"]).sees(division=None, grid_code=None, worker_id=None)
        assert office_view("officer", []).sees(division=None, grid_code=None, worker_id=None)

    def test_a_member_sees_his_grids_and_what_is_in_his_hands(self):
        view = View(grids=(VILLAGE + "001",), worker_ids=("w1",))
        assert view.sees(division=VILLAGE, grid_code=VILLAGE + "001", worker_id="w2")
        assert view.sees(division=VILLAGE, grid_code=VILLAGE + "002", worker_id="w1")
        assert not view.sees(division=VILLAGE, grid_code=VILLAGE + "002", worker_id="w2")


def priority_of(born_on: date | None, due_on: date | None, programs: int = 1) -> Any:
    frame = pl.DataFrame(
        {"b": [born_on], "d": [due_on], "p": [programs]}, schema={"b": pl.Date, "d": pl.Date, "p": pl.Int16}
    )
    return frame.select(visit_priority(TODAY, born_on=pl.col("b"), due_on=pl.col("d"), programs=pl.col("p"))).item()


class TestPriority:
    def test_the_oldest_and_the_nearest_to_the_end_come_first(self):
        old, young = date(1925, 1, 1), date(1960, 1, 1)
        soon, late = date(2023, 11, 10), date(2024, 1, 30)
        assert priority_of(old, soon) > priority_of(old, late) > priority_of(young, late)
        assert priority_of(young, soon) > priority_of(young, late)

    def test_unknown_ages_and_days_are_not_an_error(self):
        assert 0 <= priority_of(None, None) < SUSPICION


def roll_frame(**changes: str) -> pl.DataFrame:
    row = {
        "grid_code": VILLAGE + "001",
        "division": VILLAGE,
        "county": "谯城区",
        "town": "街道",
        "village": "社区",
        "member_name": "甲",
        "member_phone": "13800000001",
        "leader_name": "乙",
        "leader_phone": "13900000001",
        "assistant_name": "",
        "assistant_phone": "",
        "lon": "115.7",
        "lat": "33.8",
    }
    return roll.shape(
        pl.DataFrame([{**row, **changes}], schema=dict.fromkeys((*roll.COLUMNS, *roll.OPTIONAL), pl.String))
    )


class TestRoll:
    def test_a_good_row_has_no_faults(self):
        assert roll.faults(roll_frame()) == []

    @pytest.mark.parametrize(
        ("changes", "column", "code"),
        [
            ({"division": "34160200100"}, "division", "not_twelve_digits"),
            ({"grid_code": VILLAGE + "000"}, "grid_code", "not_group_1_to_999"),
            ({"grid_code": VILLAGE + "x"}, "grid_code", "not_group_1_to_999"),
            ({"grid_code": NEIGHBOUR + "001"}, "grid_code", "not_division_and_group"),
            ({"member_name": " "}, "member_name", "missing"),
            ({"town": ""}, "town", "missing"),
            ({"member_phone": "请问村长"}, "member_phone", "not_a_phone"),
            ({"assistant_phone": "13700000000"}, "assistant_phone", "without_name"),
            ({"lon": "215.7"}, "lon", "out_of_range"),
            ({"ended_on": "2023-13-01"}, "ended_on", "not_a_day"),
            ({"successor": VILLAGE + "002"}, "successor", "without_end"),
        ],
    )
    def test_faults_name_the_place_and_never_the_value(self, changes, column, code):
        found = roll.faults(roll_frame(**changes))
        assert (column, code) in {(fault.column, fault.code) for fault in found}
        assert {fault.row for fault in found} == {1}

    def test_divisions_come_in_three_levels(self):
        found = {row[0]: row[1:] for row in roll.divisions_of(roll_frame()).iter_rows()}
        assert found == {
            "341602": ("county", "谯城区", None),
            "341602001": ("town", "街道", "341602"),
            VILLAGE: ("village", "社区", "341602001"),
        }


class TestHolders:
    def people(self, *rows: tuple[str, str, str, str]) -> pl.DataFrame:
        made = [
            {
                "grid_code": grid,
                "duty": duty,
                "name": name,
                "phone": phone,
                "name_key": name.encode(),
                "phone_key": phone.encode(),
                "made_id": f"new-{name}-{phone}",
            }
            for grid, duty, name, phone in rows
        ]
        return pl.DataFrame(made)

    def known(self, *rows: tuple[str, bytes, bytes]) -> pl.DataFrame:
        return pl.DataFrame(list(rows), schema=holders.WORKER_SCHEMA, orient="row")

    def grids(self, *rows: tuple[Any, ...]) -> pl.DataFrame:
        return pl.DataFrame(list(rows), schema=holders.GRID_SCHEMA, orient="row")

    def test_a_new_phone_of_the_same_holder_is_the_same_person(self):
        found = holders.identify(
            self.people(("g", "member", "甲", "2")),
            self.known(("w1", "甲".encode(), b"1")),
            self.grids(("g", "v", 1, "w1", None, None, None, None)),
        )
        assert found["worker_id"].to_list() == ["w1"]

    def test_another_name_in_the_same_grid_is_another_person(self):
        found = holders.identify(
            self.people(("g", "member", "乙", "1")),
            self.known(("w1", "甲".encode(), b"1")),
            self.grids(("g", "v", 1, "w1", None, None, None, None)),
        )
        assert found["worker_id"].to_list() == ["new-乙-1"]

    def test_one_person_may_hold_duties_in_many_grids(self):
        found = holders.identify(
            self.people(("g", "member", "甲", "1"), ("h", "leader", "甲", "1")), self.known(), self.grids()
        )
        assert found["worker_id"].unique().to_list() == ["new-甲-1"]


def a_visit(result: VisitResult = VisitResult.SEEN_ALIVE, **changes: Any) -> Visit:
    seen = result in {VisitResult.SEEN_ALIVE, VisitResult.SEEN_BY_VIDEO}
    made = Visit(
        visit_id=uuid4(),
        task_id=uuid4(),
        worker_id="w1",
        result=result,
        visited_at=NOW,
        form=Form(seen=seen, talked=seen, explained=seen, registered=True, problems=False),
        id_card_read=True,
    )
    return replace(made, **changes)


class TestReport:
    @pytest.mark.parametrize(
        ("visit", "reasons"),
        [
            (a_visit(), []),
            (
                a_visit(form=Form(seen=False, talked=True, explained=True, registered=True, problems=False)),
                ["sighting_without_seen"],
            ),
            (
                a_visit(
                    VisitResult.REFUSED,
                    form=Form(seen=True, talked=False, explained=False, registered=False, problems=False),
                ),
                ["seen_contradicts_result"],
            ),
            (a_visit(VisitResult.ABSENT_INFORMED_BY), ["informant_missing"]),
            (a_visit(VisitResult.ABSENT_INFORMED_BY, informant=Informant.RELATIVE), []),
            (a_visit(VisitResult.DEAD), ["event_on_missing"]),
            (a_visit(VisitResult.DEAD, event_on=TODAY + timedelta(1)), ["event_on_after_visit"]),
            (a_visit(VisitResult.DEAD, event_on=date(1023, 10, 5)), ["event_on_too_long_ago"]),
            (a_visit(VisitResult.REFUSED, event_on=TODAY), ["event_on_contradicts_result"]),
            (a_visit(visited_at=NOW + timedelta(hours=1)), ["visited_at_in_the_future"]),
            (a_visit(visited_at=NOW - timedelta(days=90)), ["visited_at_too_long_ago"]),
        ],
    )
    def test_what_cannot_be_taken_says_why(self, visit, reasons):
        assert shortcomings(visit, NOW, TODAY) == reasons

    @given(st.permutations(range(6)))
    def test_the_first_final_visit_closes_whatever_the_order(self, order):
        results = [
            VisitResult.ABSENT_INFORMED_BY,
            VisitResult.REFUSED,
            VisitResult.DEAD,
            VisitResult.SEEN_ALIVE,
            VisitResult.MOVED,
            VisitResult.REFUSED,
        ]
        visits = [
            a_visit(result, visit_id=UUID(int=place), visited_at=datetime(2023, 10, 1 + place, tzinfo=UTC))
            for place, result in enumerate(results)
        ]
        first = closing_visit([visits[place] for place in order])
        assert first is not None
        assert first.result is VisitResult.DEAD


class TestConclusion:
    @pytest.mark.parametrize(
        ("kind", "finding", "conclusion", "event_on", "doubt"),
        [
            (SuspicionKind.DEATH, Finding.DEAD, CaseConclusion.CONFIRMED, TODAY, None),
            (SuspicionKind.DEATH, Finding.DEAD, CaseConclusion.CONFIRMED, None, "event_on_missing"),
            (
                SuspicionKind.DEATH,
                Finding.DEAD,
                CaseConclusion.CONFIRMED,
                TODAY + timedelta(1),
                "event_on_in_the_future",
            ),
            (SuspicionKind.DEATH, Finding.ALIVE, CaseConclusion.CONFIRMED, TODAY, "finding_does_not_confirm"),
            (
                SuspicionKind.DEATH,
                Finding.UNCLEAR,
                CaseConclusion.CONFIRMED_NO_OVERPAYMENT,
                TODAY,
                "finding_does_not_confirm",
            ),
            (SuspicionKind.DEATH, Finding.ALIVE, CaseConclusion.FALSE_DEATH, None, None),
            (
                SuspicionKind.DEATH,
                Finding.ALIVE,
                CaseConclusion.FALSE_DEATH,
                TODAY + timedelta(1),
                "event_on_in_the_future",
            ),
            (SuspicionKind.CONFLICT, Finding.PRESENT, CaseConclusion.FALSE_DEATH, None, None),
            (SuspicionKind.DEATH, Finding.DEAD, CaseConclusion.FALSE_DEATH, None, "finding_does_not_clear"),
            (SuspicionKind.MISSING, Finding.DEAD, CaseConclusion.CONFIRMED, TODAY, "finding_does_not_confirm"),
            (SuspicionKind.INCARCERATION, Finding.PRESENT, CaseConclusion.FALSE_DEATH, None, "not_about_a_death"),
            (SuspicionKind.INCARCERATION, Finding.PRESENT, CaseConclusion.UNFOUNDED, None, None),
            (SuspicionKind.DUPLICATE_RECEIPT, Finding.ALIVE, CaseConclusion.UNFOUNDED, None, "finding_does_not_clear"),
            (SuspicionKind.DEATH, Finding.UNCLEAR, CaseConclusion.INCONCLUSIVE, None, None),
        ],
    )
    def test_a_conclusion_follows_from_the_finding(self, kind, finding, conclusion, event_on, doubt):
        assert doubts(kind, finding, conclusion, event_on, TODAY) == doubt

    @pytest.mark.parametrize(
        ("kind", "finding", "days", "doubt"),
        [
            (SuspicionKind.DEATH, Finding.ALIVE, [None], "seen_on_missing"),
            (SuspicionKind.DEATH, Finding.ALIVE, [-20], "seen_before_it_happened"),
            (SuspicionKind.DEATH, Finding.ALIVE, [1], "seen_on_in_the_future"),
            (SuspicionKind.MISSING, Finding.PRESENT, [-20, -10, None], None),
            (SuspicionKind.DEATH, Finding.DEAD, [None], None),
            (SuspicionKind.DUPLICATE_RECEIPT, Finding.NO_DUPLICATE, [None], None),
        ],
    )
    def test_papers_alone_clear_somebody_by_a_day_on_which_he_lived(self, kind, finding, days, doubt):
        papers = [Basis(kind="bill", reference="b", day=TODAY + timedelta(day) if day else None) for day in days]
        assert doubts_papers(kind, finding, papers, TODAY - timedelta(days=10), TODAY) == doubt

    @pytest.mark.parametrize(
        ("finding", "result", "hours", "carries"),
        [
            (Finding.ALIVE, VisitResult.SEEN_ALIVE, 10, True),  # at midnight
            (Finding.ALIVE, VisitResult.SEEN_ALIVE, 11, False),
            (Finding.DEAD, VisitResult.DEAD, 11, True),
        ],
    )
    def test_who_was_seen_before_the_day_in_doubt_is_not_cleared_by_it(self, finding, result, hours, carries):
        told: dict[str, Any] = {
            "happened_at": NOW - timedelta(hours=hours),
            "basis": (Basis(kind="visit", reference="v"),),
        }
        visit = replace(step(CaseAction.VISIT, "member"), outcome=result, **told)
        found = replace(step(CaseAction.FIND, "head"), outcome=finding, **told)
        assert shows(SuspicionKind.DEATH, finding, visit, TODAY) is carries
        assert still_rests(SuspicionKind.DEATH, found, [visit, found], TODAY, TODAY) is carries

    def test_a_register_that_tells_a_death_of_the_living_is_corrected(self):
        said = {
            (kind, conclusion): doubts(kind, Finding.ALIVE, conclusion, None, TODAY, registered=True)
            for kind in (SuspicionKind.DEATH, SuspicionKind.INCARCERATION)
            for conclusion in (CaseConclusion.UNFOUNDED, CaseConclusion.FALSE_DEATH)
        }
        assert {pair for pair, doubt in said.items() if doubt is None} == {
            (SuspicionKind.DEATH, CaseConclusion.FALSE_DEATH),
            (SuspicionKind.INCARCERATION, CaseConclusion.UNFOUNDED),
        }

    @given(st.sampled_from(SuspicionKind), st.sampled_from(Finding))
    def test_no_finding_carries_both_confirmation_and_clearance(self, kind, finding):
        confirms = doubts(kind, finding, CaseConclusion.CONFIRMED, TODAY, TODAY) is None
        clears = doubts(kind, finding, CaseConclusion.UNFOUNDED, None, TODAY) is None
        assert not (confirms and clears)

    def test_an_inconclusive_case_is_looked_at_twice(self):
        assert is_second_look(CaseConclusion.INCONCLUSIVE, 1)
        assert not is_second_look(CaseConclusion.INCONCLUSIVE, 2)


def step(action: CaseAction, actor: str) -> Step:
    return Step(action=action, actor=actor, role="x", happened_at=NOW, outcome=None, event_on=None)


class TestFourEyes:
    STEPS = (
        step(CaseAction.VISIT, "member"),
        step(CaseAction.FIND, "head"),
        step(CaseAction.REVIEW, "town"),
        step(CaseAction.RECUSAL, "cousin"),
    )

    @pytest.mark.parametrize(
        ("action", "user", "barred"),
        [
            (CaseAction.FIND, "member", "own_visit"),
            (CaseAction.FIND, "head", None),
            (CaseAction.REVIEW, "head", "own_finding"),
            (CaseAction.REVIEW, "town", None),
            (CaseAction.RETURN, "head", "own_finding"),
            (CaseAction.CONCLUDE, "head", "four_eyes"),
            (CaseAction.CONCLUDE, "town", "four_eyes"),
            (CaseAction.CONCLUDE, "member", "four_eyes"),
            (CaseAction.CONCLUDE, "agency", None),
            (CaseAction.CONCLUDE, "cousin", "recused"),
            (CaseAction.FIND, "cousin", "recused"),
        ],
    )
    def test_nobody_checks_himself(self, action, user, barred):
        assert bars(self.STEPS, action, user) == barred
