"""The usage log is chained: whatever is changed, removed or slipped in is found, row by row."""

import asyncio
from hashlib import blake2b

import numpy as np
import pytest

from services.recognition.domain import chain
from services.recognition.domain.chain import FIRST, ROW, Fault
from services.recognition.jobs import SealLoop
from services.recognition.store import seals
from services.recognition.store.seals import START
from services.recognition.usecases import audit
from tests.services.recognition.test_jobs import ID
from tests.services.recognition.world import WHY, World, enrolled, enrolment, make_deps

KEY = bytes(32)


def row(tx: int, number: int, said: int):
    return (tx, number, [said] * 32)


def rows_of(*rows) -> np.ndarray:
    return np.array(list(rows), dtype=ROW)


FIRST_ROW, SECOND_ROW, LAST_ROW = (row(7, number, number) for number in (3, 4, 9))
ROWS = rows_of(FIRST_ROW, SECOND_ROW, LAST_ROW)
SEAL = chain.seal(KEY, ROWS, 1, FIRST)


@pytest.mark.parametrize(
    ("rows", "faults"),
    [
        (ROWS, []),
        (rows_of(FIRST_ROW, row(7, 4, 0), LAST_ROW), [(4, Fault.CHANGED)]),
        (ROWS[1:], [(3, Fault.MISSING)]),
        (ROWS[:0], [(3, Fault.MISSING), (4, Fault.MISSING), (9, Fault.MISSING)]),
        (rows_of(FIRST_ROW, SECOND_ROW, LAST_ROW, row(7, 5, 0)), [(5, Fault.ADDED)]),
        (rows_of(row(8, 3, 3), SECOND_ROW, LAST_ROW), [(3, Fault.CHANGED)]),
    ],
)
def test_every_kind_of_fault_is_found_by_its_row(rows, faults):
    assert chain.check(KEY, SEAL, FIRST, rows) == faults


def test_a_seal_is_bound_to_the_one_before_and_to_the_key():
    assert chain.check(KEY, SEAL, bytes([1]) * 32, ROWS) == [(None, Fault.BROKEN)]
    forged = chain.seal(bytes([1]) * 32, ROWS, 1, FIRST)
    assert (None, Fault.BROKEN) in chain.check(KEY, forged, FIRST, ROWS)
    assert isinstance(SEAL.ids, np.ndarray)


def test_a_mark_is_over_place_and_digest_as_seals_made_before_have_it():
    said = (7).to_bytes(8, "big") + (4).to_bytes(8, "big") + bytes([4]) * 32
    marked = blake2b(said, digest_size=16, key=KEY, person=b"usage-mark").digest()
    assert SEAL.marks[16:32] == marked
    assert SEAL.last == (7, 9)


@pytest.fixture
async def world(committing_database_for) -> World:
    """With real commits: a row is sealed once nobody can commit before it."""
    return World(make_deps(await committing_database_for("recognition")))


async def ask(http, issuer, times=3):
    partner = issuer.headers("recognition.check", programs=["resident_pension"], client_id="p-1") | WHY
    for _ in range(times):
        body = {"program": "resident_pension", "citizen_id": ID}
        assert (await http.post("/v1/recognitions:check", json=body, headers=partner)).status_code == 200


async def seal(world):
    """Rows are sealed once no older transaction of the whole server is open; other tests' may be, for a moment."""
    loop = SealLoop(world.deps)
    async with asyncio.timeout(40):
        while True:
            while await loop.step():
                pass
            newest = (await world.rows("SELECT max(usage_id) AS id FROM usage"))[0]["id"]
            sealed = (await world.rows("SELECT max(last_id) AS id FROM usage_seal"))[0]["id"]
            if newest is None or newest == sealed:
                return
            await asyncio.sleep(0.1)


async def verify(http, auditor, **body):
    answer = await http.post("/v1/audit:verify", json=body, headers=auditor)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def tamper(world, sql):
    async with world.deps.database.write() as tx:
        await tx.run("ALTER TABLE usage DISABLE TRIGGER immutable")
        await tx.run(sql)
        await tx.run("ALTER TABLE usage ENABLE TRIGGER immutable")


@pytest.mark.db
async def test_a_row_somebody_changed_removed_or_slipped_in_is_named(world, http, issuer, monkeypatch):
    monkeypatch.setattr(audit, "SEAL_ROWS", 2)
    auditor = issuer.headers("audit.read", role="auditor", client_id="a-1")
    await world.hear(enrolled(enrolment(world.deps.subjects.one(ID))))
    await ask(http, issuer, 5)
    await seal(world)
    whole = await verify(http, auditor)
    assert (whole["intact"], whole["seals"], whole["rows"], whole["unsealed"]) == (True, 3, 5, 0)
    ids = [row["usage_id"] for row in await world.rows("SELECT usage_id FROM usage ORDER BY usage_id")]
    await tamper(world, f"UPDATE usage SET answer = 'unknown' WHERE usage_id = {ids[0]}")
    await tamper(world, f"DELETE FROM usage WHERE usage_id = {ids[3]}")
    await tamper(world, "INSERT INTO usage (tx, at, client_id, user_ref, action, answer, request_id) "
                        f"SELECT tx, now(), 'x', 'x', 'check', 'x', 'x' FROM usage WHERE usage_id = {ids[1]}")  # fmt: skip
    said = await verify(http, auditor)
    assert not said["intact"]
    slipped = (await world.rows("SELECT max(usage_id) AS id FROM usage"))[0]["id"]
    assert {(each["usage_id"], each["fault"]) for each in said["faults"]} == {
        (ids[0], "changed"), (ids[3], "missing"), (slipped, "added"),
    }  # fmt: skip


async def far_ahead(world, sealed):
    """As if the log came from a server that had counted far more transactions, and had sealed the first rows."""
    await tamper(world, "UPDATE usage SET tx = tx + 1000000000")
    async with world.deps.database.write() as tx:
        rows = await seals.rows_between(tx, START, (2**62, 0), 2**62)
        await seals.add_seal(tx, chain.seal(world.deps.audit_key, rows[:sealed], 1, FIRST))


@pytest.mark.db
async def test_after_a_restore_from_a_dump_the_chain_goes_on(world, http, issuer):
    auditor = issuer.headers("audit.read", role="auditor", client_id="a-1")
    await ask(http, issuer, 5)
    await far_ahead(world, sealed=3)
    await ask(http, issuer, 4)
    before = await verify(http, auditor)
    assert (before["intact"], before["rows"], before["unsealed"]) == (True, 3, 6)
    await seal(world)
    for _ in range(2):
        await ask(http, issuer, 1)
        await seal(world)
    whole = await verify(http, auditor)
    assert (whole["intact"], whole["seals"], whole["rows"], whole["unsealed"]) == (True, 5, 11, 0)
    ids = [row["usage_id"] for row in await world.rows("SELECT usage_id FROM usage ORDER BY usage_id")]
    assert [row["first_id"] for row in await world.rows("SELECT first_id FROM usage_seal ORDER BY seal_no")] == [
        0, 0, ids[5], ids[5], ids[5],
    ]  # fmt: skip
    await tamper(world, f"UPDATE usage SET answer = 'unknown:' WHERE usage_id IN ({ids[4]}, {ids[7]})")
    await tamper(world, f"DELETE FROM usage WHERE usage_id IN ({ids[1]}, {ids[10]})")
    faults = (await verify(http, auditor))["faults"]
    assert [(each["usage_id"], each["fault"]) for each in faults] == [
        (ids[1], "missing"), (ids[4], "changed"), (ids[7], "changed"), (ids[10], "missing"),
    ]  # fmt: skip


@pytest.mark.db
async def test_who_cuts_the_end_off_is_found_by_a_head_noted_outside(world, http, issuer):
    auditor = issuer.headers("audit.read", role="auditor", client_id="a-1")
    await ask(http, issuer)
    await seal(world)
    head = (await verify(http, auditor))["head"]
    assert (await verify(http, auditor, expect=head))["intact"]
    async with world.deps.database.write() as tx:
        await tx.run("ALTER TABLE usage_seal DISABLE TRIGGER immutable")
        await tx.run("DELETE FROM usage_seal")
        await tx.run("ALTER TABLE usage_seal ENABLE TRIGGER immutable")
    assert (await verify(http, auditor))["intact"]
    assert not (await verify(http, auditor, expect=head))["intact"]


@pytest.mark.db
async def test_an_auditor_reads_the_log_and_that_is_logged(world, http, issuer):
    auditor = issuer.headers("audit.read", role="auditor", client_id="a-1")
    await ask(http, issuer, 2)
    said = (await http.get("/v1/usage", params={"client_id": "p-1", "limit": 1}, headers=auditor)).json()
    assert [(each["client_id"], each["answer"]) for each in said["items"]] == [("p-1", "unknown")]
    rest = (await http.get("/v1/usage", params={"client_id": "p-1", "after": said["next"]}, headers=auditor)).json()
    assert len(rest["items"]) == 1
    looks = (await http.get("/v1/usage", params={"action": "audit"}, headers=auditor)).json()["items"]
    assert [each["answer"] for each in looks] == ["listed:1", "listed:1"]
    for path in ("/v1/usage", "/v1/audit:verify"):
        partner = issuer.headers("recognition.check")
        method = "POST" if "verify" in path else "GET"
        answer = await http.request(method, path, headers=partner, json={} if method == "POST" else None)
        assert answer.status_code == 403
