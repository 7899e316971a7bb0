"""A village's work is shared as far as its members can."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from services.grid.domain.balance import share

MOST = 5


def village(loads: list[int]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    rows = [
        (
            f"{worker:03}{number:05}".encode().ljust(16, b"0"),
            f"s{worker}-{number}".encode(),
            "v",
            f"w{worker}",
            number % 7,
        )
        for worker, load in enumerate(loads)
        for number in range(load)
    ]
    tasks = pl.DataFrame(
        rows,
        schema={
            "task_id": pl.Binary,
            "subject": pl.Binary,
            "division": pl.String,
            "worker_id": pl.String,
            "priority": pl.Int16,
        },
        orient="row",
    )
    members = pl.DataFrame(
        {"division": "v", "worker_id": [f"w{worker}" for worker in range(len(loads))], "load": loads},
        schema={"division": pl.String, "worker_id": pl.String, "load": pl.Int64},
    )
    crowded = members.filter(pl.col("load") > MOST)
    return tasks, members, tasks.join(crowded, on="worker_id", how="semi")


def after(tasks: pl.DataFrame, moves: pl.DataFrame) -> dict[str, int]:
    moved = tasks.join(moves.rename({"worker_id": "to"}), on="task_id", how="left")
    hands = moved.select(pl.coalesce("to", "worker_id").alias("worker_id"))["worker_id"].value_counts()
    return dict(hands.iter_rows())


@given(st.lists(st.integers(0, 20), min_size=1, max_size=12))
def test_nobody_has_too_much_while_a_neighbour_has_room(loads):
    tasks, members, crowded = village(loads)
    hands = after(tasks, share(crowded, members, most=MOST))
    assert sum(hands.values()) == sum(loads)
    room = sum(max(0, MOST - hands.get(f"w{worker}", 0)) for worker in range(len(loads)))
    excess = sum(max(0, count - MOST) for count in hands.values())
    assert room == 0 or excess == 0


def test_who_cannot_take_somebody_with_two_tasks_still_takes_somebody_with_one():
    tasks, members, crowded = village([7, 4])
    double = crowded.with_columns(subject=pl.when(pl.col("priority") < 2).then(pl.lit(b"double")).otherwise("subject"))
    hands = after(tasks, share(double, members, most=MOST))
    assert hands == {"w0": 6, "w1": 5}


@given(st.lists(st.integers(0, MOST), min_size=1, max_size=12))
def test_where_nobody_has_too_much_nothing_moves(loads):
    _tasks, members, crowded = village(loads)
    assert share(crowded, members, most=MOST).is_empty()


def test_the_most_urgent_people_stay_with_their_own_member():
    tasks, members, crowded = village([7, 0])
    moves = share(crowded, members, most=MOST)
    moved = tasks.join(moves, on="task_id", how="semi")["priority"].to_list()
    assert sorted(moved) == [0, 1]


def test_a_person_with_two_tasks_is_handed_over_whole():
    _tasks, members, crowded = village([6, 0])
    double = crowded.with_columns(subject=pl.lit(b"one"))
    moves = share(double, members, most=MOST)
    assert moves.height in {0, 6}
