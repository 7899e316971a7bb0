"""What a person is shown of himself."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.recognition.domain import words
from services.recognition.domain.enrolments import Status
from services.recognition.domain.months import first_of_month
from services.recognition.domain.overpayments import OverpaymentState
from services.recognition.domain.programs import Effect, EndingEvent, Program
from services.recognition.domain.sentences import Announced, Benefit, Standing, about, certified, standing, summary
from services.recognition.store import mine, overpayments
from services.recognition.usecases import cycles as in_cycles
from services.recognition.usecases.deps import Deps
from shared.contracts.names import EVIDENCE_CLASSES
from shared.contracts.vocabulary import Channel
from shared.kit.db import ReadTx

HOTLINE = "12333"
_GONE = frozenset({OverpaymentState.CLOSED, OverpaymentState.CANCELLED})


async def read_status(deps: Deps, tx: ReadTx, subject: UUID) -> dict[str, Any]:
    """Am I certified, until when, by what class of evidence, which programs took it, what must I do."""
    today = deps.clock.today()
    codes = list(deps.programs)
    cycles = [deps.programs[code].in_force(today).cycle_months for code in codes]
    rows = await mine.list_benefits(tx, subject, codes, cycles)
    stands = {row["program"]: row for row in await in_cycles.of_person(deps, tx, subject, None)}
    benefits = [(row, _benefit(deps.programs[row["program"]], row, stands.get(row["program"]), today)) for row in rows]
    every = [each for _, each in benefits]
    ends = [each.until for each in every if each.until and standing(each, today) is Standing.CERTIFIED]
    return {
        "summary": summary(every, today),
        "certified": certified(every, today),
        "valid_until": min(ends, default=None),
        "benefits": [
            _shown(deps.programs[row["program"]], row, each, today) | _cycle(stands.get(row["program"]))
            for row, each in benefits
        ],
        "overpaid": await _overpaid(deps, tx, subject),
        "ways": list(words.OTHER_WAYS),
        "hotline": HOTLINE,
    }


def _cycle(stands: asyncpg.Record | None) -> dict[str, Any]:
    return {name: stands[of] if stands else None for name, of in (("cycle", "state"), ("grace_until", "grace_until"))}


def _benefit(program: Program, row: asyncpg.Record, stands: asyncpg.Record | None, today: date) -> Benefit:
    announced = None
    if row["decision_id"] is not None:
        announced = Announced(
            reason=EndingEvent(row["reason"]),
            effect=Effect(row["effect"]),
            stops_from=row["stops_from"],
            answer_by=row["notice_until"],
            intended=row["intended"],
        )
    return Benefit(
        label=program.label,
        status=Status(row["status"]),
        under_review=row["under_review"],
        until=row["until"],
        task_due_on=stands["task_due_on"] if stands else None,
        announced=announced,
        asks_more=program.in_force(today).asks_more(),
    )


def _shown(program: Program, row: asyncpg.Record, benefit: Benefit, today: date) -> dict[str, Any]:
    where = standing(benefit, today)
    holds = where is Standing.CERTIFIED
    return {
        "program": program.code,
        "label": program.label,
        "owner": words.department(program.owner),
        "standing": where,
        "sentence": about(benefit, today),
        "valid_until": row["until"] if holds else None,
        # The month is enough to recognise it by; the day could tell where the person was.
        "as_of": first_of_month(row["as_of"]) if holds else None,
        "channel": words.CHANNELS[Channel(row["channel"])] if holds else None,
        "evidence": [EVIDENCE_CLASSES.get(each, "其他") for each in row["evidence_class"] or ()] if holds else [],
        "stops_from": row["stops_from"],
        "answer_by": row["notice_until"] if where is Standing.STOP_INTENDED else None,
    }


async def _overpaid(deps: Deps, tx: ReadTx, subject: UUID) -> list[dict[str, Any]]:
    return [
        {
            "program": each.program,
            "label": deps.programs[each.program].label,
            "due_fen": each.due_fen,
            "left_fen": each.balance.left,
            "refund_due_on": each.refund_due_on,
        }
        for each in await overpayments.list_of_person(tx, subject)
        if each.state not in _GONE and each.program in deps.programs
    ]


async def read_looks(
    deps: Deps, tx: ReadTx, subject: UUID, *, before: datetime | None, limit: int
) -> tuple[list[dict[str, Any]], datetime | None]:
    """Who looked at the person, newest first: organisation and purpose; and where to go on."""
    rows = await mine.list_looks(tx, subject, before=before, limit=limit)
    return [_look(deps.programs, row) for row in rows], rows[-1]["logged_at"] if len(rows) >= limit else None


def _look(programs: Mapping[str, Program], row: asyncpg.Record) -> dict[str, Any]:
    program = programs.get(row["program"] or "")
    fallback = f"办理{program.label}" if program else "依法履职"
    return {
        "at": row["at"],
        "organisation": words.department(row["department"]),
        "action": words.ACTIONS.get(row["action"], "查看"),
        "program": program.label if program else None,
        "purpose": words.PURPOSES.get(row["purpose"] or "", fallback),
        "refused": row["answer"].startswith("denied"),
    }


def masked_id(plain: str) -> str:
    """A citizen id as it stands on paper: first six and last four."""
    return f"{plain[:6]}{'*' * 8}{plain[-4:]}"


def proof_lines(status: Mapping[str, Any], shown_id: str, today: date) -> Sequence[str]:
    """The lines of a printable proof."""
    lines = [f"居民身份证号：{shown_id}", f"出具日期：{words.day(today)}", "", status["summary"], ""]
    return [*lines, *(each["sentence"] for each in status["benefits"])]
