"""`make year`: a year of the demo city through the five services, month by month, then checks of what became of everybody.

Departments deliver when they do, members knock, villages, towns and officers do their part; nobody of them knows the truth
but the person at the door. Checks live in `checks/`, one file a service: `month(world)` after each month, `end(world)` at
the end, found by their names.
"""
