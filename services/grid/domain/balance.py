"""Share a village's work: nobody has more than he can do while a neighbour has less."""

import heapq
from collections import defaultdict

import polars as pl

MOVES = {"task_id": pl.Binary, "worker_id": pl.String}


def share(tasks: pl.DataFrame, loads: pl.DataFrame, *, most: int) -> pl.DataFrame:
    """Which tasks go to whom so that no member has more than `most`, as far as the village's members can.

    Only members with too much give, the least urgent first; only neighbours with room take, the freest first. A person
    stays in one pair of hands: all his tasks go together.

    Args:
        tasks: task_id, subject, division, worker_id, priority of what lies in the hands of those with too much.
        loads: division, worker_id, load of every member of their villages.
        most: open tasks a member can look after.

    Returns:
        task_id, worker_id of what changes hands.
    """
    villages = loads.partition_by("division", as_dict=True)
    found = [
        _share_village(part, villages[division], most)
        for division, part in sorted(tasks.partition_by("division", as_dict=True).items())
    ]
    return pl.concat(found) if found else pl.DataFrame(schema=MOVES)


def _share_village(tasks: pl.DataFrame, loads: pl.DataFrame, most: int) -> pl.DataFrame:
    load = dict(loads.select("worker_id", "load").sort("worker_id").iter_rows())
    people: dict[str, list[tuple[bytes, list[bytes]]]] = defaultdict(list)
    grouped = tasks.group_by("worker_id", "subject").agg("task_id", pl.col("priority").max())
    for worker, subject, ids in grouped.sort("worker_id", "priority", "subject").drop("priority").iter_rows():
        people[worker].append((subject, ids))
    free = [(count, worker) for worker, count in load.items() if count < most]
    heapq.heapify(free)
    moved: list[tuple[bytes, str]] = []
    for worker in sorted(people, key=lambda each: -load[each]):
        for _, ids in people[worker]:
            if load[worker] <= most or not free:
                break
            count, neighbour = free[0]
            # For whom the freest has no room nobody has; somebody with fewer tasks may still fit.
            if count + len(ids) <= most:
                moved.extend((task_id, neighbour) for task_id in ids)
                load[worker] -= len(ids)
                heapq.heapreplace(free, (count + len(ids), neighbour))
    return pl.DataFrame(moved, schema=MOVES, orient="row")
