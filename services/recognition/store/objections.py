"""Objections and their reviews."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.recognition.domain.objections import ObjectionAbout, ObjectionStage, ObjectionState
from services.recognition.store import words
from services.recognition.store.records import insert
from shared.kit.crypto import Vault
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """What a person says is wrong.

    Attributes:
        said: in his words; sealed in the row, as is the answer.
    """

    objection_id: UUID
    subject: UUID
    program: str
    decision_id: UUID | None
    about: ObjectionAbout
    said: str
    stage: ObjectionStage
    reviews: UUID | None
    state: ObjectionState
    received_at: datetime
    due_on: date
    answered_by: str | None
    answered_at: datetime | None
    answer: str | None


_COLUMNS = ", ".join([*Objection.__dataclass_fields__, "sealed_said", "sealed_answer"])


def _objection(vault: Vault, row: asyncpg.Record) -> Objection:
    values = dict(row)
    said, answer, about = values.pop("sealed_said"), values.pop("sealed_answer"), row["objection_id"]
    return Objection(
        **values
        | {
            "about": ObjectionAbout(row["about"]),
            "stage": ObjectionStage(row["stage"]),
            "state": ObjectionState(row["state"]),
            "said": words.read(vault, row["said"], said, about),
            "answer": vault.open_text(answer, about) if answer else row["answer"],
        }
    )


async def add_objection(tx: WriteTx, vault: Vault, objection: Objection) -> None:
    """Keep an objection that waits for its answer."""
    sealed = words.sealed(vault, objection.said, objection.objection_id)
    await insert(tx, "objection", objection, said=words.coded(objection.said), sealed_said=sealed)


async def find_objection(tx: ReadTx, vault: Vault, objection_id: UUID) -> Objection | None:
    """One objection; inside a write it is held until the end."""
    hold = " FOR UPDATE" if isinstance(tx, WriteTx) else ""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM objection WHERE objection_id = $1{hold}", objection_id)  # noqa: S608
    return _objection(vault, rows[0]) if rows else None


async def whose(tx: ReadTx, objection_id: UUID) -> UUID | None:
    """Who made an objection; nothing is held."""
    rows = await tx.fetch("SELECT subject FROM objection WHERE objection_id = $1", objection_id)
    return rows[0]["subject"] if rows else None


async def list_of(tx: ReadTx, vault: Vault, subject: UUID, programs: Sequence[str] | None = None) -> list[Objection]:
    """A person's objections, oldest first; of all programs where `programs` is None."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM objection WHERE subject = $1 "  # noqa: S608  (column names)
        "AND ($2::text[] IS NULL OR program = ANY ($2)) ORDER BY received_at, objection_id",
        subject,
        None if programs is None else list(programs),
    )
    return [_objection(vault, row) for row in rows]


async def list_open(
    tx: ReadTx, vault: Vault, programs: Sequence[str], *, divisions: Sequence[str], limit: int
) -> list[Objection]:
    """Objections waiting for an answer, the most urgent first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM objection WHERE state = 'received' AND program = ANY ($1) "  # noqa: S608
        "AND in_divisions(subject, program, $3) ORDER BY due_on, objection_id LIMIT $2",
        list(programs),
        limit,
        list(divisions),
    )
    return [_objection(vault, row) for row in rows]


async def is_open(tx: ReadTx, subject: UUID, program: str) -> bool:
    """Whether the person waits for an answer about this benefit."""
    rows = await tx.fetch(
        "SELECT FROM objection WHERE subject = $1 AND program = $2 AND state = 'received' LIMIT 1", subject, program
    )
    return bool(rows)


async def find_review(tx: ReadTx, objection_id: UUID) -> bool:
    """Whether a review of this objection was asked for."""
    return bool(await tx.fetch("SELECT FROM objection WHERE reviews = $1", objection_id))


async def answer_objection(tx: WriteTx, vault: Vault, answered: Objection) -> None:
    """Note what an officer answered, and about which decision."""
    assert answered.answer is not None
    await tx.run(
        "UPDATE objection SET state = $2, answered_by = $3, answered_at = $4, answer = $5, sealed_answer = $6, "
        "decision_id = $7 WHERE objection_id = $1",
        answered.objection_id,
        answered.state,
        answered.answered_by,
        answered.answered_at,
        words.coded(answered.answer),
        words.sealed(vault, answered.answer, answered.objection_id),
        answered.decision_id,
    )
