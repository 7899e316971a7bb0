"""Bulk answers in the words of the partner API, by columns; `recognise.Speaker` says the same one by one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from services.recognition.domain.answers import evidence_class, hints
from services.recognition.domain.payruns import ADVICE_CODES, NOTE_CODES, REASON_CODES, Advice, Advised, HoldReason
from services.recognition.domain.programs import Program, ProgramVersion
from services.recognition.store.bulk import ANSWERS, CHANNELS, days
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.recognise import all_outstanding, outstanding
from shared.contracts.vocabulary import Answer, Claim

_OUTSTANDING = pl.List(pl.Struct({"claim": pl.String, "with": pl.String, "hint": pl.String}))
_RECOGNISED = ANSWERS.index(Answer.RECOGNISED)
_DECIDED = [REASON_CODES.index(each) for each in (HoldReason.PART_DUE, HoldReason.REDUCED)]
_NOTE_KINDS = 1 << len(NOTE_CODES)


def say_answers(
    deps: Deps, client_id: str, program: Program, version: ProgramVersion, seen: np.ndarray, checked_at: str
) -> pl.DataFrame:
    """Answers in the order of `seen`, one row a person, in the shape of `RecognitionOut`."""
    recognised = seen["answer"] == _RECOGNISED
    channels = np.where(recognised, seen["channel"], 0)
    classes = pl.Series([str(evidence_class(channel)) for channel in CHANNELS])
    frame = pl.DataFrame(
        {
            "person": persons(deps, client_id, seen["subject"]),
            "program": pl.repeat(program.code, len(seen), eager=True),
            "answer": answers(seen),
            "as_of": days(seen["as_of"]),
            "valid_until": days(seen["until"]),
            "outstanding_claims": _outstanding(program, version, recognised, channels),
            "certificate": _references(deps, client_id, seen, recognised),
            "evidence_class": classes.gather(channels.astype(np.int64)),
            "recognised": recognised,
        }
    )
    claim = pl.struct(pl.lit(str(Claim.ALIVE)).alias("claim"), "as_of", "valid_until")
    known = pl.col("recognised")
    return frame.select(
        "person",
        "program",
        "answer",
        pl.concat_list(pl.when(known).then(claim)).list.drop_nulls().alias("claims"),
        "outstanding_claims",
        pl.when(known).then("valid_until").alias("valid_until"),
        "certificate",
        pl.when(known).then("evidence_class").alias("evidence_class"),
        pl.lit(checked_at).alias("checked_at"),
    )


def answers(seen: np.ndarray) -> pl.Series:
    """The answers alone."""
    return pl.Series(ANSWERS).gather(seen["answer"].astype(np.int64))


def advice(advised: Advised) -> pl.Series:
    """The advice alone, a hold with its reason: what the usage log keeps."""
    holds = [f"{Advice.HOLD.value}:{reason.value}" for reason in REASON_CODES]
    plain = [each.value for each in ADVICE_CODES]
    return pl.Series([*plain, *holds]).gather(
        np.where(advised.reason < 0, advised.advice, len(plain) + advised.reason).astype(np.int64)
    )


def logged(listed: pa.Table, said: pl.Series, otherwise: str) -> pl.Series:
    """What the usage log keeps of each line of a list: what was said, or the problem after a word."""
    problems = pl.Series(pl.from_arrow(listed.column("problem")), dtype=pl.String)
    good = np.flatnonzero(problems.is_null().to_numpy())
    return (otherwise + ":" + problems).scatter(good, said)


def say_advice(deps: Deps, client_id: str, seen: np.ndarray, advised: Advised) -> pl.DataFrame:
    """Advice in the order of `seen`, one row a line."""
    notes = pl.Series(
        [[note.value for at, note in enumerate(NOTE_CODES) if kind >> at & 1] for kind in range(_NOTE_KINDS)],
        dtype=pl.List(pl.String),
    )
    decided = (advised.advice == ADVICE_CODES.index(Advice.STOP)) | np.isin(advised.reason, _DECIDED)
    return pl.DataFrame(
        {
            "person": persons(deps, client_id, seen["subject"]),
            "advice": pl.Series([each.value for each in ADVICE_CODES]).gather(advised.advice.astype(np.int64)),
            "reason": pl.Series([*(each.value for each in REASON_CODES), None]).gather(
                np.where(advised.reason < 0, len(REASON_CODES), advised.reason).astype(np.int64)
            ),
            "decision": _only(uuid_texts(seen["decision"]), decided & seen["decision"].any(axis=1)),
            "notes": notes.gather(advised.notes.astype(np.int64)),
        }
    )


def in_lines(listed: pa.Table, said: pl.DataFrame, *, action: str) -> pl.DataFrame:
    """What was said, beside every line of a list; a line with a problem has that in its place."""
    lines = pl.DataFrame(pl.from_arrow(listed.select(["line", "ref", "amount_fen", "problem"])))
    good = lines["problem"].is_null()
    place = pl.when(good).then(good.cast(pl.UInt32).cum_sum() - 1)
    beside = lines.with_columns(place.alias("place")).join(
        said.with_row_index("place"), on="place", how="left", maintain_order="left"
    )
    if action == "payrun":
        return beside.select(
            "line",
            "ref",
            "person",
            pl.coalesce("advice", pl.lit("hold")).alias("advice"),
            pl.coalesce("reason", "problem").alias("reason"),
            "decision",
            pl.col("notes").fill_null([]),
            "amount_fen",
        )
    return beside.drop("place", "amount_fen")


def persons(deps: Deps, client_id: str, subjects: np.ndarray) -> pl.Series:
    """What one client knows these people by."""
    plain = np.ascontiguousarray(subjects).tobytes().hex()
    texts = (f"{client_id}|{plain[at : at + 32]}" for at in range(0, len(plain), 32))
    return uuid_texts(deps.pairwise.many(texts))


def uuid_texts(raw: np.ndarray) -> pl.Series:
    """Sixteen bytes each, shape (n, 16), as the text of a uuid."""
    digits = np.frombuffer(np.ascontiguousarray(raw).tobytes().hex().encode(), dtype=np.uint8).reshape(-1, 32)
    dash = np.full((len(digits), 1), ord("-"), dtype=np.uint8)
    parts = np.split(digits, [8, 12, 16, 20], axis=1)
    texts = np.hstack([piece for part in parts for piece in (dash, part)][1:])
    places = np.arange(len(texts) + 1, dtype=np.int64) * texts.shape[1]
    column = pa.LargeStringArray.from_buffers(
        len(texts), pa.py_buffer(places), pa.py_buffer(np.ascontiguousarray(texts))
    )
    return pl.Series(pl.from_arrow(column))


def _only(texts: pl.Series, where: np.ndarray) -> pl.Series:
    return texts.set(pl.Series(~where), None)


def references(deps: Deps, client_id: str, seen: np.ndarray) -> list[str]:
    """References of the certificates of people who are recognised."""
    return deps.references.seal_many(client_id, np.hstack([seen["subject"], seen["certificate"]]).tobytes())


def _references(deps: Deps, client_id: str, seen: np.ndarray, recognised: np.ndarray) -> pl.Series:
    rows = np.flatnonzero(recognised)
    sealed = references(deps, client_id, seen[rows])
    return (
        pl.Series([None], dtype=pl.String)
        .new_from_index(0, len(seen))
        .scatter(rows, pl.Series(sealed, dtype=pl.String))
    )


def _outstanding(program: Program, version: ProgramVersion, recognised: np.ndarray, channels: np.ndarray) -> pl.Series:
    hinted = [hints(channel) for channel in CHANNELS]
    kinds: list[Sequence[Any]] = [*(outstanding(program, version, each) for each in hinted)]
    kinds.append(all_outstanding(program, version))
    place = np.where(recognised, channels, len(CHANNELS)).astype(np.int64)
    return pl.Series(kinds, dtype=_OUTSTANDING).gather(place)
