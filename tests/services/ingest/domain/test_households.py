"""A row of a visit that names several people becomes as many; nothing of another row changes."""

import polars as pl
import pytest

from services.ingest.domain.households import one_a_person

A, B, OLD = "341602194901011237", "34160219490101123x", "341602490101123"


@pytest.mark.parametrize(
    ("numbers", "names", "people"),
    [
        (A, "张三", [(A, "张三")]),
        (f"{A}、{B}", "张三、李四", [(A, "张三"), (B, "李四")]),
        (f" {A}; {OLD},{B} ", "张三,李四 王五", [(A, "张三"), (OLD, "李四"), (B, "王五")]),
        (f"{A} {B}", "张三", [(A, None), (B, None)]),
        (f"{A}、{B}", None, [(A, None), (B, None)]),
        # One number written with blanks is one; what is cut off is judged as it stands.
        ("341602 19490101 1237", "李 四", [("341602 19490101 1237", "李 四")]),
        (f"{A}、341602", "张三、李四", [(A, "张三"), ("341602", "李四")]),
        ("", "张三", [("", "张三")]),
        (None, "张三", [(None, "张三")]),
    ],
)
def test_a_row_becomes_one_a_person(numbers, names, people):
    schema = dict.fromkeys(["id", "day", "name"], pl.String)
    frame = pl.DataFrame([(A, "1", "甲"), (numbers, "2", names), (B, "3", None)], schema=schema, orient="row")
    made = one_a_person(frame, "id", "name")
    assert made.rows() == [(A, "1", "甲"), *((number, "2", name) for number, name in people), (B, "3", None)]
    assert one_a_person(frame.drop("name"), "id", None)["id"].to_list() == [A, *(number for number, _ in people), B]
