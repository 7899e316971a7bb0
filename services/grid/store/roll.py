"""Divisions, grids, workers and who stands in for whom."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import polars as pl

from services.grid.domain.holders import GRID_SCHEMA, WORKER_SCHEMA
from services.grid.store.staging import Staged, stage
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """One grid with who holds it."""

    grid_code: str
    division: str
    member_id: str
    leader_id: str | None
    assistant_id: str | None
    lon: float | None
    lat: float | None


async def lock_roll(tx: WriteTx) -> None:
    """One import at a time."""
    await tx.run("SELECT pg_advisory_xact_lock(hashtext('grid:import'))")


async def list_workers(tx: ReadTx) -> pl.DataFrame:
    """Everybody known, as `WORKER_SCHEMA`."""
    rows = await tx.fetch("SELECT worker_id, name_key, phone_key FROM workers")
    return pl.DataFrame([tuple(row) for row in rows], schema=WORKER_SCHEMA, orient="row")


async def list_grids(tx: ReadTx) -> pl.DataFrame:
    """Every grid, as `GRID_SCHEMA`."""
    rows = await tx.fetch(
        "SELECT grid_code, division, group_no, member_id, leader_id, assistant_id, lon, lat FROM grids"
    )
    return pl.DataFrame([tuple(row) for row in rows], schema=GRID_SCHEMA, orient="row")


async def save_divisions(tx: WriteTx, divisions: pl.DataFrame) -> None:
    """Write what is new or renamed."""
    staged = await stage(tx, "staged_divisions", divisions)
    await staged.run(
        tx,
        "INSERT INTO divisions SELECT code, level, name, parent FROM staged_divisions "
        "ON CONFLICT (code) DO UPDATE SET name = excluded.name WHERE divisions.name <> excluded.name",
    )


async def save_workers(tx: WriteTx, workers: pl.DataFrame, now: datetime) -> None:
    """Write people with what is sealed; a known one gets the new phone."""
    staged = await stage(tx, "staged_workers", workers)
    await staged.run(
        tx,
        "INSERT INTO workers (worker_id, name_key, phone_key, sealed, created_at, changed_at) "
        "SELECT worker_id, name_key, phone_key, sealed, $1, $1 FROM staged_workers "
        "ON CONFLICT (worker_id) DO UPDATE SET name_key = excluded.name_key, phone_key = excluded.phone_key, "
        "sealed = excluded.sealed, changed_at = excluded.changed_at",
        now,
    )


async def save_grids(tx: WriteTx, grids: pl.DataFrame, history: pl.DataFrame, now: datetime) -> Staged:
    """Write grids that are new or differ, and who held their duties before; returns the latter, staged."""
    changed = await stage(tx, "staged_history", history)
    await changed.run(
        tx,
        "INSERT INTO grid_changes (grid_code, duty, changed_at, before_id, after_id) "
        "SELECT grid_code, duty, $1, before_id, after_id FROM staged_history",
        now,
    )
    staged = await stage(tx, "staged_grids", grids)
    await staged.run(
        tx,
        "INSERT INTO grids (grid_code, division, group_no, member_id, leader_id, assistant_id, lon, lat, changed_at) "
        "SELECT grid_code, division, group_no, member_id, leader_id, assistant_id, lon, lat, $1 FROM staged_grids "
        "ON CONFLICT (grid_code) DO UPDATE SET member_id = excluded.member_id, leader_id = excluded.leader_id, "
        "assistant_id = excluded.assistant_id, lon = excluded.lon, lat = excluded.lat, "
        "changed_at = excluded.changed_at",
        now,
    )
    return changed


async def save_users(tx: WriteTx, users: pl.DataFrame) -> None:
    """Remember how tokens call people: user_key, worker_id; whoever had the name before has it no more."""
    staged = await stage(tx, "staged_users", users)
    await staged.run(
        tx,
        "INSERT INTO worker_users (user_key, worker_id) SELECT user_key, worker_id FROM staged_users "
        "ON CONFLICT (user_key) DO UPDATE SET worker_id = excluded.worker_id",
    )


async def workers_of_users(tx: ReadTx, user_keys: Sequence[bytes]) -> dict[bytes, str]:
    """For which people these names of tokens stand."""
    rows = await tx.fetch("SELECT user_key, worker_id FROM worker_users WHERE user_key = ANY($1)", list(user_keys))
    return {row["user_key"]: row["worker_id"] for row in rows}


async def end_grids(tx: WriteTx, codes: Sequence[str], now: datetime) -> dict[str, list[str]]:
    """Grids are no more; who held them stays known. Returns those that were, with their holders."""
    rows = await tx.fetch(
        """
        WITH gone AS (DELETE FROM grids WHERE grid_code = ANY($1) RETURNING *),
        held AS (
            SELECT grid_code, duty, before_id FROM gone, LATERAL (VALUES
                ('member', member_id), ('leader', leader_id), ('assistant', assistant_id)) d(duty, before_id)
            WHERE before_id IS NOT NULL
        ),
        noted AS (
            INSERT INTO grid_changes (grid_code, duty, changed_at, before_id)
            SELECT grid_code, duty, $2, before_id FROM held
        )
        SELECT grid_code, array_agg(before_id) AS holders FROM held GROUP BY grid_code
        """,
        list(codes),
        now,
    )
    return {row["grid_code"]: row["holders"] for row in rows}


async def without_grid(tx: ReadTx, worker_ids: Sequence[str]) -> list[str]:
    """Who of these holds no grid in any duty."""
    rows = await tx.fetch(
        "SELECT DISTINCT each FROM unnest($1::text[]) each WHERE NOT EXISTS (SELECT FROM grids "
        "WHERE each IN (member_id, leader_id, assistant_id))",
        list(worker_ids),
    )
    return [row["each"] for row in rows]


async def end_substitutions_of(tx: WriteTx, worker_ids: Sequence[str], today: date) -> None:
    """Nobody stands in for people who left, nor they for others, from tomorrow."""
    his = "(worker_id = ANY($1) OR substitute_id = ANY($1))"
    await tx.run(
        f"DELETE FROM substitutions WHERE {his} AND from_on > $2",  # noqa: S608  (our own)
        list(worker_ids),
        today,
    )
    await tx.run(
        f"UPDATE substitutions SET until_on = $2 WHERE {his} AND until_on > $2",  # noqa: S608  (our own)
        list(worker_ids),
        today,
    )


async def find_grid(tx: ReadTx, grid_code: str) -> Grid | None:
    """One grid."""
    rows = await tx.fetch(
        "SELECT grid_code, division, member_id, leader_id, assistant_id, lon, lat FROM grids WHERE grid_code = $1",
        grid_code,
    )
    return Grid(**rows[0]) if rows else None


async def places_of(tx: ReadTx, grid_codes: Iterable[str]) -> dict[str, tuple[float, float]]:
    """Longitude and latitude of grids that have them."""
    rows = await tx.fetch(
        "SELECT grid_code, lon, lat FROM grids WHERE grid_code = ANY($1) AND lon IS NOT NULL AND lat IS NOT NULL",
        list(grid_codes),
    )
    return {row["grid_code"]: (row["lon"], row["lat"]) for row in rows}


async def is_worker(tx: ReadTx, worker_id: str) -> bool:
    """Whether somebody has this id."""
    return bool(await tx.fetch("SELECT FROM workers WHERE worker_id = $1", worker_id))


async def stands_in_for(tx: ReadTx, worker_id: str, today: date) -> list[str]:
    """The worker himself, and those he stands in for today."""
    rows = await tx.fetch(
        "SELECT worker_id FROM substitutions WHERE substitute_id = $1 AND $2 BETWEEN from_on AND until_on",
        worker_id,
        today,
    )
    return [worker_id, *(row["worker_id"] for row in rows)]


async def grew_since(tx: ReadTx, worker_ids: Sequence[str], grids: Sequence[str], since: datetime, today: date) -> bool:
    """Whether somebody, with those he stands in for today, has had grids given to him since an instant.

    Args:
        tx: the transaction.
        worker_ids: the person first, then those he stands in for.
        grids: what they hold.
        since: the instant.
        today: business date.
    """
    rows = await tx.fetch(
        """
        SELECT FROM substitutions WHERE substitute_id = $1 AND $4 BETWEEN from_on AND until_on
            AND greatest(set_at, from_on::timestamp AT TIME ZONE 'Asia/Shanghai') > $3
        UNION ALL SELECT FROM grids WHERE grid_code = ANY($2) AND changed_at > $3
        LIMIT 1
        """,
        worker_ids[0],
        list(grids),
        since,
        today,
    )
    return bool(rows)


async def grids_of(tx: ReadTx, worker_ids: Iterable[str]) -> list[str]:
    """Codes of the grids these people hold in any duty."""
    rows = await tx.fetch(
        "SELECT grid_code FROM grids WHERE member_id = ANY($1) OR leader_id = ANY($1) OR assistant_id = ANY($1) "
        "ORDER BY grid_code",
        list(worker_ids),
    )
    return [row["grid_code"] for row in rows]


async def grids_held_since(tx: ReadTx, worker_ids: Iterable[str], since: datetime) -> list[str]:
    """Codes of the grids these people hold, or have handed over after an instant."""
    rows = await tx.fetch(
        "SELECT grid_code FROM grids WHERE member_id = ANY($1) OR leader_id = ANY($1) OR assistant_id = ANY($1) "
        "UNION SELECT grid_code FROM grid_changes WHERE before_id = ANY($1) AND changed_at > $2 ORDER BY grid_code",
        list(worker_ids),
        since,
    )
    return [row["grid_code"] for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Substitution:
    """Someone stands in while another is away."""

    substitution_id: UUID
    worker_id: str
    substitute_id: str
    from_on: date
    until_on: date


async def save_substitution(tx: WriteTx, substitution: Substitution, *, set_by: str, now: datetime) -> bool:
    """Keep a substitution; False when one for the same days is already there."""
    await tx.run("SELECT pg_advisory_xact_lock(hashtext('grid:substitution:' || $1))", substitution.worker_id)
    tag = await tx.run(
        "INSERT INTO substitutions (substitution_id, worker_id, substitute_id, from_on, until_on, set_by, set_at) "
        "SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS (SELECT FROM substitutions "
        "WHERE worker_id = $2 AND daterange(from_on, until_on, '[]') && daterange($4, $5, '[]'))",
        substitution.substitution_id,
        substitution.worker_id,
        substitution.substitute_id,
        substitution.from_on,
        substitution.until_on,
        set_by,
        now,
    )
    return tag.endswith("1")


async def find_substitution(tx: ReadTx, substitution_id: UUID) -> Substitution | None:
    """One substitution."""
    rows = await tx.fetch(
        "SELECT substitution_id, worker_id, substitute_id, from_on, until_on FROM substitutions "
        "WHERE substitution_id = $1",
        substitution_id,
    )
    return Substitution(**rows[0]) if rows else None


async def end_substitution(tx: WriteTx, substitution_id: UUID, today: date) -> None:
    """Today is its last day, so that what was done today still counts; one that has not begun never was."""
    await tx.run("DELETE FROM substitutions WHERE substitution_id = $1 AND from_on > $2", substitution_id, today)
    await tx.run(
        "UPDATE substitutions SET until_on = $2 WHERE substitution_id = $1 AND until_on > $2", substitution_id, today
    )
