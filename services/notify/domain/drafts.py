"""Which messages an event makes. Ids are made from what the event tells of, so hearing it twice doubles nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import blake2b
from typing import Final
from uuid import UUID, uuid5

import numpy as np
import orjson
import polars as pl
import pyarrow as pa

from shared.contracts.vocabulary import CaseConclusion, Claim, Confidence, SuspicionKind

CERTIFIED: Final = "certified"
DUE_STEPS: Final[tuple[tuple[int, str], ...]] = ((30, "due_30"), (60, "due_60"))
DUE_FIRST: Final = "due_90"
DUE_PAST: Final = "due_past"
REMINDERS: Final = frozenset({DUE_FIRST, DUE_PAST, *(code for _, code in DUE_STEPS)})
"""What nobody needs to hear who has been certified beyond the day it speaks of."""
SUSPICION_OPENED: Final = "suspicion_opened"

DEATH_KINDS: Final = frozenset({SuspicionKind.DEATH, SuspicionKind.CONFLICT})
"""Kinds of suspicion under which somebody stands recorded as dead in some register."""
DEATH_STANDS: Final = frozenset({CaseConclusion.CONFIRMED, CaseConclusion.CONFIRMED_NO_OVERPAYMENT})
DEATH_LIFTED: Final = frozenset({CaseConclusion.FALSE_DEATH, CaseConclusion.UNFOUNDED})

DRAFT_SCHEMA: Final = pa.schema(
    {
        "id": pa.binary(16),
        "subject": pa.binary(16),
        "recipient": pa.string(),
        "division": pa.string(),
        "about": pa.binary(16),
        "decision": pa.binary(16),
        "variables": pa.string(),
        "revision": pa.int32(),
        "said_at": pa.timestamp("us", "UTC"),
    }
)

DEAD_SCHEMA: Final = pa.schema(
    {
        "subject": pa.binary(16),
        "record_id": pa.binary(16),
        "revision": pa.int32(),
        "stands": pa.bool_(),
        "since": pa.date32(),
        "reason": pa.string(),
    }
)
"""Records of a death: what says so, and whether it still does; of each the highest revision counts.

One whose reason is `ALIVE` speaks of no death: people found then that he lived, until the day `since` where it names
one; `ALIVE_UNDATED` that a death whose day nobody knew was none, and `ALIVE_UNSUSPECTED` what registers told of such a
one.
"""
ALIVE: Final = "alive"
ALIVE_UNDATED: Final = "alive_undated"
ALIVE_UNSUSPECTED: Final = "alive_unsuspected"

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafts:
    """Messages of one template, not yet written.

    Attributes:
        template: its code.
        rows: of `DRAFT_SCHEMA`, each id once; `recipient` is a department, grid member or partner where it is for one,
            `about` what it tells of where that is one thing, `decision` whose notice it is, `revision` grows with what
            is known, `said_at` is when its event was said where of several what was said last is so.
    """

    template: str
    rows: pa.Table


def message_ids(template: str, keys: np.ndarray) -> np.ndarray:
    """Ids of messages, shape (n, 16), uint8, from the template and what each is about (n rows of bytes).

    Hashed, so that an id handed to a provider does not tell the subject or the certificate.
    """
    person = b"wugan message"
    head = template.encode() + b"\0"
    raw = b"".join(blake2b(head + row.tobytes(), digest_size=16, person=person).digest() for row in keys)
    return np.frombuffer(raw, dtype=np.uint8).reshape(-1, 16)


def message_id(template: str, key: bytes) -> UUID:
    """Id of one message."""
    return UUID(bytes=message_ids(template, np.frombuffer(key, dtype=np.uint8).reshape(1, -1)).tobytes())


def one(template: str, key: bytes, variables: Mapping[str, object], **who: object) -> Drafts:
    """One message; `who` gives subject, about and decision (UUID), recipient and division (text)."""
    ids = {name: who.get(name) for name in ("subject", "about", "decision")}
    row = {
        "id": message_id(template, key).bytes,
        **{name: value.bytes if isinstance(value, UUID) else None for name, value in ids.items()},
        "recipient": who.get("recipient"),
        "division": who.get("division"),
        "variables": orjson.dumps(dict(variables)).decode(),
        "revision": 0,
    }
    return Drafts(template=template, rows=pa.Table.from_pylist([row], schema=DRAFT_SCHEMA))


def certified(table: pa.Table, issued_on: date, said_at: datetime | None = None) -> Drafts:
    """One message a person and day on which a certificate of life reached further than what the person had before.

    However many certificates a day brings, and in whatever order, the person is told once; the furthest end is told,
    unless it has been revoked.

    Args:
        table: body of CERTIFICATES_ISSUED.
        issued_on: business day on which they were issued.
        said_at: when that was said.
    """
    frame = _frame(table.select(["subject", "certificate_id", "claim", "valid_until", "previous_until", "programs"]))
    told = frame.filter(
        (pl.col("claim") == Claim.ALIVE)
        & pl.col("valid_until").is_not_null()
        & (pl.col("previous_until").is_null() | (pl.col("valid_until") > pl.col("previous_until")))
    )
    told = told.sort("valid_until", "certificate_id", descending=True).unique(
        "subject", keep="first", maintain_order=True
    )
    told = told.with_columns(said_at=pl.lit(said_at, pl.Datetime("us", "UTC")))
    day = np.full((len(told), 1), (issued_on - _EPOCH).days, dtype=">i4").view(np.uint8).reshape(-1, 4)
    return _drafts(
        CERTIFIED,
        told,
        keys=np.hstack([_bytes(told, "subject"), day]),
        about=_bytes(told, "certificate_id"),
        variables=pl.struct(valid_until=pl.col("valid_until").cast(pl.String), programs=pl.col("programs")),
        # Of what was said at once, a later end says all that an earlier one says.
        revision=(pl.col("valid_until") - pl.lit(_EPOCH)).dt.total_days(),
    )


def due(table: pa.Table, run_on: date) -> list[Drafts]:
    """One message a person, due date and step: 90, 60 and 30 days before, and one for who was first missed after it.

    Each step is told once however often it runs.

    Args:
        table: body of CERTIFICATIONS_DUE.
        run_on: day of the run.
    """
    frame = _frame(table.select(["subject", "due_on", "programs"])).filter(pl.col("due_on").is_not_null())
    frame = frame.unique(["subject", "due_on"], keep="first", maintain_order=True)
    left = (pl.col("due_on") - pl.lit(run_on)).dt.total_days()
    step = pl.lit(DUE_FIRST)
    for days, code in (*reversed(DUE_STEPS), (-1, DUE_PAST)):
        step = pl.when(left <= days).then(pl.lit(code)).otherwise(step)
    stepped = frame.with_columns(step=step)
    made = []
    for (code,), rows in stepped.group_by(["step"], maintain_order=True):
        day = rows["due_on"].cast(pl.Int32).to_numpy().astype(">i4").view(np.uint8).reshape(-1, 4)
        made.append(
            _drafts(
                str(code),
                rows,
                keys=np.hstack([_bytes(rows, "subject"), day]),
                variables=pl.struct(due_on=pl.col("due_on").cast(pl.String), programs=pl.col("programs")),
                # Of several that wait the latest day stands: a day only moves on by what has been seen of the person.
                revision=(pl.col("due_on") - pl.lit(_EPOCH)).dt.total_days(),
            )
        )
    return made


def suspicions(table: pa.Table) -> Drafts:
    """One message for the officer a suspicion, which grows with evidence.

    Args:
        table: body of SUSPICION_RAISED.
    """
    columns = ["subject", "suspicion_id", "kind", "confidence", "event_on", "revision", "sources"]
    frame = _frame(table.select(columns)).sort("revision", descending=True)
    newest = frame.unique("suspicion_id", keep="first", maintain_order=True)
    return _drafts(
        SUSPICION_OPENED,
        newest,
        keys=_bytes(newest, "suspicion_id"),
        about=_bytes(newest, "suspicion_id"),
        variables=pl.struct(
            kind=pl.col("kind"),
            confidence=pl.col("confidence"),
            event_on=pl.col("event_on").cast(pl.String),
            sources=pl.col("sources").list.len(),
        ),
        revision=pl.col("revision"),
    )


def recorded_dead(table: pa.Table) -> pa.Table:
    """What SUSPICION_RAISED says of deaths, columns DEAD_SCHEMA, each suspicion once.

    A bare hint records nobody as dead, and a suspicion said again without evidence has been taken back.
    """
    kinds = [kind.value for kind in DEATH_KINDS]
    columns = ["subject", "suspicion_id", "kind", "confidence", "event_on", "revision", "evidence_ids"]
    frame = _frame(table.select(columns)).filter(pl.col("kind").is_in(kinds)).sort("revision", descending=True)
    newest = frame.unique("suspicion_id", keep="first", maintain_order=True)
    said = newest.select(
        revision=pl.col("revision").cast(pl.Int32),
        stands=(pl.col("confidence") != Confidence.HINT.value) & (pl.col("evidence_ids").list.len() > 0),
        since="event_on",
        reason="kind",
    ).to_arrow()
    return pa.table(
        {
            "subject": _ids(_bytes(newest, "subject")),
            "record_id": _ids(_bytes(newest, "suspicion_id")),
            **{name: said[name].cast(DEAD_SCHEMA.field(name).type) for name in said.column_names},
        },
        schema=DEAD_SCHEMA,
    )


def found_dead(subject: UUID, record_id: UUID, since: date | None, reason: str) -> pa.Table:
    """A death that people have found, columns DEAD_SCHEMA."""
    row = {
        "subject": subject.bytes,
        "record_id": record_id.bytes,
        "revision": 1,
        "stands": True,
        "since": since,
        "reason": reason,
    }
    return pa.Table.from_pylist([row], DEAD_SCHEMA)


def found_alive(subject: UUID, until_on: date | None, at: datetime, reason: str = ALIVE) -> pa.Table:
    """That people found somebody alive, columns DEAD_SCHEMA: what they do twice is two records.

    Args:
        subject: who lives.
        until_on: last day of which they speak; None: whatever had been recorded by then.
        at: when they found it, or what they speak of that names no day.
        reason: `ALIVE`, or what they say of a death that names no day.
    """
    row = {
        "subject": subject.bytes,
        "record_id": uuid5(subject, f"{reason} {until_on} {at.isoformat()}").bytes,
        "revision": 0,
        "stands": False,
        "since": until_on,
        "reason": reason,
    }
    return pa.Table.from_pylist([row], DEAD_SCHEMA)


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame.with_columns(pl.col(pl.Categorical).cast(pl.String))


def _bytes(frame: pl.DataFrame, column: str) -> np.ndarray:
    raw = b"".join(frame[column].to_list())
    return np.frombuffer(raw, dtype=np.uint8).reshape(-1, 16)


def _ids(array: np.ndarray) -> pa.FixedSizeBinaryArray:
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(16), len(array), [None, pa.py_buffer(np.ascontiguousarray(array))]
    )


def _when(frame: pl.DataFrame, column: str) -> pa.Array:
    kind = DRAFT_SCHEMA.field(column).type
    return frame[column].to_arrow().cast(kind) if column in frame.columns else pa.nulls(len(frame), kind)


def _drafts(
    template: str,
    frame: pl.DataFrame,
    *,
    keys: np.ndarray,
    variables: pl.Expr,
    revision: pl.Expr,
    about: np.ndarray | None = None,
) -> Drafts:
    said = frame.select(variables=variables.struct.json_encode(), revision=revision.cast(pl.Int32))
    ids, subjects = message_ids(template, keys), _bytes(frame, "subject")
    count = len(frame)
    rows = pa.table(
        {
            "id": _ids(ids),
            "subject": _ids(subjects),
            "recipient": pa.nulls(count, pa.string()),
            "division": pa.nulls(count, pa.string()),
            "about": pa.nulls(count, pa.binary(16)) if about is None else _ids(about),
            "decision": pa.nulls(count, pa.binary(16)),
            "variables": said["variables"].to_arrow().cast(pa.string()),
            "revision": pa.array(said["revision"].to_numpy() if count else [], pa.int32()),
            "said_at": _when(frame, "said_at"),
        },
        schema=DRAFT_SCHEMA,
    )
    return Drafts(template=template, rows=rows)
