"""A partner's month: roster, job, pay list, payments, a death, feed and webhook, receipt, recovery.

Partner and officers speak HTTP alone. Three services, the gateway and the servers are real; what grid would say of a visit
and of a case, and notify of a letter handed over, is said on the bus in their names: their days are another story.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pyarrow as pa
import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from deploy.local.stack import LocalStack, StackOptions
from shared.contracts.events import CASE_CONCLUDED, MESSAGE_DELIVERED, VISIT_CONCLUDED, CaseConcluded, VisitConcluded
from shared.kit import arrow
from shared.kit.bus import Bus
from shared.kit.crypto import Pseudonymiser
from shared.kit.http import load_key
from shared.kit.outbox import ARROW_TYPE
from tests.flows.partner_client import Partner

pytestmark = [pytest.mark.flow, pytest.mark.timeout(480)]

SHE, HE = "11010519491231002X", "340102194001010011"
PROGRAM = "resident_pension"
AT = datetime(2023, 11, 1, 1, tzinfo=UTC)
ROSTER = ("身份证号,姓名,村居代码,待遇金额,手机号,家属手机\n"
          f"{SHE},甲女士,341602001001,200.01,13800000001,13800000002\n{HE},乙先生,341602001001,182.50,13800000003,\n")  # fmt: skip


class Endpoint:
    """A partner's endpoint: proves itself, checks the signature of every post, remembers what it was told."""

    def __init__(self) -> None:
        self.secret = ""
        self.told: list[dict] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        said = json.loads(body)
        if "challenge" in said.get("data", {}):
            answer = json.dumps({"challenge": said["data"]["challenge"]}).encode()
        else:
            self.told.append(Webhook(self.secret).verify(body.decode(), headers))
            answer = b"{}"
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n")
        writer.write(f"Content-Length: {len(answer)}\r\n\r\n".encode() + answer)
        await writer.drain()
        writer.close()


@pytest.fixture
def client(stack: LocalStack) -> Iterator[Callable[..., Partner]]:
    """`client("demo-partner")`: a registered client of the stack; its connections end with the test."""
    made: list[Partner] = []

    def make(name: str, user: str | None = None) -> Partner:
        path = Path(stack.folder.secrets) / "clients" / f"{name}.pem"
        made.append(Partner(f"{stack.urls['gateway']}/api/recognition", name, load_key(path), user))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    options = StackOptions(
        data=tmp_path_factory.mktemp("month"), port_base=0, services=("ingest", "recognition", "notify"), durable=False,
        sandbox=True, clock_at=AT, min_free_bytes=2**28, database_url=None, nats_url=None,
        environment={"WUGAN_RECOGNITION_PLAIN_WEBHOOKS": "true", "WUGAN_NOTIFY_WEBHOOK_ALLOW": "127.0.0.0/8"},
    )  # fmt: skip
    async with LocalStack(options) as running:
        yield running


async def say(
    stack: LocalStack, service: str, event: str, body: bytes, kind: str = "application/json", shard: str = ""
) -> None:
    """A word of a service that is not asked here."""
    bus, event_id = Bus(stack.nats_url(service), name=service), str(uuid4())
    await bus.connect()
    headers = {"ce-specversion": "1.0", "ce-id": event_id, "ce-type": event, "ce-source": f"/wugan/{service}",
               "ce-time": AT.isoformat(), "content-type": kind}  # fmt: skip
    await bus.publish(f"{event}.{shard}" if shard else event, body, headers, message_id=event_id)
    await bus.close()


async def hand_out(stack: LocalStack, who: UUID, notice_id: str) -> None:
    """The village has handed the letter out, as notify would say once the village confirms it."""
    row = {"subject": [who.bytes], "message_id": [uuid4().bytes], "about": [UUID(notice_id).bytes],
           "template": ["notice_intended_stop"], "channel": ["letter"], "delivered_at": [AT]}  # fmt: skip
    columns = {name: pa.array(row[name], pa.string() if pa.types.is_dictionary(kind) else kind)
               for name, kind in MESSAGE_DELIVERED.columns.items()}  # fmt: skip
    table = arrow.conform(MESSAGE_DELIVERED, pa.table(columns), {})
    await say(stack, "notify", MESSAGE_DELIVERED.name, arrow.encode(table), ARROW_TYPE, who.hex[0])


@asynccontextmanager
async def listening(endpoint: Endpoint) -> AsyncIterator[str]:
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/wugan"


async def until(what, *, seconds: float = 60):
    """The first true value of a question asked again and again."""
    for _ in range(int(seconds / 0.1)):
        if found := await asyncio.to_thread(what):
            return found
        await asyncio.sleep(0.1)
    raise TimeoutError


async def test_a_month(stack, client):  # noqa: PLR0915  (a story is told in one piece)
    run = asyncio.to_thread
    partner, endpoint = client("demo-partner"), Endpoint()
    subjects = Pseudonymiser.from_hex(SecretStr(stack.secrets.subject_key))
    she = subjects.one(SHE)

    # The first call of whoever reads docs/partner-api.md, before there is anybody in any roster.
    first = await run(partner.check, "sandbox_pension", "00000019500101001X")
    assert (first["answer"], first["sandbox"]) == ("recognised", True)

    # The roster says whom the program pays; it goes to ingest.
    operator = client("demo-operator")
    roster = f"{stack.urls['gateway']}/api/ingest/v1/programs/{PROGRAM}/roster?mode=full"
    await run(lambda: operator.call("POST", roster, content=ROSTER.encode(), headers={"Content-Type": "text/csv"}))
    await until(lambda: partner.check(PROGRAM, SHE)["answer"] == "not_yet")
    assert await run(lambda: list(partner.events())) == []

    async with listening(endpoint) as url:
        made = await run(lambda: partner.call("POST", "/v1/subscriptions", once=True, json={"url": url}).json())
        endpoint.secret = made["secret"]
        place = f"/v1/subscriptions/{made['subscription_id']}"
        await until(lambda: partner.call("GET", place).json()["status"] == "active")

        # A neighbour sees her: one certificate, told to the partner, good for the job.
        visit = VisitConcluded(visit_id=uuid4(), task_id=uuid4(), subject=she, result="seen_alive",
                               visited_on=date(2023, 11, 1), visited_at=AT, division="341602001001", worker_id="w",
                               id_card_read=True)  # fmt: skip
        await say(stack, "grid", VISIT_CONCLUDED.name, visit.model_dump_json().encode())
        await until(lambda: partner.check(PROGRAM, SHE)["answer"] == "recognised")
        _, lines = await run(partner.ask_list, PROGRAM, f"citizen_id,ref\n{SHE},a\n{HE},b\n")
        assert [(each["ref"], each["answer"]) for each in lines] == [("a", "recognised"), ("b", "not_yet")]

        # Both are paid for November: not being certified holds nobody's money.
        pay = f"citizen_id,amount,ref\n{SHE},200.01,a\n{HE},182.50,b\n"
        november, said, advice = await run(partner.before_paying, PROGRAM, "2023-11", pay)
        assert [each["advice"] for each in advice] == ["pay", "pay"]
        paid = await run(partner.paid, november, "2023-11-15")
        assert (paid["paid_lines"], paid["paid_fen"], said["total_fen"]) == (2, 38_251, 38_251)

        # A case finds that she died in August; the next list holds her line, for people have concluded it.
        case = CaseConcluded(case_id=uuid4(), subject=she, kind="suspected_death", conclusion="confirmed",
                             event_on=date(2023, 8, 20), concluded_at=AT + timedelta(hours=2), verified_by="w",
                             concluded_by="o", evidence_ids=[])  # fmt: skip
        await say(stack, "grid", CASE_CONCLUDED.name, case.model_dump_json().encode())
        one, two = client("demo-officer", "officer-1"), client("demo-officer", "officer-2")
        [proposal] = await until(lambda: one.call("GET", "/v1/proposals").json()["items"])
        december, _, advice = await run(partner.before_paying, PROGRAM, "2023-12", pay)
        assert [(each["advice"], each["reason"]) for each in advice] == [("hold", "finding_confirmed"), ("pay", None)]
        await run(partner.paid, december, "2023-12-15")

        # Two officers decide, the family is told and has its time, then it takes effect.
        path = f"/v1/proposals/{proposal['proposal_id']}"
        await run(lambda: one.call("POST", f"{path}:decide", json={"grounds": "the village saw the grave"}))
        decision = (await run(lambda: two.call("POST", f"{path}:confirm").json()))["decision_id"]

        def notice() -> dict:
            history = one.call("POST", "/v1/people:history", json={"citizen_id": SHE}).json()
            return dict(history["notices"][0])

        await hand_out(stack, she, (await run(notice))["notice_id"])
        # The text must have gone out before a month passes at once.
        await until(lambda: "sms" in {each["channel"] for each in notice()["attempts"]})
        stack.set_clock(AT + timedelta(days=32))

        waiting = [""]

        def carried_out() -> bool:
            try:
                return bool(one.call("POST", f"/v1/decisions/{decision}:carry-out").json()["state"] == "effective")
            except RuntimeError as error:
                waiting[0] = str(error)  # the notice is still on its way
                return False

        await until(carried_out)
        assert "channels" in waiting[0] or not waiting[0]

        # By feed and by webhook the partner hears of it, and says that it has.
        told: list[dict] = []

        def heard() -> bool:
            told.extend(partner.events())
            return {"certificate.revoked", "enrolment.terminated"} <= {each["kind"] for each in told}

        await until(heard)
        ended = next(each for each in told if each["kind"] == "enrolment.terminated")
        assert ended["decision"] == decision
        await run(partner.receipt, ended["event_id"])
        revoked = next(each for each in told if each["kind"] == "certificate.revoked")
        for event_id in (ended["event_id"], revoked["event_id"]):
            await until(lambda event_id=event_id: any(event_id in json.dumps(each) for each in endpoint.told))
        assert SHE not in json.dumps([told, endpoint.told], ensure_ascii=False)
        assert str(she) not in json.dumps([told, endpoint.told])
        _, _, advice = await run(partner.before_paying, PROGRAM, "2024-01", pay)
        assert [(each["advice"], each["decision"]) for each in advice] == [("stop", decision), ("pay", None)]

    # What was paid after August comes back, to the fen.
    [owed] = await until(lambda: one.call("GET", "/v1/overpayments").json()["items"])
    assert owed["due_fen"] == 20_001
    path = f"/v1/overpayments/{owed['overpayment_id']}"
    await run(lambda: one.call("POST", f"{path}:ask-refund"))
    back = {"kind": "paid", "amount_fen": 20_001, "happened_on": "2023-12-02", "reference": "R-1"}
    await run(lambda: one.call("POST", f"{path}:recover", json=back))
    done = await run(lambda: one.call("GET", path).json())
    assert (done["state"], done["left_fen"]) == ("closed", 0)
