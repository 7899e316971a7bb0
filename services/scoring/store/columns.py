"""Between Arrow and the columns of the domain: messages, blocks of signals, opinions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.scoring.domain.classes import codes_of
from services.scoring.domain.negatives import Suspicion
from services.scoring.domain.opinions import DECISIONS, LEVELS, STRENGTHS, Lists, Opinions
from services.scoring.domain.signals import (
    BATCH_BITS,
    EPOCH,
    FIRST_DAY,
    KIND_OF_WORD,
    LAST_DAY,
    Array,
    Kind,
    Origin,
    Rows,
    Signals,
    day_number,
    subject_words,
)
from shared.contracts.vocabulary import EvidenceKind, Identity, Strength
from shared.kit import arrow
from shared.kit.clock import SHANGHAI

_READ = ["subject", "occurred_on", "kind", "identity", "evidence_id"]
_SHIFT = (EPOCH - date(1970, 1, 1)).days
_WORD_OF_KIND = {word: kind for kind in Kind for word in (kind.name.lower(),)} | KIND_OF_WORD
_POINT = pa.struct(
    [
        ("origin", pa.uint16()),
        ("day", pa.uint16()),
        ("trait", pa.uint8()),  # kind, and 16 where identified in full
        ("batch", pa.int32()),
        ("record", pa.uint32()),
    ]
)
_BLOCK = pa.schema([("subject", pa.binary(16)), ("signals", pa.list_(_POINT))])
_FULL = 16
MANY = 9  # candidates that are counted one by one; more is as good as nobody
_DEATH_WORDS = [EvidenceKind.DIED, EvidenceKind.HOSPITAL_DEATH, EvidenceKind.DECLARED_DEAD]
_FULL_IDENTITY = {Identity.FULL.value: 1, Identity.ID_ONLY.value: 0}


CANDIDATES = "candidates"
"""Attribute of a kept hint: how many people its record may mean."""


class UnreadableError(ValueError):
    """A message whose columns do not say what the contract promises."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heard:
    """The signals of one message, where they come from and when; their `origin` column is still empty."""

    origin: Origin
    rows: Rows
    received_on: date | None

    def late(self) -> dict[int, date]:
        """Numbers of the batches that delivered them, and when, unless it was on the day itself."""
        if self.received_on is None or not len(self.rows.day) or day_number(self.received_on) <= self.rows.day.min():
            return {}
        batches = self.rows.evidence >> BATCH_BITS
        one = batches.min() == batches.max()
        return dict.fromkeys(batches[:1].tolist() if one else np.unique(batches).tolist(), self.received_on)


def read_message(body: bytes) -> Heard:
    """The signals in the body of an evidence message.

    Raises:
        UnreadableError: a kind this version does not know, an absent value, or an attribute is missing.
    """
    table = arrow.decode(body)
    # One array a column, for most messages are small: what works on chunks costs more than these rows.
    subject, day, words, identity, evidence = (_array(table.column(name)) for name in _READ)
    if subject.null_count or day.null_count or words.null_count or identity.null_count or evidence.null_count:
        msg = "a column of the evidence holds absent values"
        raise UnreadableError(msg)
    kind = _codes(words, _WORD_OF_KIND).astype(np.uint8)
    days = day.view(pa.int32()).to_numpy() - _SHIFT
    rows = Rows(
        subjects=subject_words(arrow.subject_bytes(subject)),
        origin=np.zeros(len(kind), dtype=np.uint16),
        day=np.minimum(np.maximum(days, FIRST_DAY), LAST_DAY).astype(np.uint16),
        kind=kind,
        full=_codes(identity, _FULL_IDENTITY).astype(bool),
        evidence=evidence.to_numpy(),
    )
    said = arrow.attributes_of(table)
    return Heard(origin=_origin(said), rows=rows, received_on=_day_in(said, "received_at"))


def is_urgent(kinds: Array) -> bool:
    """Whether some of the signals are not merely that somebody was seen."""
    return bool((kinds != Kind.SEEN).any())


def by_shard(body: bytes) -> list[tuple[int, int, bytes]]:
    """A message of people of several shards as one a shard: number, rows, body."""
    kept = arrow.decode(body).select(_READ)
    return [(int(shard, 16), part.num_rows, piece) for shard, part, piece in arrow.split(kept)]


def _array(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    return column.combine_chunks() if column.num_chunks else pa.array([], column.type)


def _origin(said: dict[str, str]) -> Origin:
    try:
        strength = Strength(said["strength"])
        return Origin(
            source=said["source"],
            department=said["department"],
            strong=strength is Strength.STRONG,
            candidates=int(said.get(CANDIDATES, 1)),
        )
    except (KeyError, ValueError) as error:
        msg = "the message does not say source, department and strength"
        raise UnreadableError(msg) from error


def _day_in(said: dict[str, str], name: str) -> date | None:
    """The day of an instant among the attributes; None where it is not there, as with what people conclude."""
    at = said.get(name)
    try:
        return datetime.fromisoformat(at).astimezone(SHANGHAI).date() if at else None
    except ValueError as error:
        msg = f"{name} of the message is no instant"
        raise UnreadableError(msg) from error


def _codes(words: pa.DictionaryArray, known: Mapping[str, int]) -> Array:
    spelled = words.dictionary.to_pylist()
    if unknown := [word for word in spelled if word not in known]:
        msg = f"{len(unknown)} words of a column are not in the vocabulary of this version"
        raise UnreadableError(msg)
    if not spelled:
        return np.zeros(0, dtype=np.int64)
    codes: Array = np.asarray([known[word] for word in spelled])[words.indices.to_numpy(zero_copy_only=False)]
    return codes


def origin_of(body: bytes) -> Origin:
    """Where the signals of a message come from, without reading its rows.

    Raises:
        UnreadableError: it does not say so.
    """
    said = arrow.schema_of(body).metadata or {}
    return _origin({key.decode(): value.decode() for key, value in said.items()})


def at_origin(rows: Rows, number: int) -> Rows:
    """The rows with the number of their origin."""
    return Rows(
        subjects=rows.subjects,
        origin=np.full(len(rows.day), number, dtype=np.uint16),
        day=rows.day,
        kind=rows.kind,
        full=rows.full,
        evidence=rows.evidence,
    )


def raw_subjects(subjects: Array) -> Array:
    """Byte strings of 16 as shape (n, 16), uint8."""
    return np.ascontiguousarray(subjects).view(np.uint8).reshape(-1, 16)


def write_block(signals: Signals) -> bytes:
    """Signals as an Arrow stream: a row per person, with the list of his signals."""
    points = pa.StructArray.from_arrays(
        [
            pa.array(signals.origin),
            pa.array(signals.day),
            pa.array(signals.kind | np.where(signals.full, np.uint8(_FULL), np.uint8(0))),
            pa.array((signals.evidence >> BATCH_BITS).astype(np.int32)),
            pa.array((signals.evidence & 0xFFFFFFFF).astype(np.uint32)),
        ],
        fields=list(_POINT),
    )
    lists = pa.ListArray.from_arrays(pa.array(signals.starts.astype(np.int32)), points, type=pa.list_(_POINT))
    subjects = arrow.subject_array(raw_subjects(signals.subjects))
    return arrow.encode(pa.Table.from_arrays([subjects, lists], schema=_BLOCK))


def read_block(body: bytes) -> Signals:
    """The signals in a block."""
    batch = arrow.decode(body).combine_chunks().to_batches()[0]
    lists = batch.column("signals")
    origin, day, trait, number, record = (lists.values.field(place).to_numpy() for place in range(len(_POINT)))
    return Signals(
        subjects=subject_words(arrow.subject_bytes(batch.column("subject"))),
        starts=lists.offsets.to_numpy().astype(np.int64),
        origin=origin,
        day=day,
        kind=trait & np.uint8(_FULL - 1),
        full=(trait & np.uint8(_FULL)) != 0,
        evidence=(number.astype(np.int64) << BATCH_BITS) | record,
    )


def opinion_table(opinions: Opinions) -> pa.Table:
    """Opinions as the columns that are both stored and said."""
    classes, places = np.unique(opinions.classes, return_inverse=True)
    spelled = pa.array([codes_of(int(bits)) for bits in classes], pa.list_(pa.string()))
    words = pa.array(list(opinions.words), pa.string()).take(pa.array(opinions.reasons.values))
    return pa.table(
        {
            "subject": arrow.subject_array(raw_subjects(opinions.subjects)),
            "level": _words(opinions.level, LEVELS),
            "decision": _words(opinions.decision, DECISIONS),
            "as_of": _dates(opinions.as_of),
            "strength": _words(opinions.strength, STRENGTHS),
            "valid_months": pa.array(opinions.valid_months.astype(np.int16), mask=opinions.valid_months == 0),
            "points": pa.array(opinions.points.astype(np.int16)),
            "marked": pa.array(opinions.marked),
            "reasons": _list_array(opinions.reasons, words),
            "evidence_ids": _list_array(opinions.evidence, pa.array(opinions.evidence.values.astype(np.int64))),
            "evidence_class": spelled.take(pa.array(places)),
        }
    )


def _words(codes: Array, words: Sequence[str | None]) -> pa.DictionaryArray:
    known = [word for word in words if word is not None]
    absent = len(words) - len(known)
    return pa.DictionaryArray.from_arrays(
        pa.array((codes - absent).astype(np.int8), mask=codes < absent), pa.array([str(word) for word in known])
    )


def _dates(days: Array) -> pa.Array:
    return pa.array((days + _SHIFT).astype(np.int32), mask=days == 0).cast(pa.date32())


def _list_array(lists: Lists, values: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(lists.starts.astype(np.int32)), values)


def suspicion_columns(found: Sequence[Suspicion]) -> dict[str, pa.Array]:
    """Suspicions as the columns that are both stored and said."""
    return {
        "kind": pa.array([str(each.kind) for each in found]),
        "confidence": pa.array([str(each.confidence) for each in found]),
        "event_on": pa.array([each.event_on for each in found], pa.date32()),
        "evidence_ids": pa.array([list(each.evidence) for each in found], pa.list_(pa.int64())),
        "sources": pa.array([list(each.sources) for each in found], pa.list_(pa.string())),
        "reasons": pa.array([list(each.reasons) for each in found], pa.list_(pa.string())),
    }


def correction_body(table: pa.Table) -> bytes:
    """A message of corrections as signals: one fact a record that its department took back, of the day it did so.

    Raises:
        UnreadableError: an absent value, or no department.
    """
    said = arrow.attributes_of(table)
    attributes = {"source": "evidence_correction", "department": said.get("department", ""), "strength": "strong"}
    if corrected_on := _day_in(said, "corrected_at"):
        days = pa.array([corrected_on] * table.num_rows, pa.date32())
        table = table.set_column(table.column_names.index("occurred_on"), "occurred_on", days)
    return _facts_body(table, Kind.TAKEN_BACK, attributes)


def hint_bodies(table: pa.Table) -> list[tuple[int, bytes]]:
    """A message of hints as signals, those of death; one body for each number of candidates, with its rows.

    Raises:
        UnreadableError: an absent value, or no source or department.
    """
    said = arrow.attributes_of(table)
    deaths = table.filter(pc.is_in(table.column("kind").cast(pa.string()), pa.array(_DEATH_WORDS)))
    many = np.clip(deaths.column("candidates").fill_null(MANY).to_numpy(), 1, MANY)
    bodies = []
    for number in np.unique(many).tolist():
        some = deaths.filter(pa.array(many == number))
        attributes = {
            "source": said.get("source", ""),
            "department": said.get("department", ""),
            "strength": "strong",
            "received_at": said.get("received_at", ""),
            CANDIDATES: str(number),
        }
        bodies.append((some.num_rows, _facts_body(some, Kind.HINT, attributes)))
    return bodies


def _facts_body(table: pa.Table, kind: Kind, attributes: Mapping[str, str]) -> bytes:
    if not attributes["source"] or not attributes["department"]:
        msg = "the message does not say source and department"
        raise UnreadableError(msg)
    if any(table.column(name).null_count for name in ("subject", "occurred_on", "evidence_id")):
        msg = "a column of the message holds absent values"
        raise UnreadableError(msg)
    rows = table.num_rows
    whole = pa.table(
        {
            "subject": table.column("subject"),
            "occurred_on": table.column("occurred_on"),
            "kind": pa.array([kind.name.lower()] * rows, pa.string()).dictionary_encode(),
            "identity": pa.array([Identity.FULL.value] * rows, pa.string()).dictionary_encode(),
            "evidence_id": table.column("evidence_id"),
        }
    )
    return arrow.encode(whole.replace_schema_metadata(attributes))
