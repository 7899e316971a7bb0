"""Who holds which duty: matches a delivered list with the people and grids already known. Columns only."""

from dataclasses import dataclass

import polars as pl

DUTY_COLUMNS = {"member": "member_id", "leader": "leader_id", "assistant": "assistant_id"}

WORKER_SCHEMA = {"worker_id": pl.String, "name_key": pl.Binary, "phone_key": pl.Binary}
GRID_SCHEMA = {
    "grid_code": pl.String,
    "division": pl.String,
    "group_no": pl.Int16,
    "member_id": pl.String,
    "leader_id": pl.String,
    "assistant_id": pl.String,
    "lon": pl.Float64,
    "lat": pl.Float64,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an import will do.

    Attributes:
        fresh_workers: worker_id, name, phone, name_key, phone_key of people to write, new or with a new phone.
        new_workers: how many of them were not known at all.
        added: grids not known before, as `GRID_SCHEMA`.
        changed: grids that differ from before, as `GRID_SCHEMA`.
        unchanged: how many are as before.
        history: grid_code, duty, before_id, after_id of duties that changed hands.
    """

    fresh_workers: pl.DataFrame
    new_workers: int
    added: pl.DataFrame
    changed: pl.DataFrame
    unchanged: int
    history: pl.DataFrame


def user_text(user: str) -> str:
    """What is hashed of a user's name, that it is no worker's name."""
    return f"user {user}"


def identify(holders: pl.DataFrame, workers: pl.DataFrame, grids: pl.DataFrame) -> pl.DataFrame:
    """Give each holder his worker id.

    The same name and phone is the same person. The same name in the same duty of the same grid is the same person
    with a new phone. Anyone else keeps the id made for him.

    Args:
        holders: grid_code, duty, name, phone, name_key, phone_key, made_id.
        workers: `WORKER_SCHEMA`, everybody known.
        grids: `GRID_SCHEMA`, as they are now.

    Returns:
        `holders` with worker_id.
    """
    now = pl.concat(
        grids.select("grid_code", duty=pl.lit(duty), kept_id=pl.col(column)) for duty, column in DUTY_COLUMNS.items()
    ).drop_nulls("kept_id")
    kept = now.join(workers.select(kept_id="worker_id", kept_name="name_key"), on="kept_id")
    return (
        holders.join(workers.rename({"worker_id": "same_id"}), on=["name_key", "phone_key"], how="left")
        .join(kept, on=["grid_code", "duty"], how="left")
        .with_columns(
            kept_id=pl.when(pl.col("kept_name") == pl.col("name_key")).then("kept_id"),
        )
        # A new phone holds for the person everywhere, not only in the grid where he was recognised.
        .with_columns(kept_id=pl.col("kept_id").drop_nulls().first().over("name_key", "phone_key"))
        .with_columns(worker_id=pl.coalesce("same_id", "kept_id", "made_id"))
        .drop("same_id", "kept_id", "kept_name", "made_id")
    )


def plan(roll: pl.DataFrame, holders: pl.DataFrame, workers: pl.DataFrame, grids: pl.DataFrame) -> Plan:
    """Compare a checked list with what is known.

    Args:
        roll: the list, shaped.
        holders: its holders, identified.
        workers: `WORKER_SCHEMA`, everybody known.
        grids: `GRID_SCHEMA`, as they are now.
    """
    # Someone listed under two phones keeps the one that is known, else each import would turn it round.
    exact = holders.join(workers, on=["worker_id", "name_key", "phone_key"], how="semi")
    people = holders.unique("worker_id", keep="last", maintain_order=True)
    fresh = people.join(exact, on="worker_id", how="anti")
    wanted = roll.select("grid_code", "division", "group_no", "lon", "lat")
    for duty, column in DUTY_COLUMNS.items():
        held = holders.filter(pl.col("duty") == duty).select("grid_code", pl.col("worker_id").alias(column))
        wanted = wanted.join(held, on="grid_code", how="left")
    wanted = wanted.select(GRID_SCHEMA.keys())
    both = wanted.join(grids, on="grid_code", how="inner", suffix="_before")
    differs = pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(f"{name}_before")) for name in GRID_SCHEMA if name != "grid_code"
    )
    changed = both.filter(differs)
    history = pl.concat(
        changed.select(
            "grid_code",
            duty=pl.lit(duty),
            before_id=pl.col(f"{column}_before"),
            after_id=pl.col(column),
        ).filter(pl.col("before_id").ne_missing(pl.col("after_id")))
        for duty, column in DUTY_COLUMNS.items()
    )
    return Plan(
        fresh_workers=fresh.select("worker_id", "name", "phone", "name_key", "phone_key"),
        new_workers=fresh.join(workers, on="worker_id", how="anti").height,
        added=wanted.join(grids, on="grid_code", how="anti"),
        changed=changed.select(GRID_SCHEMA.keys()),
        unchanged=both.height - changed.height,
        history=history,
    )
