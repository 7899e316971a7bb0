"""Rosters: people sealed into the vault, enrolments brought up to date, the differences said."""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

import numpy as np
import orjson
import polars as pl
import pyarrow as pa

from services.ingest.store import batches, people
from services.ingest.store import places as store
from services.ingest.store.batches import Batch
from services.ingest.usecases import ending, places
from services.ingest.usecases.evidence import Stop
from services.ingest.usecases.hashing import Keys
from shared.contracts.events import CONTACTS_CHANGED, ENROLMENTS_CHANGED
from shared.kit import arrow
from shared.kit.db import WriteTx
from shared.kit.outbox import Outbox
from shared.kit.problems import ConflictError

HELD = "held"
_SEALED_AT_ONCE = 25_000
_KEPT = ("phone", "family_phone", "card_tail")
"""What is known of a person stays where a roster says nothing of it."""
_TAIL = re.compile(r"\d{4}")
Known = Mapping[bytes, Mapping[str, str | None]]
_CONTACT = ("name", "phone", "family_phone", "card_tail", "division", "group_no")


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """A judged roster on its way into the database.

    Attributes:
        counts: rows by verdict or reason.
        reasons: row number and reason of each row not taken.
        parts: its good rows, some at a time, as often as they are asked for.
        second: second listings of its people: number, division, amount_fen, started_on, ends_on.
        leaving: row_no, number, day, `ended_on`, and `county` of people whose rows say that they have left.
        named: numbers of people whose rows are faulty; they have not ended.
        rivals: number and household_no of people listed beside the payee of a household.
        unsaid: columns of enrolments of which it says nothing.
        full: whoever is not in it has ended.
        by_household: whoever drew the money for a household that has another payee in it has ended.
        end_share: share of open enrolments it may end without a second look.
        stop: at how many faulty rows it waits for a second look.
        confirmed: somebody has looked.
    """

    program: str
    counts: Mapping[str, int]
    reasons: pl.DataFrame
    parts: Callable[[], Iterator[pl.DataFrame]]
    second: pl.DataFrame
    leaving: pl.DataFrame
    named: pl.Series
    rivals: pl.DataFrame
    unsaid: Sequence[str]
    full: bool
    by_household: bool
    today: date
    at: datetime
    end_share: float
    stop: Stop
    confirmed: bool


class OvertakenError(ConflictError):
    """A newer roster of the program was taken while this one was on its way."""

    code = "roster_overtaken"
    title = "A newer roster of the program has been taken"


async def take_roster(tx: WriteTx, outbox: Outbox, keys: Keys, batch: Batch, roster: Roster) -> Batch:
    """Bring vault and enrolments to the roster; held instead when it asks for a second look nobody has taken.

    Returns:
        The batch with its counts: rows by verdict; enrolments new, changed, ended; `ending` where it is held.

    Raises:
        OvertakenError: it would bring back the state of before a newer roster.
    """
    await people.lock_vault(tx)
    now = await batches.lock_batch(tx, batch)
    if now.status == "withdrawn" or await batches.is_overtaken(tx, now):
        detail = (
            "It was withdrawn or a newer roster was taken meanwhile; nothing was changed. Send it again if it holds."
        )
        raise OvertakenError(detail)
    if now.status == "completed":
        return now
    staged = await _stage(tx, keys, roster)
    roster = await _without_doubtful(tx, roster)
    if not roster.by_household:
        await places.set_apart(tx, keys, roster.program, roster.second, full=roster.full)
    over, open_before = await _share_ending(tx, roster)
    await _save_reasons(tx, now, roster)
    doubtful = over > roster.end_share * open_before or roster.stop.stops(roster.counts)
    if doubtful and not roster.confirmed:
        held = replace(now, status=HELD, counts={**roster.counts, "ending": over, "open": open_before})
        await batches.save_progress(tx, held)
        await batches.save_status(tx, held)
        return held
    await _save_people(tx, outbox, keys, now, roster)
    changes = await _save_enrolments(tx, outbox, now, roster, staged)
    if not roster.by_household:
        says_ends = "ends_on" not in roster.unsaid
        changes["changed"] += await places.save(tx, outbox, now, roster.program, full=roster.full, says_ends=says_ends)
    done = replace(now, status="completed", counts={**roster.counts, **changes}, chunks_done=1, completed_at=roster.at)
    await batches.save_progress(tx, done)
    await batches.save_status(tx, done)
    await batches.withdraw_older_held(tx, done, at=roster.at)
    return done


async def _without_doubtful(tx: WriteTx, roster: Roster) -> Roster:
    """The roster without the rows that what is known already turns down."""
    if not roster.confirmed:
        roster = _without(roster, await people.set_misnamed_apart(tx, roster.program), "name_mismatch")
    if len(roster.rivals):
        roster = _without(roster, await people.set_payees_apart(tx, roster.program), "second_payee")
    if not roster.full:
        roster = _without(roster, await store.left_elsewhere(tx, roster.program), "not_enrolled_there")
    return roster


def _without(roster: Roster, rows: np.ndarray, reason: str) -> Roster:
    """The roster with some of its good rows turned down."""
    if not len(rows):
        return roster
    told = {"accepted": roster.counts["accepted"] - len(rows), reason: roster.counts.get(reason, 0) + len(rows)}
    more = pl.DataFrame({"row_no": rows}).with_columns(reason=pl.lit(reason))
    reasons = pl.concat([roster.reasons, more]).sort("row_no")
    return replace(roster, counts={**roster.counts, **told}, reasons=reasons)


def _ends(roster: Roster) -> bool:
    return roster.full or roster.by_household or len(roster.leaving) > 0


async def _share_ending(tx: WriteTx, roster: Roster) -> tuple[int, int]:
    if not _ends(roster):
        return 0, 0
    return await people.share_ending(tx, roster.program, full=roster.full, by_household=roster.by_household)


async def _save_reasons(tx: WriteTx, batch: Batch, roster: Roster) -> None:
    """Keep which rows are faulty, in place of what an earlier look at the same file found."""
    await batches.delete_quarantine(tx, batch)
    reasons = roster.reasons.with_columns(pl.col("reason").cast(pl.Categorical)).to_arrow()
    await batches.save_quarantine(tx, batch, 0, len(reasons), arrow.encode(reasons) if len(reasons) else None)


async def _stage(tx: WriteTx, keys: Keys, roster: Roster) -> list[pa.Table]:
    """Stage every part; what was staged, without a name or number in it."""
    await people.make_stage(tx)
    tables = []
    for part in roster.parts():
        good, subjects = await asyncio.to_thread(_keyed, part, keys)
        tables.append(await asyncio.to_thread(_staged, good, subjects, keys))
        await people.stage(tx, tables[-1])
    await people.measure_stage(tx, by_household=roster.by_household)
    named = await asyncio.to_thread(keys.subject.many, roster.named.to_list())
    await people.stage_named(tx, arrow.subject_array(named))
    if len(roster.rivals):
        rivals = await asyncio.to_thread(keys.subject.many, roster.rivals["number"].to_list())
        homes = await asyncio.to_thread(_households, roster.rivals["household_no"], keys)
        await people.stage_rivals(tx, arrow.subject_array(rivals), homes)
    await places.stage_leaving(tx, keys, roster.program, roster.leaving, full=roster.full)
    return tables


async def _save_people(tx: WriteTx, outbox: Outbox, keys: Keys, batch: Batch, roster: Roster) -> None:
    changed = await people.changed_rows(tx, roster.program)
    if not len(changed):
        return
    await people.make_incoming(tx)
    for part in roster.parts():
        chosen = part.filter(pl.Series(np.isin(part["row_no"].to_numpy(), changed)))
        for some in chosen.iter_slices(_SEALED_AT_ONCE):
            sealed = await asyncio.to_thread(_sealed, some, keys, await _known(tx, keys, some))
            await people.save_people(tx, sealed.select(people.INCOMING))
            await outbox.say_table(
                tx, CONTACTS_CHANGED, _contacts(sealed), {"received_at": batch.received_at.isoformat()}
            )
    await people.grow_version(tx)


async def _known(tx: WriteTx, keys: Keys, some: pl.DataFrame) -> Known:
    """What the vault holds of people of whom a roster leaves something out: one program knows a phone, another not."""
    lacking = some.filter(pl.any_horizontal(pl.col(name).fill_null("") == "" for name in _KEPT))
    subjects = [UUID(bytes=each.tobytes()) for each in keys.subject.many(lacking["number"].to_list())]
    rows = await people.sealed_of(tx, subjects) if subjects else []
    return await asyncio.to_thread(
        lambda: {subject.bytes: opened(keys, subject, sealed) for subject, sealed, _ in rows}
    )


async def _save_enrolments(
    tx: WriteTx, outbox: Outbox, batch: Batch, roster: Roster, staged: list[pa.Table]
) -> dict[str, int]:
    """Enrolments new, changed and ended."""
    attributes = places.attributes_of(batch, roster.program)
    if roster.unsaid:
        await people.keep_unsaid(tx, roster.program, roster.unsaid)
    row_no, fresh = await people.merge_enrolments(tx, roster.program, batch.batch_no)
    for table in staged:
        differing = _differing(table, row_no, fresh)
        if roster.unsaid and not fresh.all():
            differing = await _with_kept(tx, differing, roster.unsaid)
        await outbox.say_table(tx, ENROLMENTS_CHANGED, differing, attributes)
    counts = {"new": int(fresh.sum()), "changed": int((~fresh).sum()), "ended": 0}
    if len(roster.leaving):
        await store.keep_ends(tx, roster.program, full=roster.full)
    if _ends(roster):
        how = people.Ends(today=roster.today, full=roster.full, by_household=roster.by_household)
        counts["ended"] = await ending.end(tx, outbox, batch, roster.program, how)
    return counts


def _differing(staged: pa.Table, row_no: np.ndarray, fresh: np.ndarray) -> pa.Table:
    """The staged rows that are new or changed, shaped as the event says them."""
    numbers = staged.column("row_no").to_numpy()
    at = np.searchsorted(row_no, numbers)
    inside = np.minimum(at, max(len(row_no) - 1, 0))
    chosen = (row_no[inside] == numbers) if len(row_no) else np.zeros(len(numbers), dtype=bool)
    change = pa.DictionaryArray.from_arrays(pa.array(fresh[at[chosen]].astype(np.int8)), pa.array(["changed", "new"]))
    table = staged.filter(pa.array(chosen))
    return table.append_column("change", change).append_column("ended_on", pa.nulls(table.num_rows, pa.date32()))


async def _with_kept(tx: WriteTx, differing: pa.Table, unsaid: Sequence[str]) -> pa.Table:
    if not len(differing):
        return differing
    numbers = differing.column("row_no").to_numpy()
    kept = await people.differing_between(tx, int(numbers[0]), int(numbers[-1]))
    for name in {*unsaid} & {*kept.column_names}:
        differing = differing.set_column(differing.column_names.index(name), name, kept.column(name))
    return differing


def _keyed(good: pl.DataFrame, keys: Keys) -> tuple[pl.DataFrame, np.ndarray]:
    contact = pl.concat_str([pl.col(name).cast(pl.String).fill_null("") for name in _CONTACT], separator="\x1f")
    texts = good.select(contact).to_series().to_list()
    return (
        good.with_columns(
            name_hash=pl.Series(keys.name_hashes(good["compared"].to_list()).view(np.int64)),
            contact_hash=pl.Series(keys.contact_hashes(texts).view(np.int64)),
        ),
        keys.subject.many(good["number"].to_list()),
    )


def _households(numbers: pl.Series, keys: Keys) -> pa.Array:
    known = numbers.drop_nulls().unique().to_list()
    pseudonyms = dict(zip(known, (keys.household.one(text).bytes for text in known), strict=True))
    return pa.array([pseudonyms.get(text) for text in numbers.to_list()], pa.binary(16))


def _staged(good: pl.DataFrame, subjects: np.ndarray, keys: Keys) -> pa.Table:
    table = good.select(
        pl.col("row_no").cast(pl.Int32),
        "name_hash",
        "contact_hash",
        "amount_fen",
        "division",
        "group_no",
        "sex",
        "born_on",
        "started_on",
        "due_on",
        "ends_on",
    ).to_arrow()
    table = table.append_column("subject", arrow.subject_array(subjects))
    return table.append_column("household", _households(good["household_no"], keys))


def _sealed(some: pl.DataFrame, keys: Keys, known: Known) -> pa.Table:
    """People whose data are new, each sealed for the vault (with the id) and for notify (without)."""
    good, subjects = _keyed(some, keys)
    vault, owners = keys.vault, [subject.tobytes() for subject in subjects]
    rows = good.select("number", "name", *_KEPT).rows()
    told = [_person(*row, before=known.get(owner, {})) for row, owner in zip(rows, owners, strict=True)]
    whole = [vault.seal(orjson.dumps(each), owner) for each, owner in zip(told, owners, strict=True)]
    contact = [vault.seal(orjson.dumps(_contact(each)), owner) for each, owner in zip(told, owners, strict=True)]
    reachable = ["phone" if each["phone"] else "family" if each["family_phone"] else "none" for each in told]
    table = good.select("name_hash", "contact_hash", "division", "group_no").to_arrow()
    for name, column in {
        "subject": arrow.subject_array(subjects),
        "sealed": pa.array(whole, pa.binary()),
        "contact": pa.array(contact, pa.binary()),
        "key_id": pa.array([vault.current] * len(good), pa.string()),
        "reachable": pa.array(reachable, pa.string()),
    }.items():
        table = table.append_column(name, column)
    return table


def _person(
    number: str,
    name: str,
    phone: str | None,
    family: str | None,
    card: str | None,
    *,
    before: Mapping[str, str | None],
) -> dict[str, str | None]:
    return {
        "id": number,
        "name": name,
        "phone": phone or before.get("phone"),
        "family_phone": family or before.get("family_phone"),
        "card": card or before.get("card"),
    }


def _contact(person: Mapping[str, str | None]) -> dict[str, str | None]:
    card = person["card"]
    told = {name: person[name] for name in ("name", "phone", "family_phone")}
    return {**told, "card_tail": card if card and _TAIL.fullmatch(card) else None}


def _contacts(sealed: pa.Table) -> pa.Table:
    chosen = sealed.select(["subject", "contact", "reachable", "division"])
    return chosen.rename_columns(["subject", "sealed", "reachable", "division"])


def opened(keys: Keys, subject: UUID, sealed: bytes) -> dict[str, str | None]:
    """What is sealed about a person: id, name, phone, family_phone, card."""
    said: dict[str, str | None] = orjson.loads(keys.vault.open(sealed, subject.bytes))
    return said
