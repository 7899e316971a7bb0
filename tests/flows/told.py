"""Whom a run told what: nobody the same twice, whatever was killed on the way."""

import contextlib
import sqlite3
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import asyncpg

_QUESTIONS: Mapping[str, str] = {
    # What a citizen is told of one notice is one message; one about no notice is known by its words, but for the
    # programs, which grow while a day's certificates come in. One end is told again, whatever certificate it is of, only
    # where what had been told since, or by then, was given up.
    "messages": """
SELECT template, audience, subject, recipient, division, said.about, count(*)
FROM notify.message m CROSS JOIN LATERAL (
    SELECT CASE WHEN template <> 'certified' THEN about END AS about,
           CASE WHEN template = 'certified' THEN (
               SELECT count(*) FROM notify.message g
               WHERE g.template = m.template AND g.subject = m.subject AND g.given_up AND g.created_at < m.created_at
           ) END AS given_up) said
GROUP BY template, audience, subject, recipient, division, said.about, said.given_up,
    CASE WHEN audience IN ('citizen', 'family') AND said.about IS NOT NULL THEN NULL ELSE variables - 'programs' END
HAVING count(*) > 1
""",
    "deliveries": """
SELECT message_id, channel, count(*) FROM notify.delivery WHERE handed_at IS NOT NULL
GROUP BY message_id, channel HAVING count(*) > 1
""",
}
_MONTHS = "SELECT subject, to_char(as_of, 'YYYY-MM') AS month FROM recognition.standing WHERE NOT under_review"
_CERTIFIED = "SELECT count(DISTINCT subject) FROM notify.message WHERE template = 'certified'"
_STANDS = """
SELECT s.subject, EXISTS (SELECT FROM recognition.revocation r WHERE r.subject = s.subject) AS revoked,
       (SELECT m.variables->>'valid_until' FROM notify.message m
        WHERE m.subject = s.subject AND m.template = 'certified' AND NOT m.given_up ORDER BY m.said_at DESC LIMIT 1
       ) IS NOT DISTINCT FROM s.announced_until::text AS told
FROM recognition.standing s LEFT JOIN notify.do_not_write n USING (subject)
WHERE s.announced_until >= $1 AND NOT s.under_review AND n.blocked IS NOT TRUE
"""
_TEXTS = """
SELECT id, sum(differed) FROM sms GROUP BY id HAVING sum(differed) > 0 OR count(DISTINCT "to" || ' ' || text) > 1
"""


async def twice(url: str, sandbox: Path) -> list[str]:
    """What was told more than once: messages, deliveries handed over, ids a gateway has with different words."""
    connection = await asyncpg.connect(url)
    try:
        found = [f"{of}: {tuple(row)}" for of, sql in _QUESTIONS.items() for row in await connection.fetch(sql)]
    finally:
        await connection.close()
    with contextlib.closing(sqlite3.connect(sandbox / "sandbox.sqlite3")) as kept:
        return found + [f"texts: {row}" for row in kept.execute(_TEXTS)]


async def stands(url: str, today: date) -> list[asyncpg.Record]:
    """Who is certified: his subject, whether he was last told that end, and whether something of his was revoked."""
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(_STANDS, today))
    finally:
        await connection.close()


async def certified(url: str) -> int:
    """How many people were told that they are certified, however often that came to hold for longer."""
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval(_CERTIFIED))
    finally:
        await connection.close()


async def months(url: str) -> Mapping[str, str | None]:
    """The month in which each person was last seen, but for those whose death was recorded on the way."""
    connection = await asyncpg.connect(url)
    try:
        return {str(row["subject"]): row["month"] for row in await connection.fetch(_MONTHS)}
    finally:
        await connection.close()
