"""Take in a list of grids: whole or not at all, and a second time without effect."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import orjson
import polars as pl

from services.grid.domain import holders, roll
from services.grid.domain.priority import SUSPICION
from services.grid.store import hands, locks, suspicions, tasks
from services.grid.store import roll as store
from services.grid.store.staging import Staged
from services.grid.usecases.deps import Deps
from services.grid.usecases.errors import RollRefusedError, RollUnreadableError
from services.grid.usecases.eyes import send_other_eyes
from shared.kit.crypto import Pseudonymiser, Vault
from shared.kit.db import WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did."""

    rows: int
    grids_added: int
    grids_changed: int
    grids_unchanged: int
    workers_added: int
    duties_changed: int
    tasks_dispatched: int
    cases_assigned: int


def read_roll(body: bytes) -> pl.DataFrame:
    """A grids.csv as a shaped, checked list.

    Raises:
        RollUnreadableError: not UTF-8 CSV with the documented columns, or empty.
        RollRefusedError: rows have faults.
    """
    try:
        raw = pl.read_csv(
            BytesIO(body), infer_schema=False, encoding="utf8", n_rows=roll.MAX_ROWS + 1, raise_if_empty=True
        )
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        detail = "Send UTF-8 CSV with a header line and at least one grid."
        raise RollUnreadableError(detail) from error
    raw = raw.rename({name: name.strip().lstrip("\ufeff").lower() for name in raw.columns})
    if missing := roll.missing_columns(raw.columns):
        detail = f"Columns are missing: {', '.join(missing)}."
        raise RollUnreadableError(detail)
    if not 0 < raw.height <= roll.MAX_ROWS:
        detail = f"A list has 1 to {roll.MAX_ROWS} rows."
        raise RollUnreadableError(detail)
    shaped = roll.shape(raw)
    if found := roll.faults(shaped):
        raise RollRefusedError(found)
    return shaped


def name_holders(shaped: pl.DataFrame, keys: Pseudonymiser) -> pl.DataFrame:
    """Holders of duties with keyed hashes of name and phone and the id made for each."""
    held = roll.holders_of(shaped)
    # Without a phone, a name alone is a person only within his village.
    told = held.with_columns(
        known_by=pl.when(pl.col("phone") == "")
        .then(pl.lit("@") + pl.col("grid_code").str.slice(0, 12))
        .otherwise("phone")
    )
    people = told.select("name", "known_by").unique(maintain_order=True)
    made = keys.many((people["name"] + "|" + people["known_by"]).to_list())
    people = people.with_columns(
        name_key=_bytes(keys.many(people["name"].to_list())),
        phone_key=_bytes(keys.many(people["known_by"].to_list())),
        made_id=pl.Series(["w" + row.tobytes().hex()[:15] for row in made], dtype=pl.String),
    )
    return told.join(people, on=["name", "known_by"]).drop("known_by")


def _bytes(keys: np.ndarray) -> pl.Series:
    return pl.Series([row.tobytes() for row in keys], dtype=pl.Binary)


def seal_workers(fresh: pl.DataFrame, vault: Vault) -> pl.DataFrame:
    """Names and phones sealed, each to its worker."""
    sealed = [
        vault.seal(orjson.dumps({"name": name, "phone": phone}), worker_id.encode())
        for worker_id, name, phone in fresh.select("worker_id", "name", "phone").iter_rows()
    ]
    return fresh.select("worker_id", "name_key", "phone_key", sealed=pl.Series(sealed, dtype=pl.Binary))


def name_users(named: pl.DataFrame, keys: Pseudonymiser) -> pl.DataFrame:
    """How tokens call people whom they do not call by their ids, hashed: user_key, worker_id."""
    users = named.drop_nulls("user").unique("user", keep="last", maintain_order=True)
    return users.select("worker_id", user_key=_bytes(keys.many([holders.user_text(each) for each in users["user"]])))


async def import_roll(tx: WriteTx, deps: Deps, shaped: pl.DataFrame) -> Imported:
    """Take in the living grids of a checked list; what waited for them is given out."""
    now, listed = deps.clock.now(), roll.living(shaped)
    await store.lock_roll(tx)
    workers, grids = await store.list_workers(tx), await store.list_grids(tx)

    def compare() -> tuple[holders.Plan, pl.DataFrame, pl.DataFrame]:
        named = holders.identify(name_holders(listed, deps.name_keys), workers, grids)
        made = holders.plan(listed, named, workers, grids)
        return made, seal_workers(made.fresh_workers, deps.vault), name_users(named, deps.name_keys)

    plan, sealed, users = await asyncio.to_thread(compare)
    await store.save_divisions(tx, roll.divisions_of(listed))
    await store.save_workers(tx, sealed, now)
    await store.save_users(tx, users)
    history = await store.save_grids(tx, pl.concat([plan.added, plan.changed]), plan.history, now)
    await locks.lock_shards(tx)
    await hands.follow_members(tx, history, now)
    await take_from_who_left(tx, deps, plan.history["before_id"].drop_nulls().to_list())
    dispatched = await hands.dispatch_created(tx, deps.knock_by(), now)
    assigned = await give_out_cases(tx, deps)
    return Imported(
        rows=shaped.height,
        grids_added=plan.added.height,
        grids_changed=plan.changed.height,
        grids_unchanged=plan.unchanged,
        workers_added=plan.new_workers,
        duties_changed=plan.history.height,
        tasks_dispatched=dispatched,
        cases_assigned=assigned,
    )


async def take_from_who_left(tx: WriteTx, deps: Deps, replaced: Sequence[str]) -> None:
    """Who of these holds no grid any more has no work of another's either, and stands in for nobody."""
    gone = await store.without_grid(tx, replaced)
    if gone:
        await hands.take_from(tx, gone, deps.clock.now())
        await store.end_substitutions_of(tx, gone, deps.clock.today())


async def give_out_cases(tx: WriteTx, deps: Deps, *, among: Staged | None = None) -> int:
    """Cases without a village go to their village where it can be known now; returns how many.

    Args:
        tx: the transaction.
        deps: dependencies.
        among: people whose address may have become known; None looks at grids only.
    """
    now = deps.clock.now()
    if among is None:
        given = await suspicions.assign_detected(tx, now)
    else:
        given = await suspicions.place_cases(tx, among, now)
    if given:
        await tasks.open_for_cases(tx, given, priority=SUSPICION, deadline_on=deps.knock_by(), now=now)
        await send_other_eyes(tx, deps, given)
    return len(given)
