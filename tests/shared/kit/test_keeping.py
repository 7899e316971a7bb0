"""Old plumbing goes, what is still needed stays."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from shared.contracts.events import EVENTS
from shared.kit import keeping
from shared.kit.bus.connection import _LIMITS
from shared.kit.settings import KitSettings

pytestmark = pytest.mark.db
NOW = datetime(2026, 9, 15, tzinfo=UTC)


async def say(database, at: str, *, published: bool) -> None:
    async with database.write() as tx:
        await tx.run(
            "INSERT INTO outbox (id, created_at, subject, headers, body, published_at) VALUES ($1, $2, 's', '{}', '', $3)",
            uuid4(),
            datetime.fromisoformat(at).replace(tzinfo=UTC),
            NOW if published else None,
        )


async def hear(database, at: str) -> None:
    async with database.write() as tx:
        await tx.run(
            "INSERT INTO inbox (consumer, event_id, received_at) VALUES ('c', $1, $2)",
            uuid4(),
            datetime.fromisoformat(at).replace(tzinfo=UTC),
        )


async def left(database) -> list[str]:
    async with database.read() as tx:
        return [f"{row['created_at']:%Y-%m}" for row in await tx.fetch("SELECT created_at FROM outbox ORDER BY 1")]


async def test_whole_months_are_dropped_and_rows_of_the_rest_deleted(database):
    async with database.write() as tx:
        for month in ("202604", "202605", "202606"):
            await tx.run(
                f"CREATE TABLE outbox_{month} PARTITION OF outbox FOR VALUES "
                f"FROM ('{month[:4]}-{month[4:]}-01') TO ('{month[:4]}-0{int(month[4:]) + 1}-01')"
            )
    for at, published in (("2026-01-03", True), ("2026-04-03", True), ("2026-05-03", True), ("2026-06-20", True)):
        await say(database, at, published=published)
    gone = await keeping.forget(database, NOW, outbox_days=92, inbox_days=120)
    assert gone.partitions == ("outbox_202604", "outbox_202605")
    assert gone.outbox == 1
    assert await left(database) == ["2026-06"]


async def test_what_was_never_published_stays_whatever_its_age(database):
    async with database.write() as tx:
        await tx.run("CREATE TABLE outbox_202604 PARTITION OF outbox FOR VALUES FROM ('2026-04-01') TO ('2026-05-01')")
    await say(database, "2026-01-03", published=False)
    await say(database, "2026-04-03", published=False)
    gone = await keeping.forget(database, NOW, outbox_days=92, inbox_days=120)
    assert gone.partitions == ()
    assert gone.outbox == 0
    assert await left(database) == ["2026-01", "2026-04"]


async def test_the_inbox_forgets_in_steps(database, monkeypatch):
    monkeypatch.setattr(keeping, "_AT_ONCE", 3)
    for day in range(1, 9):
        await hear(database, f"2026-05-0{day}")
    await hear(database, "2026-09-01")
    gone = await keeping.forget(database, NOW, outbox_days=92, inbox_days=120)
    assert gone.inbox == 8
    async with database.read() as tx:
        assert len(await tx.fetch("SELECT FROM inbox")) == 1


def test_a_message_can_never_come_again_after_the_inbox_has_forgotten_it():
    kept = max(days for days, _ in _LIMITS.values())
    assert {event.stream for event in EVENTS} <= set(_LIMITS)
    assert KitSettings.model_fields["inbox_days"].default > kept
    assert min(each.ge for each in KitSettings.model_fields["inbox_days"].metadata if hasattr(each, "ge")) > kept
