"""Limits of clients, and what is refused is logged, every time."""

import asyncio
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recognition.api import route
from services.recognition.api.route import Leaving
from services.recognition.app import make_policy
from services.recognition.domain import limits
from services.recognition.domain.limits import Bucket, Buckets, Policy
from services.recognition.settings import RecognitionSettings
from services.recognition.usecases.limits import Limiter
from services.recognition.usecases.refusals import OF_ONE
from shared.kit.clock import wall
from tests.services.recognition.test_jobs import ID
from tests.services.recognition.world import WHY, enrolled, enrolment, subject
from tests.support.settings import settings_for

CHECK = {"program": "resident_pension", "citizen_id": ID}


@given(st.lists(st.floats(0, 2), min_size=1, max_size=80))
def test_nobody_passes_more_than_rate_and_burst_allow(waits):
    policy, bucket = Policy(rate=5, burst=3, day=1), Bucket()
    now, passed = 0.0, []
    for wait in waits:
        now += wait
        if bucket.take(policy, now) == 0:
            passed.append(now)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            assert last - first + 1 <= policy.burst + (passed[last] - passed[first]) * policy.rate + 1e-6
    assert passed[0] == waits[0]


def test_whoever_waits_as_long_as_told_passes():
    policy, bucket = Policy(rate=2, burst=1, day=1), Bucket()
    assert bucket.take(policy, 10.0) == 0
    wait = bucket.take(policy, 10.1)
    assert wait == pytest.approx(0.4)
    assert bucket.take(policy, 10.1 + wait + 1e-9) == 0


@pytest.fixture
def partner(issuer):
    return (
        issuer.headers("recognition.check", "recognition.batch", programs=["resident_pension"], client_id="p-1") | WHY
    )


def limited(app, world, **policy):
    limits = {"rate": 1000.0, "burst": 1000, "day": 1000} | policy
    deps = world.deps
    object.__setattr__(deps, "limiter", Limiter(Policy(**limits), deps.database))


@pytest.mark.db
async def test_refusals_say_what_is_left_as_well(app, world, http, partner):
    limited(app, world, burst=3, rate=0.001)
    refused = await http.post("/v1/recognitions:check", json=CHECK | {"program": "dibao"}, headers=partner)
    assert refused.status_code == 404
    assert refused.headers["RateLimit"].startswith('"burst";r=2')


@pytest.mark.db
async def test_answers_say_what_is_left(app, world, http, partner):
    limited(app, world, burst=3, rate=0.001)
    answers = [await http.post("/v1/recognitions:check", json=CHECK, headers=partner) for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"burst";q=3;w=3000, "day";q=1000;w=86400'
    assert [each.headers["RateLimit"].split(";t")[0] for each in answers[:3]] == [
        f'"burst";r={left}' for left in (2, 1, 0)
    ]
    assert int(answers[3].headers["Retry-After"]) > 100
    assert answers[3].json()["code"] == "too_many_requests"


@pytest.mark.db
async def test_a_day_holds_so_many_people_over_all_ways_of_asking(app, world, http, partner):
    limited(app, world, day=5)
    batch = {"program": "resident_pension", "items": [{"citizen_id": ID}] * 4}
    assert (await http.post("/v1/recognitions:batch", json=batch, headers=partner)).status_code == 200
    assert (await http.post("/v1/recognitions:check", json=CHECK, headers=partner)).status_code == 200
    refused = await http.post("/v1/recognitions:check", json=CHECK, headers=partner)
    assert refused.status_code == 429
    job = await http.post("/v1/jobs", params={"program": "resident_pension"}, content=f"citizen_id\n{ID}\n".encode(),
                          headers=partner | {"Content-Type": "text/csv"})  # fmt: skip
    assert job.status_code == 429
    rows = await world.rows("SELECT answer FROM usage ORDER BY usage_id DESC LIMIT 2")
    assert {row["answer"] for row in rows} == {"denied:too_many_requests"}
    assert await world.rows("SELECT people FROM quota") == [{"people": 5}], "what was refused costs nothing"


@pytest.mark.db
async def test_who_asks_at_the_same_moment_shares_what_is_left_of_the_day(world):
    limiter = Limiter(Policy(rate=1, burst=1, day=1000), world.deps.database)
    told = await asyncio.gather(*(limiter.count("p-1") for _ in range(40)), return_exceptions=True)
    assert told == [None] * 40
    told = await asyncio.gather(*(limiter.count("p-1", 10) for _ in range(100)), return_exceptions=True)
    assert told.count(None) == 96
    assert [row["people"] for row in await world.rows("SELECT people FROM quota")] == [1000]


@pytest.mark.db
async def test_a_job_about_a_whole_program_counts_everybody_in_it_once(app, world, http, partner):
    limited(app, world, day=5)
    await world.hear(enrolled(*(enrolment(subject(number)) for number in range(3))))
    key = partner | {"Idempotency-Key": "the-same-question"}
    jobs = [await http.post("/v1/jobs?program=resident_pension", headers=key) for _ in range(2)]
    assert [each.status_code for each in jobs] == [202, 202]
    assert await world.rows("SELECT people FROM quota") == [{"people": 3}]
    assert (await http.post("/v1/jobs?program=resident_pension", headers=partner)).status_code == 429
    assert len(await world.rows("SELECT FROM job")) == 1
    assert await world.rows("SELECT people FROM quota") == [{"people": 3}]


@pytest.mark.db
async def test_under_ten_times_what_one_client_may_ask_another_within_his_limits_is_served(
    app, world, http, partner, issuer
):
    limited(app, world, rate=2.0, burst=20)
    modest = issuer.headers("recognition.check", programs=["resident_pension"], client_id="p-2") | WHY
    flooded, served, slowest = asyncio.Event(), asyncio.Event(), 0.0
    greedy: list[int] = []

    async def ask_on() -> None:
        while not served.is_set() or len(greedy) < 400:
            greedy.append((await http.post("/v1/recognitions:check", json=CHECK, headers=partner)).status_code)
            if len(greedy) >= 40:
                flooded.set()
            await asyncio.sleep(0)  # a refusal waits for nothing, and here no socket lets others in between

    began = wall()
    flood = [asyncio.create_task(ask_on()) for _ in range(8)]
    await flooded.wait()
    said = None
    for _ in range(20):
        before = wall()
        answer = await http.post("/v1/recognitions:check", json=CHECK, headers=modest)
        slowest = max(slowest, wall() - before)
        assert answer.status_code == 200, answer.text
        said = answer.json()["answer"]
    served.set()
    await asyncio.gather(*flood)
    assert slowest < 5.0
    assert set(greedy) == {200, 429}
    passed = greedy.count(200)
    assert 20 <= passed <= 20 + 2 * (wall() - began) + 1
    assert len(greedy) > 10 * passed
    rows = await world.rows("SELECT client_id, answer, count(*) AS n FROM usage GROUP BY 1, 2")
    logged = {(row["client_id"], row["answer"]): row["n"] for row in rows}
    assert logged.pop(("p-1", "denied:too_many_requests")) <= OF_ONE.burst + OF_ONE.rate * (wall() - began) + 1
    assert logged == {("p-1", said): passed, ("p-2", said): 20}


CAPACITY = 1_500
"""Single questions a second of one process (docs/benchmarks.md)."""


def test_by_default_a_partner_within_his_quota_is_served_while_another_sends_ten_times_his():
    policy = make_policy(settings_for(RecognitionSettings))
    buckets, seconds = Buckets(policy), 20
    passed = {"modest": 0, "greedy": 0}
    for step in range(seconds * 1000):
        now = 1e9 + step / 1000
        for caller, rate in (("modest", policy.rate), ("greedy", 10 * policy.rate)):
            for _ in range(int((step + 1) * rate / 1000) - int(step * rate / 1000)):
                passed[caller] += buckets.take(caller, now) == 0
    assert passed["modest"] == policy.rate * seconds
    assert passed["greedy"] <= policy.rate * seconds + policy.burst
    # What passes of both leaves a process more than half of what it can do: those within their quota wait for nobody.
    assert sum(passed.values()) / seconds < CAPACITY / 2


def test_callers_who_rest_make_room_for_new_ones_and_nobody_gains_by_it(monkeypatch):
    monkeypatch.setattr(limits, "_MOST_CALLERS", 10)
    buckets = Buckets(Policy(rate=1, burst=2, day=1))
    assert [buckets.take("busy", 100.0) for _ in range(3)] == [0, 0, pytest.approx(1)]
    for second in range(50):
        assert buckets.take(f"caller {second}", 40.0 + second) == 0
    assert buckets.take("busy", 100.0) > 0


NOBODYS = "00000000-0000-7000-8000-000000000000"
REFUSED = [
    ("POST", "/v1/recognitions:check", "check"),
    ("POST", "/v1/recognitions:batch", "batch"),
    ("POST", "/v1/jobs?program=resident_pension", "job"),
    ("GET", "/v1/jobs", "job"),
    ("GET", f"/v1/jobs/{NOBODYS}", "job"),
    ("POST", "/v1/payruns?program=resident_pension&month=2023-11", "payrun"),
    ("GET", f"/v1/payruns/{NOBODYS}/result", "payrun"),
    ("GET", "/v1/events", "events"),
    ("POST", "/v1/events:ack", "events"),
    ("POST", "/v1/receipts", "events"),
    ("POST", "/v1/subscriptions", "subscription"),
    ("POST", "/v1/corrections", "correction"),
    ("GET", f"/v1/certificates/{'A' * 64}", "certificate"),
]


@pytest.mark.db
@pytest.mark.parametrize(("method", "path", "action"), REFUSED)
async def test_a_token_of_another_scope_is_refused_and_logged(world, http, issuer, method, path, action):
    headers = issuer.headers("notify.read", client_id="p-3") | WHY
    answer = await http.request(method, path, headers=headers, json={} if method == "POST" else None)
    assert answer.status_code == 403
    rows = await world.rows("SELECT client_id, action, answer FROM usage")
    assert [tuple(row.values()) for row in rows] == [("p-3", action, "denied:forbidden")]


@pytest.mark.db
async def test_a_path_that_will_go_says_so(world, http, partner, monkeypatch):
    leaving = Leaving(date(2026, 1, 1), date(2027, 1, 1), "https://docs.example/v2")
    monkeypatch.setitem(route.LEAVING, ("POST", "/v1/recognitions:check"), leaving)
    answer = await http.post("/v1/recognitions:check", json=CHECK, headers=partner)
    assert answer.headers["Deprecation"] == "@1767225600"
    assert answer.headers["Sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
    assert answer.headers["Link"] == '<https://docs.example/v2>; rel="deprecation"'


def test_nothing_goes_within_a_year():
    with pytest.raises(ValueError, match="a year before"):
        Leaving(date(2026, 1, 1), date(2026, 6, 1), "https://docs.example/v2")
