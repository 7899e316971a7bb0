"""The files are as dirty as real ones: every form of dirt the readers must bear is really there."""

import re
from collections import Counter

import polars as pl
import pytest

from deploy.demo.city.deliveries import read_deliveries
from deploy.demo.city.manifest import LEDGER
from tests.deploy.demo.city.test_reading import declaration, rows_of


@pytest.fixture(scope="session")
def ids(tiny):
    """Every id as it stands in the files of the sources, with how often."""
    found: Counter[str] = Counter()
    for delivery in read_deliveries():
        titles = declaration(delivery.code)["columns"]["citizen_id"]
        for file in (file for file in tiny.of("source") if file.code == delivery.code):
            for row in rows_of(tiny.locate(file), file.format, file.encoding):
                found[next((row[title] for title in titles if title in row), None) or ""] += 1
    return found


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("fifteen digits of the old cards", r"^\d{15}$"),
        ("a lower-case x", r"^\d{17}x$"),
        ("spaces around or within", r"\s"),
        ("full-width digits", r"[０-９Ｘ]"),
        ("no id at all", r"^$"),
    ],
)
def test_ids_come_in_every_form(ids, form, pattern):
    found = sum(rows for text, rows in ids.items() if re.search(pattern, text))
    share = found / sum(ids.values())
    assert 0 < share < 0.05, form


def test_files_come_in_every_form_and_encoding(tiny):
    files = tiny.of("source")
    assert {file.format for file in files} == {"csv", "xlsx", "ndjson", "parquet"}
    assert {"utf-8", "gb18030"} <= {file.encoding for file in files}
    titles = [tuple(column.title for column in delivery.columns) for delivery in read_deliveries()]
    assert len({each[0] for each in titles}) > 1, "departments name their columns differently"


def test_rows_come_with_every_fault(tiny):
    reasons = pl.read_parquet(tiny.root / LEDGER)
    found = dict(
        reasons.group_by(pl.coalesce(pl.col("reason").replace("", None), "verdict").alias("said"))
        .agg(pl.col("rows").sum())
        .iter_rows()
    )
    for each in (
        "duplicate", "out_of_window", "bad_check_digit", "bad_citizen_id", "name_mismatch", "missing_field",
        "impossible_date", "future_date", "not_a_beneficiary", "no_citizen_id", "not_counted",
    ):  # fmt: skip
        assert found.get(each, 0) > 0, each
