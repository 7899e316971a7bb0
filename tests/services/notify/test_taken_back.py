"""From what certified a person to his texts: of two certificates of a month one falls, and he is told the truth once."""

import asyncio
from datetime import date, timedelta

import pytest

from shared.contracts.events import CERTIFICATE_REVOKED, CERTIFICATES_ISSUED, CONTACTS_CHANGED
from shared.kit.bus.message import message_of
from shared.kit.outbox import Outbox
from tests.services.notify.world import contacts, drain, hear, rows_of, table_message
from tests.services.recognition.test_hearing import SHE, taken_back
from tests.services.recognition.world import NOW, World, assessed, assessment, enrolled, enrolment
from tests.services.recognition.world import make_deps as make_recognition

pytestmark = pytest.mark.db

KNOWN = {each.name: each for each in (CERTIFICATES_ISSUED, CERTIFICATE_REVOKED)}
ISSUED, REVOKED = KNOWN
FIRST, SECOND = 1, 3


async def said(world: World) -> list:
    """What recognition has to say, each once."""
    async with world.deps.database.write() as tx:
        rows = await tx.fetch("DELETE FROM outbox RETURNING subject, headers, body, seq")
    return [
        message_of(KNOWN[row["headers"]["ce-type"]], row["subject"], row["headers"], row["body"])
        for row in sorted(rows, key=lambda row: row["seq"])
        if row["headers"]["ce-type"] in KNOWN
    ]


@pytest.mark.parametrize(
    ("falls", "heard", "texts"),
    [
        (FIRST, [REVOKED, ISSUED], 2),  # what he had been told fell before anything else was known to hold
        (FIRST, [ISSUED, REVOKED], 1),
        (SECOND, [REVOKED, ISSUED], 1),
        (SECOND, [ISSUED, REVOKED], 1),
    ],
)
async def test_who_has_another_certificate_of_the_month_stays_told_its_end(
    database_for, deps, database, clock, sandbox, *, falls, heard, texts
):
    outbox = Outbox("recognition", clock, asyncio.Event())
    world = World(make_recognition(await database_for("recognition"), clock=clock, outbox=outbox))
    await hear(deps, table_message(CONTACTS_CHANGED, contacts([(SHE, "phone")])))
    days = [assessment(SHE, as_of=date(2023, 9, day), evidence_ids=[one]) for day, one in ((10, FIRST), (20, SECOND))]
    await world.hear(enrolled(enrolment(SHE)), assessed(days[0]), assessed(days[1], at=NOW + timedelta(minutes=1)))
    [told] = await said(world)
    await hear(deps, told)
    await drain(deps)
    clock.move(timedelta(hours=1))
    await world.hear(taken_back(SHE, falls))
    for message in sorted(await said(world), key=lambda each: heard.index(each.event.name)):
        for _ in range(2):
            await hear(deps, message)
    clock.move(timedelta(days=1))
    await drain(deps)
    shown = [row["text"] for row in sandbox.state.keep.list_sms(to=None, limit=9)]
    assert (len(shown), all("2024年9月30日" in text for text in shown)) == (texts, True)
    [holds] = await world.rows("SELECT certificate_id AS about FROM holding")
    assert await rows_of(database, "SELECT about FROM message WHERE template = 'certified' AND NOT given_up") == [holds]
