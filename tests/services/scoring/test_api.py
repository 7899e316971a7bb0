"""HTTP of scoring, with real tokens on a real database."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from types import SimpleNamespace
from uuid import uuid4

import httpx
import pytest

from services.scoring import policies
from services.scoring.api import Deps
from services.scoring.domain.signals import Kind, Origin
from services.scoring.schemas.trials import VisitOrderOut
from services.scoring.store.signals import add_origins
from shared.contracts.vocabulary import CaseConclusion, SuspicionKind
from tests.services.scoring.people import TODAY, Saw, subject_of
from tests.services.scoring.world import Grid, World
from tests.support.routes import app_of
from tests.support.tokens import Issuer

pytestmark = pytest.mark.db


@pytest.fixture
async def client(world: World, issuer: Issuer) -> AsyncIterator[httpx.AsyncClient]:
    app = app_of("scoring")
    app.state.platform = SimpleNamespace(guard=issuer.known_guard, database=world.database)
    app.state.deps = Deps(
        database=world.database,
        clock=world.clock,
        rule_sets=policies.load(),
        rule_set="standard",
        divisions=Grid({"341602": []}).divisions(),
        wake=asyncio.Event(),
    )
    headers = issuer.headers("scoring.read", "scoring.manage", "operate", user="officer-7")
    headers |= {"Purpose-Code": "review", "Legal-Basis": "rule-26", "Case-Ref": "c-1"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://scoring.test", headers=headers) as made:
        yield made


async def test_an_assessment_is_answered_with_its_suspicions_and_the_look_is_noted(world, client) -> None:
    await world.hear([Saw(source="police_hukou_cancel", on=date(2023, 8, 2), kind=Kind.DIED, evidence=1)])
    await world.sweep()
    answer = await client.get(f"/v1/assessments/{subject_of('a')}")
    assert answer.status_code == 200
    said = answer.json()
    assert (said["decision"], said["confirmed_on"], said["confirmed_by"]) == ("suspected", "2023-11-01", "standard@2")
    assert [(each["kind"], each["status"]) for each in said["suspicions"]] == [("suspected_death", "open")]
    async with world.database.read() as tx:
        looks = await tx.fetch("SELECT looked_by, what, purpose, legal_basis, case_ref FROM look")
    assert [tuple(look) for look in looks] == [("officer-7", "assessment", "review", "rule-26", "c-1")]


async def test_a_look_at_nobody_is_a_404_and_noted_too(world, client) -> None:
    answer = await client.get(f"/v1/assessments/{uuid4()}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    async with world.database.read() as tx:
        assert len(await tx.fetch("SELECT 1 FROM look")) == 1


async def test_an_explanation_says_what_is_missing_in_both_wordings(world, client) -> None:
    await world.hear(
        [Saw(source="transport_bus_card", on=TODAY - timedelta(days=back), evidence=back) for back in (1, 3, 9)]
        # What others deliver could be his as well.
        + [
            Saw(who="b", source=source, on=TODAY, evidence=20)
            for source in ("medins_outpatient", "medins_pharmacy", "bank_self_service")
        ]
    )
    await world.sweep()
    for address in (":explain", "/explanation"):
        said = (await client.get(f"/v1/assessments/{subject_of('a')}{address}")).json()
        assert said["decision"] == "insufficient"
        assert [(each["source"], each["records"], each["cap"], each["days"]) for each in said["weak"]] == [
            ("transport_bus_card", 3, 30, ["2023-10-31", "2023-10-29", "2023-10-23"])
        ]
        assert [each["what"] for each in said["needs"] if not each["met"]] == [
            "points",
            "sources",
            "departments",
            "days",
        ]
        assert (
            said["officer"][-1]
            == "尚缺:例如再有五天共六条记录即可(其中有另外两个部门、另外三个来源的);合计至少再增加 71 分。"
        )
        [citizen] = said["citizen"]
        assert citizen.startswith(
            "目前的数据还不足以为您自动完成认证:例如再有五天共六条记录即可(其中有另外两个部门、另外三个来源的)。"
        )
        assert "公交" not in citizen
        assert "如您近期已经刷脸、到窗口或由工作人员上门认证,以认证记录为准" in citizen


async def test_a_simulation_adds_and_removes_signals_and_keeps_nothing(world, client) -> None:
    await world.hear([Saw(source="rail_trip", on=date(2023, 9, 4), evidence=7)])
    await world.sweep()
    subject = str(subject_of("a"))
    trip = {"source": "rail_trip", "occurred_on": "2023-09-04"}
    death = {"source": "civil_cremation", "occurred_on": "2023-09-01", "kind": "died"}
    new = death | {"department": "civil", "strength": "strong"}
    assert (await client.post("/v1/simulations", json={"subject": subject})).json()["decision"] == "certifiable"
    said = (await client.post("/v1/simulations", json={"subject": subject, "remove": [trip]})).json()
    assert (said["decision"], said["reasons"]) == ("insufficient", ["no_evidence"])
    refused = await client.post("/v1/simulations", json={"subject": subject, "remove": [trip, death]})
    assert (refused.status_code, refused.json()["code"]) == (422, "no_such_signal")
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/remove/1"]
    assert (await client.post("/v1/simulations", json={"subject": subject, "add": [death]})).status_code == 422
    said = (await client.post("/v1/simulations", json={"subject": subject, "add": [new]})).json()
    assert (said["decision"], said["level"]) == ("suspected", "conflict")
    await world.conclude(SuspicionKind.DEATH, CaseConclusion.FALSE_DEATH, seen_on=date(2023, 9, 10))
    await world.sweep()
    found = {"source": "case_conclusion", "occurred_on": "2023-09-05", "kind": "died"}
    said = (await client.post("/v1/simulations", json={"subject": subject, "add": [found]})).json()
    assert said["decision"] == "suspected"  # supposed to be concluded after what has been
    later = {"subject": subject, "on": "2024-10-01", "rule_set": "standard@1"}
    assert (await client.post("/v1/simulations", json=later)).json()["decision"] == "insufficient"
    assert (await world.assessment()).decision == "certifiable"


@pytest.mark.parametrize("on", ["0001-01-01", "9999-12-31"])
async def test_a_day_that_no_signal_can_have_is_refused(client, on) -> None:
    signal = {"source": "rail_trip", "occurred_on": on, "department": "rail", "strength": "strong"}
    for body in ({"on": on, "rule_set": "standard@1"}, {"add": [signal]}):
        assert (await client.post("/v1/simulations", json=body)).status_code == 422
    outcome = {"subject": str(subject_of("a")), "lost_on": on}
    for body in ({"begin": on, "end": on}, {"begin": "2023-05-01", "end": "2023-05-31", "outcomes": [outcome]}):
        assert (await client.post("/v1/backtests", json=body)).status_code == 422


async def test_rule_sets_are_listed_with_the_one_in_force(client) -> None:
    first, second = (await client.get("/v1/rule-sets")).json()["items"]
    assert (first["name"], first["in_force"], first["thresholds"]["points"]) == ("standard@1", False, 60)
    assert (second["name"], second["in_force"], second["thresholds"]["points"]) == ("standard@2", True, 100)
    assert second["risk"]["reference"].startswith("按年龄")
    assert (await client.get("/v1/rule-sets/standard@2")).json() == second
    assert (await client.get("/v1/rule-sets/standard@9")).status_code == 404
    names = {"before": "standard@1", "after": "standard@2"}
    changes = (await client.get("/v1/rule-sets:difference", params=names)).json()["changes"]
    assert {"place": "thresholds.points", "before": "60", "after": "100"} in changes
    same = {"before": "standard@1", "after": "standard@1"}
    assert (await client.get("/v1/rule-sets:difference", params=same)).json()["changes"] == []


async def test_a_reassessment_is_queued_followed_and_cancelled(world, client) -> None:
    started = await client.post("/v1/reassessments", json={"shards": ["0", "f"]})
    assert (started.status_code, started.json()["status"], started.json()["shards"]) == (202, "queued", 2)
    address = started.headers["location"]
    assert (await client.get(address)).json()["shards_finished"] == 0
    assert (await client.delete(address)).json()["status"] == "cancelled"
    await client.post("/v1/reassessments", json={"shards": ["3"], "shadow": True})
    newest = (await client.get("/v1/reassessments", params={"limit": 1})).json()
    assert [(each["shadow"], each["status"]) for each in newest["items"]] == [(True, "queued")]
    older = (await client.get("/v1/reassessments", params={"cursor": newest["next_cursor"]})).json()
    assert older == {"items": [(await client.get(address)).json()], "next_cursor": None}
    assert (await client.get("/v1/reassessments/" + str(uuid4()))).status_code == 404
    refused = await client.post("/v1/reassessments", json={"rule_set": "standard@1"})
    assert refused.status_code == 422


async def test_a_reassessment_of_a_division_names_one_that_is_known(client) -> None:
    started = await client.post("/v1/reassessments", json={"division": "341602", "shadow": True})
    assert (started.status_code, started.json()["division"], started.json()["shards"]) == (202, "341602", 16)
    assert (await client.get(started.headers["location"])).json()["division"] == "341602"
    refused = await client.post("/v1/reassessments", json={"division": "341699"})
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_division")
    assert (await client.post("/v1/reassessments", json={"division": "3416"})).status_code == 422


async def test_figures_count_signals_opinions_and_open_suspicions(world, client) -> None:
    await world.hear([Saw(source="rail_trip", on=date(2023, 9, 4), evidence=7)])
    await world.hear([Saw(who="b", source="prison_custody", on=date(2023, 8, 2), kind=Kind.CUSTODY, evidence=1)])
    await world.sweep()
    said = (await client.get("/v1/figures")).json()
    assert (said["signals"], said["assessments"], said["certifiable"], said["suspected"]) == (2, 2, 1, 1)
    assert said["suspicions_open"]["suspected_incarceration"] == 1


async def test_visits_are_ordered_with_reasons_whether_or_not_a_person_was_ever_seen(world, client) -> None:
    await world.hear([Saw(source="medins_inpatient", on=TODAY - timedelta(days=90), evidence=7)])
    await world.hear([Saw(who="b", source="rail_trip", on=TODAY - timedelta(days=20), evidence=8)], shard=4)
    await world.sweep()
    await world.sweep(4)
    people = [subject_of("b", shard=4), subject_of("a"), subject_of("never", shard=4)]
    body = {"people": [{"subject": str(each), "born_on": "1940-01-01", "sex": "female"} for each in people]}
    body["people"].append(body["people"][0])
    answer = (await client.post("/v1/visit-orders", json=body)).json()
    said = VisitOrderOut.model_validate(answer).items
    assert set(answer["items"][0]) == {"subject", "rank", "risk", "reasons"}
    assert [each.subject for each in said] == [people[1], people[2], people[0]]
    assert [(each.rank, each.reasons) for each in said] == [
        (1, ["hospital_without_return"]),
        (2, ["never_seen"]),
        (3, []),
    ]
    async with world.database.read() as tx:
        looks = await tx.fetch("SELECT subject, looked_by, what FROM look")
    assert {tuple(look) for look in looks} == {(each, "officer-7", "visit_order") for each in people}
    assert (await client.post("/v1/visit-orders", json={"people": []})).status_code == 422


async def test_a_backtest_tells_month_by_month_what_would_have_been_decided(world, client) -> None:
    await world.hear([Saw(source="rail_trip", on=date(2023, 5, 4), evidence=1)], received_on=date(2023, 5, 4))
    for who, source, on, kind, received_on in (
        ("b", "medins_inpatient", date(2023, 5, 20), Kind.SEEN, date(2023, 5, 31)),
        ("b", "civil_cremation", date(2023, 8, 2), Kind.DIED, date(2023, 8, 2)),
        ("c", "rail_trip", date(2023, 6, 4), Kind.SEEN, date(2023, 6, 5)),
        # Delivered in September, so that nobody knew in August; and what people conclude is no evidence here.
        ("a", "police_hukou_cancel", date(2023, 8, 1), Kind.DIED, date(2023, 9, 4)),
        ("c", "case_conclusion", date(2023, 6, 1), Kind.DIED, None),
    ):
        saw = Saw(who=who, source=source, on=on, kind=kind, evidence=(on.toordinal() << 32) + 1)
        await world.hear([saw], received_on=received_on)
    await world.sweep()
    body = {
        "begin": "2023-05-01",
        "end": "2023-08-31",
        "outcomes": [
            {"subject": str(subject_of("b")), "lost_on": "2023-07-30"},
            {"subject": str(subject_of("c")), "lost_on": "2023-06-01"},
            {"subject": str(subject_of("d")), "lost_on": "2023-08-10"},  # whom no source has ever seen
        ],
    }
    answer = await client.post("/v1/backtests", json=body)
    assert answer.status_code == 200
    said = answer.json()
    columns = ("on", "people", "certified", "suspected", "lost", "lost_suspected", "lost_certified", "missed")
    assert [tuple(row[name] for name in columns) for row in said["rows"]] == [
        ("2023-05-31", 2, 2, 0, 0, 0, 0, 0),
        ("2023-06-30", 3, 3, 0, 1, 0, 1, 1),
        ("2023-07-31", 3, 3, 0, 2, 0, 1, 2),
        ("2023-08-31", 3, 2, 1, 3, 1, 1, 2),
    ]
    assert said["plot"].startswith("<svg")
    assert said["plot"].count("<polyline") == 4
    assert said["plot"].count("<circle") == 4 * len(said["rows"])
    picture = await client.post("/v1/backtests", json=body, headers={"Accept": "image/svg+xml, */*;q=0.1"})
    assert (picture.headers["content-type"], picture.text) == ("image/svg+xml", said["plot"])
    async with world.database.read() as tx:
        looks = await tx.fetch("SELECT DISTINCT subject, looked_by, what FROM look")
    assert {tuple(look) for look in looks} == {(subject_of(who), "officer-7", "backtest") for who in "bcd"}
    stricter = (await client.post("/v1/backtests", json=body | {"rule_set": "standard@1"})).json()
    assert (stricter["rule_set"], said["rule_set"]) == ("standard@1", "standard@2")
    refused = await client.post("/v1/backtests", json={"begin": "2023-05-01", "end": "2023-05-20"})
    assert (refused.status_code, refused.json()["code"]) == (422, "no_month")
    refused = await client.post("/v1/backtests", json={"begin": "2023-05-01", "end": "2023-11-30"})
    assert (refused.status_code, refused.json()["code"]) == (422, "future_period")
    early = (await client.post("/v1/backtests", json=body | {"begin": "2023-03-01"})).json()
    assert said["note"] is None
    assert early["note"].startswith("所选样本在 2023-05-31 之前未收到任何送达日期明确的数据:截至 2023-04-30 的各月")


async def test_a_backtest_without_outcomes_knows_what_people_confirmed(world, client) -> None:
    months = {"begin": "2023-05-01", "end": "2023-09-30"}
    await world.hear([Saw(who=who, source="rail_trip", on=date(2023, 4, 4), evidence=1) for who in "abc"])
    for who, source, on, kind, full in (
        ("a", "prison_custody", date(2023, 5, 2), Kind.CUSTODY, True),
        ("d", "prison_custody", date(2023, 5, 3), Kind.CUSTODY, True),
        ("b", "court_judgment", date(2023, 6, 2), Kind.DECLARED_MISSING, True),
        ("a", "prison_custody", date(2023, 6, 9), Kind.RELEASED, False),  # of that number, by another name
        ("a", "prison_custody", date(2023, 7, 2), Kind.RELEASED, True),
        ("d", "justice_community_corr", date(2023, 7, 9), Kind.SEEN, True),  # on parole
        ("c", "prison_custody", date(2023, 8, 2), Kind.CUSTODY, True),
        ("e", "civil_cremation", date(2023, 9, 2), Kind.DIED, True),
    ):
        await world.hear([Saw(who=who, source=source, on=on, kind=kind, full=full, evidence=on.toordinal())])
    await world.sweep()
    for who, on in (("a", date(2023, 5, 2)), ("d", date(2023, 5, 3))):
        await world.conclude(SuspicionKind.INCARCERATION, CaseConclusion.CONFIRMED, who=who, event_on=on)
    await world.conclude(SuspicionKind.MISSING, CaseConclusion.CONFIRMED, who="b", event_on=date(2023, 6, 2))
    await world.conclude(SuspicionKind.DEATH, CaseConclusion.FALSE_DEATH, who="e", seen_on=date(2023, 9, 20))
    await world.sweep()
    rows = (await client.post("/v1/backtests", json=months)).json()["rows"]
    columns = ("on", "suspected", "lost", "lost_suspected", "living_suspected", "unconcluded")
    assert [tuple(row[name] for name in columns) for row in rows] == [
        ("2023-05-31", 2, 2, 2, 0, 0),
        ("2023-06-30", 3, 3, 3, 0, 0),
        ("2023-07-31", 1, 1, 1, 0, 0),
        ("2023-08-31", 2, 1, 1, 0, 1),  # of whom nobody has said whether he is in prison
        ("2023-09-30", 3, 1, 1, 1, 1),  # and one whom people have found alive
    ]


async def test_a_backtest_knows_of_no_correction_before_it_came(world, client) -> None:
    death = Saw(source="police_hukou_cancel", on=date(2023, 6, 2), kind=Kind.DIED, evidence=1)
    await world.hear([death])
    await world.correct(death, on=date(2023, 8, 15))
    await world.sweep()
    assert (await world.assessment()).decision == "insufficient"
    rows = (await client.post("/v1/backtests", json={"begin": "2023-06-01", "end": "2023-09-30"})).json()["rows"]
    assert [row["suspected"] for row in rows] == [1, 1, 0, 0]


async def test_more_new_sources_than_scoring_can_number_are_refused(world, client) -> None:
    supposed = [
        {"source": f"new_{number}", "occurred_on": "2023-09-04", "department": "rail", "strength": "weak"}
        for number in range(500)
    ]
    async with world.database.write() as tx:
        await add_origins(tx, [Origin(source=f"met_{number}", department="x", strong=True) for number in range(13)])
    answer = await client.post("/v1/simulations", json={"add": supposed})
    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_sources")
    assert (await client.post("/v1/simulations", json={"add": supposed[:499]})).status_code == 200


async def test_whoever_is_refused_a_look_is_noted_too(world, client, issuer) -> None:
    who, headers = str(uuid4()), issuer.headers("scoring.manage", user="officer-9")
    local = issuer.headers("scoring.read", "scoring.manage", user="officer-9", divisions=["341602"])
    asked = {"subject": who, "add": [{"source": "new", "occurred_on": "2023-09-04"}]}
    answers = [
        await client.get(f"/v1/assessments/{who}", headers=headers),
        await client.get(f"/v1/assessments/{who}:explain", headers=headers),
        await client.post("/v1/simulations", json=asked, headers=headers),
        await client.post("/v1/simulations", json=asked),
        await client.post("/v1/simulations", json=[], headers=headers),
        # Of many, everybody once; a number that is none hides nobody.
        await client.post(
            "/v1/visit-orders", json={"people": [{"subject": each} for each in (who, "-", who)]}, headers=headers
        ),
        await client.post(
            "/v1/backtests",
            json={"outcomes": [{"subject": who}]},
            headers=issuer.headers("scoring.read", user="officer-9"),
        ),
        await client.post("/v1/backtests", json={"outcomes": 7}, headers=issuer.headers(user="officer-9")),
        # Nobody by name; and no reason, but a number of somebody's.
        await client.get(f"/v1/assessments/{who}", headers=issuer.headers("scoring.read")),
        await client.get(f"/v1/assessments/{who}:explain", headers={"Legal-Basis": "110101194910010026"}),
        # An officer of one county, whoever it is that he asks about.
        await client.get(f"/v1/assessments/{who}", headers=local),
        await client.post("/v1/visit-orders", json={"people": [{"subject": who}]}, headers=local),
        await client.post("/v1/backtests", json={"outcomes": [{"subject": who}]}, headers=local),
        await client.get("/v1/rule-sets", headers=local),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403, 422, *[403] * 5, 422, 403, 403, 403, 200]
    async with world.database.read() as tx:
        looks = await tx.fetch("SELECT subject::text, looked_by, what FROM look ORDER BY look_id")
    denied, simulated = (who, "officer-9", "denied"), (who, "officer-7", "simulation")
    unfit = [(who, each, "denied") for each in ("test-client", "officer-7")]
    assert [tuple(look) for look in looks] == [denied, denied, denied, simulated, denied, denied, *unfit, *[denied] * 3]
