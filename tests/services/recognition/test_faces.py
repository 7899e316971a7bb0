"""Self-certification by face: the provider's word, once, for this person, and never the only way."""

from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from deploy.sandbox.app import SandboxOptions
from deploy.sandbox.app import create_app as sandbox
from services.recognition.usecases.facing import FACE_TYPE, FaceProvider
from shared.contracts.events import CERTIFICATES_ISSUED
from shared.kit.auth import Keys
from shared.kit.clock import wall
from tests.services.recognition.rights import Officers
from tests.services.recognition.world import TODAY, World, concluded, enrolled, enrolment, make_deps

pytestmark = pytest.mark.db
HER_ID, HIS_ID = "341602195005051227", "341602194901011237"
PROVIDER = "http://face.test"
KEY, STRANGER = ECKey.generate_key("P-256", auto_kid=True), ECKey.generate_key("P-256", auto_kid=True)


def _provider() -> FaceProvider:
    def serve(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"keys": [KEY.as_dict(private=False)]})

    client = httpx.AsyncClient(transport=httpx.MockTransport(serve))
    return FaceProvider(issuer=PROVIDER, audience="wugan", keys=Keys(f"{PROVIDER}/jwks.json", client))


@pytest.fixture
async def world(database_for) -> World:
    return World(make_deps(await database_for("recognition"), face=_provider()))


@pytest.fixture
def she(world):
    return world.deps.subjects.one(HER_ID)


@pytest.fixture
def ask(http, issuer):
    async def call(who: UUID, method: str, path: str = "", body=None):
        headers = issuer.headers("me.read", "me.write", role="citizen", user=str(who))
        return await http.request(method, f"/v1/me/face-sessions{path}", json=body, headers=headers)

    return call


def signed(session_nonce: str, key: ECKey = KEY, header=None, **changes) -> dict[str, str]:
    now = int(wall())
    claims = {
        "iss": PROVIDER,
        "aud": "wugan",
        "iat": now,
        "exp": now + 120,
        "jti": f"assertion-{session_nonce[:12]}",
        "nonce": session_nonce,
        "citizen_id": HER_ID,
        "score": 93.5,
        "live": True,
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    return {"assertion": jwt.encode({"alg": "ES256", "kid": key.kid, "typ": FACE_TYPE, **(header or {})}, kept, key)}


async def opened(ask, who: UUID, **body):
    answer = await ask(who, "POST", body=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_live_face_of_her_own_certifies_her_from_today(world, ask, she):
    await world.hear(enrolled(enrolment(she)))
    session = await opened(ask, she, assisted=True)
    assert session["other_ways"]
    said = (await ask(she, "POST", f"/{session['session_id']}:finish", signed(session["nonce"]))).json()
    done = "人脸核验已通过。您无需办理任何手续，有效期至2024年11月30日。"
    assert (said["state"], said["sentence"]) == ("passed", done)
    [row] = await world.rows("SELECT channel, as_of, origin::text AS origin FROM certificate")
    assert row == {"channel": "face", "as_of": TODAY, "origin": session["session_id"]}
    assert len(await world.said(CERTIFICATES_ISSUED)) == 1
    [kept] = await world.rows("SELECT * FROM face_session")
    assert kept["assisted"] is True
    assert HER_ID not in str(kept)
    await world.hear(concluded(she, "confirmed"))
    looked_into = (await ask(she, "GET", f"/{session['session_id']}")).json()["sentence"]
    assert looked_into.startswith("人脸核验已通过。有一条信息正由工作人员核实")


async def test_a_face_shown_after_todays_certificate_was_revoked_certifies_again(world, ask, she, http, issuer):
    await world.hear(enrolled(enrolment(she)))
    held = []
    for number in (1, 2):
        session = await opened(ask, she)
        said = signed(session["nonce"], jti=f"assertion-{number}")
        await ask(she, "POST", f"/{session['session_id']}:finish", said)
        [holding] = await world.rows("SELECT certificate_id FROM holding")
        held.append(holding["certificate_id"])
        if number == 1:
            body = {
                "subject": str(she),
                "certificate_id": str(held[0]),
                "reason": "wrong_person",
                "grounds": "冒用他人身份",
            }
            answer = await Officers(http, issuer).post("/v1/certificate-revocations", body=body)
            assert answer.status_code == 201, answer.text
            assert await world.rows("SELECT 1 FROM holding") == []
    assert held[0] != held[1]
    [kept] = await world.rows("SELECT certificate_id FROM face_session ORDER BY session_id DESC LIMIT 1")
    assert kept["certificate_id"] == held[1]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"live": False}, "liveness"),
        ({"live": "true"}, "liveness"),
        ({"score": 89.9}, "score"),
        ({"score": float("nan")}, "score"),
        ({"score": 1e9}, "score"),
        ({"citizen_id": HIS_ID}, "person"),
        ({"citizen_id": "no id"}, "person"),
        ({"nonce": "another-session-s-nonce"}, "nonce"),
    ],
)
async def test_what_does_not_certify_changes_nothing_and_names_other_ways(world, ask, she, changes, why):
    session = await opened(ask, she)
    said = await ask(she, "POST", f"/{session['session_id']}:finish", signed(session["nonce"], **changes))
    assert said.status_code == 200
    assert (said.json()["state"], said.json()["refused_for"]) == ("refused", why)
    assert len(said.json()["other_ways"]) >= 3
    assert await world.rows("SELECT 1 FROM certificate") == []
    again = await ask(she, "POST", f"/{session['session_id']}:finish", signed(session["nonce"], jti="another-one"))
    assert (again.status_code, again.json()["code"]) == (409, "session_over")


@pytest.mark.parametrize(
    ("changes", "key", "header"),
    [
        ({}, STRANGER, None),
        ({}, KEY, {"typ": "at+jwt"}),
        ({"iss": "http://elsewhere.test"}, KEY, None),
        ({"aud": "somebody-else"}, KEY, None),
        ({"exp": -60, "iat": -120}, KEY, None),
        ({"exp": 7200}, KEY, None),
        ({"iat": 600, "exp": 700}, KEY, None),
        ({"jti": None}, KEY, None),
        ({"jti": "x"}, KEY, None),
        ({"nonce": None}, KEY, None),
        ({"score": "high"}, KEY, None),
        ({"citizen_id": None}, KEY, None),
    ],
)
async def test_what_the_provider_did_not_say_to_us_now_is_no_assertion(world, ask, she, changes, key, header):
    session = await opened(ask, she)
    at = {name: int(wall()) + changes[name] for name in ("iat", "exp") if name in changes}
    body = signed(session["nonce"], key, header, **{**changes, **at})
    said = await ask(she, "POST", f"/{session['session_id']}:finish", body)
    assert (said.status_code, said.json()["code"]) == (422, "assertion_invalid")
    assert said.json()["other_ways"]
    assert HER_ID not in said.text
    assert [row["answer"] for row in await world.rows("SELECT answer FROM usage ORDER BY usage_id")][-1] == (
        "denied:assertion_invalid"
    )
    assert (await ask(she, "GET", f"/{session['session_id']}")).json()["state"] == "open"


async def test_the_sandbox_provider_s_word_is_understood(app, world, ask, she):
    provider = httpx.AsyncClient(transport=httpx.ASGITransport(sandbox(SandboxOptions())), base_url="http://sandbox")
    keys = Keys("http://sandbox/face/jwks.json", provider)
    connected = FaceProvider(issuer="urn:wugan:sandbox:face", audience="wugan", keys=keys)
    app.state.deps = make_deps(world.deps.database, face=connected)
    for score, state in ((96.0, "passed"), (70.0, "refused")):
        session = await opened(ask, she)
        seen = {"citizen_id": HER_ID, "nonce": session["nonce"], "audience": session["audience"], "score": score}
        word = (await provider.post("/face/assertions", json=seen)).json()
        assert (await ask(she, "POST", f"/{session['session_id']}:finish", word)).json()["state"] == state


async def test_an_assertion_counts_once(world, ask, she):
    first, second = await opened(ask, she), await opened(ask, she)
    used = signed(first["nonce"])
    assert (await ask(she, "POST", f"/{first['session_id']}:finish", used)).json()["state"] == "passed"
    for session in (first, second):
        replayed = await ask(she, "POST", f"/{session['session_id']}:finish", used)
        assert replayed.status_code == 409
        assert replayed.json()["code"] in {"session_over", "assertion_used"}
    assert len(await world.rows("SELECT 1 FROM certificate")) == 1


async def test_a_session_is_over_after_minutes(world, ask, she):
    session = await opened(ask, she)
    async with world.deps.database.write() as tx:
        await tx.run("UPDATE face_session SET expires_at = now() - interval '1 minute'")
    said = await ask(she, "POST", f"/{session['session_id']}:finish", signed(session["nonce"]))
    assert (said.status_code, said.json()["code"]) == (409, "session_over")


async def test_somebody_elses_session_is_not_there(world, ask, she):
    session = await opened(ask, she)
    he = world.deps.subjects.one(HIS_ID)
    for method, path, body in (("GET", "", None), ("POST", ":finish", signed(session["nonce"]))):
        assert (await ask(he, method, f"/{session['session_id']}{path}", body)).status_code == 404


async def test_after_enough_tries_a_day_another_way_is_named(world, ask, she):
    for _ in range(10):
        await opened(ask, she)
    refused = await ask(she, "POST", body={})
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_tries")
    assert "申请网格员上门" in refused.json()["other_ways"]
    world.deps.clock.move(timedelta(days=1, minutes=1))
    await opened(ask, she)


async def test_where_no_provider_is_connected_the_other_ways_stand(app, world, ask, she):
    app.state.deps = make_deps(world.deps.database)
    answer = await ask(she, "POST", body={})
    assert (answer.status_code, answer.json()["code"]) == (409, "face_unavailable")
    assert answer.json()["other_ways"]
