"""Share a village's work: nobody has more than he can do while a neighbour has less."""

import heapq
from collections import defaultdict

import polars as pl

MOVES = {"task_id": pl.Binary, "worker_id": pl.String}


def share(tasks: pl.DataFrame, members: pl.DataFrame, *, most: int) -> pl.DataFrame:
    """Which tasks go to whom so that no member has more than `most`, as far as the village's members can.

    Only members with too much give, the least urgent first; only neighbours with room take, the freest first. A person
    stays in one pair of hands: all his tasks go together.

    Args:
        tasks: task_id, subject, division, worker_id, priority of open tasks in members' hands.
        members: division, worker_id of every member.
        most: open tasks a member can look after.

    Returns:
        task_id, worker_id of what changes hands.
    """
    loads = tasks.group_by("division", "worker_id").agg(load=pl.len())
    crowded = loads.filter(pl.col("load") > most)["division"].unique().to_list()
    moves: dict[str, list[bytes] | list[str]] = {"task_id": [], "worker_id": []}
    if not crowded:
        return pl.DataFrame(moves, schema=MOVES)
    found = [
        _share_village(
            tasks.filter(pl.col("division") == division), members.filter(pl.col("division") == division), most
        )
        for division in sorted(crowded)
    ]
    return pl.concat(found)


def _share_village(tasks: pl.DataFrame, members: pl.DataFrame, most: int) -> pl.DataFrame:
    load = dict.fromkeys(members["worker_id"].unique().sort().to_list(), 0)
    people: dict[str, list[tuple[int, bytes, list[bytes]]]] = defaultdict(list)
    grouped = tasks.group_by("worker_id", "subject").agg("task_id", pl.col("priority").max())
    for worker, subject, ids, priority in grouped.sort("worker_id", "priority", "subject").iter_rows():
        people[worker].append((priority, subject, ids))
        load[worker] = load.get(worker, 0) + len(ids)
    free = [(count, worker) for worker, count in load.items() if count < most]
    heapq.heapify(free)
    moved: list[tuple[bytes, str]] = []
    for worker in sorted(people, key=lambda each: -load[each]):
        for _, _, ids in people[worker]:
            if load[worker] <= most or not free:
                break
            count, neighbour = heapq.heappop(free)
            if count + len(ids) <= most:
                moved.extend((task_id, neighbour) for task_id in ids)
                load[worker] -= len(ids)
                heapq.heappush(free, (count + len(ids), neighbour))
    return pl.DataFrame(moved, schema=MOVES, orient="row")
