"""What a run came to where a table's rows tell the way too: passes in force, tasks, messages, texts, a partner's answers.

Each is a set of lines, one a thing that ended so; once or twice on the way to it is the same end.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

import asyncpg
import polars as pl

from tests.chaos.digest import Table

_AT_REST = """
WITH at_rest AS (
    SELECT subject FROM recognition.enrolment
    EXCEPT SELECT subject FROM recognition.standing WHERE under_review
    EXCEPT SELECT subject FROM notify.death_record
),
told AS (
    SELECT * FROM notify.message
    WHERE subject IN (SELECT subject FROM at_rest) OR (subject IS NOT NULL AND template = 'suspicion_opened')
)
"""
# Whoever was certified for the moment until his death was told of has had a pass, and a message about it, in some runs.

_ENDS: Mapping[str, str] = {
    # The day told depends on what was weighed together, the month does not.
    "passes in force": """
SELECT subject, h.claim, h.cap_months, to_char(h.as_of, 'YYYY-MM'), c.certificate_id IS NOT NULL, r.certificate_id IS NULL
FROM recognition.holding h LEFT JOIN recognition.certificate c USING (subject, certificate_id)
LEFT JOIN recognition.revocation r USING (subject, certificate_id) WHERE subject IN (SELECT subject FROM at_rest)
""",
    # A daily round that starts again draws more samples and takes more up.
    "tasks": """
SELECT DISTINCT subject, reason, state = 'closed', outcome FROM grid.tasks WHERE reason NOT IN ('sample', 'take_up')
""",
    "messages": "SELECT DISTINCT subject, audience, template FROM told",
    "deliveries": """
SELECT t.subject, t.template, d.channel, bool_or(d.status IN ('handed', 'delivered', 'merged')), bool_and(d.handed_at IS NULL)
FROM told t JOIN notify.delivery d ON d.message_id = t.id GROUP BY 1, 2, 3
""",
}
_HANDED = "SELECT DISTINCT message_id::text FROM notify.delivery WHERE channel = 'sms' AND handed_at IS NOT NULL"

ENDS: Mapping[str, str] = {
    "passes in force": "by person, claim, cap and month of the act, of everybody of whom no register tells a death; the pass is there and was not revoked",
    "tasks": "by person, reason and outcome, but for samples and what is taken up",
    "messages": "by person, audience and template, but for those of a pass of people who died",
    "deliveries": "of these messages, by channel, and whether they went out",
    "texts never sent": "handed over as the platform believes, and unknown to the gateway",
    "a partner's answers": "by person, with the claims' month",
}
"""What is compared beside whole tables, and how."""


async def ends(url: str, sandbox: Path, answered: pl.DataFrame) -> dict[str, Table]:
    """A digest of each end: of the databases, of the texts at the gateway, and of what a partner was answered."""
    connection = await asyncpg.connect(url)
    try:
        found = {name: _digest(map(tuple, await connection.fetch(_AT_REST + sql))) for name, sql in _ENDS.items()}
        handed = {row[0] for row in await connection.fetch(_HANDED)}
    finally:
        await connection.close()
    with contextlib.closing(sqlite3.connect(sandbox / "sandbox.sqlite3")) as kept:
        sent = {row[0] for row in kept.execute("SELECT id FROM sms")}
    month = pl.col("as_of").dt.strftime("%Y-%m")
    people = answered.select("citizen_id", "program", "answer", month).iter_rows()
    return found | {
        "texts never sent": _digest((each,) for each in handed - sent),
        "a partner's answers": _digest(people),
    }


def _digest(lines: Iterable[tuple[object, ...]]) -> Table:
    written = sorted("|".join(map(str, line)) for line in lines)
    return Table(rows=len(written), columns={}, whole=blake2b("\n".join(written).encode(), digest_size=16).hexdigest())
