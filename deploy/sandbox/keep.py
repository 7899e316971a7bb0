"""What the sandbox was sent, in SQLite."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

_VERSION = 2
"""Of the tables; what an older sandbox has kept of text messages is dropped."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sms (
    id TEXT NOT NULL,
    gateway INTEGER NOT NULL,
    "to" TEXT NOT NULL,
    sender TEXT NOT NULL,
    approval TEXT,
    text TEXT NOT NULL,
    received_at REAL NOT NULL,
    handed INTEGER NOT NULL DEFAULT 1,
    differed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (id, gateway)
);
CREATE TABLE IF NOT EXISTS hook (
    receiver TEXT NOT NULL,
    id TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    received_at REAL NOT NULL,
    handed INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (receiver, id)
);
CREATE INDEX IF NOT EXISTS sms_to ON sms ("to");
"""


class Keep:
    """A small store; in a file of `folder`, or in memory without one."""

    def __init__(self, folder: Path | None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        where = str(folder / "sandbox.sqlite3") if folder else ":memory:"
        # The server is one thread; tests look in from another.
        self._db = sqlite3.connect(where, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        if self._db.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            self._db.execute("DROP TABLE IF EXISTS sms")
        pragmas = f"PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA user_version = {_VERSION};"
        self._db.executescript(pragmas + _SCHEMA)

    def add_sms(self, rows: Iterable[dict[str, Any]]) -> None:
        """Keep text messages; one that came to the same gateway before under its id is counted, other words apart."""
        with self._db:
            self._db.executemany(
                'INSERT INTO sms (id, gateway, "to", sender, approval, text, received_at) '
                "VALUES (:id, :gateway, :to, :sender, :approval, :text, :received_at) "
                "ON CONFLICT (id, gateway) DO UPDATE SET handed = handed + 1, "
                'differed = differed + ((excluded."to", excluded.text) <> ("to", text))',
                rows,
            )

    def list_sms(self, *, to: str | None, limit: int) -> list[dict[str, Any]]:
        """Text messages, newest first."""
        rows = self._db.execute(
            'SELECT id, gateway, "to", sender, approval, text, received_at, handed FROM sms '
            'WHERE :to IS NULL OR "to" = :to ORDER BY received_at DESC, rowid DESC LIMIT :limit',
            {"to": to, "limit": limit},
        )
        return [dict(row) for row in rows]

    def count_sms(self) -> dict[str, int]:
        """Messages, people, how often one was handed over again, and how many went out by both gateways."""
        row = self._db.execute(
            'SELECT count(DISTINCT id) AS messages, count(DISTINCT "to") AS phones, '
            "coalesce(sum(handed - 1), 0) AS again, count(*) - count(DISTINCT id) AS twice FROM sms"
        ).fetchone()
        return dict(row)

    def add_hook(self, receiver: str, message_id: str, headers: Mapping[str, str], body: bytes, at: float) -> None:
        """Keep a webhook; one that came before under its id is only counted."""
        with self._db:
            self._db.execute(
                "INSERT INTO hook (receiver, id, headers, body, received_at) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (receiver, id) DO UPDATE SET handed = handed + 1",
                (receiver, message_id, json.dumps(dict(headers)), body, at),
            )

    def list_hooks(self, receiver: str, limit: int) -> list[dict[str, Any]]:
        """Webhooks of a receiver, in the order in which they first came."""
        rows = self._db.execute(
            "SELECT id, headers, body, received_at, handed FROM hook WHERE receiver = ? ORDER BY rowid LIMIT ?",
            (receiver, limit),
        )
        return [
            {**dict(row), "headers": json.loads(row["headers"]), "body": bytes(row["body"]).decode()} for row in rows
        ]

    def clear(self, tables: Sequence[str] = ("sms", "hook")) -> None:
        """Forget everything."""
        with self._db:
            for table in tables:
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608  (names are ours)

    def close(self) -> None:
        """Close the file."""
        self._db.close()
