"""Rosters: people sealed into the vault, enrolments brought up to date, the differences said."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

import numpy as np
import orjson
import polars as pl
import pyarrow as pa

from services.ingest.domain.roster import JudgedRoster
from services.ingest.store import batches, people
from services.ingest.store.batches import Batch
from services.ingest.usecases.hashing import Keys
from shared.contracts.events import CONTACTS_CHANGED, ENROLMENTS_CHANGED
from shared.kit import arrow
from shared.kit.db import WriteTx
from shared.kit.outbox import Outbox

HELD = "held"
_CONTACT = ("name", "phone", "family_phone", "card_tail", "division", "group_no")


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """A judged roster on its way into the database.

    Attributes:
        full: whoever is not in it has ended.
        end_share: share of open enrolments it may end without a second look.
        confirmed: somebody has looked.
    """

    program: str
    judged: JudgedRoster
    full: bool
    today: date
    at: datetime
    end_share: float
    confirmed: bool


async def take_roster(tx: WriteTx, outbox: Outbox, keys: Keys, batch: Batch, roster: Roster) -> Batch:
    """Bring vault and enrolments to the roster; held instead when too many would end and nobody has confirmed it.

    Returns:
        The batch with its counts: rows by verdict; enrolments new, changed, ended; `ending` where it is held.
    """
    await people.lock_vault(tx)
    now = await batches.lock_batch(tx, batch)
    if now.status not in {"taking", "held"}:
        return now
    good, subjects = _keyed(roster.judged.good, keys)
    await people.stage(tx, _staged(good, subjects, keys))
    ending, open_before = await people.share_ending(tx, roster.program) if roster.full else (0, 0)
    if ending > roster.end_share * open_before and not roster.confirmed:
        held = replace(now, status=HELD, counts={**roster.judged.counts, "ending": ending, "open": open_before})
        await batches.save_progress(tx, held)
        await batches.save_status(tx, held)
        return held
    received = {"received_at": batch.received_at.isoformat()}
    changed = dict(await people.changed_people(tx))
    chosen = np.fromiter((subject.tobytes() in changed for subject in subjects), dtype=bool, count=len(subjects))
    sealed = _sealed(good.filter(pl.Series(chosen)), subjects[chosen], keys)
    await people.save_people(tx, sealed.select(
        ["subject", "name_hash", "contact_hash", "sealed", "key_id", "division", "group_no"]
    ))  # fmt: skip
    await outbox.say_table(tx, CONTACTS_CHANGED, _contacts(sealed), received)
    differs = await people.merge_enrolments(tx, roster.program, batch.batch_no, full=roster.full, today=roster.today)
    await outbox.say_table(
        tx,
        ENROLMENTS_CHANGED,
        differs,
        {"program": roster.program, "department": batch.department, **received},
    )
    names = pl.Series(differs.column("change").to_pylist(), dtype=pl.String)
    counts = {**roster.judged.counts, **{kind: int((names == kind).sum()) for kind in ("new", "changed", "ended")}}
    quarantine = roster.judged.reasons.with_columns(pl.col("reason").cast(pl.Categorical)).to_arrow()
    await batches.save_quarantine(tx, now, 0, len(quarantine), arrow.encode(quarantine) if len(quarantine) else None)
    done = replace(now, status="completed", counts=counts, chunks_done=1, completed_at=roster.at)
    await batches.save_progress(tx, done)
    await batches.save_status(tx, done)
    await batches.withdraw_older_held(tx, done, at=roster.at)
    return done


def _keyed(good: pl.DataFrame, keys: Keys) -> tuple[pl.DataFrame, np.ndarray]:
    contact = pl.concat_str(
        [pl.col(name).cast(pl.String).fill_null("") for name in _CONTACT],
        separator="\x1f",
    )
    texts = good.select(contact).to_series().to_list()
    return (
        good.with_columns(
            name_hash=pl.Series(keys.name_hashes(good["compared"].to_list()).view(np.int64)),
            contact_hash=pl.Series(keys.contact_hashes(texts).view(np.int64)),
        ),
        keys.subject.many(good["number"].to_list()),
    )


def _staged(good: pl.DataFrame, subjects: np.ndarray, keys: Keys) -> pa.Table:
    households = good["household_no"]
    known = households.drop_nulls().unique().to_list()
    pseudonyms = dict(zip(known, (keys.household.one(text).bytes for text in known), strict=True))
    table = good.select(
        "name_hash", "contact_hash", "amount_fen", "division", "group_no", "sex", "born_on", "started_on", "due_on"
    ).to_arrow()
    table = table.append_column("subject", arrow.subject_array(subjects))
    column = pa.array([pseudonyms.get(text) for text in households.to_list()], pa.binary(16))
    return table.append_column("household", column)


def _sealed(good: pl.DataFrame, subjects: np.ndarray, keys: Keys) -> pa.Table:
    """People whose data are new, each sealed for the vault (with the id) and for notify (without)."""
    vault, owners = keys.vault, [subject.tobytes() for subject in subjects]
    rows = good.select("number", "name", "phone", "family_phone", "card_tail").rows()
    whole = [
        vault.seal(
            orjson.dumps({"id": number, "name": name, "phone": phone, "family_phone": family, "card": card}), owner
        )
        for (number, name, phone, family, card), owner in zip(rows, owners, strict=True)
    ]
    contact = [
        vault.seal(orjson.dumps({"name": name, "phone": phone, "family_phone": family}), owner)
        for (_, name, phone, family, _), owner in zip(rows, owners, strict=True)
    ]
    reachable = good.select(
        pl.when(pl.col("phone").is_not_null() & (pl.col("phone") != ""))
        .then(pl.lit("phone"))
        .when(pl.col("family_phone").is_not_null() & (pl.col("family_phone") != ""))
        .then(pl.lit("family"))
        .otherwise(pl.lit("none"))
        .alias("reachable")
    ).to_series()
    table = good.select("name_hash", "contact_hash", "division", "group_no").to_arrow()
    for name, column in {
        "subject": arrow.subject_array(subjects),
        "sealed": pa.array(whole, pa.binary()),
        "contact": pa.array(contact, pa.binary()),
        "key_id": pa.array([vault.current] * len(good), pa.string()),
        "reachable": reachable.to_arrow(),
    }.items():
        table = table.append_column(name, column)
    return table


def _contacts(sealed: pa.Table) -> pa.Table:
    chosen = sealed.select(["subject", "contact", "reachable", "division"])
    return chosen.rename_columns(["subject", "sealed", "reachable", "division"])


def opened(keys: Keys, subject: UUID, sealed: bytes) -> dict[str, str | None]:
    """What is sealed about a person: id, name, phone, family_phone, card."""
    said: dict[str, str | None] = orjson.loads(keys.vault.open(sealed, subject.bytes))
    return said
