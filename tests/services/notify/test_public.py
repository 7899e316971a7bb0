"""Public information: live figures, never stale ones, one page each."""

from types import SimpleNamespace

import httpx
import pytest

from services.grid.schemas.office import FiguresOut as GridFigures
from services.notify.domain.reform import money, reform_of
from services.notify.usecases import public
from services.recognition.schemas.operation import FiguresOut as RecognitionFigures
from shared.kit.clock import FixedClock
from shared.kit.problems import UnavailableError
from tests.services.notify.world import MORNING
from tests.support.routes import app_of

RECOGNITION = RecognitionFigures(
    people=1000, enrolments=1600, certificates=1800, under_review=3, due=9, checks=0, proposals_open=0, payments_stopped=0,
    certified_people={"data": 800, "home": 60, "face": 40, "partner": 0}, recovered_fen=123456789,
    revocations_unacknowledged=0,
).model_dump(mode="json")  # fmt: skip
GRID = GridFigures(
    grids=9, workers=9, recipients=1000, tasks_open={}, tasks_unassigned=0, tasks_closed=70, visits=75,
    visits_in_review=0, cases_open=0, cases_concluded=2,
).model_dump(mode="json")  # fmt: skip
"""What the two services answer, in their own shapes."""


def test_the_figures_are_those_of_the_services():
    found = reform_of(RECOGNITION, GRID)
    assert (found.certified_total, found.coverage, found.without_errand, found.visits) == (900, 0.9, 840, 75)
    assert found.saved == 540
    assert found.recovered_fen == 123456789
    assert reform_of({**RECOGNITION, "recovered_fen": None}, {}).recovered_fen is None
    nobody = reform_of({}, {})
    assert (nobody.coverage, nobody.certified_total) == (0.0, 0)


@pytest.mark.parametrize(("fen", "words"), [(None, "统计中"), (99900, "999元"), (123456789, "123.5万元")])
def test_money_reads_as_people_say_it(fen, words):
    assert money(fen) == words


def test_the_letter_tells_what_came_back_only_when_it_is_counted():
    told = ["".join(public._letter(reform_of({**RECOGNITION, "recovered_fen": fen}, {}))) for fen in (None, 123456789)]
    assert "已有900位完成认证，占90.0%；其中840位没有为此跑过一趟" in told[0]
    assert "追回" not in told[0]
    assert "已追回多发的待遇123.5万元" in told[1]


@pytest.fixture
async def http(issuer):
    answers = {"recognition": RECOGNITION, "grid": GRID}

    async def ask(service):
        if answers[service] is None:
            raise UnavailableError
        return answers[service]

    app = app_of("notify")
    app.state.platform = SimpleNamespace(guard=issuer.known_guard)
    app.state.deps = SimpleNamespace(ask_figures=ask, clock=FixedClock(MORNING))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://notify") as client:
        client.answers = answers  # type: ignore[attr-defined]
        yield client


@pytest.mark.parametrize("what", ["open-letter", "picture"])
async def test_it_is_one_page_and_needs_the_figures_of_now(http, issuer, what):
    headers = issuer.headers("notify.read")
    made = await http.get(f"/v1/public/{what}.pdf", headers=headers)
    assert (made.status_code, made.headers["content-type"]) == (200, "application/pdf")
    assert made.content.count(b"/Type /Page\n") == 1
    village = issuer.headers("notify.village", role="village")
    again = await http.get(f"/v1/public/{what}.pdf", headers=village)
    assert (again.status_code, again.content) == (200, made.content)
    assert (await http.get(f"/v1/public/{what}.pdf", headers=issuer.headers("me.read"))).status_code == 403
    http.answers["grid"] = None
    assert (await http.get(f"/v1/public/{what}.pdf", headers=headers)).status_code == 503
    assert (await http.get(f"/v1/public/{what}.pdf")).status_code == 401
