"""Records partners or cases say are wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from services.recognition.store import words
from shared.contracts.vocabulary import CorrectionReason, CorrectionStatus
from shared.kit.crypto import Vault
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A correction that was asked for; `parts` holds each department's own answer by its id.

    Attributes:
        reason: a code, or in the words of whoever asked; words are sealed in the row, as is the answer.
    """

    correction_id: UUID
    client_id: str
    program: str
    subject: UUID
    reason: str
    status: CorrectionStatus
    parts: Mapping[str, str]
    answer: str | None
    due_on: date | None
    requested_at: datetime
    changed_at: datetime


REASONS = frozenset(CorrectionReason)
_NAMES = [*Correction.__dataclass_fields__, "sealed_reason", "sealed_answer"]
_READ = ", ".join("parts::text AS parts" if name == "parts" else name for name in _NAMES)


def _made(vault: Vault, row: asyncpg.Record) -> Correction:
    values: dict[str, Any] = dict(row)
    reason, answer, about = values.pop("sealed_reason"), values.pop("sealed_answer"), row["correction_id"]
    return Correction(
        **values
        | {
            "status": CorrectionStatus(row["status"]),
            "parts": orjson.loads(row["parts"]),
            "reason": words.read(vault, row["reason"], reason, about),
            "answer": vault.open_text(answer, about) if answer else row["answer"],
        }
    )


async def save(tx: WriteTx, vault: Vault, one: Correction) -> None:
    """Keep a correction as it is now."""
    places = ", ".join(f"${at}::text::jsonb" if name == "parts" else f"${at}" for at, name in enumerate(_NAMES, 1))
    changed = ", ".join(f"{name} = excluded.{name}" for name in _NAMES[4:])
    about, answer = one.correction_id, one.answer
    values = {name: getattr(one, name) for name in Correction.__dataclass_fields__} | {
        "parts": orjson.dumps(dict(one.parts)).decode(),
        "reason": words.coded(one.reason, REASONS),
        "answer": answer and words.coded(answer, REASONS),
        "sealed_reason": words.sealed(vault, one.reason, about, REASONS),
        "sealed_answer": words.sealed(vault, answer, about, REASONS) if answer else None,
    }
    await tx.run(
        f"INSERT INTO correction ({', '.join(_NAMES)}) VALUES ({places}) "  # noqa: S608  (column names)
        f"ON CONFLICT (correction_id) DO UPDATE SET {changed}",
        *values.values(),
    )


async def find(tx: ReadTx, vault: Vault, correction_id: UUID) -> Correction | None:
    """One correction; inside a write it is held until the end."""
    hold = " FOR UPDATE" if isinstance(tx, WriteTx) else ""
    rows = await tx.fetch(f"SELECT {_READ} FROM correction WHERE correction_id = $1{hold}", correction_id)  # noqa: S608
    return _made(vault, rows[0]) if rows else None


async def evidence_of(tx: ReadTx, subject: UUID, program: str) -> list[int] | None:
    """Evidence behind the certificates in force of a person this program pays; None for whom it does not."""
    rows = await tx.fetch(
        "SELECT (SELECT array_agg(DISTINCT id) FROM certificate c, unnest(c.evidence_ids) AS id WHERE c.subject = $1 "
        "AND NOT EXISTS (SELECT FROM revocation r WHERE r.subject = c.subject AND r.certificate_id = c.certificate_id))"
        " AS ids FROM enrolment WHERE subject = $1 AND program = $2 AND listed",
        subject,
        program,
    )
    return list(rows[0]["ids"] or []) if rows else None


async def add_of_case(
    tx: WriteTx, *, correction_id: UUID, case_id: UUID, subject: UUID, evidence_ids: Sequence[int], at: datetime
) -> bool:
    """Note the correction a case asks for; False when it asked before."""
    tag = await tx.run(
        "INSERT INTO case_correction (correction_id, case_id, subject, evidence_ids, requested_at) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        correction_id,
        case_id,
        subject,
        list(evidence_ids),
        at,
    )
    return tag.endswith("1")


async def evidence_of_case(tx: ReadTx, case_id: UUID) -> list[int]:
    """What the suspicion behind a case rested on."""
    rows = await tx.fetch("SELECT evidence_ids FROM finding WHERE case_id = $1", case_id)
    return list(rows[0]["evidence_ids"]) if rows else []
