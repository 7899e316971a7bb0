"""What five schemas hold, as one digest a table over what a run decides and chance does not."""

from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

SCHEMAS = ("ingest", "scoring", "grid", "recognition", "notify")
PLUMBING = frozenset({"outbox", "inbox", "dead_letter", "alembic_version"})
"""Their rows are the way, not the end; that nothing was parked is asked for itself."""

BY_THE_WAY = {
    "grid.case_steps": "a step each time a suspicion grew, and evidence that comes together grows it once",
    "grid.certified": "whoever was certified for the moment until a register told of his death is in it",
    "grid.readings": "as looks of ingest",
    "grid.revoked_certificates": "as recognition's certificates",
    "grid.task_hands": "as tasks",
    "grid.tasks": "a daily round that starts again at noon finds more to draw and to take up",
    "ingest.look": "whoever asks for names again after a broken answer has looked twice",
    "notify.delivery": "as messages",
    "notify.message": "whoever was certified for a moment was told so",
    "recognition.assertion": "one for each token a client fetches; a process that starts again fetches another",
    "recognition.certificate": "a pass superseded on the way is kept; whether there was one depends on what was weighed together",
    "recognition.holding": "as certificates",
    "recognition.usage": "a question asked again after a broken answer is logged again",
    "recognition.usage_seal": "made every few minutes",
    "scoring.look": "an order of visits asked again is looked at again",
    "scoring.signal_block": "blocks of signals, cut by what was swept together",
}
"""Tables whose rows tell the way, not the end, and why; the end of each person is in the others."""

OF_THE_WAY = {
    "ingest.batch": {"batch_no": "drawn anew when a file is begun again", "tries": "of completing it after a kill"},
    "recognition.standing": {
        "as_of": "a newer act in the same month is worth no word, so the day told depends on what was weighed together"
    },
    "ingest.description": {"batch_no": "as the batch's"},
    "ingest.hint": {"batch_no": "as the batch's", "hint_id": "made of the batch's number and the row"},
}
"""Columns in which undisturbed runs may agree by luck, and why they tell the way."""

_COLUMNS = """
SELECT n.nspname AS schema, c.relname AS name, array_agg(a.attname::text ORDER BY a.attname) AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity = ''
WHERE n.nspname = ANY($1::text[]) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY 1, 2 ORDER BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table's number of rows, the digest of each column by itself, and of whole rows of these columns; empty: not compared.

    A column's digest is over its sorted values, so that two runs agree whatever the order of their rows.
    """

    rows: int
    columns: Mapping[str, str]
    whole: str


async def tables(url: str) -> dict[str, list[str]]:
    """Columns by `schema.table`, without those the database numbers by itself."""
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetch(_COLUMNS, list(SCHEMAS))
    finally:
        await connection.close()
    named = {f"{row['schema']}.{row['name']}": row["columns"] for row in found if row["name"] not in PLUMBING}
    return {
        name: [column for column in columns if column not in OF_THE_WAY.get(name, {})]
        for name, columns in named.items()
        if name not in BY_THE_WAY
    }


async def digest(url: str, wanted: Mapping[str, list[str]]) -> dict[str, Table]:
    """Digest every table over the columns named."""
    connection = await asyncpg.connect(url)
    try:
        return {name: await _digest(connection, name, columns) for name, columns in wanted.items()}
    finally:
        await connection.close()


async def _digest(connection: asyncpg.Connection, name: str, columns: list[str]) -> Table:
    place = ".".join(f'"{part}"' for part in name.split("."))
    each = [f"md5(string_agg(md5({_text(column)}), '' ORDER BY md5({_text(column)})))" for column in columns]
    row = "md5(concat_ws('|', " + ", ".join(_text(column) for column in columns) + "))" if columns else "''"
    chosen = ", ".join(["count(*)", f"md5(string_agg({row}, '' ORDER BY {row}))", *each])
    found = await connection.fetchrow(f"SELECT {chosen} FROM {place}")
    return Table(found[0], dict(zip(columns, (str(value) for value in found[2:]), strict=True)), str(found[1]))


def _text(column: str) -> str:
    return f"coalesce(\"{column}\"::text, '-')"


def stable(one: Mapping[str, Table], other: Mapping[str, Table]) -> dict[str, list[str]]:
    """The columns in which two undisturbed runs agree: what the city decides, not ids and instants."""
    return {
        name: [column for column, value in table.columns.items() if other[name].columns[column] == value]
        for name, table in one.items()
    }


def agreed(one: Mapping[str, Table], other: Mapping[str, Table]) -> dict[str, Table]:
    """What two undisturbed runs have in common: their tables, without what differs in these two as well."""
    same = stable(one, other)
    return {
        name: Table(
            rows=table.rows,
            columns={column: table.columns[column] for column in same[name]},
            whole=table.whole if table.whole == other[name].whole else "",
        )
        for name, table in one.items()
        if table.rows == other[name].rows
    }


def differences(one: Mapping[str, Table], other: Mapping[str, Table]) -> list[str]:
    """Tables that differ, in words."""
    told = []
    for name, table in one.items():
        if table.rows != other[name].rows:
            told.append(f"{name}: {other[name].rows} rows, not {table.rows}")
            continue
        columns = [each for each, value in table.columns.items() if other[name].columns[each] != value]
        if columns or (table.whole and table.whole != other[name].whole):
            told.append(f"{name}: other {', '.join(columns) or 'rows'}")
    return told
