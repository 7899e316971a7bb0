"""What counts as told twice: shown with messages, deliveries and texts that are."""

from datetime import date

import asyncpg
import pytest

from deploy.sandbox.keep import Keep
from tests.flows import told
from tests.support.servers import unused_name

pytestmark = pytest.mark.db

_TABLES = """
CREATE TABLE notify.message (template text, audience text, subject int, recipient text, division text, about int,
                             variables jsonb, created_at int DEFAULT 2, given_up bool DEFAULT false,
                             said_at int DEFAULT 2);
CREATE TABLE notify.do_not_write (subject int, blocked bool);
CREATE TABLE recognition.revocation (subject int);
CREATE TABLE recognition.standing (subject int, announced_until date, under_review bool);
CREATE TABLE notify.delivery (message_id int, channel text, attempt int, handed_at timestamptz);
INSERT INTO notify.message VALUES
    ('certified', 'citizen', 1, NULL, NULL, NULL, '{"valid_until": "2024-10-31", "programs": ["a"]}'),
    ('certified', 'citizen', 1, NULL, NULL, NULL, '{"valid_until": "2024-11-30", "programs": ["a"]}'),
    ('certified', 'citizen', 2, NULL, NULL, 8, '{"valid_until": "2024-10-31", "programs": ["a"]}'),
    ('notice_refund', 'citizen', 1, NULL, NULL, 7, '{"amount": 1}'),
    ('case_overdue', 'officer', NULL, NULL, '341602', 5, '{"deadline_on": "2023-11-01"}'),
    ('case_overdue', 'officer', NULL, NULL, '341602', 5, '{"deadline_on": "2023-11-09"}');
INSERT INTO notify.message VALUES
    ('certified', 'citizen', 3, NULL, NULL, 8, '{"valid_until": "2024-10-31", "programs": ["a"]}', 1, false),
    ('certified', 'citizen', 3, NULL, NULL, 9, '{"valid_until": "2024-11-30", "programs": ["a"]}', 2, true),
    ('certified', 'citizen', 3, NULL, NULL, 8, '{"valid_until": "2024-10-31", "programs": ["a"]}', 3, false);
INSERT INTO notify.delivery VALUES (1, 'sms', 1, NULL), (1, 'sms', 2, now()), (1, 'push', 1, now());
"""
_STANDINGS = """
INSERT INTO recognition.standing VALUES
    (2, '2024-10-31', false), (3, '2024-10-31', false), (4, '2024-10-31', false), (5, '2024-10-31', false),
    (6, '2024-10-31', true), (7, '2024-10-31', false), (8, '2023-10-31', false), (9, NULL, false);
INSERT INTO notify.message VALUES
    ('certified', 'citizen', 4, NULL, NULL, 8, '{"valid_until": "2024-10-31"}', 2, true, 1),
    ('certified', 'citizen', 5, NULL, NULL, 8, '{"valid_until": "2024-10-31"}', 2, false, 1),
    ('certified', 'citizen', 5, NULL, NULL, 8, '{"valid_until": "2024-11-30"}', 2, false, 2);
INSERT INTO recognition.revocation VALUES (3);
INSERT INTO notify.do_not_write VALUES (3, false), (7, true);
"""
_DOUBLES = {
    "of one end": "INSERT INTO notify.message VALUES ('certified', 'citizen', 2, NULL, NULL, 9, "
    """'{"valid_until": "2024-10-31", "programs": ["a", "b"]}')""",
    "of one notice": "INSERT INTO notify.message VALUES "
    """('notice_refund', 'citizen', 1, NULL, NULL, 7, '{"amount": 2}')""",
    "handed over": "INSERT INTO notify.delivery VALUES (1, 'sms', 3, now())",
}


@pytest.fixture
def sandbox(tmp_path):
    keep = Keep(tmp_path)
    yield keep
    keep.close()


@pytest.fixture
async def url(servers):
    made = servers.create_database(unused_name())
    connection = await asyncpg.connect(made.url())
    await connection.execute(_TABLES)
    await connection.close()
    yield made.url()
    made.drop()


def text(gateway: int, words: str) -> dict[str, object]:
    return {"id": "a", "gateway": gateway, "to": "13900000001", "sender": "s", "approval": None, "text": words,
            "received_at": 0.0}  # fmt: skip


async def test_a_text_repeated_in_the_same_words_is_one(url, sandbox, tmp_path):
    for gateway in (1, 1, 2):
        sandbox.add_sms([text(gateway, "好")])
    assert await told.twice(url, tmp_path) == []


@pytest.mark.parametrize("gateway", [1, 2])
async def test_an_id_that_comes_with_other_words_is_told(url, sandbox, tmp_path, gateway):
    sandbox.add_sms([text(1, "好")])
    sandbox.add_sms([text(gateway, "不好")])
    assert len(await told.twice(url, tmp_path)) == 1


@pytest.mark.parametrize("of", _DOUBLES)
async def test_a_double_is_told(url, sandbox, tmp_path, of):
    connection = await asyncpg.connect(url)
    await connection.execute(_DOUBLES[of])
    await connection.close()
    assert len(await told.twice(url, tmp_path)) == 1


async def test_who_is_certified_and_was_last_told_otherwise_or_nothing_is_found(url):
    connection = await asyncpg.connect(url)
    await connection.execute(_STANDINGS)
    await connection.close()
    found = {row["subject"]: (row["told"], row["revoked"]) for row in await told.stands(url, date(2023, 11, 1))}
    assert found == {2: (True, False), 3: (True, True), 4: (False, False), 5: (False, False)}
